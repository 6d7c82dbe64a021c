package harness

import (
	"math"
	"slices"
	"testing"
)

func TestSummarize(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		want   Spread
	}{
		"one":  {[]float64{3}, Spread{3, 3, 3, 3, 3}},
		"odd":  {[]float64{5, 1, 3, 2, 4}, Spread{3, 2, 4, 1, 5}},
		"even": {[]float64{4, 1, 2, 3}, Spread{2.5, 1.75, 3.25, 1, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Summarize(c.values); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	if got := Summarize(nil); !math.IsNaN(got.Median) {
		t.Errorf("of nothing: %v", got)
	}
}

func TestRatios(t *testing.T) {
	got := Ratios([]float64{2, 3, 4}, []float64{4, 0, 2})
	if want := []float64{0.5, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0.00", 0.01234: "0.012", 1.234: "1.23", 12.34: "12.3", 1234.5: "1234", math.NaN(): "–"} {
		if got := Short(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
}
