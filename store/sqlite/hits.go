package sqlite

import (
	"context"
	"database/sql"
	"math"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
	"github.com/sessionspan/sessionspan/store/query"
)

// Bounds of a look for what was found.
const (
	hitSessions = 1000
	hitEvents   = 1000 // of one session
	hitBytes    = 1 << 20
)

// found returns the list of the records for which one of the parts of a query holds that
// are about records, or "" where there is none.
func (w *where) foundBy(e query.Expr) string {
	var lists []string
	var add func(e query.Expr)
	add = func(e query.Expr) {
		switch e := e.(type) {
		case query.And:
			words, others := splitWords(e)
			if len(words) > 0 {
				lists = append(lists, w.matching(wordsMatch(words)))
			}
			for _, part := range others {
				add(part)
			}
		case query.Or:
			for _, part := range e {
				add(part)
			}
		case query.Event:
			lists = append(lists, w.events(e.Expr))
		case *query.Words:
			lists = append(lists, w.matching(wordsMatch([]*query.Words{e})))
		case *query.Term:
			if !e.Field.OfSession {
				lists = append(lists, w.records(e, false))
			}
		}
	}
	add(e)
	for i := range lists {
		lists[i] = "SELECT pk FROM (" + lists[i] + ")"
	}
	return strings.Join(lists, " UNION ")
}

// foundIn returns the list of the records by which a query finds the session of a walk.
func (w *walker) foundIn(ctx context.Context, tx *sql.Tx, q *query.Query) (list string, args []any, err error) {
	var first, last int64
	err = tx.QueryRowContext(ctx, `SELECT ifnull(min(pk), 0), ifnull(max(pk), 0) FROM event
		WHERE session IN (SELECT r.pk FROM home h JOIN record r ON r.id = h.origin WHERE h.target = ?1 UNION SELECT pk FROM record WHERE id = ?1)`, w.group.id[:]).Scan(&first, &last)
	if err != nil {
		return "", nil, err
	}
	found := where{within: []any{first, last}}
	if list = found.foundBy(q.Expr); list == "" {
		list = "SELECT 0 WHERE 0"
	}
	return list, found.args, nil
}

// Hits implements [store.Store].
func (s *Store) Hits(ctx context.Context, q store.HitQuery) (map[honeyhive.UUID]store.Hit, error) {
	all := query.All(query.FromText(q.Text), q.Query)
	out := make(map[honeyhive.UUID]store.Hit)
	if all.IsAll() || len(q.Sessions) == 0 {
		return out, nil
	}
	q.Sessions = q.Sessions[:min(len(q.Sessions), hitSessions)]
	err := s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		of := make(map[int64]int) // of each record the number of its session
		first, last := int64(math.MaxInt64), int64(0)
		for i, id := range q.Sessions {
			rows, err := tx.QueryContext(ctx, `WITH o AS (SELECT pk FROM record WHERE id = ?1 UNION SELECT r.pk FROM home h JOIN record r ON r.id = h.origin WHERE h.target = ?1)
				SELECT pk FROM o UNION ALL SELECT * FROM (SELECT e.pk FROM o CROSS JOIN event e ON e.session = o.pk LIMIT ?2)`, id[:], hitEvents)
			if err != nil {
				return err
			}
			err = each(rows, func(row scanner) error {
				var pk int64
				err := row.Scan(&pk)
				of[pk], first, last = i, min(first, pk), max(last, pk)
				return err
			})
			if err != nil {
				return err
			}
		}
		w := where{within: []any{first, last}}
		list := w.foundBy(all.Expr)
		if list == "" {
			return nil
		}
		hits := make([]int64, len(q.Sessions))
		rows, err := tx.QueryContext(ctx, list, w.args...)
		if err != nil {
			return err
		}
		err = each(rows, func(row scanner) error {
			var pk int64
			err := row.Scan(&pk)
			if i, ok := of[pk]; ok && (hits[i] == 0 || pk < hits[i]) {
				hits[i] = pk
			}
			return err
		})
		if err != nil {
			return err
		}
		parts := record.Leaves(all.Expr)
		for i, pk := range hits {
			if pk == 0 {
				continue
			}
			if out[q.Sessions[i]], err = hit(ctx, tx, pk, parts); err != nil {
				return err
			}
		}
		return nil
	})
	return out, s.failed(ctx, "read what was found", err)
}

// hit reads what of a record is found.
func hit(ctx context.Context, tx *sql.Tx, pk int64, parts []query.Expr) (hit store.Hit, err error) {
	var kind record.Kind
	var id, column, packed []byte
	err = tx.QueryRowContext(ctx, `SELECT r.kind, r.id, r.payload, e.row FROM record r LEFT JOIN event e ON r.kind = 2 AND e.session = r.session AND e.seq = r.seq WHERE r.pk = ?`, pk).
		Scan(&kind, &id, &column, &packed)
	if err != nil {
		return hit, err
	}
	if b, ok := bodyOf(column); ok {
		if column, err = b.beginning(ctx, tx, hitBytes); err != nil {
			return hit, err
		}
	}
	hit, _ = record.Find(string(column[:min(len(column), hitBytes)]), kind, parts)
	copy(hit.Record[:], id)
	if hit.Event = kind == record.Event && packed != nil; hit.Event {
		r, err := unpackRow(packed, names{})
		if err != nil {
			return hit, err
		}
		hit.Name, hit.Kind = r.Name, record.KindOf(&r)
	}
	return hit, nil
}
