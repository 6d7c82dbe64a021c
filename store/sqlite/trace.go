package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Speaks implements [store.Store].
func (s *Store) Speaks(ctx context.Context, trace honeyhive.UUID) (speaks bool, err error) {
	err = s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM joined WHERE trace = ? AND speaks)`, trace[:]).Scan(&speaks)
	})
	return speaks, s.failed(ctx, "look for events of a trace", err)
}

// stepsAtOnce is how many steps are read in one transaction.
const stepsAtOnce = 100

// Steps implements [store.Store].
func (s *Store) Steps(ctx context.Context) iter.Seq2[store.Edge, error] {
	return func(yield func(store.Edge, error) bool) {
		var last store.Edge
		for {
			var some []store.Edge
			err := s.view(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
				some, err = stepsAfter(ctx, tx, &last)
				return err
			})
			if err != nil {
				yield(store.Edge{}, s.failed(ctx, "read steps", err))
				return
			}
			for _, e := range some {
				if !yield(e, nil) {
					return
				}
				last = e
			}
			if len(some) == 0 {
				return
			}
		}
	}
}

func stepsAfter(ctx context.Context, tx *sql.Tx, last *store.Edge) ([]store.Edge, error) {
	rows, err := tx.QueryContext(ctx, `SELECT span, parent, trace, step FROM edge WHERE step IS NOT NULL AND (trace, span) > (?, ?)
		AND NOT EXISTS (SELECT 1 FROM record r WHERE r.id = edge.span AND r.kind = 2) ORDER BY trace, span LIMIT ?`, last.Trace[:], last.Span[:], stepsAtOnce)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var some []store.Edge
	for rows.Next() {
		var span, parent, trace, step []byte
		if err := rows.Scan(&span, &parent, &trace, &step); err != nil {
			return nil, err
		}
		e := store.Edge{Span: honeyhive.UUID(span), Trace: honeyhive.UUID(trace), Step: new(honeyhive.Event)}
		if len(parent) > 0 {
			e.Parent = honeyhive.UUID(parent)
		}
		if err := json.Unmarshal(step, e.Step); err != nil {
			return nil, fmt.Errorf("step %s: %w", e.Span, err)
		}
		some = append(some, e)
	}
	return some, rows.Err()
}
