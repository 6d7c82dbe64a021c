package page

import (
	"context"
	"errors"
	"math"
	"net/http"
	"sync"

	"github.com/sessionspan/sessionspan/store"
)

// insightsView is what is shown of sessions as a whole.
type insightsView struct {
	base
	*query
	Spans    []choice
	Summary  store.Summary
	Plots    []*plot
	By       []breakdown
	Statuses []choice
}

// breakdown compares sessions by what divides them.
type breakdown struct {
	ID, Title, Unit, Parameter string
	Rows                       []share
}

type share struct {
	Key   string
	URL   string // of the sessions with the key
	Part  float64
	Total store.Summary
}

// Clear is the address without filters.
func (v *insightsView) Clear() string { return v.path }

const plotPoints = 48

func (p *page) insights(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), queryTime)
	defer cancel()
	v := &insightsView{base: p.base(r, "Insights"), query: parseFilter(r, p.Now()), Spans: spans, Statuses: statuses}
	v.Nav = "insights"
	groupings := []store.Grouping{
		{Buckets: plotPoints},
		{By: store.ByModel, Limit: 20},
		{By: store.BySource, Limit: 20},
	}
	series := make([][]store.Series, len(groupings))
	errs := make([]error, len(groupings))
	var wait sync.WaitGroup
	for i, g := range groupings {
		wait.Go(func() { series[i], errs[i] = p.Store.Aggregate(ctx, v.filter, g) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(series[0]) > 0 {
		v.Summary = series[0][0].Total
		v.Plots = plotsOf(series[0][0].Points)
	}
	v.By = []breakdown{
		v.breakdown("model", "By model", "calls", series[1]),
		v.breakdown("source", "By source", "sessions", series[2]),
	}
	return p.render(w, http.StatusOK, "insights.html", v)
}

func (v *insightsView) breakdown(parameter, title, unit string, series []store.Series) breakdown {
	b := breakdown{ID: "by-" + parameter, Title: title, Unit: unit, Parameter: parameter}
	var most int64 = 1
	for i := range series {
		most = max(most, series[i].Total.Count)
	}
	for _, s := range series {
		row := share{Key: s.Key, Total: s.Total, Part: 100 * float64(s.Total.Count) / float64(most)}
		if s.Key != "" {
			row.URL = v.At("/", parameter, s.Key)
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}

// plotsOf draws the plots over time.
func plotsOf(points []store.Point) []*plot {
	if len(points) == 0 {
		return nil
	}
	row := func(name string, value func(*store.Summary) (float64, bool)) values {
		v := values{name: name}
		for i := range points {
			n, ok := value(&points[i].Summary)
			if !ok {
				n = math.NaN()
			}
			v.points = append(v.points, n)
		}
		return v
	}
	every := func(value func(*store.Summary) float64) func(*store.Summary) (float64, bool) {
		return func(s *store.Summary) (float64, bool) { return value(s), s.Count > 0 }
	}
	percentile := func(of func(*store.Summary) store.Percentiles, value func(store.Percentiles) float64) func(*store.Summary) (float64, bool) {
		return func(s *store.Summary) (float64, bool) { p := of(s); return value(p), p.Count > 0 }
	}
	lasted := func(s *store.Summary) store.Percentiles { return s.Duration }
	first := func(s *store.Summary) store.Percentiles { return s.FirstToken }
	p50 := func(p store.Percentiles) float64 { return p.P50 }
	p90 := func(p store.Percentiles) float64 { return p.P90 }
	p99 := func(p store.Percentiles) float64 { return p.P99 }
	whole := axis{func(v float64) string { return short(whole64(v)) }, 1}
	took, rate, money := axis{show: duration}, axis{show: func(v float64) string { return trimmed(v, 1) + " %" }}, axis{show: cost}
	return []*plot{
		newPlot("duration", "Duration", points, took,
			row("p50", percentile(lasted, p50)), row("p90", percentile(lasted, p90)), row("p99", percentile(lasted, p99))),
		newPlot("first-token", "Time to first token of the first call", points, took,
			row("p50", percentile(first, p50)), row("p90", percentile(first, p90)), row("p99", percentile(first, p99))),
		newPlot("sessions", "Sessions", points, whole,
			row("sessions", func(s *store.Summary) (float64, bool) { return float64(s.Count), true })),
		newPlot("error-rate", "Error rate", points, rate,
			row("errors", every(func(s *store.Summary) float64 { return 100 * float64(s.Errors) / float64(s.Count) }))),
		newPlot("tokens", "Tokens", points, whole,
			row("in", every(func(s *store.Summary) float64 { return float64(s.TokensIn) })),
			row("out", every(func(s *store.Summary) float64 { return float64(s.TokensOut) }))),
		newPlot("cost", "Cost", points, money,
			row("cost", every(func(s *store.Summary) float64 { return s.Cost }))),
	}
}
