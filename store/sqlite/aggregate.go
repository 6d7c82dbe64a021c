package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

var groupColumns = map[store.By]string{
	store.ByNone: "''", store.ByProject: "project", store.BySource: "source", store.ByUser: "user", store.ByStatus: "status",
}

// Aggregate implements [store.Store].
func (s *Store) Aggregate(ctx context.Context, f store.Filter, g store.Grouping) ([]store.Series, error) {
	if g.Buckets < 0 || g.Buckets > 1000 {
		return nil, fmt.Errorf("aggregate sessions: %d buckets", g.Buckets)
	}
	samples, keys, err := s.samples(ctx, f, g.By)
	if err != nil {
		return nil, s.failed(ctx, "aggregate sessions", err)
	}
	from, to := bounds(f, samples)
	series := make(map[string]*accumulator)
	var list []*accumulator
	if g.By == store.ByNone {
		series[""] = s.accumulator("", g.Buckets)
		list = append(list, series[""])
	}
	for i := range samples {
		sample := &samples[i]
		a := series[keys[i]]
		if a == nil {
			a = s.accumulator(keys[i], g.Buckets)
			series[keys[i]] = a
			list = append(list, a)
		}
		a.total.add(sample)
		if g.Buckets > 0 {
			at := int((sample.moment - from) / (to - from) * float64(g.Buckets))
			a.points[max(0, min(at, g.Buckets-1))].add(sample)
		}
	}
	slices.SortFunc(list, func(a, b *accumulator) int {
		return cmp.Or(cmp.Compare(b.total.Count, a.total.Count), cmp.Compare(a.key, b.key))
	})
	limit := g.Limit
	if limit <= 0 {
		limit = 100
	}
	var out []store.Series
	for _, a := range list[:min(limit, len(list))] {
		out = append(out, a.series(from, to))
	}
	return out, nil
}

// samples returns what is to be summed up, and the series of each.
func (s *Store) samples(ctx context.Context, f store.Filter, by store.By) ([]sample, []string, error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	var c condition
	c.filter(f)
	var query string
	if by == store.ByModel {
		query = `SELECT model, sample FROM event INDEXED BY event_model WHERE type = 'model' AND session NOT IN (SELECT session FROM doomed)`
		if len(c.terms) > 0 {
			query += ` AND ifnull((SELECT t.pk FROM record r JOIN home h ON h.origin = r.id JOIN record t ON t.id = h.target WHERE r.pk = event.session), session) IN (SELECT pk FROM session` + c.index(store.SortStart) + c.where() + `)`
		}
	} else {
		column, ok := groupColumns[by]
		if !ok {
			return nil, nil, fmt.Errorf("nothing is divided by %q", by)
		}
		query = `SELECT ` + column + `, sample FROM session INDEXED BY session_moment` + c.where()
	}
	rows, err := s.read.QueryContext(ctx, query, c.args...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []sample
	var keys []string
	n := make(names)
	for rows.Next() {
		var key, packed sql.RawBytes
		if err := rows.Scan(&key, &packed); err != nil {
			return nil, nil, err
		}
		r, err := unpackSample(packed)
		if err != nil {
			return nil, nil, err
		}
		list, keys = append(list, r), append(keys, n.get(key))
	}
	return list, keys, rows.Err()
}

// bounds returns the time that buckets divide, in Unix milliseconds: never none.
func bounds(f store.Filter, samples []sample) (from, to float64) {
	from, to = math.Inf(1), math.Inf(-1)
	for i := range samples {
		from, to = min(from, samples[i].moment), max(to, samples[i].moment+1)
	}
	if !f.From.IsZero() {
		from = milliseconds(f.From)
	}
	if !f.To.IsZero() {
		to = milliseconds(f.To)
	}
	switch {
	case math.IsInf(from, 1) && math.IsInf(to, -1):
		return 0, 1
	case math.IsInf(from, 1) || from >= to:
		return to - 1, to
	case math.IsInf(to, -1):
		return from, from + 1
	}
	return from, to
}

// accumulator is a series in the making.
type accumulator struct {
	key, currency string
	total         sum
	points        []sum
}

func (s *Store) accumulator(key string, buckets int) *accumulator {
	return &accumulator{key: key, currency: s.prices.Currency(), points: make([]sum, buckets)}
}

func (a *accumulator) series(from, to float64) store.Series {
	out := store.Series{Key: a.key, Total: a.total.summary(a.currency)}
	width := (to - from) / float64(len(a.points))
	for i := range a.points {
		out.Points = append(out.Points, store.Point{
			From: fromMilliseconds(from + float64(i)*width), To: fromMilliseconds(from + float64(i+1)*width),
			Summary: a.points[i].summary(a.currency),
		})
	}
	return out
}

// sum is a summary in the making.
type sum struct {
	store.Summary
	cost, derived          int64
	others                 record.Amounts
	paid                   bool // something has a cost in the currency of the prices
	durations, firstTokens []float64
}

func (s *sum) add(v *sample) {
	s.TokensIn = record.AddCapped(s.TokensIn, v.in.Or(0))
	s.TokensOut = record.AddCapped(s.TokensOut, v.out.Or(0))
	s.cost, s.derived = record.AddCapped(s.cost, v.cost.Or(0)), record.AddCapped(s.derived, v.derived)
	s.others.Add(v.others...)
	if v.unpriced {
		s.Unpriced++
	}
	s.paid = s.paid || !v.cost.IsZero()
	if v.wrapped {
		return
	}
	s.Count++
	switch v.status {
	case store.StatusError:
		s.Errors++
	case store.StatusRunning:
		s.Running++
	case store.StatusOrphan:
		s.Orphans++
	}
	s.Events = record.AddCapped(s.Events, v.events)
	if d, ok := v.duration.Get(); ok {
		s.durations = append(s.durations, d)
	}
	if d, ok := v.firstToken.Get(); ok {
		s.firstTokens = append(s.firstTokens, d)
	}
}

func (s *sum) summary(currency string) store.Summary {
	out := s.Summary
	out.Cost, out.CostDerived = record.FromCostUnits(s.cost), record.FromCostUnits(s.derived)
	if s.paid {
		out.Currency = currency
	}
	out.OtherCosts = fromAmounts(s.others.Sorted())
	out.Duration, out.FirstToken = percentiles(s.durations), percentiles(s.firstTokens)
	return out
}

func percentiles(values []float64) store.Percentiles {
	n := len(values)
	if n == 0 {
		return store.Percentiles{}
	}
	slices.Sort(values)
	rank := func(p int) float64 { return values[(n*p+99)/100-1] }
	return store.Percentiles{Count: int64(n), P50: rank(50), P90: rank(90), P99: rank(99), Max: values[n-1]}
}
