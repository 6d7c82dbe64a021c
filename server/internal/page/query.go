package page

import (
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// query is what the address of a list asks for.
type query struct {
	path     string
	values   url.Values // only what is understood
	filter   store.Filter
	problems []string // what is not
	asked    asking   // the filter as one query
}

// spans are the choices of the parameter since.
var spans = []choice{
	{"15m", "last 15 minutes"}, {"1h", "last hour"}, {"24h", "last 24 hours"}, {"168h", "last 7 days"}, {"720h", "last 30 days"},
}

// choice is one of the values that a parameter may have.
type choice struct{ Value, Label string }

var statuses = []choice{
	{string(store.StatusOK), "ok"}, {string(store.StatusError), "error"}, {string(store.StatusRunning), "running"},
	{string(store.StatusIncomplete), "incomplete"}, {string(store.StatusOrphan), "orphan"},
}

var feedbacks = []choice{{"any", "with feedback"}, {"none", "without feedback"}, {"up", "rated up"}, {"down", "rated down"}}

// sorts are the orders of the list.
var sorts = []choice{
	{string(store.SortStart), "start"}, {string(store.SortChange), "last change"}, {string(store.SortDuration), "duration"},
	{string(store.SortTokens), "tokens"}, {string(store.SortCost), "cost"}, {string(store.SortErrors), "errors"}, {string(store.SortName), "name"},
}

func (c choice) is(v string) bool { return c.Value == v }

// maxText bounds a text to look for: each of the many links of a list repeats it.
const maxText = 2 << 10

// parseFilter reads the parameters that choose sessions.
func parseFilter(r *http.Request, now time.Time) *query {
	q := &query{path: r.URL.Path, values: make(url.Values)}
	given := r.URL.Query()
	text := func(name string, field *string) {
		switch v := strings.TrimSpace(given.Get(name)); {
		case v == "":
		case len(v) > maxText:
			q.problem(name, "is longer than 2 KiB")
		default:
			q.values.Set(name, v)
			*field = v
		}
	}
	f := &q.filter
	text("q", &f.Text)
	text("project", &f.Project)
	text("source", &f.Source)
	text("user", &f.User)
	text("model", &f.Model)
	if v := q.choice(given, "status", statuses); v != "" {
		f.Status = store.Status(v)
	}
	f.MinDuration = time.Duration(q.number(given, "min_ms", 1e12).Or(0) * float64(time.Millisecond))
	f.MaxDuration = time.Duration(q.number(given, "max_ms", 1e12).Or(0) * float64(time.Millisecond))
	f.MinCost = q.number(given, "min_cost", math.MaxFloat64)
	f.MaxCost = q.number(given, "max_cost", math.MaxFloat64)
	switch q.choice(given, "feedback", feedbacks) {
	case "any":
		f.Feedback = honeyhive.Some(true)
	case "none":
		f.Feedback = honeyhive.Some(false)
	case "up":
		f.MinRating = honeyhive.Some(math.SmallestNonzeroFloat64)
	case "down":
		f.MaxRating = honeyhive.Some(-math.SmallestNonzeroFloat64)
	}
	q.times(given, now)
	q.ask(given, now)
	return q
}

// times reads the range of time. since gives way to from and to.
func (q *query) times(given url.Values, now time.Time) {
	q.filter.From = q.time(given, "from")
	q.filter.To = q.time(given, "to")
	if !q.filter.From.IsZero() || !q.filter.To.IsZero() {
		return
	}
	if v := q.choice(given, "since", spans); v != "" {
		d, _ := time.ParseDuration(v) // one of our own
		q.filter.From = now.Add(-d)
	}
}

func (q *query) problem(name, what string) {
	q.problems = append(q.problems, name+" "+what+", and is left out")
}

func (q *query) choice(given url.Values, name string, list []choice) string {
	v := given.Get(name)
	if v == "" {
		return ""
	}
	if !slices.ContainsFunc(list, func(c choice) bool { return c.is(v) }) {
		q.problem(name, "is none of the choices")
		return ""
	}
	q.values.Set(name, v)
	return v
}

func (q *query) number(given url.Values, name string, most float64) honeyhive.Optional[float64] {
	v := strings.TrimSpace(given.Get(name))
	if v == "" {
		return honeyhive.Optional[float64]{}
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > most {
		q.problem(name, "is no number of its kind")
		return honeyhive.Optional[float64]{}
	}
	q.values.Set(name, v)
	return honeyhive.Some(n)
}

// timeForms are those of <input type=datetime-local>, and of addresses.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999", "2006-01-02T15:04", time.DateOnly}

func (q *query) time(given url.Values, name string) time.Time {
	v := strings.TrimSpace(given.Get(name))
	if v == "" {
		return time.Time{}
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, v); err == nil {
			t = t.UTC()
			q.values.Set(name, t.Format("2006-01-02T15:04:05.999"))
			return t
		}
	}
	q.problem(name, "is no time such as 2006-01-02T15:04")
	return time.Time{}
}

// Path is where the form of the filters leads.
func (q *query) Path() string { return q.path }

// Get returns a parameter for a form.
func (q *query) Get(name string) string { return q.values.Get(name) }

// Problems are parameters that were left out.
func (q *query) Problems() []string { return q.problems }

// Filtered reports whether anything limits the list.
func (q *query) Filtered() bool {
	for name := range q.values {
		if !slices.Contains([]string{"sort", "dir", "paused", "axis"}, name) {
			return true
		}
	}
	return false
}

// URL returns the address with other values of some parameters; an empty value
// removes one. A page behind a key is that of one list alone, so any other
// change leads to the first page.
func (q *query) URL(pairs ...string) string {
	return q.At(q.path, pairs...)
}

// At is URL for another path that takes the same filter.
func (q *query) At(path string, pairs ...string) string {
	values := make(url.Values, len(q.values))
	maps.Copy(values, q.values)
	values.Del("after")
	q.asked.give(values, pairs)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			values.Del(pairs[i])
		} else {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// Between is URL for a range of time.
func (q *query) Between(from, to time.Time) string {
	const form = "2006-01-02T15:04:05.999"
	return q.URL("since", "", "from", from.UTC().Format(form), "to", to.UTC().Format(form))
}
