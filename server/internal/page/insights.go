package page

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/store"
	lang "github.com/sessionspan/sessionspan/store/query"
)

// insightsView is what is shown of sessions as a whole.
type insightsView struct {
	base
	*query
	Spans     []choice
	Summary   store.Summary
	Plots     []*plot
	By        []breakdown
	Retrieval *retrieval
	Statuses  []choice
	Axis      string // log or linear where that was chosen
	Unindexed int64
}

// breakdown compares sessions, or their events, by what divides them.
type breakdown struct {
	ID, Title, Unit, Parameter string
	OfEvents                   bool
	FirstToken                 bool // it is shown
	Rows                       []share
	More                       bool // there are more than are shown
}

type share struct {
	Key   string // "" where it has no name
	URL   string // of the sessions behind it
	Bad   string // of those with an error of it
	Slow  string // of those at the 99th percentile or above
	Part  float64
	Total store.Summary
}

// Clear is the address without filters.
func (v *insightsView) Clear() string { return v.path }

// AxisURL is the address of this page with axes of a kind.
func (v *insightsView) AxisURL(kind string) string { return v.URL("axis", kind) }

const plotPoints = 48

// mostShares is how many rows a breakdown has.
const mostShares = 20

func (p *page) insights(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), queryTime)
	defer cancel()
	v := &insightsView{base: p.base(r, "Insights"), query: parseFilter(r, p.Now()), Spans: spans, Statuses: statuses}
	v.Nav = "insights"
	v.Axis = v.choice(r.URL.Query(), "axis", []choice{{axisLog, ""}, {axisLinear, ""}})
	if v.Wrong() != nil {
		return p.render(w, http.StatusOK, "insights.html", v)
	}
	groupings := []store.Grouping{{Buckets: plotPoints}}
	for _, d := range dimensions {
		groupings = append(groupings, store.Grouping{By: d.by, Limit: mostShares + 1})
	}
	var series [][]store.Series
	var errs [2]error
	var wait sync.WaitGroup
	wait.Go(func() { series, errs[0] = p.Store.AggregateAll(ctx, v.filter, groupings) })
	wait.Go(func() { v.Retrieval, errs[1] = p.retrieval(ctx, v) })
	wait.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	info, err := p.Store.Info(ctx)
	if err != nil {
		return err
	}
	v.Unindexed = info.Unindexed
	if len(series[0]) > 0 {
		v.Summary = series[0][0].Total
		v.Plots = v.plotsOf(series[0][0].Points)
	}
	for i, d := range dimensions {
		if b := v.breakdown(d, series[1+i]); len(b.Rows) > 0 {
			v.By = append(v.By, b)
		}
	}
	return p.render(w, http.StatusOK, "insights.html", v)
}

// dimension is something that divides sessions or their events.
type dimension struct {
	by                         store.By
	id, title, unit, parameter string
	ofEvents, firstToken       bool
	// within is what one event, or else the session, is asked for of which a row is.
	within func(key string) []lang.Expr
}

var dimensions = []dimension{
	{store.ByEvent, "step", "By step", "events", "event", true, false, one("name")},
	{store.ByKind, "kind", "By kind", "events", "kind", true, false, one("kind")},
	{store.ByModel, "model", "By model", "calls", "model", true, true, func(key string) []lang.Expr {
		return append(terms("type", "model"), one("model")(key)...)
	}},
	{store.ByErrorKind, "error", "By kind of error", "events", "kind of error", true, false, func(key string) []lang.Expr {
		return append([]lang.Expr{anyOf("error")}, one("error.kind")(key)...)
	}},
	{store.ByPrompt, "prompt", "By prompt and version", "events", "prompt", true, true, func(key string) []lang.Expr {
		name, version := promptOf(key)
		return append(one("prompt")(name), one("prompt.version")(version)...)
	}},
	{store.ByField("release"), "release", "By release", "sessions", "release", false, true, one("release")},
	{store.BySource, "source", "By source", "sessions", "source", false, true, one("source")},
	{store.ByUser, "user", "By user", "sessions", "user", false, true, one("user")},
	{store.ByFeedback, "feedback", "By feedback", "sessions", "feedback", false, true, func(key string) []lang.Expr {
		switch key {
		case "up":
			return shortcut("feedback", "up")
		case "down":
			return shortcut("feedback", "down")
		case "none":
			return shortcut("feedback", "none")
		}
		var list []lang.Expr
		for _, e := range append(shortcut("feedback", "up"), shortcut("feedback", "down")...) {
			list = append(list, lang.Not{Expr: e})
		}
		return append([]lang.Expr{anyFeedback()}, list...)
	}},
}

// promptOf divides the key of a series by prompts into the name and the version.
func promptOf(key string) (name, version string) {
	at := strings.LastIndexByte(key, '\n')
	return key[:max(at, 0)], key[at+1:]
}

// terms returns the term of a field and a value.
func terms(field, value string) (list []lang.Expr) {
	if t, err := lang.NewTerm(field, lang.Equal, value); err == nil {
		list = append(list, t)
	}
	return list
}

// anyOf is the term that a field has any value.
func anyOf(field string) lang.Expr {
	return mustParse(field + ":*").Expr
}

// one returns what has a value of a field, or none where it is empty.
func one(field string) func(string) []lang.Expr {
	return func(value string) []lang.Expr {
		if value == "" && field != "name" {
			return []lang.Expr{lang.Not{Expr: anyOf(field)}}
		}
		return terms(field, value)
	}
}

// behind is the address of the sessions of a dimension for which more holds, too.
func (v *insightsView) behind(d dimension, key string, more ...lang.Expr) string {
	list := append(d.within(key), more...)
	if d.ofEvents {
		return v.And(lang.Event{Expr: lang.Of(list...).Expr})
	}
	return v.And(list...)
}

// atLeast is the term that a duration is no shorter than one of milliseconds.
func atLeast(ms float64) []lang.Expr {
	t, err := lang.NewTerm("duration", lang.GreaterEqual, strconv.FormatFloat(ms, 'f', -1, 64)+"ms")
	if err != nil {
		return nil
	}
	return []lang.Expr{t}
}

func (v *insightsView) breakdown(d dimension, series []store.Series) breakdown {
	b := breakdown{ID: "by-" + d.id, Title: d.title, Unit: d.unit, Parameter: d.parameter, OfEvents: d.ofEvents, FirstToken: d.firstToken, More: len(series) > mostShares}
	series = series[:min(len(series), mostShares)]
	var most int64 = 1
	for i := range series {
		most = max(most, series[i].Total.Count)
	}
	for _, s := range series {
		row := share{Key: s.Key, Total: s.Total, Part: 100 * float64(s.Total.Count) / float64(most), URL: v.behind(d, s.Key)}
		if d.by == store.ByPrompt {
			name, version := promptOf(s.Key)
			row.Key = strings.TrimSpace(name + " " + version)
		}
		switch {
		case s.Total.Errors > 0 && d.ofEvents:
			row.Bad = v.behind(d, s.Key, anyOf("error"))
		case s.Total.Errors > 0:
			row.Bad = v.behind(d, s.Key, terms("status", "error")...)
		}
		if s.Total.Duration.Count > 0 {
			row.Slow = v.behind(d, s.Key, atLeast(s.Total.Duration.P99)...)
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}

// plotsOf draws the plots over time.
func (v *insightsView) plotsOf(points []store.Point) []*plot {
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
	whole := axis{show: func(v float64) string { return short(whole64(v)) }, step: 1, scale: v.Axis}
	took, money := axis{show: duration, scale: v.Axis}, axis{show: cost, scale: v.Axis}
	rate := axis{show: func(v float64) string { return trimmed(v, 1) + " %" }, even: true}
	list := []*plot{
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
	urls := make([]string, len(points))
	for i := range points {
		if points[i].Count > 0 {
			urls[i] = v.during(points[i].From, points[i].To)
		}
	}
	for _, p := range list {
		p.link(urls)
	}
	return list
}

// during is the address of the sessions of a time.
func (v *insightsView) during(from, to time.Time) string {
	all := v.asked.all
	for _, name := range []string{"since", "from", "to"} {
		all = without(all, name)
	}
	return v.Asking("/", lang.All(all, lang.Of(append(shortcut("from", machineTime(from)), shortcut("to", machineTime(to))...)...)))
}

func machineTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999") }

// axisChoice is a choice of how axes are.
type axisChoice struct {
	choice
	On bool
}

func axisChoices(now string) (list []axisChoice) {
	for _, c := range []choice{{"", "as it fits"}, {axisLinear, "linear"}, {axisLog, "logarithmic"}} {
		list = append(list, axisChoice{c, c.is(now)})
	}
	return list
}
