package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/read"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/server/internal/runs"
	"github.com/sessionspan/sessionspan/store"
)

// Bounds of a page of runs, and of the cases of one.
const (
	defaultRuns  = 25
	mostRuns     = 100
	defaultCases = 100
	mostCases    = 1000
)

// runJSON is a run as the routes of runs write it. What is not known is left out.
type runJSON struct {
	ID        string   `json:"run_id"`
	Name      string   `json:"run_name,omitempty"`
	Dataset   string   `json:"dataset_id,omitempty"`
	Baseline  string   `json:"baseline_run_id,omitempty"`
	Project   string   `json:"project,omitempty"`
	Source    string   `json:"source,omitempty"`
	Start     *float64 `json:"start_time,omitempty"`
	End       *float64 `json:"end_time,omitempty"`
	Cases     int      `json:"cases"`
	Attempts  int      `json:"attempts"`
	Errors    int      `json:"errors"`
	Running   int      `json:"running"`
	TokensIn  *int64   `json:"prompt_tokens,omitempty"`
	TokensOut *int64   `json:"completion_tokens,omitempty"`
	read.Costs
	P50     *float64     `json:"duration_p50_ms,omitempty"`
	P90     *float64     `json:"duration_p90_ms,omitempty"`
	Metrics []metricJSON `json:"metrics"`
	// Cut says that there are attempts, and MoreMetrics that there are scores, past what is
	// summed up.
	Cut         bool `json:"cut,omitempty"`
	MoreMetrics bool `json:"more_metrics,omitempty"`
	Counting    bool `json:"counting,omitempty"`
}

type metricJSON struct {
	Name     string   `json:"name"`
	Scored   int      `json:"scored"` // attempts
	Cases    int      `json:"cases"`
	Mean     float64  `json:"mean"`
	Worst    float64  `json:"worst"`
	PassRate *float64 `json:"pass_rate,omitempty"`
	Low      *float64 `json:"low,omitempty"`
	High     *float64 `json:"high,omitempty"`
}

func runOf(r *runs.Run, intervals bool) runJSON {
	out := runJSON{
		ID: r.ID, Name: r.Name, Dataset: r.Dataset, Baseline: r.Baseline, Project: r.Project, Source: r.Source, Start: pointer(r.Start), End: pointer(r.End),
		Cases: r.Tried, Attempts: r.Attempts, Errors: r.Errors, Running: r.Running, TokensIn: pointer(r.TokensIn), TokensOut: pointer(r.TokensOut), Costs: read.CostsIn(r.Costs, r.Currency, r.Unpriced),
		Metrics: []metricJSON{}, Cut: r.Cut, MoreMetrics: r.MoreMetrics, Counting: r.Stale,
	}
	if r.Duration.Count > 0 {
		out.P50, out.P90 = &r.Duration.P50, &r.Duration.P90
	}
	for i := range r.Metrics {
		m := &r.Metrics[i]
		j := metricJSON{Name: m.Name, Scored: m.Scored, Cases: m.Cases, Mean: m.Mean, Worst: m.Worst}
		if m.Bool {
			rate := m.PassRate()
			j.PassRate = &rate
		}
		if intervals {
			if low, high, ok := r.Interval(m, runs.Resamples(r.Tried, len(r.Metrics))); ok {
				j.Low, j.High = &low, &high
			}
		}
		out.Metrics = append(out.Metrics, j)
	}
	return out
}

// getRuns answers with a page of runs, those that began last first.
func (a *API) getRuns(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err := count(q, "limit", defaultRuns, 1, mostRuns)
	if err != nil {
		return err
	}
	done, err := a.begin()
	if err != nil {
		return err
	}
	defer done()
	list, next, err := runs.List(r.Context(), a.Store, store.RunQuery{Dataset: q.Get("dataset_id"), Name: q.Get("run_name"), After: q.Get("after"), Limit: limit})
	if err != nil && q.Get("after") != "" && r.Context().Err() == nil && !errors.Is(err, store.ErrClosed) {
		return reject.Errorf(http.StatusBadRequest, "after: %v", err)
	}
	if err != nil {
		return unavailable(r.Context(), err)
	}
	out := struct {
		Runs []runJSON `json:"runs"`
		Next string    `json:"next,omitempty"`
	}{[]runJSON{}, next}
	for _, run := range list {
		out.Runs = append(out.Runs, runOf(run, false))
	}
	return answerJSON(w, out)
}

type differenceJSON struct {
	Name       string   `json:"name"`
	Cases      int      `json:"cases"`
	Now        *float64 `json:"mean,omitempty"`
	Was        *float64 `json:"was,omitempty"`
	Difference *float64 `json:"difference,omitempty"`
	Low        *float64 `json:"low,omitempty"`
	High       *float64 `json:"high,omitempty"`
	Better     int      `json:"better"`
	Worse      int      `json:"worse"`
	Same       int      `json:"same"`
	Verdict    string   `json:"verdict"`
}

// getRun answers with a run, and what it differs by from another one.
func (a *API) getRun(w http.ResponseWriter, r *http.Request) error {
	done, err := a.begin()
	if err != nil {
		return err
	}
	defer done()
	run, c, missing, err := a.open(r)
	if err != nil {
		return err
	}
	out := struct {
		Run         runJSON          `json:"run"`
		Against     *runJSON         `json:"against,omitempty"`
		Missing     string           `json:"missing_run_id,omitempty"`
		Compared    int              `json:"compared_cases"`
		Changed     int              `json:"changed_cases"`
		New         int              `json:"new_cases"`
		Gone        int              `json:"gone_cases"`
		Resamples   int              `json:"resamples,omitempty"`
		Differences []differenceJSON `json:"differences"`
	}{Run: runOf(run, true), Missing: missing, Differences: []differenceJSON{}}
	if c != nil {
		was := runOf(c.Was, true)
		out.Against, out.Compared, out.Changed, out.New, out.Gone, out.Resamples = &was, c.Both, c.Changed, c.OnlyNow, c.OnlyWas, c.Resamples
		for i := range c.Metrics {
			d := &c.Metrics[i]
			j := differenceJSON{Name: d.Name, Cases: d.Cases, Better: d.Better, Worse: d.Worse, Same: d.Same, Verdict: d.Verdict()}
			if d.Cases > 0 {
				j.Now, j.Was, j.Difference = &d.Now, &d.Was, &d.Mean
			}
			if d.Between {
				j.Low, j.High = &d.Low, &d.High
			}
			out.Differences = append(out.Differences, j)
		}
	}
	return answerJSON(w, out)
}

// open reads the run that a request is about, and the one that it is compared with.
func (a *API) open(r *http.Request) (*runs.Run, *runs.Comparison, string, error) {
	q := r.URL.Query()
	var against *string
	if q.Has("against") {
		other := q.Get("against")
		against = &other
	}
	run, c, missing, err := runs.Open(r.Context(), a.Store, q.Get("id"), against)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil, "", reject.Errorf(http.StatusNotFound, "no session has metadata.run_id %.300q", q.Get("id"))
	case err != nil:
		return nil, nil, "", unavailable(r.Context(), err)
	case missing != "" && against != nil:
		return nil, nil, "", reject.Errorf(http.StatusNotFound, "against: no session has metadata.run_id %.300q", missing)
	}
	return run, c, missing, nil
}

type attemptJSON struct {
	Session  string             `json:"session_id"`
	Number   int64              `json:"attempt,omitempty"`
	Status   store.Status       `json:"status"`
	Duration *float64           `json:"duration_ms,omitempty"`
	Scores   map[string]float64 `json:"scores"`
}

type caseJSON struct {
	Datapoint   string             `json:"datapoint_id,omitempty"`
	Name        string             `json:"datapoint_name,omitempty"`
	Scores      map[string]float64 `json:"scores"`
	Attempts    []attemptJSON      `json:"attempts"`
	Differences map[string]float64 `json:"differences,omitempty"`
	Against     []attemptJSON      `json:"against,omitempty"`
	Changed     bool               `json:"changed,omitempty"`
}

// getCases answers with a page of the cases of a run.
func (a *API) getCases(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit, err1 := count(q, "limit", defaultCases, 1, mostCases)
	skip, err2 := count(q, "skip", 0, 0, runs.MostAttempts)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	asked := runs.Query{Metric: q.Get("metric"), Sort: runs.Sort(q.Get("sort")), Descending: q.Get("dir") == "desc", Show: runs.Show(q.Get("show"))}
	if asked.Sort == "" {
		asked.Sort = runs.SortCase
	}
	switch {
	case !slices.Contains(runs.Sorts, asked.Sort):
		return reject.Errorf(http.StatusBadRequest, "sort: is none of %q", runs.Sorts)
	case !slices.Contains(runs.Shows, asked.Show):
		return reject.Errorf(http.StatusBadRequest, "show: is none of %q", runs.Shows)
	}
	done, err := a.begin()
	if err != nil {
		return err
	}
	defer done()
	run, c, _, err := a.open(r)
	if err != nil {
		return err
	}
	list := runs.Select(run, c, asked)
	out := struct {
		Cases []caseJSON `json:"cases"`
		Total int        `json:"total"`
	}{[]caseJSON{}, len(list)}
	for _, k := range list[min(skip, len(list)):min(skip+limit, len(list))] {
		out.Cases = append(out.Cases, caseOf(run, c, k))
	}
	return answerJSON(w, out)
}

func caseOf(run *runs.Run, c *runs.Comparison, k *runs.Case) caseJSON {
	out := caseJSON{Datapoint: k.Datapoint, Name: k.Name, Scores: make(map[string]float64), Attempts: attemptsOf(run, k)}
	for i := range run.Metrics {
		if v, ok := k.Score(&run.Metrics[i]); ok {
			out.Scores[run.Metrics[i].Name] = v
		}
	}
	if c == nil {
		return out
	}
	if before := c.Was.Case(k.Key); before != nil {
		out.Against, out.Changed = attemptsOf(c.Was, before), before.Sum != k.Sum
	}
	for i := range c.Metrics {
		if _, _, by, ok := c.Scores(k, c.Metrics[i].Name); ok {
			if out.Differences == nil {
				out.Differences = make(map[string]float64)
			}
			out.Differences[c.Metrics[i].Name] = by
		}
	}
	return out
}

func attemptsOf(run *runs.Run, k *runs.Case) []attemptJSON {
	list := make([]attemptJSON, 0, len(k.Attempts))
	for i := range k.Attempts {
		try := &k.Attempts[i]
		j := attemptJSON{Session: try.Session.String(), Number: try.Number, Status: try.Status, Duration: pointer(try.Duration), Scores: make(map[string]float64)}
		for m := range run.Metrics {
			if v, ok := try.Score(&run.Metrics[m]); ok {
				j.Scores[run.Metrics[m].Name] = v
			}
		}
		list = append(list, j)
	}
	return list
}

// pointer returns what JSON leaves out where it is not known.
func pointer[T any](v honeyhive.Optional[T]) *T {
	if n, ok := v.Get(); ok {
		return &n
	}
	return nil
}

// count reads a parameter that is a number within bounds.
func count(q url.Values, name string, otherwise, least, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, reject.Errorf(http.StatusBadRequest, "%s: is no number from %d to %d", name, least, most)
	}
	return n, nil
}

func answerJSON(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, jsonType, b)
	return nil
}
