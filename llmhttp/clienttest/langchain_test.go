package clienttest

import (
	"context"
	"errors"
	"testing"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"
)

var langchain = &client{
	name: "langchaingo", module: "github.com/tmc/langchaingo", wire: openAIWire,
	cannot: limits(noRetry, silent("error in mid-stream", "cancelled in mid-stream", "broken connection")),
	open:   func(t testing.TB, l *lab) ask { return langchainAsk(newLangchain(t, l)) },
}

func newLangchain(t testing.TB, l *lab) *openai.LLM {
	c, err := openai.New(openai.WithToken(key), openai.WithModel(model), openai.WithEmbeddingModel(model), openai.WithBaseURL(l.server.URL+"/v1"), openai.WithHTTPClient(l.traced))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func langchainAsk(c *openai.LLM) ask {
	return func(ctx context.Context, q question, each func(string) bool) (a answer, err error) {
		messages := []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeSystem, system), llms.TextParts(llms.ChatMessageTypeHuman, user)}
		options := []llms.CallOption{llms.WithTemperature(temperature), llms.WithMaxTokens(maxTokens)}
		if q.results {
			messages = append(messages,
				llms.MessageContent{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{llms.ToolCall{
					ID: bern.ID, Type: "function", FunctionCall: &llms.FunctionCall{Name: bern.Name, Arguments: bern.Arguments},
				}}},
				llms.MessageContent{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{llms.ToolCallResponse{ToolCallID: bern.ID, Name: bern.Name, Content: toolResult}}})
		}
		if q.tools {
			options = append(options, llms.WithTools([]llms.Tool{{Type: "function", Function: &llms.FunctionDefinition{Name: toolName, Description: toolText, Parameters: decode(toolSchema)}}}))
		}
		if each != nil {
			options = append(options, llms.WithStreamingFunc(func(_ context.Context, chunk []byte) error {
				if len(chunk) > 0 && chunk[0] == '[' {
					return nil // calls of tools
				}
				if !each(string(chunk)) {
					return errEnough
				}
				return nil
			}))
		}
		resp, err := c.GenerateContent(ctx, messages, options...)
		switch {
		case errors.Is(err, errEnough):
			return a, nil
		case err != nil:
			return a, err
		}
		a.Pieces = []string{resp.Choices[0].Content}
		for _, c := range resp.Choices[0].ToolCalls {
			a.Calls = append(a.Calls, call{c.ID, c.FunctionCall.Name, c.FunctionCall.Arguments})
		}
		return a, nil
	}
}
