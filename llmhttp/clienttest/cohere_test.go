package clienttest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	cohere "github.com/cohere-ai/cohere-go/v2"
	cohereclient "github.com/cohere-ai/cohere-go/v2/client"
)

var cohereGo = &client{
	name: "cohere-go", module: "github.com/cohere-ai/cohere-go/v2/client", wire: cohereWire,
	open: func(_ testing.TB, l *lab) ask { return cohereAsk(newCohere(l)) },
	adjust: func(tc *testCase, n int, want *record) {
		if tc.want[n].failed == "stream" { // the provider's word for why it ended
			want.Outputs.(object)["finish_reason"] = "ERROR"
			want.Metadata["finish_reasons"], want.Attributes["gen_ai.response.finish_reasons"] = list{"ERROR"}, list{"ERROR"}
		}
	},
}

func newCohere(l *lab) *cohereclient.Client {
	return cohereclient.NewClient(cohereclient.WithBaseURL(l.server.URL), cohereclient.WithToken(key), cohereclient.WithHTTPClient(&http.Client{Transport: &wholeEvents{l.traced.Transport}}), cohereclient.WithMaxAttempts(2))
}

// wholeEvents gives a client each event of a stream at once and alone: cohere-go
// takes whatever was received of a stream for an event.
type wholeEvents struct{ next http.RoundTripper }

func (w *wholeEvents) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err == nil && resp.Header.Get("Content-Type") == "text/event-stream" {
		resp.Body = &eventBody{resp.Body, bufio.NewReader(resp.Body), ""}
	}
	return resp, err
}

type eventBody struct {
	io.Closer
	lines *bufio.Reader
	rest  string
}

func (b *eventBody) Read(p []byte) (int, error) {
	for !strings.HasPrefix(b.rest, "data: ") {
		line, err := b.lines.ReadString('\n')
		if err != nil {
			return 0, err
		}
		b.rest = line
	}
	n := copy(p, b.rest)
	if b.rest = b.rest[n:]; b.rest != "" {
		return n, errors.New("the event is longer than the client reads at once")
	}
	return n, nil
}

func cohereText(role, text string) *cohere.ChatMessageV2 {
	if role == "system" {
		return &cohere.ChatMessageV2{Role: role, System: &cohere.SystemMessageV2{Content: &cohere.SystemMessageV2Content{String: text}}}
	}
	return &cohere.ChatMessageV2{Role: role, User: &cohere.UserMessageV2{Content: &cohere.UserMessageV2Content{String: text}}}
}

func cohereAsk(c *cohereclient.Client) ask {
	return func(ctx context.Context, q question, each func(string) bool) (a answer, err error) {
		messages := cohere.ChatMessages{cohereText("system", system), cohereText("user", user)}
		if q.results {
			made := &cohere.ToolCallV2{Id: new(bern.ID), Type: new("function"), Function: &cohere.ToolCallV2Function{Name: new(bern.Name), Arguments: new(bern.Arguments)}}
			messages = append(messages,
				&cohere.ChatMessageV2{Role: "assistant", Assistant: &cohere.AssistantMessage{ToolCalls: []*cohere.ToolCallV2{made}}},
				&cohere.ChatMessageV2{Role: "tool", Tool: &cohere.ToolMessageV2{ToolCallId: bern.ID, Content: &cohere.ToolMessageV2Content{String: toolResult}}})
		}
		var tools []*cohere.ToolV2
		if q.tools {
			schema, _ := decode(toolSchema).(object)
			tools = []*cohere.ToolV2{{Type: new("function"), Function: &cohere.ToolV2Function{Name: toolName, Description: new(toolText), Parameters: schema}}}
		}
		if each == nil {
			r, err := c.V2.Chat(ctx, &cohere.V2ChatRequest{Model: model, Messages: messages, Tools: tools, Temperature: new(temperature), MaxTokens: new(maxTokens)})
			if err != nil {
				return a, err
			}
			for _, p := range r.Message.Content {
				a.Pieces = append(a.Pieces, p.Text.Text)
			}
			for _, c := range r.Message.ToolCalls {
				a.Calls = append(a.Calls, call{*c.Id, *c.Function.Name, *c.Function.Arguments})
			}
			return a, nil
		}
		stream, err := c.V2.ChatStream(ctx, &cohere.V2ChatStreamRequest{Model: model, Messages: messages, Tools: tools, Temperature: new(temperature), MaxTokens: new(maxTokens)})
		if err != nil {
			return a, err
		}
		defer func() { _ = stream.Close() }()
		for {
			e, err := stream.Recv()
			switch {
			case errors.Is(err, io.EOF):
				return a, nil
			case err != nil:
				return a, err
			}
			switch {
			case e.ContentDelta != nil:
				text := *e.ContentDelta.Delta.Message.Content.Text
				a.Pieces = append(a.Pieces, text)
				if !each(text) {
					return a, nil
				}
			case e.ToolCallStart != nil:
				c := e.ToolCallStart.Delta.Message.ToolCalls
				a.Calls = append(a.Calls, call{*c.Id, *c.Function.Name, ""})
			case e.ToolCallDelta != nil:
				a.Calls[len(a.Calls)-1].Arguments += *e.ToolCallDelta.Delta.Message.ToolCalls.Function.Arguments
			case e.MessageEnd != nil && e.MessageEnd.Delta.Error != nil:
				return a, errors.New(*e.MessageEnd.Delta.Error)
			}
		}
	}
}
