package tree

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Ref names an event, or a session, whose id is derived when somebody asks. The
// zero Ref names none.
type Ref struct {
	id   [16]byte // the trace id, or the id itself where span is zero
	span trace.SpanID
}

// ID returns the id.
func (r Ref) ID() honeyhive.UUID {
	if r.span == (trace.SpanID{}) {
		return r.id
	}
	return honeyhive.EventID(r.id, r.span)
}

// Ref names the event of the node, or the session of a root.
func (n *Node) Ref() Ref {
	switch {
	case n.IsRoot():
		return Ref{id: n.Session.ID}
	case !n.Chosen.IsZero():
		return Ref{id: n.Chosen}
	}
	return Ref{n.Key.Trace, n.Key.Span}
}

// asParent names what the children of the node hang on.
func (n *Node) asParent() Ref {
	if n.IsRoot() && !n.Session.RemoteParent.IsZero() {
		return Ref{id: n.Session.RemoteParent}
	}
	return n.Ref()
}

// KnownParent names what the node hangs on, where that is known without asking
// anybody; else it returns the zero Ref.
func (n *Node) KnownParent() Ref {
	s := n.Session
	if s == nil || n.parent == nil {
		return Ref{}
	}
	if n.parent.Own {
		return n.parent.asParent()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.parent.standing != kept {
		return Ref{}
	}
	return n.parent.asParent()
}

// AboveElsewhere returns what hangs on the node in another process: the id of its
// event, or of the nearest above it that is recorded; the nil UUID where that is
// the session.
func (n *Node) AboveElsewhere() honeyhive.UUID {
	s := n.Session
	s.mu.Lock()
	defer s.mu.Unlock()
	for n != s.Root && n.sequence == 0 {
		n = n.parent
	}
	if n == s.Root {
		return s.RemoteParent
	}
	return n.Ref().ID()
}

// child is a child of a node, kept small: a session may have very many.
type child struct {
	Ref
	sequence uint32
}

func (n *Node) asChild() child { return child{n.Ref(), n.sequence} }

// Children are the children of a node that had ended, or was asked, at a time. The
// zero Children are none.
type Children struct {
	list  []child
	named []string
}

// Len returns how many there are.
func (c Children) Len() int { return len(c.list) + len(c.named) }

// idLength is how long an id is as text.
const idLength = 36

// IDs returns the ids of the children, in the order in which they started, and then
// those that the user named.
func (c Children) IDs() []string {
	if c.Len() == 0 {
		return nil
	}
	list := c.list
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
		text.Write(c.ID().Append(id[:0]))
	}
	all := text.String()
	ids := make([]string, len(list), c.Len())
	for i := range ids {
		ids[i] = all[i*idLength : (i+1)*idLength]
	}
	return append(ids, c.named...)
}

// childrenOf returns the children of a node by now. The lock is held.
func (t *Tree) childrenOf(n *Node) Children {
	c := Children{slices.Clip(n.children), slices.Clip(n.named)}
	if n.IsRoot() && t != nil && t.AllDescendants {
		c.list = slices.Clip(n.Session.all)
	}
	return c
}

// List makes the list of the children of a node that ends. Where the node is a
// session, all that still runs in it is decided.
func (t *Tree) List(n *Node) Children {
	s := n.Session
	if s == nil {
		outside.Lock()
		defer outside.Unlock()
		return Children{named: slices.Clip(n.named)}
	}
	s.mu.Lock()
	if n == s.Root {
		t.decideAll(s)
	}
	n.listed = true
	c := t.childrenOf(n)
	s.unlock(t)
	return c
}

// outside guards the children that users name for events outside of sessions.
var outside sync.Mutex

// AddNamed adds ids of children that no span of this process stands for. The result
// tells whether the list of children was made already and Late was not told of the node
// since; the node then counts as told.
func (n *Node) AddNamed(ids []string) (late bool) {
	s := n.Session
	if s == nil {
		outside.Lock()
		defer outside.Unlock()
		n.named = append(n.named, ids...)
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n.named = append(n.named, ids...)
	return (n.listed || s.Continued && n == s.Root) && s.markLate(n)
}

// LateChildren returns the children of a node by now, where more came after the
// list was made. Of a session that another process holds they are those that the
// user named here: its events of this process hang on it by parent_id.
func (t *Tree) LateChildren(n *Node) Children {
	s := n.Session
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.late, n)
	if n == s.Root && s.Continued {
		return Children{named: slices.Clip(n.named)}
	}
	return t.childrenOf(n)
}
