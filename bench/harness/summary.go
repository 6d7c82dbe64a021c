package harness

import (
	"fmt"
	"math"
	"slices"
)

// Spread is what the rounds of one figure gave.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`  // of the middle half
	High   float64 `json:"high"` // of the middle half
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Summarize returns the spread of values: not a number where there are none.
func Summarize(values []float64) Spread {
	if len(values) == 0 {
		nan := math.NaN()
		return Spread{nan, nan, nan, nan, nan}
	}
	sorted := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 {
		i := q * float64(len(sorted)-1)
		low := int(i)
		high := min(low+1, len(sorted)-1)
		return sorted[low] + (sorted[high]-sorted[low])*(i-float64(low))
	}
	return Spread{at(0.5), at(0.25), at(0.75), sorted[0], sorted[len(sorted)-1]}
}

// Ratios returns a divided by b, round by round, so that what slows down a whole
// round cancels out.
func Ratios(a, b []float64) []float64 {
	var list []float64
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			list = append(list, a[i]/b[i])
		}
	}
	return list
}

// Text writes a spread as its median and its middle half.
func (s Spread) Text(scale float64) string {
	return fmt.Sprintf("%s (%s–%s)", Short(s.Median/scale), Short(s.Low/scale), Short(s.High/scale))
}

// Short writes a number with three digits that count.
func Short(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case a >= 99.5:
		return fmt.Sprintf("%.0f", v)
	case a >= 9.95:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.995 || v == 0:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}
