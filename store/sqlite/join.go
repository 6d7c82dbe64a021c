package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// Which session a session is part of follows from the joins that are about its trace,
// and is looked at anew in each transaction that writes something of the trace. It
// stands in the table home: nothing else changes when it does, since the rows of
// events and the records keep the session that they came with. So to join a session
// with very many events, or to take it back, takes no longer than with one.

const (
	maxJoins = 256    // of one trace
	maxEdges = 50_000 // of one trace
	maxSteps = 256    // of a walk up a trace
)

// home is the row of a session that came of a trace: which session it is part of.
type home struct {
	target, trace honeyhive.UUID
	choice        record.Choice
	parts         []byte // of one that is not shown
}

// isTrace reports whether a session is that of a trace.
func (h *home) isTrace(id honeyhive.UUID) bool { return h != nil && h.trace == id }

// link writes joins and edges, and finds out which of the joins count.
func (st *state) link() error {
	w := st.w
	for _, in := range st.edges {
		if st.traces[in.Edge.Trace] == nil {
			st.traces[in.Edge.Trace] = &touchedTrace{}
		}
		t := st.traces[in.Edge.Trace]
		if !t.counted {
			t.counted = true
			var full bool
			if err := w.scan(`SELECT EXISTS (SELECT 1 FROM edge WHERE trace = ? LIMIT 1 OFFSET ?)`, []any{in.Edge.Trace[:], maxEdges}, &full); err != nil {
				return err
			}
			if t.full = full; full {
				continue
			}
			if err := w.exec(`INSERT OR IGNORE INTO silent VALUES (?, ?)`, in.Edge.Trace[:], time.Now().UnixNano()); err != nil {
				return err
			}
			w.silent.Store(true)
		}
		if t.full {
			continue
		}
		t.edges = true
		var parent, step []byte
		if !in.Edge.Parent.IsZero() {
			parent = in.Edge.Parent[:]
		}
		if in.Edge.Step != nil {
			step = []byte(in.Layer.Text)
		}
		// Of several that differ the least parent stays, and of steps the last.
		if err := w.exec(`INSERT INTO edge VALUES (?, ?, ?, ?) ON CONFLICT (span) DO UPDATE SET parent = min(ifnull(parent, x''), ifnull(excluded.parent, x'')), trace = min(trace, excluded.trace), step = ifnull(excluded.step, step)
			WHERE ifnull(parent, x'') > ifnull(excluded.parent, x'') OR trace > excluded.trace OR excluded.step IS NOT NULL`, in.Edge.Span[:], parent, in.Edge.Trace[:], step); err != nil {
			return err
		}
	}
	for _, in := range st.joins {
		if err := st.join(in.Join); err != nil {
			return err
		}
	}
	for trace := range st.traces {
		if err := st.choose(trace); err != nil {
			return fmt.Errorf("trace %s: %w", trace, err)
		}
	}
	return nil
}

func (st *state) join(j *store.Join) error {
	w := st.w
	if st.traces[j.Trace] == nil {
		st.traces[j.Trace] = &touchedTrace{}
	}
	st.traces[j.Trace].joined = true
	var n int
	if err := w.scan(`SELECT count(*) FROM joined WHERE trace = ?`, []any{j.Trace[:]}, &n); err != nil || n >= maxJoins {
		return err
	}
	err := w.exec(`INSERT INTO joined VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
		ON CONFLICT DO UPDATE SET below = excluded.below, start = excluded.start, span = excluded.span
		WHERE (excluded.below, excluded.start, excluded.span) < (below, start, span)`,
		j.From[:], j.To[:], j.Trace[:], j.Text, j.Weak, j.Name, j.Project, j.Source, j.Owned, j.Unannounced, j.Below, j.Start, j.Span[:])
	if err != nil || !j.Speaks {
		return err
	}
	return w.exec(`UPDATE joined SET speaks = 1 WHERE trace = ? AND origin = ? AND target = ? AND speaks = 0`, j.Trace[:], j.From[:], j.To[:])
}

// touchedTrace is a trace that a transaction writes something of.
type touchedTrace struct {
	joined        bool
	counted, full bool // its edges
	edges         bool // some came
}

// joinRow is a join, with how deep its span is.
type joinRow struct {
	origin, target, span honeyhive.UUID
	weak                 bool
	choice               record.Choice
	depth                int
}

// choose finds out which joins of a trace count.
func (st *state) choose(trace honeyhive.UUID) error {
	w := st.w
	byOrigin, order, err := w.joinsOf(trace)
	if err != nil {
		return err
	}
	if len(order) == 0 && !st.traces[trace].joined {
		return nil
	}
	if len(order) > 1 || len(order) == 1 && len(byOrigin[order[0]]) > 1 {
		for _, o := range order {
			list := byOrigin[o]
			for i := range list {
				if len(list) > 1 {
					if list[i].depth, err = w.depth(list[i].span); err != nil {
						return err
					}
				}
			}
		}
	}
	if st.traces[trace].edges { // what hangs on what may have changed
		for _, origin := range order {
			for i := range byOrigin[origin] {
				if err := st.regroup(byOrigin[origin][i].target); err != nil {
					return err
				}
			}
		}
		if err := st.regroup(trace); err != nil {
			return err
		}
	}
	for _, origin := range order {
		target, choice := winner(origin, byOrigin[origin])
		if target != origin {
			var taken bool
			if err := w.scan(`SELECT EXISTS (SELECT 1 FROM joined WHERE target = ?1 AND origin <> ?1)`, []any{origin[:]}, &taken); err != nil {
				return err
			}
			if taken {
				target = origin
			}
		}
		if err := st.settleHome(origin, home{target: target, trace: trace, choice: choice}); err != nil {
			return err
		}
		// What was joined to is joined to nothing itself.
		if target == origin {
			continue
		}
		other, err := w.home(target)
		if err != nil || other == nil || other.target == target {
			if err != nil {
				return err
			}
			continue
		}
		other.target = target
		if err := st.settleHome(target, *other); err != nil {
			return err
		}
	}
	return nil
}

// joinsOf returns the joins of a trace by the session that they are of.
func (w *writer) joinsOf(trace honeyhive.UUID) (map[honeyhive.UUID][]joinRow, []honeyhive.UUID, error) {
	rows, err := w.QueryContext(context.Background(), `SELECT origin, target, span, weak, text, title, project, source, owned, unannounced, start FROM joined WHERE trace = ? ORDER BY origin`, trace[:])
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	all := make(map[honeyhive.UUID][]joinRow)
	var order []honeyhive.UUID
	for rows.Next() {
		var r joinRow
		var origin, target, span []byte
		c := &r.choice
		if err := rows.Scan(&origin, &target, &span, &r.weak, &c.Text, &c.Name, &c.Project, &c.Source, &c.Owned, &c.Unannounced, &c.Start); err != nil {
			return nil, nil, err
		}
		copy(r.origin[:], origin)
		copy(r.target[:], target)
		copy(r.span[:], span)
		c.Named = r.origin != r.target
		if len(all[r.origin]) == 0 {
			order = append(order, r.origin)
		}
		all[r.origin] = append(all[r.origin], r)
	}
	return all, order, rows.Err()
}

// winner returns the session that one is part of, itself where that is none, and what
// the join that counts says.
func winner(origin honeyhive.UUID, rows []joinRow) (honeyhive.UUID, record.Choice) {
	strong := make(map[string]bool)
	weak := false
	for i := range rows {
		switch {
		case rows[i].target == origin:
		case rows[i].weak:
			weak = true
		default:
			strong[rows[i].choice.Text] = true
		}
	}
	var best *joinRow
	for i := range rows {
		r := &rows[i]
		named := r.target != origin
		switch {
		case len(strong) == 1 && (!named || r.weak), len(strong) == 0 && weak && !named, len(strong) > 1 && named:
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(r.depth, best.depth), cmp.Compare(r.choice.Start, best.choice.Start), cmp.Compare(r.choice.Text, best.choice.Text),
			bytes.Compare(r.target[:], best.target[:]), bytes.Compare(r.span[:], best.span[:]), cmp.Compare(r.choice.Name, best.choice.Name),
			cmp.Compare(r.choice.Project, best.choice.Project), cmp.Compare(r.choice.Source, best.choice.Source)) < 0 {
			best = r
		}
	}
	if best == nil {
		return origin, record.Choice{}
	}
	return best.target, best.choice
}

// depth returns how many spans are known above one.
func (w *writer) depth(span honeyhive.UUID) (int, error) {
	for n := range maxSteps {
		var parent []byte
		err := w.scan(`SELECT parent FROM edge WHERE span = ?`, []any{span[:]}, &parent)
		if errors.Is(err, sql.ErrNoRows) {
			var row []byte
			err = w.scan(`SELECT e.row FROM record r JOIN event e ON e.session = r.session AND e.seq = r.seq WHERE r.id = ? AND r.kind = 2`, []any{span[:]}, &row)
			if errors.Is(err, sql.ErrNoRows) {
				return n, nil // it is not known itself
			}
			if err == nil {
				var r store.EventRow
				r, err = unpackRow(row, names{})
				parent = r.Parent[:]
			}
		}
		if err != nil {
			return 0, err
		}
		if len(parent) == 0 || honeyhive.UUID(parent) == span || honeyhive.UUID(parent).IsZero() {
			return n + 1, nil
		}
		span = honeyhive.UUID(parent)
	}
	return maxSteps, nil
}

// home returns the row of a session that came of a trace, or nil.
func (w *writer) home(id honeyhive.UUID) (*home, error) {
	var target, trace, choice []byte
	h := new(home)
	err := w.scan(`SELECT target, trace, choice, parts FROM home WHERE origin = ?`, []any{id[:]}, &target, &trace, &choice, &h.parts)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	copy(h.target[:], target)
	copy(h.trace[:], trace)
	return h, json.Unmarshal(choice, &h.choice) //nolint:musttag // nothing else writes it
}

// settleHome notes which session one is part of now. Those that this changes are
// touched.
func (st *state) settleHome(origin honeyhive.UUID, now home) error {
	e, err := st.entry(origin)
	if err != nil {
		return err
	}
	if err := st.load(e); err != nil {
		return err
	}
	if e.home != nil && e.home.target == now.target && e.home.trace == now.trace && e.home.choice == now.choice {
		return nil
	}
	choice, err := json.Marshal(now.choice) //nolint:musttag // nothing else reads it
	if err != nil {
		return err
	}
	if err := st.w.exec(`INSERT INTO home VALUES (?, ?, ?, ?, NULL) ON CONFLICT (origin) DO UPDATE SET target = excluded.target, trace = excluded.trace, choice = excluded.choice`,
		origin[:], now.target[:], now.trace[:], choice); err != nil {
		return err
	}
	if e.home != nil {
		if err := st.regroup(e.home.target); err != nil {
			return err
		}
		now.parts = e.home.parts
	}
	e.home = &now
	st.touch(e)
	return st.regroup(now.target)
}

// regroup notes that the row of a session must be made anew.
func (st *state) regroup(id honeyhive.UUID) error {
	e, err := st.entry(id)
	if err != nil {
		return err
	}
	if err := st.load(e); err != nil {
		return err
	}
	if !e.grouped {
		e.grouped = true
		st.groups = append(st.groups, e)
	}
	return nil
}

// Traces without events leave edges, joins, and the records of their roots. These are
// forgotten after a while, or when there are too many.
const (
	silentTime  = 5 * time.Minute
	silentEdges = (64 << 20) / 64 // a row of the table and its indexes have some 64 bytes
)

// sweepSilent forgets some of what traces without events have left, and reports
// whether more may be due.
func (w *writer) sweepSilent(now time.Time, b *budget) (more bool, err error) {
	var trace []byte
	var at int64
	err = w.scan(`SELECT trace, at FROM silent ORDER BY at, trace LIMIT 1`, nil, &trace, &at)
	if errors.Is(err, sql.ErrNoRows) {
		w.silent.Store(false)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if now.Sub(time.Unix(0, at)) < silentTime {
		var many bool
		if err := w.scan(`SELECT EXISTS (SELECT 1 FROM silent LIMIT 1 OFFSET ?)`, []any{silentEdges / 8}, &many); err != nil || !many {
			return false, err
		}
	}
	// It speaks if what it, or a part of it, is part of is shown.
	var speaks bool
	err = w.scan(`SELECT EXISTS (SELECT 1 FROM record r JOIN session s ON s.pk = r.pk WHERE r.id IN (SELECT ?1 UNION SELECT target FROM joined WHERE trace = ?1 UNION SELECT target FROM home WHERE trace = ?1))`,
		[]any{trace}, &speaks)
	if err != nil {
		return false, err
	}
	if !speaks {
		n, err := w.forgetTrace(honeyhive.UUID(trace), b.rows)
		if err != nil {
			return false, err
		}
		b.spend(n+1, n*64)
		if n > 0 {
			return true, nil
		}
	}
	if speaks {
		var n int64
		err := w.exec(`UPDATE edge SET step = NULL WHERE span IN (SELECT span FROM edge WHERE trace = ? AND step IS NOT NULL LIMIT ?)`, trace, b.rows)
		if err == nil {
			err = w.scan(`SELECT changes()`, nil, &n)
		}
		if err != nil || n > 0 {
			b.spend(n, n*store.MaxStepBytes)
			return true, err
		}
	}
	b.spend(1, 0)
	return true, w.exec(`DELETE FROM silent WHERE trace = ?`, trace)
}

// forgetTrace deletes edges of a trace, at most so many, and with the last of them
// the record of its root.
func (w *writer) forgetTrace(trace honeyhive.UUID, most int64) (n int64, err error) {
	if err := w.exec(`DELETE FROM edge WHERE span IN (SELECT span FROM edge WHERE trace = ? LIMIT ?)`, trace[:], most); err != nil {
		return 0, err
	}
	if err := w.scan(`SELECT changes()`, nil, &n); err != nil || n > 0 {
		return n, err
	}
	e, _, err := w.find(trace, 0)
	if err != nil {
		return 0, err
	}
	var shown bool
	if err := w.scan(`SELECT EXISTS (SELECT 1 FROM session WHERE pk = ?)`, []any{e.pk}, &shown); err != nil || shown {
		return 0, err
	}
	if err := w.execAll([]any{trace[:]}, `DELETE FROM joined WHERE trace = ?`, `DELETE FROM home WHERE origin = ?`); err != nil {
		return 0, err
	}
	if !e.stored || e.kind != record.Session {
		return 0, nil
	}
	if err := w.execAll([]any{e.pk}, `DELETE FROM search WHERE rowid = ?`, `DELETE FROM unindexed WHERE pk = ?`); err != nil {
		return 0, err
	}
	return 0, w.deleteRecord(e.pk, newBudget())
}
