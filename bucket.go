package sessionspan

import (
	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// laterParts holds what was merged into buckets and not joined with them yet. To
// merge into an object copies all of it, which is too much for a small value in
// front of a large one. So each bucket is a stack, the bucket itself at the
// bottom, whose objects are each less than half as long as the one below: a new
// one is merged with those above it that are no longer than that. A byte is then
// copied as many times as the size of its bucket can be halved, and to join the
// stack costs its size.
type laterParts [len(convert.Buckets{})][]honeyhive.Object

// add merges an object into a bucket.
func (l *laterParts) add(buckets *convert.Buckets, b convert.Bucket, o honeyhive.Object) {
	stack := l[b]
	for len(stack) > 0 && weighs(o, stack[len(stack)-1]) {
		o = stack[len(stack)-1].Merge(o)
		stack = stack[:len(stack)-1]
	}
	if len(stack) == 0 && weighs(o, buckets[b]) {
		buckets[b] = buckets[b].Merge(o)
	} else {
		stack = append(stack, o)
	}
	l[b] = stack
}

// weighs reports whether an object is to be merged into the one below at once.
// It is where either has no keys, since that costs nothing.
func weighs(o, below honeyhive.Object) bool {
	return o.IsEmpty() || below.IsEmpty() || 2*len(o.JSONText()) >= len(below.JSONText())
}

// join merges what was set later into the buckets.
func (l *laterParts) join(buckets *convert.Buckets) {
	for b, stack := range l {
		for i := len(stack) - 1; i > 0; i-- {
			stack[i-1] = stack[i-1].Merge(stack[i])
		}
		if len(stack) > 0 {
			buckets[b] = buckets[b].Merge(stack[0])
		}
		l[b] = nil
	}
}
