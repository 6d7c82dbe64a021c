package sqlite

import (
	"cmp"
	"context"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// follow returns the session that one is part of: itself where that is none.
func follow(ctx context.Context, q querier, id honeyhive.UUID) (honeyhive.UUID, error) {
	rows, err := q.QueryContext(ctx, `SELECT target FROM home WHERE origin = ?`, id[:])
	if err != nil {
		return id, err
	}
	target := id
	err = each(rows, func(row scanner) error {
		var b []byte
		err := row.Scan(&b)
		copy(target[:], b)
		return err
	})
	return target, err
}

// walker knows, for a walk through the events of a session, what these are part of and
// hang on.
type walker struct {
	names   names
	group   group
	several bool          // others are part of the session
	edges   *record.Edges // nil where it did not come of traces
	found   bool
}

// find looks up the session of the walk, once.
func (w *walker) find(ctx context.Context, q querier, id honeyhive.UUID) error {
	if w.found {
		return nil
	}
	var err error
	if w.group.id, err = follow(ctx, q, id); err != nil {
		return err
	}
	if w.edges, err = edgesOf(ctx, q, &w.group); err != nil {
		return err
	}
	rows, err := q.QueryContext(ctx, `SELECT 1 FROM home WHERE target = ?1 AND origin <> ?1 LIMIT 1`, w.group.id[:])
	if err != nil {
		return err
	}
	w.found = true
	return each(rows, func(scanner) error {
		w.several = true
		return nil
	})
}

// place gives an event its currency, the session that it is part of, and what it hangs on.
func (w *walker) place(row *store.EventRow, payload *honeyhive.Event) {
	row.Session = w.group.id
	if !row.Cost.IsZero() {
		row.Currency = cmp.Or(row.Currency, prices.DefaultCurrency) // of an earlier version
	}
	parent := row.Parent
	if w.edges != nil && !parent.IsZero() {
		parent = w.edges.Resolve(row.ID, parent)
	}
	if payload != nil {
		if session := row.Session.String(); payload.SessionID.Or("") != session {
			payload.SessionID = honeyhive.Some(session)
		}
		if parent != row.Parent {
			payload.ParentID = honeyhive.Some(parent.String())
		}
	}
	row.Parent = parent
}

// joined gives a session the payload of all that is part of it.
func joined(ctx context.Context, q querier, s *store.Session, g *group, best *record.Choice, c *counted) error {
	parts := make([]record.Part, 0, len(g.members))
	for i := range g.members {
		p := record.Part{Member: g.members[i]}
		if g.keys[i] != 0 {
			var err error
			if p.Payload, err = partPayload(ctx, q, p.ID, g.keys[i]); err != nil {
				return err
			}
		}
		parts = append(parts, p)
	}
	var first, last *honeyhive.Event
	if c != nil && !best.Owned {
		var err error
		if first, err = eventPayload(ctx, q, c.First); err != nil {
			return err
		}
		if last, err = eventPayload(ctx, q, c.Last); err != nil {
			return err
		}
	}
	s.Payload = record.GroupPayload(s.Payload, s.Name, parts, best, first, last)
	s.Payload.SessionID = honeyhive.Some(g.id.String())
	return nil
}

// partPayload reads what is known of a session by its key, whether it has a record or
// only updates.
func partPayload(ctx context.Context, q querier, id honeyhive.UUID, pk int64) (p honeyhive.SessionStartRequest, err error) {
	rows, err := q.QueryContext(ctx, `SELECT kind, layers, payload FROM record WHERE pk = ?`, pk)
	if err != nil {
		return p, err
	}
	var kind record.Kind
	var columns [2][]byte
	err = each(rows, func(row scanner) error { return row.Scan(&kind, &columns[0], &columns[1]) })
	if err != nil {
		return p, err
	}
	if kind == record.Session {
		return p, unmarshal(ctx, q, columns[1], &p)
	}
	encoded, err := text(ctx, q, columns[0])
	if err != nil {
		return p, err
	}
	layers, _ := record.DecodeLayers(encoded)
	return record.FoldSession(id, layers)
}
