package tree

// markLate notes that the children of a node are to be asked for again, and reports
// whether that was not so already. The lock is held.
func (s *Session) markLate(n *Node) bool {
	if _, waits := s.late[n]; waits {
		return false
	}
	if s.late == nil {
		s.late = make(map[*Node]struct{})
	}
	s.late[n] = struct{}{}
	return true
}

// decide settles a node, for which Keep said keep. The lock is held.
func (t *Tree) decide(n *Node, keep bool) {
	s := n.Session
	delete(s.waiting, n)
	switch {
	case n.standing == kept:
	case keep:
		// Also where it was left out while it ran: its children stay where they are,
		// but nothing about a model is lost.
		n.standing = kept
		t.adopt(n)
	case n.standing == undecided:
		n.standing = leftOut
		p := n.parent
		for p.standing == leftOut {
			p = p.parent
		}
		if len(n.children) > 0 {
			s.addChildren(p, n.children...)
		}
		n.children = nil
	}
}

// keptParent returns the nearest ancestor that is an event, or the session, and
// decides those that are undecided. The lock is held, but not while Keep is asked.
func (t *Tree) keptParent(n *Node) *Node {
	p := n.parent
	for p.standing != kept {
		if p.standing == undecided {
			t.ask(n.Session, p)
			continue
		}
		p = p.parent
	}
	return p
}

// ask decides a node that is undecided. The lock is held, but not while Keep is
// asked.
func (t *Tree) ask(s *Session, n *Node) {
	live := n.live
	s.mu.Unlock()
	keep := t.Keep(live, true)
	s.mu.Lock()
	if n.standing == undecided {
		t.decide(n, keep)
	}
}

// decideAll settles what still runs, when the session ends. The lock is held, but
// not while Keep is asked.
func (t *Tree) decideAll(s *Session) {
	for {
		var next *Node
		for n := range s.waiting {
			next = n
			break
		}
		if next == nil {
			return
		}
		t.ask(s, next)
	}
}

// between returns the node of a span that stands between a scope and a new span, or
// nil.
func (t *Tree) between(s *Session, k Key) *Node {
	if n := t.running.get(k); n != nil {
		if n.Session == s {
			return n
		}
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended.get(k)
}
