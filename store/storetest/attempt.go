package storetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// attempts returns those of all runs, run by run.
func (f *fixture) attempts() (list []store.Attempt) {
	f.Helper()
	for _, r := range f.runs(store.RunQuery{Limit: 1000}) {
		list = append(list, collect(f, f.Attempts(f.Context(), r.ID))...)
	}
	return list
}

// runs walks the pages of a query. Their rows have no keys, which are a store's own.
func (f *fixture) runs(q store.RunQuery) (list []store.RunRow) {
	f.Helper()
	for {
		page, err := f.Runs(f.Context(), q)
		f.check(err)
		for _, r := range page.Runs {
			if behind, err := f.Runs(f.Context(), store.RunQuery{After: r.Key, Name: q.Name, Dataset: q.Dataset, Limit: 1}); err != nil || len(behind.Runs) > 0 && behind.Runs[0].Start > r.Start {
				f.Errorf("behind %q there is %+v, %v", r.ID, behind, err)
			}
			r.Key = ""
			list = append(list, r)
		}
		if q.After = page.Next; q.After == "" {
			return list
		}
	}
}

func testAttempts(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.equal(f.runs(store.RunQuery{}), []store.RunRow(nil), "runs of an empty store")
	f.equal(collect(f, f.Attempts(t.Context(), "none")), []store.Attempt(nil), "attempts of no run")

	// Announced, then whole, then scored by an update.
	f.write(store.Write{At: at(0), Session: session(t, 1, fmt.Sprintf(`"start_time":%v,"inputs":{"question":"q1"},"feedback":{"ground_truth":{"a":1}},"metadata":{"run_id":"r1","run_name":"TestA","dataset_id":"D","datapoint_id":"p1","datapoint_name":"one","baseline_run_id":"r0","attempt":2}`, ms(1)))})
	f.equal(f.attempts()[0].Status, store.StatusRunning, "an attempt that runs")
	f.write(
		store.Write{At: at(2), Update: update(t, 1, `"duration":250,"metadata":{"cost":0.5,"prompt_tokens":7,"completion_tokens":2},"metrics":{"overlap":0.75,"cites":true,"says":"words","no":false,"cost":9,"huge":1e16,"list":[1],"none":null,"neg":-2.5}`)},
		store.Write{At: at(3), Session: session(t, 2, fmt.Sprintf(`"start_time":%v,"duration":10,"error":"broke","inputs":{"question":"q1"},"feedback":{"ground_truth":{"a":1},"rating":1},"metadata":{"run_id":"r1","datapoint_id":5}`, ms(0)))},
		store.Write{At: at(3), Session: session(t, 3, fmt.Sprintf(`"start_time":%v,"duration":10,"inputs":{"question":"q2"},"feedback":{"ground_truth":{"a":1}},"metadata":{"run_id":17,"run_name":"TestB","attempt":-1}`, ms(5)))},
		store.Write{At: at(3), Session: session(t, 4, `"duration":10,"metadata":{"run_id":""}`)},
		store.Write{At: at(3), Session: session(t, 5, `"duration":10,"metadata":{"run_id":["r1"]}`)},
		store.Write{At: at(3), Session: session(t, 6, `"duration":10,"inputs":{"run_id":"r1"}`)},
	)
	list := f.attempts()
	if len(list) != 3 {
		t.Fatalf("%d attempts: %+v", len(list), list)
	}
	// The run that began last is the first; within it the attempt that began first.
	b, failed, a := list[0], list[1], list[2]
	f.equal(a, store.Attempt{
		Session: id(1), Run: "r1", RunName: "TestA", Dataset: "D", Baseline: "r0", Datapoint: "p1", Name: "one", Number: 2, Sum: a.Sum,
		Scores:   []store.Score{{Name: "cites", Value: 1, Bool: true}, {Name: "neg", Value: -2.5}, {Name: "no", Bool: true}, {Name: "overlap", Value: 0.75}},
		Currency: "USD", Costs: []store.Cost{{Currency: "USD", Amount: 0.5}},
		Project: "p", Source: "test", Status: store.StatusOK, Measures: f.session(1).Measures,
	}, "an attempt")
	f.equal([]any{a.Duration.Or(0), a.Cost.Or(0), a.TokensIn.Or(0), a.TokensOut.Or(0)}, []any{250.0, 0.5, int64(7), int64(2)}, "measures")
	f.equal([]any{failed.Session, failed.Datapoint, failed.Status, failed.Rating.Or(0), failed.Feedback}, []any{id(2), "5", store.StatusError, 1.0, true}, "an attempt that failed")
	f.equal([]any{b.Session, b.Run, b.RunName, b.Number}, []any{id(3), "17", "TestB", int64(0)}, "a run with a number for a name")
	if a.Sum == "" || a.Sum != failed.Sum || a.Sum == b.Sum {
		t.Errorf("sums of the same inputs, and of others: %q, %q, %q", a.Sum, failed.Sum, b.Sum)
	}

	// A row is that of the attempt that started first, which has no name here.
	runs := []store.RunRow{{ID: "17", Name: "TestB", Start: ms(5)}, {ID: "r1", Start: ms(0)}}
	f.equal(f.runs(store.RunQuery{}), runs, "runs")
	f.equal(f.runs(store.RunQuery{Limit: 1}), runs, "runs, one by one")
	f.equal(f.runs(store.RunQuery{Name: "TestB"}), runs[:1], "runs of a name")
	f.equal(f.runs(store.RunQuery{Dataset: "D"}), []store.RunRow(nil), "runs of a dataset that is not the first attempt's")
	if _, err := f.Runs(t.Context(), store.RunQuery{After: "x"}); err == nil {
		t.Error("a key of no page is taken")
	}
	f.check(f.Delete(t.Context(), id(2)))
	f.equal(f.runs(store.RunQuery{Dataset: "D"}), []store.RunRow{{ID: "r1", Name: "TestA", Dataset: "D", Baseline: "r0", Start: ms(1)}}, "a run whose first attempt was deleted")
	f.reopen()
	f.equal(f.attempts(), []store.Attempt{b, a}, "attempts after a restart")

	// An update moves an attempt to another run, or out of all.
	f.write(store.Write{At: at(9), Update: update(t, 1, `"metadata":{"run_id":"r2"}`)}, store.Write{At: at(9), Update: update(t, 3, `"metadata":{"run_id":false}`)})
	a.Run = "r2"
	f.equal(f.attempts(), []store.Attempt{a}, "an attempt that moved")
	f.check(f.Delete(t.Context(), id(1)))
	f.equal(f.attempts(), []store.Attempt(nil), "attempts that were deleted")
	f.equal(f.runs(store.RunQuery{}), []store.RunRow(nil), "runs without attempts")

	// Of an orphan updates alone may say that it is an attempt.
	f.write(store.Write{At: at(9), Event: event(t, 100, 7, 7, `"duration":5`)}, store.Write{At: at(9), Update: update(t, 7, `"metadata":{"run_id":"r3"},"metrics":{"x":0.5}`)})
	orphan := f.attempts()
	if len(orphan) != 1 || orphan[0].Session != id(7) || orphan[0].Status != store.StatusOrphan || orphan[0].Scores[0].Value != 0.5 {
		t.Errorf("of an orphan: %+v", orphan)
	}

	// Names that are long, hostile or no text, and more scores than a row has.
	long := strings.Repeat("n", 300)
	var scores []string
	for n := range 2 * store.MaxScores {
		scores = append(scores, fmt.Sprintf(`"s%03d":%d`, n, n))
	}
	f.write(
		store.Write{At: at(10), Session: session(t, 8, `"duration":1,"metadata":{"run_id":"`+long+`a"},"metrics":{`+strings.Join(scores, ",")+`}`)},
		store.Write{At: at(10), Session: session(t, 9, `"duration":1,"metadata":{"run_id":"`+long+`b' OR 1=1 --"}`)},
		store.Write{At: at(10), Session: session(t, 10, `"duration":1,"start_time":1e300,"metadata":{"run_id":"\u0000\ud800\u202e<b>"}`)},
	)
	seen := make(map[string]bool)
	for _, r := range f.runs(store.RunQuery{}) {
		if len(r.ID) > 256 || seen[r.ID] || !(math.Abs(r.Start) <= 1e15) {
			t.Errorf("the run %q of %d bytes starts at %v", r.ID, len(r.ID), r.Start)
		}
		seen[r.ID] = true
		list := collect(f, f.Attempts(t.Context(), r.ID))
		f.equal(len(list), 1, "attempts of a run with an odd name")
		if list[0].Session == id(8) {
			f.equal([]int{len(list[0].Scores), list[0].MoreScores}, []int{store.MaxScores, store.MaxScores}, "scores")
			f.equal(list[0].Scores[1], store.Score{Name: "s001", Value: 1}, "the second score")
		}
	}
	f.equal(len(seen), 4, "runs with odd names")
}

// testJoinedAttempts has sessions that others are part of: each is one attempt of a run,
// whichever of its parts says so.
func testJoinedAttempts(t *testing.T, open Opener) {
	f := newFixture(t, open)
	part := func(n, of int, fields string) []store.Write {
		return []store.Write{
			{At: at(1), Session: session(t, n, fmt.Sprintf(`"start_time":%v,"duration":5%s`, ms(float64(n)), fields)), Trace: id(n)},
			{At: at(1), Event: event(t, 100+n, n, 0, fmt.Sprintf(`"start_time":%v,"duration":5`, ms(float64(n)))), Trace: id(n)},
			{At: at(1), Join: &store.Join{From: id(n), To: id(of), Trace: id(n), Text: "s", Span: id(100 + n), Start: ms(float64(n)), Speaks: true}},
		}
	}
	f.write(store.Write{At: at(1), Session: session(t, 1, fmt.Sprintf(`"start_time":%v,"duration":9,"metadata":{"run_id":"r"},"metrics":{"x":1}`, ms(1)))})
	f.write(part(2, 1, `,"metadata":{"run_id":"r"},"metrics":{"x":2}`)...)
	f.write(part(3, 1, `,"metadata":{"run_id":"s"}`)...)
	f.write(part(5, 4, `,"metadata":{"run_id":"r"},"metrics":{"x":5}`)...)
	f.write(part(6, 4, `,"metadata":{"run_id":"r"},"metrics":{"x":6}`)...)
	f.check(f.Sync(t.Context()))
	said := func() (list []string) {
		for _, a := range f.attempts() {
			list = append(list, fmt.Sprintf("%s of %v: %v", a.Run, numberOf(a.Session), a.Scores))
		}
		slices.Sort(list)
		return list
	}
	f.equal(said(), []string{"r of 1: [{x 1 false}]", "r of 4: [{x 5 false}]", "s of 1: []"}, "sessions that others are part of")
	f.check(f.Delete(t.Context(), id(4)))
	f.equal(said(), []string{"r of 1: [{x 1 false}]", "s of 1: []"}, "after one was deleted")
	f.check(f.Delete(t.Context(), id(1)))
	f.equal(said(), []string(nil), "after all were deleted")
}

func numberOf(u honeyhive.UUID) int { return int(u[14])<<8 | int(u[15]) }

// testManyAttempts walks a run that is larger than what a walk reads at once, among
// others that begin as its name does.
func testManyAttempts(t *testing.T, open Opener) {
	const runs = 60
	many := 4_500
	if testing.Short() {
		many = 1_500
	}
	f := newFixture(t, open)
	var batch []store.Write
	for n := 1; n <= many; n++ { // two of each start at once
		batch = append(batch, store.Write{At: at(0), Session: session(t, n, fmt.Sprintf(`"start_time":%v,"duration":1,"metadata":{"run_id":"r","datapoint_id":"p%d"},"metrics":{"x":%d}`, ms(float64(many-n/2)), n%100, n))})
	}
	for n := range runs {
		batch = append(batch, store.Write{At: at(0), Session: session(t, 20000+n, fmt.Sprintf(`"start_time":%v,"duration":1,"metadata":{"run_id":"r%d","dataset_id":"d%d"}`, ms(float64(n/2)), n, n%2))})
	}
	f.write(batch...)
	seen := make(map[honeyhive.UUID]float64)
	last := 0.0
	for _, a := range collect(f, f.Attempts(t.Context(), "r")) {
		if _, again := seen[a.Session]; again || a.Start.Or(0) < last {
			t.Fatalf("the attempt %v comes again or out of order", numberOf(a.Session))
		}
		seen[a.Session], last = a.Scores[0].Value, a.Start.Or(0)
	}
	f.equal(len(seen), many, "attempts")
	for n := 1; n <= many; n++ {
		if seen[id(n)] != float64(n) {
			t.Fatalf("attempt %d has the score %v", n, seen[id(n)])
		}
	}
	list := f.runs(store.RunQuery{Limit: 7})
	f.equal(len(list), runs+1, "runs, page by page")
	for i, r := range list[1:] {
		if b := list[i]; b.Start < r.Start || b.Start == r.Start && b.ID <= r.ID {
			t.Errorf("run %d is out of order", i+1)
		}
	}
	f.equal(len(f.runs(store.RunQuery{Dataset: "d1", Limit: 30})), runs/2, "runs of a dataset")
	for a, err := range f.Attempts(t.Context(), "r") {
		f.check(err)
		f.equal(a.Run, "r", "a walk that ends early")
		break
	}
}
