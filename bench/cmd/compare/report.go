package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/bench/harness"
	"github.com/sessionspan/sessionspan/bench/measure"
	"github.com/sessionspan/sessionspan/bench/micro"
	"github.com/sessionspan/sessionspan/bench/peer"
	"github.com/sessionspan/sessionspan/bench/practice"
)

// report is what a comparison found.
type report struct {
	Machine harness.Machine `json:"machine"`
	Ended   time.Time       `json:"ended"`
	Rounds  int             `json:"rounds"`
	Spans   int             `json:"spans"`
	// Runs and Steps are what each round gave, by workload and name.
	Runs  map[string]map[string][]measure.Result `json:"runs"`
	Steps map[string][]micro.Result              `json:"steps"`
	Goals []verdict                              `json:"goals"`
}

func newReport() *report {
	return &report{
		Machine: harness.ThisMachine(), Spans: *spans,
		Runs: map[string]map[string][]measure.Result{}, Steps: map[string][]micro.Result{},
	}
}

func (r *report) add(result measure.Result) {
	byName := r.Runs[result.Workload]
	if byName == nil {
		byName = map[string][]measure.Result{}
		r.Runs[result.Workload] = byName
	}
	result.URL, result.Dir, result.Profile = "", "", ""
	byName[result.Name()] = append(byName[result.Name()], result)
}

func (r *report) addSteps(list []micro.Result) {
	for _, s := range list {
		r.Steps[s.Name] = append(r.Steps[s.Name], s)
	}
}

// figure picks one figure out of a result.
type figure func(measure.Result) float64

func caller(r measure.Result) float64    { return r.CallerNS }
func process(r measure.Result) float64   { return r.ProcessNS }
func wire(r measure.Result) float64      { return r.WireB }
func perSecond(r measure.Result) float64 { return r.PerSecond }

// values returns a figure of each round.
func (r *report) values(workload, name string, f figure) []float64 {
	var list []float64
	for _, result := range r.Runs[workload][name] {
		list = append(list, f(result))
	}
	return list
}

// ratios returns a figure of one client divided by that of another, round by
// round. A round in which either lost spans does not count: what is lost costs
// less.
func (r *report) ratios(workload, a, b string, f figure) []float64 {
	var list []float64
	with, without := r.Runs[workload][a], r.Runs[workload][b]
	for i := range min(len(with), len(without)) {
		if with[i].Lost == 0 && without[i].Lost == 0 && f(without[i]) != 0 {
			list = append(list, f(with[i])/f(without[i]))
		}
	}
	return list
}

// over returns the process CPU that tracing in one way costs a service, divided by
// that of another, round by round: each without what the service takes that is not
// traced.
func (r *report) over(workload, a, b string) []float64 {
	var list []float64
	none, with, without := r.Runs[workload][practice.None], r.Runs[workload][a], r.Runs[workload][b]
	for i := range min(len(none), len(with), len(without)) {
		if base := without[i].ProcessNS - none[i].ProcessNS; with[i].Lost == 0 && without[i].Lost == 0 && base > 0 {
			list = append(list, (with[i].ProcessNS-none[i].ProcessNS)/base)
		}
	}
	return list
}

// stepValues returns a figure of a step in each round.
func (r *report) stepValues(name string, f func(micro.Result) float64) []float64 {
	var list []float64
	for _, s := range r.Steps[name] {
		list = append(list, f(s))
	}
	return list
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. %d rounds of %d spans; median and, in parentheses, the middle half of the rounds. Ended %s.\n\n",
		r.Machine, r.Rounds, r.Spans, r.Ended.Format("2006-01-02 15:04 UTC"))
	r.Goals = r.goals()
	if len(r.Goals) > 0 {
		b.WriteString("| # | Figure | Goal | Here | Reached |\n| --- | --- | --- | --- | --- |\n")
		for _, g := range r.Goals {
			here := g.Here.Text(1)
			if g.Rounds < r.Rounds {
				here += fmt.Sprintf(", %d rounds without loss", g.Rounds)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", g.Number, g.Figure, g.Goal, here, g.word())
		}
		b.WriteString("\n")
	}
	for _, workload := range []string{measure.Spans, measure.Sessions} {
		r.table(&b, workload)
	}
	r.practiceTable(&b)
	r.stepTable(&b)
	return b.String()
}

// word says whether a goal is reached.
func (v *verdict) word() string {
	switch {
	case v.Reached:
		return "yes"
	case v.Enough:
		return "no, but " + v.Accept + ", which is accepted"
	}
	return "**no**"
}

func (r *report) table(b *strings.Builder, workload string) {
	if len(r.Runs[workload]) == 0 {
		return
	}
	title := map[string]string{
		measure.Spans:    "Calls of a model in one session that stays open",
		measure.Sessions: "Sessions of eight calls, delivered whole (for each span, roots included)",
	}[workload]
	fmt.Fprintf(b, "### %s\n\n", title)
	b.WriteString("| Client | Caller CPU, µs | Process CPU, µs | / otel | / otel-gzip | Allocations | Allocated, KB | Wire, bytes | Spans/s | / otel | Lost |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, name := range r.names(workload) {
		base, compressed := "otel", "otel-gzip"
		if strings.HasSuffix(name, " (raw)") {
			base, compressed = "otel (raw)", "otel-gzip (raw)"
		}
		of := func(f figure) harness.Spread { return harness.Summarize(r.values(workload, name, f)) }
		ratio := func(f figure, to string) string {
			return harness.Short(harness.Summarize(r.ratios(workload, name, to, f)).Median)
		}
		lost := of(func(r measure.Result) float64 { return 100 * float64(r.Lost) / float64(r.Spans) })
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name,
			of(caller).Text(1e3), of(process).Text(1e3), ratio(process, base), ratio(process, compressed),
			harness.Short(of(func(r measure.Result) float64 { return r.Allocs }).Median),
			harness.Short(of(func(r measure.Result) float64 { return r.AllocB }).Median/1e3),
			harness.Short(of(wire).Median), of(perSecond).Text(1), ratio(perSecond, base), lostText(lost.Median))
	}
	b.WriteString("\n")
}

// latency writes milliseconds, which are measured under load alone.
func latency(s harness.Spread) string {
	if s.Max == 0 {
		return "–"
	}
	return s.Text(1)
}

func lostText(percent float64) string {
	if percent == 0 {
		return "0"
	}
	return fmt.Sprintf("%.1f %%", percent)
}

// names returns the names of a workload in the order of the peers, those given
// maps first.
func (r *report) names(workload string) []string {
	var list []string
	for _, raw := range []bool{false, true} {
		for _, p := range peer.All() {
			spec := measure.Spec{Peer: p.Name, Raw: raw}
			if r.Runs[workload][spec.Name()] != nil {
				list = append(list, spec.Name())
			}
		}
	}
	return list
}

func (r *report) practiceTable(b *strings.Builder) {
	for _, kind := range append(practice.Kinds(), measure.Load) {
		if len(r.Runs[kind]) == 0 {
			continue
		}
		title := map[string]string{
			practice.Messages: "chat messages and replies", practice.Failure: "inputs and a recorded error",
			practice.Call: "whole calls over HTTP", measure.Load: "chat messages and replies, 100 requests a second over loopback",
		}[kind]
		fmt.Fprintf(b, "### A service on a provider of the user with otelhttp, eight steps for each request: %s\n\n", title)
		b.WriteString("| Traced by | Caller CPU, µs | Process CPU, µs | Allocations | Allocated, KB | Wire, bytes | p50, ms | p99, ms | Lost |\n")
		b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
		for _, way := range practice.Ways() {
			if r.Runs[kind][way] == nil {
				continue
			}
			of := func(f figure) harness.Spread { return harness.Summarize(r.values(kind, way, f)) }
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", way, of(caller).Text(1e3), of(process).Text(1e3),
				harness.Short(of(func(r measure.Result) float64 { return r.Allocs }).Median),
				harness.Short(of(func(r measure.Result) float64 { return r.AllocB }).Median/1e3), harness.Short(of(wire).Median),
				latency(of(func(r measure.Result) float64 { return r.P50MS })), latency(of(func(r measure.Result) float64 { return r.P99MS })),
				lostText(of(func(r measure.Result) float64 { return 100 * float64(r.Lost) / float64(r.Spans) }).Median))
		}
		b.WriteString("\n")
	}
}

func (r *report) stepTable(b *strings.Builder) {
	if len(r.Steps) == 0 {
		return
	}
	b.WriteString("### Single steps\n\n| Step | CPU of the caller, ns | By the clock, ns | Allocations | Allocated, bytes |\n| --- | ---: | ---: | ---: | ---: |\n")
	names := slices.Collect(maps.Keys(r.Steps))
	order := map[string]int{}
	for i, c := range micro.Cases() {
		order[c.Name] = i
	}
	slices.SortFunc(names, func(a, b string) int { return order[a] - order[b] })
	for _, name := range names {
		of := func(f func(micro.Result) float64) harness.Spread { return harness.Summarize(r.stepValues(name, f)) }
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", name,
			of(stepCPU).Text(1), of(stepWall).Text(1), harness.Short(of(stepAllocs).Median),
			harness.Short(of(func(r micro.Result) float64 { return r.AllocB }).Median))
	}
	b.WriteString("\n")
}

func stepCPU(r micro.Result) float64    { return r.CPU }
func stepWall(r micro.Result) float64   { return r.Wall }
func stepAllocs(r micro.Result) float64 { return r.Allocs }
