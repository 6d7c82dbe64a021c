package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// testParts writes batches that are larger than a store writes at once.
func testParts(t *testing.T, open Opener) {
	f := newFixture(t, open)
	const n = 1234
	var batch []store.Write
	for i := range n {
		batch = append(batch, store.Write{Event: event(t, 1000+i, 1, 0, fmt.Sprintf(`"event_type":"model","metadata":{"prompt_tokens":%d}`, i))})
	}
	f.write(store.Write{Session: session(t, 5, ``)})
	seq := f.info().Seq
	for what, bad := range map[string]store.Write{
		"a conflict with what is there": {Event: event(t, 5, 1, 0, ``)},
		"a conflict within the batch":   {Session: session(t, 1000, ``)},
		"an unknown target":             {Update: update(t, 6, ``), MustExist: true},
	} {
		err := f.Write(t.Context(), append(slices.Clone(batch), bad))
		var refused *store.BatchError
		if !errors.As(err, &refused) || len(refused.Writes) != 1 || refused.Writes[0].Index != n {
			t.Errorf("%s: got the error %v, want one of write %d", what, err, n)
		}
		f.equal(f.info().Seq, seq, what+": changes")
	}
	f.write(append(slices.Clone(batch), store.Write{Update: update(t, 1000, `"duration":1`), MustExist: true})...)
	s := f.session(1)
	f.equal([]any{s.Events, s.TokensIn.Or(0), f.event(1000).Duration.Or(0)}, []any{int64(n), int64(n * (n - 1) / 2), 1.0}, "the batch")
}

// testSteps deletes sessions with more events than a store deletes at once, while
// what was deleted comes again, with restarts at any moment: nobody ever sees a part
// of a deleted session.
func testSteps(t *testing.T, open Opener) {
	f := newFixture(t, open)
	const sessions, most = 3, 150
	steps := 8
	if testing.Short() {
		steps = 4
	}
	first := 0
	rapid.Check(t, func(rt *rapid.T) {
		first += 10_000
		there := make(map[int]map[int]bool) // the events of each session that is
		write := func(s, from, count int) {
			var batch []store.Write
			for i := range count {
				n := from + i
				batch = append(batch, store.Write{Event: event(t, first+1000*s+n, first+s, 0, `"event_type":"model","metadata":{"prompt_tokens":1},"config":{"model":"m"}`)})
				if there[s] == nil {
					there[s] = make(map[int]bool)
				}
				there[s][n] = true
			}
			f.write(batch...)
		}
		for range rapid.IntRange(1, steps).Draw(rt, "steps") {
			s := rapid.IntRange(1, sessions).Draw(rt, "session")
			switch rapid.SampledFrom([]string{"write", "write", "delete", "delete", "reopen", "prune"}).Draw(rt, "step") {
			case "write":
				from := rapid.IntRange(0, most-1).Draw(rt, "from")
				write(s, from, rapid.IntRange(1, most-from).Draw(rt, "count"))
			case "delete":
				f.check(f.Delete(f.Context(), id(first+s)))
				delete(there, s)
			case "reopen":
				f.reopen()
			case "prune": // nothing is so old, but what was deleted is freed
				_, err := f.Prune(f.Context(), store.Retention{MaxBytes: 1 << 40})
				f.check(err)
			}
			f.sees(first, sessions, most, there)
		}
		var ids []honeyhive.UUID
		for s := range sessions {
			ids = append(ids, id(first+s+1))
		}
		f.check(f.Delete(f.Context(), ids...))
		f.sees(first, sessions, most, nil)
	})
}

// sees compares what a store says of some sessions with what there is.
func (f *fixture) sees(first, sessions, most int, there map[int]map[int]bool) {
	f.Helper()
	var total int64
	for s := 1; s <= sessions; s++ {
		want := there[s]
		total += int64(len(want))
		got, err := f.Session(f.Context(), id(first+s))
		if len(want) == 0 {
			f.is(err, store.ErrNotFound)
		} else {
			f.check(err)
			f.equal([]any{got.Events, got.TokensIn.Or(0)}, []any{int64(len(want)), int64(len(want))}, "events of a session")
		}
		for _, e := range collect(f, f.Events(f.Context(), id(first+s), store.EventQuery{})) {
			n := int(uint32(e.ID[12])<<24|uint32(e.ID[13])<<16|uint32(e.ID[14])<<8|uint32(e.ID[15])) - first - 1000*s
			if !want[n] {
				f.Errorf("event %d of session %d is there", n, s)
			}
			total--
		}
		for _, n := range []int{0, most / 2, most - 1} {
			if _, err := f.Event(f.Context(), id(first+1000*s+n)); (err == nil) != want[n] {
				f.Errorf("event %d of session %d: %v", n, s, err)
			}
		}
	}
	f.equal(total, int64(0), "events that are missing")
	models, err := f.Aggregate(f.Context(), store.Filter{}, store.Grouping{By: store.ByModel})
	f.check(err)
	var count, events int64
	for _, m := range models {
		count += m.Total.Count
	}
	for _, want := range there {
		events += int64(len(want))
	}
	f.equal(count, events, "model events in all")
	f.equal(f.info().Events, events, "events in all")
}
