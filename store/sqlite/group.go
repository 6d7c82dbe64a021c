package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// The row of a session is made of what it says itself, of the sessions that are part
// of it, and of the tree of their events. A session that is small is computed whole in
// the transaction that changes it; of a larger one the sums are kept up, and the rest
// is computed in the background (count.go). Tests make these smaller.
var (
	smallEvents  int64 = 64
	smallMembers       = 16
)

// counted is what the tree of the events of a session comes to.
type counted struct {
	record.Counts
	First, Last honeyhive.UUID // the topmost events, of a session that came of traces
	record.Fallback
}

func (c *counted) encode() []byte {
	if c == nil {
		return nil
	}
	b, _ := json.Marshal(c) //nolint:musttag // nothing else reads it, and nothing of it cannot be written
	return b
}

func decodeCounted(b []byte) (*counted, error) {
	if b == nil {
		return nil, nil
	}
	c := new(counted)
	if err := json.Unmarshal(b, c); err != nil { //nolint:musttag // nothing else writes it
		return nil, fmt.Errorf("counts of a session: %w", err)
	}
	return c, nil
}

// group is a session with all that is part of it.
type group struct {
	id      honeyhive.UUID
	pks     []int64         // of all
	self    *record.Choice  // where it came of a trace itself
	ofTrace bool            // it is the session of one
	members []record.Member // those that are part of it
	keys    []int64         // of the members; 0 where nothing but joins is known
	real    bool            // a member has a record that is not of the root of a trace
	more    bool            // there are more members than were asked for
}

// best returns what the session is called by joins, or nil where it has none.
func (g *group) best() *record.Choice {
	var all []record.Choice
	if g.self != nil {
		all = append(all, *g.self)
	}
	for i := range g.members {
		all = append(all, g.members[i].Choice)
	}
	if len(all) == 0 {
		return nil
	}
	best := record.Best(all)
	return &best
}

// readMembers reads what is part of a session, at most so many.
func (g *group) readMembers(rows *sql.Rows, most int) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if len(g.members) == most {
			g.more = true
			break
		}
		var m record.Member
		var origin, trace, choice, parts []byte
		var pk int64
		if err := rows.Scan(&origin, &trace, &choice, &parts, &pk); err != nil {
			return err
		}
		copy(m.ID[:], origin)
		if err := json.Unmarshal(choice, &m.Choice); err != nil { //nolint:musttag // nothing else writes it
			return fmt.Errorf("join of %s: %w", m.ID, err)
		}
		if parts != nil {
			var err error
			if m.Own, m.Totals, err = record.DecodeParts(parts); err != nil {
				return err
			}
		}
		g.real = g.real || m.Own.Known && honeyhive.UUID(trace) != m.ID
		g.members, g.keys = append(g.members, m), append(g.keys, pk)
		if pk != 0 {
			g.pks = append(g.pks, pk)
		}
	}
	return rows.Err()
}

// readSelf reads the row of a session that came of a trace itself.
func (g *group) readSelf(row scanner) error {
	var trace, choice []byte
	if err := row.Scan(&trace, &choice); err != nil {
		return err
	}
	g.self, g.ofTrace = new(record.Choice), honeyhive.UUID(trace) == g.id
	return json.Unmarshal(choice, g.self) //nolint:musttag // nothing else writes it
}

const membersQuery = `SELECT h.origin, h.trace, h.choice, h.parts, ifnull(r.pk, 0) FROM home h LEFT JOIN record r ON r.id = h.origin WHERE h.target = ?1 AND h.origin <> ?1 ORDER BY h.origin LIMIT ?2`

// members reads what is part of a session, at most so many, and adds up what the events
// of it all come to.
func (w *writer) members(g *group, e *entry, most int) (record.Totals, error) {
	totals := e.totals
	limit := most
	if most >= 0 {
		limit++
	}
	rows, err := w.QueryContext(context.Background(), membersQuery, e.id[:], limit)
	if err == nil {
		err = g.readMembers(rows, most)
	}
	for i := range g.members {
		totals.Merge(&g.members[i].Totals)
	}
	return totals, err
}

// flushGroup makes the row of a session anew that is part of no other, or takes it out
// of the lists where there is nothing to show.
func (st *state) flushGroup(e *entry) error {
	w := st.w
	g := &group{id: e.id, pks: []int64{e.pk}, ofTrace: e.home.isTrace(e.id)}
	if e.home != nil {
		g.self = &e.home.choice
	}
	totals, err := w.members(g, e, smallMembers)
	if err == nil && g.more && totals.Events == 0 { // the others may have some
		g.members, g.keys, g.pks, g.more = nil, nil, g.pks[:1], false
		totals, err = w.members(g, e, -1)
	}
	if err != nil {
		return err
	}
	if totals.Events == 0 && !g.real && (g.ofTrace || !e.isKnown()) {
		if e.home == nil && e.kind == record.Session {
			return st.forget(e)
		}
		return st.hide(e)
	}
	if err := st.establish(e); err != nil {
		return err
	}
	if g.pks[0] = e.pk; g.more && e.inList {
		if err := w.exec(`UPDATE session SET seq = ?, parts = ? WHERE pk = ?`, w.nextSeq(), e.partsOr(), e.pk); err != nil {
			return err
		}
		return w.makeStale(e.pk)
	}
	best := g.best()
	many := w.prices != nil && (totals.TokensIn.Count > 0 || totals.TokensOut.Count > 0) ||
		totals.ModelEvents > 1 || totals.TokensIn.Count > 1 || totals.TokensOut.Count > 1 || totals.Cost.Count > 0 || best != nil || e.counted != nil
	switch {
	case !many:
		e.counted = nil
	case totals.Events > smallEvents || g.more:
		if err := w.makeStale(e.pk); err != nil {
			return err
		}
	default:
		c, changes, err := countGroup(context.Background(), w, g, best != nil, w.prices, false)
		if errors.Is(err, errUnbilled) {
			if err := w.makeStale(e.pk); err != nil {
				return err
			}
			break
		}
		if err != nil {
			return err
		}
		if err := w.recount(changes); err != nil {
			return err
		}
		e.counted = c
	}
	return st.saveGroup(e, g.members, &totals, best)
}

// saveGroup writes the row of a session with all that is part of it.
func (st *state) saveGroup(e *entry, members []record.Member, totals *record.Totals, best *record.Choice) error {
	own := e.own
	rootless := false
	if best != nil {
		own = record.Group(e.own, members, best)
		rootless = !e.own.Known && !best.Unannounced && !best.Owned
		for i := range members {
			rootless = rootless && !members[i].Own.Known
		}
		if e.counted != nil && !best.Owned {
			own.Fall(&e.counted.Fallback)
		}
	}
	e.inList = true
	if err := st.w.saveSession(e, &own, totals, rootless); err != nil {
		return err
	}
	if e.home != nil && e.home.parts != nil {
		e.home.parts = nil
		return st.w.exec(`UPDATE home SET parts = NULL WHERE origin = ?`, e.id[:])
	}
	return nil
}

func (e *entry) partsOr() []byte {
	b, err := record.EncodeParts(&e.own, &e.totals)
	if err != nil {
		return nil
	}
	return b
}

// establish gives a session a record of which nothing is known but what is part of it.
func (st *state) establish(e *entry) error {
	if e.was == record.Session {
		return nil
	}
	e.kind = record.Session
	if err := st.settle(e); err != nil {
		return err
	}
	payload, _, err := e.fold()
	if err != nil {
		return err
	}
	if err := st.w.save(e, []byte(payload)); err != nil {
		return err
	}
	e.was, e.stored = record.Session, true
	return st.w.unindex(e.pk)
}

// hide takes a session out of the lists. What its own events come to is kept.
func (st *state) hide(e *entry) error {
	if e.inList {
		if err := st.unlist(e); err != nil {
			return err
		}
	}
	if e.home == nil || e.kind != record.Session && len(e.layers) == 0 {
		return nil
	}
	parts, err := record.EncodeParts(&e.own, &e.totals)
	if err != nil {
		return err
	}
	e.home.parts = parts
	return st.w.exec(`UPDATE home SET parts = ? WHERE origin = ?`, parts, e.id[:])
}

// unlist deletes the row of a session, and says so to whoever follows the changes.
func (st *state) unlist(e *entry) error {
	e.inList = false
	if err := st.w.execAll([]any{e.pk}, `DELETE FROM session WHERE pk = ?`, `DELETE FROM stale WHERE pk = ?`); err != nil {
		return err
	}
	return st.w.exec(`INSERT INTO deleted VALUES (?, ?)`, st.w.nextSeq(), e.id[:])
}

// edgesOf reads what hangs on what in a session that came of traces, or nil.
func edgesOf(ctx context.Context, q querier, g *group) (*record.Edges, error) {
	e := &record.Edges{Session: g.id, Parts: make(map[honeyhive.UUID]bool), Up: make(map[honeyhive.UUID]honeyhive.UUID)}
	rows, err := q.QueryContext(ctx, `SELECT trace, NULL, 0 FROM joined WHERE target = ?1 UNION SELECT trace, origin, 1 FROM home WHERE target = ?1`, g.id[:])
	if err != nil {
		return nil, err
	}
	traces := make(map[honeyhive.UUID]bool)
	err = each(rows, func(row scanner) error {
		var trace, origin []byte
		var member bool
		if err := row.Scan(&trace, &origin, &member); err != nil {
			return err
		}
		traces[honeyhive.UUID(trace)] = true
		e.Parts[honeyhive.UUID(trace)] = true
		if member {
			e.Parts[honeyhive.UUID(origin)] = true
		}
		return nil
	})
	if err != nil || len(traces) == 0 {
		return nil, err
	}
	for trace := range traces {
		rows, err := q.QueryContext(ctx, `SELECT span, parent FROM edge WHERE trace = ? AND NOT EXISTS (SELECT 1 FROM record r WHERE r.id = edge.span AND r.kind = 2)`, trace[:])
		if err != nil {
			return nil, err
		}
		err = each(rows, func(row scanner) error {
			var span, parent []byte
			var up honeyhive.UUID
			if err := row.Scan(&span, &parent); err != nil {
				return err
			}
			copy(up[:], parent)
			e.Up[honeyhive.UUID(span)] = up
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return e, nil
}

func each(rows *sql.Rows, do func(scanner) error) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
