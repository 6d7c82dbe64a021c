package sessionspan_test

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestConversationsInASession has agents of a session whose conversations have ids
// of their own: their spans stay in the session, whoever made it.
func TestConversationsInASession(t *testing.T) {
	p := sessiontest.New(t)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	chat := func(conversation string) trace.SpanStartOption {
		return trace.WithAttributes(attribute.String("gen_ai.operation.name", "invoke_agent"), attribute.String("gen_ai.conversation.id", conversation))
	}
	ctx, s := p.Tracer.StartSession(t.Context(), "ours")
	actx, a := plain.Start(ctx, "agent", chat("one"))
	_, b := plain.Start(actx, "sub-agent", chat("two"))
	b.End()
	a.End()
	s.End()

	ctx, root := plain.Start(t.Context(), "plain", chat("one"), trace.WithAttributes(attribute.String("honeyhive_event_type", "session")))
	actx, a = plain.Start(ctx, "agent", chat("one"))
	_, b = plain.Start(actx, "sub-agent", chat("two"))
	b.End()
	a.End()
	root.End()
	for _, name := range []string{"ours", "plain"} {
		p.Session(name).AssertTree("session " + name + "\n  chain agent\n    chain sub-agent")
	}
	if orphans := p.Orphans(); len(orphans) != 0 {
		t.Errorf("%d events are in other sessions", len(orphans))
	}
}

// TestKindsOfSpans holds the kinds of spans to the conventions: calls of models go
// over the network, searches are INTERNAL.
func TestKindsOfSpans(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	defer func() { _ = provider.Shutdown(t.Context()) }()
	for name, options := range map[string][]sessionspan.Option{
		"provider of the user": {sessionspan.WithTracerProvider(provider)},
		"own provider":         {sessionspan.WithSpanExporter(spans)},
	} {
		t.Run(name, func(t *testing.T) {
			p := sessiontest.New(t, options...)
			ctx, s := p.Tracer.StartSession(t.Context(), "s")
			want := map[string]trace.SpanKind{
				"model": trace.SpanKindClient, "embedding": trace.SpanKindClient, "retriever": trace.SpanKindInternal,
				"tool": trace.SpanKindInternal, "chain": trace.SpanKindInternal, "agent": trace.SpanKindInternal, "s": trace.SpanKindInternal,
			}
			for kind := range want {
				if kind != "s" {
					_, e := sessionspan.StartEvent(ctx, sessionspan.Kind(kind), kind)
					e.End()
				}
			}
			s.End()
			p.Flush()
			got := spans.GetSpans()
			if len(got) != len(want) {
				t.Fatalf("%d spans", len(got))
			}
			for _, span := range got {
				if span.SpanKind != want[span.Name] {
					t.Errorf("%s is %v, want %v", span.Name, span.SpanKind, want[span.Name])
				}
			}
			spans.Reset()
		})
	}
}
