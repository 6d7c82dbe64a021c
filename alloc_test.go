//go:build !race

package sessionspan_test

import (
	"context"
	"encoding/json"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sessionspan/sessionspan"
)

// nowhere returns a tracer without a destination.
func nowhere(t testing.TB) *sessionspan.Tracer {
	t.Helper()
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil))
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// marshaler tells whether it was encoded.
type marshaler struct{ called *bool }

func (m marshaler) MarshalJSON() ([]byte, error) { *m.called = true; return []byte("{}"), nil }

// TestNothingConfigured holds the cost of a program without a destination
// against that of the no-op tracer of OpenTelemetry: two allocations more for a
// session or an event, and nothing encoded.
func TestNothingConfigured(t *testing.T) {
	tracer, plain := nowhere(t), noop.NewTracerProvider().Tracer("x")
	ctx := context.Background()
	base := testing.AllocsPerRun(1000, func() {
		_, span := plain.Start(ctx, "x")
		span.End()
	})
	encoded := false
	content := map[string]any{"m": marshaler{&encoded}}
	sctx, _ := tracer.StartSession(ctx, "s")
	for name, f := range map[string]func(){
		"session": func() {
			_, s := tracer.StartSession(ctx, "s", sessionspan.WithInputs(content), sessionspan.WithSource("x"))
			s.SetOutputs(content)
			s.End(sessionspan.WithMetadata(content))
		},
		"event": func() {
			_, e := sessionspan.StartEvent(sctx, sessionspan.Model, "e", sessionspan.WithInputs(content), sessionspan.WithModel("p", "m"),
				sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: "x"}))
			e.SetOutputs(content)
			e.SetUsage(sessionspan.Usage{InputTokens: 1})
			e.SetDocuments(sessionspan.Document{ID: "x"})
			e.End()
		},
		"event outside a session": func() {
			_, e := tracer.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(content))
			e.End()
		},
	} {
		if n := testing.AllocsPerRun(1000, f); n > base+2 {
			t.Errorf("%s: %v allocations, the no-op tracer has %v", name, n, base)
		}
	}
	if encoded {
		t.Error("a value was encoded")
	}
}

// discard is an exporter that is done at once.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

// TestAllocationsOfEvents holds what an event costs against a span of the SDK with
// its batch processor. The worker of the destination is counted too.
func TestAllocationsOfEvents(t *testing.T) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	plain := provider.Tracer("x")
	ctx, _ := plain.Start(t.Context(), "root")
	base := testing.AllocsPerRun(1000, func() {
		_, span := plain.Start(ctx, "x")
		span.End()
	})
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(discard{}))
	ctx, s := tracer.StartSession(t.Context(), "s")
	defer s.End()
	inputs := map[string]any{"chat_history": []any{map[string]any{"role": "user", "content": "hello"}}}
	rawInputs := json.RawMessage(`{"chat_history":[{"role":"user","content":"hello"}]}`)
	for _, tc := range []struct {
		name string
		more float64 // allocations besides those of the SDK
		set  func(*sessionspan.Event)
	}{
		{"empty", 6, func(*sessionspan.Event) {}},
		{"raw JSON", 11, func(e *sessionspan.Event) { e.SetInputs(rawInputs) }},
		{"map", 11, func(e *sessionspan.Event) { e.SetInputs(inputs) }},
		{"model and usage", 12, func(e *sessionspan.Event) {
			e.SetModel("openai", "gpt-4o")
			e.SetUsage(sessionspan.Usage{InputTokens: 3, OutputTokens: 4})
		}},
		{"messages", 15, func(e *sessionspan.Event) {
			e.SetMessages(sessionspan.Message{Role: "user", Content: "hello"})
			e.SetReply(sessionspan.Message{Role: "assistant", Content: "hello"})
		}},
	} {
		n := testing.AllocsPerRun(2000, func() {
			_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
			tc.set(e)
			e.End()
		})
		if n > base+tc.more {
			t.Errorf("%s: %v allocations, an empty span of the SDK has %v", tc.name, n, base)
		}
	}
}

// TestAllocationsOnAnotherProvider holds an empty event on a provider of the user,
// whose span has attributes, against a span of the SDK.
func TestAllocationsOnAnotherProvider(t *testing.T) {
	plain := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))
	defer func() { _ = plain.Shutdown(context.Background()) }()
	other := plain.Tracer("x")
	base := testing.AllocsPerRun(2000, func() {
		_, span := other.Start(t.Context(), "x")
		span.End()
	})
	provider := sdktrace.NewTracerProvider()
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithTracerProvider(provider), sessionspan.WithSpanExporter(discard{}))
	ctx, s := tracer.StartSession(t.Context(), "s")
	defer s.End()
	n := testing.AllocsPerRun(2000, func() {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
		e.End()
	})
	if n > base+11 {
		t.Errorf("%v allocations, a span of the SDK has %v", n, base)
	}
}

// TestNotSampled holds the cost of an event that is not sampled against that of a
// span of the SDK: two allocations more, and nothing encoded.
func TestNotSampled(t *testing.T) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	plain := provider.Tracer("x")
	ctx, _ := plain.Start(t.Context(), "root")
	base := testing.AllocsPerRun(1000, func() {
		_, span := plain.Start(ctx, "x")
		span.End()
	})
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithTracerProvider(provider), sessionspan.WithSpanExporter(discard{}))
	ctx, _ = tracer.StartSession(t.Context(), "s")
	encoded := false
	content := map[string]any{"m": marshaler{&encoded}}
	n := testing.AllocsPerRun(1000, func() {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e", sessionspan.WithModel("p", "m"))
		e.SetInputs(content)
		e.SetUsage(sessionspan.Usage{InputTokens: 1})
		e.End()
	})
	if n > base+2 || encoded {
		t.Errorf("%v allocations, the SDK has %v; encoded: %v", n, base, encoded)
	}
}
