package sqlite

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// order is how a page is sorted: the expression that an index has, with the
// kind of its values.
type order struct {
	expression string
	kind       byte // f for floats, i for integers, s for texts
}

var orders = map[store.Sort]order{
	store.SortStart:    {"moment", 'f'},
	store.SortChange:   {"seq", 'i'},
	store.SortDuration: {"ifnull(duration, -1)", 'f'},
	store.SortTokens:   {"ifnull(tokens, -1)", 'i'},
	store.SortCost:     {"ifnull(cost, -1)", 'i'},
	store.SortErrors:   {"errors", 'i'},
	store.SortName:     {"name", 's'},
}

// condition collects the terms of a WHERE clause with their arguments.
type condition struct {
	terms      []string
	args       []any
	equalities int  // terms of columns that have an index of their own
	words      bool // a term is a search
	found      bool // a term looks into the index of words and facts
}

func (c *condition) add(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

// where returns the clause, which always has a term.
func (c *condition) where() string {
	return " WHERE " + strings.Join(append(c.terms, "1"), " AND ")
}

// index names the index to use for an order, before the key of a page is added.
// SQLite does not know how many rows match, and would look each of very many up:
// to walk the index that has all columns is sure to be fast. It chooses itself
// where one index has all, and for words, which find few records.
func (c *condition) index(by store.Sort) string {
	simple := len(c.terms) == 0 || len(c.terms) == 1 && c.equalities == 1 && by == store.SortStart
	if simple || c.words {
		return ""
	}
	return " INDEXED BY session_moment"
}

// filter adds the terms of a filter.
func (c *condition) filter(f store.Filter) {
	if !f.From.IsZero() {
		c.add("moment >= ?", milliseconds(f.From))
	}
	if !f.To.IsZero() {
		c.add("moment < ?", milliseconds(f.To))
	}
	for _, e := range [...]struct{ column, value string }{
		{"project", f.Project}, {"source", f.Source}, {"user", f.User}, {"status", string(f.Status)},
	} {
		if e.value != "" {
			c.add(e.column+" = ?", e.value)
			c.equalities++
		}
	}
	if f.Model != "" {
		c.add("instr(models, ?) > 0", "\n"+f.Model+"\n")
	}
	if f.MinDuration > 0 {
		c.add("duration >= ?", float64(f.MinDuration)/1e6)
	}
	if f.MaxDuration > 0 {
		c.add("duration <= ?", float64(f.MaxDuration)/1e6)
	}
	bound(c, "cost >= ?", record.CostUnits(f.MinCost))
	bound(c, "cost <= ?", record.CostUnits(f.MaxCost))
	bound(c, "rating >= ?", f.MinRating)
	bound(c, "rating <= ?", f.MaxRating)
	if v, ok := f.Feedback.Get(); ok {
		c.add("feedback = ?", v)
	}
	if !f.Query.IsAll() {
		w := where{now: time.Now()}
		c.add(w.session(f.Query.Expr), w.args...)
		c.found = w.found
	}
	if words := match(f.Text); words != "" {
		c.add("pk IN (SELECT ifnull((SELECT t.pk FROM record o JOIN home h ON h.origin = o.id JOIN record t ON t.id = h.target WHERE o.pk = r.session), r.session) FROM search CROSS JOIN record r INDEXED BY record_session ON r.pk = search.rowid WHERE search MATCH ?)", words)
		c.words, c.found = f.Query.IsAll(), true
	}
}

func bound[T any](c *condition, term string, v honeyhive.Optional[T]) {
	if n, ok := v.Get(); ok {
		c.add(term, n)
	}
}

// milliseconds returns a time as Unix milliseconds.
func milliseconds(t time.Time) float64 {
	return float64(t.UnixMilli()) + float64(t.Nanosecond()%1e6)/1e6
}

// fromMilliseconds is the reverse of milliseconds.
func fromMilliseconds(ms float64) time.Time {
	whole := int64(ms)
	return time.UnixMilli(whole).Add(time.Duration((ms - float64(whole)) * 1e6)).UTC()
}

// Sessions implements [store.Store].
func (s *Store) Sessions(ctx context.Context, q store.SessionQuery) (store.SessionPage, error) {
	page, err := s.sessions(ctx, q)
	return page, s.failed(ctx, "list sessions", err)
}

func (s *Store) sessions(ctx context.Context, q store.SessionQuery) (store.SessionPage, error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return store.SessionPage{}, err
	}
	defer done()
	if q.Sort == "" {
		q.Sort = store.SortStart
	}
	o, ok := orders[q.Sort]
	if !ok {
		return store.SessionPage{}, fmt.Errorf("unknown order %q", q.Sort)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, 1000)
	direction, behind := "DESC", "<"
	if q.Ascending {
		direction, behind = "ASC", ">"
	}
	var c condition
	c.filter(q.Filter)
	index := c.index(q.Sort)
	if q.After != "" {
		value, id, err := parseKey(q.After, o.kind)
		if err != nil {
			return store.SessionPage{}, err
		}
		c.add("("+o.expression+", id) "+behind+" (?, ?)", value, id)
	} else if !q.Behind.IsZero() {
		var value any
		err := s.read.QueryRowContext(ctx, `SELECT `+o.expression+` FROM session WHERE pk = (SELECT pk FROM record WHERE id = ?)`, q.Behind[:]).Scan(&value)
		if err != nil {
			return store.SessionPage{}, err
		}
		c.add("("+o.expression+", id) "+behind+" (?, ?)", value, q.Behind[:])
	}
	// The page is found by an index alone; then its rows are read.
	//nolint:gosec // no part of it comes from outside
	query := `SELECT ` + sessionRowColumns + `, p.k FROM (SELECT pk, ` + o.expression + ` AS k, id FROM session` + index + c.where() +
		` ORDER BY k ` + direction + `, id ` + direction + ` LIMIT ?) p JOIN session s ON s.pk = p.pk ORDER BY p.k ` + direction + `, p.id ` + direction
	rows, err := s.read.QueryContext(ctx, query, append(c.args, limit+1)...)
	if err != nil {
		return store.SessionPage{}, err
	}
	defer func() { _ = rows.Close() }()
	var page store.SessionPage
	var key any
	last := ""
	for rows.Next() {
		if len(page.Sessions) == limit {
			page.Next = last
			break
		}
		r, err := scanSession(rows, s.prices.Currency(), &key)
		if err != nil {
			return store.SessionPage{}, err
		}
		page.Sessions = append(page.Sessions, r)
		last = formatKey(key, o.kind, r.ID)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || !c.found {
		return page, err
	}
	err = s.read.QueryRowContext(ctx, `SELECT count(*) FROM unindexed`).Scan(&page.Unindexed)
	return page, err
}

// formatKey writes the place of a row in an order.
func formatKey(value any, kind byte, id honeyhive.UUID) string {
	var text string
	switch v := value.(type) {
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		text = v
	}
	b, _ := json.Marshal([]string{string(kind), text, id.String()}) // strings always have a form
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseKey(key string, kind byte) (value any, id []byte, err error) {
	invalid := fmt.Errorf("%.80q is no key of a page in this order", key)
	b, err := base64.RawURLEncoding.DecodeString(key)
	var parts []string
	if err = errors.Join(err, json.Unmarshal(b, &parts)); err != nil || len(parts) != 3 || parts[0] != string(kind) {
		return nil, nil, invalid
	}
	switch kind {
	case 'f':
		value, err = strconv.ParseFloat(parts[1], 64)
	case 'i':
		value, err = strconv.ParseInt(parts[1], 10, 64)
	default:
		value = parts[1]
	}
	u, err2 := honeyhive.ParseUUID(parts[2])
	if err != nil || err2 != nil {
		return nil, nil, invalid
	}
	return value, u[:], nil
}
