package read

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Children returns the events of a session by what they hang on, in the order of their
// starts. Of two that started in one millisecond the one that took fewer of them is the
// first: a tool that ran at once is called before the model is asked again. One whose
// parent is not known hangs on the session, as do those that hang on each other in a
// circle.
func Children(ctx context.Context, s store.Store, session honeyhive.UUID) (map[honeyhive.UUID][]honeyhive.UUID, error) {
	parents := make(map[honeyhive.UUID]honeyhive.UUID)
	type times struct{ start, duration float64 }
	at := make(map[honeyhive.UUID]times)
	var order []honeyhive.UUID
	for e, err := range s.Events(ctx, session, store.EventQuery{}) {
		if err != nil {
			return nil, err
		}
		if _, again := parents[e.ID]; !again {
			order = append(order, e.ID)
		}
		parents[e.ID] = e.Parent
		at[e.ID] = times{e.Start.Or(math.Inf(1)), math.Floor(e.Duration.Or(math.Inf(1)))}
	}
	slices.SortStableFunc(order, func(a, b honeyhive.UUID) int {
		return cmp.Or(cmp.Compare(at[a].start, at[b].start), cmp.Compare(at[a].duration, at[b].duration), bytes.Compare(a[:], b[:]))
	})
	above := func(id honeyhive.UUID) honeyhive.UUID {
		parent := parents[id]
		if _, known := parents[parent]; known {
			return parent
		}
		return session
	}
	reaches := map[honeyhive.UUID]bool{session: true} // events that hang on the session
	for _, id := range order {
		var path []honeyhive.UUID
		seen := make(map[honeyhive.UUID]bool)
		at := id
		for ; !reaches[at] && !seen[at]; at = above(at) {
			seen[at] = true
			path = append(path, at)
		}
		if !reaches[at] {
			parents[at] = session
		}
		for _, p := range path {
			reaches[p] = true
		}
	}
	children := make(map[honeyhive.UUID][]honeyhive.UUID)
	for _, id := range order {
		children[above(id)] = append(children[above(id)], id)
	}
	return children, nil
}

// A Node is an event in the tree of its session.
type Node struct {
	store.EventRow
	Depth int // 0 hangs on the session
	// Children is how many events hang on it directly.
	Children int
}

// Tree returns a part of the events of a session, in the order in which a tree is read
// from its top: limit of them after the first offset. total is how many there are.
func Tree(ctx context.Context, s store.Store, session honeyhive.UUID, offset, limit int) (list []Node, total int, err error) {
	children, err := Children(ctx, s, session)
	if err != nil {
		return nil, 0, err
	}
	at := make(map[honeyhive.UUID]int) // the place in list
	type open struct {
		children []honeyhive.UUID
		next     int
	}
	// A stack of its own, since a session may be as deep as its author likes.
	for stack := []open{{children: children[session]}}; len(stack) > 0; {
		top := &stack[len(stack)-1]
		if top.next == len(top.children) {
			stack = stack[:len(stack)-1]
			continue
		}
		id := top.children[top.next]
		top.next++
		if total >= offset && len(list) < limit {
			at[id] = len(list)
			list = append(list, Node{Depth: len(stack) - 1, Children: len(children[id])})
		}
		total++
		stack = append(stack, open{children: children[id]})
	}
	if len(list) == 0 {
		return nil, total, nil
	}
	for e, err := range s.Events(ctx, session, store.EventQuery{}) {
		if err != nil {
			return nil, 0, err
		}
		if n, ok := at[e.ID]; ok {
			list[n].EventRow = e
		}
	}
	return list, total, nil
}
