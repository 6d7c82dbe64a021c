// Package tree keeps, while they run, which spans are events of a session and what
// hangs on what.
//
// A span of this library is an event from its start. A span of another tracer is
// one if [Config.Keep] says so, which is often known only when more of its
// attributes are there; until then it is undecided, and what hangs on it waits with
// it. It is decided when the first of its children ends, when it ends itself, or
// when the session does, whichever comes first. What hangs on a span that is left
// out hangs on its nearest ancestor that is kept.
//
// # Locks
//
// Each session has a lock, which guards the nodes of the session. The functions of
// the [Config] are called with no lock held, since they may use the session.
package tree

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/money"
	"github.com/sessionspan/sessionspan/internal/tokens"
)

// Key identifies a span in every trace.
type Key struct {
	Trace trace.TraceID
	Span  trace.SpanID
}

// KeyOf returns the key of a span.
func KeyOf(sc trace.SpanContext) Key { return Key{sc.TraceID(), sc.SpanID()} }

// Live is a span that runs, as the tree looks at it.
type Live interface {
	Parent() trace.SpanContext
	Name() string
	StartTime() time.Time
	Attributes() []attribute.KeyValue
}

// Config is what a tree asks of its tracer, without holding a lock.
type Config struct {
	// Keep reports whether a span of another tracer, in a session, is an event. It is
	// asked when the span starts, where it may leave that open by false, and with
	// final set when it is to be decided.
	Keep func(live Live, final bool) bool
	// Root returns what a span says of the session that it is the root of, or nil
	// where it says nothing of the kind.
	Root func(k Key, name string, attributes []attribute.KeyValue) *Plain
	// Opened is told of sessions that were made by the plain OpenTelemetry API,
	// when the root is found.
	Opened func(root *Node, live Live)
	// Late is told of a node that got children after its list was made. It should
	// call [Tree.LateChildren], once for each call of Late.
	Late func(n *Node)
	// Forgot is told of spans that were forgotten; see [Limits].
	Forgot func(n *Node)
	// AllDescendants lists all events of a session as children of the session.
	AllDescendants bool
	Limits         Limits
}

// Tree is the trees of all sessions of a tracer. Its methods are safe for
// concurrent use.
type Tree struct {
	Config
	running running

	mu       sync.Mutex
	sessions map[honeyhive.UUID]*Node // roots of handles that run; the newest where one id runs twice
}

// New returns a tree without any session.
func New(c Config) *Tree {
	t := &Tree{Config: c}
	t.running.limits = c.Limits.withDefaults()
	return t
}

// Plain is what a span says of the session that it is the root of, where that was
// made by the plain OpenTelemetry API.
type Plain struct {
	ID              honeyhive.UUID
	Project, Source string
	Original        string // how it names the session, where that is not the id
}

// Identity is what the spans of a session say of it.
type Identity struct {
	Session         honeyhive.UUID
	Text            string // of the id
	Project, Source string
	Continued       bool           // another process holds the root
	Turn            honeyhive.UUID // the event of the turn that the spans are part of; nil outside of turns
	Name            string         // of the session, in a turn
}

// Session is what the nodes of a session share.
type Session struct {
	Root *Node
	ID   honeyhive.UUID
	// RemoteParent is the event of another process under which the events of this
	// one hang; the nil UUID for the session itself.
	RemoteParent honeyhive.UUID
	// Plain is set where the root is a span of the plain OpenTelemetry API.
	Plain *Plain
	// Continued is set where another process holds the root, UnsampledElsewhere
	// where that does not record the session.
	Continued, UnsampledElsewhere bool
	// NoContent is set where no content of the session is to leave the program.
	NoContent bool

	// Turn is the event of this process that all of its events of the session hang on,
	// which is known when its span has started; the nil UUID outside of turns.
	Turn honeyhive.UUID
	// Name is what the session is called, in a turn.
	Name string

	// identity is that of the spans that start from now on. It is nil while the
	// session is not recorded.
	identity atomic.Pointer[Identity]

	mu          sync.Mutex
	sequence    uint32
	waiting     map[*Node]struct{} // undecided nodes that run
	all         []child            // every event, where the tree lists all descendants
	ended       endedNodes         // events of other tracers, for late children
	lateParents []*Node            // nodes that got children after their list was made
	late        map[*Node]struct{} // nodes of which Late was told and LateChildren was not asked
	usage       tokens.Sum         // the sum over the events of this process
	costs       money.Sums         // the same, by currency
}

// Group names what the spans and updates of the session are delivered after: the event
// of the turn, or the session.
func (s *Session) Group() honeyhive.UUID {
	if !s.Turn.IsZero() {
		return s.Turn
	}
	return s.ID
}

// Identity returns what the spans say that start from now on: nil while the session
// is not recorded.
func (s *Session) Identity() *Identity { return s.identity.Load() }

// Recorded reports whether the spans of the session are delivered.
func (s *Session) Recorded() bool { return s.identity.Load() != nil }

// Record makes the spans of the session be delivered, with the given project and
// source from now on.
func (s *Session) Record(project, source string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &Identity{Session: s.ID, Project: project, Source: source, Continued: s.Continued, Turn: s.Turn, Name: s.Name}
	if before := s.identity.Load(); before != nil {
		next.Text = before.Text
	} else {
		next.Text = s.ID.String()
	}
	s.identity.Store(next)
}

// standing says whether a node is an event.
type standing uint8

const (
	kept standing = iota
	undecided
	leftOut
)

// Node is the place of a span in the tree: of a session, of an event of ours, or of
// a span of another tracer. It is apart from the handle of a session or event, so
// that children which run do not keep that.
type Node struct {
	Session *Session       // nil outside a session
	Key     Key            // zero until the span starts
	Chosen  honeyhive.UUID // the id that the user chose for the event
	// Own is set for the spans of sessions and events of this library.
	Own bool
	// Owner is set where another tracer delivers the span.
	Owner Owner

	parent   *Node // nil for the session itself and outside a session
	live     Live  // while the span runs
	identity *Identity

	// Guarded by the lock of the session.
	standing standing
	listed   bool // the list of children was made
	sequence uint32
	children []child
	named    []string // children that the user named
	tally    *tally   // what the node counts; nil where that is nothing
}

// Owner is who delivers a span, seen from another tracer on the provider.
type Owner interface{ Owner() }

// Begin makes a zero session one of ours, whose root is the given node.
func (s *Session) Begin(root *Node, id honeyhive.UUID) {
	s.Root, s.ID = root, id
	root.Session, root.Own = s, true
}

// Below makes a node the place of an event of ours under another, or outside of
// any session where that is nil.
func (n *Node) Below(parent *Node) {
	n.Own = true
	if parent != nil && parent.Session != nil {
		n.parent, n.Session = parent, parent.Session
	}
}

// IsRoot reports whether the node is that of the session itself.
func (n *Node) IsRoot() bool { return n.Session != nil && n == n.Session.Root }

// IsTurn reports whether the node is that of a turn.
func (n *Node) IsTurn() bool {
	return n.Session != nil && !n.Session.Turn.IsZero() && n.parent == n.Session.Root && n.Ref().ID() == n.Session.Turn
}

// Identity returns what the span says of its session; nil outside of one.
func (n *Node) Identity() *Identity { return n.identity }

// Live returns the span while it runs.
func (n *Node) Live() Live { return n.live }

// Running returns the root of a session of a handle that runs, or nil.
func (t *Tree) Running(id honeyhive.UUID) *Node {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[id]
}

func (t *Tree) setRunning(n *Node, runs bool) {
	if !n.Own {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch id := n.Session.ID; {
	case runs && t.sessions == nil:
		t.sessions = map[honeyhive.UUID]*Node{id: n}
	case runs:
		t.sessions[id] = n
	case t.sessions[id] == n:
		delete(t.sessions, id)
	}
}

// StartOwn takes in the span of a session or event of ours, and reports whether it
// was not there yet.
func (t *Tree) StartOwn(n *Node, live Live) bool {
	if n.live == nil {
		n.live = live
	}
	if !t.add(n) {
		return false
	}
	s := n.Session
	switch {
	case s == nil:
		return true
	case n == s.Root:
		n.identity = s.Identity()
		t.setRunning(n, true)
		return true
	}
	// A span of another tracer may stand between the event and its scope.
	if above := KeyOf(live.Parent()); above != n.parent.Key {
		if between := t.between(s, above); between != nil {
			n.parent = between
		}
	}
	t.attach(n)
	return true
}

// Return takes in a span of ours again, where it was forgotten: it is about to end.
func (t *Tree) Return(n *Node) {
	if t.running.forgotten.Load() > 0 {
		t.add(n)
	}
}

// StartElsewhere takes in a span that another tracer delivers.
func (t *Tree) StartElsewhere(k Key, owner Owner, live Live) {
	t.add(&Node{Key: k, Owner: owner, live: live})
}

// nobody is the owner of spans of other tracers in sessions that another tracer
// delivers.
type nobody struct{}

func (nobody) Owner() {}

// StartForeign takes in a span of another tracer. scope is the place that the
// context names, or nil; elsewhere says that this is one of another tracer of ours.
// StartForeign returns the node where the span is to say of which session it is, else nil.
func (t *Tree) StartForeign(k Key, scope *Node, elsewhere bool, live Live) *Node {
	n := &Node{Key: k, live: live}
	name, attributes := live.Name(), live.Attributes()
	if plain := t.Root(k, name, attributes); plain != nil {
		n.plainRoot(plain)
		if t.add(n) {
			t.Opened(n, live)
		}
		return nil
	}
	above := KeyOf(live.Parent())
	running := t.running.get(above)
	switch {
	case scope != nil && scope.Session != nil && !elsewhere:
		if n.parent = scope; above != scope.Key {
			if between := t.between(scope.Session, above); between != nil {
				n.parent = between
			}
		}
	case scope != nil && scope.Session != nil:
		n.Owner = nobody{}
	case running == nil:
	case running.Session != nil: // the context was lost, the parent was not
		n.parent = running
	case running.Owner != nil:
		n.Owner = nobody{}
	case t.Keep(live, false):
		n.parent = t.sessionAbove(above)
	}
	if n.parent != nil {
		n.Session = n.parent.Session
		if n.standing = undecided; t.Keep(live, false) {
			n.standing = kept
		}
	}
	if !t.add(n) || n.Session == nil || !n.Session.Recorded() {
		return nil
	}
	t.attach(n)
	return n
}

func (t *Tree) add(n *Node) bool {
	added, forgotten := t.running.add(n)
	for _, f := range forgotten {
		t.forget(f)
	}
	return added
}

// attach puts a node under its parent. Where that is of no span that is recorded,
// the next one above takes its place.
func (t *Tree) attach(n *Node) {
	s := n.Session
	s.mu.Lock()
	t.place(n)
	s.unlock(t)
}

// place is attach where the lock is held.
func (t *Tree) place(n *Node) {
	s := n.Session
	for n.parent.parent != nil && n.parent.sequence == 0 {
		n.parent = n.parent.parent
	}
	s.sequence++
	n.sequence, n.identity = s.sequence, s.Identity()
	if n.standing == undecided {
		if s.waiting == nil {
			s.waiting = make(map[*Node]struct{})
		}
		s.waiting[n] = struct{}{}
		return
	}
	t.adopt(n)
}

// adopt lists an event as a child. The lock is held.
func (t *Tree) adopt(n *Node) {
	s, p := n.Session, n.parent
	for p.standing == leftOut {
		p = p.parent
	}
	s.addChildren(p, n.asChild())
	if t.AllDescendants {
		s.all = append(s.all, n.asChild())
	}
}

// addChildren lists children of a node. The lock is held.
func (s *Session) addChildren(n *Node, children ...child) {
	n.children = append(n.children, children...)
	if n.listed {
		s.lateParents = append(s.lateParents, n)
	}
}

// unlock lets go of the lock, and tells of nodes that got children after their list
// was made. Late is told of each once, until it asks for the list.
func (s *Session) unlock(t *Tree) {
	if len(s.lateParents) == 0 {
		s.mu.Unlock()
		return
	}
	lateParents := s.lateParents
	s.lateParents = nil
	if !s.Recorded() {
		lateParents = nil
	}
	lateParents = slices.DeleteFunc(lateParents, func(n *Node) bool { return !s.markLate(n) })
	s.mu.Unlock()
	for _, n := range lateParents {
		t.Late(n)
	}
}
