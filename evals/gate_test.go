package evals

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGates judges tables by each gate, on both sides of its bound.
func TestGates(t *testing.T) {
	tab := made([][]float64{{1, 1}, {1, 0}, {0, 0}, {1, 1}})
	tab.scorers[0].bool = true
	for _, tc := range []struct {
		gate Gate
		want bool
		said string
	}{
		{Mean("s").AtLeast(0.625), true, "it is 0.625"}, {Mean("s").AtLeast(0.63), false, "it is 0.625"},
		{Mean("s").AtMost(0.625), true, "it is 0.625"}, {Mean("s").AtMost(0.62), false, "it is 0.625"},
		{PassRate("s").AtLeast(0.625), true, "0.625"}, {PassRate("s").AtLeast(0.7), false, "0.625"},
		{PassAll("s").AtLeast(0.5), true, "0.5"}, {PassAll("s").AtLeast(0.51), false, "0.5"},
	} {
		if got, said := tc.gate.judge(tab, 0, nil); got != tc.want || !strings.Contains(said, tc.said) {
			t.Errorf("%s: %v %s", tc.gate.text, got, said)
		}
	}
	if got, said := Mean("s").AtLeast(0.3).judge(made([][]float64{{0.1, 0.2, 0.6}}), 0, nil); !got { // its sum is rounded
		t.Error(said)
	}
	// A case counts once, however many of its attempts ran.
	uneven := made([][]float64{{1}, {0, 0, 0}})
	if _, said := Mean("s").AtLeast(0).judge(uneven, 0, nil); said != "it is 0.5" {
		t.Error(said)
	}
	if _, said := PassRate("s").AtLeast(0).judge(uneven, 0, nil); said != "it is 0.25" {
		t.Error(said)
	}
}

// TestGateChecks says what is wrong with gates before anything runs.
func TestGateChecks(t *testing.T) {
	scorers := []scorerInfo{{"n", false}, {"b", true}}
	for _, tc := range []struct {
		gate Gate
		want string
	}{
		{Mean("n").AtLeast(1), ""}, {Mean("b").AtMost(1), ""}, {PassRate("b").AtLeast(1), ""}, {NoWorse("n", 0), ""},
		{Mean("x").AtLeast(1), `no scorer "x"`}, {PassRate("n").AtLeast(1), "the scorer gives numbers"}, {PassAll("n").AtLeast(1), "the scorer gives numbers"},
		{Mean("n").AtLeast(math.NaN()), "compares with NaN"}, {NoWorse("n", -0.1), "the margin"}, {NoWorse("n", math.NaN()), "the margin"}, {NoWorse("n", math.Inf(1)), "the margin"},
		{Gate{}, "is empty"}, {Measure{}.AtLeast(1), "no scorer"},
	} {
		err := tc.gate.check(scorers)
		if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.gate.text, err, tc.want)
		}
	}
}

// TestMissing fails gates whose scores are not all there, and no others.
func TestMissing(t *testing.T) {
	tab := made([][]float64{{1}, {math.NaN()}, {1}})
	tab.cases[1].attempts[0].scores[0].Explanation = "the judge is out"
	tab.scorers = append(tab.scorers, scorerInfo{name: "whole"})
	for i := range tab.cases {
		tab.cases[i].attempts[0].scores = append(tab.cases[i].attempts[0].scores, Score{Value: 1})
	}
	r := &run{table: *tab}
	for scorer, want := range map[string]bool{"s": false, "whole": true} {
		g := Mean(scorer).AtLeast(0)
		got, said := r.pass(&g, nil)
		if got != want || !want && said != "1 attempts have no score, the first since: the judge is out" {
			t.Errorf("%s: %v %s", scorer, got, said)
		}
	}
}

// TestNoWorse compares with baselines in which cases changed, are new or are gone.
func TestNoWorse(t *testing.T) {
	was := made([][]float64{{1}, {1}, {1}, {1}}).asBaseline(t)
	now := made([][]float64{{1}, {1}, {0}, {0}})
	now.cases[2].sum = strings.Repeat("1", 64) // the case changed
	now.cases[3].name = "new"
	if ok, said := NoWorse("s", 0).judge(now, 0, was); !ok || said != "it differs by 0 over 2 cases" {
		t.Errorf("%v %s", ok, said)
	}
	for i := range now.cases {
		now.cases[i].name = "none"
	}
	if ok, said := NoWorse("s", 0).judge(now, 0, was); ok || !strings.Contains(said, "has none of the cases") {
		t.Errorf("%v %s", ok, said)
	}
	now.scorers[0].name = "other"
	if ok, said := NoWorse("other", 0).judge(now, 0, was); ok || !strings.Contains(said, "has none of the cases") {
		t.Errorf("%v %s", ok, said)
	}
	many, worse := make([][]float64, 40), make([][]float64, 40)
	for i := range many {
		many[i], worse[i] = []float64{float64(i) / 40}, []float64{float64(i)/40 - 0.1*float64(i%4)}
	}
	if ok, said := NoWorse("s", 0.02).judge(made(worse), 0, made(many).asBaseline(t)); ok || !strings.Contains(said, "it differs by -0.15 over 40 cases, at least by -0.") {
		t.Errorf("%v %s", ok, said)
	}
	if ok, said := NoWorse("s", 0.2).judge(made(worse), 0, made(many).asBaseline(t)); !ok {
		t.Errorf("%v %s", ok, said)
	}
	if ok, said := NoWorse("s", 0.16).judge(made(worse), 0, made(many).asBaseline(t)); ok || !strings.Contains(said, "would tell whether it is worse") {
		t.Errorf("%v %s", ok, said)
	}
}

// TestBaselineFile keeps baselines in testdata/evals, whatever a test is called.
func TestBaselineFile(t *testing.T) {
	for name, want := range map[string]string{
		"TestA": "TestA.json", "TestA/b/c_d": "TestA/b/c_d.json", "TestA/../../b": "TestA/..%/..%/b.json", "TestA//b": "TestA/%/b.json",
		"TestA/x:y*?": "TestA/x%3Ay%2A%3F.json", `TestA/\b`: "TestA/%5Cb.json", "TestA/ü": "TestA/%C3%BC.json", "TestA/b.": "TestA/b.%.json",
	} {
		if got := filepath.ToSlash(baselineFile(name)); got != "testdata/evals/"+want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestReadBaseline tells files that are none.
func TestReadBaseline(t *testing.T) {
	file := filepath.Join(t.TempDir(), "b.json")
	if b, err := readBaseline(file); b != nil || err != nil {
		t.Errorf("no file: %v %v", b, err)
	}
	for text, want := range map[string]string{
		"": "unexpected end", `{"cases":{"a":{"sum":1}}}`: "cannot unmarshal", `{"cases":{"a":{"sum":"1","scores":{"s":[1e999]}}}}`: "cannot unmarshal",
		`{"cases":{"a":{"sum":"1","scores":{"s":[1e308]}}}}`: "too large", `[]`: "cannot unmarshal",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := readBaseline(file); b != nil || err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "read the baseline: ") {
			t.Errorf("%s: %v %v", text, b, err)
		}
	}
	if err := os.WriteFile(file, []byte(`{"cases":{"a":{"sum":"short"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := readBaseline(file)
	if err != nil || b.scores(&row{name: "a", sum: strings.Repeat("0", 64)}, "s") != nil {
		t.Errorf("%v %v", b, err)
	}
	if err := made([][]float64{{1}}).write(filepath.Join(file, "x.json"), ""); err == nil || !strings.HasPrefix(err.Error(), "write the baseline: ") {
		t.Errorf("under a file: %v", err)
	}
}
