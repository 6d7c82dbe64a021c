// Package bodies reads the events of a session with their bodies, a few at a time:
// a session may be larger than the memory of the machine.
package bodies

import (
	"context"
	"iter"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Bounds of what is read at once.
const (
	most      = 100
	mostBytes = 1 << 20
)

// Of walks the events of a session as [store.Store.EventBodies] does. What it holds
// of them at once has up to a megabyte, or is one event.
func Of(ctx context.Context, s store.Store, session honeyhive.UUID) iter.Seq2[store.Event, error] {
	return func(yield func(store.Event, error) bool) {
		var group group
		for row, err := range s.Events(ctx, session, store.EventQuery{}) {
			if err != nil {
				yield(store.Event{}, err)
				return
			}
			if group.n > 0 && (group.n == most || group.bytes+row.Bytes > mostBytes) && !group.read(ctx, s, session, yield) {
				return
			}
			group.n, group.bytes, group.last = group.n+1, group.bytes+row.Bytes, row.Seq
		}
		if group.n > 0 {
			group.read(ctx, s, session, yield)
		}
	}
}

// group is a row of events that are read at once.
type group struct {
	after, last int64 // the sequence numbers before it and at its end
	n           int
	bytes       int64
}

// read reads the group and begins the next one. An event that changes meanwhile
// comes later, under its new number.
func (g *group) read(ctx context.Context, s store.Store, session honeyhive.UUID, yield func(store.Event, error) bool) bool {
	for e, err := range s.EventBodies(ctx, session, store.EventQuery{After: g.after, Limit: g.n}) {
		if err == nil && e.Seq > g.last {
			break
		}
		if !yield(e, err) || err != nil {
			return false
		}
	}
	*g = group{after: g.last}
	return true
}
