package sessionspan_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

const said = "CANARY-7d1e"

// sayAll says a text in every field of an event, on its span, and in spans of others.
func sayAll(ctx context.Context, tracer *sessionspan.Tracer, options ...sessionspan.FieldOption) *sessionspan.Event {
	ctx, e := sessionspan.StartEvent(ctx, sessionspan.Model, "event", append(options, sessionspan.WithInputs(map[string]any{"q": said}), sessionspan.WithMetadata(map[string]any{"note": said}))...)
	e.SetMessages(sessionspan.Message{Role: "user", Content: said})
	e.SetReply(sessionspan.Message{Role: "assistant", Content: said})
	e.SetAttributes(attribute.String("gen_ai.prompt", said))
	e.SetUsage(sessionspan.Usage{InputTokens: 11})
	e.RecordError(errors.New(said))
	_, f := tracer.TracerProvider().Tracer("other").Start(ctx, "foreign", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.prompt", said)))
	f.SetAttributes(attribute.String("gen_ai.completion", said), attribute.Int("gen_ai.usage.input_tokens", 13))
	f.AddEvent("gen_ai.choice", trace.WithAttributes(attribute.String("message", said)))
	f.End()
	e.End()
	e.SetOutputs(said) // an update
	e.SetError(said)
	return e
}

// TestWithoutContentInContext keeps content in, whatever the destinations may have: by the
// context, by the session, by the turn and by the event, and not beside those.
func TestWithoutContentInContext(t *testing.T) {
	for name, use := range map[string]func(ctx context.Context, tracer *sessionspan.Tracer){
		"a context": func(ctx context.Context, tracer *sessionspan.Tracer) {
			ctx, s := tracer.StartSession(sessionspan.ContextWithoutContent(ctx), "session", sessionspan.WithInputs(said))
			sayAll(ctx, tracer)
			s.SetFeedback(map[string]any{"comment": said, "rating": 3})
			s.End()
			s.SetOutputs(said)
		},
		"a session": func(ctx context.Context, tracer *sessionspan.Tracer) {
			_, s := tracer.StartSession(ctx, "session", sessionspan.WithoutContent(), sessionspan.WithInputs(said), sessionspan.WithFeedback(map[string]any{"rating": 3}))
			sayAll(sessionspan.ContextWithSession(ctx, s), tracer)
			s.SetOutputs(said)
			s.End()
			s.SetInputs(said)
		},
		"a turn": func(ctx context.Context, tracer *sessionspan.Tracer) {
			ctx, turn := tracer.StartTurn(ctx, "conversation", "turn", sessionspan.WithoutContent(), sessionspan.WithInputs(said), sessionspan.WithFeedback(map[string]any{"rating": 3}))
			sayAll(ctx, tracer)
			sessionspan.SessionFromContext(ctx).SetOutputs(said)
			turn.SetOutputs(said)
			turn.End()
		},
		"an event": func(ctx context.Context, tracer *sessionspan.Tracer) {
			ctx, s := tracer.StartSession(ctx, "session", sessionspan.WithFeedback(map[string]any{"rating": 3}))
			e := sayAll(ctx, tracer, sessionspan.WithoutContent())
			sayAll(sessionspan.ContextWithEvent(ctx, e), tracer)
			s.End()
		},
		"a call": func(ctx context.Context, tracer *sessionspan.Tracer) {
			ctx, s := tracer.StartSession(ctx, "session", sessionspan.WithFeedback(map[string]any{"rating": 3}))
			sayAll(sessionspan.ContextWithoutContent(ctx), tracer)
			s.End()
			if err := tracer.Update(sessionspan.ContextWithoutContent(ctx), s.ID(), sessionspan.WithOutputs(said), sessionspan.WithMetrics(map[string]any{"rating": 3})); err != nil {
				t.Error(err)
			}
		},
		"a session that is continued": func(ctx context.Context, tracer *sessionspan.Tracer) {
			ctx, s := tracer.ContinueSession(sessionspan.ContextWithoutContent(ctx), "elsewhere")
			s.SetFeedback(map[string]any{"rating": 3, "comment": said})
			sayAll(ctx, tracer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, users := range []bool{false, true} {
				var out bytes.Buffer
				mine, theirs := tracetest.NewInMemoryExporter(), tracetest.NewInMemoryExporter()
				options := []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(&out), sessionspan.WithSpanExporter(mine)}
				if users {
					options = append(options, sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(theirs))))
				}
				tracer := newTracer(t, options...)
				ctx := sessionspan.ContextWithTracer(t.Context(), tracer)
				use(ctx, tracer)
				if !sessionspan.ContentOnSpans(ctx) || sessionspan.ContentOnSpans(sessionspan.ContextWithoutContent(ctx)) {
					t.Error("content may be on spans, or may not without that")
				}
				flush(t, tracer)
				spans := mine.GetSpans()
				if strings.Contains(out.String(), said) {
					t.Errorf("content got through: %s", &out)
				}
				for _, s := range append(spans, ownOf(theirs)...) {
					if text := textOfSpan(s); strings.Contains(text, said) {
						t.Errorf("content got through on %s: %s", s.Name, text)
					}
				}
				for _, want := range []string{`"prompt_tokens":11`, `"prompt_tokens":13`, `"rating":3`} {
					if !strings.Contains(out.String(), want) {
						t.Errorf("%s is missing: %s", want, &out)
					}
				}
				// What is not in that context has its content.
				_, s := tracer.StartSession(t.Context(), "beside", sessionspan.WithInputs(said))
				s.End()
				flush(t, tracer)
				if !strings.Contains(out.String(), said) {
					t.Error("the content of another session is missing")
				}
			}
		})
	}
}

// ownOf returns the spans that the library itself made.
func ownOf(e *tracetest.InMemoryExporter) (own tracetest.SpanStubs) {
	for _, s := range e.GetSpans() {
		if s.InstrumentationScope.Name != "other" {
			own = append(own, s)
		}
	}
	return own
}

// textOfSpan returns all that a span says.
func textOfSpan(s tracetest.SpanStub) string {
	text := s.Name + " " + s.Status.Description
	add := func(list []attribute.KeyValue) {
		for _, kv := range list {
			text += " " + string(kv.Key) + "=" + kv.Value.String()
		}
	}
	add(s.Attributes)
	for _, e := range s.Events {
		text += " " + e.Name
		add(e.Attributes)
	}
	return text
}

// TestWithoutContentOfAFullSpan marks a span of another tracer that has no room for the
// mark.
func TestWithoutContentOfAFullSpan(t *testing.T) {
	mine := tracetest.NewInMemoryExporter()
	limits := sdktrace.NewSpanLimits()
	limits.AttributeCountLimit = 1
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(mine), sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithRawSpanLimits(limits))))
	_, s := tracer.TracerProvider().Tracer("other").Start(sessionspan.ContextWithoutContent(t.Context()), "full", trace.WithAttributes(attribute.String("gen_ai.prompt", said)))
	s.End()
	flush(t, tracer)
	if text := textOfSpan(mine.GetSpans()[0]); strings.Contains(text, said) {
		t.Error(text)
	}
}

// TestCaptureMessageContent has the variable decide what which destinations get.
func TestCaptureMessageContent(t *testing.T) {
	for word, want := range map[string]struct{ payloads, spans, open bool }{
		"":               {true, true, true},
		"true":           {true, true, true},
		"SPAN_ONLY":      {true, true, true},
		"span_and_event": {true, true, true},
		"EVENT_ONLY":     {true, false, true},
		"NO_CONTENT":     {false, false, true},
		"False":          {false, false, true},
	} {
		t.Run(word, func(t *testing.T) {
			t.Setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", word)
			t.Setenv("HH_PROJECT", "p")
			var out, open bytes.Buffer
			col := newRecorder(t)
			spans := tracetest.NewInMemoryExporter()
			tracer := newTracer(t, sessionspan.WithWriter(&out), sessionspan.WithWriter(&open, exporter.WithContent()), sessionspan.WithSpanExporter(spans),
				sessionspan.WithOTLP(exporter.OTLPConfig{URL: col.URL}))
			_, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(said))
			s.End()
			flush(t, tracer)
			for name, c := range map[string]struct {
				text string
				want bool
			}{"payloads": {out.String(), want.payloads}, "spans": {textOfSpan(spans.GetSpans()[0]), want.spans}, "with the option": {open.String(), want.open}} {
				if got := strings.Contains(c.text, said); got != c.want {
					t.Errorf("%s: content is %v, want %v: %s", name, got, c.want, c.text)
				}
			}
		})
	}
}

// TestContentOffSpansByTheGate lets on spans what is no content, and the destinations have all.
func TestContentOffSpansByTheGate(t *testing.T) {
	var out bytes.Buffer
	theirs := tracetest.NewInMemoryExporter()
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(&out), sessionspan.WithContentOffSpans(),
		sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(theirs))))
	ctx, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(said))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e", sessionspan.WithModel("openai", "m"), sessionspan.WithConfig(map[string]any{"template": said}))
	e.SetAttributes(attribute.String("ai.prompt", said), attribute.String("gen_ai.response.id", "r"))
	e.SetUsage(sessionspan.Usage{InputTokens: 11})
	e.End()
	s.End()
	flush(t, tracer)
	var text string
	for _, s := range theirs.GetSpans() {
		text += textOfSpan(s)
	}
	if strings.Contains(text, said) {
		t.Error(text)
	}
	for _, want := range []string{"gen_ai.request.model=m", "gen_ai.usage.input_tokens=11", "gen_ai.response.id=r"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing: %s", want, text)
		}
	}
	if strings.Count(out.String(), said) < 3 {
		t.Errorf("the destination lacks content: %s", &out)
	}
}
