package clienttest

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/param"

	"github.com/sessionspan/sessionspan/llmhttp"
)

const anthropicModule = "github.com/anthropics/anthropic-sdk-go"

var anthropicMiddleware = &client{
	name: "anthropic-sdk-go, middleware", module: anthropicModule, wire: anthropicWire, attempts: true, again: true,
	open: func(_ testing.TB, l *lab) ask {
		return anthropicAsk(newAnthropic(l, l.plain, option.WithMiddleware(llmhttp.Middleware(l.options...))))
	},
}

var anthropicTransport = &client{
	name: "anthropic-sdk-go, transport", module: anthropicModule, wire: anthropicWire, attempts: true, again: true,
	open: func(_ testing.TB, l *lab) ask { return anthropicAsk(newAnthropic(l, l.traced)) },
}

func newAnthropic(l *lab, c *http.Client, more ...option.RequestOption) anthropic.Client {
	for name := range l.headers {
		more = append(more, option.WithHeader(name, l.headers.Get(name)))
	}
	return anthropic.NewClient(append([]option.RequestOption{
		option.WithAPIKey(key), option.WithBaseURL(l.server.URL), option.WithHTTPClient(c), option.WithMaxRetries(1),
	}, more...)...)
}

func anthropicAsk(c anthropic.Client) ask {
	return func(ctx context.Context, q question, each func(string) bool) (a answer, err error) {
		p := anthropic.MessageNewParams{
			Model: model, Temperature: param.NewOpt(temperature), MaxTokens: maxTokens,
			System:   []anthropic.TextBlockParam{{Text: system}},
			Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(user))},
		}
		if q.results {
			p.Messages = append(p.Messages, anthropic.NewAssistantMessage(anthropic.NewToolUseBlock(bern.ID, json.RawMessage(bern.Arguments), bern.Name)),
				anthropic.NewUserMessage(anthropic.NewToolResultBlock(bern.ID, toolResult, false)))
		}
		if q.tools {
			schema := decode(toolSchema).(object)
			p.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
				Name: toolName, Description: param.NewOpt(toolText),
				InputSchema: anthropic.ToolInputSchemaParam{Properties: schema["properties"], Required: []string{"city"}},
			}}}
		}
		var m *anthropic.Message
		if each == nil {
			if m, err = c.Messages.New(ctx, p); err != nil {
				return a, err
			}
		} else {
			stream := c.Messages.NewStreaming(ctx, p)
			defer func() { _ = stream.Close() }()
			m = &anthropic.Message{}
			for stream.Next() {
				e := stream.Current()
				if err := m.Accumulate(e); err != nil {
					return a, err
				}
				if d, ok := e.AsAny().(anthropic.ContentBlockDeltaEvent); ok && !each(d.Delta.Text) {
					return a, nil
				}
			}
			if err := stream.Err(); err != nil {
				return a, err
			}
		}
		for _, b := range m.Content {
			switch b := b.AsAny().(type) {
			case anthropic.TextBlock:
				a.Pieces = append(a.Pieces, b.Text)
			case anthropic.ToolUseBlock:
				a.Calls = append(a.Calls, call{b.ID, b.Name, string(b.Input)})
			}
		}
		return a, nil
	}
}
