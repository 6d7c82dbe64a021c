//go:build !race

package sessionspan_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
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

// allocationsOf returns how many allocations a call of f costs, with all that becomes
// of it until flush returns.
func allocationsOf(flush func(context.Context) error, f func()) float64 {
	const calls = 200
	return testing.AllocsPerRun(10, func() {
		for range calls {
			f()
		}
		_ = flush(context.Background())
	}) / calls
}

// ofFlushes is what flushes, requests and lists that grow may cost an event.
const ofFlushes = 0.9

// emptySpan returns what an empty span of the SDK costs in front of its batch
// processor.
func emptySpan(t *testing.T) float64 {
	t.Helper()
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	plain := provider.Tracer("x")
	ctx, _ := plain.Start(t.Context(), "root")
	return math.Round(allocationsOf(provider.ForceFlush, func() {
		_, span := plain.Start(ctx, "x")
		span.End()
	}))
}

// answering answers every request with an empty object.
type answering struct{}

func (answering) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// TestAllocationsOfEvents holds what an event costs against a span of the SDK with
// its batch processor. The worker of the destination is counted too, with what it
// makes of the event in the end: a span of the SDK for a foreign exporter, or a body,
// which after a pause is made anew.
func TestAllocationsOfEvents(t *testing.T) {
	base := emptySpan(t)
	inputs := map[string]any{"chat_history": []any{map[string]any{"role": "user", "content": "hello"}}}
	rawInputs := json.RawMessage(`{"chat_history":[{"role":"user","content":"hello"}]}`)
	const made = 1
	for to, option := range map[string]sessionspan.Option{
		"a foreign exporter": sessionspan.WithSpanExporter(discard{}),
		"OTLP":               sessionspan.WithOTLP(exporter.OTLPConfig{URL: "http://localhost:1", Transport: answering{}}),
		"HTTP":               sessionspan.WithHTTP(exporter.HTTPConfig{URL: "http://localhost:1", Transport: answering{}}),
	} {
		tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), option)
		for _, tc := range []struct {
			name string
			more float64 // allocations besides those of the SDK
			set  func(*sessionspan.Event)
		}{
			{"empty", 4, func(*sessionspan.Event) {}},
			{"raw JSON", 7, func(e *sessionspan.Event) { e.SetInputs(rawInputs) }},
			{"map", 6, func(e *sessionspan.Event) { e.SetInputs(inputs) }},
			{"model and usage", 7, func(e *sessionspan.Event) {
				e.SetModel("openai", "gpt-4o")
				e.SetUsage(sessionspan.Usage{InputTokens: 3, OutputTokens: 4})
			}},
			{"messages", 10, func(e *sessionspan.Event) {
				e.SetMessages(sessionspan.Message{Role: "user", Content: "hello"})
				e.SetReply(sessionspan.Message{Role: "assistant", Content: "hello"})
			}},
		} {
			ctx, s := tracer.StartSession(t.Context(), "s")
			n := allocationsOf(tracer.ForceFlush, func() {
				_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
				tc.set(e)
				e.End()
			})
			s.End()
			if most := base + tc.more + made; n > most+ofFlushes {
				t.Errorf("to %s, %s: %v allocations, want %v; an empty span of the SDK has %v", to, tc.name, n, most, base)
			}
		}
	}
}

// TestAllocationsOnAnotherProvider holds an empty event on a provider of the user,
// whose span has attributes, and goes to a foreign exporter, against a span of the
// SDK.
func TestAllocationsOnAnotherProvider(t *testing.T) {
	base := emptySpan(t)
	provider := sdktrace.NewTracerProvider()
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithTracerProvider(provider), sessionspan.WithSpanExporter(discard{}))
	ctx, s := tracer.StartSession(t.Context(), "s")
	defer s.End()
	n := allocationsOf(tracer.ForceFlush, func() {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
		e.End()
	})
	if most := base + 6; n > most+ofFlushes {
		t.Errorf("%v allocations, want %v; a span of the SDK has %v", n, most, base)
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
