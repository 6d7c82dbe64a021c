package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
	"github.com/sessionspan/sessionspan/store/query"
)

// pathOf returns the key of the facts of a field of records.
func pathOf(field string) (string, error) {
	t, err := query.NewTerm(field, query.Equal, "0")
	if err != nil {
		return "", err
	}
	if t.Field.OfSession && !t.Field.Inside || t.Field.Kind == query.Search || t.Field.Kind == query.ID {
		return "", fmt.Errorf("%s is no field of records", field)
	}
	return factKey(t, true), nil
}

// Values implements [store.Store].
func (s *Store) Values(ctx context.Context, q store.ValueQuery) ([]store.Value, error) {
	list, err := s.values(ctx, q)
	return list, s.failed(ctx, "read values", err)
}

func (s *Store) values(ctx context.Context, q store.ValueQuery) ([]store.Value, error) {
	path, err := pathOf(q.Field)
	if err != nil {
		return nil, err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	args := []any{factWord(path, textMark, ""), factWord(path, lastMark, "")}
	text := `SELECT v.term, count(DISTINCT v.doc) FROM search_terms v`
	c, all := s.originsOf(q.Filter)
	if !all {
		text += ` CROSS JOIN record r INDEXED BY record_session ON r.pk = v.doc AND +r.session IN (` + originsQuery(c.where()) + `)`
		args = append(c.args, args...)
	}
	text += ` WHERE v.term >= ? AND v.term < ? AND v.col = '` + factColumn + `'`
	if !q.Event.IsAll() {
		w := where{}
		text += ` AND v.doc IN (` + w.events(q.Event.Expr) + `)`
		args = append(args, w.args...)
	}
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := s.read.QueryContext(ctx, text+` GROUP BY v.term ORDER BY 2 DESC, v.term LIMIT ?`, append(args, min(limit, 10_000))...)
	if err != nil {
		return nil, err
	}
	var list []store.Value
	return list, each(rows, func(row scanner) error {
		var term string
		var v store.Value
		if err := row.Scan(&term, &v.Count); err != nil {
			return err
		}
		v.Text = factValue(term)
		if _, digits, ok := strings.Cut(term, string(rune(numberMark))); ok {
			v.Number, v.IsNumber = readNumber(digits)
		}
		list = append(list, v)
		return nil
	})
}

// Complete implements [store.Store].
func (s *Store) Complete(ctx context.Context, field, prefix string, limit int) ([]string, error) {
	if limit <= 0 {
		limit = 100
	}
	list, err := s.complete(ctx, field, prefix, limit)
	return list, s.failed(ctx, "complete a value", err)
}

func (s *Store) complete(ctx context.Context, field, prefix string, limit int) ([]string, error) {
	if base, isMap := strings.CutSuffix(field, "."); isMap {
		t, err := query.NewTerm(base+".x", query.Equal, "")
		if err != nil {
			return nil, err
		}
		return s.keys(ctx, t.Field.Path, prefix, limit)
	}
	if field == "status" { // whose values are not looked up
		return nil, nil
	}
	t, err := query.NewTerm(field, query.Equal, "0")
	switch {
	case err != nil:
		return nil, err
	case t.Field.OfSession && t.Field.Kind == query.Text:
		return s.columnValues(ctx, sessionColumnOf[field], prefix, limit)
	case t.Field.Kind != query.Text && t.Field.Kind != query.Map:
		return nil, nil
	}
	word := string(appendBytes(nil, factKey(t, false))) + string(rune(textMark)) + string(appendBytes(nil, record.FactText(prefix)))
	return s.leap(ctx, word, limit, func(term string) (string, string) { return factValue(term), term + "\x00" })
}

// columnValues leaps along the index of a column of sessions; names have one as well.
func (s *Store) columnValues(ctx context.Context, column, prefix string, limit int) (list []string, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	at, least := prefix, ">="
	for len(list) < limit {
		var value string
		//nolint:gosec // no part of it comes from outside
		rows, err := s.read.QueryContext(ctx, `SELECT `+column+` FROM session WHERE `+column+` `+least+` ? ORDER BY `+column+` LIMIT 1`, at)
		if err != nil {
			return nil, err
		}
		found := false
		if err := each(rows, func(row scanner) error { found = true; return row.Scan(&value) }); err != nil {
			return nil, err
		}
		if !found || !strings.HasPrefix(value, prefix) {
			return list, nil
		}
		if value != "" {
			list = append(list, value)
		}
		at, least = value, ">"
	}
	return list, nil
}

// keys returns the keys of a map that begin with a prefix.
func (s *Store) keys(ctx context.Context, path, prefix string, limit int) ([]string, error) {
	word := string(appendBytes(nil, path+prefix))
	return s.leap(ctx, word, limit, func(term string) (string, string) {
		end := strings.IndexFunc(term, func(r rune) bool { return r == textMark || r == numberMark })
		if end < 0 {
			return "", term + "\x00"
		}
		return strings.TrimPrefix(readBytes(term[:end]), path), term[:end] + string(rune(lastMark))
	})
}

// leap goes from term to term of those that begin so, and collects what read makes of
// each one, which also returns where to go on.
func (s *Store) leap(ctx context.Context, prefix string, limit int, read func(term string) (value, next string)) (list []string, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	const most = 1000 // leaps, since what was deleted has terms, too
	at := prefix
	for n := 0; n < most && len(list) < limit; n++ {
		rows, err := s.read.QueryContext(ctx, `SELECT term FROM search_terms WHERE term >= ? LIMIT 1`, at)
		if err != nil {
			return nil, err
		}
		term := ""
		if err := each(rows, func(row scanner) error { return row.Scan(&term) }); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(term, prefix) || term == "" {
			break
		}
		var value string
		if value, at = read(term); value != "" {
			list = append(list, value)
		}
	}
	return list, nil
}
