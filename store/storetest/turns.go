package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/store"
)

// testTurns writes the records of a conversation, whose turns have different starts,
// in any order, cut and repeated: the session is made of all of them.
func testTurns(t *testing.T, open Opener) {
	f := newFixture(t, open)
	turn := func(n int, start, end float64, fields string) store.Write {
		return store.Write{At: at(n), Session: session(t, 1, fmt.Sprintf(`"start_time":%v,"end_time":%v%s`, ms(start), ms(end), fields))}
	}
	writes := []store.Write{
		{At: at(0), Session: session(t, 1, fmt.Sprintf(`"start_time":%v,"inputs":{"question":"first"}`, ms(0)))}, // the first turn, announced
		turn(1, 0, 4, `,"inputs":{"question":"Where is Lima?"},"outputs":{"answer":"In Peru.","only":1},"error":"turn 1 failed","children_ids":["`+id(11).String()+`"],"metadata":{"prompt_tokens":100,"cost":0.1,"a":1}`),
		turn(9, 10, 30, `,"inputs":{"question":"And Oslo?"},"outputs":{"answer":"In Norway."},"children_ids":["`+id(12).String()+`","`+id(11).String()+`"],"metadata":{"prompt_tokens":30,"cost":0.05,"b":2}`),
		turn(5, 20, 25, `,"inputs":{"question":"Bye?"},"metadata":{"a":3}`), // without outputs
		{At: at(7), Update: update(t, 1, `"feedback":{"rating":3}`)},
		{At: at(2), Event: event(t, 11, 1, 1, `"event_type":"model","metadata":{"prompt_tokens":100}`)},
		{At: at(9), Event: event(t, 12, 1, 1, `"event_type":"model","metadata":{"prompt_tokens":30}`)},
	}
	rapid.Check(t, func(rt *rapid.T) {
		f.check(f.Delete(f.Context(), id(1)))
		order := rapid.Permutation(append(slices.Clone(writes), rapid.SliceOf(rapid.SampledFrom(writes)).Draw(rt, "again")...)).Draw(rt, "order")
		for len(order) > 0 {
			n := rapid.IntRange(1, len(order)).Draw(rt, "batch")
			f.write(order[:n]...)
			order = order[n:]
		}
		got := f.session(1)
		f.equal([]any{
			got.Payload.Inputs.String(), got.Payload.Outputs.String(), got.Payload.StartTime.Or(0), got.Payload.EndTime.Or(0), got.Payload.Duration.Or(0),
			got.Error, got.Status, got.TokensIn.Or(0), got.Cost.Or(0), got.Rating.Or(0), got.Duration.Or(0), got.Question, got.Answer,
		}, []any{
			`{"question":"Where is Lima?"}`, `{"answer":"In Norway."}`, ms(0), ms(30), 30_000.0,
			"", store.StatusOK, int64(130), 0.15, 3.0, 30_000.0, "Where is Lima?", "In Norway.",
		}, "the conversation")
		children, _ := got.Payload.ChildrenIDs.Get()
		f.equal(children, []string{id(11).String(), id(12).String()}, "children of all turns")
		for key, want := range map[string]string{"prompt_tokens": "130", "cost": "0.15", "a": "3", "b": "2"} {
			v, _ := got.Payload.Metadata.Get(key)
			f.equal(string(v), want, "metadata."+key)
		}
	})

	// Records with one start are one turn, of which the later wins.
	f.write(turn(20, 10, 31, `,"outputs":{"answer":"In the south of Norway."},"error":"late"`))
	got := f.session(1)
	f.equal([]any{got.Answer, got.Payload.EndTime.Or(0), got.Error}, []any{"In the south of Norway.", ms(31), ""}, "a turn that was sent again")
	f.write(store.Write{At: at(30), Update: update(t, 1, `"outputs":{"answer":"said later"},"duration":7`)})
	got = f.session(1)
	f.equal([]any{got.Answer, got.Payload.Duration.Or(0)}, []any{"said later", 7.0}, "an update is later than all turns")
}

// testTurnPuts writes turns with, of each, an update that says what the session came to
// with it, as a client sends it that can say that in no other way. Updates may be late
// by any time: they are of the time that they say the session ended at.
func testTurnPuts(t *testing.T, open Opener) {
	f := newFixture(t, open)
	rapid.Check(t, func(rt *rapid.T) {
		f.check(f.Delete(f.Context(), id(1)))
		const turns = 5
		var writes []store.Write
		stamp := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).Draw(rt, "stamps")
		answer, lastKnown, end := "", 0, 0.0
		for n := range turns {
			start := float64(10 * n)
			ends := start + float64(rapid.IntRange(1, 30).Draw(rt, "takes")) + float64(n)/10 // no two at once
			answers := rapid.Bool().Draw(rt, "answers")
			outputs := ""
			if answers {
				outputs = fmt.Sprintf(`,"outputs":{"answer":"answer %d","only %[1]d":1}`, n)
				answer = fmt.Sprintf("answer %d", n)
				lastKnown = n
			}
			end = max(end, ends)
			writes = append(writes,
				store.Write{At: at(stamp[n]), Session: session(t, 1, fmt.Sprintf(`"start_time":%v,"end_time":%v%s`, ms(start), ms(ends), outputs))},
				store.Write{At: at(stamp[turns+n]), Update: update(t, 1, fmt.Sprintf(`"end_time":%v%s`, ms(ends), outputs))})
		}
		for order := rapid.Permutation(writes).Draw(rt, "order"); len(order) > 0; {
			n := rapid.IntRange(1, len(order)).Draw(rt, "batch")
			f.write(order[:n]...)
			order = order[n:]
		}
		got := f.session(1)
		if diff := cmp.Diff([]any{answer, ms(end), answer != ""}, []any{got.Answer, got.Payload.EndTime.Or(0), got.Payload.Outputs.Has(fmt.Sprintf("only %d", lastKnown))}); diff != "" {
			rt.Fatalf("(- want, + got): %s of %s", diff, got.Payload.AppendJSON(nil))
		}
		if n := got.Payload.Outputs.Len(); answer != "" && n != 2 {
			rt.Fatalf("the outputs are %s", got.Payload.Outputs)
		}
	})

	// An update for a turn whose record has not come counts, and one without an end is
	// later than all.
	f.check(f.Delete(f.Context(), id(1)))
	f.write(store.Write{At: at(1), Session: session(t, 1, fmt.Sprintf(`"start_time":%v,"end_time":%v,"outputs":{"answer":"first"}`, ms(0), ms(4)))},
		store.Write{At: at(2), Session: session(t, 1, fmt.Sprintf(`"start_time":%v,"inputs":{"question":"second"}`, ms(10)))},
		store.Write{At: at(3), Update: update(t, 1, fmt.Sprintf(`"end_time":%v,"outputs":{"answer":"second"}`, ms(20)))})
	f.equal(f.session(1).Answer, "second", "an update of a later time")
	f.write(store.Write{At: at(4), Update: update(t, 1, `"outputs":{"answer":"corrected"}`)})
	f.equal(f.session(1).Answer, "corrected", "an update of no time")
}
