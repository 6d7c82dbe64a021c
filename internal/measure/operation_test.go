package measure

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestCountedOnce ends the events of a tree in any order, some saying more later:
// what is recorded adds up to what the topmost event counts by the rule, as it is
// when all is said. Where each ends before what is above it, and says nothing later,
// what is recorded of each is what it says beyond the events below it.
func TestCountedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "events")
		parent, said := make([]int, n), make([]int64, n)
		ops := make([]*Operation, n)
		for i := range n {
			parent[i] = -1
			if i > 0 {
				parent[i] = rapid.IntRange(0, i-1).Draw(t, "parent")
			}
			said[i] = rapid.Int64Range(-1, 20).Draw(t, "says")
			var above *Operation
			if i > 0 {
				above = ops[parent[i]]
			}
			ops[i] = Begin(above, testStart)
		}
		total := func() int64 {
			var count func(i int) int64
			count = func(i int) (c int64) {
				for k := range parent {
					if parent[k] == i {
						c += count(k)
					}
				}
				return max(c, said[i])
			}
			return count(0)
		}
		order := make([]int, n)
		for i := range order {
			order[i] = n - 1 - i // each before what is above it
		}
		nested := rapid.Bool().Draw(t, "nested")
		if !nested {
			order = rapid.Permutation(order).Draw(t, "order")
		}
		sum := int64(0)
		for _, i := range order {
			got, ok := ops[i].count(0, said[i])
			sum += got
			below := int64(0)
			for k := range parent {
				if parent[k] == i {
					below += max(ops[k].own[0], ops[k].below[0])
				}
			}
			if want := max(0, said[i]-below); nested && (got != want || ok != (want > 0 || said[i] == 0 && below == 0)) || got < 0 {
				t.Fatalf("event %d says %d above %d: %d, %v", i, said[i], below, got, ok)
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "later") {
			i := rapid.IntRange(0, n-1).Draw(t, "event")
			more := rapid.Int64Range(-1, 40).Draw(t, "more")
			got, _ := ops[i].count(0, more)
			sum += got
			said[i] = max(said[i], more)
		}
		if want := total(); sum != max(0, want) {
			t.Fatalf("%d are recorded, want %d", sum, want)
		}
	})
}

// TestGreatestCounts adds up counts that fit in no number together: what is recorded
// does.
func TestGreatestCounts(t *testing.T) {
	root, sum := Begin(nil, testStart), uint64(0)
	for range 3 {
		n, _ := Begin(root, testStart).count(1, math.MaxInt64-1)
		sum += uint64(n)
	}
	n, _ := root.count(1, math.MaxInt64)
	if sum += uint64(n); sum != math.MaxInt64 {
		t.Errorf("%d", sum)
	}
}
