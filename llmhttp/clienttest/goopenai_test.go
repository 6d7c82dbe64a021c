package clienttest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	openai "github.com/sashabaranov/go-openai"
)

var goOpenAI = &client{
	name: "go-openai", module: "github.com/sashabaranov/go-openai", wire: openAIWire, cannot: noRetry,
	open: func(_ testing.TB, l *lab) ask {
		c := newGoOpenAI(l)
		return func(ctx context.Context, q question, each func(string) bool) (answer, error) {
			return goOpenAIChat(ctx, c, q, each)
		}
	},
}

func newGoOpenAI(l *lab) *openai.Client {
	config := openai.DefaultConfig(key)
	config.BaseURL, config.HTTPClient = l.server.URL+"/v1", l.traced
	return openai.NewClientWithConfig(config)
}

func goOpenAIChat(ctx context.Context, c *openai.Client, q question, each func(string) bool) (a answer, err error) {
	r := openai.ChatCompletionRequest{
		Model: model, Temperature: temperature, MaxCompletionTokens: maxTokens,
		Messages: []openai.ChatCompletionMessage{{Role: "system", Content: system}, {Role: "user", Content: user}},
	}
	if q.results {
		made := openai.ToolCall{ID: bern.ID, Type: "function", Function: openai.FunctionCall{Name: bern.Name, Arguments: bern.Arguments}}
		r.Messages = append(r.Messages, openai.ChatCompletionMessage{Role: "assistant", ToolCalls: []openai.ToolCall{made}},
			openai.ChatCompletionMessage{Role: "tool", ToolCallID: bern.ID, Content: toolResult})
	}
	if q.tools {
		r.Tools = []openai.Tool{{Type: "function", Function: &openai.FunctionDefinition{Name: toolName, Description: toolText, Parameters: json.RawMessage(toolSchema)}}}
	}
	if each == nil {
		resp, err := c.CreateChatCompletion(ctx, r)
		if err != nil {
			return a, err
		}
		m := resp.Choices[0].Message
		a.Pieces = []string{m.Content}
		for _, c := range m.ToolCalls {
			a.Calls = append(a.Calls, call{c.ID, c.Function.Name, c.Function.Arguments})
		}
		return a, nil
	}
	r.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	stream, err := c.CreateChatCompletionStream(ctx, r)
	if err != nil {
		return a, err
	}
	defer func() { _ = stream.Close() }()
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return a, err
		}
		if len(chunk.Choices) == 0 {
			continue
		}
		delta := chunk.Choices[0].Delta
		for _, c := range delta.ToolCalls {
			if c.ID != "" {
				a.Calls = append(a.Calls, call{c.ID, c.Function.Name, ""})
			}
			a.Calls[len(a.Calls)-1].Arguments += c.Function.Arguments
		}
		a.Pieces = append(a.Pieces, delta.Content)
		if !each(delta.Content) {
			return a, nil
		}
	}
}
