package fields

import (
	"slices"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// merging holds what was merged into buckets and not joined with them yet. To
// merge into an object copies all of it, which is too much for a small value in
// front of a large one. So each bucket is a stack, the bucket itself at the
// bottom, whose objects are each less than half as long as the one below: a new
// one is merged with those above it that are no longer than that. A byte is then
// copied as many times as the size of its bucket can be halved, and to join the
// stack costs its size.
type merging [len(convert.Buckets{})][]honeyhive.Object

func (m *merging) clone() *merging {
	if m == nil {
		return nil
	}
	c := *m
	for b := range c {
		c[b] = slices.Clone(c[b])
	}
	return &c
}

// add merges an object into a bucket.
func (m *merging) add(buckets *convert.Buckets, b convert.Bucket, o honeyhive.Object) {
	stack := m[b]
	for len(stack) > 0 && outweighs(o, stack[len(stack)-1]) {
		o = stack[len(stack)-1].Merge(o)
		stack = stack[:len(stack)-1]
	}
	if len(stack) == 0 && outweighs(o, buckets[b]) {
		buckets[b] = buckets[b].Merge(o)
	} else {
		stack = append(stack, o)
	}
	m[b] = stack
}

// outweighs reports whether an object is to be merged into the one below at once.
// It is where either has no keys, since that costs nothing.
func outweighs(o, below honeyhive.Object) bool {
	return o.IsEmpty() || below.IsEmpty() || 2*len(o.JSONText()) >= len(below.JSONText())
}

// join merges the stacks into the buckets, and leaves the stacks as they are.
func (m *merging) join(buckets *convert.Buckets) {
	for b, stack := range m {
		if len(stack) == 0 {
			continue
		}
		top := stack[len(stack)-1]
		for _, below := range slices.Backward(stack[:len(stack)-1]) {
			top = below.Merge(top)
		}
		buckets[b] = buckets[b].Merge(top)
	}
}
