package page

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/runs"
	"github.com/sessionspan/sessionspan/store"
)

// Bounds of what is shown of a run.
const (
	casesSize     = 50  // cases of a page
	attemptsShown = 10  // of a case, in its row and in its panel
	othersShown   = 50  // runs to compare with
	valueShown    = 200 // bytes of a question, an answer, or what is expected, in a row
	longestName   = 256 // bytes of the names of runs in a store: see store.Attempt
)

// runView is what is shown of a run, beside another one.
type runView struct {
	base
	*runs.Run
	With     *runs.Comparison // nil where nothing is compared
	Missing  string           // the run that it was to be compared with
	Others   []otherRun
	Scores   []scoreRow
	Query    runs.Query
	Rows     []caseRow
	Total    int // cases that are chosen
	Skip     int
	Detail   *caseDetail
	Problems []string

	values url.Values // of the address, as they are understood
}

// otherRun is a run to compare with.
type otherRun struct {
	ID, Label string
	Chosen    bool
}

// scoreRow is what a scorer said of the run, and what that differs by.
type scoreRow struct {
	runs.Metric
	Low, High float64
	Between   bool
	Missing   int // attempts without a score
	Diff      *runs.Difference
	Chosen    bool
}

// caseRow is a case in the list.
type caseRow struct {
	*runs.Case
	Question, Expected, Output, Was string // in a line
	Failed                          string // the error of the first attempt that has one
	Now, Before                     score1 // of the chosen scorer
	Difference                      score1
	Others                          []runs.Metric // the scores of other scorers: Mean is that of the case
	Shown                           []runs.Attempt
	More                            int // attempts that are not linked to
	Changed, New                    bool
	Chosen                          bool
}

// score1 is a score that may be missing.
type score1 struct {
	Value float64
	Known bool
}

// caseDetail is the panel of a case.
type caseDetail struct {
	Name, Datapoint string
	Inputs          *bucket
	Expected        *field
	Changed         bool
	Sides           []caseSide
}

// caseSide is a case in one of the runs.
type caseSide struct {
	Title    string
	Attempts []attemptView
	More     int
}

// attemptView is an attempt with what it gave.
type attemptView struct {
	runs.Attempt
	Error   string
	Outputs *bucket
	Scores  []runs.Metric // Mean is the score
	Gone    bool          // it was deleted meanwhile
}

func (p *page) run(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	given := r.URL.Query()
	id := given.Get("id")
	seq, err := p.Store.Seq(ctx)
	if err != nil {
		return err
	}
	var against *string
	var problems []string
	if other := given.Get("against"); len(other) > longestName {
		problems = append(problems, "against is longer than a run_id may be, and is left out")
	} else if given.Has("against") {
		against = &other
	}
	run, c, missing, err := runs.Open(ctx, p.Store, id, against)
	if errors.Is(err, store.ErrNotFound) {
		return notFound("No session has this run_id in its metadata: none has arrived yet, or they were deleted.")
	}
	if err != nil {
		return err
	}
	v := &runView{base: p.base(r, cmp.Or(run.Name, "Run")), Run: run, With: c, Missing: missing, Problems: problems, values: url.Values{"id": {id}}}
	v.Nav, v.Seq = "experiments", seq
	if against != nil {
		v.values.Set("against", *against)
	}
	v.read(given)
	if err := v.others(ctx, p.Store); err != nil {
		return err
	}
	v.scores()
	list := runs.Select(run, c, v.Query)
	v.Total = len(list)
	v.Skip = min(v.Skip, max(0, (v.Total-1)/casesSize*casesSize))
	for _, k := range list[v.Skip:min(v.Total, v.Skip+casesSize)] {
		row, err := p.caseRow(ctx, v, k)
		if err != nil {
			return err
		}
		v.Rows = append(v.Rows, row)
	}
	if key := v.values.Get("case"); key != "" {
		if v.Detail, err = p.caseDetail(ctx, v, key); err != nil {
			return err
		}
	}
	return p.render(w, http.StatusOK, "run.html", v)
}

// read reads what the address asks for beside the runs.
func (v *runView) read(given url.Values) {
	one := func(name string, known bool) string {
		text := given.Get(name)
		if text != "" && !known {
			v.Problems = append(v.Problems, name+" is none of the choices, and is left out")
			return ""
		}
		if text != "" {
			v.values.Set(name, text)
		}
		return text
	}
	v.Query.Metric = one("metric", v.Metric(given.Get("metric")) != nil)
	if v.Query.Metric == "" && len(v.Metrics) > 0 {
		v.Query.Metric = v.Metrics[0].Name
		if v.With != nil { // what got worse is looked at first
			if i := slices.IndexFunc(v.With.Metrics, func(d runs.Difference) bool { return d.Verdict() == runs.Worse }); i >= 0 {
				v.Query.Metric = v.With.Metrics[i].Name
			}
		}
	}
	v.Query.Sort = runs.Sort(one("sort", slices.Contains(runs.Sorts, runs.Sort(given.Get("sort")))))
	if v.Query.Sort == "" {
		v.Query.Sort = runs.SortCase
		if v.With != nil {
			v.Query.Sort = runs.SortDifference
		}
	}
	v.Query.Descending = one("dir", given.Get("dir") == "desc" || given.Get("dir") == "asc") == "desc"
	v.Query.Show = runs.Show(one("show", slices.Contains(runs.Shows, runs.Show(given.Get("show")))))
	if n, err := strconv.Atoi(given.Get("skip")); err == nil && n > 0 && n <= runs.MostAttempts {
		v.Skip = n / casesSize * casesSize
		v.values.Set("skip", strconv.Itoa(v.Skip))
	} else if given.Get("skip") != "" && (err != nil || n != 0) {
		v.Problems = append(v.Problems, "skip is no number of cases, and is left out")
	}
	if key := given.Get("case"); key != "" {
		if v.Case(key) != nil {
			v.values.Set("case", key)
		} else {
			v.Problems = append(v.Problems, "case is none of this run, and is left out")
		}
	}
}

// others finds runs to compare with: those of the same name or else the same dataset,
// the latest first, with the baseline and the one that is chosen.
func (v *runView) others(ctx context.Context, s store.Store) error {
	q := store.RunQuery{Name: v.Name, Limit: othersShown + 1}
	if v.Name == "" {
		q.Dataset = v.Dataset
	}
	page, err := s.Runs(ctx, q)
	if err != nil {
		return err
	}
	chosen := ""
	if v.With != nil {
		chosen = v.With.Was.ID
		if !slices.ContainsFunc(page.Runs, func(r store.RunRow) bool { return r.ID == chosen }) {
			page.Runs = append(page.Runs, store.RunRow{ID: chosen, Start: v.With.Was.Start.Or(0)})
		}
	}
	for _, r := range page.Runs {
		if r.ID == v.ID && chosen != v.ID {
			continue
		}
		label := moment(r.Start).Format("2006-01-02 15:04:05") + " · " + line(r.ID, 13)
		if r.ID == v.Baseline {
			label = "baseline · " + label
		}
		v.Others = append(v.Others, otherRun{r.ID, label, r.ID == chosen})
	}
	return nil
}

// scores fills the table of the scores.
func (v *runView) scores() {
	n := runs.Resamples(v.Tried, len(v.Metrics))
	for i := range v.Metrics {
		row := scoreRow{Metric: v.Metrics[i], Missing: v.Attempts - v.Metrics[i].Scored, Chosen: v.Metrics[i].Name == v.Query.Metric}
		row.Low, row.High, row.Between = v.Interval(&v.Metrics[i], n)
		if v.With != nil {
			row.Diff = v.With.Of(row.Name)
		}
		v.Scores = append(v.Scores, row)
	}
}

// Resamples is how often cases were drawn anew for the intervals of the means.
func (v *runView) Resamples() int { return runs.Resamples(v.Tried, len(v.Metrics)) }

// Chosen is the difference of the chosen scorer, or nil.
func (v *runView) Chosen() *runs.Difference {
	if v.With == nil {
		return nil
	}
	return v.With.Of(v.Query.Metric)
}

// showing is a choice of cases, with how many there are where that is known.
type showing struct {
	choice
	Count   int
	Counted bool
}

// Shows are the choices of cases.
func (v *runView) Shows() []showing {
	list := []showing{{choice{"", "all"}, v.Tried, true}}
	if d := v.Chosen(); d != nil {
		list = append(list, showing{choice{string(runs.ShowWorse), "worse"}, d.Worse, true}, showing{choice{string(runs.ShowBetter), "better"}, d.Better, true}, showing{choice{string(runs.ShowSame), "the same"}, d.Same, true})
	}
	list = append(list, showing{choice: choice{string(runs.ShowFailed), "failed"}}, showing{choice: choice{string(runs.ShowMissing), "without a score"}})
	if v.With != nil {
		list = append(list, showing{choice{string(runs.ShowChanged), "changed"}, v.With.Changed, true}, showing{choice{string(runs.ShowNew), "new"}, v.With.OnlyNow, true})
	}
	return list
}

// URL is the address of this page with other values of some parameters. But for the
// choice of a case, it is that of the first page.
func (v *runView) URL(pairs ...string) string {
	values := maps.Clone(v.values)
	against, has := values["against"]
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] != "case" && pairs[i] != "skip" {
			values.Del("skip")
			values.Del("case")
		}
	}
	address := addressOf("/run", values, pairs)
	if has && against[0] == "" { // compared with nothing, which is asked for
		address += "&against="
	}
	return address
}

// SortURL is the address that sorts the cases, the other way where they are so already.
func (v *runView) SortURL(by string) string {
	dir := ""
	if string(v.Query.Sort) == by && !v.Query.Descending || string(v.Query.Sort) != by && (by == string(runs.SortErrors) || by == string(runs.SortDuration) || by == string(runs.SortCost)) {
		dir = "desc"
	}
	return v.URL("sort", by, "dir", dir)
}

// Aria is the value of aria-sort of a column.
func (v *runView) Aria(by string) string {
	switch {
	case string(v.Query.Sort) != by:
		return "none"
	case v.Query.Descending:
		return "descending"
	default:
		return "ascending"
	}
}

// Previous and Next are the addresses of the neighbouring pages, Last the number of the
// last case of this one.
func (v *runView) Previous() string {
	switch {
	case v.Skip == 0:
		return ""
	case v.Skip <= casesSize:
		return v.URL("skip", "", "case", "")
	}
	return v.URL("skip", strconv.Itoa(v.Skip-casesSize), "case", "")
}

func (v *runView) Next() string {
	if v.Last() >= v.Total {
		return ""
	}
	return v.URL("skip", strconv.Itoa(v.Skip+casesSize), "case", "")
}

func (v *runView) Last() int { return min(v.Total, v.Skip+casesSize) }

// CaseURL is the address of this page with a case chosen.
func (v *runView) CaseURL(key string) string { return v.URL("case", key) + "#detail" }

// SessionURL is the address of a session.
func (v *runView) SessionURL(id honeyhive.UUID) string { return SessionPath(id.String()) }

// WasURL is the address of the run that this one is compared with.
func (v *runView) WasURL() string { return runURL(v.With.Was.ID) }

// ListURL is the address of the runs of the same name.
func (v *runView) ListURL() string { return addressOf("/runs", url.Values{"name": {v.Name}}, nil) }

// Against says what this run is compared with, for forms: nothing, or a run.
func (v *runView) Against() string {
	if v.With == nil {
		return ""
	}
	return v.With.Was.ID
}

// Hidden are the parameters that the form of the comparison keeps.
func (v *runView) Hidden() []choice {
	var list []choice
	for _, name := range []string{"id", "metric", "sort", "dir", "show"} {
		if text := v.values.Get(name); text != "" {
			list = append(list, choice{name, text})
		}
	}
	return list
}
