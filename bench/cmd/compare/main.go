// Command compare measures this library and its peers side by side, in rounds in
// which each runs once, in another order each time, and writes tables and JSON.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/bench/harness"
	"github.com/sessionspan/sessionspan/bench/measure"
	"github.com/sessionspan/sessionspan/bench/peer"
	"github.com/sessionspan/sessionspan/bench/practice"
)

var (
	rounds = flag.Int("rounds", 10, "`number` of rounds")
	limit  = flag.Duration("limit", 14*time.Minute, "`time` after which no further round starts that would not end by then")
	spans  = flag.Int("spans", 4500, "`number` of spans in each run")
	out    = flag.String("out", "results", "`directory` for the JSON; none where empty")
	readme = flag.String("readme", "README.md", "`file` whose marked tables are written anew; none where empty")
	render = flag.Bool("render", false, "write the tables of what is in the directory already, without measuring")
	only   = flag.String("only", "", "run what this `expression` matches alone, of names such as span/otel, and write no files")
	step   = flag.String("steps", "", "measure the single steps alone whose names start with this `text`, and write no files")
	noStep = flag.Bool("nosteps", false, "leave out the single steps, and write no files")
	cpu    = flag.String("cpuprofile", "", "`directory` for CPU profiles of the last round")
)

func main() { harness.Main(work) }

func work(ctx context.Context) error {
	flag.Parse()
	if *render {
		r, err := readReport(*out)
		if err != nil {
			return err
		}
		return r.writeReadme(*readme)
	}
	filter, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	h, err := harness.Start(ctx)
	if err != nil {
		return err
	}
	r := newReport()
	start := time.Now()
	for r.Rounds < *rounds && fits(time.Since(start), r.Rounds, *limit) {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", r.Rounds+1, *rounds)
		if err := round(ctx, h, r, filter, r.Rounds); err != nil {
			return err
		}
		r.Rounds++
	}
	if err := h.Close(); err != nil {
		return err
	}
	r.Ended = time.Now().UTC().Truncate(time.Second)
	fmt.Print(r.markdown())
	if *only != "" || *noStep || *step != "" {
		return nil
	}
	if err := r.write(*out); err != nil {
		return err
	}
	return r.writeReadme(*readme)
}

// fits reports whether one more round ends in time, if it takes as long as those before
// it did. There is one in any case.
func fits(took time.Duration, rounds int, limit time.Duration) bool {
	return rounds == 0 || took+took/time.Duration(rounds) <= limit
}

// round runs everything once.
func round(ctx context.Context, h *harness.Harness, r *report, filter *regexp.Regexp, i int) error {
	specs := specs(filter)
	if *step != "" {
		specs = nil
	}
	random := rand.New(rand.NewPCG(uint64(i), 1)) //nolint:gosec // an order that can be repeated
	random.Shuffle(len(specs), func(i, j int) { specs[i], specs[j] = specs[j], specs[i] })
	for _, spec := range specs {
		if *cpu != "" && i == *rounds-1 {
			spec.Profile = filepath.Join(*cpu, strings.NewReplacer(" ", "", "(", "-", ")", "").Replace(spec.Workload+"-"+spec.Name())+".pprof")
		}
		result, err := h.Run(ctx, spec)
		if err != nil {
			return err
		}
		r.add(result)
	}
	if *noStep {
		return nil
	}
	steps, err := h.Steps(ctx, *step, i)
	if err != nil {
		return err
	}
	r.addSteps(steps)
	return nil
}

// specs returns what is run in a round.
func specs(filter *regexp.Regexp) []measure.Spec {
	var list []measure.Spec
	add := func(s measure.Spec) {
		s.Spans, s.Size = *spans, 2048
		if filter.MatchString(s.Workload + "/" + s.Name()) {
			list = append(list, s)
		}
	}
	for _, p := range peer.All() {
		for _, raw := range []bool{false, true} {
			if raw && !p.Raw {
				continue
			}
			if p.Open {
				add(measure.Spec{Peer: p.Name, Raw: raw, Workload: measure.Spans})
			}
			add(measure.Spec{Peer: p.Name, Raw: raw, Workload: measure.Sessions})
		}
	}
	for _, kind := range append(practice.Kinds(), measure.Load) {
		for _, way := range practice.Ways() {
			add(measure.Spec{Peer: way, Workload: kind})
		}
	}
	return list
}
