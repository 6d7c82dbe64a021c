package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// flush writes what changed: events first, then the rows of their sessions,
// which come to what their events do.
func (st *state) flush() error {
	for _, e := range st.changed {
		var err error
		switch e.kind {
		case record.Event:
			err = st.flushEvent(e)
		case record.Session:
			st.touch(e)
		case record.Unknown:
			if err = st.settle(e); err == nil {
				err = st.w.save(e, nil)
			}
			if err == nil {
				err = st.load(e)
			}
			if err == nil && e.home != nil {
				st.touch(e)
			}
		}
		if err != nil {
			return fmt.Errorf("record %s: %w", e.id, err)
		}
	}
	if err := st.link(); err != nil {
		return err
	}
	// Merging may have found an event to be of another session, which is then
	// touched too; but it touches no event.
	for _, e := range st.touched {
		if err := st.flushSession(e); err != nil {
			return fmt.Errorf("session %s: %w", e.id, err)
		}
	}
	// What sessions are made of is written before it is read for their rows.
	for _, e := range st.groups {
		if e.isPart() {
			if err := st.hide(e); err != nil {
				return fmt.Errorf("session %s: %w", e.id, err)
			}
		}
	}
	for _, e := range st.groups {
		if e.isPart() {
			continue
		}
		if err := st.flushGroup(e); err != nil {
			return fmt.Errorf("session %s: %w", e.id, err)
		}
	}
	return nil
}

// event returns what the layers of an event come to: as the totals of its session
// see it, and its payload, where that is not staged.
func (e *entry) event() (now record.Counted, payload string, same bool, err error) {
	switch {
	case e.ready != nil:
		return e.ready.event, "", e.ready.same, nil
	case e.first != nil:
		payload = e.first.Layer.Text
		now.EventRow, now.Project, now.Source = e.first.Row, e.first.Project, e.first.Source
		now.Labels = e.first.Labels
		now.Received, now.Bytes = e.received, int64(len(payload))
		return now, payload, false, nil
	}
	p, err := record.FoldEvent(e.layers)
	if err != nil {
		return now, "", false, err
	}
	payload = string(p.AppendJSON(nil))
	return count(&p, len(payload), e.received), payload, payload == e.payload, nil
}

func count(p *honeyhive.Event, size int, received int64) record.Counted {
	c := record.Counted{EventRow: record.EventRow(p), Project: p.Project.Or(""), Source: p.Source.Or(""), Received: received, Labels: record.LabelsOf(p)}
	c.Bytes = int64(size)
	return c
}

func (st *state) flushEvent(e *entry) error {
	w := st.w
	if err := st.settle(e); err != nil {
		return err
	}
	now, payload, same, err := e.event()
	if err != nil {
		return err
	}
	above, err := st.session(now.Session)
	if err != nil {
		return err
	}
	if e.was == record.Event {
		old, from, err := w.counted(e)
		if err != nil {
			return err
		}
		if same && old.Received == now.Received {
			return w.save(e, []byte(payload)) // no more than the time of a layer
		}
		if err := w.exec(`DELETE FROM event WHERE session = ? AND seq = ?`, e.session, e.seq); err != nil {
			return err
		}
		if from == now.Session {
			above.anew = above.totals.Replace(&old, &now) || above.anew
		} else {
			if err := st.leave(from, &old); err != nil {
				return err
			}
			above.totals.Add(&now)
		}
	} else {
		above.totals.Add(&now)
	}
	e.session, e.seq = above.pk, w.nextSeq()
	if err := w.save(e, []byte(payload)); err != nil {
		return err
	}
	if e.ready == nil || !e.ready.indexed {
		if err := w.unindex(e.pk); err != nil {
			return err
		}
	}
	return w.saveEvent(e, &now)
}

// leave takes an event from the session that it was of.
func (st *state) leave(session honeyhive.UUID, old *record.Counted) error {
	from, err := st.session(session)
	if err != nil {
		return err
	}
	if from.totals.Remove(old) {
		from.anew = true
	}
	return nil
}

// counted returns an event as the totals of its session have it, and the session.
func (w *writer) counted(e *entry) (c record.Counted, session honeyhive.UUID, err error) {
	var row, id []byte
	err = w.scan(`SELECT e.received, e.project, e.source, e.row, s.id FROM event e JOIN record s ON s.pk = e.session WHERE e.session = ? AND e.seq = ?`,
		[]any{e.session, e.seq}, &c.Received, &c.Project, &c.Source, &row, &id)
	if err == nil {
		c.EventRow, err = unpackRow(row, names{})
	}
	copy(session[:], id)
	return c, session, err
}

// session returns the entry of a session that events hang on, with its totals.
func (st *state) session(id honeyhive.UUID) (*entry, error) {
	e, err := st.entry(id)
	if err != nil {
		return nil, err
	}
	st.touch(e)
	e.kind = record.Session
	if e.pk == 0 {
		e.pk = st.w.nextKey()
	}
	return e, st.load(e)
}

// load reads what is known of a session, and gives it a key.
func (st *state) load(e *entry) error {
	if e.loaded {
		return nil
	}
	e.loaded = true
	h, err := st.w.home(e.id)
	if err != nil {
		return err
	}
	e.home = h
	var parts, counts []byte
	err = sql.ErrNoRows
	if e.pk != 0 {
		err = st.w.scan(`SELECT parts, counted FROM session WHERE pk = ?`, []any{e.pk}, &parts, &counts)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows) && h != nil && h.parts != nil:
		parts = h.parts
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	default:
		e.inList = true
		if e.counted, err = decodeCounted(counts); err != nil {
			return err
		}
	}
	e.own, e.totals, err = record.DecodeParts(parts)
	return err
}

// flushSession writes what a session says of itself and what its own events come to.
// Its row in lists is another thing: see flushGroup.
func (st *state) flushSession(e *entry) error {
	w := st.w
	if err := st.load(e); err != nil {
		return err
	}
	if e.kind != record.Session { // nothing is known of it but joins, and updates that wait
		if err := st.settle(e); err != nil {
			return err
		}
		if len(e.layers) > 0 {
			if _, _, err := e.fold(); err != nil {
				return err
			}
		}
		return errors.Join(st.regroup(e.id), st.regroup(e.target()))
	}
	if e.ofTrace && e.home == nil {
		e.home = &home{target: e.id, trace: e.id}
		if err := w.exec(`INSERT INTO home VALUES (?, ?, ?, '{}', NULL)`, e.id[:], e.id[:], e.id[:]); err != nil {
			return err
		}
	}
	changed := e.was != record.Session
	if e.changed || changed {
		if err := st.settle(e); err != nil {
			return err
		}
	}
	if e.totals.Events == 0 && !e.isKnown() && e.home == nil {
		named, err := w.isTarget(e.id)
		if err != nil {
			return err
		}
		if !named {
			return st.forget(e)
		}
	}
	if e.anew {
		if err := w.extremes(e); err != nil {
			return err
		}
	}
	if e.changed || changed {
		payload, same, err := e.fold()
		if err != nil {
			return err
		}
		changed = changed || !same
		if err := w.save(e, []byte(payload)); err != nil {
			return err
		}
		if err := w.saveAttempt(e); err != nil {
			return err
		}
		e.was = record.Session
	}
	if changed && (e.ready == nil || !e.ready.indexed) {
		if err := w.unindex(e.pk); err != nil {
			return err
		}
	}
	return errors.Join(st.regroup(e.id), st.regroup(e.target()))
}

// isPart reports whether a session is part of another one.
func (e *entry) isPart() bool { return e.target() != e.id }

// target is the session that one is part of: itself where that is none.
func (e *entry) target() honeyhive.UUID {
	if e.home != nil {
		return e.home.target
	}
	return e.id
}

// isTarget reports whether others are part of a session.
func (w *writer) isTarget(id honeyhive.UUID) (is bool, err error) {
	err = w.scan(`SELECT EXISTS (SELECT 1 FROM home WHERE target = ?1 AND origin <> ?1)`, []any{id[:]}, &is)
	return is, err
}

// isKnown reports whether there is a record of a session, not only updates or
// events.
func (e *entry) isKnown() bool {
	switch {
	case e.ready != nil:
		return e.ready.isKnown
	case e.large:
		return e.own.Known
	}
	return record.Has(e.layers)
}

// fold makes what a session says of itself from its layers, and returns its payload,
// where that is not staged.
func (e *entry) fold() (payload string, same bool, err error) {
	if e.ready != nil {
		e.own = e.ready.own
		same = e.ready.same
	} else {
		p, err := record.FoldSession(e.id, e.layers)
		if err != nil {
			return "", false, err
		}
		payload = string(p.AppendJSON(nil))
		e.own = record.SessionOwn(&p, record.Has(e.layers))
		e.own.Bytes = int64(len(payload))
		same = payload == e.payload
	}
	if e.ready != nil || len(e.layers) > 0 {
		e.own.Received = e.received
	}
	return payload, same, nil
}

// forget takes back a session of which nothing is known but updates, or nothing
// at all, since its last event turned out to be of another one.
func (st *state) forget(e *entry) error {
	w := st.w
	if e.inList {
		if err := st.unlist(e); err != nil {
			return err
		}
	}
	if err := w.execAll([]any{e.pk}, `DELETE FROM search WHERE rowid = ?`, `DELETE FROM unindexed WHERE pk = ?`, `DELETE FROM attempt WHERE pk = ?`); err != nil {
		return err
	}
	e.ready = nil
	if err := st.settle(e); err != nil {
		return err
	}
	e.kind = record.Unknown
	if len(e.layers) > 0 {
		return w.save(e, nil)
	}
	e.stored = false
	return w.exec(`DELETE FROM record WHERE pk = ?`, e.pk)
}

// extremes makes those of a session from its events, each by an index.
func (w *writer) extremes(e *entry) error {
	x := &e.totals.Extremes
	*x = record.Extremes{}
	var start, end sql.NullFloat64
	err := w.scan(`SELECT (SELECT min(start_time) FROM event WHERE session = ?1),
		(SELECT max(coalesce(end_time, start_time + ifnull(duration, 0))) FROM event WHERE session = ?1),
		(SELECT ifnull(min(received), 0) FROM event WHERE session = ?1),
		(SELECT ifnull(min(project), '') FROM event WHERE session = ?1 AND project > ''),
		(SELECT ifnull(min(source), '') FROM event WHERE session = ?1 AND source > '')`,
		[]any{e.pk}, &start, &end, &x.Received, &x.Project, &x.Source)
	if err != nil {
		return err
	}
	if start.Valid {
		x.Start = &start.Float64
	}
	if end.Valid {
		x.End = &end.Float64
	}
	var f record.FirstToken
	var id []byte
	err = w.scan(`SELECT ifnull(start_time, 1.7976931348623157e308), id, first_token FROM event INDEXED BY event_first_token
		WHERE session = ? AND type = 'model' AND first_token IS NOT NULL ORDER BY 1, 2 LIMIT 1`, []any{e.pk}, &f.Start, &id, &f.Value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	copy(f.ID[:], id)
	x.First = &f
	return err
}

// last returns the rank and the time of the last layer.
func last(layers []record.Layer) (rank, at int64) {
	if len(layers) == 0 {
		return -1, 0
	}
	l := layers[len(layers)-1]
	return int64(l.Rank), l.At
}

// unindex notes that the words of a record are to be indexed.
func (w *writer) unindex(pk int64) error {
	w.backlog.Store(true)
	return w.exec(`INSERT OR IGNORE INTO unindexed VALUES (?)`, pk)
}

func (w *writer) nextSeq() int64 { w.seq++; return w.seq }

func (w *writer) nextKey() int64 { w.pk++; return w.pk }

func (w *writer) execAll(args []any, statements ...string) error {
	for _, s := range statements {
		if err := w.exec(s, args...); err != nil {
			return err
		}
	}
	return nil
}
