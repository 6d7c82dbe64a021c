package sessionspan_test

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// twoTracers runs a test with tracers a and b, on one provider, registered in
// either order, and on two. plainA and plainB are plain tracers of their
// providers.
func twoTracers(t *testing.T, test func(t *testing.T, a, b *sessiontest.Pipeline, plainA, plainB trace.Tracer)) {
	project := func(name string, provider *sdktrace.TracerProvider) []sessionspan.Option {
		return []sessionspan.Option{sessionspan.WithProject(name), sessionspan.WithSource(name), sessionspan.WithTracerProvider(provider)}
	}
	one, two := sdktrace.NewTracerProvider(), sdktrace.NewTracerProvider()
	t.Run("one provider", func(t *testing.T) {
		a := sessiontest.New(t, project("a", one)...)
		b := sessiontest.New(t, project("b", one)...)
		test(t, a, b, one.Tracer("plain"), one.Tracer("plain"))
	})
	t.Run("one provider, other order", func(t *testing.T) {
		b := sessiontest.New(t, project("b", one)...)
		a := sessiontest.New(t, project("a", one)...)
		test(t, a, b, one.Tracer("plain"), one.Tracer("plain"))
	})
	t.Run("two providers", func(t *testing.T) {
		a := sessiontest.New(t, project("a", one)...)
		b := sessiontest.New(t, project("b", two)...)
		test(t, a, b, one.Tracer("plain"), two.Tracer("plain"))
	})
}

// holds checks that a pipeline delivered these sessions and nothing else, all
// under one project.
func holds(t *testing.T, p *sessiontest.Pipeline, project string, trees ...string) {
	t.Helper()
	sessions := p.Sessions()
	if len(sessions) != len(trees) || len(p.Orphans()) != 0 {
		t.Errorf("%s has %d sessions, want %d, and %d orphans", project, len(sessions), len(trees), len(p.Orphans()))
		return
	}
	for i, s := range sessions {
		if s.Project.Or("") != project || s.Source.Or("") != project {
			t.Errorf("session of project %q, source %q, want %q", s.Project.Or(""), s.Source.Or(""), project)
		}
		for _, e := range s.Events {
			if e.Project.Or("") != project {
				t.Errorf("event of project %q, want %q", e.Project.Or(""), project)
			}
		}
		s.AssertTree(trees[i])
		checkTree(t, s)
	}
}

// TestTwoTracers runs sessions of two tracers inside one another: each delivers
// its own.
func TestTwoTracers(t *testing.T) {
	twoTracers(t, func(t *testing.T, a, b *sessiontest.Pipeline, plainA, plainB trace.Tracer) {
		ctx, s := a.Tracer.StartSession(t.Context(), "s")
		ectx, e := a.Tracer.StartEvent(ctx, sessionspan.Chain, "by a")
		fctx, f := b.Tracer.StartEvent(ectx, sessionspan.Tool, "by b, in the session of a")
		_, g := sessionspan.StartEvent(fctx, sessionspan.Tool, "by the context")
		_, h := plainA.Start(fctx, "plain", genAISpan)
		h.End()
		g.End()
		f.End()
		ictx, inner := b.Tracer.StartSession(ectx, "inner")
		_, i := a.Tracer.StartEvent(ictx, sessionspan.Tool, "by a, in the session of b")
		_, j := plainB.Start(ictx, "plain", genAISpan)
		j.End()
		i.End()
		inner.End()
		e.End()
		s.End()
		holds(t, a, "a", `
			session s
			  chain by a
			    tool by b, in the session of a
			      tool by the context
			      model plain
		`)
		holds(t, b, "b", `
			session inner
			  tool by a, in the session of b
			  model plain
		`)
	})
}

// TestPlainSpanOfAnotherProvider starts plain spans of another provider in a
// session: its tracer never sees them, so it does not list them, and nobody
// makes a session of them.
func TestPlainSpanOfAnotherProvider(t *testing.T) {
	a := sessiontest.New(t)
	b := sessiontest.New(t)
	plainB := b.Tracer.TracerProvider().Tracer("plain")
	ctx, s := a.Tracer.StartSession(t.Context(), "s", sessionspan.WithSource("a"), sessionspan.WithProject("a"))
	bctx, between := plainB.Start(ctx, "of the other provider", genAISpan)
	_, e := sessionspan.StartEvent(bctx, sessionspan.Tool, "e")
	e.End()
	between.End()
	s.End()
	holds(t, a, "a", "session s\n  tool e\n")
	holds(t, b, "b")
	if ids := a.Session("s").ChildrenIDs.Or(nil); !slices.Equal(ids, []string{e.ID()}) {
		t.Errorf("children_ids %v", ids)
	}
}

// TestPlainSessionOfTwoTracers makes a session by the plain API: every tracer of
// the provider delivers it, once, under its own project.
func TestPlainSessionOfTwoTracers(t *testing.T) {
	for name, atStart := range map[string]bool{"said at the start": true, "said later": false} {
		t.Run(name, func(t *testing.T) {
			twoTracers(t, func(t *testing.T, a, b *sessiontest.Pipeline, plainA, plainB trace.Tracer) {
				plains := []trace.Tracer{plainA}
				if plainA != plainB {
					plains = append(plains, plainB)
				}
				for _, plain := range plains {
					var options []trace.SpanStartOption
					if atStart {
						options = append(options, trace.WithAttributes(sessionType))
					}
					ctx, root := plain.Start(context.Background(), "s", options...)
					root.SetAttributes(sessionType)
					_, llm := plain.Start(ctx, "llm", genAISpan)
					llm.End()
					root.End()
				}
				holds(t, a, "a", "session s\n  model llm\n")
				holds(t, b, "b", "session s\n  model llm\n")
			})
		})
	}
}

// TestInboundSessionOfTwoTracers continues a session that came with a request:
// who records in it delivers what it records.
func TestInboundSessionOfTwoTracers(t *testing.T) {
	twoTracers(t, func(t *testing.T, a, b *sessiontest.Pipeline, _, _ trace.Tracer) {
		in := propagation.MapCarrier{"baggage": "honeyhive.session_id=caf77ace-3417-4da4-944d-f4a0688f3c23"}
		ctx := sessionspan.Extract(context.Background(), in)
		for _, p := range []*sessiontest.Pipeline{a, b} {
			_, e := p.Tracer.StartEvent(ctx, sessionspan.Tool, "e")
			e.End()
		}
		for project, p := range map[string]*sessiontest.Pipeline{"a": a, "b": b} {
			if events := p.Orphans(); len(p.Sessions()) != 0 || len(events) != 1 || events[0].Project.Or("") != project {
				t.Errorf("%s has %d sessions and the events %v", project, len(p.Sessions()), events)
			}
		}
	})
}

// TestCollectorOfAnotherTracer gives every span of the provider to a destination
// that takes spans, whoever made it.
func TestCollectorOfAnotherTracer(t *testing.T) {
	provider := sdktrace.NewTracerProvider()
	recorder := tracetest.NewInMemoryExporter()
	b := sessiontest.New(t, sessionspan.WithTracerProvider(provider), sessionspan.WithSpanExporter(recorder))
	a := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
	ctx, s := a.Tracer.StartSession(t.Context(), "s")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.End()
	b.Flush()
	if n := len(b.Sessions()); n != 0 {
		t.Errorf("%d sessions of the other tracer", n)
	}
	var names []string
	for _, span := range recorder.GetSpans() {
		names = append(names, span.Name)
		if !slices.ContainsFunc(span.Attributes, func(kv attribute.KeyValue) bool {
			return string(kv.Key) == honeyhive.AttrSessionID && kv.Value.AsString() == s.ID()
		}) {
			t.Errorf("span %s names no session", span.Name)
		}
	}
	if !slices.Equal(names, []string{"e", "s"}) {
		t.Errorf("spans %v", names)
	}
}
