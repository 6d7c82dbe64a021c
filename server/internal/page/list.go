package page

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// pageSize is how many sessions a page of the list has.
const pageSize = 100

// listView is what the list shows.
type listView struct {
	base
	*query
	listOrder
	First bool // the first page
	Rows  []store.SessionRow
	hits  map[honeyhive.UUID]store.Hit
	// Unindexed is how many records the query does not see yet.
	Unindexed int64
	Next      string // address of the next page
	// Summary and Histogram are of all sessions that the filters let through.
	// Where these are so many that the list would wait for them, Late is the
	// address that does wait.
	Summary   *store.Summary
	Histogram *histogram
	Late      string
	Took      int64 // milliseconds, of a part of the list that a script asks for
	// Empty is set where the store holds no session.
	Empty *emptyView

	Spans, Statuses, Feedbacks, Sorts []choice
}

// listOrder is what the address of a list asks for beside the filter.
type listOrder struct {
	Sort      string
	Ascending bool
	Paused    bool
	after     string // the key of the page
	back      string // the query of the address, as it is understood
}

// parseList reads the address of a list.
func parseList(r *http.Request, now time.Time) (*query, listOrder) {
	q := parseFilter(r, now)
	given := r.URL.Query()
	var o listOrder
	o.Sort = cmp.Or(q.choice(given, "sort", sorts), string(store.SortStart))
	o.Ascending = q.choice(given, "dir", []choice{{"asc", ""}, {"desc", ""}}) == "asc"
	o.Paused = q.choice(given, "paused", []choice{{"1", ""}}) == "1"
	o.after = given.Get("after")
	_, o.back, _ = strings.Cut(q.At("/", "after", o.after), "?")
	return q, o
}

// listQuery returns the query of a list without what is not understood of it. It
// stands in each link of a page, so a very long one is left out.
func (p *page) listQuery(text string) string {
	if len(text) > 2000 {
		return ""
	}
	_, o := p.parseQuery(text)
	return o.back
}

// parseQuery reads the query of a list that stands in another address.
func (p *page) parseQuery(text string) (*query, listOrder) {
	return parseList(&http.Request{URL: &url.URL{Path: "/", RawQuery: text}}, p.Now())
}

// emptyView is what is shown while there is nothing to show.
type emptyView struct {
	Program  string // the first one, in Go
	Address  string
	GRPC     string
	Token    bool
	Count    int64 // of rejected requests
	Rejected reject.Rejection
	Logs     int64 // records that are not kept
	Metrics  int64 // requests
}

// Clear is the address without filters.
func (v *listView) Clear() string { return "/" }

// OpenURL is the address of a session, from which this list is found again.
func (v *listView) OpenURL(id string) string { return sessionURL(id, "back", v.back) }

// ExportURL is the address of a file of all sessions that match.
func (v *listView) ExportURL(format string) string {
	return v.At("/api/export."+format, "sort", v.Get("sort"), "dir", v.Get("dir"), "paused", "")
}

// Back is the query of this list.
func (v *listView) Back() string { return v.back }

// ReturnURL is the address of this list.
func (v *listView) ReturnURL() string { return listURL(v.back) }

// QueueURL leads through the sessions of this list that nobody has rated.
func (v *listView) QueueURL() string {
	return v.At("/queue")
}

// Columns are the heads of the list that sort it.
func (v *listView) SortURL(by string) string {
	dir := ""
	if v.Sort == by && !v.Ascending {
		dir = "asc"
	}
	return v.URL("sort", by, "dir", dir)
}

// Aria is the value of aria-sort of a column.
func (v *listView) Aria(by string) string {
	switch {
	case v.Sort != by:
		return "none"
	case v.Ascending:
		return "ascending"
	default:
		return "descending"
	}
}

func (p *page) list(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), queryTime)
	defer cancel()
	q, order := parseList(r, p.Now())
	v := &listView{
		base: p.base(r, "Sessions"), query: q, listOrder: order,
		Spans: spans, Statuses: statuses, Feedbacks: feedbacks, Sorts: sorts,
	}
	v.Nav = "sessions"
	after := v.after
	v.First = after == ""
	if given := r.URL.Query(); given.Has("changed") {
		return p.changes(w, r.WithContext(ctx), v)
	} else if given.Get("sums") == "only" {
		return p.sumsAlone(w, r.WithContext(ctx), v)
	}

	var err error
	if v.Seq, err = p.Store.Seq(ctx); err != nil {
		return err
	}
	wait := r.URL.Query().Get("sums") == "wait"
	if v.Wrong() != nil { // of an empty store all is shown that helps to fill it
		return p.notAsked(w, r, v)
	}
	sums := p.sum(ctx, q, wait)
	page, err := p.Store.Sessions(ctx, store.SessionQuery{
		Filter: q.filter, Sort: store.Sort(v.Sort), Ascending: v.Ascending, After: after, Limit: pageSize,
	})
	sum := sums()
	if err != nil && after != "" && ctx.Err() == nil {
		return badRequest("The key of the page (%s) is none of this list: %s", line(after, 80), line(err.Error(), 200))
	}
	if err != nil {
		return err
	}
	if sum.err != nil {
		return sum.err
	}
	if len(page.Sessions) == 0 {
		info, err := p.Store.Info(ctx)
		if err != nil {
			return err
		}
		if info.Sessions == 0 {
			v.Empty = p.empty(r)
			return p.render(w, http.StatusOK, "list.html", v)
		}
	}
	if sum.late {
		v.Late = q.URL("sums", "wait", "sort", q.Get("sort"), "dir", q.Get("dir"), "after", after)
	} else {
		v.show(sum)
	}
	v.Rows, v.Unindexed = page.Sessions, page.Unindexed
	if v.hits, err = p.hits(ctx, q, v.Rows); err != nil {
		return err
	}
	if page.Next != "" {
		v.Next = q.URL("after", page.Next)
	}
	return p.render(w, http.StatusOK, "list.html", v)
}

// notAsked shows a list whose query is not understood: it has no rows.
func (p *page) notAsked(w http.ResponseWriter, r *http.Request, v *listView) error {
	info, err := p.Store.Info(r.Context())
	if err != nil {
		return err
	}
	if info.Sessions == 0 {
		v.Empty = p.empty(r)
	}
	return p.render(w, http.StatusOK, "list.html", v)
}

// bars is how many bars the histogram of the list has.
const bars = 72

// sumsWait is how long the list waits for its sums once it has its rows.
const sumsWait = 40 * time.Millisecond

// summed is what the sums of a list came to.
type summed struct {
	series store.Series
	err    error
	late   bool
}

// sum begins to sum up the sessions that the filters let through. What it
// returns waits for the result, and must be called.
func (p *page) sum(ctx context.Context, q *query, patient bool) func() summed {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan summed, 1)
	go func() {
		list, err := p.Store.Aggregate(ctx, q.filter, store.Grouping{Buckets: bars})
		result := summed{err: err}
		if len(list) > 0 {
			result.series = list[0]
		}
		done <- result
	}()
	return func() summed {
		defer cancel()
		if patient {
			return <-done
		}
		enough := time.NewTimer(p.sumsWait)
		defer enough.Stop()
		select {
		case result := <-done:
			return result
		case <-enough.C:
		}
		cancel()
		if result := <-done; result.err == nil {
			return result
		}
		return summed{late: true}
	}
}

func (p *page) empty(r *http.Request) *emptyView {
	v := &emptyView{Program: quickstart, Address: p.address(r), GRPC: p.GRPC, Token: p.Token}
	if caller.From(r.Context()).Project != "" {
		return v // what others have sent is theirs
	}
	if p.Rejected != nil {
		v.Rejected, v.Count = p.Rejected.Last()
	}
	if p.Unused != nil {
		v.Logs, v.Metrics = p.Unused.Logs(), p.Unused.Metrics()
	}
	return v
}

// facets answers which values there are to filter by, as a JSON list.
func (p *page) facets(w http.ResponseWriter, r *http.Request) error {
	by := store.By(r.URL.Query().Get("by"))
	switch by {
	case store.ByProject, store.BySource, store.ByUser, store.ByModel:
	default:
		return badRequest("by is none of project, source, user and model.")
	}
	series, err := p.Store.Aggregate(r.Context(), store.Filter{}, store.Grouping{By: by, Limit: 50})
	if err != nil {
		return err
	}
	keys := make([]string, 0, len(series))
	for _, s := range series {
		if strings.TrimSpace(s.Key) != "" && len(s.Key) <= 200 {
			keys = append(keys, s.Key)
		}
	}
	return writeJSON(w, keys)
}

func writeJSON(w http.ResponseWriter, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(data)
	return err
}
