package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/server/internal/read"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/query"
)

// filters choose sessions, by the parameters of the page's list.
type filters struct {
	Query    string  `json:"query,omitempty" jsonschema:"what sessions are asked for, as the page has it: words, and fields such as status:error model:gpt-4.1 metadata.release:v1.8 duration>2s; -part for not, (a OR b), event(name:search error:*) for one event; docs/query.md has all"`
	Q        string  `json:"q,omitempty" jsonschema:"words to look for in names, errors and contents; a phrase in double quotes"`
	Project  string  `json:"project,omitempty" jsonschema:"name of the project"`
	Source   string  `json:"source,omitempty" jsonschema:"name of the source, such as production"`
	User     string  `json:"user,omitempty" jsonschema:"id of the user"`
	Model    string  `json:"model,omitempty" jsonschema:"a model that was called"`
	Status   string  `json:"status,omitempty" jsonschema:"ok, error, running, incomplete or orphan"`
	Feedback string  `json:"feedback,omitempty" jsonschema:"any, none, up or down"`
	Since    string  `json:"since,omitempty" jsonschema:"how long ago at most: 15m, 1h, 24h, 168h or 720h"`
	From     string  `json:"from,omitempty" jsonschema:"started at this time or later: RFC 3339"`
	To       string  `json:"to,omitempty" jsonschema:"started before this time: RFC 3339"`
	MinMS    float64 `json:"min_ms,omitempty" jsonschema:"lasted at least so many milliseconds"`
	MaxMS    float64 `json:"max_ms,omitempty" jsonschema:"lasted at most so many milliseconds"`
	MinCost  float64 `json:"min_cost,omitempty" jsonschema:"cost at least so much"`
	MaxCost  float64 `json:"max_cost,omitempty" jsonschema:"cost at most so much"`
}

func (f *filters) values() url.Values {
	v := make(url.Values)
	for name, text := range map[string]string{
		"query": f.Query, "q": f.Q, "project": f.Project, "source": f.Source, "user": f.User, "model": f.Model, "status": f.Status, "feedback": f.Feedback,
		"since": f.Since, "from": f.From, "to": f.To,
	} {
		if text != "" {
			v.Set(name, text)
		}
	}
	for name, n := range map[string]float64{"min_ms": f.MinMS, "max_ms": f.MaxMS, "min_cost": f.MinCost, "max_cost": f.MaxCost} {
		if n != 0 {
			v.Set(name, strconv.FormatFloat(n, 'g', -1, 64))
		}
	}
	return v
}

func bounded(n, otherwise, most int) int {
	if n <= 0 {
		return otherwise
	}
	return min(n, most)
}

type searchInput struct {
	filters
	Sort      string `json:"sort,omitempty" jsonschema:"start (the default), change, duration, tokens, cost, errors or name"`
	Ascending bool   `json:"ascending,omitempty" jsonschema:"the least first"`
	Limit     int    `json:"limit,omitempty" jsonschema:"how many, 20 by default and 100 at most"`
	After     string `json:"after,omitempty" jsonschema:"next of the answer before"`
}

type sessionList struct {
	Sessions []read.Session `json:"sessions"`
	Next     string         `json:"next,omitempty"`
}

func (t *tools) search(ctx context.Context, in searchInput) (any, error) {
	v := in.values()
	v.Set("sort", cmp.Or(in.Sort, string(store.SortStart)))
	if in.Ascending {
		v.Set("dir", "asc")
	}
	q, err := t.Query(v)
	if err != nil {
		return nil, err
	}
	q.After, q.Limit = in.After, bounded(in.Limit, 20, 100)
	page, err := t.Store.Sessions(ctx, q)
	if err != nil {
		return nil, err
	}
	out := sessionList{Sessions: make([]read.Session, 0, len(page.Sessions)), Next: page.Next}
	for i := range page.Sessions {
		out.Sessions = append(out.Sessions, read.SessionOf(&page.Sessions[i]))
	}
	if n := fit(out.Sessions); n < len(out.Sessions) {
		q.Limit = n
		if page, err = t.Store.Sessions(ctx, q); err != nil { // the key of a page is that of its last row
			return nil, err
		}
		out = sessionList{Sessions: out.Sessions[:n], Next: page.Next}
	}
	return out, nil
}

type sessionInput struct {
	Session string `json:"session_id" jsonschema:"id of the session"`
	Offset  int    `json:"offset,omitempty" jsonschema:"how many events to pass over: next_offset of the answer before"`
	Limit   int    `json:"limit,omitempty" jsonschema:"how many events, 50 by default and 200 at most"`
}

func (t *tools) readSession(ctx context.Context, in sessionInput) (any, error) {
	id, err := parseID("session_id", in.Session)
	if err != nil {
		return nil, err
	}
	s, err := t.Store.Session(ctx, id)
	if err != nil {
		return nil, missing("session", id.String(), err)
	}
	offset := max(in.Offset, 0)
	nodes, total, err := read.Tree(ctx, t.Store, id, offset, bounded(in.Limit, 50, 200))
	if err != nil {
		return nil, err
	}
	out := struct {
		Session read.Session `json:"session"`
		Events  []read.Event `json:"events"`
		Total   int          `json:"total_events"`
		Next    int          `json:"next_offset,omitempty"`
	}{Session: read.SessionOf(&s.SessionRow), Events: make([]read.Event, 0, len(nodes)), Total: total}
	for i := range nodes {
		out.Events = append(out.Events, read.EventOf(&nodes[i]))
	}
	out.Events = out.Events[:fit(out.Events)]
	if end := offset + len(out.Events); end < total {
		out.Next = end
	}
	return out, nil
}

func missing(what, id string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("no %s has the id %s", what, id)
	}
	return err
}

type bodyInput struct {
	ID     string `json:"id" jsonschema:"id of the event or the session"`
	Part   string `json:"part,omitempty" jsonschema:"which part, such as outputs or inputs.chat_history.0.content; all of it when empty"`
	Offset int    `json:"offset,omitempty" jsonschema:"the byte to begin at: next of the answer before"`
	Limit  int    `json:"limit,omitempty" jsonschema:"how many bytes, 8192 by default and 32768 at most"`
}

func (t *tools) readBody(ctx context.Context, in bodyInput) (any, error) {
	id, err := parseID("id", in.ID)
	if err != nil {
		return nil, err
	}
	text, isJSON, err := read.Body(ctx, t.Store, id, in.Part)
	if err != nil {
		return nil, missing("event or session", id.String(), err)
	}
	p := read.Cut(text, in.Offset, bounded(in.Limit, 8<<10, 32<<10))
	p.JSON = isJSON
	return p, nil
}

type compareInput struct {
	A      string `json:"a" jsonschema:"id of one session"`
	B      string `json:"b" jsonschema:"id of the other session"`
	Offset int    `json:"offset,omitempty" jsonschema:"how many pairs to pass over: next_offset of the answer before"`
	Limit  int    `json:"limit,omitempty" jsonschema:"how many pairs, 20 by default and 100 at most"`
}

func (t *tools) compare(ctx context.Context, in compareInput) (any, error) {
	a, err := parseID("a", in.A)
	if err != nil {
		return nil, err
	}
	b, err := parseID("b", in.B)
	if err != nil {
		return nil, err
	}
	c, err := read.Compare(ctx, t.Store, a, b, in.Offset, bounded(in.Limit, 20, 100))
	if err != nil {
		return nil, missing("session", in.A+" or "+in.B, err)
	}
	if n := fit(c.Pairs); n < len(c.Pairs) {
		c.Pairs, c.Next = c.Pairs[:n], min(max(in.Offset, 0), c.Total)+n
	}
	return c, nil
}

type errorsInput struct {
	filters
	Limit int    `json:"limit,omitempty" jsonschema:"how many sessions, 20 by default and 50 at most"`
	After string `json:"after,omitempty" jsonschema:"next of the answer before"`
}

// failed is a session with what failed in it.
type failed struct {
	ID     string       `json:"session_id"`
	Name   string       `json:"session_name"`
	Start  *float64     `json:"start_time,omitempty"`
	Error  string       `json:"error,omitempty"`
	Errors int64        `json:"num_errors"`
	Events []read.Event `json:"events,omitempty"` // the first that failed
}

type errorList struct {
	Sessions []failed     `json:"sessions"`
	Kinds    []errorCount `json:"most_frequent"` // in these sessions
	Next     string       `json:"next,omitempty"`
}

type errorCount struct {
	Error string `json:"error"`
	Count int    `json:"count"`
}

// Bounds of what is told of a session with errors.
const (
	mostFailed = 3    // events that are shown
	mostEvents = 5000 // events that are looked at
)

// failing are the sessions that failed or in which events did.
var failing = must(query.Parse("status:error OR errors>0"))

func must(q *query.Query, err error) *query.Query {
	if err != nil {
		panic(err) // the text is a constant
	}
	return q
}

func (t *tools) errors(ctx context.Context, in errorsInput) (any, error) {
	q, err := t.Query(in.values())
	if err != nil {
		return nil, err
	}
	q.Query = query.All(q.Query, failing)
	q.Sort, q.After, q.Limit = store.SortStart, in.After, bounded(in.Limit, 20, 50)
	out := errorList{Sessions: []failed{}, Kinds: []errorCount{}}
	page, err := t.Store.Sessions(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range page.Sessions {
		f, err := t.failed(ctx, &page.Sessions[i])
		if err != nil {
			return nil, err
		}
		out.Sessions = append(out.Sessions, f)
	}
	if n := fit(out.Sessions); n < len(out.Sessions) {
		out.Sessions = out.Sessions[:n]
		q.Limit = n
		if page, err = t.Store.Sessions(ctx, q); err != nil { // the key of a page is that of its last row
			return nil, err
		}
	}
	out.Next = page.Next
	kinds := make(map[string]int)
	for i := range out.Sessions {
		f := &out.Sessions[i]
		if f.Error != "" {
			kinds[f.Error]++
		}
		for _, e := range f.Events {
			kinds[e.Error]++
		}
	}
	for text, n := range kinds {
		out.Kinds = append(out.Kinds, errorCount{text, n})
	}
	slices.SortFunc(out.Kinds, func(a, b errorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Error, b.Error))
	})
	out.Kinds = out.Kinds[:min(len(out.Kinds), 10)]
	return out, nil
}

// failed returns what failed in a session.
func (t *tools) failed(ctx context.Context, row *store.SessionRow) (failed, error) {
	s := read.SessionOf(row)
	f := failed{ID: s.ID, Name: s.Name, Start: s.Start, Error: read.Beginning(s.Error, 300), Errors: s.Errors}
	if row.Errors == 0 {
		return f, nil
	}
	for e, err := range t.Store.Events(ctx, row.ID, store.EventQuery{Limit: mostEvents}) {
		if err != nil {
			return f, err
		}
		if e.Error == "" {
			continue
		}
		event := read.EventOf(&read.Node{EventRow: e})
		event.Error = read.Beginning(event.Error, 300)
		if f.Events = append(f.Events, event); len(f.Events) == mostFailed {
			break
		}
	}
	return f, nil
}

type insightsInput struct {
	filters
	By    string `json:"by,omitempty" jsonschema:"project, source, user, status, feedback; or of events: model, event (their names), kind, error (their kinds), prompt; or field:NAME, such as field:metadata.region; one sum of all when empty"`
	Limit int    `json:"limit,omitempty" jsonschema:"how many groups, those that count most first: 20 by default and 100 at most"`
}

func (t *tools) insights(ctx context.Context, in insightsInput) (any, error) {
	q, err := t.Query(in.values())
	if err != nil {
		return nil, err
	}
	by := store.By(in.By)
	if name, ok := strings.CutPrefix(in.By, "field:"); ok {
		by = store.ByField(name)
	}
	series, err := t.Store.Aggregate(ctx, q.Filter, store.Grouping{By: by, Limit: bounded(in.Limit, 20, 100)})
	if err != nil {
		return nil, err
	}
	out := struct {
		By     string         `json:"by,omitempty"`
		Groups []read.Summary `json:"groups"`
	}{in.By, make([]read.Summary, 0, len(series))}
	for i := range series {
		out.Groups = append(out.Groups, read.SummaryOf(&series[i]))
	}
	out.Groups = out.Groups[:fit(out.Groups)]
	return out, nil
}
