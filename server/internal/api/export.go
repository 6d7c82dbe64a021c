package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/bodies"
	"github.com/sessionspan/sessionspan/server/internal/read"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// exportQuery asks for events, sessions among them, that pass all filters.
type exportQuery struct {
	Project   string        `json:"project"`
	Filters   []eventFilter `json:"filters"`
	DateRange struct {
		From string `json:"$gte"`
		To   string `json:"$lte"`
	} `json:"dateRange"`
	Projections []string `json:"projections"`
	Limit       float64  `json:"limit"`
	Page        float64  `json:"page"`

	from, to time.Time
}

// eventFilter compares the field at a dotted path, such as metadata.cost.
type eventFilter struct {
	Field    string          `json:"field"`
	Value    json.RawMessage `json:"value"`
	Operator string          `json:"operator"`
}

// Bounds of a page of events, those of the public API.
const (
	defaultEvents = 1000
	maxEvents     = 7500
)

// query is export for a query in the address, whose parameters are JSON.
func (a *API) query(w http.ResponseWriter, r *http.Request) error {
	var o honeyhive.Object
	for _, name := range []string{"project", "filters", "dateRange", "projections", "limit", "page"} {
		text := r.URL.Query().Get(name)
		switch parsed, err := honeyhive.ParseValue(text); {
		case text == "":
		case name == "project":
			o, _ = o.With(name, text)
		case err != nil:
			return reject.Errorf(http.StatusBadRequest, "%s: %v", name, err)
		default:
			o, _ = o.With(name, json.RawMessage(parsed))
		}
	}
	return a.export(w, r, honeyhive.EmptyObject().Merge(o).JSONText())
}

// export answers with a page of events, newest sessions first.
func (a *API) export(w http.ResponseWriter, r *http.Request, body string) error {
	q, err := readExport(body)
	if err != nil {
		return err
	}
	done, err := a.begin()
	if err != nil {
		return err
	}
	defer done()
	out := stream{w: w}
	out.write(`{"events":[`)
	total, first := 0, int(q.Limit)*(int(q.Page)-1)
	err = a.eachEvent(r.Context(), q, func(e *honeyhive.Event) error {
		text := honeyhive.Value(node(e))
		if !q.matches(text) {
			return nil
		}
		if total >= first && total < first+int(q.Limit) {
			if total > first {
				out.write(",")
			}
			out.write(q.project(text))
		}
		total++
		return out.err
	})
	if err != nil {
		return out.failed(err)
	}
	out.write(`],"totalEvents":` + strconv.Itoa(total) + "}")
	return out.end()
}

// Bounds of a query: its length in bytes, its filters, its projections.
const (
	maxQuery       = 64 << 10
	maxFilters     = 50
	maxProjections = 100
)

func readExport(body string) (*exportQuery, error) {
	if len(body) > maxQuery {
		return nil, reject.Errorf(http.StatusRequestEntityTooLarge, "the query is larger than %d KiB", maxQuery>>10)
	}
	q := &exportQuery{Limit: defaultEvents, Page: 1}
	if err := json.Unmarshal([]byte(body), q); err != nil {
		return nil, reject.Errorf(http.StatusBadRequest, "read the query: %v", err)
	}
	return q, q.check()
}

func (q *exportQuery) check() error {
	if !(q.Limit >= 1 && q.Limit <= maxEvents) {
		return reject.Errorf(http.StatusBadRequest, "limit: is not from 1 to %d", maxEvents)
	}
	if !(q.Page >= 1 && q.Page <= 1e6) {
		return reject.Errorf(http.StatusBadRequest, "page: is not at least 1")
	}
	if len(q.Filters) > maxFilters {
		return reject.Errorf(http.StatusBadRequest, "filters: there are more than %d", maxFilters)
	}
	if len(q.Projections) > maxProjections {
		return reject.Errorf(http.StatusBadRequest, "projections: there are more than %d", maxProjections)
	}
	for _, f := range q.Filters {
		switch f.Operator {
		case "is", "is not", "contains", "not contains", "greater than", "less than":
		default:
			return reject.Errorf(http.StatusBadRequest, "filters: the operator %.64q is not known", f.Operator)
		}
	}
	var err error
	if q.from, err = date("$gte", q.DateRange.From); err == nil {
		q.to, err = date("$lte", q.DateRange.To)
	}
	return err
}

func date(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, reject.Errorf(http.StatusBadRequest, "dateRange: %s: %.64q is no time such as 2024-04-01T22:38:19.000Z", field, text)
	}
	return t, nil
}

// eachEvent visits the sessions that the query is about, each with its events.
func (a *API) eachEvent(ctx context.Context, q *exportQuery, visit func(*honeyhive.Event) error) error {
	for _, f := range q.Filters {
		id, err := honeyhive.ParseUUID(textOf(f.Value))
		if f.Field == "session_id" && f.Operator == "is" && err == nil {
			return a.eventsOf(ctx, id, visit)
		}
	}
	page := store.SessionQuery{Filter: store.Filter{Project: q.Project, From: q.from, To: q.to}}
	for {
		found, err := a.Store.Sessions(ctx, page)
		if err != nil {
			return unavailable(ctx, err)
		}
		for i := range found.Sessions {
			if err := a.eventsOf(ctx, found.Sessions[i].ID, visit); err != nil {
				return err
			}
		}
		if page.After = found.Next; page.After == "" {
			return nil
		}
	}
}

func (a *API) eventsOf(ctx context.Context, id honeyhive.UUID, visit func(*honeyhive.Event) error) error {
	s, err := a.Store.Session(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return unavailable(ctx, err)
	}
	if s.Status != store.StatusOrphan {
		e := sessionEvent(&s)
		if err := visit(&e); err != nil {
			return err
		}
	}
	for e, err := range bodies.Of(ctx, a.Store, id) {
		if err != nil {
			return unavailable(ctx, err)
		}
		if err := visit(&e.Payload); err != nil {
			return err
		}
	}
	return nil
}

// matches reports whether an event passes all filters.
func (q *exportQuery) matches(event honeyhive.Value) bool {
	for i := range q.Filters {
		if !q.Filters[i].matches(event) {
			return false
		}
	}
	return true
}

func (f *eventFilter) matches(event honeyhive.Value) bool {
	value, ok := read.At(event, f.Field)
	have, want := "", textOf(f.Value)
	if ok {
		have = value.Text()
	}
	switch f.Operator {
	case "is":
		return ok && have == want
	case "is not":
		return !ok || have != want
	case "contains":
		return ok && strings.Contains(have, want)
	case "not contains":
		return !ok || !strings.Contains(have, want)
	}
	x, err1 := strconv.ParseFloat(have, 64)
	y, err2 := strconv.ParseFloat(want, 64)
	if !ok || err1 != nil || err2 != nil {
		return false
	}
	if f.Operator == "less than" {
		return x < y
	}
	return x > y
}

// textOf returns a value as text: a string as it is, anything else as JSON.
func textOf(value json.RawMessage) string {
	text, err := honeyhive.ParseValue(value)
	if err != nil {
		return ""
	}
	return text.Text()
}

// project leaves the fields that the query names, or all where it names none.
func (q *exportQuery) project(event honeyhive.Value) string {
	if len(q.Projections) == 0 {
		return string(event)
	}
	var o honeyhive.Object
	for _, field := range q.Projections {
		if value, ok := event.Get(field); ok {
			o, _ = o.With(field, json.RawMessage(value))
		}
	}
	if o.IsZero() {
		return "{}"
	}
	return o.JSONText()
}
