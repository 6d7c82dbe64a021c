package evals

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/sessionspan/sessionspan/evals/bootstrap"
)

// attributes returns what is told of an attempt by [testing.T.Attr]: where its session
// is, and its scores.
func (r *run) attributes(o *outcome) (list [][2]string) {
	list = append(list, [2]string{"sessionspan.session", r.sessionURL(o.session)})
	for i, s := range r.table.scorers {
		if v := o.scores[i]; !math.IsNaN(v.Value) {
			list = append(list, [2]string{"score." + attributeKey(s.name), fmt.Sprint(v.Value)})
		}
	}
	return list
}

// attributeKey makes a key of a name: it must have no white space.
func attributeKey(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return '_'
		}
		return r
	}, name)
}

// finish judges the gates, writes the baseline where that is asked for, tells what
// came out, and closes the run.
func (r *run) finish(t *testing.T) {
	t.Helper()
	file, was := baselineFile(r.test), r.was
	if r.wasErr != nil && !*update {
		t.Errorf("evals: %v", r.wasErr)
	}
	all, ran, failed := r.table.count()
	whole := all == ran
	var out strings.Builder
	fmt.Fprintf(&out, "evals: %d of %d attempts of %d cases, run %s", ran, all, len(r.table.cases), r.id)
	if failed > 0 {
		fmt.Fprintf(&out, "; the task failed in %d", failed)
	}
	out.WriteString("\n\n")
	r.writeScores(&out, was)
	r.writeSpending(&out)
	failures := r.judge(&out, was, whole)
	if *update {
		switch missing := r.anyMissing(); {
		case !whole || missing != "":
			failures = append(failures, fmt.Sprintf("the baseline was not written: %d of %d attempts ran%s", ran, all, missing))
		default:
			if err := r.table.write(file, r.id); err != nil {
				failures = append(failures, err.Error())
			} else {
				fmt.Fprintf(&out, "\nThe baseline is written: %s\n", file)
			}
		}
	}
	for _, failure := range failures {
		t.Errorf("evals: %s", failure)
	}
	if err := r.keep(t.ArtifactDir()); err != nil {
		t.Errorf("evals: %v", err)
	}
	for i, s := range r.table.scorers {
		if means := r.table.caseMeans(i); len(means) > 0 {
			t.Attr("mean."+attributeKey(s.name), fmt.Sprint(mean(means)))
		}
	}
	if err := r.report.finish(r, t.Failed()); err != nil {
		t.Errorf("evals: %v", err)
	}
	for _, text := range r.close() {
		fmt.Fprintf(&out, "\nThe sessions: %s\n", text)
	}
	shown := r.shownAt()
	if shown != "" {
		fmt.Fprintf(&out, "\nOpen %s\n", shown)
	}
	t.Attr("sessionspan.run", cmp.Or(shown, r.id))
	t.Log(out.String())
}

// anyMissing says that a score is missing, or "".
func (r *run) anyMissing() string {
	for i, s := range r.table.scorers {
		if n, _ := r.table.missing(i); n > 0 {
			return fmt.Sprintf(", and %d have no score %s", n, s.name)
		}
	}
	return ""
}

// writeScores writes the table of the scores.
func (r *run) writeScores(out *strings.Builder, was *baseline) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(w, "score\tmean\t95% interval\tworst\tattempts\tbaseline\n")
	for i, s := range r.table.scorers {
		means, all := r.table.caseMeans(i), r.table.all(i)
		if len(all) == 0 {
			_, _ = fmt.Fprintf(w, "%s\t-\t\t\t0\t\n", s.name)
			continue
		}
		worst := all[0]
		for _, v := range all {
			worst = min(worst, v)
		}
		between, compared := "", ""
		if low, high, ok := bootstrap.Interval(means, bootstrap.Resamples); ok {
			between = short(low) + " to " + short(high)
		}
		if d := r.table.differences(i, was); len(d) > 0 {
			compared = fmt.Sprintf("%s over %d cases", signed(mean(d)), len(d))
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", s.name, short(mean(means)), between, short(worst), len(all), compared)
	}
	_ = w.Flush()
}

func (r *run) writeSpending(out *strings.Builder) {
	sum, longest := r.table.spending()
	fmt.Fprintf(out, "\nlongest attempt %v", longest.Round(time.Microsecond))
	if sum.usage {
		fmt.Fprintf(out, ", %d tokens in and %d out", sum.input, sum.output)
	}
	switch cost, ok := sum.paid(); {
	case ok && sum.currency == "USD":
		fmt.Fprintf(out, ", cost %s", short(cost))
	case ok:
		fmt.Fprintf(out, ", cost %s %s", short(cost), sum.currency)
	case sum.mixed:
		out.WriteString(", costs in several currencies")
	}
	out.WriteByte('\n')
}

// judge judges the gates and returns what failed. Where -run chose cases there is
// nothing to judge; where the time or the context ended, all gates fail.
func (r *run) judge(out *strings.Builder, was *baseline, whole bool) (failures []string) {
	if len(r.gates) == 0 {
		return nil
	}
	out.WriteByte('\n')
	if cut := r.ctx.Err() != nil; !whole && !cut {
		out.WriteString("The gates are not judged, since not all cases ran.\n")
		return nil
	} else if !whole {
		return []string{fmt.Sprintf("the gates cannot be judged: not all cases ran: %v", context.Cause(r.ctx))}
	}
	for i := range r.gates {
		g := &r.gates[i]
		passed, said := r.pass(g, was)
		switch {
		case said == "":
			fmt.Fprintf(out, "gate: %s: not judged: there is no baseline (-evals.update writes it)\n", g.text)
		case passed:
			fmt.Fprintf(out, "gate: %s: %s\n", g.text, said)
		default:
			failures = append(failures, "gate: "+g.text+": "+said)
			fmt.Fprintf(out, "gate: %s: FAILED: %s\n", g.text, said)
		}
	}
	return failures
}

// pass judges a gate. It says nothing where there is nothing to judge by.
func (r *run) pass(g *Gate, was *baseline) (passed bool, said string) {
	scorer := 0
	for i, s := range r.table.scorers {
		if s.name == g.scorer {
			scorer = i
		}
	}
	if n, why := r.table.missing(scorer); n > 0 {
		return false, fmt.Sprintf("%d attempts have no score, the first since: %s", n, why)
	}
	if g.compares && *update {
		return true, "this run becomes the baseline"
	}
	if g.compares && was == nil {
		if ci := os.Getenv("CI"); ci != "" && ci != "false" && ci != "0" {
			return false, "there is no baseline: write " + filepath.ToSlash(baselineFile(r.test)) + " with -evals.update, and keep it with the test"
		}
		return false, ""
	}
	return g.judge(&r.table, scorer, was)
}

// keep writes the attempts as JSON lines.
func (r *run) keep(dir string) error {
	var b []byte
	for i := range r.table.cases {
		c := &r.table.cases[i]
		for n, o := range c.attempts {
			if !o.ran() {
				continue
			}
			line := struct {
				Case     string         `json:"case"`
				Attempt  int            `json:"attempt"`
				Session  string         `json:"session"`
				Error    string         `json:"error,omitempty"`
				Duration float64        `json:"duration_ms"`
				Scores   map[string]any `json:"scores"`
			}{c.name, n + 1, r.sessionURL(o.session), o.err, float64(o.duration) / 1e6, make(map[string]any)}
			for j, s := range r.table.scorers {
				if v := o.scores[j]; math.IsNaN(v.Value) {
					line.Scores[s.name] = map[string]any{"missing": v.Explanation}
				} else if v.Label+v.Explanation != "" {
					line.Scores[s.name] = map[string]any{"value": v.Value, "label": v.Label, "explanation": v.Explanation}
				} else {
					line.Scores[s.name] = v.Value
				}
			}
			text, err := json.Marshal(line)
			if err != nil {
				return fmt.Errorf("write the attempts: %w", err)
			}
			b = append(append(b, text...), '\n')
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "attempts.jsonl"), b, 0o600); err != nil {
		return fmt.Errorf("write the attempts: %w", err)
	}
	return nil
}
