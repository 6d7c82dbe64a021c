package evals

import (
	"math"
	"time"
)

// A scorerInfo is what is known of a scorer beside its function.
type scorerInfo struct {
	name string
	bool bool
}

// A table is what all attempts of a run came to.
type table struct {
	scorers []scorerInfo
	cases   []row
}

// A row is a case with its attempts.
type row struct {
	name, sum string
	attempts  []*outcome
}

// An outcome is what one attempt came to. One that did not run has no session.
type outcome struct {
	session  string
	err      string
	duration time.Duration
	spending spending
	scores   []Score // where there is none it is NaN, and the explanation says why
}

// ran reports whether the attempt did.
func (o *outcome) ran() bool { return o.session != "" }

// all returns the scores of a scorer.
func (t *table) all(scorer int) (list []float64) {
	for i := range t.cases {
		list = append(list, t.cases[i].scores(scorer)...)
	}
	return list
}

// caseMeans returns the mean score of each case that has one.
func (t *table) caseMeans(scorer int) (list []float64) {
	for i := range t.cases {
		if scores := t.cases[i].scores(scorer); len(scores) > 0 {
			list = append(list, mean(scores))
		}
	}
	return list
}

// scores returns those of the attempts that have one.
func (r *row) scores(scorer int) (list []float64) {
	for _, o := range r.attempts {
		if o.ran() && !math.IsNaN(o.scores[scorer].Value) {
			list = append(list, o.scores[scorer].Value)
		}
	}
	return list
}

// differences returns what the mean of each case differs from that in the baseline,
// for the cases that both have.
func (t *table) differences(scorer int, b *baseline) (list []float64) {
	if b == nil {
		return nil
	}
	for i := range t.cases {
		c := &t.cases[i]
		was, now := b.scores(c, t.scorers[scorer].name), c.scores(scorer)
		if len(was) > 0 && len(now) > 0 {
			list = append(list, mean(now)-mean(was))
		}
	}
	return list
}

// count returns how many attempts there are, how many ran, and of how many the task
// failed.
func (t *table) count() (all, ran, failed int) {
	for i := range t.cases {
		for _, o := range t.cases[i].attempts {
			all++
			if o.ran() {
				ran++
			}
			if o.err != "" {
				failed++
			}
		}
	}
	return all, ran, failed
}

// missing returns how many attempts that ran lack a score, and why the first does.
func (t *table) missing(scorer int) (n int, why string) {
	for i := range t.cases {
		for _, o := range t.cases[i].attempts {
			if o.ran() && math.IsNaN(o.scores[scorer].Value) {
				if n++; why == "" {
					why = o.scores[scorer].Explanation
				}
			}
		}
	}
	return n, why
}

// spending returns what all attempts took together.
func (t *table) spending() (sum spending, longest time.Duration) {
	for i := range t.cases {
		for _, o := range t.cases[i].attempts {
			sum.add(o.spending)
			longest = max(longest, o.duration)
		}
	}
	return sum, longest
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}
