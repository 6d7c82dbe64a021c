package sessionspan

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/untraced"
)

// processor sees every span of the provider start and end. It stamps the
// identity of its session on it, registers it as a child, and hands it to the
// destinations when it ends. It does no input or output.
type processor struct {
	tracer *Tracer
	spans  spans

	mu       sync.Mutex
	sessions map[honeyhive.UUID]*node // roots that run; the newest where one id runs twice
}

// running returns the root of a session that was started by StartSession and
// runs, or nil.
func (p *processor) running(id honeyhive.UUID) *node {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[id]
}

func (p *processor) setRunning(n *node, runs bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch id := n.session.id; {
	case n.rec == nil:
	case runs && p.sessions == nil:
		p.sessions = map[honeyhive.UUID]*node{id: n}
	case runs:
		p.sessions[id] = n
	case p.sessions[id] == n:
		delete(p.sessions, id)
	}
}

// OnStart implements [sdktrace.SpanProcessor].
func (p *processor) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	defer p.tracer.guard("start span")
	if c, ok := ctx.(*standIn); ok {
		c.span.take(s)
	}
	sc := s.SpanContext()
	if !sc.IsSampled() || p.tracer.closed.Load() || untraced.Is(ctx) {
		return
	}
	scope, key := nodeFrom(ctx), keyOf(sc)
	if scope != nil && scope.starting {
		// A provider may have processors of several tracers. The first that sees
		// the span settles for all of them whose it is.
		scope.starting, scope.key = false, key
	}
	switch {
	case scope == nil || scope.key != key:
		p.foreign(scope, s, key)
	case scope.tracer == p.tracer:
		p.ours(scope, s, key)
	default:
		p.spans.add(key, &node{tracer: p.tracer, key: key, live: s, others: true})
	}
}

// own takes in a span that no SDK has started.
func (p *processor) own(n *node, s *ownSpan) {
	defer p.tracer.guard("start span")
	n.key = keyOf(s.sc)
	p.ours(n, s, n.key)
}

// ours takes in a span that StartSession or StartEvent started.
func (p *processor) ours(n *node, s sdktrace.ReadWriteSpan, key spanKey) {
	if n.live == nil {
		n.live = s
	}
	if !p.spans.add(key, n) {
		return // registered twice, or the SDK's for one of our own
	}
	session := n.session
	if session == nil {
		n.stamp(s)
		return
	}
	n.rec.bare = n.rec.own() != nil || p.tracer.alone()
	if n == session.root {
		session.record()
		n.says, session.name = session.identity, s.Name()
		p.begin(n, s)
		return
	}
	// A span of another tracer may stand between the event and the scope.
	if above := keyOf(s.Parent()); above != n.parent.key {
		if between := session.between(p, above); between != nil {
			n.parent = between
		}
	}
	session.attach(n)
	if !n.rec.bare {
		n.stamp(s)
	}
	session.settle()
}

// begin takes in the root of a session that is recorded.
func (p *processor) begin(n *node, s sdktrace.ReadWriteSpan) {
	session := n.session
	p.setRunning(n, true)
	if n.rec != nil { // StartSession opens it, when it has set what it was given
		if !n.rec.bare {
			n.stamp(s)
		}
		return
	}
	s.SetAttributes(lacking(s.Attributes(), session.identity.attributes())...) // what the user set stays
	p.open(session, &livePlain{s, p.tracer})
}

// open tells the destinations of a session that has begun.
func (p *processor) open(session *sessionState, live sdktrace.ReadOnlySpan) {
	for _, e := range p.tracer.exporters {
		e.OnStart(session.id, live)
	}
}

// stamp writes the identity of its session on a span, and what it is. The parent
// is among it if it is known by now; where it is not, the queue's entry has it.
func (n *node) stamp(s sdktrace.ReadWriteSpan) {
	list := attributeLists.Get().(*[]attribute.KeyValue)
	var parent honeyhive.UUID
	if session := n.session; session != nil && n != session.root {
		session.mu.Lock()
		if above := n.parent; above.standing == kept {
			parent = session.idOf(above)
			n.parentID, n.saysParent = parent, true
		}
		session.mu.Unlock()
	}
	*list = n.appendStart((*list)[:0], parent)
	s.SetAttributes(*list...) // which copies them
	n.stamped = true
	clear(*list)
	attributeLists.Put(list)
}

var attributeLists = sync.Pool{New: func() any { return new([]attribute.KeyValue) }}

// startStamps is how many attributes besides the identity appendStart appends at
// most.
const startStamps = 4

// appendStart appends the attributes that a span has from its start.
func (n *node) appendStart(list []attribute.KeyValue, parent honeyhive.UUID) []attribute.KeyValue {
	list = n.appendStamps(append(list, n.says.attributes()...))
	if !parent.IsZero() {
		list = append(list, attribute.String(honeyhive.AttrParentID, n.session.textOf(parent)))
	}
	return list
}

// appendStamps appends those of them that say what the span is.
func (n *node) appendStamps(list []attribute.KeyValue) []attribute.KeyValue {
	r := n.rec
	switch {
	case r == nil:
		return list
	case r.kind != nil:
		list = append(list, r.kind.stamps...)
	default:
		list = append(list,
			attribute.String(honeyhive.AttrEventType, honeyhive.TypeSession),
			attribute.String(honeyhive.AttrSessionName, r.node.session.name))
	}
	if !r.node.given.IsZero() {
		list = append(list, attribute.String(honeyhive.AttrEventID, r.node.given.String()))
	}
	return list
}

// foreign takes in a span of another tracer.
func (p *processor) foreign(scope *node, s sdktrace.ReadWriteSpan, key spanKey) {
	n := &node{tracer: p.tracer, key: key, live: s}
	attributes := s.Attributes()
	if saysSession(attributes) && p.plainSession(n, s.Name(), attributes) {
		if p.spans.add(key, n) {
			p.begin(n, s)
		}
		return
	}
	above := keyOf(s.Parent())
	running := p.spans.get(above)
	scope = p.tracer.bind(scope)
	switch {
	case scope != nil && scope.session != nil && (scope.tracer == p.tracer || scope.tracer == nil):
		if n.parent = scope; above != scope.key {
			if between := scope.session.between(p, above); between != nil {
				n.parent = between
			}
		}
	case scope != nil && scope.session != nil:
		n.others = true
	case running == nil:
	case running.session != nil: // the context was lost, the parent was not
		n.parent = running
	case running.others:
		n.others = true
	case p.tracer.keeps(s.Name(), attributes):
		n.parent = p.sessionAbove(above)
	}
	if n.parent != nil {
		n.session, n.event = n.parent.session, n.parent.event
		n.standing = undecided
		if p.tracer.keeps(s.Name(), attributes) {
			n.standing = kept
		}
	}
	if !p.spans.add(key, n) || n.session == nil || !n.session.recorded.Load() {
		return
	}
	n.session.attach(n)
	if !hasKey(attributes, honeyhive.AttrSessionID) {
		n.stamp(s)
	}
	n.session.settle()
}

// OnEnd implements [sdktrace.SpanProcessor]. A span whose start was not seen,
// and one that ends twice, is left alone.
func (p *processor) OnEnd(s sdktrace.ReadOnlySpan) { p.ended(s, time.Now()) }

// ended is OnEnd at a time.
func (p *processor) ended(s sdktrace.ReadOnlySpan, now time.Time) {
	defer p.tracer.guard("end span")
	n := p.spans.remove(keyOf(s.SpanContext()))
	if n == nil {
		return
	}
	var f *finishedSpan
	if n.rec == nil {
		f = new(finishedSpan)
	} else {
		f = &n.rec.finished
		if !n.over.Load() && n.rec.endedPast() {
			n.rec.past = true
			p.tracer.reports.Once("past", errPast)
		}
	}
	f.ReadOnlySpan, f.node = s, n
	delivered := false
	switch {
	case n.others:
	case n.session == nil:
		delivered = p.late(n, f)
	case n.session.recorded.Load():
		delivered = p.finish(n, f)
		n.session.settle()
	}
	f.measure()
	exporter.Deliver(f, now, p.tracer.exporters, delivered)
}

// finish settles the place of a span that has ended, and reports whether it is
// an event, or the session itself.
func (p *processor) finish(n *node, f *finishedSpan) bool {
	s := n.session
	defer func() { n.live = nil }()
	if n.rec != nil && n != s.root && n.parent.rec != nil && !s.plain {
		return true // all of it is ours: nothing is left to settle
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n.over.Store(true)
	if n == s.root {
		p.setRunning(n, false)
		if n.rec == nil {
			s.decideAll()
			if ids := s.childrenOf(n).ids(); len(ids) > 0 {
				f.add(attribute.StringSlice(honeyhive.AttrChildrenIDs, ids))
			}
			f.addUsage()
		}
		if s.plain {
			f.addDefaults()
		}
		if s.original != "" {
			f.add(attribute.String(honeyhive.AttrMetadata+"."+convert.OriginalSessionID, s.original))
		}
		return true
	}
	if n.rec == nil {
		s.decide(n, f.Name(), f.ReadOnlySpan.Attributes())
		if n.standing != kept {
			return false
		}
		s.bury(n)
		if u, ok := usageOf(f.ReadOnlySpan.Attributes()); ok {
			s.countLocked(n, u.positive())
		}
		if ids := s.childrenOf(n).ids(); len(ids) > 0 {
			f.add(attribute.StringSlice(honeyhive.AttrChildrenIDs, ids))
		}
	}
	n.parentID = s.idOf(s.keptParent(n))
	if s.plain {
		f.addDefaults()
	}
	return true
}

// ForceFlush implements [sdktrace.SpanProcessor]; see [Tracer.ForceFlush].
func (p *processor) ForceFlush(ctx context.Context) error { return p.tracer.ForceFlush(ctx) }

// Shutdown implements [sdktrace.SpanProcessor]: a provider that is shut down
// delivers what the tracer has. See [Tracer.Shutdown].
func (p *processor) Shutdown(ctx context.Context) error {
	if p.tracer.left.Load() {
		return nil // the tracer has done it, and takes its leave
	}
	p.tracer.closed.Store(true)
	return p.tracer.each(orBackground(ctx), (*exporter.Exporter).Shutdown)
}

func text(attributes []attribute.KeyValue, key string) string {
	for i := range attributes {
		if string(attributes[i].Key) == key {
			return attributes[i].Value.AsString()
		}
	}
	return ""
}

func hasKey(attributes []attribute.KeyValue, key string) bool {
	for i := range attributes {
		if string(attributes[i].Key) == key {
			return true
		}
	}
	return false
}
