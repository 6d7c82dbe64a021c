package tree

import "github.com/sessionspan/sessionspan/internal/tokens"

// This file adds up the tokens of a session. An agent may say how many its run
// took, and so may each call of a model below it: then only the calls count. So a
// node counts as long as nothing below it does.

// countedBelow marks a node below which something adds to the usage of the session,
// so that the node must not.
var countedBelow = new(tokens.Usage)

// Count makes u the usage of an event, in place of what it said before. Its counts
// must not be below zero.
func (n *Node) Count(u tokens.Usage) {
	s := n.Session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(n, u)
}

func (s *Session) count(n *Node, u tokens.Usage) {
	if n == s.Root || n.counted == countedBelow {
		return
	}
	s.discount(n)
	n.counted = s.usage.Add(u)
	for p := n.parent; p != nil && p.counted != countedBelow; p = p.parent {
		s.discount(p)
		p.counted = countedBelow
	}
}

// discount takes a node out of the sum.
func (s *Session) discount(n *Node) {
	if n.counted != nil {
		s.usage.Remove(n.counted)
		n.counted = nil
	}
}

// Usage returns what the events of the session used together.
func (s *Session) Usage() tokens.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage.Usage()
}
