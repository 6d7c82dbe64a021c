package sessionspan_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/convert"
)

// TestFilterUsesTheSession has a filter, a redactor and an error handler that use the
// session whose spans they are asked about.
func TestFilterUsesTheSession(t *testing.T) {
	var session atomic.Pointer[sessionspan.Session]
	var event atomic.Pointer[sessionspan.Event]
	use := func() {
		if s := session.Load(); s != nil {
			s.SetSource("of the function")
			s.SetMetadata(map[string]any{"k": 1})
			s.AddChildren("0e2f0d1c-5a55-4a0b-9f6b-7d4d35b5a1aa")
		}
		if e := event.Load(); e != nil {
			e.SetName("of the function")
			e.End()
		}
	}
	var out strings.Builder
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithWriter(&out),
		sessionspan.WithErrorHandler(func(error) { use() }),
		sessionspan.WithRedactor(func(_, text string) string {
			_ = session.Load().ID() + event.Load().ID() // to set something would cause another update to redact
			return text
		}),
		sessionspan.WithSpanFilter(func(name string, _ []attribute.KeyValue) bool { use(); return name == "kept" }))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		ctx, s := tracer.StartSession(t.Context(), "s")
		session.Store(s)
		other := tracer.TracerProvider().Tracer("other")
		fctx, running := other.Start(ctx, "left out")
		_, kept := other.Start(fctx, "kept")
		ectx, e := sessionspan.StartEvent(fctx, sessionspan.Tool, "e")
		event.Store(e)
		_, below := other.Start(ectx, "left out too")
		s.AddChildren("no id") // which is reported
		below.End()
		e.End()
		kept.End()
		_, last := other.Start(ctx, "undecided")
		s.End()
		last.End()
		running.End()
		session.Store(nil) // each update would cause another
		done <- tracer.Shutdown(t.Context())
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("a function of the user waits for a lock that is held while it is called")
	}
	if !strings.Contains(out.String(), `"event_name":"kept"`) {
		t.Errorf("%s", out.String())
	}
}

// TestFilteredSpansSaySo keeps a span that speaks no dialect by the filter: what a
// collector is sent of it says that it is an event, as the payload does.
func TestFilteredSpansSaySo(t *testing.T) {
	exported := tracetest.NewInMemoryExporter()
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(exported),
		sessionspan.WithSpanFilter(func(name string, _ []attribute.KeyValue) bool { return name != "left out" }))
	ctx, s := tracer.StartSession(t.Context(), "s")
	other := tracer.TracerProvider().Tracer("other")
	for _, name := range []string{"kept", "left out"} {
		_, span := other.Start(ctx, name)
		span.SetAttributes(attribute.Int("x", 1))
		span.End()
	}
	s.End()
	flush(t, tracer)
	for _, span := range exported.GetSpans() {
		want := span.Name != "left out"
		if convert.Speaks(span.Attributes) != want {
			t.Errorf("%s: %v", span.Name, span.Attributes)
		}
		if span.Name == "kept" && !slices.Contains(span.Attributes, attribute.String("honeyhive_event_type", "chain")) {
			t.Errorf("%v", span.Attributes)
		}
	}
}
