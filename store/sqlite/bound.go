package sqlite

import (
	"context"
	"errors"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// Files of the second version and before hold numbers without bounds (package
// record), and sums of a session's events that went round at 64 bits. boundAll
// walks all events and sessions once, before anything else is done with the file,
// and makes anew what such a number went into.

// boundAtOnce is how many rows are looked at once.
const boundAtOnce = 1000

// Numbers of an event that are within bounds, but so large that a sum of some
// thousands of them has gone round.
const (
	suspiciousCost   = 1e3
	suspiciousTokens = 1e9
)

func (w *writer) boundAll(ctx context.Context) error {
	w.narrow = true
	defer func() { w.narrow = false }()
	sessions := make(map[int64]bool)
	if err := w.boundEvents(ctx, sessions); err != nil {
		return err
	}
	const most = `1e15`
	rows, err := w.conn.QueryContext(ctx, `SELECT pk FROM session WHERE abs(moment) > `+most+` OR abs(last_sign) > `+most+`
		OR abs(start_time) > `+most+` OR abs(end_time) > `+most+` OR abs(duration) > `+most+` OR first_token > `+most+` OR abs(rating) > 1e9
		OR cost NOT BETWEEN 0 AND 1e18 OR tokens_in NOT BETWEEN 0 AND 1e18 OR tokens_out NOT BETWEEN 0 AND 1e18`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var pk int64
		if err := rows.Scan(&pk); err != nil {
			return err
		}
		sessions[pk] = true
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if err := w.number(ctx); err != nil {
		return err
	}
	for pk := range sessions {
		if err := w.transaction(func(w *writer) error { return w.remake(ctx, pk) }); err != nil {
			return err
		}
	}
	return nil
}

// boundEvents makes the rows of events anew that hold a number out of bounds, and
// notes their sessions, and those whose sums cannot be trusted.
func (w *writer) boundEvents(ctx context.Context, sessions map[int64]bool) error {
	var session, seq int64
	for {
		n := 0
		var found []entry
		rows, err := w.conn.QueryContext(ctx, `SELECT session, seq, pk, id, row FROM event WHERE (session, seq) > (?, ?) ORDER BY session, seq LIMIT ?`, session, seq, boundAtOnce)
		if err != nil {
			return err
		}
		for ; rows.Next(); n++ {
			var e entry
			var id, row []byte
			if err = rows.Scan(&session, &seq, &e.pk, &id, &row); err != nil {
				break
			}
			r, unpackErr := unpackRow(row, names{})
			if err = unpackErr; err != nil {
				break
			}
			m := r.Measures
			if m != record.Bounded(m) {
				e.id, e.session, e.seq = honeyhive.UUID(id), session, seq
				found = append(found, e)
				sessions[session] = true
			}
			if m.Cost.Or(0) > suspiciousCost || m.TokensIn.Or(0) > suspiciousTokens || m.TokensOut.Or(0) > suspiciousTokens {
				sessions[session] = true
			}
		}
		if err = errors.Join(err, rows.Err(), rows.Close()); err != nil || n == 0 { //nolint:sqlclosecheck // what is written below waits for it
			return err
		}
		err = w.transaction(func(w *writer) error {
			for i := range found {
				if err := w.remakeEvent(&found[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// remakeEvent makes the row of an event anew from its payload.
func (w *writer) remakeEvent(e *entry) error {
	var payload []byte
	var received int64
	if err := w.scan(`SELECT payload, received FROM record WHERE pk = ?`, []any{e.pk}, &payload, &received); err != nil {
		return err
	}
	var p honeyhive.Event
	if err := p.UnmarshalJSON(payload); err != nil {
		return err
	}
	now := count(&p, len(payload), received)
	if err := w.exec(`DELETE FROM event WHERE session = ? AND seq = ?`, e.session, e.seq); err != nil {
		return err
	}
	return w.saveEvent(e, &now)
}

// remake makes the row of a session anew, from its payload and its events.
func (w *writer) remake(ctx context.Context, pk int64) error {
	e := entry{pk: pk, loaded: true}
	var id, payload, parts []byte
	err := w.scan(`SELECT r.id, r.payload, s.parts FROM record r JOIN session s ON s.pk = r.pk WHERE r.pk = ?`, []any{pk}, &id, &payload, &parts)
	if err != nil {
		return err
	}
	e.id = honeyhive.UUID(id)
	old, _, err := record.DecodeParts(parts)
	if err != nil {
		return err
	}
	var p honeyhive.SessionStartRequest
	if err := p.UnmarshalJSON(payload); err != nil {
		return err
	}
	e.own = record.SessionOwn(&p, old.Known)
	e.own.Bytes, e.own.Received = old.Bytes, old.Received

	rows, err := w.conn.QueryContext(ctx, `SELECT received, project, source, row FROM event WHERE session = ?`, pk)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	n := make(names)
	for rows.Next() {
		var c record.Counted
		var row []byte
		if err := rows.Scan(&c.Received, &c.Project, &c.Source, &row); err != nil {
			return err
		}
		if c.EventRow, err = unpackRow(row, n); err != nil {
			return err
		}
		e.totals.Add(&c)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	return w.saveSession(&e, &e.own, &e.totals, false)
}
