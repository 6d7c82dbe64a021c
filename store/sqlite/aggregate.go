package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

var groupColumns = map[store.By]string{
	store.ByNone: "''", store.ByProject: "project", store.BySource: "source", store.ByUser: "user", store.ByStatus: "status",
	store.ByFeedback: `CASE WHEN rating > 0 THEN 'up' WHEN rating < 0 THEN 'down' WHEN feedback THEN 'other' ELSE 'none' END`,
}

// eventGroups are the columns of what events are divided by.
var eventGroups = map[store.By]string{
	store.ByModel: "model", store.ByEvent: "name", store.ByKind: "kind", store.ByErrorKind: "failure", store.ByPrompt: "prompt",
}

// Aggregate implements [store.Store].
func (s *Store) Aggregate(ctx context.Context, f store.Filter, g store.Grouping) ([]store.Series, error) {
	list, err := s.AggregateAll(ctx, f, []store.Grouping{g})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// AggregateAll implements [store.Store].
func (s *Store) AggregateAll(ctx context.Context, f store.Filter, groupings []store.Grouping) ([][]store.Series, error) {
	out := make([][]store.Series, len(groupings))
	var ofEvents, ofSessions []int
	for i, g := range groupings {
		if g.Buckets < 0 || g.Buckets > 1000 {
			return nil, fmt.Errorf("aggregate sessions: %d buckets", g.Buckets)
		}
		if eventGroups[g.By] != "" {
			ofEvents = append(ofEvents, i)
			continue
		}
		if field, is := g.By.Field(); is {
			d := s.division(g)
			if err := s.sumField(ctx, f, field, d.add); err != nil {
				return nil, s.failed(ctx, "aggregate sessions", err)
			}
			out[i] = d.series(f)
			continue
		}
		ofSessions = append(ofSessions, i)
	}
	for _, part := range []struct {
		list []int
		sum  func(context.Context, store.Filter, []*division) error
	}{{ofSessions, s.sumSessions}, {ofEvents, s.sumEvents}} {
		if len(part.list) == 0 {
			continue
		}
		divisions := make([]*division, len(part.list))
		for k, i := range part.list {
			divisions[k] = s.division(groupings[i])
		}
		if err := part.sum(ctx, f, divisions); err != nil {
			return nil, s.failed(ctx, "aggregate sessions", err)
		}
		for k, i := range part.list {
			out[i] = divisions[k].series(f)
		}
	}
	return out, nil
}

// division divides samples into series.
type division struct {
	store.Grouping
	currency string
	keys     map[string]*accumulator
	list     []*accumulator
	// Samples are kept until it is known which time buckets divide.
	samples []sample
	of      []*accumulator
}

func (s *Store) division(g store.Grouping) *division {
	d := &division{Grouping: g, currency: s.prices.Currency(), keys: make(map[string]*accumulator)}
	if g.By == store.ByNone {
		d.in("")
	}
	return d
}

func (d *division) in(key string) *accumulator {
	a := d.keys[key]
	if a == nil {
		a = &accumulator{key: key, currency: d.currency, points: make([]sum, d.Buckets)}
		d.keys[key] = a
		d.list = append(d.list, a)
	}
	return a
}

func (d *division) add(key string, sample *sample) {
	a := d.in(key)
	a.total.add(sample)
	if d.Buckets > 0 {
		d.samples, d.of = append(d.samples, *sample), append(d.of, a)
	}
}

func (d *division) series(f store.Filter) (out []store.Series) {
	from, to := bounds(f, d.samples)
	for i := range d.samples {
		at := int((d.samples[i].moment - from) / (to - from) * float64(d.Buckets))
		d.of[i].points[max(0, min(at, d.Buckets-1))].add(&d.samples[i])
	}
	slices.SortFunc(d.list, func(a, b *accumulator) int {
		return cmp.Or(cmp.Compare(b.total.Count, a.total.Count), cmp.Compare(a.key, b.key))
	})
	limit := d.Limit
	if limit <= 0 {
		limit = 100
	}
	for _, a := range d.list[:min(limit, len(d.list))] {
		out = append(out, a.series(from, to))
	}
	return out
}

// sumSessions adds the sessions that a filter lets through to divisions, in one walk.
func (s *Store) sumSessions(ctx context.Context, f store.Filter, divisions []*division) error {
	var c condition
	c.filter(f)
	selected := []string{"sample"}
	for _, d := range divisions {
		column, ok := groupColumns[d.By]
		if !ok {
			return fmt.Errorf("nothing is divided by %q", d.By)
		}
		selected = append(selected, column)
	}
	query := `SELECT ` + strings.Join(selected, ", ")
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return err
	}
	defer done()
	rows, err := s.read.QueryContext(ctx, query+` FROM session INDEXED BY session_moment`+c.where(), c.args...)
	if err != nil {
		return err
	}
	n := make(names)
	columns, into := columnsFor(len(divisions) + 1)
	return each(rows, func(row scanner) error {
		if err := row.Scan(into...); err != nil {
			return err
		}
		r, err := unpackSample(columns[0])
		if err != nil {
			return err
		}
		for i, d := range divisions {
			d.add(n.get(columns[1+i]), &r)
		}
		return nil
	})
}

// columnsFor returns so many columns, and where to scan them to.
func columnsFor(n int) (columns []sql.RawBytes, into []any) {
	columns = make([]sql.RawBytes, n)
	for i := range columns {
		into = append(into, &columns[i])
	}
	return columns, into
}

// sumField calls add with the sample of each session that the filter lets through, once
// for each of the values of a field that its records have.
func (s *Store) sumField(ctx context.Context, f store.Filter, field string, add func(string, *sample)) error {
	path, err := pathOf(field)
	if err != nil {
		return err
	}
	var c condition
	c.filter(f)
	//nolint:gosec // no part of it comes from outside
	query := `SELECT l.term, s.sample, s.pk FROM (SELECT DISTINCT * FROM (` + shown(`SELECT DISTINCT v.term, r.session FROM search_terms v CROSS JOIN record r INDEXED BY record_session ON r.pk = v.doc
		WHERE v.term >= ? AND v.term < ? AND v.col = '`+factColumn+`'`, `f.term, `) + `)) l JOIN session s ON s.pk = l.pk`
	args := []any{factWord(path, textMark, ""), factWord(path, lastMark, "")}
	if len(c.terms) > 0 {
		query += ` WHERE s.pk IN (SELECT pk FROM session INDEXED BY session_moment` + c.where() + `)`
		args = append(args, c.args...)
	}
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return err
	}
	defer done()
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	type valueOf struct {
		value   string
		session int64
	}
	both := make(map[valueOf]bool) // a session may have it as a text and as a number
	n := make(names)
	return each(rows, func(row scanner) error {
		var term, packed sql.RawBytes
		var pk int64
		if err := row.Scan(&term, &packed, &pk); err != nil {
			return err
		}
		r, err := unpackSample(packed)
		if err != nil {
			return err
		}
		value := n.get([]byte(factValue(string(term))))
		if _, err := strconv.ParseFloat(value, 64); err == nil {
			if both[valueOf{value, pk}] {
				return nil
			}
			both[valueOf{value, pk}] = true
		}
		add(value, &r)
		return nil
	})
}

// sumEvents adds the events of the sessions that a filter lets through to divisions, in
// one walk.
func (s *Store) sumEvents(ctx context.Context, f store.Filter, divisions []*division) error {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return err
	}
	defer done()
	selected := []string{"type"}
	for _, d := range divisions {
		selected = append(selected, `ifnull(`+eventGroups[d.By]+`, '')`)
	}
	query := `SELECT ` + strings.Join(selected, ", ") + `, sample FROM event INDEXED BY event_group WHERE session NOT IN (SELECT session FROM doomed)` //nolint:gosec // no part of it comes from outside
	args, all := s.originsOf(f)
	if !all {
		query += ` AND session IN (` + originsQuery(args.where()) + `)`
	}
	if len(divisions) == 1 && divisions[0].By == store.ByModel {
		query += ` AND type = 'model'`
	}
	rows, err := s.read.QueryContext(ctx, query, args.args...)
	if err != nil {
		return err
	}
	n := make(names)
	columns, into := columnsFor(len(divisions) + 2)
	return each(rows, func(row scanner) error {
		if err := row.Scan(into...); err != nil {
			return err
		}
		r, err := unpackSample(columns[len(columns)-1])
		if err != nil {
			return err
		}
		isModel := string(columns[0]) == honeyhive.TypeModel
		wrapped := r.wrapped
		for i, d := range divisions {
			key := columns[1+i]
			switch d.By {
			case store.ByModel:
				if !isModel {
					continue
				}
			case store.ByErrorKind:
				if r.status != store.StatusError {
					continue
				}
			case store.ByPrompt:
				if len(key) == 0 {
					continue
				}
			}
			r.wrapped = wrapped && d.By == store.ByModel // others count events, not calls
			d.add(n.get(key), &r)
		}
		return nil
	})
}

// originsOf returns the condition of a filter, and whether it lets all through.
func (s *Store) originsOf(f store.Filter) (c condition, all bool) {
	c.filter(f)
	return c, len(c.terms) == 0
}

// originsQuery lists the sessions that events come with, of those to which a condition
// applies and of what is part of them.
func originsQuery(where string) string {
	return `WITH m AS MATERIALIZED (SELECT pk, id FROM session INDEXED BY session_moment` + where + `)
		SELECT pk FROM m UNION SELECT o.pk FROM m CROSS JOIN home h ON h.target = m.id CROSS JOIN record o ON o.id = h.origin`
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
