package sessionspan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// meddler is a processor that uses the event whose span starts.
type meddler struct {
	tracer  trace.Tracer
	started atomic.Int32
	ended   atomic.Int32
	child   trace.SpanContext
}

func (m *meddler) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	m.started.Add(1)
	e := sessionspan.EventFromContext(ctx)
	if e == nil || s.Name() == "of the processor" {
		return
	}
	e.SetMetadata(map[string]any{"meddled": true})
	e.SetName("renamed")
	e.Span().SetAttributes(attribute.Bool("meddled", e.Span().IsRecording()))
	_, span := m.tracer.Start(ctx, "of the processor")
	m.child = span.SpanContext()
	span.End()
}

func (m *meddler) OnEnd(sdktrace.ReadOnlySpan)      { m.ended.Add(1) }
func (m *meddler) Shutdown(context.Context) error   { return nil }
func (m *meddler) ForceFlush(context.Context) error { return nil }

// TestProcessorUsesEvent has a processor that uses the event whose span it sees start,
// while other goroutines use it as well.
func TestProcessorUsesEvent(t *testing.T) {
	exported := tracetest.NewInMemoryExporter()
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(exported))
	provider := tracer.TracerProvider().(*sdktrace.TracerProvider)
	m := &meddler{tracer: provider.Tracer("m")}
	provider.RegisterSpanProcessor(m)
	ctx, s := tracer.StartSession(t.Context(), "s")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				e.SetName("at the same time")
				e.Span().SetAttributes(attribute.Int("n", 1))
			})
		}
		wg.Wait()
		e.SetName("last")
		e.End()
		s.End()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the event and the processor wait for each other")
	}
	flush(t, tracer)
	if m.child.SpanID() == e.Span().SpanContext().SpanID() {
		t.Error("two spans have one id")
	}
	if m.started.Load() != 3 || m.ended.Load() != 3 {
		t.Errorf("the processor saw %d spans start and %d end", m.started.Load(), m.ended.Load())
	}
	for _, span := range exported.GetSpans() {
		set := attribute.NewSet(span.Attributes...)
		if v, _ := set.Value("meddled"); span.SpanContext.SpanID() == e.Span().SpanContext().SpanID() &&
			(span.Name != "last" || !v.AsBool() || !slices.Contains(span.Attributes, attribute.String("honeyhive_metadata", `{"meddled":true}`))) {
			t.Errorf("got %+v", span)
		}
	}
}

// TestForeignChildren starts spans of another tracer under a session by way of the
// provider of a span: they join it.
func TestForeignChildren(t *testing.T) {
	api := newAPI(t)
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithHTTP(exporter.HTTPConfig{URL: api.URL}))
	ctx, s := tracer.StartSession(t.Context(), "s")
	ectx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "parent")
	other := trace.SpanFromContext(ectx).TracerProvider().Tracer("other")
	model := trace.WithAttributes(attribute.String("gen_ai.request.model", "gpt"))
	fctx, inside := other.Start(ectx, "inside", model)
	byHand := trace.ContextWithSpanContext(context.Background(), e.Span().SpanContext())
	_, lost := other.Start(byHand, "by hand", model)
	_, below := sessionspan.StartEvent(fctx, sessionspan.Tool, "below")
	_, later := sessionspan.StartEvent(ectx, sessionspan.Tool, "later")
	for _, end := range []func(){func() { later.End() }, func() { below.End() }, func() { lost.End() }, func() { inside.End() }, func() { e.End() }, func() { s.End() }} {
		end()
	}
	flush(t, tracer)
	ids, parents, children := map[string]string{}, map[string]string{}, map[string][]string{}
	for _, event := range api.events(t) {
		name := event.EventName.Or("")
		ids[name], parents[name], children[name] = event.EventID.Or(""), event.ParentID.Or(""), event.ChildrenIDs.Or(nil)
		if event.SessionID.Or("") != s.ID() {
			t.Errorf("%s is in session %s", name, event.SessionID.Or(""))
		}
	}
	for child, parent := range map[string]string{"parent": s.ID(), "inside": ids["parent"], "by hand": ids["parent"], "later": ids["parent"], "below": ids["inside"]} {
		if ids[child] == "" || parents[child] != parent {
			t.Errorf("%s hangs on %s, want %s", child, parents[child], parent)
		}
	}
	if want := []string{ids["inside"], ids["by hand"], ids["later"]}; !slices.Equal(children["parent"], want) {
		t.Errorf("children %v, want %v", children["parent"], want)
	}
}

// TestOwnSpansAreSampled has a part of all sessions sampled, on a provider that New
// made and on one of the user's: they decide alike.
func TestOwnSpansAreSampled(t *testing.T) {
	for _, sampler := range []string{"traceidratio", "parentbased_traceidratio"} {
		t.Run(sampler, func(t *testing.T) { sampleOwnSpans(t, sampler) })
	}
}

func sampleOwnSpans(t *testing.T, sampler string) {
	t.Setenv("OTEL_TRACES_SAMPLER", sampler)
	t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0.3")
	above := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true}) // not sampled
	base := sdktrace.TraceIDRatioBased(0.3)
	if sampler != "traceidratio" {
		base = sdktrace.ParentBased(base)
	}
	newOne := func(more ...sessionspan.Option) *sessionspan.Tracer {
		return newTracer(t, append(more, sessionspan.WithSpanExporter(tracetest.NewInMemoryExporter()))...)
	}
	own := newOne()
	users := newOne(sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sessionspan.SessionSampler(base)))))
	const sessions = 300
	taken := 0
	for i := range sessions {
		var recording [2][3]bool
		for j, tracer := range []*sessionspan.Tracer{own, users} {
			ctx := t.Context()
			if i%2 == 0 {
				ctx = trace.ContextWithSpanContext(ctx, above)
			}
			ctx, s := tracer.StartSession(ctx, "s", sessionspan.WithSessionID(fmt.Sprint("session ", i)))
			if s.Span().SpanContext().IsSampled() != s.Span().IsRecording() {
				t.Error("the flag says something else")
			}
			ctx, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
			_, span := e.Span().TracerProvider().Tracer("other").Start(ctx, "foreign")
			recording[j] = [3]bool{s.Span().IsRecording(), e.Span().IsRecording(), span.IsRecording()}
			span.End()
			e.End()
			s.End()
		}
		if all := recording[0]; recording[0] != recording[1] || all[0] != all[1] || all[0] != all[2] {
			t.Errorf("session %d: %v", i, recording)
		}
		if recording[0][0] {
			taken++
		}
	}
	if taken < sessions/6 || taken > sessions/2 {
		t.Errorf("%d of %d sessions are sampled", taken, sessions)
	}
}

// TestSpansAfterShutdown uses spans that outlive their tracer.
func TestSpansAfterShutdown(t *testing.T) {
	var outcomes [2]string
	for i := range outcomes {
		options := []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(tracetest.NewInMemoryExporter())}
		if i == 1 {
			options = append(options, sessionspan.WithTracerProvider(sdktrace.NewTracerProvider()))
		}
		tracer := newTracer(t, options...)
		ctx, s := tracer.StartSession(t.Context(), "s")
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
		_, untouched := sessionspan.StartEvent(ctx, sessionspan.Tool, "untouched")
		if err := tracer.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.Span().SetAttributes(attribute.Int("n", 1))
		recording := []bool{e.Span().IsRecording(), untouched.Span().IsRecording(), s.Span().IsRecording()}
		for _, span := range []trace.Span{e.Span(), untouched.Span(), s.Span()} {
			span.AddEvent("x")
			span.End()
			recording = append(recording, span.IsRecording())
		}
		e.End()
		s.End()
		_, later := sessionspan.StartEvent(ctx, sessionspan.Tool, "later")
		recording = append(recording, later.Span().IsRecording())
		stats := tracer.Stats()[0]
		outcomes[i] = fmt.Sprint(recording, stats.Created, stats.Delivered, stats.Waiting, stats.Dropped)
	}
	if outcomes[0] != outcomes[1] {
		t.Errorf("got %s, and %s on the user's provider", outcomes[0], outcomes[1])
	}
}

// TestManyHands uses one event from many goroutines while it ends and somebody
// gets hold of the provider: it is delivered once, whole.
func TestManyHands(t *testing.T) {
	for range 100 {
		exported := tracetest.NewInMemoryExporter()
		lines, err := exporter.NewLines(io.Discard) // to which the session is announced
		if err != nil {
			t.Fatal(err)
		}
		tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil),
			sessionspan.WithSpanExporter(exported), sessionspan.WithDestination(lines))
		ctx, s := tracer.StartSession(t.Context(), "s")
		ectx, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e", sessionspan.WithInputs(map[string]any{"first": true}))
		recorder := tracetest.NewSpanRecorder()
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i, f := range []func(){
			func() { e.SetInputs(map[string]any{"a": strings.Repeat("x", 300)}) },
			func() { e.Span().SetAttributes(attribute.Int("n", 1)) },
			func() { e.Span().AddEvent("x") },
			func() { e.SetName("y") },
			func() { e.Span().SetName("z") },
			func() { e.Span().SetStatus(codes.Error, "no") },
			func() { e.RecordError(errors.New("no")) },
			func() { tracer.TracerProvider().(*sdktrace.TracerProvider).RegisterSpanProcessor(recorder) },
			func() {
				r := s.Span().(sdktrace.ReadOnlySpan)
				_ = fmt.Sprint(r.Name(), r.EndTime(), r.Status(), r.Attributes(), r.ChildSpanCount(), e.Span().IsRecording())
			},
			func() {
				_, span := e.Span().TracerProvider().Tracer("x").Start(ectx, "foreign")
				span.End()
			},
			func() { _, child := sessionspan.StartEvent(ectx, sessionspan.Tool, "child"); child.End() },
			func() { e.End() },
			func() { e.Span().End() },
			func() { _ = tracer.ForceFlush(context.Background()) },
			func() { s.SetName("renamed") },
			func() { s.Span().SetAttributes(attribute.Int("n", 2)) },
		} {
			wg.Go(func() {
				<-start
				for range i % 3 {
					runtime.Gosched()
				}
				f()
			})
		}
		close(start)
		wg.Wait()
		s.End()
		flush(t, tracer)
		times := 0
		for _, span := range exported.GetSpans() {
			if span.SpanContext.SpanID() != e.Span().SpanContext().SpanID() {
				continue
			}
			times++
			if text := fmt.Sprint(span.Attributes); !strings.Contains(text, "first") || !strings.Contains(text, s.ID()) || span.EndTime.IsZero() {
				t.Errorf("got %+v", span)
			}
		}
		if times != 1 {
			t.Errorf("the event was delivered %d times", times)
		}
	}
}
