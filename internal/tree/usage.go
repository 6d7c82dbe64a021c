package tree

import (
	"github.com/sessionspan/sessionspan/internal/money"
	"github.com/sessionspan/sessionspan/internal/tokens"
)

// This file counts the tokens of a session once, each of the counts by itself. An agent
// may say how many its run took, and so may each call of a model below it: a node counts
// the larger of what it says itself and of what the nodes directly below it count
// together, and the session what those directly below it do.

// tally is what a node counts.
type tally struct {
	own   tokens.Usage
	below *tokens.Sum             // of the nodes directly below; nil where none counts
	costs map[string]*money.Tally // by currency
}

// count returns the larger of both, count by count.
func (t *tally) count() tokens.Usage {
	if t == nil {
		return tokens.Usage{}
	}
	u := t.own
	if t.below != nil {
		u = u.Larger(t.below.Usage())
	}
	return u
}

// Count makes u the usage of an event, in place of what it said before. Its counts
// must not be below zero.
func (n *Node) Count(u tokens.Usage) {
	s := n.Session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(n, u)
}

func (s *Session) count(n *Node, u tokens.Usage) {
	if n == s.Root {
		return
	}
	before := n.tally.count()
	if n.tally == nil {
		n.tally = new(tally)
	}
	n.tally.own = u.WithTotal()
	for after := n.tally.count(); n != s.Root && after != before; {
		above := n.parent
		if above == s.Root {
			s.usage.Replace(before, after)
			return
		}
		wasAbove := above.tally.count()
		if above.tally == nil {
			above.tally = new(tally)
		}
		if above.tally.below == nil {
			above.tally.below = new(tokens.Sum)
		}
		above.tally.below.Replace(before, after)
		n, before, after = above, wasAbove, above.tally.count()
	}
}

// Usage returns what the node counts.
func (n *Node) Usage() tokens.Usage {
	s := n.Session
	s.mu.Lock()
	defer s.mu.Unlock()
	return n.tally.count()
}

// Usage returns what the events of the session used together.
func (s *Session) Usage() tokens.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage.Usage()
}
