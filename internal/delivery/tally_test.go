package delivery

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

func TestTally(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var counts tally
		want := make(map[uint64]int)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			epoch, n := rapid.Uint64Range(0, 6).Draw(t, "epoch"), rapid.IntRange(-2, 2).Draw(t, "n")
			counts.add(epoch, n)
			if want[epoch] += n; want[epoch] == 0 {
				delete(want, epoch)
			}
			got := make(map[uint64]int)
			for _, c := range counts {
				got[c.epoch] = c.n
			}
			if !maps.Equal(got, want) || len(counts) != len(want) || counts.of(epoch) != want[epoch] {
				t.Fatalf("got %v, want %v", counts, want)
			}
		}
	})
}
