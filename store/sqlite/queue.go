package sqlite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// To write a large record takes as long as it is, whatever is written of it. So what
// waits to be written of one record, of one batch or of many callers, is written as one:
// many small updates cost two or three times what one does. A goroutine writes while
// there is something to, one record after the other, so that the memory which that
// takes is needed once.

// queue holds what waits to be written of large records.
type queue struct {
	mu      sync.Mutex
	waiting []*largeWrite
	running bool // a goroutine writes
}

// largeWrite is what one caller writes of one record.
type largeWrite struct {
	ctx    context.Context //nolint:containedctx // of the caller, who may leave while others wait for the same
	writes []record.Incoming
	result chan error
}

// writeLarge writes what is about one record that is large, with what others write of
// it meanwhile.
func (s *Store) writeLarge(ctx context.Context, writes []record.Incoming) error {
	r := &largeWrite{ctx, writes, make(chan error, 1)}
	if err := s.enqueue(r); err != nil {
		return err
	}
	select {
	case err := <-r.result:
		return err
	case <-ctx.Done():
		s.queue.remove(r)
		return ctx.Err()
	case <-s.closed:
		return store.ErrClosed
	}
}

// enqueue adds to the queue, and starts the goroutine where none runs.
func (s *Store) enqueue(r *largeWrite) error {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	if !s.queue.running {
		ctx, done, err := s.reading(context.WithoutCancel(r.ctx))
		if err != nil {
			return err
		}
		s.queue.running = true
		go func() {
			defer done()
			for group := s.queue.next(); group != nil; group = s.queue.next() {
				s.writeGroup(ctx, group)
			}
		}()
	}
	s.queue.waiting = append(s.queue.waiting, r)
	return nil
}

// next takes what waits first, and what else does of the same record, as much as goes
// into one transaction. It returns nil where nothing waits; then the goroutine must end.
func (q *queue) next() (group []*largeWrite) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.running = false
		return nil
	}
	id, n := q.waiting[0].writes[0].ID, 0
	q.waiting = slices.DeleteFunc(q.waiting, func(r *largeWrite) bool {
		if r.writes[0].ID != id || n > 0 && n+len(r.writes) > stepWrites {
			return false
		}
		group, n = append(group, r), n+len(r.writes)
		return true
	})
	return group
}

// remove takes back what is not being written yet.
func (q *queue) remove(r *largeWrite) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(other *largeWrite) bool { return other == r })
}

// writeGroup writes what callers ask for, until all of them have left, and tells each
// what came of its own.
func (s *Store) writeGroup(ctx context.Context, group []*largeWrite) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var left atomic.Int64
	left.Store(int64(len(group)))
	var writes []record.Incoming
	for _, r := range group {
		writes = append(writes, r.writes...)
		defer context.AfterFunc(r.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})()
	}
	err := s.writeTogether(ctx, writes)
	refused, isBatch := errors.AsType[*store.BatchError](err)
	first := 0
	for _, r := range group {
		if isBatch {
			err = refusedOf(refused, first, len(r.writes))
		}
		first += len(r.writes)
		r.result <- err
	}
}

// refusedOf returns what is wrong with n writes of a batch, from one on.
func refusedOf(e *store.BatchError, first, n int) error {
	var list []store.WriteError
	for _, w := range e.Writes {
		if w.Index >= first && w.Index < first+n {
			list = append(list, store.WriteError{Index: w.Index - first, Err: w.Err})
		}
	}
	if list == nil {
		return nil
	}
	return &store.BatchError{Writes: list}
}

// together returns the order in which a batch is written: updates of a record stand behind
// the first write of it, so that they are written as one. What a batch comes to does not
// depend on its order, but for updates that must find their record. It returns nil where
// all may stay as it is.
func together(writes []record.Incoming) []int {
	first := make(map[honeyhive.UUID]int)
	behind := make(map[int][]int)
	for i := range writes {
		in := &writes[i]
		if in.Kind == record.Joined || in.Kind == record.Edged {
			continue
		}
		at, known := first[in.ID]
		if !known {
			first[in.ID] = i
		} else if in.Kind == record.Unknown && !in.MustExist {
			behind[at] = append(behind[at], i)
		}
	}
	if len(behind) == 0 {
		return nil
	}
	moved := make(map[int]bool)
	for _, list := range behind {
		for _, i := range list {
			moved[i] = true
		}
	}
	order := make([]int, 0, len(writes))
	for i := range writes {
		if !moved[i] {
			order = append(append(order, i), behind[i]...)
		}
	}
	return order
}

// sameRecord reports whether two writes are of one record.
func sameRecord(a, b *record.Incoming) bool {
	return a.ID == b.ID && max(a.Kind, b.Kind) < record.Joined
}
