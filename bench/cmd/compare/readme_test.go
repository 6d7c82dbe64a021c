package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/bench/measure"
)

// TestReadmeHoldsTheResults compares the README with what its tables are written
// from: go run ./cmd/compare -render writes them anew.
func TestReadmeHoldsTheResults(t *testing.T) {
	r, err := readReport("../../results")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	filled, err := r.fill(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if filled != string(text) {
		t.Error("the tables of README.md are not those of results/compare.json")
	}
	for _, want := range []string{"| 1 | caller CPU of a call from maps", "### Single steps", "| `go.opentelemetry.io/otel/sdk` | v"} {
		if !strings.Contains(filled, want) {
			t.Errorf("%q is not in it", want)
		}
	}
}

func TestFillWithoutMarks(t *testing.T) {
	for _, text := range []string{"", "<!-- begin missing -->\n<!-- end missing -->\n<!-- begin versions -->\n<!-- begin results -->\n"} {
		if filled, err := new(report).fill(text); err == nil {
			t.Errorf("%q became %q", text, filled)
		}
	}
}

// TestRatiosLeaveOutLosses has a round in which either client lost spans, which
// must neither count nor shift the others.
func TestRatiosLeaveOutLosses(t *testing.T) {
	r := report{Runs: map[string]map[string][]measure.Result{measure.Spans: {
		"a": {{ProcessNS: 1}, {ProcessNS: 5, Lost: 1}, {ProcessNS: 6}, {ProcessNS: 8}},
		"b": {{ProcessNS: 2}, {ProcessNS: 2}, {ProcessNS: 2, Lost: 1}, {ProcessNS: 2}},
	}}}
	if got, want := r.ratios(measure.Spans, "a", "b", process), []float64{0.5, 4}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestFits has rounds that take their time: the limit is kept, but for the first.
func TestFits(t *testing.T) {
	for _, c := range []struct {
		took   time.Duration
		rounds int
		want   bool
	}{
		{0, 0, true}, {time.Hour, 0, true}, {time.Minute, 1, true}, {7 * time.Minute, 1, true}, {8 * time.Minute, 1, false},
		{12 * time.Minute, 6, true}, {13 * time.Minute, 9, false}, {15 * time.Minute, 9, false},
	} {
		if got := fits(c.took, c.rounds, 14*time.Minute); got != c.want {
			t.Errorf("after %d rounds in %v: %v", c.rounds, c.took, got)
		}
	}
}
