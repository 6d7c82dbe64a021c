package clienttest

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"testing"

	"github.com/ollama/ollama/api"
)

var ollama = &client{
	name: "ollama/api", module: "github.com/ollama/ollama/api", wire: ollamaWire, sends: "-",
	open:   func(t testing.TB, l *lab) ask { return ollamaAsk(newOllama(t, l)) },
	cannot: limits(noRetry, silent("cancelled in mid-stream", "broken connection")),
}

func newOllama(t testing.TB, l *lab) *api.Client {
	u, err := url.Parse(l.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return api.NewClient(u, l.traced)
}

// errEnough ends a stream early, which this client does by an error.
var errEnough = errors.New("enough")

func ollamaAsk(c *api.Client) ask {
	return func(ctx context.Context, q question, each func(string) bool) (a answer, err error) {
		r := &api.ChatRequest{
			Model: model, Options: map[string]any{"temperature": temperature, "num_predict": maxTokens},
			Messages: []api.Message{{Role: "system", Content: system}, {Role: "user", Content: user}},
		}
		if each == nil {
			r.Stream = new(bool)
		}
		if q.results {
			made := api.ToolCall{ID: bern.ID, Function: api.ToolCallFunction{Name: bern.Name, Arguments: api.NewToolCallFunctionArguments()}}
			made.Function.Arguments.Set("city", "Bern")
			r.Messages = append(r.Messages, api.Message{Role: "assistant", ToolCalls: []api.ToolCall{made}},
				api.Message{Role: "tool", ToolCallID: bern.ID, ToolName: bern.Name, Content: toolResult})
		}
		if q.tools {
			tool := api.Tool{Type: "function", Function: api.ToolFunction{Name: toolName, Description: toolText}}
			if err := json.Unmarshal([]byte(toolSchema), &tool.Function.Parameters); err != nil {
				return a, err
			}
			r.Tools = api.Tools{tool}
		}
		err = c.Chat(ctx, r, func(r api.ChatResponse) error {
			for _, c := range r.Message.ToolCalls {
				a.Calls = append(a.Calls, call{c.ID, c.Function.Name, c.Function.Arguments.String()})
			}
			a.Pieces = append(a.Pieces, r.Message.Content)
			if each != nil && !each(r.Message.Content) {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			err = nil
		}
		return a, err
	}
}
