package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// A session is deleted in two stages. It is doomed: its row and its record go, and
// its key is noted, in one transaction; nobody sees it or its events from then on,
// and what comes for their ids is new. Then its events are swept, and the texts of
// it all, some in each transaction. The sweep goes on where it was after a restart,
// since what is left to do stands in the database.

// keptDeletions is how many deleted sessions a store tells of.
const keptDeletions = 100_000

// A budget is what a transaction may delete. Words are those that the index has: it
// reads what is deleted when it merges the rest, so that must not be much. A row may
// take long, by what hangs on it and by what else the machine does, so time counts too.
type budget struct {
	rows, bytes, words int64
	end                time.Time
}

const (
	sweepRows  = 100
	sweepBytes = 1 << 20 // which are written over with zeros, page by page
	sweepWords = 512 << 10
	sweepStep  = 5 * time.Millisecond
)

func newBudget() *budget {
	return &budget{sweepRows, sweepBytes, sweepWords, time.Now().Add(sweepStep)}
}

func (b *budget) spend(rows, bytes int64) { b.rows, b.bytes = b.rows-rows, b.bytes-bytes }

// left reports whether there is anything left. A budget of which nothing is spent yet
// has time left: otherwise nothing would ever be done.
func (b *budget) left() bool {
	return b.rows > 0 && b.bytes > 0 && b.words > 0 && (b.rows == sweepRows || time.Now().Before(b.end))
}

// sweepTime is how long the writer goes on with transactions that delete, when
// others wait, and sweepLog how many bytes these may write meanwhile.
const (
	sweepTime = 15 * time.Millisecond
	sweepLog  = 1 << 20
)

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, sessions ...honeyhive.UUID) error {
	var err error
	for done := false; err == nil && !done; { // after an error the request may still run
		err = s.submit(ctx, &request{run: func(w *writer) error {
			left := sessions
			for b := newBudget(); len(left) > 0 && b.left(); left = left[1:] {
				if _, err := w.doom(left[0], b); err != nil {
					return err
				}
			}
			sessions, done = left, len(left) == 0
			return w.trimDeletions()
		}})
	}
	return s.failed(ctx, "delete sessions", err)
}

// doom deletes a session but for its events, with all that is part of it, or an update
// that waits for it, and returns how many events it had. What is not known is no error.
func (w *writer) doom(id honeyhive.UUID, b *budget) (events int64, err error) {
	ctx := context.Background()
	if id, err = follow(ctx, w, id); err != nil {
		return 0, err
	}
	e, _, err := w.find(id, 0)
	if err != nil || e.kind == record.Event {
		return 0, err
	}
	g := &group{id: id}
	if _, err := readGroup(ctx, w, g); err != nil {
		return 0, err
	}
	b.spend(1, 0)
	if e.stored && e.kind == record.Session {
		err := w.scan(`SELECT events FROM session WHERE pk = ?`, []any{e.pk}, &events)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		if err == nil {
			if err := w.execAll([]any{e.pk}, `DELETE FROM session WHERE pk = ?`, `DELETE FROM stale WHERE pk = ?`); err != nil {
				return 0, err
			}
			if err := w.exec(`INSERT INTO deleted VALUES (?, ?)`, w.nextSeq(), id[:]); err != nil {
				return 0, err
			}
		}
	}
	if e.stored {
		if err := w.doomPart(e.pk, e.kind == record.Session, b); err != nil {
			return 0, err
		}
	}
	for i := range g.members {
		b.spend(1, 0)
		part, _, err := w.find(g.members[i].ID, 0)
		if err == nil && part.stored && part.kind != record.Event {
			err = w.doomPart(part.pk, part.kind == record.Session, b)
		}
		if err != nil {
			return 0, err
		}
	}
	return events, w.unjoin(g)
}

// doomPart deletes a session, or one that is part of another, but for its events.
func (w *writer) doomPart(pk int64, isSession bool, b *budget) error {
	w.cut.Store(true) // the log has what it says
	if isSession {
		if err := w.execAll([]any{pk}, `DELETE FROM search WHERE rowid = ?`, `DELETE FROM unindexed WHERE pk = ?`, `DELETE FROM attempt WHERE pk = ?`); err != nil {
			return err
		}
		w.unmerged.Store(true)
		w.garbage.Store(true)
		if err := w.exec(`INSERT INTO doomed SELECT ?1 WHERE EXISTS (SELECT 1 FROM event WHERE session = ?1)`, pk); err != nil {
			return err
		}
	}
	return w.deleteRecord(pk, b)
}

// unjoin deletes what ties a session to others. Sessions that were joined to it and to
// others too may be part of another one from then on.
func (w *writer) unjoin(g *group) error {
	st := newState(w)
	ids := []honeyhive.UUID{g.id}
	for i := range g.members {
		ids = append(ids, g.members[i].ID)
	}
	for _, id := range ids {
		traces, err := w.tracesOf(id)
		if err != nil {
			return err
		}
		for _, trace := range traces {
			st.traces[trace] = &touchedTrace{joined: true}
		}
		if err := w.execAll([]any{id[:]}, `DELETE FROM joined WHERE origin = ?`, `DELETE FROM home WHERE origin = ?`); err != nil {
			return err
		}
	}
	if err := w.exec(`DELETE FROM joined WHERE target = ?`, g.id[:]); err != nil {
		return err
	}
	for trace := range st.traces {
		// What is left of the trace is forgotten with its edges.
		if err := w.exec(`INSERT OR REPLACE INTO silent SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM joined WHERE trace = ?1)`, trace[:]); err != nil {
			return err
		}
		w.garbage.Store(true)
	}
	return st.flush()
}

// tracesOf returns the traces that are about a session.
func (w *writer) tracesOf(id honeyhive.UUID) (list []honeyhive.UUID, err error) {
	rows, err := w.QueryContext(context.Background(), `SELECT trace FROM joined WHERE origin = ?1 UNION SELECT trace FROM joined WHERE target = ?1 UNION SELECT trace FROM home WHERE origin = ?1`, id[:])
	if err != nil {
		return nil, err
	}
	err = each(rows, func(row scanner) error {
		var trace []byte
		err := row.Scan(&trace)
		list = append(list, honeyhive.UUID(trace))
		return err
	})
	return list, err
}

// places are the columns of a record that hold places of texts, and the size of both.
type places struct {
	columns [2][]byte // layers and payload
	size    int64
}

const placesQuery = `CASE WHEN length(r.layers) = ?1 THEN r.layers END, CASE WHEN length(r.payload) = ?1 THEN r.payload END,
	ifnull(length(r.layers), 0) + ifnull(length(r.payload), 0)`

// spend takes what it takes to delete the record from a budget.
func (p *places) spend(b *budget) {
	b.spend(0, p.size)
	if b.words -= min(p.size, record.MaxText); len(p.columns[1]) > 0 { // the text is elsewhere
		b.words -= record.MaxText
	}
}

// deleteRecord deletes what is known of an id.
func (w *writer) deleteRecord(pk int64, b *budget) error {
	var p places
	err := w.scan(`SELECT `+placesQuery+` FROM record r WHERE pk = ?2`, []any{columnBytes, pk}, &p.columns[0], &p.columns[1], &p.size)
	if err != nil {
		return err
	}
	p.spend(b)
	if err := w.exec(`DELETE FROM record WHERE pk = ?`, pk); err != nil {
		return err
	}
	return w.release(p.columns[:]...)
}

// deleteEvent deletes a doomed event before its turn.
func (w *writer) deleteEvent(e *entry) error {
	if err := w.execAll([]any{e.pk}, `DELETE FROM search WHERE rowid = ?`, `DELETE FROM unindexed WHERE pk = ?`); err != nil {
		return err
	}
	if err := w.exec(`DELETE FROM event WHERE session = ? AND seq = ?`, e.session, e.seq); err != nil {
		return err
	}
	return w.deleteRecord(e.pk, newBudget())
}

// tidy deletes some of what is left to delete, and merges what that makes the index
// merge.
func (w *writer) tidy() {
	// A disk that is full or damaged fails writes too, which tell of it; this is
	// tried again after the next deletion.
	if _, err := w.sweepForAWhile(); err != nil {
		w.garbage.Store(false)
		w.unmerged.Store(false)
	}
}

// sweepForAWhile runs transactions that delete and merge until nothing is left to, or
// others have waited for long enough. What the index is to merge goes first: the more
// of a segment is deleted, the longer it takes to merge as much of it.
func (w *writer) sweepForAWhile() (done bool, err error) {
	written := w.written
	for start := time.Now(); !done && err == nil && time.Since(start) < sweepTime && w.written-written < sweepLog; {
		switch {
		case w.unmerged.Load():
			err = w.unsynced(func(w *writer) error { return w.merge(false) })
		case w.garbage.Swap(false): // whoever adds to it meanwhile says so
			err = w.unsynced(func(w *writer) error {
				more, err := w.sweep(newBudget())
				if more {
					w.garbage.Store(true)
				}
				return err
			})
		default:
			done = true
		}
	}
	return done, err
}

// sweep deletes unused parts of texts and doomed events, as many as the budget has room
// for, and reports whether more may be left.
func (w *writer) sweep(b *budget) (more bool, err error) {
	for after := int64(0); b.left(); {
		key, err := w.unused(after)
		if err != nil {
			return true, err
		}
		if key != 0 {
			after, err = key, w.sweepPart(key, b)
		} else {
			var session int64
			if err := w.scan(`SELECT ifnull(min(session), 0) FROM doomed`, nil, &session); err != nil {
				return false, err
			}
			if session == 0 {
				if more, err := w.sweepSilent(time.Now(), b); !more || err != nil {
					return false, err
				}
				continue
			}
			after, err = 0, w.sweepEvents(session, b)
		}
		if err != nil {
			return true, err
		}
	}
	return true, nil
}

// unused returns the first part after a key that no record has and nobody is writing,
// or 0.
func (w *writer) unused(after int64) (key int64, err error) {
	for {
		err = w.scan(`SELECT ifnull(min(key), 0) FROM unused WHERE key > ?`, []any{after}, &key)
		if err != nil || key == 0 || !w.isStaged(key>>partBits) {
			return key, err
		}
		after = key | fallbackPart // the last one of the same body
	}
}

func (w *writer) sweepPart(key int64, b *budget) error {
	var size int64
	err := w.scan(`SELECT length(part) FROM body WHERE key = ?`, []any{key}, &size)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	b.spend(1, size)
	return w.execAll([]any{key}, `DELETE FROM body WHERE key = ?`, `DELETE FROM unused WHERE key = ?`)
}

// sweepAtOnce is how many events one statement deletes: to run one takes as long as to
// delete a row or two.
const sweepAtOnce = 16

// sweepEvents deletes events of a session, from the first one on.
func (w *writer) sweepEvents(session int64, b *budget) error {
	for b.left() {
		last, found, err := w.doomedEvents(session, b)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return w.exec(`DELETE FROM doomed WHERE session = ?`, session)
		}
		w.unmerged.Store(true)
		if err := w.execAll(found, `DELETE FROM search WHERE rowid IN `+sweepList, `DELETE FROM unindexed WHERE pk IN `+sweepList, `DELETE FROM record WHERE pk IN `+sweepList); err != nil {
			return err
		}
		if err := w.exec(`DELETE FROM event WHERE session = ? AND seq <= ?`, session, last); err != nil {
			return err
		}
	}
	return nil
}

// sweepList has room for the keys of sweepAtOnce records.
var sweepList = "(?" + strings.Repeat(", ?", sweepAtOnce-1) + ")"

// doomedEvents returns the keys of the first events of a session, as many as sweepList
// takes, with zeros behind them, or none where there are none, and the number of the
// last one. It spends what they take, and releases their texts.
func (w *writer) doomedEvents(session int64, b *budget) (last int64, keys []any, err error) {
	rows, err := w.QueryContext(context.Background(), `SELECT e.seq, e.pk, `+placesQuery+` FROM event e LEFT JOIN record r ON r.pk = e.pk WHERE e.session = ?2 ORDER BY e.seq LIMIT ?3`,
		columnBytes, session, min(b.rows, sweepAtOnce))
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = rows.Close() }()
	var texts [][]byte
	for more := true; more && rows.Next(); more = b.left() {
		var pk int64
		var p places
		if err := rows.Scan(&last, &pk, &p.columns[0], &p.columns[1], &p.size); err != nil {
			return 0, nil, err
		}
		keys, texts = append(keys, pk), append(texts, p.columns[:]...)
		b.spend(1, 0)
		p.spend(b)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(keys) == 0 {
		return 0, nil, err
	}
	for len(keys) < sweepAtOnce {
		keys = append(keys, 0)
	}
	return last, keys, w.release(texts...)
}

// trimDeletions forgets the oldest deletions, and remembers up to where.
func (w *writer) trimDeletions() error {
	err := w.exec(`UPDATE meta SET value = max(value, ifnull((SELECT seq FROM deleted ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)) WHERE key = 'expired'`, keptDeletions)
	if err != nil {
		return err
	}
	return w.exec(`DELETE FROM deleted WHERE seq <= (SELECT value FROM meta WHERE key = 'expired')`)
}
