package evals

import (
	"errors"
	"strings"
	"testing"
	"unicode"
)

// Bench evaluates a suite as a benchmark, for benchstat: one iteration tries each
// case [Suite.Times] times. It reports the mean of each score in a unit of its name,
// and where events tell them the tokens and the cost of an iteration
// (tokens/op, cost/op). Gates are not judged and no baseline is read: benchstat
// compares two runs, with its own statistics, of
//
//	go test -run '^$' -bench Answers -benchtime 1x -count 10
//
// A line "Unit overlap better=higher" in its input says that more of a score is
// better.
func Bench[I, O any](b *testing.B, s Suite[I, O]) {
	b.Helper()
	r, cases, problems := newRun(b, &s)
	if r == nil {
		b.Fatalf("evals: %v", errors.Join(problems...))
	}
	for _, err := range problems {
		b.Errorf("evals: %v", err)
	}
	var means [][]float64 // of each scorer, one for each iteration
	var sum spending
	iterations := 0
	for b.Loop() {
		r.attempts(s.times(), s.Parallel, func(i, n int) {
			if r.ctx.Err() == nil {
				r.table.cases[i].attempts[n] = attempt(b, r, &s, &cases[i], n+1)
			}
		})
		iterations++
		means = append(means, make([]float64, len(r.table.scorers)))
		for i, info := range r.table.scorers {
			list := r.table.caseMeans(i)
			if n, why := r.table.missing(i); n > 0 || len(list) == 0 {
				b.Errorf("evals: %s: %d attempts have no score, the first since: %s", info.name, n, why)
				continue
			}
			means[len(means)-1][i] = mean(list)
		}
		spent, _ := r.table.spending()
		sum.add(spent)
	}
	for i, info := range r.table.scorers {
		total := 0.0
		for _, m := range means {
			total += m[i]
		}
		b.ReportMetric(total/float64(iterations), unit(info.name))
	}
	if sum.usage {
		b.ReportMetric(float64(sum.input+sum.output)/float64(iterations), "tokens/op")
	}
	if cost, ok := sum.paid(); ok {
		b.ReportMetric(cost/float64(iterations), "cost/op")
	}
	if err := r.report.finish(r, b.Failed()); err != nil {
		b.Errorf("evals: %v", err)
	}
	for _, text := range r.close() {
		b.Logf("evals: the sessions: %s", text)
	}
}

// unit makes a unit of a name: it must have no white space, and not be one that
// benchmarks have.
func unit(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return '-'
		}
		return r
	}, name)
	switch name {
	case "ns/op", "B/op", "allocs/op", "MB/s":
		return name + "-score"
	}
	return name
}
