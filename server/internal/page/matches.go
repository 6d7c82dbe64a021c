package page

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"github.com/sessionspan/sessionspan/store"
	lang "github.com/sessionspan/sessionspan/store/query"
)

// manyMatches is how many events that match a session is gone through by.
const manyMatches = 1000

// matches are the events of a session by which the query of the list has found it.
type matches struct {
	Query          string
	ids            []string
	words          []string // what is marked
	at             int      // of the chosen event, or -1
	More           bool
	Previous, Next string // addresses
}

// matchesOf looks for the events of a session that the list was asked for; nil where it
// was asked for nothing that is about events.
func (p *page) matchesOf(ctx context.Context, v *sessionView) (*matches, error) {
	if v.back == "" {
		return nil, nil
	}
	q, _ := parseList(&http.Request{URL: &url.URL{Path: "/", RawQuery: v.back}}, p.Now())
	asked := lang.All(q.filter.Query, lang.FromText(q.filter.Text))
	m := &matches{Query: line(asked.String(), 200), at: -1, words: wordsOf(asked.Expr)}
	if asked.IsAll() {
		return nil, nil
	}
	var rows []store.EventRow
	for row, err := range p.Store.Events(ctx, v.whole.ID, store.EventQuery{Query: asked, Limit: manyMatches + 1}) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	if m.More = len(rows) > manyMatches; m.More {
		rows = rows[:manyMatches]
	}
	if len(rows) == 0 && len(m.words) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(rows, func(a, b store.EventRow) int { return cmp.Compare(a.Start.Or(0), b.Start.Or(0)) })
	for i := range rows {
		m.ids = append(m.ids, rows[i].ID.String())
	}
	m.at = slices.Index(m.ids, v.event)
	if n := len(m.ids); n > 0 {
		previous := m.at - 1
		if m.at < 0 {
			previous = n - 1
		}
		m.Previous, m.Next = v.EventURL(m.ids[(previous+n)%n]), v.EventURL(m.ids[(m.at+1)%n])
	}
	return m, nil
}

// Count is how many events there are.
func (m *matches) Count() int { return len(m.ids) }

// Place is the number of the chosen one, or 0.
func (m *matches) Place() int { return m.at + 1 }

// Events are the ids of the events, for scripts.
func (m *matches) Events() (string, error) {
	b, err := json.Marshal(slices.Concat([]string{}, m.ids))
	return string(b), err
}

// Words are the texts to mark, for scripts: one with a * at its end is a beginning.
func (m *matches) Words() (string, error) {
	b, err := json.Marshal(slices.Concat([]string{}, m.words))
	return string(b), err
}

// wordsOf returns the texts that a query looks for.
func wordsOf(e lang.Expr) (list []string) {
	add := func(text string, prefix bool) {
		if lang.HasWord(text) {
			if prefix {
				text += "*"
			}
			list = append(list, text)
		}
	}
	switch e := e.(type) {
	case lang.And:
		for _, part := range e {
			list = append(list, wordsOf(part)...)
		}
	case lang.Or:
		for _, part := range e {
			list = append(list, wordsOf(part)...)
		}
	case lang.Event:
		return wordsOf(e.Expr)
	case *lang.Words:
		add(e.Text, e.Prefix)
	case *lang.Term:
		if k := e.Field.Kind; !e.Field.OfSession && e.Op == lang.Equal && (k == lang.Search || k == lang.Text || k == lang.Map) {
			add(e.Value, e.Prefix)
		}
	}
	return list
}
