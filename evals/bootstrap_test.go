package evals

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/evals/bootstrap"
)

// fewResamples are enough for a simulation, which draws the cases anew as well.
const fewResamples = 1000

// made returns a table of one scorer with these scores of cases.
func made(cases [][]float64) *table {
	t := &table{scorers: []scorerInfo{{name: "s"}}}
	for i, attempts := range cases {
		r := row{name: fmt.Sprint(i), sum: strings.Repeat("0", 64)}
		for _, v := range attempts {
			r.attempts = append(r.attempts, &outcome{session: "x", scores: []Score{{Value: v}}})
		}
		t.cases = append(t.cases, r)
	}
	return t
}

// asBaseline returns the table as a baseline, through a file.
func (t *table) asBaseline(tb testing.TB) *baseline {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "x", "b.json")
	if err := t.write(file, "run 0"); err != nil {
		tb.Fatal(err)
	}
	b, err := readBaseline(file)
	if err != nil || b == nil {
		tb.Fatal(b, err)
	}
	return b
}

// TestNoWorseByLuck simulates runs that are worse than their baseline by just the
// margin, which NoWorse must not pass more often than it says: in at most 8 of 100
// runs by its bound, and by cases none of which comes out worse by more than the
// margin with the probability q^n.
func TestNoWorseByLuck(t *testing.T) {
	runs := 300
	if testing.Short() {
		runs = 50
	}
	numbers := rand.NewPCG(0, 0)
	r := rand.New(numbers)
	coin := func(p float64) float64 {
		if r.Float64() < p {
			return 1
		}
		return 0
	}
	times := func(n int, f func() float64) float64 {
		sum := 0.0
		for range n {
			sum += f()
		}
		return sum / float64(n)
	}
	for name, tc := range map[string]struct {
		was, now func() float64 // a case's mean score
		worse    float64        // by how much now is worse, in truth
		q        float64        // the probability that a case is not worse by more than that
	}{
		"a random scorer":             {func() float64 { return 0.8 }, r.Float64, 0.3, 0.5},
		"random before and after":     {r.Float64, r.Float64, 0, 0.5},
		"random, three attempts":      {func() float64 { return times(3, r.Float64) }, func() float64 { return times(3, r.Float64) }, 0, 0.5},
		"coins":                       {func() float64 { return coin(0.5) }, func() float64 { return coin(0.5) }, 0, 0.75},
		"passes that begin to fail":   {func() float64 { return 1 }, func() float64 { return coin(0.9) }, 0.1, 0.9},
		"more of them":                {func() float64 { return 1 }, func() float64 { return coin(0.7) }, 0.3, 0.7},
		"of three attempts":           {func() float64 { return 1 }, func() float64 { return times(3, func() float64 { return coin(0.8) }) }, 0.2, 0.896},
		"failures become more":        {func() float64 { return coin(0.9) }, func() float64 { return coin(0.8) }, 0.1, 0.82},
		"a few that are much worse":   {func() float64 { return 1 }, func() float64 { x := r.Float64(); return 1 - x*x*x*x }, 0.2, math.Pow(0.2, 0.25)},
		"a scorer without much to it": {func() float64 { return 0.5 + r.NormFloat64()/10 }, func() float64 { return 0.4 + r.NormFloat64()/10 }, 0.1, 0.5},
	} {
		for _, n := range []int{3, 5, 19, 20, 40} {
			passed := 0
			numbers.Seed(uint64(len(name)), uint64(n)) // the same in any order of the map
			for range runs {
				d := make([]float64, n)
				for i := range d {
					d[i] = tc.now() - tc.was()
				}
				if ok, _ := noWorse(d, tc.worse, fewResamples); ok {
					passed++
				}
			}
			stated := math.Pow(tc.q, float64(n))
			if n >= bootstrap.FewestForBound {
				stated = min(1, stated+boundLuck)
			}
			// Four standard deviations of a count: there are fifty of them.
			if most := float64(runs)*stated + 4*math.Sqrt(float64(runs)*stated*(1-stated)) + 1; float64(passed) > most {
				t.Errorf("%s, %d cases: passed %d of %d times, stated %.3f", name, n, passed, runs, stated)
			}
		}
	}
}

// boundLuck is how often the bound of NoWorse passes by luck, at most.
const boundLuck = 0.08

// TestLuckOfPasses computes how often cases of which each passed, and of which a share
// fails that is just the margin, pass by the bound: the number that fails is binomial.
func TestLuckOfPasses(t *testing.T) {
	for _, n := range []int{20, 26, 38, 41, 50, 70, 100} {
		var lows []float64 // by how many fail
		for k := 0; len(lows) == 0 || lows[k-1] > -0.5; k++ {
			d := make([]float64, n)
			for i := range k {
				d[i] = -1
			}
			low, ok := bootstrap.LowerBound(d, bootstrap.Resamples)
			if !ok {
				t.Fatalf("no bound for %d cases", n)
			}
			lows = append(lows, low)
		}
		for p := 0.02; p <= 0.4; p += 0.01 {
			luck, probability := 0.0, math.Pow(1-p, float64(n)) // that none fails, which is not by the bound
			for k := 1; lows[k] >= -p-rounding; k++ {
				probability *= float64(n-k+1) / float64(k) * p / (1 - p)
				luck += probability
			}
			if luck > boundLuck {
				t.Errorf("%d cases of which %.2f fail pass with a probability of %.3f", n, p, luck)
			}
		}
	}
}

// TestNoWorsePasses counts runs that are as good as their baseline, or better: those
// that always do the same pass, those that vary pass where the margin is wide
// against how much they vary.
func TestNoWorsePasses(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const runs = 200
	count := func(n int, margin float64, was, now func() float64) (passed int) {
		for range runs {
			d := make([]float64, n)
			for i := range d {
				d[i] = now() - was()
			}
			if ok, _ := noWorse(d, margin, fewResamples); ok {
				passed++
			}
		}
		return passed
	}
	same := func() float64 { return 0.7 }
	for _, n := range []int{1, 3, 40} {
		if got := count(n, 0, same, same); got != runs {
			t.Errorf("%d cases that do the same passed %d times", n, got)
		}
	}
	noisy := func() float64 { return 0.7 + r.NormFloat64()/20 }
	if got := count(40, 0.05, noisy, noisy); got < runs*95/100 {
		t.Errorf("40 cases that vary by 0.05 passed a margin of 0.05 %d times of %d", got, runs)
	}
	if got := count(40, 0.02, noisy, func() float64 { return noisy() + 0.05 }); got < runs*95/100 {
		t.Errorf("better ones passed %d times of %d", got, runs)
	}
}
