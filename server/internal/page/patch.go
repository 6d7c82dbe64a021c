package page

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// A list that is open asks for what has changed, not for itself: for the rows that are
// newer than those it has (changed=SEQ), and for those it shows that have changed
// (row=ID, as often as there are any), wherever they are by now; and more rarely for the
// sums alone (sums=only). Each answer says how long it took, by which the script
// spaces what it asks for: see assets/live.mjs.

// changes answers with the rows of a page of the list that changed after a sequence
// number, and with those that are asked for by their ids, whether or not the filters
// still let them through. A session that is not there any more has no row.
func (p *page) changes(w http.ResponseWriter, r *http.Request, v *listView) error {
	began := time.Now()
	ctx, given := r.Context(), r.URL.Query()
	since, err := strconv.ParseInt(given.Get("changed"), 10, 64)
	if err != nil || since < 0 {
		return badRequest("changed is no number of a change.")
	}
	if v.Wrong() != nil {
		return badRequest("The query is not understood.")
	}
	if len(given["row"]) > pageSize {
		return badRequest("There are more than %d rows on a page.", pageSize)
	}
	asked := make(map[honeyhive.UUID]bool)
	for _, text := range given["row"] {
		id, err := honeyhive.ParseUUID(text)
		if err != nil {
			return badRequest("row is no id of a session.")
		}
		asked[id] = true
	}
	if v.Seq, err = p.Store.Seq(ctx); err != nil {
		return err
	}
	list, err := p.Store.Sessions(ctx, store.SessionQuery{
		Filter: v.filter, Sort: store.Sort(v.Sort), Ascending: v.Ascending, After: v.after, Limit: pageSize,
	})
	if err != nil {
		return err
	}
	for _, row := range list.Sessions {
		if row.Seq > since || asked[row.ID] {
			v.Rows = append(v.Rows, row)
			delete(asked, row.ID)
		}
	}
	for id := range asked {
		s, err := p.Store.Session(ctx, id)
		if err == nil {
			v.Rows = append(v.Rows, s.SessionRow)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if v.hits, err = p.hits(ctx, v.query, v.Rows); err != nil {
		return err
	}
	return p.part(w, "changes", v, began)
}

// sumsAlone answers with the sums of a list.
func (p *page) sumsAlone(w http.ResponseWriter, r *http.Request, v *listView) error {
	began := time.Now()
	if v.Wrong() != nil {
		return badRequest("The query is not understood.")
	}
	sum := p.sum(r.Context(), v.query, true)()
	if sum.err != nil {
		return sum.err
	}
	v.show(sum)
	return p.part(w, "sums", v, began)
}

// show takes sums that are there.
func (v *listView) show(sum summed) {
	v.Summary = &sum.series.Total
	if v.Summary.Count > 0 {
		v.Histogram = newHistogram(v.query, sum.series.Points)
	}
}

// part writes a part of the list.
func (p *page) part(w http.ResponseWriter, name string, v *listView, began time.Time) error {
	v.Took = time.Since(began).Milliseconds()
	var b bytes.Buffer
	if err := p.templates["list.html"].ExecuteTemplate(&b, name, v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := w.Write(b.Bytes())
	return err
}
