package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/store"
)

// testAggregate sums by itself what the store sums.
func testAggregate(t *testing.T, open Opener) {
	f := newFixture(t, open)
	empty, err := f.Aggregate(t.Context(), store.Filter{}, store.Grouping{Buckets: 3})
	f.check(err)
	f.equal([]any{len(empty), empty[0].Total, len(empty[0].Points)}, []any{1, store.Summary{}, 3}, "nothing")
	f.fill(100)
	all := f.all()
	keys := map[store.By]func(store.SessionRow) string{
		store.ByNone:    func(store.SessionRow) string { return "" },
		store.ByProject: func(r store.SessionRow) string { return r.Project },
		store.BySource:  func(r store.SessionRow) string { return r.Source },
		store.ByUser:    func(r store.SessionRow) string { return r.User },
		store.ByStatus:  func(r store.SessionRow) string { return string(r.Status) },
	}
	for name, c := range filters() {
		for by, key := range keys {
			groups := make(map[string][]store.SessionRow)
			for _, r := range all {
				if c.keep(r) {
					groups[key(r)] = append(groups[key(r)], r)
				}
			}
			got, err := f.Aggregate(t.Context(), c.filter, store.Grouping{By: by, Buckets: 4})
			f.check(err)
			if by != store.ByNone {
				f.equal(len(got), len(groups), name+" by "+string(by)+": series")
			}
			for i, s := range got {
				what := fmt.Sprintf("%s by %q: %q", name, by, s.Key)
				f.equal(s.Total, summarize(groups[s.Key]), what)
				if i > 0 && s.Total.Count > got[i-1].Total.Count {
					t.Errorf("%s is not in the order of counts", what)
				}
				var count int64
				for k, p := range s.Points {
					count += p.Count
					var in []store.SessionRow
					for _, r := range groups[s.Key] {
						if v := r.Start.Or(0); v >= milli(p.From) && v < milli(p.To) {
							in = append(in, r)
						}
					}
					f.equal(p.Summary, summarize(in), fmt.Sprintf("%s, part %d", what, k))
				}
				f.equal(count, s.Total.Count, what+": sum of the parts")
			}
		}
	}
	models, err := f.Aggregate(t.Context(), store.Filter{Project: "p1"}, store.Grouping{By: store.ByModel, Limit: 2})
	f.check(err)
	f.equal(len(models), 2, "series within the limit")
	for _, m := range models {
		var count, errs int64
		for _, r := range all {
			if r.Project != "p1" {
				continue
			}
			for _, e := range collect(f, f.Events(t.Context(), r.ID, store.EventQuery{})) {
				if e.Model == m.Key {
					count++
					if e.Error != "" {
						errs++
					}
				}
			}
		}
		f.equal([]any{m.Total.Count, m.Total.Errors, m.Total.TokensIn, m.Total.FirstToken.Count}, []any{count, errs, 2 * count, count}, "model "+m.Key)
	}
	for _, g := range []store.Grouping{{By: "x"}, {Buckets: -1}, {Buckets: 100_000}} {
		if _, err := f.Aggregate(t.Context(), store.Filter{}, g); err == nil {
			t.Errorf("%+v gives no error", g)
		}
	}
}

func milli(t time.Time) float64 { return float64(t.UnixMicro()) / 1000 }

func summarize(rows []store.SessionRow) store.Summary {
	var s store.Summary
	var durations, firsts []float64
	for _, r := range rows {
		s.Count++
		switch r.Status {
		case store.StatusError:
			s.Errors++
		case store.StatusRunning:
			s.Running++
		case store.StatusOrphan:
			s.Orphans++
		}
		s.Events += r.Events
		s.TokensIn += r.TokensIn.Or(0)
		s.TokensOut += r.TokensOut.Or(0)
		s.Cost += r.Cost.Or(0) // quarters, which add up exactly
		if !r.Cost.IsZero() {
			s.Currency = "USD"
		}
		if v, ok := r.Duration.Get(); ok {
			durations = append(durations, v)
		}
		if v, ok := r.FirstToken.Get(); ok {
			firsts = append(firsts, v)
		}
	}
	s.Duration, s.FirstToken = nearest(durations), nearest(firsts)
	return s
}

func nearest(values []float64) store.Percentiles {
	slices.Sort(values)
	p := store.Percentiles{Count: int64(len(values))}
	at := func(share float64) float64 {
		for i, v := range values { // the first that so many are not above
			if float64(i+1) >= share*float64(len(values)) {
				return v
			}
		}
		return 0
	}
	p.P50, p.P90, p.P99, p.Max = at(0.5), at(0.9), at(0.99), at(1)
	return p
}
