package page

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// absurd are numbers that no program means, and that a store may hold.
var absurd = []float64{
	math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, 1.7e308, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64,
	1e300, 1e21, 9.3e18, -9.3e18, 1e15, -1e15, 1.5e15, 253402300800000, -1, 0, 0.1,
}

var absurdWhole = []int64{math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, -1, 0, 1 << 62}

// TestAbsurdNumbersAreText writes any number in a few characters, and what is no
// number as none.
func TestAbsurdNumbersAreText(t *testing.T) {
	check := func(name, got string) {
		t.Helper()
		if got == "" || len(got) > 40 || strings.Contains(got, "NaN") || strings.Contains(got, "Inf") {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, v := range absurd {
		for name, show := range map[string]func(float64) string{"duration": duration, "cost": cost, "number": number, "stamp": stamp, "machine": machine} {
			check(fmt.Sprintf("%s(%g)", name, v), show(v))
		}
		check(fmt.Sprintf("whole64(%g)", v), short(whole64(v)))
	}
	for _, n := range absurdWhole {
		for name, show := range map[string]func(int64) string{"grouped": grouped, "short": short, "size": size} {
			check(fmt.Sprintf("%s(%d)", name, n), show(n))
		}
		check(fmt.Sprintf("percent(%d)", n), percent(n, 3))
	}
	if got := whole64(9.3e18); got != math.MaxInt64 {
		t.Errorf("9.3e18 is rounded to %d", got)
	}
}

// TestAxesEnd draws a handful of ticks whatever the numbers are, and nothing
// outside of the field.
func TestAxesEnd(t *testing.T) {
	points := []store.Point{{From: time.UnixMilli(0), To: time.UnixMilli(10)}, {From: time.UnixMilli(10), To: time.UnixMilli(20)}}
	for _, a := range absurd {
		for _, b := range absurd {
			for _, unit := range []axis{{duration, 0, axisLinear, false}, {duration, 1, axisLinear, true}, {duration, 0, axisLog, false}, {duration, 1, axisLog, false}, {duration, 0, "", false}} {
				p := newPlot("x", "x", points, unit, values{"row", []float64{a, b}})
				if p.Empty != (!isFinite(a) && !isFinite(b)) {
					t.Fatalf("%g, %g: empty is %v", a, b, p.Empty)
				}
				if p.Empty {
					continue
				}
				if n := len(p.YTicks); n < 2 || n > ySteps+2 {
					t.Errorf("%g, %g: %d ticks", a, b, n)
				}
				for _, tick := range p.YTicks {
					inField(t, fmt.Sprintf("%g, %g: a tick", a, b), tick.At)
				}
				for _, line := range p.Lines {
					for _, d := range line.Dots {
						inField(t, fmt.Sprintf("%g, %g: a dot", a, b), d.Y)
					}
					if strings.Contains(line.Path, "N") || strings.Contains(line.Path, "I") {
						t.Errorf("%g, %g: %s", a, b, line.Path)
					}
				}
			}
		}
	}
}

func inField(t *testing.T, name string, y float64) {
	t.Helper()
	if !(y >= plotTop-0.01 && y <= plotHeight-plotBottom+0.01) {
		t.Errorf("%s at %g", name, y)
	}
}

// TestAbsurdTimesStretchNothing keeps the range of a time line, and the places in
// it, within what the sound events say.
func TestAbsurdTimesStretchNothing(t *testing.T) {
	session := honeyhive.UUID{1}
	some := honeyhive.Some[float64]
	rows := []store.EventRow{{ID: honeyhive.UUID{2}, Measures: store.Measures{Start: some(1000), Duration: some(500), Cost: some(math.MaxFloat64), TokensIn: honeyhive.Some(int64(math.MaxInt64))}}}
	for i, v := range absurd {
		for k, m := range []store.Measures{{Start: some(v)}, {Start: some(1200), Duration: some(v)}, {End: some(v), Duration: some(v)}, {Start: some(1200), FirstToken: some(v), Cost: some(v), TokensIn: honeyhive.Some(absurdWhole[i%len(absurdWhole)])}} {
			if math.Abs(v) <= farthest && k < 3 {
				continue // a time that may be meant
			}
			rows = append(rows, store.EventRow{ID: honeyhive.UUID{3, byte(i), byte(k)}, Parent: honeyhive.UUID{2}, Measures: m})
		}
	}
	tree := buildTree(session, rows)
	if tree.start != 1000 || tree.end != 1500 {
		t.Errorf("the range is from %g to %g", tree.start, tree.end)
	}
	v := &sessionView{ID: session.String(), View: "timeline"}
	for _, row := range v.rowsOf(tree, 0).Rows {
		if !(row.X >= 0 && row.W >= 0 && row.X <= barScale && row.W <= barScale && row.First <= barScale && row.From >= 0 && row.From <= farthest) {
			t.Errorf("a bar at %g, %g wide, first token at %g, from %g", row.X, row.W, row.First, row.From)
		}
		for _, sum := range []honeyhive.Optional[float64]{row.Cost, row.FirstToken} {
			if !isFinite(sum.Or(0)) {
				t.Errorf("a sum of %g", sum.Or(0))
			}
		}
		for _, sum := range row.SumCosts {
			if !isFinite(sum.Amount) {
				t.Errorf("a sum of %g", sum.Amount)
			}
		}
	}
	if got := addWhole(math.MinInt64, -1); got != math.MinInt64 {
		t.Errorf("a sum under the range is %d", got)
	}
	if got := addWhole(math.MaxInt64, 5); got != math.MaxInt64 {
		t.Errorf("a sum over the range is %d", got)
	}
}

// TestScoresAreNumbers draws no bar for what only looks like one.
func TestScoresAreNumbers(t *testing.T) {
	s := &shower{budget: previewAll}
	docs, _ := s.documents(`[{"content":"a","score":"NaN"},{"content":"b","score":"Inf"},{"content":"c","score":1e999},{"content":"d","score":1.7e308},{"content":"e","score":0.5}]`)
	for i, d := range docs {
		if d.HasScore != (i > 2) || !(d.Bar >= 0 && d.Bar <= 100) {
			t.Errorf("%d: %+v", i, d)
		}
	}
}

// TestManyCalls shows the first calls of a message, and counts the others.
func TestManyCalls(t *testing.T) {
	s := &shower{budget: previewAll}
	m := s.message(honeyhive.Value(`{"role":"assistant","tool_calls":[` + strings.Repeat(`{},`, 100_000) + `{}]}`))
	if len(m.Calls) != previewList || m.MoreCalls != 100_001-previewList {
		t.Errorf("%d calls, %d more", len(m.Calls), m.MoreCalls)
	}
}
