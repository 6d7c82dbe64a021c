package delivery

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestAccountOldest compares the oldest record with that of a plain list, while
// records come in any order, are left to the disk, read back and delivered.
func TestAccountOldest(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var a account
		var memory, disk []*Record
		take := func(from *[]*Record) *Record {
			i := rapid.IntRange(0, len(*from)-1).Draw(t, "which")
			r := (*from)[i]
			*from = slices.Delete(*from, i, i+1)
			return r
		}
		delivered := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch step := rapid.IntRange(0, 5).Draw(t, "step"); {
			case step <= 1 || len(memory)+len(disk) == 0:
				r := &Record{created: start.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "age")) * time.Second)}
				a.add(r)
				memory = append(memory, r)
			case step == 2 && len(disk) > 0:
				r := take(&disk)
				a.readBack(r)
				memory = append(memory, r)
			case len(memory) == 0:
			case step == 3:
				r := take(&memory)
				a.spill(r)
				disk = append(disk, r)
			case step == 4:
				a.done(take(&memory), "", false)
				delivered++
			default:
				batch := memory[:rapid.IntRange(1, len(memory)).Draw(t, "batch")]
				a.delivered(batch)
				delivered += int64(len(batch))
				memory = memory[len(batch):]
			}
			var want time.Time
			for _, r := range memory {
				if want.IsZero() || r.created.Before(want) {
					want = r.created
				}
			}
			switch r := a.first(); {
			case r == nil && len(memory) > 0, r != nil && !r.created.Equal(want):
				t.Fatalf("the oldest of %d is %+v, want one of %s", len(memory), r, want)
			}
			if s := a.stats(); s.Waiting != int64(len(memory)) || s.WaitingOnDisk != int64(len(disk)) || s.Delivered != delivered ||
				s.Created != s.Delivered+s.Waiting+s.WaitingOnDisk {
				t.Fatalf("%d in memory, %d on disk, %d delivered: %+v", len(memory), len(disk), delivered, s)
			}
		}
	})
}
