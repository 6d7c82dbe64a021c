package runs

import (
	"math"

	"github.com/sessionspan/sessionspan/evals/bootstrap"
)

// A Comparison is what a run differs from another one by. Only cases that both have, with
// the same inputs and ground truth, are compared; each by the mean of its attempts.
type Comparison struct {
	Now, Was *Run
	Both     int // cases that are compared
	Changed  int // cases that both have, with other inputs or another ground truth
	OnlyNow  int // cases that Was does not have
	OnlyWas  int
	// Metrics are those of Now and of Was, by name.
	Metrics   []Difference
	Resamples int
}

// A Difference is that of a metric, over the cases that have it in both runs.
type Difference struct {
	Name                string
	Cases               int
	Now, Was, Mean      float64 // means over these cases, and the mean of the differences
	Better, Worse, Same int     // cases
	// Low and High hold the mean difference with a confidence of 95 percent: see
	// [bootstrap.Interval], which is not ok for fewer than ten cases.
	Low, High float64
	Between   bool
}

// Verdicts of a difference.
const (
	Better   = "better" // the interval is above zero
	Worse    = "worse"  // the interval is below zero
	Equal    = "equal"  // no case differs
	NotShown = "no clear difference"
)

// Verdict says what the difference shows. For fewer than ten cases there is no interval,
// and what differs is not told from chance.
func (d *Difference) Verdict() string {
	switch {
	case d.Cases > 0 && d.Same == d.Cases:
		return Equal
	case d.Between && d.Low > 0:
		return Better
	case d.Between && d.High < 0:
		return Worse
	}
	return NotShown
}

// rounding is what means of scores may be off.
const rounding = 1e-9

// Compare compares a run with another one.
func Compare(now, was *Run) *Comparison {
	c := &Comparison{Now: now, Was: was}
	for i := range now.Cases {
		switch before := was.Case(now.Cases[i].Key); {
		case before == nil:
			c.OnlyNow++
		case before.Sum != now.Cases[i].Sum:
			c.Changed++
		default:
			c.Both++
		}
	}
	c.OnlyWas = len(was.Cases) - c.Both - c.Changed
	c.Resamples = Resamples(c.Both, len(now.Metrics))
	for i := range now.Metrics {
		if was.Metric(now.Metrics[i].Name) != nil {
			c.Metrics = append(c.Metrics, c.difference(now.Metrics[i].Name))
		}
	}
	return c
}

// Of returns the difference of a metric, or nil where not both runs have it.
func (c *Comparison) Of(metric string) *Difference {
	for i := range c.Metrics {
		if c.Metrics[i].Name == metric {
			return &c.Metrics[i]
		}
	}
	return nil
}

// Scores returns the scores of a case in both runs and what they differ by, where it is
// compared.
func (c *Comparison) Scores(now *Case, metric string) (is, was, by float64, ok bool) {
	before := c.Was.Case(now.Key)
	m, n := c.Now.Metric(metric), c.Was.Metric(metric)
	if before == nil || before.Sum != now.Sum || m == nil || n == nil {
		return 0, 0, 0, false
	}
	is, ok1 := now.Score(m)
	was, ok2 := before.Score(n)
	if by = is - was; math.Abs(by) <= rounding*max(1, math.Abs(is), math.Abs(was)) {
		by = 0
	}
	return is, was, by, ok1 && ok2
}

func (c *Comparison) difference(metric string) Difference {
	d := Difference{Name: metric}
	var list []float64
	for i := range c.Now.Cases {
		is, was, by, ok := c.Scores(&c.Now.Cases[i], metric)
		if !ok {
			continue
		}
		list = append(list, by)
		d.Was, d.Now = d.Was+was, d.Now+is
		switch {
		case by > 0:
			d.Better++
		case by < 0:
			d.Worse++
		default:
			d.Same++
		}
	}
	d.Cases = len(list)
	if d.Cases == 0 {
		d.Was, d.Now, d.Mean = math.NaN(), math.NaN(), math.NaN()
		return d
	}
	d.Was, d.Now, d.Mean = d.Was/float64(d.Cases), d.Now/float64(d.Cases), mean(list)
	d.Low, d.High, d.Between = bootstrap.Interval(list, c.Resamples)
	return d
}
