package bootstrap

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestInterval counts how often the interval of the table holds the true mean.
func TestInterval(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const runs = 500
	for _, n := range []int{10, 20, 40} {
		held := 0
		for range runs {
			list := make([]float64, n)
			for i := range list {
				list[i] = r.Float64()
			}
			if low, high, ok := Interval(list, 1000); ok && low <= 0.5 && high >= 0.5 {
				held++
			}
		}
		if held < runs*93/100 {
			t.Errorf("%d cases: the interval held the mean %d times of %d", n, held, runs)
		}
	}
	if _, _, ok := Interval([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, Resamples); ok {
		t.Error("an interval of nine cases")
	}
	a, b, _ := Interval([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Resamples)
	other := []float64{10, 2, 3, 9, 5, 6, 7, 8, 4, 1}
	if c, d, _ := Interval(other, Resamples); a != c || b != d || other[0] != 10 {
		t.Error("the interval of the same numbers differs, or they were sorted")
	}
	if _, _, ok := Interval(make([]float64, FewestForInterval), 0); ok {
		t.Error("an interval without resamples")
	}
}

// TestExpanded compares the percentiles with tables of Student's t.
func TestExpanded(t *testing.T) {
	for n, student := range map[int]float64{5: 2.776, 10: 2.262, 20: 2.093, 41: 2.021} {
		z := math.Sqrt2 * math.Erfinv(1-2*expanded(n, 1.959964)) // of the normal distribution
		if want := student * math.Sqrt(float64(n)/float64(n-1)); math.Abs(z-want) > 0.02 {
			t.Errorf("%d: %v, want %v", n, z, want)
		}
	}
}

// TestLowerBound takes the worst twice, leaves the list alone, and has no bound of few.
func TestLowerBound(t *testing.T) {
	list := make([]float64, FewestForBound)
	if low, ok := LowerBound(list, Resamples); !ok || low != 0 {
		t.Errorf("of no differences %v, %v", low, ok)
	}
	if _, ok := LowerBound(list[1:], Resamples); ok {
		t.Error("a bound of fewer than it needs")
	}
	if _, ok := LowerBound(list, 0); ok {
		t.Error("a bound without resamples")
	}
	list[3] = -1
	low, ok := LowerBound(list, Resamples)
	// Two of 21 are -1: the mean is -2/21, and of the resamples some five percent have
	// five of them or more (binomial).
	if !ok || low < -5.0/21-1e-9 || low > -3.0/21+1e-9 {
		t.Errorf("with a worse one at least %v, %v", low, ok)
	}
	if len(list) != FewestForBound || list[3] != -1 || list[4] != 0 {
		t.Error("the list was changed")
	}
}
