//go:build !race

package sessionspan_test

import (
	"context"
	"testing"

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
