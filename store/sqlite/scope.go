package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// idsAtOnce is of how many ids one statement asks.
const idsAtOnce = 500

// ProjectsOf implements [store.Projects].
func (s *Store) ProjectsOf(ctx context.Context, ids ...honeyhive.UUID) (map[honeyhive.UUID]string, error) {
	all := make(map[honeyhive.UUID]string, len(ids))
	err := s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for len(ids) > 0 {
			n := min(len(ids), idsAtOnce)
			if err := projectsOf(ctx, tx, ids[:n], all); err != nil {
				return err
			}
			ids = ids[n:]
		}
		return nil
	})
	return all, s.failed(ctx, "read projects", err)
}

// projectsOf adds the projects of some ids. A record of an event names the session that
// it came with, which may be part of another one; one of a trace without records has a
// home alone.
func projectsOf(ctx context.Context, q querier, ids []honeyhive.UUID, all map[honeyhive.UUID]string) error {
	list := "(?" + strings.Repeat(", ?", len(ids)-1) + ")"
	query := `SELECT r.id, s.project FROM record r
			JOIN record o ON o.pk = CASE r.kind WHEN 2 THEN r.session ELSE r.pk END
			LEFT JOIN home h ON h.origin = o.id LEFT JOIN record t ON t.id = h.target
			JOIN session s ON s.pk = ifnull(t.pk, o.pk) WHERE r.id IN ` + list + `
		UNION ALL SELECT h.origin, s.project FROM home h JOIN record t ON t.id = h.target JOIN session s ON s.pk = t.pk WHERE h.origin IN ` + list
	args := make([]any, 0, 2*len(ids))
	for range 2 {
		for i := range ids {
			args = append(args, ids[i][:])
		}
	}
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return each(rows, func(row scanner) error {
		var id []byte
		var project string
		if err := row.Scan(&id, &project); err != nil {
			return err
		}
		all[honeyhive.UUID(id)] = project
		return nil
	})
}
