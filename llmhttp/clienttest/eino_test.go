package clienttest

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/cloudwego/eino-ext/components/model/openai"
	einomodel "github.com/cloudwego/eino/components/model"
	"github.com/cloudwego/eino/schema"
)

var eino = &client{
	name: "eino-ext OpenAI model", module: "github.com/cloudwego/eino-ext/components/model/openai", wire: openAIWire,
	cannot: limits(noRetry, map[string]limit{"closed early": {"closes the body when the next piece comes", func(tc *testCase) {
		tc.want = []outcome{{answer: answer{Pieces: warm.Pieces[:2]}, cut: true, closed: true}}
	}}}),
	open: func(t testing.TB, l *lab) ask {
		heat, most := float32(temperature), maxTokens
		m, err := openai.NewChatModel(t.Context(), &openai.ChatModelConfig{
			APIKey: key, BaseURL: l.server.URL + "/v1", HTTPClient: l.traced, Model: model, Temperature: &heat, MaxTokens: &most,
		})
		if err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context, q question, each func(string) bool) (answer, error) {
			return einoAsk(ctx, m, q, each)
		}
	},
}

func einoAsk(ctx context.Context, m *openai.ChatModel, q question, each func(string) bool) (a answer, err error) {
	messages := []*schema.Message{schema.SystemMessage(system), schema.UserMessage(user)}
	if q.results {
		made := schema.ToolCall{ID: bern.ID, Type: "function", Function: schema.FunctionCall{Name: bern.Name, Arguments: bern.Arguments}}
		messages = append(messages, schema.AssistantMessage("", []schema.ToolCall{made}), schema.ToolMessage(toolResult, bern.ID))
	}
	var options []einomodel.Option
	if q.tools {
		options = append(options, einomodel.WithTools([]*schema.ToolInfo{{
			Name: toolName, Desc: toolText,
			ParamsOneOf: schema.NewParamsOneOfByParams(map[string]*schema.ParameterInfo{"city": {Type: schema.String, Required: true}}),
		}}))
	}
	var got *schema.Message
	if each == nil {
		if got, err = m.Generate(ctx, messages, options...); err != nil {
			return a, err
		}
	} else {
		stream, err := m.Stream(ctx, messages, options...)
		if err != nil {
			return a, err
		}
		defer stream.Close()
		var pieces []*schema.Message
		for {
			piece, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return a, err
			}
			pieces = append(pieces, piece)
			if !each(piece.Content) {
				return a, nil
			}
		}
		if got, err = schema.ConcatMessages(pieces); err != nil {
			return a, err
		}
	}
	a.Pieces = []string{got.Content}
	for _, c := range got.ToolCalls {
		a.Calls = append(a.Calls, call{c.ID, c.Function.Name, c.Function.Arguments})
	}
	return a, nil
}
