package page

import (
	"context"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// hitView is what of a session a query found.
type hitView struct {
	Where string // which field of which event
	Parts []hitPart
	URL   string // of the session, with the event
}

// hitPart is a part of a text; Mark is set where it is what was found.
type hitPart struct {
	Text string
	Mark bool
}

// hits reads what of the sessions of a list was found.
func (p *page) hits(ctx context.Context, q *query, rows []store.SessionRow) (map[honeyhive.UUID]store.Hit, error) {
	ids := make([]honeyhive.UUID, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	return p.Store.Hits(ctx, store.HitQuery{Sessions: ids, Query: q.filter.Query, Text: q.filter.Text})
}

// Hit returns what of a session was found, or nil.
func (v *listView) Hit(id honeyhive.UUID) *hitView {
	h, ok := v.hits[id]
	if !ok {
		return nil
	}
	out := &hitView{Where: "session"}
	pairs := []string{"back", v.back}
	if h.Event {
		out.Where = line(h.Name, 40) + " (" + line(h.Kind, 40) + ")"
		pairs = append(pairs, "event", h.Record.String())
	}
	out.URL = sessionURL(id.String(), pairs...)
	if h.Path != "" {
		out.Where += " · " + line(h.Path, 80)
	}
	out.Parts = marked(h.Text, h.Marks)
	return out
}

// marked divides a text at its marks. What is shown of the parts is one line.
func marked(text string, marks [][2]int) (parts []hitPart) {
	at := 0
	add := func(to int, mark bool) {
		if to > at {
			parts = append(parts, hitPart{visible(strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(text[at:to])), mark})
			at = to
		}
	}
	for _, m := range marks {
		if m[0] >= at && m[1] <= len(text) {
			add(m[0], false)
			add(m[1], true)
		}
	}
	add(len(text), false)
	return parts
}
