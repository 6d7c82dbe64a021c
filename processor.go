package sessionspan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/money"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tokens"
	"github.com/sessionspan/sessionspan/internal/tree"
	"github.com/sessionspan/sessionspan/internal/untraced"
)

// processor sees every span of the provider start and end. Its methods tell the tree of
// spans that start, hand spans that end to the destinations, and do no input or output.
type processor struct{ tracer *Tracer }

// newTree returns the tree of the tracer.
func (t *Tracer) newTree(limits tree.Limits) *tree.Tree {
	return tree.New(tree.Config{
		Keep: t.keeps, Root: t.plainRoot, AllDescendants: t.allChildren, Limits: limits,
		Opened: t.openPlain,
		Late:   func(n *tree.Node) { _ = t.updateChildren(n) }, // collectors see who the parent is
		Forgot: t.forgot,
	})
}

// OnStart implements [sdktrace.SpanProcessor].
func (p *processor) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	t := p.tracer
	defer t.guard("start span")
	sc := s.SpanContext()
	if !sc.IsSampled() || t.closed.Load() || untraced.Is(ctx) {
		return
	}
	scope, key := recordingFrom(ctx), tree.KeyOf(sc)
	if withoutContent(ctx) && (scope == nil || !scope.starts()) {
		t.mark(s, key)
	}
	if scope != nil && scope.starts() {
		// The span of the recording is the one that starts. A provider may have
		// processors of several tracers: the first that sees it notes that for all.
		scope.node.Key, scope.span, scope.sdk = key, s, s
	}
	switch {
	case scope == nil || scope.node.Key != key:
		t.startForeign(scope, s, key)
	case scope.tracer == t:
		scope.takers++
		t.startOwn(scope, s)
	default:
		scope.takers++
		t.tree.StartElsewhere(key, scope, s)
	}
}

// startOwn takes in a span that StartSession or StartEvent started.
func (t *Tracer) startOwn(r *recording, s sdktrace.ReadWriteSpan) {
	switch {
	case r.node.IsRoot():
		r.session.record()
	case r.kind == &turnInfo:
		r.startTurn()
	}
	if !t.tree.StartOwn(r.node, r) {
		r.takers-- // registered twice
		return
	}
	t.tail.begin(r.node)
	if t.onSpans {
		r.stamp(s)
	}
}

// startForeign takes in a span of another tracer.
func (t *Tracer) startForeign(scope *recording, s sdktrace.ReadWriteSpan, key tree.Key) {
	var place *tree.Node
	elsewhere := false
	if scope = t.bind(scope); scope != nil {
		place, elsewhere = scope.node, scope.tracer != t && scope.tracer != nil
	}
	n := t.tree.StartForeign(key, place, elsewhere, s)
	t.tail.begin(n)
	if n == nil || span.HasKey(s.Attributes(), honeyhive.AttrSessionID) {
		return
	}
	e := foreignEntry{entry: entry{tracer: t, identity: n.Identity(), parent: n.KnownParent()}}
	list(func(to *span.Span) { e.show(to) }, func(kvs []attribute.KeyValue) { s.SetAttributes(kvs...) })
}

// OnEnd implements [sdktrace.SpanProcessor]. A span whose start was not seen, and
// one that ends twice, is left alone; one that was forgotten goes to the
// destinations that take every span.
func (p *processor) OnEnd(s sdktrace.ReadOnlySpan) {
	t := p.tracer
	defer t.guard("end span")
	now := time.Now()
	_, private := t.unmarked.LoadAndDelete(tree.KeyOf(s.SpanContext()))
	n, live := t.tree.Remove(tree.KeyOf(s.SpanContext()))
	var source span.Source
	inSession := false
	switch {
	case n == nil && (t.tree.Forgotten() == 0 || t.closed.Load()):
		return
	case n == nil:
		source = span.FromSDK(s)
	case n.Owner != nil:
		if r, ok := n.Owner.(*recording); ok {
			source = r.take(s)
		} else {
			source = span.FromSDK(s)
		}
	case n.Own:
		source, n, inSession = t.endOwn(n, live.(*recording), s)
	default:
		source, n, inSession = t.endForeign(n, s)
	}
	if private {
		source = closedSource{source}
	}
	t.handOver(source, now, tree.KeyOf(s.SpanContext()), n, inSession)
}

// mark says on a span of another tracer that none of its content is to leave. One that has
// no room for another attribute is noted.
func (t *Tracer) mark(s sdktrace.ReadWriteSpan, key tree.Key) {
	s.SetAttributes(attribute.Bool(honeyhive.AttrWithoutContent, true))
	if !span.HasKey(s.Attributes(), honeyhive.AttrWithoutContent) {
		t.unmarked.Store(key, true)
	}
}

// closedSource is a span of which no content is to leave and that cannot say it itself.
type closedSource struct{ span.Source }

// Show implements [span.Source].
func (c closedSource) Show(s *span.Span) {
	c.Source.Show(s)
	s.NoContent = true
}

// endOwn settles a span of ours, and reports whether it is part of a session. The place
// is where it ended in the tree.
func (t *Tracer) endOwn(n *tree.Node, r *recording, s sdktrace.ReadOnlySpan) (source span.Source, place *tree.Node, inSession bool) {
	e := r.take(s)
	if n.Session != nil {
		return e, n, n.Session.Recorded()
	}
	// Its attributes may name a session, as those of any other span.
	if f, place, ok := t.endForeign(n, s); ok {
		return ownElsewhere{e, f}, place, true
	}
	return e, n, false
}

// take returns the queue's entry of the span, which has ended. Each processor that
// saw the span start calls it once.
func (r *recording) take(s sdktrace.ReadOnlySpan) *ownEntry {
	if e := r.freeze(true); e != nil {
		r.tracer.reports.Once("ended by span", errEndedBySpan)
		r.measure(&e.set)
	}
	parent := r.tracer.tree.EndOwn(r.node)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry
	if e.Start.IsZero() {
		e.parent = parent
		e.read(s, r.tracer.onSpans && !e.endedBySpan)
	}
	if r.takers--; r.takers <= 0 && !r.opens() {
		r.entry = nil // that of a session or turn is for those who look at it late
	}
	return e
}

// errEndedBySpan is reported when a span was ended by another handle than ours.
var errEndedBySpan = errors.New("sessionspan: a session or event was ended by the End of its span; " +
	"payloads are whole all the same, but other exporters of the provider do not see what was set on it: call its own End")

// endForeign settles a span of another tracer, and reports whether it is part of a
// session: by its place, or because its attributes say so by now, as for an
// exporter behind a plain span processor. The place is where it ended in the tree, or nil.
func (t *Tracer) endForeign(n *tree.Node, s sdktrace.ReadOnlySpan) (source *foreignEntry, place *tree.Node, inSession bool) {
	attributes := s.Attributes()
	f := &foreignEntry{entry: entry{tracer: t, Facts: span.ReadFacts(s, attributes, nil)}}
	if n.Session == nil {
		if n = t.tree.EndOutside(n, s); n == nil {
			if !convert.InSession(attributes) || !t.keepsOutside(s) {
				return f, nil, false
			}
			// Who holds the session is not known, so nothing waits for it.
			f.continued, f.defaults = true, true
			f.session = convert.Identify(&convert.Span{Attributes: attributes, Project: t.project}).SessionID
			if span.RoleOf(s) == convert.Step {
				f.untyped = convert.Identify(&convert.Span{Kind: span.KindOf(s.SpanKind()), Scope: s.InstrumentationScope().Name, Attributes: attributes}).Type
			}
			return f, nil, true
		}
	}
	if !n.Session.Recorded() {
		return f, n, false
	}
	f.session = n.Session.ID
	var usage *tokens.Usage
	if u, ok := tokens.Read(attributes); ok {
		usage = &u
	}
	var cost *money.Amount
	if a, ok := tree.ReadCost(attributes); ok {
		cost = &a
	}
	e := t.tree.EndForeign(n, s, usage, cost)
	if !e.Event {
		if t.filter != nil && span.RoleOf(s) != convert.Plumbing { // which its attributes do not tell
			f.AddAttribute(attribute.Bool(honeyhive.AttrLeftOut, true))
		}
		return f, n, false
	}
	f.identity, f.self, f.parent, f.children = n.Identity(), n.Ref(), e.Parent, e.Children
	if plain := n.Session.Plain; plain != nil {
		f.defaults = true
		if n.IsRoot() {
			f.plain, f.usage, f.costs = plain, e.Usage, e.Costs
		}
	}
	f.untyped = untypedAs(span.RoleOf(s))
	return f, n, true
}

// ForceFlush implements [sdktrace.SpanProcessor]; see [Tracer.ForceFlush].
func (p *processor) ForceFlush(ctx context.Context) error { return p.tracer.ForceFlush(ctx) }

// Shutdown implements [sdktrace.SpanProcessor]: a provider that is shut down
// delivers what the tracer has. See [Tracer.Shutdown].
func (p *processor) Shutdown(ctx context.Context) error {
	if p.tracer.detached.Load() {
		return nil // the tracer has done it, and takes its leave
	}
	return p.tracer.close(orBackground(ctx))
}

// plainRoot returns what a span says of the session that it is the root of, or nil.
func (t *Tracer) plainRoot(k tree.Key, name string, attributes []attribute.KeyValue) *tree.Plain {
	if !saysSession(attributes) {
		return nil
	}
	rec := convert.Convert(&convert.Span{TraceID: k.Trace, SpanID: k.Span, Name: name, Attributes: attributes, Project: t.project})
	if !rec.IsSession {
		return nil
	}
	// The defaults of the tracer stay off the spans: those of another tracer on the
	// provider may differ.
	plain := &tree.Plain{ID: rec.SessionID, Source: rec.Source}
	if named(attributes, honeyhive.AttrProject) {
		plain.Project = rec.Project
	}
	if !span.HasKey(attributes, honeyhive.AttrSessionID) {
		if original, ok := rec.Buckets[convert.Metadata].Get(convert.OriginalSessionID); ok {
			plain.Original = rawjson.Unquote(string(original))
		}
	}
	return plain
}

// openPlain tells the destinations of a session that was made by the plain
// OpenTelemetry API, and the root of its identity; what the user set stays.
func (t *Tracer) openPlain(root *tree.Node, live tree.Live) {
	e := foreignEntry{entry: entry{tracer: t, identity: root.Identity()}}
	if s, ok := live.(sdktrace.ReadWriteSpan); ok {
		list(func(to *span.Span) { e.show(to) }, func(kvs []attribute.KeyValue) {
			s.SetAttributes(lacking(s.Attributes(), kvs)...)
		})
	}
	e.defaults = true
	t.open(root.Session, &livePlain{live.(sdktrace.ReadOnlySpan), e})
}

// open tells the destinations of a session, or a turn, that has begun.
func (t *Tracer) open(s *tree.Session, live span.Source) {
	if t.discards.Has(s.ID) {
		return
	}
	if t.tail != nil {
		t.tail.sampler.Open(s.Group(), s.ID, live)
		return
	}
	t.page.Begin(s.ID)
	for _, q := range t.queues {
		q.Open(s.Group(), live)
	}
}

// forgot reports a span that was forgotten since it does not end, and lets go of
// what waits for a session.
func (t *Tracer) forgot(n *tree.Node) {
	t.unmarked.Delete(n.Key)
	t.reports.Report("forgotten", fmt.Errorf("%w (%d of them by now)", errForgotten, t.tree.Forgotten()))
	switch {
	case t.tail != nil:
		t.tail.forgot(n)
	case n.IsRoot() || n.IsTurn():
		for _, q := range t.queues {
			q.Gone(n.Session.Group())
		}
	}
}

// errForgotten is reported where more spans run than the limits allow, or for
// longer.
var errForgotten = errors.New("sessionspan: a span that does not end was forgotten: see WithOpenSpans; " +
	"most often an End is missing, or a response body is not closed")

func scopeOf(name, version string) instrumentation.Scope {
	return instrumentation.Scope{Name: name, Version: version}
}
