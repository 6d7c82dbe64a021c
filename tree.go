package sessionspan

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/otlp"
)

// This file keeps the tree of a session while it runs: which spans are its
// events, and what hangs on what. A span of ours is an event from the start. A
// span of another tracer is one if the filter says so, which is often known only
// when more of its attributes are there; until then it is undecided, and what
// hangs on it waits with it. It is decided when the first of its children ends,
// when it ends itself, or when the session does, whichever comes first.

// spanKey identifies a span in every trace.
type spanKey struct {
	trace trace.TraceID
	span  trace.SpanID
}

func keyOf(sc trace.SpanContext) spanKey { return spanKey{sc.TraceID(), sc.SpanID()} }

// standing says whether a node is an event.
type standing uint8

const (
	kept standing = iota
	undecided
	leftOut
)

// node is a place in the tree of a session: the session, an event of ours, or a
// span of another tracer. Its fields are set before others see it, but for
// those that the lock of the session guards.
type node struct {
	tracer   *Tracer
	session  *sessionState  // nil outside a session
	parent   *node          // nil for the session itself and outside a session
	event    *Event         // the nearest event of ours, itself included
	rec      *recording     // nil for a span of another tracer
	given    honeyhive.UUID // the id that the user chose for the event
	says     *identity      // what its span says of the session: its identity at the start
	key      spanKey
	live     sdktrace.ReadWriteSpan // while the span runs
	starting bool                   // the span of this node is the next to start in its context
	others   bool                   // it belongs to another tracer of ours
	stamped  bool                   // the span has the identity of the session
	// saysParent is set where the span has the id of its parent.
	saysParent bool
	over       atomic.Bool // the list of children is made, or about to be
	lateSent   atomic.Bool // an update of the children is on its way
	// hasChildren is set before the first of them is listed.
	hasChildren atomic.Bool

	// Guarded by the lock of the session.
	standing standing
	// countedBelow is set where something below the node adds to the usage of the
	// session, so that the node must not.
	countedBelow bool
	sequence     uint32
	children     []child
	id           honeyhive.UUID // of the event, once somebody asked
	parentID     honeyhive.UUID // that of its parent, likewise

	counted *Usage // what the node adds to the usage of the session
}

// child is a child of a node, kept small: a session may have very many.
type child struct {
	id       [16]byte // the trace id, or the event id where span is zero
	span     trace.SpanID
	sequence uint32
}

func (c child) eventID() honeyhive.UUID {
	if c.span == (trace.SpanID{}) {
		return c.id
	}
	return honeyhive.EventID(c.id, c.span)
}

func (n *node) asChild() child {
	if !n.given.IsZero() {
		return child{id: n.given, sequence: n.sequence}
	}
	return child{id: n.key.trace, span: n.key.span, sequence: n.sequence}
}

// identity is what a span says of its session.
type identity struct {
	list            []attribute.KeyValue
	project, source string
	encode          sync.Once
	encoded         []byte // the list by OTLP, once somebody asked
}

func (i *identity) attributes() []attribute.KeyValue {
	if i == nil {
		return nil
	}
	return i.list
}

// otlp returns the attributes as OTLP has them.
func (i *identity) otlp() []byte {
	i.encode.Do(func() { i.encoded = otlp.AppendSpanAttributes(nil, i.list) })
	return i.encoded
}

// sessionState is what all nodes of a session share.
type sessionState struct {
	handle *Session
	root   *node
	id     honeyhive.UUID
	idText string // set for sessions that are recorded or continued
	name   string // at the start, of those that StartSession started
	// sampling is the id by which it is sampled, once somebody asked.
	sampling    trace.TraceID
	askSampling sync.Once
	// remoteParent is the event of another process under which this one's
	// events hang; the nil UUID for the session itself.
	remoteParent honeyhive.UUID
	// plain is set where the root is a span of the plain OpenTelemetry API.
	plain bool
	// original is how such a root names its session, where it is not the id.
	original string
	// continued is set where another process holds the root.
	continued bool
	// unsampledElsewhere is set where that process does not record the session.
	unsampledElsewhere bool

	project, source string
	identity        *identity // for every span of the session that starts from now on

	recorded atomic.Bool // its spans are delivered

	mu       sync.Mutex
	sequence uint32
	waiting  map[*node]struct{} // undecided nodes that run
	all      []child            // every event, where the tracer lists all descendants
	gone     map[spanKey]*node  // events of other tracers that have ended, for late children
	touched  []*node            // nodes that got children after their list was made
	stale    atomic.Bool        // there are such nodes
	usage    usageSum           // the sum over the events of this process
}

// attach puts a node under its parent. Where the parent records nothing its own
// parent takes its place.
func (s *sessionState) attach(n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place(n)
}

// place is attach where the lock is held.
func (s *sessionState) place(n *node) {
	for n.parent.parent != nil && n.parent.rec != nil && n.parent.rec.span == nil {
		n.parent = n.parent.parent
	}
	s.sequence++
	n.sequence, n.says = s.sequence, s.identity
	if n.standing == undecided {
		if s.waiting == nil {
			s.waiting = make(map[*node]struct{})
		}
		s.waiting[n] = struct{}{}
		return
	}
	s.adopt(n)
}

// adopt lists an event as a child. The lock is held.
func (s *sessionState) adopt(n *node) {
	p := n.parent
	for p.standing == leftOut {
		p = p.parent
	}
	s.give(p, n.asChild())
	if n.tracer.allChildren {
		s.all = append(s.all, n.asChild())
	}
}

// give lists children of a node. Whether it has any can be asked without the lock
// when its list is made: then either that sees them, or they see that it was made.
// The lock is held.
func (s *sessionState) give(n *node, children ...child) {
	if !n.hasChildren.Load() {
		n.hasChildren.Store(true)
	}
	n.children = append(n.children, children...)
	s.touch(n)
}

// decide settles an undecided node, by the attributes that it has. The lock is
// held.
func (s *sessionState) decide(n *node, name string, attributes []attribute.KeyValue) {
	delete(s.waiting, n)
	switch keep := n.tracer.keeps(name, attributes); {
	case n.standing == kept:
	case keep:
		// Also where it was left out while it ran: its children stay where they
		// are, but nothing about a model is lost.
		n.standing = kept
		s.adopt(n)
	case n.standing == undecided:
		n.standing = leftOut
		p := n.parent
		for p.standing == leftOut {
			p = p.parent
		}
		if len(n.children) > 0 {
			s.give(p, n.children...)
		}
		n.children = nil
	}
}

// keptParent returns the nearest ancestor that is an event, or the session. It
// decides those that are undecided. The lock is held.
func (s *sessionState) keptParent(n *node) *node {
	p := n.parent
	for p.standing != kept {
		if p.standing == undecided {
			s.decide(p, p.live.Name(), p.live.Attributes())
			continue
		}
		p = p.parent
	}
	return p
}

// bury remembers an event of another tracer that has ended: what starts under it
// later has no other way to find it. The lock is held.
func (s *sessionState) bury(n *node) {
	if s.gone == nil {
		s.gone = make(map[spanKey]*node)
	}
	s.gone[n.key] = n
}

// between returns the node of a span that stands between the scope of a context
// and a new span, or nil.
func (s *sessionState) between(p *processor, k spanKey) *node {
	if n := p.spans.get(k); n != nil {
		if n.session == s {
			return n
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone[k]
}

// touch notes that a node got a child. The lock is held.
func (s *sessionState) touch(n *node) {
	if n.over.Load() {
		s.touched = append(s.touched, n)
		s.stale.Store(true)
	}
}

// settle sends the children of nodes that got some after their list was made. No
// lock is held.
func (s *sessionState) settle() {
	if !s.stale.Load() || !s.stale.Swap(false) {
		return
	}
	s.mu.Lock()
	touched := s.touched
	s.touched = nil
	s.mu.Unlock()
	for _, n := range touched {
		if s.recorded.Load() {
			_ = n.updateChildren() // collectors see who the parent is
		}
	}
}

// decideAll settles what still runs, when the session ends. The lock is held.
func (s *sessionState) decideAll() {
	for n := range s.waiting {
		s.decide(n, n.live.Name(), n.live.Attributes())
	}
}

// idOf returns the event id of a node. The lock is held.
func (s *sessionState) idOf(n *node) honeyhive.UUID {
	switch {
	case n != s.root:
		if n.id.IsZero() {
			n.id = n.asChild().eventID()
		}
		return n.id
	case !s.remoteParent.IsZero():
		return s.remoteParent
	}
	return s.id
}

// textOf returns an id as text: that of the session is there already.
func (s *sessionState) textOf(id honeyhive.UUID) string {
	if id == s.id && s.idText != "" {
		return s.idText
	}
	return id.String()
}

// above returns the id of the event above, or of the session: the nil UUID where
// that is not known. No lock is held.
func (n *node) above() honeyhive.UUID {
	s := n.session
	if s == nil || n.parent == nil {
		return honeyhive.UUID{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.parentID.IsZero() && n.parent.rec != nil { // which is an event from its start
		n.parentID = s.idOf(n.parent)
	}
	return n.parentID
}

// listChildren returns the children of a node that ends. No lock is held.
func (s *sessionState) listChildren(n *node) childList {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == s.root {
		s.decideAll()
	}
	return s.childrenOf(n)
}

// childrenOf returns the children of a node by now. The lock is held.
func (s *sessionState) childrenOf(n *node) childList {
	if n == s.root && n.tracer.allChildren {
		return slices.Clip(s.all)
	}
	return slices.Clip(n.children)
}

// idLength is how long an id is as text.
const idLength = 36

// childList is a list of children that may have grown since. What it holds does
// not change, so no lock is needed to read it.
type childList []child

// ids returns the ids of the children, in the order in which they started.
func (list childList) ids() []string {
	if len(list) == 0 {
		return nil
	}
	order := func(a, b child) int { return cmp.Compare(a.sequence, b.sequence) }
	if !slices.IsSortedFunc(list, order) {
		list = slices.Clone(list)
		slices.SortFunc(list, order)
	}
	// One piece of memory for all ids.
	var text strings.Builder
	text.Grow(idLength * len(list))
	var id [idLength]byte
	for _, c := range list {
		text.Write(c.eventID().Append(id[:0]))
	}
	all := text.String()
	ids := make([]string, len(list))
	for i := range ids {
		ids[i] = all[i*idLength : (i+1)*idLength]
	}
	return ids
}

// keeps reports whether a span of another tracer is an event.
func (t *Tracer) keeps(name string, attributes []attribute.KeyValue) bool {
	if t.filter == nil {
		return convert.Speaks(attributes)
	}
	defer t.guard("span filter")
	return t.filter(name, attributes)
}

// spans are the spans that run, by key.
type spans struct {
	shards [64]struct {
		mu   sync.Mutex
		live map[spanKey]*node
		_    [40]byte // a cache line of its own
	}
}

func (s *spans) shard(k spanKey) int { return int(k.span[7]) % len(s.shards) }

// add reports whether the span was not there yet.
func (s *spans) add(k spanKey, n *node) bool {
	sh := &s.shards[s.shard(k)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, ok := sh.live[k]; ok {
		return false
	}
	if sh.live == nil {
		sh.live = make(map[spanKey]*node)
	}
	sh.live[k] = n
	return true
}

func (s *spans) get(k spanKey) *node {
	sh := &s.shards[s.shard(k)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.live[k]
}

// swap puts another node in the place of one, and reports whether that was still
// there.
func (s *spans) swap(from, to *node) bool {
	sh := &s.shards[s.shard(from.key)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.live[from.key] != from {
		return false
	}
	sh.live[from.key] = to
	return true
}

// outside returns the spans of a trace that run outside of any session.
func (s *spans) outside(t trace.TraceID) map[spanKey]*node {
	found := make(map[spanKey]*node)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for k, n := range sh.live {
			if k.trace == t && n.session == nil && !n.others {
				found[k] = n
			}
		}
		sh.mu.Unlock()
	}
	return found
}

func (s *spans) remove(k spanKey) *node {
	sh := &s.shards[s.shard(k)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	n := sh.live[k]
	delete(sh.live, k)
	return n
}
