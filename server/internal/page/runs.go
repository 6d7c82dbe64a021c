package page

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/runs"
	"github.com/sessionspan/sessionspan/store"
)

// runsSize is how many runs a page of the list has, and scoresShown how many scores of
// each.
const (
	runsSize    = 25
	scoresShown = 6
)

// runsView is the list of the runs of evaluations.
type runsView struct {
	base
	Name, Dataset string // what limits the list
	Rows          []runRow
	Next          string
	First         bool
	Program       string // how to make a run, where there is none
	Address       string
}

// runRow is a run in the list.
type runRow struct {
	*runs.Run
	More       int  // scores that are not shown
	IsBaseline bool // a run of the page names it as its baseline
}

func (p *page) runs(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	given := r.URL.Query()
	v := &runsView{base: p.base(r, "Experiments"), Name: given.Get("name"), Dataset: given.Get("dataset"), First: given.Get("after") == ""}
	v.Nav = "experiments"
	if len(v.Name) > maxText || len(v.Dataset) > maxText {
		return badRequest("The name or the dataset is longer than 2 KiB.")
	}
	var err error
	if v.Seq, err = p.Store.Seq(ctx); err != nil {
		return err
	}
	list, next, err := runs.List(ctx, p.Store, store.RunQuery{Name: v.Name, Dataset: v.Dataset, After: given.Get("after"), Limit: runsSize})
	if err != nil && !v.First && ctx.Err() == nil {
		return badRequest("The key of the page (%s) is none of this list: %s", line(given.Get("after"), 80), line(err.Error(), 200))
	}
	if err != nil {
		return err
	}
	baselines := make(map[string]bool)
	for _, run := range list {
		if run.Baseline != run.ID {
			baselines[run.Baseline] = true
		}
	}
	for _, run := range list {
		row := runRow{Run: run, IsBaseline: baselines[run.ID]}
		if more := len(run.Metrics) - scoresShown; more > 0 {
			run.Metrics, row.More = run.Metrics[:scoresShown], more
		}
		v.Rows = append(v.Rows, row)
	}
	if next != "" {
		v.Next = v.URL("after", next)
	}
	if len(list) == 0 {
		v.Program, v.Address = evaluation, p.address(r)
	}
	return p.render(w, http.StatusOK, "runs.html", v)
}

// URL is the address of the list with other values of some parameters; any change but
// that of the page leads to the first page.
func (v *runsView) URL(pairs ...string) string {
	return addressOf("/runs", url.Values{"name": {v.Name}, "dataset": {v.Dataset}}, pairs)
}

// OpenURL is the address of a run.
func (v *runsView) OpenURL(id string) string { return runURL(id) }

// runURL is the address of a run. Its id stands in the query, since programs choose it
// as they like.
func runURL(id string, pairs ...string) string {
	return addressOf("/run", url.Values{"id": {id}}, pairs)
}

// addressOf writes an address, without parameters that are empty.
func addressOf(path string, values url.Values, pairs []string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	for name := range values {
		if values.Get(name) == "" {
			values.Del(name)
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// score shows a score by at most four significant digits.
func score(v float64) string {
	if !isFinite(v) {
		return none
	}
	return strings.Replace(strconv.FormatFloat(v, 'g', 4, 64), "-", "−", 1)
}

// signed is score with a sign.
func signed(v float64) string {
	if v > 0 {
		return "+" + score(v)
	}
	return score(v)
}

// ofOne shows a part of 1 in percent.
func ofOne(v float64) string {
	if !isFinite(v) {
		return none
	}
	return trimmed(100*v, 1) + " %"
}

// caseKey returns the key of the case that a session is an attempt of, and its run, ""
// where it is none.
func caseKey(s *honeyhive.SessionStartRequest) (run, key string) {
	text := func(name string) string {
		raw, _ := s.Metadata.Get(name)
		if v := honeyhive.Value(raw); v.Kind() == honeyhive.KindString || v.Kind() == honeyhive.KindNumber {
			return v.Text()
		}
		return ""
	}
	run, point, name := text("run_id"), text("datapoint_id"), text("datapoint_name")
	if len(run) > longestName || len(point) > longestName || len(name) > longestName { // which have other names in lists
		return "", ""
	}
	if point == "" && name == "" {
		return run, ""
	}
	return run, runs.Key(point, name, "")
}
