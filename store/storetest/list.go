package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

var errRead = errors.New("read")

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errRead }

// fill writes sessions of every kind: number n starts after n seconds.
func (f *fixture) fill(count int) {
	f.Helper()
	var batch []store.Write
	for n := 1; n <= count; n++ {
		fields := fmt.Sprintf(`"project":"p%d","source":"s%d","session_name":"name %03d","start_time":%v,"user_properties":{"email":"u%d"}`, n%2, n%3, n%7, ms(float64(n)), n%5)
		if n%4 != 0 {
			fields += fmt.Sprintf(`,"duration":%d`, n%10*100)
		}
		if n%6 == 0 {
			fields += `,"error":"e"`
		}
		meta := ""
		if n%3 != 0 {
			meta = fmt.Sprintf(`"prompt_tokens":%d,"completion_tokens":%d`, n%9, n%4)
		}
		if n%5 != 0 {
			fields += fmt.Sprintf(`,"metrics":{"cost":%v}`, float64(n%8)/4)
		}
		if n%7 == 0 {
			fields += fmt.Sprintf(`,"feedback":{"rating":%d}`, n%3)
		}
		batch = append(batch, store.Write{Session: session(f, n, fields+`,"metadata":{`+meta+`}`)})
		for k := range n % 3 {
			failed := ""
			if k == 1 {
				failed = `,"error":"x"`
			}
			batch = append(batch, store.Write{Event: event(f, 10000+10*n+k, n, n,
				fmt.Sprintf(`"event_type":"model","config":{"model":"m%d"},"start_time":%v,"duration":%d,"metadata":{"prompt_tokens":2,"time_to_first_chunk_ms":%d}%s`, n%4+k, ms(float64(n)), n+k, n, failed))})
		}
	}
	f.write(batch...)
}

// all returns all sessions, which the tests then choose from by themselves.
func (f *fixture) all() []store.SessionRow {
	f.Helper()
	page, err := f.Sessions(f.Context(), store.SessionQuery{Limit: 1000})
	f.check(err)
	return page.Sessions
}

func numbers(rows []store.SessionRow) []int {
	var list []int
	for _, r := range rows {
		list = append(list, int(r.ID[14])<<8|int(r.ID[15]))
	}
	return list
}

// filters are filters with what they mean.
func filters() map[string]struct {
	filter store.Filter
	keep   func(store.SessionRow) bool
} {
	at20, at40 := at(20), at(40)
	has := func(v honeyhive.Optional[float64], low, high float64) bool {
		n, ok := v.Get()
		return ok && n >= low && n <= high
	}
	return map[string]struct {
		filter store.Filter
		keep   func(store.SessionRow) bool
	}{
		"none":        {store.Filter{}, func(store.SessionRow) bool { return true }},
		"time":        {store.Filter{From: at20, To: at40}, func(r store.SessionRow) bool { v := r.Start.Or(0); return v >= ms(20) && v < ms(40) }},
		"project":     {store.Filter{Project: "p1"}, func(r store.SessionRow) bool { return r.Project == "p1" }},
		"source":      {store.Filter{Source: "s2"}, func(r store.SessionRow) bool { return r.Source == "s2" }},
		"user":        {store.Filter{User: "u3"}, func(r store.SessionRow) bool { return r.User == "u3" }},
		"model":       {store.Filter{Model: "m2"}, func(r store.SessionRow) bool { return slices.Contains(r.Models, "m2") }},
		"status":      {store.Filter{Status: store.StatusError}, func(r store.SessionRow) bool { return r.Status == store.StatusError }},
		"running":     {store.Filter{Status: store.StatusRunning}, func(r store.SessionRow) bool { return r.Status == store.StatusRunning }},
		"duration":    {store.Filter{MinDuration: 200 * time.Millisecond, MaxDuration: 500 * time.Millisecond}, func(r store.SessionRow) bool { return has(r.Duration, 200, 500) }},
		"cost":        {store.Filter{MinCost: some(0.5), MaxCost: some(1.0)}, func(r store.SessionRow) bool { return has(r.Cost, 0.5, 1) }},
		"no cost":     {store.Filter{MaxCost: some(0.0)}, func(r store.SessionRow) bool { return has(r.Cost, 0, 0) }},
		"rating":      {store.Filter{MinRating: some(1.0), MaxRating: some(1.0)}, func(r store.SessionRow) bool { return has(r.Rating, 1, 1) }},
		"feedback":    {store.Filter{Feedback: some(true)}, func(r store.SessionRow) bool { return r.Feedback }},
		"no feedback": {store.Filter{Feedback: some(false)}, func(r store.SessionRow) bool { return !r.Feedback }},
		"all together": {store.Filter{From: at(5), To: at(90), Project: "p1", Source: "s1", Model: "m1", MinDuration: time.Millisecond}, func(r store.SessionRow) bool {
			return r.Start.Or(0) >= ms(5) && r.Start.Or(0) < ms(90) && r.Project == "p1" && r.Source == "s1" && slices.Contains(r.Models, "m1") && has(r.Duration, 1, 1e9)
		}},
		"nothing": {store.Filter{Project: "p' OR 1=1 --"}, func(store.SessionRow) bool { return false }},
	}
}

func testFilters(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.fill(120)
	all := f.all()
	f.equal(len(all), 120, "sessions")
	for name, c := range filters() {
		var want []store.SessionRow
		for _, r := range all {
			if c.keep(r) {
				want = append(want, r)
			}
		}
		if len(want) == 0 && name != "nothing" || len(want) == len(all) && name != "none" {
			t.Errorf("%s: %d of %d sessions prove nothing", name, len(want), len(all))
		}
		page, err := f.Sessions(t.Context(), store.SessionQuery{Filter: c.filter, Limit: 1000})
		f.check(err)
		f.equal(page.Sessions, want, name)
	}
}

// testPages goes through every order page by page.
func testPages(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.fill(60)
	all := f.all()
	number := func(v honeyhive.Optional[float64]) float64 { return v.Or(-1) }
	tokens := func(r store.SessionRow) float64 {
		if r.TokensIn.IsZero() && r.TokensOut.IsZero() {
			return -1
		}
		return float64(r.TokensIn.Or(0) + r.TokensOut.Or(0))
	}
	by := map[store.Sort]func(a, b store.SessionRow) int{
		"":                 func(a, b store.SessionRow) int { return cmp.Compare(a.Start.Or(0), b.Start.Or(0)) },
		store.SortStart:    func(a, b store.SessionRow) int { return cmp.Compare(a.Start.Or(0), b.Start.Or(0)) },
		store.SortChange:   func(a, b store.SessionRow) int { return cmp.Compare(a.Seq, b.Seq) },
		store.SortDuration: func(a, b store.SessionRow) int { return cmp.Compare(number(a.Duration), number(b.Duration)) },
		store.SortTokens:   func(a, b store.SessionRow) int { return cmp.Compare(tokens(a), tokens(b)) },
		store.SortCost:     func(a, b store.SessionRow) int { return cmp.Compare(number(a.Cost), number(b.Cost)) },
		store.SortErrors:   func(a, b store.SessionRow) int { return cmp.Compare(a.Errors, b.Errors) },
		store.SortName:     func(a, b store.SessionRow) int { return cmp.Compare(a.Name, b.Name) },
	}
	for sort, compare := range by {
		for _, ascending := range []bool{false, true} {
			want := slices.Clone(all)
			slices.SortFunc(want, func(a, b store.SessionRow) int {
				c := cmp.Or(compare(a, b), bytes.Compare(a.ID[:], b.ID[:]))
				if !ascending {
					c = -c
				}
				return c
			})
			q := store.SessionQuery{Sort: sort, Ascending: ascending, Limit: 7}
			var got []store.SessionRow
			for {
				page, err := f.Sessions(t.Context(), q)
				f.check(err)
				got = append(got, page.Sessions...)
				if q.After = page.Next; q.After == "" {
					break
				}
			}
			f.equal(numbers(got), numbers(want), fmt.Sprintf("order %q, ascending %v", sort, ascending))
			testBehind(f, want, store.SessionQuery{Sort: sort, Ascending: ascending})
		}
	}
	// What arrives meanwhile shifts nothing.
	first, err := f.Sessions(t.Context(), store.SessionQuery{Limit: 10})
	f.check(err)
	f.write(store.Write{Session: session(t, 500, fmt.Sprintf(`"start_time":%v`, ms(500)))})
	second, err := f.Sessions(t.Context(), store.SessionQuery{Limit: 10, After: first.Next})
	f.check(err)
	f.equal(numbers(second.Sessions), numbers(all[10:20]), "the second page")

	for _, q := range []store.SessionQuery{{After: "x"}, {After: "WyJmIiwiMSIsIngiXQ"}, {Sort: store.SortName, After: first.Next}, {Sort: "none"}} {
		if _, err := f.Sessions(t.Context(), q); err == nil {
			t.Errorf("%+v gives no error", q)
		}
	}
}

// testBehind looks for the next session of each one in an order, without a filter and
// with one that lets few of them through.
func testBehind(f *fixture, order []store.SessionRow, q store.SessionQuery) {
	f.Helper()
	q.Limit = 1
	step := 1
	if testing.Short() {
		step = 7
	}
	for _, q.Status = range []store.Status{"", store.StatusError} {
		for i := 0; i < len(order); i += step {
			var want []store.SessionRow
			for _, r := range order[i+1:] {
				if len(want) == 0 && (q.Status == "" || r.Status == q.Status) {
					want = append(want, r)
				}
			}
			q.Behind = order[i].ID
			page, err := f.Sessions(f.Context(), q)
			f.check(err)
			f.equal(numbers(page.Sessions), numbers(want), fmt.Sprintf("behind %d of order %q, ascending %v, %q", i, q.Sort, q.Ascending, q.Status))
		}
	}
	q.Behind = honeyhive.NewUUID()
	if _, err := f.Sessions(f.Context(), q); !errors.Is(err, store.ErrNotFound) {
		f.Errorf("behind a session that is not there: %v", err)
	}
}

// testChanges follows what changes.
func testChanges(t *testing.T, open Opener) {
	f := newFixture(t, open)
	none, err := f.Changes(t.Context(), 0, 0)
	f.check(err)
	f.equal(len(none), 0, "changes of an empty store")
	woken := make(chan error, 1)
	go func() { woken <- f.WaitChange(t.Context(), 0) }()
	f.write(store.Write{Session: session(t, 1, ``)})
	f.check(<-woken)
	f.write(store.Write{Session: session(t, 2, ``)})
	seq := f.info().Seq
	f.write(store.Write{Event: event(t, 11, 1, 1, `"event_type":"tool"`)})
	f.write(store.Write{Update: update(t, 11, `"metrics":{"a":1}`)})
	f.check(f.WaitChange(t.Context(), seq))
	follow := func(after int64, limit int) []store.Change {
		t.Helper()
		list, err := f.Changes(t.Context(), after, limit)
		f.check(err)
		last := after
		for _, c := range list {
			if c.Seq <= last {
				t.Errorf("number %d after %d", c.Seq, last)
			}
			last = c.Seq
		}
		return list
	}
	got := follow(seq, 0)
	if len(got) != 1 || got[0].Session != id(1) || got[0].Deleted || got[0].Seq != f.info().Seq || got[0].Seq != f.session(1).Seq {
		t.Errorf("got the changes %v", got)
	}
	f.check(f.Delete(t.Context(), id(1)))
	f.reopen()
	got = follow(seq, 0)
	if len(got) != 1 || got[0].Session != id(1) || !got[0].Deleted {
		t.Errorf("got the changes %v, want a deletion", got)
	}
	f.equal(len(follow(0, 1)), 1, "changes within a limit")
	last := f.info().Seq
	if last != got[0].Seq {
		t.Errorf("after a restart the last number is %d, not %d", last, got[0].Seq)
	}
	_, err = f.Changes(t.Context(), last+1, 0)
	f.is(err, store.ErrCursorExpired)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.is(f.WaitChange(ctx, last), context.Canceled)
	f.write(store.Write{Session: session(t, 3, ``)})
	if now := f.info().Seq; now <= last {
		t.Errorf("number %d after %d", now, last)
	}
	// A session that comes back is a change, and no deletion.
	f.write(store.Write{Session: session(t, 1, ``)})
	got = follow(last, 0)
	f.equal(len(got), 2, "changes")
	for _, c := range got {
		f.equal(c.Deleted, false, "deleted")
	}
}

// testDelete deletes sessions.
func testDelete(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.fill(9)
	f.write(store.Write{Update: update(t, 700, `"metrics":{"a":1}`)})
	f.check(f.Delete(t.Context()))
	f.check(f.Delete(t.Context(), id(2), id(5), id(700), id(999)))
	f.equal(numbers(f.all()), []int{9, 8, 7, 6, 4, 3, 1}, "what is left")
	_, err := f.Event(t.Context(), id(10020))
	f.is(err, store.ErrNotFound)
	_, err = f.Session(t.Context(), id(2))
	f.is(err, store.ErrNotFound)
	info := f.info()
	f.equal([]any{info.Sessions, info.Events, info.Waiting}, []any{int64(7), int64(5), int64(0)}, "counts")
	f.check(f.Delete(t.Context(), id(10010))) // an event
	f.equal(f.info().Events, int64(5), "events")
	f.write(store.Write{Event: event(t, 10020, 2, 2, `"event_type":"tool"`)})
	f.equal(f.session(2).Status, store.StatusOrphan, "what comes later is new")
	rows := f.all()
	f.check(f.Scrub(t.Context()))
	f.equal(f.all(), rows, "what is left after scrubbing")
	f.check(f.Scrub(t.Context()))
}

// testPrune deletes what is too old or too much.
func testPrune(t *testing.T, open Opener) {
	f := newFixture(t, open)
	now := time.Now()
	old := func(n int, age time.Duration, fields string) {
		f.write(store.Write{Session: session(t, n, fmt.Sprintf(`"start_time":%d`, now.Add(-age).UnixMilli())+fields), At: now})
	}
	old(1, 100*time.Hour, ``)
	old(2, 100*time.Hour, fmt.Sprintf(`,"end_time":%d`, now.UnixMilli()))
	old(3, 10*time.Hour, ``)
	old(4, 100*time.Hour, ``)
	f.write(store.Write{Event: event(t, 11, 4, 4, fmt.Sprintf(`"event_type":"tool","start_time":%d`, now.UnixMilli()))})
	f.write(store.Write{Session: session(t, 5, ``), At: now}, store.Write{Event: event(t, 12, 1, 1, `"event_type":"tool"`), At: now})
	f.write(store.Write{Update: update(t, 13, ``), At: now}, store.Write{Update: update(t, 14, ``), At: now.Add(-51 * time.Hour)})
	none, err := f.Prune(t.Context(), store.Retention{})
	f.check(err)
	f.equal(none, store.Pruned{}, "without limits")
	got, err := f.Prune(t.Context(), store.Retention{MaxAge: 50 * time.Hour})
	f.check(err)
	f.equal(got, store.Pruned{Sessions: 1, Events: 1}, "by age")
	f.equal(f.info().Waiting, int64(1), "waiting updates")
	var left []int
	for _, r := range f.all() {
		left = append(left, numbers([]store.SessionRow{r})...)
	}
	slices.Sort(left)
	f.equal(left, []int{2, 3, 4, 5}, "what is left")

	// By size: the oldest go until the rest fits.
	content := fmt.Sprintf(`,"inputs":{"text":%q}`, bytes.Repeat([]byte("words of a prompt "), 3000))
	for n := range 60 {
		old(100+n, time.Duration(1000-n)*time.Hour, content)
	}
	f.indexed()
	full := f.info().Bytes
	limit := full / 2
	got, err = f.Prune(t.Context(), store.Retention{MaxBytes: limit})
	f.check(err)
	info := f.info()
	if info.Bytes > limit || got.Sessions < 10 || got.Sessions > 50 {
		t.Errorf("of %d bytes %d are left, with a limit of %d; %d sessions went", full, info.Bytes, limit, got.Sessions)
	}
	if _, err := f.Session(t.Context(), id(100)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the oldest is there: %v", err)
	}
	f.session(159)
}

// testRestart sees that all is there after a restart.
func testRestart(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.fill(20)
	var ids []honeyhive.UUID
	for n := range 20 {
		ids = append(ids, id(n+1))
	}
	before := f.snapshot(ids...)
	rows := f.all()
	f.reopen()
	f.equal(f.snapshot(ids...), before, "after a restart")
	f.equal(f.all(), rows, "the list after a restart")
}

// testClosed uses a store that is closed.
func testClosed(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.write(store.Write{Session: session(t, 1, ``)})
	seq, waiting := f.info().Seq, make(chan error, 1)
	go func() { waiting <- f.WaitChange(t.Context(), seq) }()
	f.check(f.Close())
	f.check(f.Close())
	if err := <-waiting; !errors.Is(err, store.ErrClosed) {
		t.Errorf("a wait ends with %v", err)
	}
	ctx := t.Context()
	_, err1 := f.Session(ctx, id(1))
	_, err2 := f.Sessions(ctx, store.SessionQuery{})
	_, err3 := f.Aggregate(ctx, store.Filter{}, store.Grouping{})
	_, err4 := f.Changes(ctx, 0, 0)
	_, err5 := f.Info(ctx)
	_, err6 := f.Prune(ctx, store.Retention{MaxAge: 1})
	_, err7 := f.Event(ctx, id(1))
	_, err10 := f.Seq(ctx)
	err11 := f.Scrub(ctx)
	var err8, err9 error
	for _, err := range f.Events(ctx, id(1), store.EventQuery{}) {
		err8 = err
	}
	for _, err := range f.Waiting(ctx) {
		err9 = err
	}
	for i, err := range []error{f.Write(ctx, nil), f.Write(ctx, []store.Write{{Session: session(t, 1, ``)}}), f.Delete(ctx, id(1)), f.WaitChange(ctx, 0), err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("call %d on a closed store: %v", i, err)
		}
	}
}
