package fields

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// TestMerging holds a bucket that is filled in parts against one that
// is merged at every step.
func TestMerging(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var buckets convert.Buckets
		var m merging
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
			m.add(&buckets, convert.Outputs, o)
			want = want.Merge(o)
			below := buckets[convert.Outputs]
			for _, part := range m[convert.Outputs] {
				if 2*len(part.JSONText()) >= len(below.JSONText()) {
					t.Fatalf("%d bytes on %d", len(part.JSONText()), len(below.JSONText()))
				}
				below = part
			}
			if rapid.IntRange(0, 9).Draw(t, "read") == 0 {
				m.join(&buckets)
				m = merging{}
			}
		}
		m.join(&buckets)
		if got := buckets[convert.Outputs]; !got.Equal(want) {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}
