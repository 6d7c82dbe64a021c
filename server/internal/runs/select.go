package runs

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/sessionspan/sessionspan/store"
)

// Sort is what the cases of a run are ordered by. Those without the value are the last.
type Sort string

// The orders of cases.
const (
	SortCase       Sort = "case" // of the first attempts
	SortScore      Sort = "score"
	SortDifference Sort = "difference"
	SortErrors     Sort = "errors"
	SortDuration   Sort = "duration"
	SortCost       Sort = "cost"
)

// Show is which cases of a run are chosen.
type Show string

// Choices of cases. Better, worse and same are by the chosen metric.
const (
	ShowAll     Show = ""
	ShowBetter  Show = "better"
	ShowWorse   Show = "worse"
	ShowSame    Show = "same"
	ShowFailed  Show = "failed"  // an attempt is an error
	ShowMissing Show = "missing" // an attempt has no score of the chosen metric
	ShowChanged Show = "changed" // the other run has it with other inputs or another ground truth
	ShowNew     Show = "new"     // the other run does not have it
)

// Sorts and Shows are all there are.
var (
	Sorts = []Sort{SortCase, SortScore, SortDifference, SortErrors, SortDuration, SortCost}
	Shows = []Show{ShowAll, ShowBetter, ShowWorse, ShowSame, ShowFailed, ShowMissing, ShowChanged, ShowNew}
)

// A Query chooses and orders the cases of a run. Metric is the scorer that score,
// difference, and what got better or worse are of.
type Query struct {
	Metric     string
	Sort       Sort
	Descending bool
	Show       Show
}

// Select returns the cases that a query asks for. The comparison may be nil.
func Select(r *Run, c *Comparison, q Query) []*Case {
	m := r.Metric(q.Metric)
	difference := func(k *Case) float64 {
		if c == nil {
			return math.NaN()
		}
		_, _, by, ok := c.Scores(k, q.Metric)
		if !ok {
			return math.NaN()
		}
		return by
	}
	value := map[Sort]func(*Case) float64{
		SortCase: func(*Case) float64 { return 0 },
		SortScore: func(k *Case) float64 {
			if m != nil {
				if v, ok := k.Score(m); ok {
					return v
				}
			}
			return math.NaN()
		},
		SortDifference: difference,
		SortErrors:     func(k *Case) float64 { return float64(k.Errors) },
		SortDuration:   func(k *Case) float64 { return k.Duration.Or(math.NaN()) },
		SortCost:       func(k *Case) float64 { return k.Cost.Or(math.NaN()) },
	}[q.Sort]
	type row struct {
		*Case
		by float64
	}
	var rows []row
	for i := range r.Cases {
		k := &r.Cases[i]
		if shows(k, c, m, difference, q.Show) {
			v := 0.0
			if value != nil {
				v = value(k)
			}
			rows = append(rows, row{k, v})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		if unknown, other := math.IsNaN(a.by), math.IsNaN(b.by); unknown || other {
			return cmp.Compare(btoi(unknown), btoi(other))
		}
		if q.Descending {
			return cmp.Compare(b.by, a.by)
		}
		return cmp.Compare(a.by, b.by)
	})
	list := make([]*Case, len(rows))
	for i := range rows {
		list[i] = rows[i].Case
	}
	if q.Descending && (q.Sort == SortCase || q.Sort == "") {
		slices.Reverse(list)
	}
	return list
}

func shows(k *Case, c *Comparison, m *Metric, difference func(*Case) float64, show Show) bool {
	var before *Case
	if c != nil {
		before = c.Was.Case(k.Key)
	}
	switch show {
	case ShowBetter:
		return difference(k) > 0
	case ShowWorse:
		return difference(k) < 0
	case ShowSame:
		return difference(k) == 0
	case ShowFailed:
		return k.Errors > 0
	case ShowMissing:
		return m != nil && slices.ContainsFunc(k.Attempts, func(a Attempt) bool { _, ok := a.Score(m); return !ok })
	case ShowChanged:
		return before != nil && before.Sum != k.Sum
	case ShowNew:
		return c != nil && before == nil
	}
	return true
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Open reads a run, and the one that it is compared with: that with the id against, or,
// where against is nil, the run that its attempts name as the baseline, unless that is the
// run itself. There is no comparison where there is none to compare with, and missing is
// its id where the store does not hold it.
func Open(ctx context.Context, s store.Store, id string, against *string) (r *Run, c *Comparison, missing string, err error) {
	if r, err = Read(ctx, s, id); err != nil {
		return nil, nil, "", err
	}
	other := r.Baseline
	if against != nil {
		other = *against
	} else if other == id {
		other = ""
	}
	if other == "" {
		return r, nil, "", nil
	}
	was, err := Read(ctx, s, other)
	if errors.Is(err, store.ErrNotFound) {
		return r, nil, other, nil
	}
	if err != nil {
		return nil, nil, "", err
	}
	return r, Compare(r, was), "", nil
}
