package storetest

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// testTraces writes edges with steps, events and joins of several traces in any order,
// cut and repeated: the store tells which traces have events and which steps wait.
func testTraces(t *testing.T, open Opener) {
	f := newFixture(t, open)
	base := 0 // of the ids of a round
	rapid.Check(t, func(rt *rapid.T) {
		base += 1000
		trace := func(n int) honeyhive.UUID { return id(base + n) }
		span := func(n int) honeyhive.UUID { return id(base + 100 + n) }
		step := func(n int) *honeyhive.Event { return event(t, base+100+n, base+n%3, base+n%3, `"event_name":"step"`) }
		var writes []store.Write
		speaks, waits := make(map[honeyhive.UUID]bool), make(map[honeyhive.UUID]honeyhive.UUID)
		for n := range 3 {
			j := store.Join{From: trace(n), To: trace(n), Trace: trace(n), Text: "t", Span: span(90 + n)}
			if rapid.Bool().Draw(rt, "named") { // by a span that is no event
				writes = append(writes, store.Write{Join: &j})
			}
			if rapid.Bool().Draw(rt, "speaks") {
				said := j
				said.Speaks, speaks[trace(n)] = true, true
				writes = append(writes, store.Write{Join: &said})
			}
		}
		for n := range rapid.IntRange(0, 12).Draw(rt, "steps") {
			e := store.Edge{Span: span(n), Parent: span(n + 1), Trace: trace(n % 3)}
			writes = append(writes, store.Write{Edge: &e})
			if rapid.Bool().Draw(rt, "step") {
				with := e
				with.Step, waits[e.Span] = step(n), e.Trace
				writes = append(writes, store.Write{Edge: &with})
			}
			if rapid.Bool().Draw(rt, "written") {
				delete(waits, e.Span)
				writes = append(writes, store.Write{Event: step(n), Trace: e.Trace})
			}
		}
		order := rapid.Permutation(append(writes, writes...)).Draw(rt, "order")
		for len(order) > 0 {
			n := rapid.IntRange(1, len(order)).Draw(rt, "request")
			f.write(slices.Clone(order[:n])...)
			order = order[n:]
		}
		if rapid.Bool().Draw(rt, "restart") {
			f.reopen()
		}
		for n := range 3 {
			got, err := f.Speaks(f.Context(), trace(n))
			f.check(err)
			f.equal(got, speaks[trace(n)], "a trace has events")
		}
		got := make(map[honeyhive.UUID]honeyhive.UUID)
		for e, err := range f.Steps(f.Context()) {
			f.check(err)
			if !slices.Contains([]honeyhive.UUID{trace(0), trace(1), trace(2)}, e.Trace) {
				continue // of an earlier round
			}
			got[e.Span] = e.Trace
			f.equal(e.Step.EventID.Or(""), e.Span.String(), "a step")
		}
		f.equal(got, waits, "steps that wait")
	})
}
