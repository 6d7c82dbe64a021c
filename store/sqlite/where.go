package sqlite

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store/internal/record"
	"github.com/sessionspan/sessionspan/store/query"
)

// A query becomes one condition on the rows of sessions. What it says of a session as a
// whole is one of their columns, all of which the index session_moment has; what it says
// of a record is a list of records, which the full-text index finds, and from there one
// of sessions. SQLite makes each list once.

// where makes a condition out of a query.
type where struct {
	now  time.Time
	args []any
	// within, where it is set, bounds the records that are looked at: two numbers.
	within []any
	found  bool // it looks into the index
}

func (w *where) arg(v ...any) { w.args = append(w.args, v...) }

// sessionColumnOf are the columns of fields of sessions.
var sessionColumnOf = map[string]string{
	"status": "status", "name": "name", "project": "project", "source": "source", "user": "user", "start": "moment", "duration": "duration", "ttft": "first_token",
	"tokens": "tokens", "tokens.in": "tokens_in", "tokens.out": "tokens_out", "cost": "cost", "rating": "rating", "feedback": "feedback",
	"events": "events", "errors": "errors", "calls": "calls",
}

// session returns the condition on the rows of sessions.
func (w *where) session(e query.Expr) string {
	switch e := e.(type) {
	case query.And:
		var parts []string
		words, others := splitWords(e)
		if len(words) > 0 {
			parts = append(parts, w.sessionsOf(w.matching(wordsMatch(words))))
		}
		for _, part := range others {
			parts = append(parts, w.session(part))
		}
		return "(" + strings.Join(parts, " AND ") + ")"
	case query.Or:
		var parts []string
		for _, part := range e {
			parts = append(parts, w.session(part))
		}
		return "(" + strings.Join(parts, " OR ") + ")"
	case query.Not:
		return "(" + w.session(e.Expr) + ") IS NOT TRUE"
	case query.Event:
		return w.sessionsOf(w.events(e.Expr))
	case *query.Term:
		if e.Field.OfSession {
			return w.column(e)
		}
		return w.sessionsOf(w.records(e, false))
	case *query.Words:
		return w.sessionsOf(w.matching(wordsMatch([]*query.Words{e})))
	}
	return "0" // there are no others
}

// splitWords takes the words out of parts, which must be in one record together.
func splitWords(list query.And) (words []*query.Words, others []query.Expr) {
	for _, e := range list {
		if one, ok := e.(*query.Words); ok {
			words = append(words, one)
		} else {
			others = append(others, e)
		}
	}
	return words, others
}

// sessionsOf returns the condition that a record of the session is in a list.
func (w *where) sessionsOf(records string) string {
	return `pk IN (` + shown(`SELECT DISTINCT r.session FROM (`+records+`) l CROSS JOIN record r INDEXED BY record_session ON r.pk = l.pk`, ``) + `)`
}

// shown makes of a list with a column session, and maybe more, one of the sessions that
// are shown: of those that others are part of. Few are part of others, so these are looked
// up at once.
func shown(list, more string) string {
	return `WITH m AS MATERIALIZED (SELECT o.pk AS origin, t.pk AS target FROM home h CROSS JOIN record o ON o.id = h.origin CROSS JOIN record t ON t.id = h.target WHERE h.origin <> h.target)
		SELECT ` + more + `ifnull(m.target, f.session) AS pk FROM (` + list + `) f LEFT JOIN m ON m.origin = f.session`
}

// column compares a column of a session.
func (w *where) column(t *query.Term) string {
	column := sessionColumnOf[t.Field.Name]
	switch t.Field.Kind {
	case query.Text, query.Choice:
		switch {
		case t.Prefix && t.Value == "":
			return column + " <> ''"
		case t.Prefix:
			w.arg(t.Value, t.Value)
			return "substr(" + column + ", 1, length(?)) = ?"
		}
		w.arg(t.Value)
		return column + " = ?"
	case query.Exists:
		return column + " <> 0"
	case query.Time:
		var c condition
		from, to := t.Times(w.now)
		if !from.IsZero() {
			c.add(column+" >= ?", milliseconds(from))
		}
		if !to.IsZero() {
			c.add(column+" < ?", milliseconds(to))
		}
		w.arg(c.args...)
		return "(" + strings.Join(append(c.terms, "1"), " AND ") + ")"
	case query.ID, query.Search, query.Duration, query.Number, query.Map:
	}
	if t.Prefix {
		return column + " IS NOT NULL"
	}
	n := t.Number
	if column == "cost" {
		n = math.Round(n / record.CostUnit)
	}
	w.arg(n)
	return column + " " + operators[t.Op] + " ?"
}

var operators = map[query.Op]string{query.Equal: "=", query.Greater: ">", query.GreaterEqual: ">=", query.Less: "<", query.LessEqual: "<="}

// matching returns the list of the records that the index finds.
func (w *where) matching(match string) string {
	w.found = true
	w.arg(match)
	list := `SELECT rowid AS pk FROM search WHERE search MATCH ?`
	if w.within != nil {
		w.arg(w.within...)
		list += ` AND rowid BETWEEN ? AND ?`
	}
	return list
}

// records returns the list of the records for which a term holds.
func (w *where) records(t *query.Term, inEvent bool) string {
	if m := termMatch(t, inEvent); m != "" {
		return w.matching(m)
	}
	if t.Field.Kind == query.ID {
		id, _ := honeyhive.ParseUUID(t.Value) // which it is
		w.arg(id[:])
		list := `SELECT pk FROM record WHERE id = ?`
		if inEvent {
			list += ` AND kind = 2`
		}
		return list
	}
	w.found = true
	key := factKey(t, inEvent)
	low, high := factWord(key, numberMark, ""), factWord(key, lastMark, "")
	at := numberWord(key, t.Number)
	first, last := ">=", "<"
	switch t.Op {
	case query.Greater:
		low, first = at, ">"
	case query.GreaterEqual:
		low = at
	case query.Less:
		high = at
	case query.LessEqual:
		high, last = at, "<="
	case query.Equal:
	}
	w.arg(low, high)
	list := `SELECT doc AS pk FROM search_terms WHERE term ` + first + ` ? AND term ` + last + ` ? AND col = '` + factColumn + `'`
	if w.within != nil {
		w.arg(w.within...)
		list += ` AND doc BETWEEN ? AND ?`
	}
	return list
}

// factKey returns the key of the facts that a term compares.
func factKey(t *query.Term, inEvent bool) string {
	switch path := t.Path(); {
	case path != "":
		return path
	case inEvent && t.Field.Name == "name":
		return "event"
	default:
		return t.Field.Name
	}
}

// factMatch is a search for a fact.
func factMatch(word string, prefix bool) string {
	m := factColumn + ` : "` + word + `"`
	if prefix {
		m += " *"
	}
	return m
}

// termMatch returns what the index looks for where a term holds, or "" where a search
// does not tell.
func termMatch(t *query.Term, inEvent bool) string {
	if t.Op != query.Equal || t.Field.Kind == query.ID {
		return ""
	}
	key := factKey(t, inEvent)
	switch {
	case t.Prefix && t.Value == "":
		return "(" + factMatch(factWord(key, textMark, ""), true) + " OR " + factMatch(factWord(key, numberMark, ""), true) + ")"
	case t.Field.Kind == query.Search:
		return t.Field.Name + ` : ` + phrase(t.Value, t.Prefix)
	case t.Field.Kind == query.Duration || t.Field.Kind == query.Number:
		return factMatch(numberWord(key, t.Number), false)
	case t.IsNumber:
		return "(" + factMatch(textWord(key, t.Value), false) + " OR " + factMatch(numberWord(key, t.Number), false) + ")"
	}
	return factMatch(textWord(key, t.Value), t.Prefix)
}

// wordsMatch is a search for words of one record.
func wordsMatch(list []*query.Words) string {
	var terms []string
	for _, one := range list {
		terms = append(terms, phrase(one.Text, one.Prefix))
	}
	return wordColumns + " : (" + strings.Join(terms, " AND ") + ")"
}

// eventMatch returns what the index looks for where something holds for an event, or ""
// where a search alone does not tell.
func eventMatch(e query.Expr) string {
	join := func(list []query.Expr, operator string) string {
		var parts []string
		for _, part := range list {
			m := eventMatch(part)
			if m == "" {
				return ""
			}
			parts = append(parts, m)
		}
		return "(" + strings.Join(parts, operator) + ")"
	}
	switch e := e.(type) {
	case query.And:
		return join(e, " AND ")
	case query.Or:
		return join(e, " OR ")
	case query.Not:
		if m := eventMatch(e.Expr); m != "" {
			return "(" + anyEvent + " NOT " + m + ")"
		}
	case *query.Words:
		return wordsMatch([]*query.Words{e})
	case *query.Term:
		return termMatch(e, true)
	}
	return ""
}

// anyEvent finds all events, and no sessions: these have no type.
var anyEvent = factMatch(factWord("type", textMark, ""), true)

// events returns the list of the events for which all of an expression holds.
func (w *where) events(e query.Expr) string {
	if m := eventMatch(e); m != "" {
		return w.matching("(" + m + " AND " + anyEvent + ")")
	}
	return w.matching(anyEvent) + " INTERSECT SELECT pk FROM (" + w.inEvent(e) + ")"
}

func (w *where) inEvent(e query.Expr) string {
	if m := eventMatch(e); m != "" {
		return w.matching(m)
	}
	compound := func(list []query.Expr, operator string) string {
		var parts []string
		for _, part := range list {
			parts = append(parts, "SELECT pk FROM ("+w.inEvent(part)+")")
		}
		return strings.Join(parts, operator)
	}
	switch e := e.(type) {
	case query.And:
		return compound(e, " INTERSECT ")
	case query.Or:
		return compound(e, " UNION ")
	case query.Not:
		return w.matching(anyEvent) + " EXCEPT SELECT pk FROM (" + w.inEvent(e.Expr) + ")"
	case *query.Term:
		return w.records(e, true)
	}
	return fmt.Sprintf("SELECT %d AS pk WHERE 0", 0) // there are no others
}
