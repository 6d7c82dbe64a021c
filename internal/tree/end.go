package tree

import (
	"github.com/sessionspan/sessionspan/internal/money"
	"github.com/sessionspan/sessionspan/internal/tokens"
)

// End is what the tree knows of a span that has ended.
type End struct {
	Event    bool // the span is an event, or the session itself
	Parent   Ref  // what it hangs on; zero for a session
	Children Children
	Usage    tokens.Usage   // of a session of the plain OpenTelemetry API: that of its events
	Costs    []money.Amount // the same
}

// Remove takes out a span that has ended, and returns its node and what ran: nil for
// one whose start was not seen, or that was forgotten.
func (t *Tree) Remove(k Key) (n *Node, live Live) {
	if n = t.running.remove(k); n == nil {
		return nil, nil
	}
	live = n.live
	if n.Own && n.Session != nil {
		n.live = nil // which nobody else looks at
	}
	return n, live
}

// EndOwn settles the place of a span of ours that was taken out. Its list of
// children was made by List.
func (t *Tree) EndOwn(n *Node) (parent Ref) {
	s := n.Session
	if s == nil {
		return Ref{}
	}
	switch {
	case n == s.Root:
		t.setRunning(n, false)
		return Ref{}
	case n.parent.Own:
		return n.parent.asParent() // which is an event from its start
	}
	s.mu.Lock()
	parent = t.keptParent(n).asParent()
	s.unlock(t)
	return parent
}

// EndForeign settles the place of a span of another tracer that was taken out, or
// the root of a session that was made by the plain OpenTelemetry API. usage and
// cost are what it says it used and cost, or nil.
func (t *Tree) EndForeign(n *Node, live Live, usage *tokens.Usage, cost *money.Amount) (e End) {
	s := n.Session
	keep := n != s.Root && t.Keep(live, true)
	s.mu.Lock()
	defer func() {
		n.live = nil
		s.unlock(t)
	}()
	n.listed = true
	if n == s.Root {
		t.decideAll(s)
		return End{Event: true, Children: t.childrenOf(n), Usage: s.usage.Usage(), Costs: s.costs.Amounts()}
	}
	t.decide(n, keep)
	if n.standing != kept {
		return End{}
	}
	s.ended.add(n)
	if usage != nil {
		s.count(n, *usage)
	}
	if cost != nil {
		s.charge(n, *cost)
	}
	return End{Event: true, Children: t.childrenOf(n), Parent: t.keptParent(n).asParent()}
}
