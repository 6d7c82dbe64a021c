package sessionspan_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

var (
	genAISpan   = trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat"))
	requestSpan = trace.WithSpanKind(trace.SpanKindClient) // which is no event
)

// checkTree compares the parent_id of each event with the children_ids of what
// it hangs on.
func checkTree(t interface{ Errorf(string, ...any) }, s *sessiontest.Session) {
	var check func(id string, listed []string, events []*sessiontest.Event)
	check = func(id string, listed []string, events []*sessiontest.Event) {
		var ids []string
		for _, e := range events {
			ids = append(ids, e.EventID.Or(""))
			if e.ParentID.Or("") != id || e.SessionID.Or("") != s.SessionID.Or("") {
				t.Errorf("event %s hangs on %s in session %s", e.EventName.Or(""), e.ParentID.Or(""), e.SessionID.Or(""))
			}
			if err := e.Validate(); err != nil {
				t.Errorf("event %s: %v", e.EventName.Or(""), err)
			}
			check(e.EventID.Or(""), e.ChildrenIDs.Or(nil), e.Children)
		}
		if !slices.Equal(ids, listed) {
			t.Errorf("%s lists %d children, %d hang on it, or their order differs", id, len(listed), len(ids))
		}
	}
	check(s.SessionID.Or(""), s.ChildrenIDs.Or(nil), s.Events)
	if err := s.Validate(); err != nil {
		t.Errorf("session: %v", err)
	}
}

func TestNumberOfChildren(t *testing.T) {
	for _, n := range []int{0, 1, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p := sessiontest.New(t)
			ctx, s := p.Tracer.StartSession(t.Context(), "s")
			for i := range n {
				_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, fmt.Sprint(i))
				e.End()
			}
			s.End()
			got := p.Session("s")
			if len(got.Events) != n || got.ChildrenIDs.IsZero() != (n == 0) {
				t.Errorf("%d events, children_ids %v", len(got.Events), !got.ChildrenIDs.IsZero())
			}
			for i, e := range got.Events {
				if e.EventName.Or("") != fmt.Sprint(i) {
					t.Fatalf("child %d is %s", i, e.EventName.Or(""))
				}
			}
			checkTree(t, got)
		})
	}
}

func TestNestedAndForeignChildren(t *testing.T) {
	p := sessiontest.New(t)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	actx, a := sessionspan.StartEvent(ctx, sessionspan.Chain, "a")
	bctx, b := plain.Start(actx, "b", genAISpan)      // kept
	hctx, h := plain.Start(bctx, "http", requestSpan) // left out
	dctx, d := plain.Start(hctx, "db", requestSpan)   // left out
	_, c := sessionspan.StartEvent(dctx, sessionspan.Tool, "c")
	c.End()
	_, g := plain.Start(dctx, "g", genAISpan)
	g.End()
	d.End()
	h.End()
	_, late := plain.Start(ctx, "decided late")
	late.SetAttributes(attribute.String("openinference.span.kind", "LLM"))
	late.End()
	b.End()
	a.End()
	s.End()
	got := p.Session("s")
	got.AssertTree(`
		session s
		  chain a
		    model b
		      tool c
		      model g
		  model decided late
	`)
	checkTree(t, got)
}

// TestRunningAtTheEnd ends a session while children run: they are listed, and
// delivered when they end.
func TestRunningAtTheEnd(t *testing.T) {
	p := sessiontest.New(t)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	_, running := sessionspan.StartEvent(ctx, sessionspan.Tool, "running")
	_, foreign := plain.Start(ctx, "foreign", genAISpan)
	hctx, undecided := plain.Start(ctx, "undecided", requestSpan)
	_, below := sessionspan.StartEvent(hctx, sessionspan.Tool, "below")
	s.End()
	if listed := p.Session("s").ChildrenIDs.Or(nil); len(listed) != 3 {
		t.Errorf("%d children are listed while they run, want 3", len(listed))
	}
	below.End()
	undecided.End()
	foreign.End()
	running.End()
	got := p.Session("s")
	got.AssertTree(`
		session s
		  tool running
		  model foreign
		  tool below
	`)
	checkTree(t, got)
}

// TestLateChildren starts children after the end of their session and their
// event: the lists of both are sent once more.
func TestLateChildren(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	ectx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "e")
	e.End()
	s.End()
	for range 10 {
		_, late := sessionspan.StartEvent(ctx, sessionspan.Tool, "late")
		late.End()
		_, below := sessionspan.StartEvent(ectx, sessionspan.Tool, "below")
		below.End()
	}
	got := p.Session("s")
	if len(got.Events) != 11 || len(got.Event("e").Children) != 10 {
		t.Error(got.Tree())
	}
	checkTree(t, got)
}

func TestUndecidedBecomesAnEventAfterItsChildEnded(t *testing.T) {
	p := sessiontest.New(t)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	actx, a := plain.Start(ctx, "a", requestSpan)
	_, b := sessionspan.StartEvent(actx, sessionspan.Tool, "b")
	b.End() // a is left out now
	a.SetAttributes(attribute.String("gen_ai.operation.name", "chat"))
	a.End() // and an event after all
	s.End()
	got := p.Session("s")
	got.AssertTree("session s\n  model a\n  tool b\n")
	checkTree(t, got)
}

func TestUnsampledChildren(t *testing.T) {
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(nameSampler{}))
	p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	_, a := sessionspan.StartEvent(ctx, sessionspan.Tool, "a")
	a.End()
	dctx, dropped := sessionspan.StartEvent(ctx, sessionspan.Tool, "drop")
	dropped.SetInputs("x")
	_, below := sessionspan.StartEvent(dctx, sessionspan.Tool, "below")
	below.End()
	dropped.End()
	_, recorded := sessionspan.StartEvent(ctx, sessionspan.Tool, "record only")
	recorded.End()
	s.End()
	got := p.Session("s")
	got.AssertTree("session s\n  tool a\n  tool below\n")
	checkTree(t, got)

	dctx, unsampled := p.Tracer.StartSession(t.Context(), "drop")
	_, child := sessionspan.StartEvent(dctx, sessionspan.Tool, "child of an unsampled session")
	child.End()
	unsampled.End()
	if n := len(p.Sessions()); n != 1 || len(p.Orphans()) != 0 {
		t.Errorf("%d sessions, %d orphans", n, len(p.Orphans()))
	}
}

// nameSampler decides by the name of the span.
type nameSampler struct{}

func (nameSampler) Description() string { return "by name" }

func (nameSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	switch p.Name {
	case "drop":
		return sdktrace.SamplingResult{Decision: sdktrace.Drop}
	case "record only":
		return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
	}
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
}

func TestAllDescendants(t *testing.T) {
	p := sessiontest.New(t, sessionspan.WithAllDescendants())
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	actx, a := sessionspan.StartEvent(ctx, sessionspan.Chain, "a")
	_, b := sessionspan.StartEvent(actx, sessionspan.Tool, "b")
	b.End()
	a.End()
	s.End()
	if ids := p.Session("s").ChildrenIDs.Or(nil); !slices.Equal(ids, []string{a.ID(), b.ID()}) {
		t.Errorf("children_ids %v", ids)
	}
}

// TestOtherProcess hangs an event of another process on a session, and on an
// event of it, by parent_id alone.
func TestOtherProcess(t *testing.T) {
	here, there := sessiontest.New(t), sessiontest.New(t)
	ctx, s := here.Tracer.StartSession(t.Context(), "s")
	ectx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "e")
	for _, from := range []context.Context{ctx, ectx} {
		carrier := propagation.MapCarrier{}
		sessionspan.Inject(from, carrier)
		remote := sessionspan.Extract(there.Context(context.Background()), carrier)
		rctx, outer := sessionspan.StartEvent(remote, sessionspan.Tool, "outer")
		_, inner := sessionspan.StartEvent(rctx, sessionspan.Tool, "inner")
		inner.End()
		outer.End()
	}
	cctx, continued := there.Tracer.ContinueSession(t.Context(), s.ID())
	_, direct := sessionspan.StartEvent(cctx, sessionspan.Tool, "direct")
	direct.End()
	continued.End()
	e.End()
	s.End()
	if n := len(there.Sessions()); n != 0 {
		t.Errorf("the other process sends %d sessions", n)
	}
	orphans := there.Orphans()
	if len(orphans) != 3 {
		t.Fatalf("%d events hang on nothing there, want 3", len(orphans))
	}
	for i, want := range []string{s.ID(), e.ID(), s.ID()} {
		o := orphans[i]
		if o.ParentID.Or("") != want || o.SessionID.Or("") != s.ID() {
			t.Errorf("%s hangs on %s, want %s", o.EventName.Or(""), o.ParentID.Or(""), want)
		}
		if i < 2 && (len(o.Children) != 1 || o.Children[0].ParentID.Or("") != o.EventID.Or("")) {
			t.Errorf("%s has the children %v", o.EventName.Or(""), o.Children)
		}
	}
	if ids := here.Session("s").ChildrenIDs.Or(nil); !slices.Equal(ids, []string{e.ID()}) {
		t.Errorf("children_ids %v hold what another process did", ids)
	}
}

// TestContinuedHere continues a session that this process holds, as a handler
// of a later request does.
func TestContinuedHere(t *testing.T) {
	p := sessiontest.New(t)
	plain := p.Tracer.TracerProvider().Tracer("server")
	_, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithSessionID("conversation 7"))
	for _, turn := range []string{"first", "second"} {
		rctx, request := plain.Start(t.Context(), "POST /chat") // a trace of its own
		ctx, c := p.Tracer.ContinueSession(rctx, "conversation 7")
		if c.ID() != s.ID() || sessionspan.SessionFromContext(ctx) != s || !c.IsRecording() {
			t.Error("not the session")
		}
		ectx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, turn)
		_, inner := sessionspan.StartEvent(ectx, sessionspan.Tool, "inner")
		if inner.Span().SpanContext().TraceID() != request.SpanContext().TraceID() {
			t.Error("the event left the trace of its request")
		}
		inner.End()
		e.End()
		c.SetMetadata(map[string]any{turn: true})
		c.End() // not the end of the session
		request.End()
	}
	s.End()
	got := p.Session("s")
	got.AssertTree(`
		session s
		  chain first
		    tool inner
		  chain second
		    tool inner
	`)
	checkTree(t, got)
	if got.Metadata.Len() != 3 {
		t.Errorf("metadata %s", got.Metadata)
	}
	// After its end it is one of the past.
	ctx, c := p.Tracer.ContinueSession(t.Context(), "conversation 7")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "afterwards")
	e.End()
	c.SetFeedback(map[string]any{"rating": 5})
	if got := p.Session("s"); len(got.Events) != 3 || got.Feedback.String() != `{"rating":5}` {
		t.Errorf("%s%s", got.Tree(), got.Feedback)
	}
}

// TestConcurrentSessions runs sessions at once on one tracer and looks for
// anything that got into the wrong one.
func TestConcurrentSessions(t *testing.T) {
	p := sessiontest.New(t)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	const sessions, children = 100, 20
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			name := fmt.Sprint("s", i)
			ctx, s := p.Tracer.StartSession(t.Context(), name, sessionspan.WithInputs(map[string]any{"session": name}))
			var inner sync.WaitGroup
			for j := range children {
				inner.Go(func() {
					ectx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, fmt.Sprint(name, "-", j))
					e.SetInputs(map[string]any{"session": name})
					_, g := plain.Start(ectx, fmt.Sprint(name, "-g"), genAISpan)
					g.End()
					s.SetMetadata(map[string]any{fmt.Sprint("k", j): name})
					e.End()
				})
			}
			inner.Wait()
			s.SetOutputs(map[string]any{"session": name})
			s.End()
		})
	}
	wg.Wait()
	got := p.Sessions()
	if len(got) != sessions {
		t.Fatalf("%d sessions", len(got))
	}
	for _, s := range got {
		name := s.SessionName.Or("")
		want := fmt.Sprintf(`{"session":%q}`, name)
		s.AssertInputs(want)
		s.AssertOutputs(want)
		if n := s.Metadata.Len(); n != children {
			t.Errorf("%s has %d keys of metadata", name, n)
		}
		for _, e := range s.Events {
			e.AssertInputs(want)
			if len(e.Children) != 1 || e.Children[0].EventName.Or("") != name+"-g" {
				t.Errorf("%s has the wrong children", e.EventName.Or(""))
			}
		}
		if len(s.Events) != children {
			t.Errorf("%s has %d events", name, len(s.Events))
		}
		checkTree(t, s)
	}
	if n := len(p.Orphans()); n != 0 {
		t.Errorf("%d orphans", n)
	}
}

// TestTreeModel draws trees of our events and of other tracers' spans, started
// and ended in any order, and compares what is delivered with a model of them.
func TestTreeModel(t *testing.T) {
	type span struct {
		name   string
		parent *span // nil for the session
		kept   bool
		ctx    context.Context
		end    func()
		ended  bool
	}
	rapid.Check(t, func(rt *rapid.T) {
		p := sessiontest.New(t)
		plain := p.Tracer.TracerProvider().Tracer("plain")
		ctx, s := p.Tracer.StartSession(context.Background(), "s")
		spans := []*span{{ctx: ctx, kept: true}}
		for i := range rapid.IntRange(0, 25).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "end one") && len(spans) > 1 {
				if sp := rapid.SampledFrom(spans[1:]).Draw(rt, "which"); !sp.ended {
					sp.ended = true
					sp.end()
				}
				continue
			}
			parent := rapid.SampledFrom(spans).Draw(rt, "parent")
			if parent.ended && !parent.kept {
				continue // what hangs on a foreign span that is gone is not known
			}
			sp := &span{name: fmt.Sprint("n", i), parent: parent, kept: true}
			switch rapid.SampledFrom([]string{"ours", "kept", "step", "left out"}).Draw(rt, "kind") {
			case "ours":
				c, e := sessionspan.StartEvent(parent.ctx, sessionspan.Tool, sp.name)
				sp.ctx, sp.end = c, func() { e.End() }
			case "kept":
				c, f := plain.Start(parent.ctx, sp.name, genAISpan)
				sp.ctx, sp.end = c, func() { f.End() }
			case "step":
				c, f := plain.Start(parent.ctx, sp.name)
				sp.ctx, sp.end = c, func() { f.End() }
			default:
				c, f := plain.Start(parent.ctx, sp.name, requestSpan)
				sp.ctx, sp.end, sp.kept = c, func() { f.End() }, false
			}
			spans = append(spans, sp)
		}
		s.End()
		for _, sp := range spans[1:] {
			if !sp.ended {
				sp.end()
			}
		}
		got := p.Session("s")
		parents := map[string]string{}
		var walk func(parent string, events []*sessiontest.Event)
		walk = func(parent string, events []*sessiontest.Event) {
			for _, e := range events {
				parents[e.EventName.Or("")] = parent
				walk(e.EventName.Or(""), e.Children)
			}
		}
		walk("", got.Events)
		n := 0
		for _, sp := range spans[1:] {
			if !sp.kept {
				continue
			}
			n++
			above := sp.parent
			for !above.kept {
				above = above.parent
			}
			if parent, ok := parents[sp.name]; !ok || parent != above.name {
				rt.Errorf("%s hangs on %q, want %q", sp.name, parent, above.name)
			}
		}
		if n != len(parents) {
			rt.Errorf("%d events, want %d", len(parents), n)
		}
		checkTree(rt, got)
	})
}
