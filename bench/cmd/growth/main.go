// Command growth measures how the cost of a span grows with what there is of
// something, for this library and OpenTelemetry, and draws it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sessionspan/sessionspan/bench/harness"
	"github.com/sessionspan/sessionspan/bench/measure"
	"github.com/sessionspan/sessionspan/bench/plot"
)

var (
	rounds = flag.Int("rounds", 10, "`number` of rounds")
	out    = flag.String("out", "results", "`directory` for the plots and the JSON")
	draw   = flag.Bool("draw", false, "draw what is in the directory already, without measuring")
)

func main() { harness.Main(work) }

// question is one plot.
type question struct {
	Name, Title, XAxis string
	Figure             string
	pick               func(measure.Result) float64
	peers              []string
	xs                 []float64
	spec               func(x float64) measure.Spec
}

const (
	ours = "sessionspan-otlp"
	sdk  = "otel"
)

func questions() []question {
	process := func(r measure.Result) float64 { return r.ProcessNS / 1e3 }
	caller := func(r measure.Result) float64 { return r.CallerNS / 1e3 }
	both := []string{sdk, ours}
	return []question{
		{
			"goroutines", "Calls of a model from many goroutines", "goroutines", "process CPU for each span, µs", process, both, []float64{1, 16, 256},
			func(x float64) measure.Spec {
				return measure.Spec{Workload: measure.Sessions, Spans: 4608, Size: 2048, Goroutines: int(x)}
			},
		},
		{
			"children", "Empty children of a session", "children of each", "caller CPU for each child, µs", caller, both, []float64{10, 100, 1000, 10_000, 100_000},
			func(x float64) measure.Spec {
				return measure.Spec{Workload: measure.Spans, Spans: max(2000, int(x)), Open: max(1, 2000/int(x)), Size: 100, Empty: true, Warm: 5000}
			},
		},
		{
			"values", "Text of a call, in and out", "bytes of each", "process CPU for each call, µs", process, both,
			[]float64{100, 1000, 10_000, 100_000, 1_000_000, 10_000_000},
			func(x float64) measure.Spec {
				// All of it fits into the 64 MiB that OpenTelemetry's exporter sends at once.
				n := min(4000, max(2, int(25_000_000/x)))
				return measure.Spec{Workload: measure.Spans, Spans: n, Size: int(x), Warm: 90}
			},
		},
		{
			"sessions", "Calls in one of many sessions that are open", "open sessions", "caller CPU for each span, µs", caller, both,
			[]float64{1, 10, 100, 1000, 10_000},
			func(x float64) measure.Spec {
				return measure.Spec{Workload: measure.Spans, Spans: 20_000, Size: 256, Open: int(x), Warm: 2000}
			},
		},
	}
}

// points are what the rounds gave, by question, peer and x.
type points map[string]map[string]map[string][]measure.Result

func work(ctx context.Context) error {
	flag.Parse()
	found := points{}
	name := filepath.Join(*out, "growth.json")
	if *draw {
		data, err := os.ReadFile(name) //nolint:gosec // the user names it
		if err == nil {
			err = json.Unmarshal(data, &found)
		}
		if err != nil {
			return fmt.Errorf("read results: %w", err)
		}
		return found.draw()
	}
	h, err := harness.Start(ctx)
	if err != nil {
		return err
	}
	for i := range *rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", i+1, *rounds)
		if err := found.round(ctx, h, i); err != nil {
			return err
		}
	}
	if err := h.Close(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(found, "", " ")
	if err == nil {
		err = os.MkdirAll(*out, 0o750)
	}
	if err == nil {
		err = os.WriteFile(name, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return found.draw()
}

// round measures each point once. Which client is first changes from round to
// round.
func (p points) round(ctx context.Context, h *harness.Harness, i int) error {
	for _, q := range questions() {
		for _, x := range q.xs {
			for j := range q.peers {
				peer := q.peers[(i+j)%len(q.peers)]
				spec := q.spec(x)
				spec.Peer = peer
				r, err := h.Run(ctx, spec)
				if err != nil {
					return err
				}
				r.URL, r.Dir = "", ""
				p.add(q.Name, peer, fmt.Sprint(x), r)
			}
		}
	}
	return nil
}

func (p points) add(question, peer, x string, r measure.Result) {
	if p[question] == nil {
		p[question] = map[string]map[string][]measure.Result{}
	}
	if p[question][peer] == nil {
		p[question][peer] = map[string][]measure.Result{}
	}
	p[question][peer][x] = append(p[question][peer][x], r)
}

// draw writes a plot for each question.
func (p points) draw() error {
	for _, q := range questions() {
		chart := plot.Chart{Title: q.Title, XAxis: q.XAxis, YAxis: q.Figure}
		for _, peer := range q.peers {
			line := plot.Line{Name: peer}
			for _, x := range q.xs {
				var values []float64
				lost := false
				for _, r := range p[q.Name][peer][fmt.Sprint(x)] {
					values = append(values, q.pick(r))
					lost = lost || r.Lost > 0
				}
				if len(values) == 0 {
					continue
				}
				s := harness.Summarize(values)
				line.Points = append(line.Points, plot.Point{X: x, Y: s.Median, Low: s.Low, High: s.High, Hollow: lost})
				note := ""
				if lost {
					note = " (spans were lost)"
				}
				fmt.Printf("%-10s %-18s %10s  %s%s\n", q.Name, peer, fmt.Sprint(x), s.Text(1), note)
			}
			chart.Lines = append(chart.Lines, line)
		}
		if err := os.WriteFile(filepath.Join(*out, q.Name+".svg"), chart.SVG(), 0o600); err != nil {
			return fmt.Errorf("draw: %w", err)
		}
	}
	return nil
}
