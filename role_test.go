package sessionspan_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/convert"
)

// TestStepsOutsideOfASession names sessions on spans of another tracer: steps of the
// program are events where their trace speaks, or where they name the session in the
// terms of a dialect.
func TestStepsOutsideOfASession(t *testing.T) {
	var out strings.Builder
	provider := sdktrace.NewTracerProvider()
	tracer := newTracer(t, sessionspan.WithTracerProvider(provider), sessionspan.WithWriter(&out), sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"))
	app := provider.Tracer("app")
	named := trace.WithAttributes(attribute.String("session.id", "thread-8"))
	ctx, root := app.Start(context.Background(), "root")
	_, before := app.Start(ctx, "too early", named)
	before.End()
	chatCtx, chat := app.Start(ctx, "chat", named, genAISpan)
	_, below := app.Start(chatCtx, "below", named)
	below.End()
	_, request := app.Start(chatCtx, "GET", named, requestSpan)
	request.End()
	chat.End()
	_, after := app.Start(ctx, "after", named)
	after.End()
	root.End()
	_, silent := app.Start(context.Background(), "silent", named)
	silent.End()
	_, own := app.Start(context.Background(), "in its terms", trace.WithAttributes(attribute.String("langfuse.session.id", "thread-8")))
	own.End()
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"chat": "model", "below": "chain", "after": "chain", "in its terms": "chain", "GET": "", "silent": "", "root": "", "too early": ""} {
		if got := strings.Contains(out.String(), `"event_name":"`+name+`"`); got != (want != "") {
			t.Errorf("%s is an event: %v", name, got)
		}
		if want != "" && !strings.Contains(out.String(), `"event_name":"`+name+`","event_type":"`+want+`"`) {
			t.Errorf("%s is no %s: %s", name, want, out.String())
		}
	}
}

// TestStepsSaySo are events of a session, and plumbing is not: so collectors are told.
func TestStepsSaySo(t *testing.T) {
	exported := tracetest.NewInMemoryExporter()
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(exported))
	ctx, s := tracer.StartSession(t.Context(), "s")
	for scope, want := range map[string]string{"app": "chain", "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp": "", "express-shop": "chain"} {
		_, span := tracer.TracerProvider().Tracer(scope).Start(ctx, scope)
		span.SetAttributes(attribute.Int("x", 1))
		span.End()
		flush(t, tracer)
		spans := exported.GetSpans()
		got := ""
		for _, kv := range spans[len(spans)-1].Attributes {
			if kv.Key == "honeyhive_event_type" {
				got = kv.Value.AsString()
			}
		}
		if got != want {
			t.Errorf("%s: type %q, want %q", scope, got, want)
		}
	}
	s.End()
}

// TestLeftOutSaysSo leaves spans out by a filter that a server would keep.
func TestLeftOutSaysSo(t *testing.T) {
	exported := tracetest.NewInMemoryExporter()
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(exported),
		sessionspan.WithSpanFilter(func(string, []attribute.KeyValue) bool { return false }))
	ctx, s := tracer.StartSession(t.Context(), "s")
	other := tracer.TracerProvider().Tracer("app")
	_, step := other.Start(ctx, "step")
	step.End()
	_, call := other.Start(ctx, "call", genAISpan)
	call.End()
	_, request := other.Start(ctx, "request", requestSpan)
	request.End()
	s.End()
	flush(t, tracer)
	for _, span := range exported.GetSpans() {
		if span.Name == "s" {
			continue
		}
		n := convert.Span{Kind: convert.Kind(span.SpanKind), Scope: "app", Attributes: span.Attributes}
		if convert.RoleOf(&n) != convert.Plumbing {
			t.Errorf("%s: %v", span.Name, span.Attributes)
		}
	}
}
