package delivery

import (
	"errors"
	"fmt"
	"slices"
)

// charge corrects what a record takes of the budget to what it really takes.
func (w *worker) charge(r *Record) {
	const (
		overhead = 448 // of the record itself, and of what knows of it
		ofGroup  = 768 // of a group, and of what is remembered of its announcement
	)
	if r.Body == nil {
		return // a span, of which only the estimate is known
	}
	if !r.pooled && cap(r.Body)-len(r.Body) > len(r.Body)/8 {
		r.Body = slices.Clone(r.Body) // without the room that it grew into
	}
	size := inPages(cap(r.Body))
	if r.pooled {
		size = int64(w.buffers.takes(r.Body))
	}
	if r.Kind == Opener && r.Value != nil {
		size *= 2 // the Value is what the Body says once more
	}
	size += overhead
	if r.Kind == Opener {
		size += ofGroup
	}
	w.taken += max(0, size-r.size)
	w.freed += max(0, r.size-size)
	r.size = size
}

// inPages returns what a body of its own takes of the heap: beyond 32 KiB memory
// comes in pages, and a body of just over 64 KiB takes an eighth more than its
// length.
func inPages(n int) int64 {
	const large, page = 32 << 10, 8 << 10
	if n <= large {
		return int64(n)
	}
	return int64(n+page-1) / page * page
}

// settleBudget tells the budget what was taken and freed.
func (w *worker) settleBudget() {
	if w.taken != 0 || w.freed != 0 {
		w.budget.settle(w.taken, w.freed)
		w.taken, w.freed = 0, 0
	}
}

// inUse returns what the records take of the budget.
func (w *worker) inUse() int64 { return w.budget.inUse() + w.taken - w.freed }

// broken drops a record that could not be encoded. One that the end of the engine
// has overtaken stays in the account, which counts it as left.
func (w *worker) broken(r *Record, err error) {
	if errors.Is(err, errStuck) {
		return
	}
	w.health.dropped(err)
	w.report("encode", fmt.Errorf("%s: a record was dropped: %w", w.cfg.Name, err))
	w.finish(r, Broken)
}

// Room returns an empty slice for a body of about n bytes, for Encode to append
// to. Asked for again it is the same memory.
func (r *Record) Room(n int) []byte {
	if r.buffers == nil || n > bufferMost || r.pooled {
		return r.Body[:0]
	}
	r.Body, r.pooled = r.buffers.take(n), true
	return r.Body
}

// settleBody moves the body of a record out of the scratch buffer.
func (w *worker) settleBody(r *Record) {
	body := r.Body
	if r.pooled && w.buffers.fits(body) {
		return
	}
	if r.pooled {
		r.pooled = false
		defer w.buffers.put(body)
	}
	switch {
	case len(body) == 0:
		r.Body = nil
	case len(body) > bufferMost:
		w.scratch = nil // it may be the same
	default:
		r.Body, r.pooled = w.buffers.clone(body), true
		if cap(body) > cap(w.scratch) {
			w.scratch = make([]byte, 0, min(cap(body), 2*bufferMost))
		}
	}
}

// recycle takes back the body of a record that is done with.
func (w *worker) recycle(r *Record) {
	if r.pooled {
		w.buffers.put(r.Body)
		r.Body, r.pooled = nil, false
	}
}
