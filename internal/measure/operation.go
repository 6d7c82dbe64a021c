package measure

import (
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// This file counts tokens once. An agent may say how many its run took, and so may
// each call below it: an event counts the larger of what it says and of what the
// events directly below it count, and what is recorded of it is by how much that is
// more than theirs. The sum of all that is recorded is what the topmost events count,
// in whichever order events end: what one has recorded that a later one says again is
// not recorded of the later.

// An Operation is the place of an event among those above and below it. Its methods
// are safe for concurrent use.
type Operation struct {
	Start time.Time

	above *Operation // nil for the topmost

	mu         sync.Mutex
	own, below [2]int64             // input, output
	ended      bool                 // Record has what the event says
	early      [2]int64             // what Tokens was told before
	set        []attribute.KeyValue // of its metrics
}

// end notes what the attributes are, and returns what Tokens was told before.
func (o *Operation) end(set []attribute.KeyValue) (early [2]int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended, o.set = true, set
	return o.early
}

// attributes returns the attributes. Where the event has not ended, it keeps the
// counts for then.
func (o *Operation) attributes(own [2]int64) (set []attribute.KeyValue, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range own {
		o.early[i] = max(o.early[i], own[i])
	}
	return o.set, o.ended
}

// Begin returns the place of an event that starts below another, which may be nil.
func Begin(above *Operation, start time.Time) *Operation {
	return &Operation{Start: start, above: above, early: [2]int64{-1, -1}}
}

// count notes how many tokens of a kind the event says, -1 where it says none, and
// returns how many of them nobody has recorded. ok is whether that is to be recorded.
func (o *Operation) count(kind int, own int64) (n int64, ok bool) {
	if own < 0 {
		return 0, false
	}
	o.mu.Lock()
	before := max(o.own[kind], o.below[kind])
	o.own[kind] = max(o.own[kind], own)
	more := max(o.own[kind], before) - before
	o.mu.Unlock()
	n = more - o.above.add(kind, more)
	return n, n > 0 || own == 0 && before == 0
}

// add notes that the events below count more tokens, and returns how many of them
// the event, or one above, has recorded before.
func (o *Operation) add(kind int, n int64) (recorded int64) {
	if o == nil || n == 0 {
		return 0
	}
	o.mu.Lock()
	before := max(o.own[kind], o.below[kind])
	o.below[kind] = sum(o.below[kind], n)
	more := max(o.own[kind], o.below[kind]) - before
	o.mu.Unlock()
	return n - more + o.above.add(kind, more)
}

// sum adds counts that are not below zero, up to the greatest number.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
