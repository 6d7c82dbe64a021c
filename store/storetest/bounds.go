package storetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// absurd are fields of sessions and events with numbers that nobody means.
var absurd = []string{
	`"duration":1.7e308`, `"duration":-1.7e308`, `"duration":1.1e15`, `"end_time":1.7e308`, `"end_time":-1e300`, `"start_time":1.7e308`, `"start_time":-1.7e308`,
	`"start_time":-1.7e308,"end_time":1.7e308`, `"start_time":1e15,"end_time":-1e15`, `"start_time":-1e15,"end_time":1e15`, `"start_time":1e15,"duration":1e15`,
	`"start_time":1e18`, `"start_time":9e15`, `"start_time":5e-324`, `"duration":1e-320`, `"duration":-5000`, `"start_time":5000,"end_time":0,"duration":-5000`,
	`"metadata":{"time_to_first_chunk_ms":1.7e308}`, `"metrics":{"ttft_ms":1e16}`, `"metadata":{"time_to_first_token_ms":-1}`,
	`"metadata":{"cost":1.7e308}`, `"metadata":{"total_cost":1e9}`, `"metadata":{"cost":1e9,"prompt_tokens":1e12,"completion_tokens":1e12}`,
	`"metadata":{"prompt_tokens":1.7e308}`, `"metadata":{"output_tokens":9223372036854775807}`, `"metadata":{"input_tokens":1e400}`,
	`"evaluations":{"a":1.7e308,"b":-1.7e308,"c":1e-320}`, `"metrics":{"cost":-1e-320,"prompt_tokens":1e-320}`,
	`"feedback":{"rating":1.7e308}`, `"feedback":{"rating":-1.7e308}`, `"feedback":{"rating":1e9}`,
}

// testBounds sees that numbers out of bounds count as unknown wherever something is
// computed, and stay as they were sent.
func testBounds(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.write(store.Write{Session: session(t, 1, fmt.Sprintf(`"start_time":%v,"duration":250,"metadata":{"cost":0.5}`, ms(0)))})
	for i, fields := range absurd {
		f.write(store.Write{Session: session(t, 100+i, fields)},
			store.Write{Event: event(t, 1000+i, 200+i, 0, fields+`,"event_type":"model","config":{"model":"m"}`)})
		sent := session(t, 100+i, fields)
		got := f.session(100 + i)
		f.equal(string(got.Payload.AppendJSON(nil)), string(sent.AppendJSON(nil)), fields+": payload")
	}
	// Sums that no integer of 64 bits holds, and the mean of many large ratings.
	var costly []store.Write
	for i := range 40 {
		costly = append(costly, store.Write{Event: event(t, 2000+i, 300, 0, `"event_type":"model","metadata":{"cost":1e9,"prompt_tokens":1e12},"feedback":{"rating":1e9}`)})
	}
	f.write(costly...)
	f.equal([]any{f.session(300).Cost.IsZero(), f.session(300).TokensIn.Or(0), f.session(300).Rating.Or(0)}, []any{true, int64(40e12), 1e9}, "sums past the bounds")
	for i := 1; i < 40; i++ { // all but one become cheap again
		f.write(store.Write{Update: update(t, 2000+i, `"metadata":{"cost":0.25,"prompt_tokens":1},"feedback":{"rating":1}`)})
	}
	f.write(store.Write{Update: update(t, 2000, `"metadata":{"cost":0.25,"prompt_tokens":1}`)})
	f.equal([]any{f.session(300).Cost.Or(0), f.session(300).TokensIn.Or(0)}, []any{10.0, int64(40)}, "sums that came back")

	f.bounded()
	f.reopen()
	f.bounded()
}

// bounded asks a store all that is computed, and looks for numbers out of bounds.
func (f *fixture) bounded() {
	f.Helper()
	finite := func(what string, least, most float64, values ...float64) {
		f.Helper()
		for _, v := range values {
			if !(v >= least && v <= most) {
				f.Errorf("%s is %v", what, v)
			}
		}
	}
	measures := func(what string, m store.Measures) {
		f.Helper()
		finite(what+": start, end", -1e15, 1e15, m.Start.Or(0), m.End.Or(0))
		finite(what+": duration", 0, 1e15, m.Duration.Or(0))
		finite(what+": time to first token", 0, 1e15, m.FirstToken.Or(0))
		finite(what+": cost", 0, 1e9, m.Cost.Or(0))
		finite(what+": tokens", 0, 1e18, float64(m.TokensIn.Or(0)), float64(m.TokensOut.Or(0)))
		finite(what+": rating", -1e9, 1e9, m.Rating.Or(0))
	}
	all := f.all()
	for _, sort := range []store.Sort{store.SortStart, store.SortChange, store.SortDuration, store.SortTokens, store.SortCost, store.SortErrors, store.SortName} {
		for _, ascending := range []bool{false, true} {
			seen := make(map[honeyhive.UUID]bool)
			last := math.Inf(1)
			for q := (store.SessionQuery{Sort: sort, Ascending: ascending, Limit: 7}); ; {
				page, err := f.Sessions(f.Context(), q)
				f.check(err)
				for _, s := range page.Sessions {
					if seen[s.ID] {
						f.Fatalf("by %s: session %s comes twice", sort, s.ID)
					}
					seen[s.ID] = true
					measures("session "+s.Name, s.Measures)
					if v := s.Duration.Or(math.Inf(-1)); sort == store.SortDuration && !ascending && v >= 0 {
						if v > last {
							f.Errorf("duration %v after %v", v, last)
						}
						last = v
					}
				}
				if q.After = page.Next; q.After == "" {
					break
				}
			}
			f.equal(len(seen), len(all), "sessions by "+string(sort))
		}
	}
	for _, s := range all {
		for _, e := range collect(f, f.Events(f.Context(), s.ID, store.EventQuery{})) {
			measures("event "+e.ID.String(), e.Measures)
		}
	}
	for _, by := range []store.By{store.ByNone, store.ByProject, store.ByUser, store.ByStatus, store.ByModel} {
		series, err := f.Aggregate(f.Context(), store.Filter{}, store.Grouping{By: by, Buckets: 10})
		f.check(err)
		for _, s := range series {
			sums := []store.Summary{s.Total}
			for _, p := range s.Points {
				sums = append(sums, p.Summary)
				finite("a bucket", -1e15, 1e15+1, milli(p.From), milli(p.To))
			}
			for _, t := range sums {
				if t.Cost < 0 || t.TokensIn < 0 || t.TokensOut < 0 || math.IsInf(t.Cost, 0) {
					f.Errorf("by %q: %+v", by, t)
				}
				for _, p := range []store.Percentiles{t.Duration, t.FirstToken} {
					finite("a percentile", -1e15, 1e15, p.P50, p.P90, p.P99, p.Max)
				}
			}
		}
	}
	slow, err := f.Sessions(f.Context(), store.SessionQuery{Filter: store.Filter{MinDuration: 290 * 365 * 24 * time.Hour}, Limit: 1000})
	f.check(err)
	for _, s := range slow.Sessions {
		if s.Duration.IsZero() {
			f.Errorf("a session whose duration is not known is found by it")
		}
	}
	_, err = f.Prune(f.Context(), store.Retention{MaxAge: 250 * 365 * 24 * time.Hour})
	f.check(err)
}

// testTooLarge refuses records that are larger than one may be.
func testTooLarge(t *testing.T, open Opener) {
	f := newFixture(t, open)
	keys := func(from, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"k%d":0`, from+i)
		}
		return b.String()[1:]
	}
	refused := func(what string, w store.Write) {
		t.Helper()
		err := f.Write(t.Context(), []store.Write{{Session: session(t, 9, ``)}, w})
		var batch *store.BatchError
		var large *store.TooLargeError
		if !errors.As(err, &batch) || len(batch.Writes) != 1 || batch.Writes[0].Index != 1 || !errors.As(err, &large) {
			t.Errorf("%s: got the error %v, want one of write 1 that it is too large", what, err)
		}
	}
	refused("too many keys", store.Write{Event: event(t, 11, 1, 0, `"inputs":{`+keys(0, store.MaxRecordKeys/2)+`},"outputs":{`+keys(0, store.MaxRecordKeys/2+1)+`}`)})
	refused("too many bytes", store.Write{Session: session(t, 1, `"inputs":{"a":"`+strings.Repeat("x", store.MaxRecordBytes)+`"}`)})
	f.write(store.Write{Event: event(t, 12, 1, 0, `"inputs":{`+keys(0, store.MaxRecordKeys)+`}`)})
	refused("a key too many, by an update", store.Write{Update: update(t, 12, `"metadata":{"more":1}`)})
	f.write(store.Write{Update: update(t, 12, `"duration":5`)})
	f.equal([]any{f.event(12).Duration.Or(0), f.event(12).Payload.Inputs.Len()}, []any{5.0, store.MaxRecordKeys}, "the largest record")
	for i := range 2 { // of an update that waits
		f.write(store.Write{Update: update(t, 13, `"metadata":{`+keys(i*store.MaxRecordKeys/2, store.MaxRecordKeys/2)+`}`)})
	}
	refused("a key too many, of an update that waits", store.Write{Update: update(t, 13, `"metadata":{"more":1}`)})
}

// testLarge writes records that are larger than a store writes at once.
func testLarge(t *testing.T, open Opener) {
	f := newFixture(t, open)
	text := func(c string, n int) string { return `"` + strings.Repeat(c, n) + `"` }
	times := 150_000
	if testing.Short() {
		times = 60_000 // more than a store writes at once all the same
	}
	big := text("words of a long prompt ", times)
	f.write(store.Write{At: at(1), Session: session(t, 1, `"inputs":{"q":`+big+`},"start_time":1`)},
		store.Write{At: at(1), Event: event(t, 11, 1, 1, `"event_type":"model","inputs":{"q":`+big+`},"metadata":{"cost":0.5}`)},
		store.Write{At: at(1), Event: event(t, 12, 1, 1, `"event_type":"tool"`)},
		store.Write{At: at(1), Update: update(t, 2, `"outputs":{"late":`+big+`}`)},
		store.Write{At: at(1), Update: update(t, 13, `"outputs":{"late":`+big+`}`)})
	var writes []store.Write // many small ones of large records, in one batch
	for i := range 6 {
		for _, n := range []int{1, 11} {
			writes = append(writes, store.Write{At: at(2 + i), Update: update(t, n, fmt.Sprintf(`"metadata":{"k%d":%d}`, i, i))})
		}
	}
	f.write(writes...)
	f.write(store.Write{At: at(50), Event: event(t, 13, 2, 2, `"event_type":"model","metadata":{"cost":0.25}`)}) // both waited for
	f.write(store.Write{At: at(60), Session: session(t, 1, `"inputs":{"q":`+big+`,"r":1},"outputs":{"a":`+text("y", 2<<20)+`},"end_time":9`)})
	same := func(what string) {
		t.Helper()
		s, e := f.session(1), f.event(11)
		f.equal([]any{s.Payload.Inputs.String() == `{"q":`+big+`,"r":1}`, len(s.Payload.Outputs.String()), s.Payload.Metadata.Len(), s.Duration.Or(0), s.Events, s.Cost.Or(0)},
			[]any{true, 2<<20 + 8, 6, 8.0, int64(2), 0.5}, what+": session")
		f.equal([]any{e.Payload.Inputs.String() == `{"q":`+big+`}`, e.Payload.Metadata.Len()}, []any{true, 7}, what+": event")
		s, e = f.session(2), f.event(13)
		f.equal([]any{s.Payload.Outputs.String() == `{"late":`+big+`}`, s.Status, s.Cost.Or(0), e.Payload.Outputs.String() == `{"late":`+big+`}`},
			[]any{true, store.StatusOrphan, 0.25, true}, what+": what waited")
		bodies := collect(f, f.EventBodies(t.Context(), id(1), store.EventQuery{}))
		f.equal(len(bodies), 2, what+": bodies")
		f.indexed()
		found := collect(f, f.Events(t.Context(), id(1), store.EventQuery{Text: "prompt"}))
		f.equal(len(found), 1, what+": events by a word")
	}
	same("written")
	f.write(writes...)
	same("written again")
	f.reopen()
	same("after a restart")
	f.check(f.Delete(t.Context(), id(1), id(2)))
	f.write(store.Write{Event: event(t, 11, 1, 0, `"event_type":"tool"`)})
	f.equal([]any{f.event(11).Payload.Inputs.Len(), f.session(1).Events}, []any{0, int64(1)}, "what came after the deletion")
}
