package tree

import (
	"maps"
	"slices"
)

// This file finds sessions that were made by the plain OpenTelemetry API. Such a
// span may say that it is the root of a session, or which session it belongs to,
// only after it started. So a span outside of any session is looked at again:
// its running ancestors when a span starts or ends that would be an event, and
// itself when it ends. When a root is found, the spans that run under it join its
// session; what has ended by then is gone, but for spans that name their session
// themselves.

// mostAbove bounds how far up a root is looked for.
const mostAbove = 1 << 10

// plainRoot makes a node the root of a session of its own.
func (n *Node) plainRoot(p *Plain) {
	n.Session = &Session{Root: n, ID: p.ID, Plain: p}
	n.Session.Record(p.Project, p.Source)
	n.identity = n.Session.Identity()
}

// EndOutside looks again at a span that has ended outside of any session, and
// returns its place in one after all, or nil.
func (t *Tree) EndOutside(n *Node, live Live) *Node {
	if plain := t.Root(n.Key, live.Name(), live.Attributes()); plain != nil {
		root := &Node{Key: n.Key, Own: n.Own, live: live}
		root.plainRoot(plain)
		// What its children cause from now on waits for it.
		t.Opened(root, live)
		t.gather(root, nil)
		return root
	}
	if n.Own || !t.Keep(live, true) {
		return nil
	}
	above := t.sessionAbove(KeyOf(live.Parent()))
	if above == nil || !above.Session.Recorded() {
		return nil
	}
	joined := &Node{Key: n.Key, Session: above.Session, parent: above, live: live}
	t.attach(joined)
	return joined
}

// sessionAbove returns the nearest running span, from k upwards, that is part of a
// session, or nil. A span outside of any session becomes the root of one where
// its attributes say so by now.
func (t *Tree) sessionAbove(k Key) *Node {
	n := t.running.get(k)
	for range mostAbove {
		switch {
		case n == nil || n.Owner != nil:
			return nil
		case n.Session != nil:
			return n
		}
		if !n.Own {
			if plain := t.Root(n.Key, n.live.Name(), n.live.Attributes()); plain != nil {
				t.promote(n, plain)
				n = t.running.get(k) // what runs in between has joined it
				if n != nil && n.Session == nil {
					return nil
				}
				continue
			}
		}
		n = t.running.get(KeyOf(n.live.Parent()))
	}
	return nil
}

// AnyAbove reports whether any running span from k upwards is one that says something,
// as is tells.
func (t *Tree) AnyAbove(k Key, is func(Live) bool) bool {
	n := t.running.get(k)
	for range mostAbove {
		if n == nil || n.live == nil {
			return false
		}
		if is(n.live) {
			return true
		}
		n = t.running.get(KeyOf(n.live.Parent()))
	}
	return false
}

// Top returns the topmost span that runs from k upwards, or the zero key where none does.
// Nothing above the root of a session counts.
func (t *Tree) Top(k Key) (top Key) {
	n := t.running.get(k)
	for range mostAbove {
		if n == nil {
			break
		}
		top = n.Key
		if s := n.Session; s != nil { // whose spans let go of what ran when they end
			if root := s.Root.Key; t.Runs(root) {
				top = root
			}
			break
		}
		n = t.running.get(KeyOf(n.live.Parent()))
	}
	return top
}

// Runs reports whether a span runs.
func (t *Tree) Runs(k Key) bool { return t.running.get(k) != nil }

// promote makes a running span the root of a session.
func (t *Tree) promote(n *Node, plain *Plain) {
	root := &Node{Key: n.Key, live: n.live}
	root.plainRoot(plain)
	if t.gather(root, n) {
		t.Opened(root, n.live)
	}
}

// candidate is a span outside of any session that may join one.
type candidate struct {
	node *Node
	root bool // it says that it is one of its own
	keep bool
}

// gather puts the spans that run under a root into its session. The root takes the
// place of another node, if one is given: it reports false, and does nothing, where
// the span has ended.
func (t *Tree) gather(root, instead *Node) bool {
	outside := make(map[Key]*candidate)
	for k, n := range t.running.outside(root.Key.Trace) {
		c := &candidate{node: n}
		if !n.Own {
			c.root, c.keep = t.Root(k, n.live.Name(), n.live.Attributes()) != nil, t.Keep(n.live, false)
		}
		outside[k] = c
	}
	s := root.Session
	s.mu.Lock() // until all have joined none of them can end
	defer s.unlock(t)
	if instead != nil && !t.running.swap(instead, root) {
		return false
	}
	places := map[Key]*Node{root.Key: root}
	var place func(k Key) *Node
	place = func(k Key) *Node {
		if there, ok := places[k]; ok {
			return there
		}
		c := outside[k]
		if c == nil {
			return nil
		}
		places[k] = nil
		if c.root {
			return nil
		}
		n := c.node
		above := place(KeyOf(n.live.Parent()))
		if places[k] = above; above == nil || n.Own {
			return above
		}
		joined := &Node{Key: k, live: n.live, Session: s, parent: above, standing: undecided}
		if c.keep {
			joined.standing = kept
		}
		if t.running.swap(n, joined) { // it still runs
			t.place(joined)
			places[k] = joined
		}
		return places[k]
	}
	inOrder := slices.SortedFunc(maps.Values(outside), func(a, b *candidate) int {
		return a.node.live.StartTime().Compare(b.node.live.StartTime())
	})
	for _, c := range inOrder {
		place(c.node.Key)
	}
	return true
}
