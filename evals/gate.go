package evals

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/sessionspan/sessionspan/evals/bootstrap"
)

// A Gate is what a suite requires of its scores. A test fails where a gate does, and
// where a score that the gate looks at is missing. Gates look at the whole suite: where
// -run leaves cases out they are not judged, which the summary says.
type Gate struct {
	text   string
	scorer string
	bool   bool // the scorer must be a Bool
	wrong  string
	judge  func(t *table, scorer int, b *baseline) (passed bool, said string)
	// compares is for gates that need a baseline.
	compares bool
}

// A Measure is a number that is made of all scores of a scorer.
type Measure struct {
	text, scorer string
	bool         bool
	of           func(t *table, scorer int) float64
}

// Mean is the mean of a score: over the attempts of a case, and of those over the
// cases.
func Mean(scorer string) Measure {
	return Measure{"mean of " + scorer, scorer, false, func(t *table, i int) float64 { return mean(t.caseMeans(i)) }}
}

// PassRate is the share of attempts for which a scorer of [Bool] says true, between 0
// and 1.
func PassRate(scorer string) Measure {
	return Measure{"pass rate of " + scorer, scorer, true, func(t *table, i int) float64 { return mean(t.all(i)) }}
}

// PassAll is the share of cases for which a scorer of [Bool] says true in all of
// their attempts, between 0 and 1.
func PassAll(scorer string) Measure {
	return Measure{"share of cases that always pass " + scorer, scorer, true, func(t *table, i int) float64 {
		means := t.caseMeans(i)
		passed := 0
		for _, m := range means {
			if m == 1 {
				passed++
			}
		}
		return float64(passed) / float64(len(means))
	}}
}

// rounding is what sums of scores may be off.
const rounding = 1e-9

// AtLeast requires that the measure is not below a number.
func (m Measure) AtLeast(least float64) Gate {
	return m.gate("at least", least, func(v float64) bool { return v >= least-rounding })
}

// AtMost requires that the measure is not above a number.
func (m Measure) AtMost(most float64) Gate {
	return m.gate("at most", most, func(v float64) bool { return v <= most+rounding })
}

func (m Measure) gate(relation string, bound float64, holds func(float64) bool) Gate {
	g := Gate{text: m.text + " " + relation + " " + short(bound), scorer: m.scorer, bool: m.bool}
	if math.IsNaN(bound) || m.of == nil {
		g.wrong = "compares with NaN, or is of no measure"
	}
	g.judge = func(t *table, scorer int, _ *baseline) (bool, string) {
		v := m.of(t, scorer)
		return holds(v), "it is " + short(v)
	}
	return g
}

// NoWorse requires that the mean of a score, of which more is better, is not lower
// than in the baseline by more than the margin. It compares case by case those that
// the baseline has too, each with the mean of its attempts, and passes where
//
//   - no case is worse by more than the margin, or
//   - there are 20 cases or more, and their mean difference is, with a confidence of
//     95 percent, not below minus the margin. The bound is the one-sided percentile of
//     10,000 bootstrap resamples of the cases, with the percentile expanded as for
//     Student's t, and with the worst difference counted twice.
//
// So what is not shown does not pass: scores that vary need more cases, or more
// attempts ([Suite.Times]), or a wider margin, and the gate says which difference it
// saw. Where the scores are worse by more than the margin all the same, it passes by
// luck in about 5 of 100 runs by the second rule, in up to 8 where cases pass or fail,
// since the mean of such scores moves in steps; and by the first rule with the
// probability q^n, where q is the share of cases that happen to come out no worse by
// more than the margin, and n their number. A task that always does the same leaves
// nothing to luck.
//
// Cases that are new, or that have changed since the baseline was written, are not
// compared. Without a baseline there is nothing to compare with: the gate is not
// judged, which the summary says, and fails where the variable CI is set, as systems
// of continuous integration do. -evals.update writes the baseline.
func NoWorse(scorer string, margin float64) Gate {
	g := Gate{text: fmt.Sprintf("%s no worse than the baseline by more than %s", scorer, short(margin)), scorer: scorer, compares: true}
	if !(margin >= 0) || math.IsInf(margin, 0) {
		g.wrong = "the margin is no number from 0 on"
	}
	g.judge = func(t *table, i int, b *baseline) (bool, string) {
		return noWorse(t.differences(i, b), margin, bootstrap.Resamples)
	}
	return g
}

// noWorse decides by the differences of the cases.
func noWorse(d []float64, margin float64, resamples int) (passed bool, said string) {
	if len(d) == 0 {
		return false, "the baseline has none of the cases as they are now: write it anew with -evals.update"
	}
	said = fmt.Sprintf("it differs by %s over %d cases", signed(mean(d)), len(d))
	if slices.Min(d) >= -margin-rounding {
		return true, said
	}
	low, ok := bootstrap.LowerBound(d, resamples)
	if !ok {
		return false, fmt.Sprintf("%s, in one by %s: to tell from chance %d cases are needed", said, signed(slices.Min(d)), bootstrap.FewestForBound)
	}
	said += fmt.Sprintf(", at least by %s with a confidence of 95%%", signed(low))
	if low < -margin-rounding && mean(d) >= -margin {
		said += ": more cases, or more attempts (Times), would tell whether it is worse"
	}
	return low >= -margin-rounding, said
}

// check returns what is wrong with the gate for a suite with these scorers.
func (g *Gate) check(scorers []scorerInfo) error {
	if g.judge == nil {
		return errors.New("a gate is empty: make it with Mean, PassRate or NoWorse")
	}
	i := slices.IndexFunc(scorers, func(s scorerInfo) bool { return s.name == g.scorer })
	switch {
	case i < 0:
		return fmt.Errorf("gate: %s: there is no scorer %q", g.text, g.scorer)
	case g.bool && !scorers[i].bool:
		return fmt.Errorf("gate: %s: the scorer gives numbers, and only one of Bool passes or does not", g.text)
	case g.wrong != "":
		return fmt.Errorf("gate: %s: %s", g.text, g.wrong)
	}
	return nil
}

// short writes a number with at most four significant digits.
func short(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// signed is short with a sign.
func signed(v float64) string {
	if v > 0 {
		return "+" + short(v)
	}
	return short(v)
}
