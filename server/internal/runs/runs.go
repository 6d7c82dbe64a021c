// Package runs sums up the runs of evaluations that a store holds, case by case, and
// compares two of them by the statistics of package evals/bootstrap.
//
// A case is what attempts with the same datapoint_id and datapoint_name are of; where
// they have neither, those with the same inputs and ground truth. The score of a case is
// the mean of those of its attempts, and the mean of a run that of its cases, so that
// a case that was tried more often counts no more than another. A pass rate is the share
// of attempts. More is taken to be better.
package runs

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"

	"github.com/sessionspan/sessionspan/evals/bootstrap"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Bounds of what is summed up of a run: its first attempts, and the first scorers that
// these name. What is past them is left out, which [Run] says.
const (
	MostAttempts = 50_000
	MostMetrics  = 64
)

// A Run is a run with all that its attempts come to. What only some attempts say, such
// as the name, is that of the first that says it.
type Run struct {
	ID, Name, Dataset, Baseline, Project, Source string
	Start, End                                   honeyhive.Optional[float64] // of the first and the last, Unix milliseconds

	Attempts, Errors, Running int // attempts; those whose session is an error; those that run
	TokensIn, TokensOut       honeyhive.Optional[int64]
	Costs                     []store.Cost // by currency
	Currency                  string       // of the prices, where something has a cost in that
	Unpriced                  []string     // what there is no price for, in its order
	Duration                  store.Percentiles
	Metrics                   []Metric // by name
	Tried                     int      // cases
	Cases                     []Case   // in the order of their first attempts; of those in a list none

	Cut         bool // it has more attempts than MostAttempts
	MoreMetrics bool // it has more scores than are kept, of an attempt or in all
	Stale       bool // a sum lags behind what was written
	byKey       map[string]int
}

// A Metric is what a scorer said of a run.
type Metric struct {
	Name   string
	Bool   bool // it said true or false of all
	Scored int  // attempts that have a score
	Passed int  // of these, those of which it said true
	Cases  int  // cases that have a score
	Mean   float64
	Worst  float64 // of an attempt

	column int // of the scores of attempts
}

// PassRate is the share of scored attempts that passed.
func (m *Metric) PassRate() float64 { return float64(m.Passed) / float64(m.Scored) }

// A Case is what a run tried, once or more.
type Case struct {
	Key, Datapoint, Name string
	Sum                  string // of its first attempt: see store.Attempt
	Attempts             []Attempt
	Errors, Running      int
	Duration             honeyhive.Optional[float64] // the mean, in milliseconds
	Tokens               honeyhive.Optional[int64]   // in and out, of all attempts
	Costs                []store.Cost                // of all attempts, by currency
	Unpriced             []string                    // as that of a run
	Cost                 honeyhive.Optional[float64] // what cases are ordered by: in the currency of the prices
}

// An Attempt is a session of a case.
type Attempt struct {
	Session  honeyhive.UUID
	Number   int64
	Status   store.Status
	Duration honeyhive.Optional[float64]
	scores   []float64 // by column; NaN, or nothing, where there is none
}

// Score returns a score of the attempt.
func (a *Attempt) Score(m *Metric) (float64, bool) {
	if m.column >= len(a.scores) || math.IsNaN(a.scores[m.column]) {
		return 0, false
	}
	return a.scores[m.column], true
}

// Score returns the mean score of the attempts that have one, to twelve digits: so that
// scores which are the same but for how their sums were rounded are the same.
func (c *Case) Score(m *Metric) (float64, bool) {
	sum, n := 0.0, 0
	for i := range c.Attempts {
		if v, ok := c.Attempts[i].Score(m); ok {
			sum, n = sum+v, n+1
		}
	}
	if n < 2 {
		return sum, n > 0
	}
	return rounded(sum / float64(n)), true
}

func rounded(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 11-math.Floor(math.Log10(math.Abs(v))))
	if math.IsInf(scale, 0) { // far below what a score is
		return v
	}
	return math.Round(v*scale) / scale
}

// Metric returns a metric by its name, or nil.
func (r *Run) Metric(name string) *Metric {
	for i := range r.Metrics {
		if r.Metrics[i].Name == name {
			return &r.Metrics[i]
		}
	}
	return nil
}

// Case returns a case by its key, or nil.
func (r *Run) Case(key string) *Case {
	if i, ok := r.byKey[key]; ok {
		return &r.Cases[i]
	}
	return nil
}

// Key names a case by what an attempt says of it. The keys of different cases differ.
func Key(datapoint, name, sum string) string {
	if datapoint == "" && name == "" {
		return "=" + sum
	}
	return strconv.Itoa(len(datapoint)) + ":" + datapoint + name
}

// Read sums up a run. It returns [store.ErrNotFound] where there is no such run.
func Read(ctx context.Context, s store.Store, id string) (*Run, error) {
	r := &Run{ID: id, byKey: make(map[string]int)}
	columns := make(map[string]int)
	var durations []float64
	for a, err := range s.Attempts(ctx, id) {
		if err != nil {
			return nil, err
		}
		if r.Attempts == MostAttempts {
			r.Cut = true
			break
		}
		r.add(&a, columns)
		if d, ok := a.Duration.Get(); ok { // within bounds, as add has left it
			durations = append(durations, d)
		}
	}
	if r.Attempts == 0 {
		return nil, store.ErrNotFound
	}
	r.Duration, r.Tried = percentiles(durations), len(r.Cases)
	r.sum()
	return r, nil
}

// List sums up a page of runs, without their cases: fewer than are asked for where these
// have more attempts than [MostAttempts] together. It returns what the next page is
// asked for by, or "".
func List(ctx context.Context, s store.Store, q store.RunQuery) (list []*Run, next string, err error) {
	page, err := s.Runs(ctx, q)
	if err != nil {
		return nil, "", err
	}
	attempts := 0
	for i := range page.Runs {
		if attempts >= MostAttempts {
			return list, page.Runs[i-1].Key, nil
		}
		r, err := Read(ctx, s, page.Runs[i].ID)
		if errors.Is(err, store.ErrNotFound) { // it was deleted meanwhile
			continue
		}
		if err != nil {
			return nil, "", err
		}
		attempts += r.Attempts
		r.Cases, r.byKey = nil, nil
		list = append(list, r)
	}
	return list, page.Next, nil
}

func (r *Run) add(a *store.Attempt, columns map[string]int) {
	bounded(a)
	r.Attempts++
	r.Name, r.Dataset, r.Baseline = cmp.Or(r.Name, a.RunName), cmp.Or(r.Dataset, a.Dataset), cmp.Or(r.Baseline, a.Baseline)
	r.Project, r.Source = cmp.Or(r.Project, a.Project), cmp.Or(r.Source, a.Source)
	r.Stale = r.Stale || a.Stale
	r.MoreMetrics = r.MoreMetrics || a.MoreScores > 0
	if v, ok := a.Start.Get(); ok && v < r.Start.Or(math.Inf(1)) {
		r.Start = a.Start
	}
	end, ok := a.End.Get()
	if !ok {
		start, known := a.Start.Get()
		end, ok = start+a.Duration.Or(0), known && a.Status != store.StatusRunning
	}
	if ok && end > r.End.Or(math.Inf(-1)) {
		r.End = honeyhive.Some(end)
	}
	r.TokensIn, r.TokensOut = addCount(r.TokensIn, a.TokensIn), addCount(r.TokensOut, a.TokensOut)
	r.Currency = cmp.Or(r.Currency, a.Currency)
	r.Costs, r.Unpriced = store.AddCosts(r.Costs, a.Costs...), addNames(r.Unpriced, a.Unpriced)

	key := Key(a.Datapoint, a.Name, a.Sum)
	i, known := r.byKey[key]
	if !known {
		i = len(r.Cases)
		r.byKey[key] = i
		r.Cases = append(r.Cases, Case{Key: key, Datapoint: a.Datapoint, Name: a.Name, Sum: a.Sum})
	}
	c := &r.Cases[i]
	switch a.Status {
	case store.StatusError:
		r.Errors, c.Errors = r.Errors+1, c.Errors+1
	case store.StatusRunning:
		r.Running, c.Running = r.Running+1, c.Running+1
	}
	c.Tokens, c.Cost = addCount(addCount(c.Tokens, a.TokensIn), a.TokensOut), addCost(c.Cost, a.Cost)
	c.Costs, c.Unpriced = store.AddCosts(c.Costs, a.Costs...), addNames(c.Unpriced, a.Unpriced)
	try := Attempt{Session: a.Session, Number: a.Number, Status: a.Status, Duration: a.Duration}
	for _, s := range a.Scores {
		column, known := columns[s.Name]
		if !known {
			if len(columns) == MostMetrics {
				r.MoreMetrics = true
				continue
			}
			column = len(columns)
			columns[s.Name] = column
			r.Metrics = append(r.Metrics, Metric{Name: s.Name, Bool: true, Worst: math.Inf(1), column: column})
		}
		for len(try.scores) <= column {
			try.scores = append(try.scores, math.NaN())
		}
		try.scores[column] = s.Value
		m := &r.Metrics[column]
		m.Scored++
		m.Bool = m.Bool && s.Bool
		m.Worst = min(m.Worst, s.Value)
		if s.Bool && s.Value == 1 {
			m.Passed++
		}
	}
	c.Attempts = append(c.Attempts, try)
}

// sum makes what all attempts are needed for.
func (r *Run) sum() {
	for i := range r.Cases {
		c := &r.Cases[i]
		sum, n := 0.0, 0
		for j := range c.Attempts {
			if d, ok := c.Attempts[j].Duration.Get(); ok {
				sum, n = sum+d, n+1
			}
		}
		if n > 0 {
			c.Duration = honeyhive.Some(sum / float64(n))
		}
	}
	for i := range r.Metrics {
		m := &r.Metrics[i]
		list := r.means(m)
		m.Cases, m.Mean = len(list), mean(list)
	}
	slices.SortFunc(r.Metrics, func(a, b Metric) int { return cmp.Compare(a.Name, b.Name) })
}

// means returns the score of each case that has one.
func (r *Run) means(m *Metric) (list []float64) {
	for i := range r.Cases {
		if v, ok := r.Cases[i].Score(m); ok {
			list = append(list, v)
		}
	}
	return list
}

// draws bounds how many numbers are drawn for the intervals of a page, and
// fewestResamples is how often cases are drawn anew however many there are.
const (
	draws           = 20_000_000
	fewestResamples = 1000
)

// Resamples returns how many times the cases of a run are drawn anew for each of so many
// intervals: [bootstrap.Resamples], or fewer where the cases are very many.
func Resamples(cases, intervals int) int {
	return max(fewestResamples, min(bootstrap.Resamples, draws/max(1, cases*intervals)))
}

// Interval returns the interval of the mean of a metric; see [bootstrap.Interval].
func (r *Run) Interval(m *Metric, resamples int) (low, high float64, ok bool) {
	return bootstrap.Interval(r.means(m), resamples)
}

// bounded takes out of an attempt what a store should not have: numbers past the bounds
// of package store would spoil every sum.
func bounded(a *store.Attempt) {
	const most, mostCost, mostTokens = 1e15, 1e10, 1e18
	a.Start, a.End, a.Duration = within(a.Start, -most, most), within(a.End, -most, most), within(a.Duration, 0, most)
	a.TokensIn, a.TokensOut, a.Cost = within(a.TokensIn, 0, mostTokens), within(a.TokensOut, 0, mostTokens), within(a.Cost, 0, mostCost)
	a.Scores = slices.DeleteFunc(a.Scores, func(s store.Score) bool { return !(s.Value >= -most && s.Value <= most) })
}

func within[T int64 | float64](v honeyhive.Optional[T], least, most T) honeyhive.Optional[T] {
	if n, ok := v.Get(); ok && n >= least && n <= most { // which NaN is not
		return v
	}
	return honeyhive.Optional[T]{}
}

// addCount adds counts that are not negative. What does not fit is the largest number.
func addCount(sum, v honeyhive.Optional[int64]) honeyhive.Optional[int64] {
	n, ok := v.Get()
	if !ok {
		return sum
	}
	if before := sum.Or(0); n > math.MaxInt64-before {
		n = math.MaxInt64
	} else {
		n += before
	}
	return honeyhive.Some(n)
}

// mostNames bounds the names that are kept of what has no price.
const mostNames = 32

func addNames(list, more []string) []string {
	for _, name := range more {
		if at, known := slices.BinarySearch(list, name); !known && len(list) < mostNames {
			list = slices.Insert(list, at, name)
		}
	}
	return list
}

func addCost(sum, v honeyhive.Optional[float64]) honeyhive.Optional[float64] {
	n, ok := v.Get()
	if !ok {
		return sum
	}
	return honeyhive.Some(sum.Or(0) + n)
}

func mean(list []float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}

// percentiles are of the nearest rank.
func percentiles(values []float64) store.Percentiles {
	n := len(values)
	if n == 0 {
		return store.Percentiles{}
	}
	slices.Sort(values)
	rank := func(p int) float64 { return values[(n*p+99)/100-1] }
	return store.Percentiles{Count: int64(n), P50: rank(50), P90: rank(90), P99: rank(99), Max: values[n-1]}
}
