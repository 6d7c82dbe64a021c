package sessionspan

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/spansize"
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

// ours takes in a span that StartSession or StartEvent started.
func (p *processor) ours(n *node, s sdktrace.ReadWriteSpan, key spanKey) {
	n.live = s
	if !p.spans.add(key, n) {
		return // registered twice
	}
	session := n.session
	if session == nil {
		s.SetAttributes(n.rec.stamps...)
		return
	}
	if n == session.root {
		session.record()
		n.says = session.identity
		p.begin(n, s, []attribute.KeyValue{
			attribute.String(honeyhive.AttrEventType, honeyhive.TypeSession),
			attribute.String(honeyhive.AttrSessionName, s.Name()),
		})
		return
	}
	// A span of another tracer may stand between the event and the scope.
	if above := keyOf(s.Parent()); above != n.parent.key {
		if between := session.between(p, above); between != nil {
			n.parent = between
		}
	}
	session.attach(n)
	n.rec.stamps = p.stamp(n, s, n.rec.stamps)
	session.settle()
}

// begin takes in the root of a session that is recorded.
func (p *processor) begin(n *node, s sdktrace.ReadWriteSpan, stamps []attribute.KeyValue) {
	session := n.session
	p.setRunning(n, true)
	if n.rec != nil { // StartSession opens it, when it has set what it was given
		s.SetAttributes(session.identity...)
		s.SetAttributes(stamps...)
		n.rec.stamps = stamps
		return
	}
	s.SetAttributes(lacking(s.Attributes(), session.identity)...) // what the user set stays
	p.open(session, &livePlain{s, p.tracer})
}

// open tells the destinations of a session that has begun.
func (p *processor) open(session *sessionState, live sdktrace.ReadOnlySpan) {
	for _, e := range p.tracer.exporters {
		e.OnStart(session.id, live)
	}
}

// stamp writes the identity of its session on a span, and returns what it wrote
// besides what all spans of the session have. The parent is among it if it is
// known by now; where it is not, the queue's entry has it.
func (p *processor) stamp(n *node, s sdktrace.ReadWriteSpan, stamps []attribute.KeyValue) []attribute.KeyValue {
	session := n.session
	s.SetAttributes(n.says...)
	n.stamped = true
	session.mu.Lock()
	parent := ""
	if above := n.parent; above.standing == kept {
		parent = session.idOf(above)
	}
	session.mu.Unlock()
	if parent != "" {
		stamps = append(slices.Clip(stamps), attribute.String(honeyhive.AttrParentID, parent))
	}
	s.SetAttributes(stamps...)
	return stamps
}

// foreign takes in a span of another tracer.
func (p *processor) foreign(scope *node, s sdktrace.ReadWriteSpan, key spanKey) {
	n := &node{tracer: p.tracer, key: key, live: s}
	attributes := s.Attributes()
	if saysSession(attributes) && p.plainSession(n, s.Name(), attributes) {
		if p.spans.add(key, n) {
			p.begin(n, s, nil)
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
		p.stamp(n, s, nil)
	}
	n.session.settle()
}

// OnEnd implements [sdktrace.SpanProcessor]. A span whose start was not seen,
// and one that ends twice, is left alone.
func (p *processor) OnEnd(s sdktrace.ReadOnlySpan) {
	defer p.tracer.guard("end span")
	n := p.spans.remove(keyOf(s.SpanContext()))
	if n == nil {
		return
	}
	f := &finishedSpan{ReadOnlySpan: s, node: n}
	if n.rec != nil {
		if _, past := n.rec.freeze(); past {
			f.past = true
			p.tracer.reports.Once("past", errPast)
		}
	}
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
	exporter.Deliver(f, p.tracer.exporters, delivered)
}

// finish settles the place of a span that has ended, and reports whether it is
// an event, or the session itself.
func (p *processor) finish(n *node, f *finishedSpan) bool {
	s := n.session
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { n.live = nil }()
	n.over.Store(true)
	if n == s.root {
		p.setRunning(n, false)
		if n.rec == nil {
			s.decideAll()
			if ids := s.childrenIDs(n); len(ids) > 0 {
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
			s.countLocked(n, u)
		}
		if ids := s.childrenIDs(n); len(ids) > 0 {
			f.add(attribute.StringSlice(honeyhive.AttrChildrenIDs, ids))
		}
	}
	f.add(attribute.String(honeyhive.AttrParentID, s.idOf(s.keptParent(n))))
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

// finishedSpan is the queue's entry for a span that has ended: the span, and
// what its recording knows of it, which no limit of the provider has cut.
type finishedSpan struct {
	sdktrace.ReadOnlySpan
	node *node                // for a span that was found late, its place in the tree
	more []attribute.KeyValue // what was known at the end alone
	past bool                 // the span was ended past its handle
	size int64

	once       sync.Once
	attributes []attribute.KeyValue
}

var _ exporter.Detailed = (*finishedSpan)(nil)

func (f *finishedSpan) add(kv attribute.KeyValue) { f.more = append(f.more, kv) }

// measure estimates what the entry keeps in memory: the span, and what the
// recording has beside it because a limit cut it or it is kept off the span.
func (f *finishedSpan) measure() {
	f.size = spansize.Span(f.ReadOnlySpan) + spansize.Attributes(f.more)
	if f.node.rec == nil {
		return
	}
	const handle = 1536 // what StartEvent makes beside the span
	f.size += handle
	has := f.ReadOnlySpan.Attributes()
	for _, kv := range f.node.rec.final {
		if n := len(kv.Value.AsString()); n != len(text(has, string(kv.Key))) {
			f.size += spansize.Text(n)
		}
	}
}

// Size returns about how many bytes the entry keeps in memory.
func (f *finishedSpan) Size() int64 { return f.size }

// Parsed returns the buckets of the recording, which are JSON objects.
func (f *finishedSpan) Parsed() *convert.Buckets {
	if f.node.rec == nil {
		return nil
	}
	return &f.node.rec.buckets
}

// Attributes returns the attributes of the span, whole.
func (f *finishedSpan) Attributes() []attribute.KeyValue {
	f.once.Do(func() { f.attributes = f.restore() })
	return f.attributes
}

// errPast is reported when a span was ended by another handle than ours.
var errPast = errors.New("sessionspan: a session or event was ended by the End of its span; " +
	"payloads are whole all the same, but other exporters of the provider do not see what was set on it: call its own End")

// errCut is reported when the limits of a provider cut what was recorded.
var errCut = errors.New("sessionspan: the span limits of the tracer provider cut attributes of sessions; " +
	"payloads are whole all the same, but other exporters of the provider see the cut ones: raise AttributeCountLimit and AttributeValueLengthLimit")

// restore puts back what the limits of the provider cut. The SDK does not count
// all of its cuts, so lengths are compared.
func (f *finishedSpan) restore() []attribute.KeyValue {
	have := f.ReadOnlySpan.Attributes()
	at := make(map[attribute.Key]int, len(have))
	for i := range have {
		at[have[i].Key] = i
	}
	out, copied, cut := have, false, false
	for kv, expected := range f.known() {
		i, ok := at[kv.Key]
		if ok && !isPiece(have[i].Value, kv.Value) {
			continue
		}
		cut = cut || expected
		if !copied {
			out, copied = append(make([]attribute.KeyValue, 0, len(have)+8), have...), true
		}
		if ok {
			out[i] = kv
		} else {
			out = append(out, kv)
		}
	}
	if cut && !f.past {
		f.node.tracer.reports.Once("limits", errCut)
	}
	return out
}

// known yields what was set on the span, the newest value of each key, and
// whether the span should have it.
func (f *finishedSpan) known() iter.Seq2[attribute.KeyValue, bool] {
	return func(yield func(attribute.KeyValue, bool) bool) {
		var identity, stamps, final []attribute.KeyValue
		n := f.node
		if s := n.session; s != nil && s.recorded.Load() {
			identity = n.says
		}
		stamped, offSpans := n.stamped, false
		if r := n.rec; r != nil {
			stamps, final, offSpans = r.stamps, r.final, r.node.tracer.offSpans
			stamped = true
		}
		for i, list := range [][]attribute.KeyValue{identity, stamps, final} {
			for _, kv := range list {
				if i < 2 && hasKey(final, string(kv.Key)) {
					continue
				}
				expected := !offSpans || !isContentKey(kv.Key)
				if !yield(kv, expected && (i > 0 || stamped)) {
					return
				}
			}
		}
		for _, kv := range f.more {
			if !yield(kv, false) {
				return
			}
		}
	}
}

// isPiece reports whether a value is what a limit leaves of another: a shorter
// one with the same start. Anything else that differs was set by somebody on
// purpose.
func isPiece(have, want attribute.Value) bool {
	if have.Type() != want.Type() {
		return false
	}
	switch want.Type() {
	case attribute.STRING:
		h, w := have.AsString(), want.AsString()
		return len(h) < len(w) && strings.HasPrefix(w, h)
	case attribute.STRINGSLICE:
		hs, ws := have.AsStringSlice(), want.AsStringSlice()
		for i := range min(len(hs), len(ws)) {
			if len(hs[i]) < len(ws[i]) && strings.HasPrefix(ws[i], hs[i]) {
				return true
			}
		}
	}
	return false
}
