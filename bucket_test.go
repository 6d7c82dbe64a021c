package sessionspan

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// TestLaterPartsAreMerged holds a bucket that is filled in parts against one that
// is merged at every step.
func TestLaterPartsAreMerged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var buckets convert.Buckets
		var later laterParts
		var want honeyhive.Object
		for range rapid.IntRange(0, 30).Draw(t, "parts") {
			o := rapid.OneOf(rapid.Just(honeyhive.Object{}), rapid.Just(honeyhive.NullObject()), rapid.Just(honeyhive.EmptyObject()),
				rapid.Custom(func(t *rapid.T) honeyhive.Object {
					o := honeyhive.EmptyObject()
					for range rapid.IntRange(1, 4).Draw(t, "keys") {
						key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "key")
						o, _ = o.With(key, strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 10, 100, 1000}).Draw(t, "size")))
					}
					return o
				})).Draw(t, "part")
			later.add(&buckets, convert.Outputs, o)
			want = want.Merge(o)
			below := buckets[convert.Outputs]
			for _, part := range later[convert.Outputs] {
				if 2*len(part.JSONText()) >= len(below.JSONText()) {
					t.Fatalf("%d bytes on %d", len(part.JSONText()), len(below.JSONText()))
				}
				below = part
			}
			if rapid.IntRange(0, 9).Draw(t, "read") == 0 {
				later.join(&buckets)
			}
		}
		later.join(&buckets)
		if got := buckets[convert.Outputs]; !got.Equal(want) {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

// TestCostOfMerging counts the bytes that are copied to set one key at a time: in
// front of a large value, and many.
func TestCostOfMerging(t *testing.T) {
	allocated := func(f func()) int {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return int(after.TotalAlloc - before.TotalAlloc)
	}
	tracer, err := New(WithoutEnvironment(), WithProject("p"), WithWriter(new(strings.Builder)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tracer.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	const large, few, many = 4 << 20, 100, 10_000
	_, s := tracer.StartSession(t.Context(), "s", WithInputs(map[string]any{"large": strings.Repeat("x", large)}))
	if n := allocated(func() {
		for i := range few {
			s.SetInputs(map[string]any{fmt.Sprint(i): i})
		}
	}); n > large {
		t.Errorf("%d small values in front of a large one of %d bytes cost %d bytes", few, large, n)
	}
	each := func(sets int) int {
		return allocated(func() {
			for i := range sets {
				s.SetOutputs(map[string]any{fmt.Sprint("key ", sets, i): i})
			}
		}) / sets
	}
	if less, more := each(many/10), each(many); more > 4*less {
		t.Errorf("a value costs %d bytes among %d, and %d among %d", less, many/10, more, many)
	}
	s.End()
	if n := s.rec.buckets[convert.Inputs].Len(); n != few+1 {
		t.Errorf("%d inputs, want %d", n, few+1)
	}
	if n := s.rec.buckets[convert.Outputs].Len(); n != many+many/10 {
		t.Errorf("%d outputs, want %d", n, many+many/10)
	}
}
