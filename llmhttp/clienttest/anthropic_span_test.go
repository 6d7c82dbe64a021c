package clienttest

import (
	"fmt"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/option"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// TestSpanOfTheClient checks that the span which anthropic-sdk-go makes of each
// call, where the program has a tracer provider, is the event of the call: with
// what we know of it, and alone.
func TestSpanOfTheClient(t *testing.T) {
	t.Cleanup(func() {
		otel.SetTracerProvider(noop.NewTracerProvider())
		otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator())
	})
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	for _, tc := range []struct {
		name       string
		middleware bool
		streamed   bool
		replies    []reply
		failed     string
	}{
		{"transport", false, false, []reply{{answer: warm}}, ""},
		{"transport, streamed", false, true, []reply{{answer: warm}}, ""},
		{"middleware", true, false, []reply{{answer: warm}}, ""},
		{"middleware, streamed", true, true, []reply{{answer: warm}}, ""},
		{"tried again", false, false, []reply{slow, {answer: warm}}, ""},
		{"error", false, false, []reply{{status: 400}}, "invalid_request_error"}, // in the words of the client
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t, anthropicWire, tc.replies...)
			otel.SetTracerProvider(l.provider)
			client := newAnthropic(l, l.traced)
			if tc.middleware {
				client = newAnthropic(l, l.plain, option.WithMiddleware(llmhttp.Middleware()))
			}
			var each func(string) bool
			if tc.streamed {
				each = func(string) bool { return true }
			}
			if _, err := anthropicAsk(client)(l.ctx, question{tools: true}, each); (err != nil) != (tc.failed != "") {
				t.Fatal(err)
			}
			e := l.events(1)[0]
			if len(e.Children) > 0 || e.EventName.Or("") != "anthropic.messages.create" || e.EventType.Or("") != "model" || e.Error.Or("") != tc.failed {
				t.Errorf("%s", e.AppendJSON(nil))
			}
			for _, r := range l.requests {
				for name := range propagated {
					if r.Header.Get(name) != "" {
						t.Errorf("%s went to the provider", name)
					}
				}
			}
			if tc.failed != "" {
				return
			}
			got := recordOf(e, l.attributes()[0])
			if fmt.Sprint(member(got.Outputs, "content")) != warm.text() || got.Metadata["prompt_tokens"] != float64(inputTokens) || got.Metadata["cache_read_input_tokens"] != float64(cachedTokens) ||
				got.Inputs == nil || member(got.Config, "tools") == nil {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestSpanOfAnotherProvider checks that a call is an event of the session also
// where the client's span is none, since it belongs to another provider.
func TestSpanOfAnotherProvider(t *testing.T) {
	l := newLab(t, anthropicWire, reply{answer: warm})
	other := sdktrace.NewTracerProvider()
	client := newAnthropic(l, l.traced, option.WithTracerProvider(other))
	if _, err := anthropicAsk(client)(l.ctx, question{}, nil); err != nil {
		t.Fatal(err)
	}
	e := l.events(1)[0]
	e.AssertOutputs(encode(object{"role": "assistant", "content": warm.text(), "finish_reason": "end_turn"}))
}
