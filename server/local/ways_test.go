package local

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// plainSteps is a session with spans of the plain OpenTelemetry API that speak no
// dialect: leaves, spans with children, and those that are left out.
func plainSteps(ctx context.Context, provider trace.TracerProvider) {
	ctx, session := sessionspan.StartSession(ctx, "answer", sessionspan.WithSessionID(sessionID))
	other := provider.Tracer("app")
	step := func(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
		ctx, span := other.Start(ctx, name)
		span.SetAttributes(attributes...)
		return ctx, span
	}
	parentCtx, parent := step(ctx, "parent", attribute.Int("x", 1))
	_, leaf := step(parentCtx, "leaf", attribute.Int("x", 2))
	leaf.End()
	outCtx, out := step(parentCtx, "left out", attribute.Int("x", 3))
	_, below := step(outCtx, "below", attribute.String("gen_ai.main_agent.name", "its own"))
	below.End()
	out.End()
	parent.End()
	_, event := sessionspan.StartEvent(ctx, sessionspan.Tool, "event", sessionspan.WithMetadata(map[string]any{"k": 1}))
	event.End()
	session.End()
}

// TestSameRecordOfPlainSpans stores spans that the user's filter keeps, and what a
// resource says of the agent, whichever way they come.
func TestSameRecordOfPlainSpans(t *testing.T) {
	agent := resource.NewSchemaless(attribute.String("service.name", "app"),
		attribute.String("gen_ai.main_agent.name", "desk"), attribute.String("gen_ai.main_agent.id", "a1"))
	filter := func(name string, _ []attribute.KeyValue) bool { return name != "left out" }
	for name, c := range map[string]struct {
		options []sessionspan.Option
		records int
	}{
		"own provider":         {nil, 6},
		"own, agent":           {[]sessionspan.Option{sessionspan.WithResource(agent)}, 6},
		"own, filter":          {[]sessionspan.Option{sessionspan.WithSpanFilter(filter)}, 5},
		"own, agent, filter":   {[]sessionspan.Option{sessionspan.WithResource(agent), sessionspan.WithSpanFilter(filter)}, 5},
		"another, agent":       {[]sessionspan.Option{sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithResource(agent)))}, 6},
		"another, filter":      {[]sessionspan.Option{sessionspan.WithTracerProvider(sdktrace.NewTracerProvider()), sessionspan.WithSpanFilter(filter)}, 5},
		"another, all of them": {[]sessionspan.Option{sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithResource(agent))), sessionspan.WithSpanFilter(filter)}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			byHTTP, byOTLP := start(t), start(t)
			tracer, err := sessionspan.New(append(c.options, sessionspan.WithProject("p"), sessionspan.WithSource("s"), sessionspan.WithoutEnvironment(),
				sessionspan.WithHTTP(exporter.HTTPConfig{URL: byHTTP.URL()}), sessionspan.WithOTLP(exporter.OTLPConfig{URL: byOTLP.URL() + "/v1/traces"}))...)
			if err != nil {
				t.Fatal(err)
			}
			plainSteps(sessionspan.ContextWithTracer(t.Context(), tracer), tracer.TracerProvider())
			if err := tracer.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := content(t, byHTTP)
			if len(want) != c.records {
				t.Errorf("%d records by HTTP, want %d: %v", len(want), c.records, want)
			}
			if diff := cmp.Diff(want, content(t, byOTLP)); diff != "" {
				t.Errorf("(- HTTP, + OTLP): %s", diff)
			}
		})
	}
}
