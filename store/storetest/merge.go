package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// testMerge writes the same records of one id in every order.
func testMerge(t *testing.T, open Opener) {
	for name, c := range map[string]struct {
		writes []store.Write
		want   string // the payload, without its ids and names
	}{
		"a late announcement changes nothing that the record says": {
			[]store.Write{
				{Session: session(t, 1, `"inputs":{"q":1},"outputs":{"a":2},"duration":5`), At: at(1)},
				{Session: session(t, 1, `"inputs":{"q":0,"more":true},"metadata":{"m":1}`), At: at(9)},
			},
			`"inputs":{"more":true,"q":1},"outputs":{"a":2},"duration":5,"metadata":{"m":1}`,
		},
		"a later record wins key by key": {
			[]store.Write{
				{Session: session(t, 1, `"outputs":{"a":1,"b":1},"error":"x","end_time":1`), At: at(1)},
				{Session: session(t, 1, `"outputs":{"b":2,"c":2},"end_time":2`), At: at(2)},
			},
			`"outputs":{"a":1,"b":2,"c":2},"error":"x","end_time":2`,
		},
		"an update is later than any record": {
			[]store.Write{
				{Update: update(t, 1, `"feedback":{"rating":1},"duration":7`), At: at(1)},
				{Session: session(t, 1, `"feedback":{"rating":9,"by":"x"},"duration":3,"end_time":4`), At: at(5)},
			},
			`"duration":7,"feedback":{"by":"x","rating":1},"end_time":4`,
		},
		"the last of two updates wins": {
			[]store.Write{
				{Session: session(t, 1, ``), At: at(1)},
				{Update: update(t, 1, `"feedback":{"rating":1,"comment":"good"}`), At: at(2)},
				{Update: update(t, 1, `"feedback":{"rating":2}`), At: at(3)},
			},
			`"feedback":{"comment":"good","rating":2}`,
		},
		"an update changes no more than an update can": {
			[]store.Write{
				{Session: session(t, 1, `"inputs":{"q":1}`), At: at(1)},
				{Update: update(t, 1, `"inputs":{"q":2},"error":"e","start_time":1,"children_ids":[],"session_name":"other","mine":1`), At: at(2)},
			},
			`"inputs":{"q":1}`,
		},
		"null stands where nobody knows better": {
			[]store.Write{
				{Session: session(t, 1, `"error":null,"metrics":null,"metadata":null,"config":null,"end_time":1`), At: at(3)},
				{Session: session(t, 1, `"error":"e","metadata":{},"config":{"a":null}`), At: at(1)},
			},
			`"config":{"a":null},"error":"e","metrics":null,"metadata":{},"end_time":1`,
		},
		"what only fills in replaces nothing": {
			[]store.Write{
				{Session: session(t, 1, `"outputs":{"a":1}`), At: at(1)},
				{Session: session(t, 1, `"outputs":{"a":2,"b":2},"end_time":3`), At: at(2), Fill: true},
				{Update: update(t, 1, `"outputs":{"a":3,"c":3}`), At: at(3), Fill: true},
			},
			`"outputs":{"b":2,"c":3,"a":1},"end_time":3`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, open)
			var want honeyhive.SessionStartRequest
			decode(t, &want, `{"project":"p","session_name":"n","source":"test","session_id":"`+id(1).String()+`"`, c.want)
			for i, order := range permutations(c.writes) {
				f.check(f.Delete(f.Context(), id(1)))
				for _, w := range order {
					f.write(w)
				}
				f.write(order...) // all once more changes nothing
				got := f.session(1)
				f.equal(string(got.Payload.AppendJSON(nil)), string(want.AppendJSON(nil)), fmt.Sprintf("order %d", i))
			}
		})
	}
}

func permutations[T any](list []T) [][]T {
	if len(list) < 2 {
		return [][]T{list}
	}
	var all [][]T
	for i := range list {
		rest := append(slices.Clone(list[:i]), list[i+1:]...)
		for _, p := range permutations(rest) {
			all = append(all, append([]T{list[i]}, p...))
		}
	}
	return all
}

// testFidelity sees payloads come back as they were.
func testFidelity(t *testing.T, open Opener) {
	f := newFixture(t, open)
	fields := `"inputs":{"z":9007199254740993,"a":{"y":null,"x":[1.10,-0.0,1e400]},"":""},"outputs":{},"config":null,` +
		`"metadata":{"text":"a\u0000b \u2028 ü \ud83d\ude00 <b>"},"error":null,"start_time":1.5,"end_time":0,"duration":-2.25,` +
		`"feedback":{"k":true},"unknown_field":{"b":1,"a":2},"children_ids":[]`
	s, e := session(t, 1, fields), event(t, 2, 1, 1, fields+`,"event_type":"tool","event_name":"x"`)
	f.write(store.Write{Session: s}, store.Write{Event: e})
	same := func(what string) {
		t.Helper()
		got, one := f.session(1), f.event(2)
		f.equal(string(got.Payload.AppendJSON(nil)), string(s.AppendJSON(nil)), what+": session")
		f.equal(string(one.Payload.AppendJSON(nil)), string(e.AppendJSON(nil)), what+": event")
	}
	same("written")
	seq := f.info().Seq
	f.write(store.Write{Session: s}, store.Write{Event: e})
	same("written again")
	if now := f.event(2).Seq; now > seq {
		t.Errorf("the same event again is a change")
	}
	f.reopen()
	same("after a restart")
}

// testBatch sees that a batch is done as a whole or not at all.
func testBatch(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.write()
	f.write(store.Write{Session: session(t, 1, ``)}, store.Write{Event: event(t, 2, 1, 1, `"event_type":"tool"`)})
	seq := f.info().Seq
	good := store.Write{Session: session(t, 5, ``)}
	nan := event(t, 4, 1, 1, ``)
	nan.Duration = honeyhive.Some(math.NaN())
	for name, c := range map[string]struct {
		bad  store.Write
		want any
	}{
		"no payload":              {store.Write{}, nil},
		"two payloads":            {store.Write{Session: good.Session, Update: update(t, 1, ``)}, nil},
		"no session id":           {store.Write{Session: new(honeyhive.SessionStartRequest)}, new(*honeyhive.FieldError)},
		"no event id":             {store.Write{Event: &honeyhive.Event{SessionID: honeyhive.Some(id(1).String())}}, new(*honeyhive.FieldError)},
		"an id that is no UUID":   {store.Write{Update: &honeyhive.Update{EventID: honeyhive.Some("1234")}}, new(*honeyhive.FieldError)},
		"the nil UUID":            {store.Write{Update: &honeyhive.Update{EventID: honeyhive.Some(honeyhive.UUID{}.String())}}, new(*honeyhive.FieldError)},
		"no number":               {store.Write{Event: nan}, new(*honeyhive.FieldError)},
		"an event as a session":   {store.Write{Session: session(t, 2, ``)}, new(*store.ConflictError)},
		"a session as an event":   {store.Write{Event: event(t, 1, 7, 0, ``)}, new(*store.ConflictError)},
		"an event under an event": {store.Write{Event: event(t, 8, 2, 0, ``)}, new(*store.ConflictError)},
		"an event under itself":   {store.Write{Event: event(t, 8, 8, 0, ``)}, new(*store.ConflictError)},
		"an unknown target":       {store.Write{Update: update(t, 9, ``), MustExist: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := f.Write(t.Context(), []store.Write{good, c.bad, good})
			var batch *store.BatchError
			if !errors.As(err, &batch) || len(batch.Writes) != 1 || batch.Writes[0].Index != 1 {
				t.Fatalf("got the error %v, want one of write 1", err)
			}
			if c.want != nil && !errors.As(err, c.want) {
				t.Errorf("got the error %v, want a %T", err, c.want)
			}
			if now := f.info().Seq; now != seq {
				t.Errorf("a refused batch changed something")
			}
			if _, err := f.Session(t.Context(), id(5)); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("got the error %v of a session in a refused batch", err)
			}
		})
	}
	f.is(f.Write(t.Context(), []store.Write{{Update: update(t, 9, ``), MustExist: true}}), store.ErrNotFound)
	f.write(store.Write{Session: session(t, 9, ``)}, store.Write{Update: update(t, 9, `"metrics":{"m":1}`), MustExist: true})
	f.equal(f.session(9).Payload.Metrics.String(), `{"m":1}`, "metrics")
}

// testOrphans sees events before their session.
func testOrphans(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.write(store.Write{Event: event(t, 2, 1, 7, `"event_type":"tool","event_name":"lost","project":"p","source":"s","start_time":1,"end_time":3`)})
	got := f.session(1)
	f.equal(got.Status, store.StatusOrphan, "status")
	f.equal([]any{got.Project, got.Source, got.Events, got.Duration.Or(0)}, []any{"p", "s", int64(1), 2.0}, "what its event says")
	f.equal(f.event(2).Parent, id(7), "a parent that is not known")
	f.equal(f.info().Orphans, int64(1), "orphans")
	page, err := f.Sessions(t.Context(), store.SessionQuery{Filter: store.Filter{Status: store.StatusOrphan}})
	f.check(err)
	f.equal(len(page.Sessions), 1, "orphans in the list")

	f.write(store.Write{Session: session(t, 1, `"source":"mine","end_time":4`)})
	got = f.session(1)
	f.equal([]any{got.Status, got.Source, got.Events}, []any{store.StatusOK, "mine", int64(1)}, "the session, when it came")
	f.equal(f.info().Orphans, int64(0), "orphans")
}

// testWaiting sees updates before their target.
func testWaiting(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.write(store.Write{Update: update(t, 1, `"feedback":{"rating":1}`), At: at(1)},
		store.Write{Update: update(t, 2, `"metrics":{"m":1}`), At: at(2)},
		store.Write{Update: update(t, 2, `"metrics":{"n":2}`), At: at(3)})
	f.equal(f.info().Waiting, int64(2), "waiting")
	var got []string
	for _, u := range collect(f, f.Waiting(t.Context())) {
		got = append(got, string(u.AppendJSON(nil)))
	}
	f.equal(got, []string{
		`{"event_id":"` + id(1).String() + `","feedback":{"rating":1}}`,
		`{"event_id":"` + id(2).String() + `","metrics":{"m":1,"n":2}}`,
	}, "waiting updates")
	_, err := f.Session(t.Context(), id(1))
	f.is(err, store.ErrNotFound)
	_, err = f.Event(t.Context(), id(2))
	f.is(err, store.ErrNotFound)

	f.reopen()
	f.write(store.Write{Event: event(t, 2, 1, 1, `"event_type":"tool"`)})
	f.equal(f.event(2).Payload.Metrics.String(), `{"m":1,"n":2}`, "metrics of the event")
	s := f.session(1)
	f.equal([]any{s.Status, s.Payload.Feedback.String(), s.Rating.Or(0)}, []any{store.StatusOrphan, `{"rating":1}`, 1.0}, "the orphan")
	f.write(store.Write{Session: session(t, 1, `"feedback":{"rating":5}`)})
	f.equal(f.session(1).Payload.Feedback.String(), `{"rating":1}`, "feedback of the session")
	f.equal(f.info().Waiting, int64(0), "waiting")
}

// testMovedEvent sees an event that a later record puts into another session.
func testMovedEvent(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.write(store.Write{Event: event(t, 3, 1, 0, `"event_type":"model","metadata":{"prompt_tokens":5},"config":{"model":"a"}`), At: at(1)},
		store.Write{Event: event(t, 4, 2, 0, `"event_type":"tool","start_time":9`), At: at(1)})
	seq := f.info().Seq
	f.write(store.Write{Event: event(t, 3, 2, 0, `"event_type":"model","start_time":8`), At: at(2)})
	_, err := f.Session(t.Context(), id(1))
	f.is(err, store.ErrNotFound)
	changes, err := f.Changes(t.Context(), seq, 0)
	f.check(err)
	if len(changes) != 2 || !slices.ContainsFunc(changes, func(c store.Change) bool { return c.Deleted && c.Session == id(1) }) {
		t.Errorf("got the changes %v, want a deletion and a change", changes)
	}
	s := f.session(2)
	f.equal([]any{s.Events, s.ModelEvents, s.TokensIn.Or(0), s.Start.Or(0), strings.Join(s.Models, " ")}, []any{int64(2), int64(1), int64(5), 8.0, "a"}, "the other session")

	// Back again, and the extremes with it.
	f.write(store.Write{Event: event(t, 3, 1, 0, `"event_type":"model"`), At: at(3)})
	s = f.session(2)
	f.equal([]any{s.Events, s.ModelEvents, s.TokensIn.IsZero(), s.Start.Or(0), len(s.Models)}, []any{int64(1), int64(0), true, 9.0, 0}, "after it left")
}

// testAnyOrder writes the same writes in two orders, cut into batches and
// repeated at will.
func testAnyOrder(t *testing.T, open Opener) {
	f, g := newFixture(t, open), newFixture(t, open)
	next := 0
	rapid.Check(t, func(rt *rapid.T) {
		next += 100
		first := next
		var writes []store.Write
		for range rapid.IntRange(1, 10).Draw(rt, "writes") {
			writes = append(writes, drawWrite(rt, t, first))
		}
		for _, one := range []*fixture{f, g} {
			order := rapid.Permutation(append(slices.Clone(writes), rapid.SliceOf(rapid.SampledFrom(writes)).Draw(rt, "again")...)).Draw(rt, "order")
			for len(order) > 0 {
				n := rapid.IntRange(1, len(order)).Draw(rt, "batch")
				one.write(order[:n]...)
				order = order[n:]
			}
		}
		var ids []honeyhive.UUID
		for _, n := range []int{1, 2, 11, 12, 13} { // those of drawWrite
			ids = append(ids, id(first+n))
		}
		f.equal(g.snapshot(ids...), f.snapshot(ids...), "the same writes in another order")
	})
}

// drawWrite makes one of few writes to few ids, so that many meet.
func drawWrite(rt *rapid.T, t testing.TB, first int) store.Write {
	fields := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		`"outputs":{"a":1}`, `"outputs":{"b":2,"a":2}`, `"outputs":{"a":3,"b":3,"c":3}`, `"outputs":{}`, `"outputs":null`,
		`"metadata":{"prompt_tokens":3,"cost":0.1}`, `"metadata":{"prompt_tokens":7,"cost":0.2,"time_to_first_chunk_ms":5}`,
		`"feedback":{"rating":1}`, `"feedback":{"rating":2.5,"note":"x"}`, `"metrics":{"completion_tokens":4}`,
		`"duration":5`, `"end_time":50`, `"end_time":60`, `"user_properties":{"user_id":"u"}`, `"children_ids":[]`,
		`"config":{"model":"m"}`, `"config":{"model":"n","t":0.5}`,
		`"start_time":10`, `"start_time":20`, `"error":"e"`, `"error":null`, `"inputs":{"question":"q"}`, `"inputs":{"x":1}`,
		`"project":"a"`, `"project":"b"`, `"source":"s"`, `"evaluations":{"helpful":0.5,"safe":true}`, `"evaluations":{"helpful":0.75}`,
		`"metadata":{"run_id":"r","datapoint_id":"d"}`, `"metadata":{"run_id":"other","attempt":2}`, `"metadata":{"run_id":null}`,
		`"metrics":{"overlap":0.5,"cites":true}`, `"metrics":{"overlap":0.25,"cites":"no score"}`, `"feedback":{"ground_truth":"a"}`,
	}), 0, 6, func(s string) string { return s[:strings.IndexByte(s, ':')] }).Draw(rt, "fields")
	text := strings.Join(fields, ",")
	w := store.Write{At: at(rapid.IntRange(0, 4).Draw(rt, "at")), Fill: rapid.IntRange(0, 5).Draw(rt, "fill") == 0}
	above, event1 := first+rapid.IntRange(1, 2).Draw(rt, "session"), first+rapid.IntRange(11, 13).Draw(rt, "event")
	switch rapid.SampledFrom([]string{"session", "event", "event", "update", "update"}).Draw(rt, "kind") {
	case "session":
		w.Session = session(t, above, text)
	case "event":
		kind := rapid.SampledFrom([]string{"model", "tool", "chain"}).Draw(rt, "type")
		w.Event = event(t, event1, above, above, text)
		w.Event.EventType = honeyhive.Some(kind)
	default:
		w.Update = update(t, rapid.SampledFrom([]int{above, event1}).Draw(rt, "target"), text)
	}
	return w
}

// testConcurrent writes and reads from many goroutines at once.
func testConcurrent(t *testing.T, open Opener) {
	f := newFixture(t, open)
	const writers, each = 8, 20
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() {
			for i := range each {
				err := f.Write(t.Context(), []store.Write{
					{Event: event(t, 1000*(n+1)+i, 1, 1, `"event_type":"model","metadata":{"prompt_tokens":1}`)},
					{Update: update(t, 1, fmt.Sprintf(`"metrics":{"k%d":%d}`, n, i)), At: at(i)},
				})
				if err != nil {
					t.Error(err)
				}
				if _, err := f.Sessions(t.Context(), store.SessionQuery{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s := f.session(1)
	f.equal([]any{s.Events, s.TokensIn.Or(0), s.Payload.Metrics.Len()}, []any{int64(writers * each), int64(writers * each), writers}, "what all wrote")
	for n := range writers {
		v, _ := s.Payload.Metrics.Get(fmt.Sprintf("k%d", n))
		f.equal(string(v), strconv.Itoa(each-1), "the last update of a writer")
	}
}
