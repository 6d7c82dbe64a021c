package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// keptDeletions is how many deleted sessions a store tells of.
const keptDeletions = 100_000

// Changes implements [store.Store].
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	list, err := s.changes(ctx, after, limit)
	return list, s.failed(ctx, "read changes", err)
}

func (s *Store) changes(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = 1000
	}
	seen, _ := s.w.latest()
	if after > seen {
		return nil, store.ErrCursorExpired
	}
	// One statement, so that what expires meanwhile is not missed.
	rows, err := s.read.QueryContext(ctx, `SELECT value, x'', -1 FROM meta WHERE key = 'expired'
		UNION ALL SELECT * FROM (SELECT seq, id, 0 FROM session WHERE seq > ?1 UNION ALL SELECT seq, id, 1 FROM deleted WHERE seq > ?1 ORDER BY seq LIMIT ?2)`, after, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []store.Change
	for rows.Next() {
		var c store.Change
		var id []byte
		var kind int
		if err := rows.Scan(&c.Seq, &id, &kind); err != nil {
			return nil, err
		}
		if kind < 0 {
			if after < c.Seq {
				return nil, store.ErrCursorExpired
			}
			continue
		}
		copy(c.Session[:], id)
		c.Deleted = kind == 1
		list = append(list, c)
	}
	return list, rows.Err()
}

// latest returns the last sequence number, and what is closed at the next.
func (w *writer) latest() (int64, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen, w.changed
}

// WaitChange implements [store.Store].
func (s *Store) WaitChange(ctx context.Context, after int64) error {
	for {
		if err := s.usable(ctx); err != nil {
			return s.failed(ctx, "wait for a change", err)
		}
		seen, changed := s.w.latest()
		if seen > after {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-s.closed:
		}
	}
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, sessions ...honeyhive.UUID) error {
	err := s.submit(ctx, &request{run: func(w *writer) error {
		for _, id := range sessions {
			if _, err := w.deleteSession(id); err != nil {
				return err
			}
		}
		return w.trimDeletions()
	}})
	return s.failed(ctx, "delete sessions", err)
}

// deleteSession removes a session and all that is known of it, and returns how
// many events it had. What is not known is no error.
func (w *writer) deleteSession(id honeyhive.UUID) (events int64, err error) {
	var pk, kind int64
	err = w.scan(`SELECT ifnull(max(pk), 0), ifnull(max(kind), 0) FROM record WHERE id = ? AND kind <> 2`, []any{id[:]}, &pk, &kind)
	if err != nil || pk == 0 {
		return 0, err
	}
	if kind == 1 {
		if err := w.scan(`SELECT count(*) FROM event WHERE session = ?`, []any{pk}, &events); err != nil {
			return 0, err
		}
		err = w.execAll([]any{pk},
			`DELETE FROM search WHERE rowid IN (SELECT pk FROM event WHERE session = ?1 UNION ALL SELECT ?1)`,
			`DELETE FROM unindexed WHERE pk IN (SELECT pk FROM event WHERE session = ?1 UNION ALL SELECT ?1)`,
			`DELETE FROM record WHERE pk IN (SELECT pk FROM event WHERE session = ?1)`,
			`DELETE FROM event WHERE session = ?1`,
			`DELETE FROM session WHERE pk = ?1`)
		if err == nil {
			err = w.exec(`INSERT INTO deleted VALUES (?, ?)`, w.nextSeq(), id[:])
		}
		if err != nil {
			return 0, err
		}
	}
	return events, w.exec(`DELETE FROM record WHERE pk = ?`, pk)
}

// trimDeletions forgets the oldest deletions, and remembers up to where.
func (w *writer) trimDeletions() error {
	err := w.exec(`UPDATE meta SET value = max(value, ifnull((SELECT seq FROM deleted ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)) WHERE key = 'expired'`, keptDeletions)
	if err != nil {
		return err
	}
	return w.exec(`DELETE FROM deleted WHERE seq <= (SELECT value FROM meta WHERE key = 'expired')`)
}

// pruneAtOnce is how many sessions one transaction of Prune deletes, and how
// many pages one gives back to the system: writes wait meanwhile.
const (
	pruneAtOnce = 20
	pagesAtOnce = 500
)

// Prune implements [store.Store].
func (s *Store) Prune(ctx context.Context, r store.Retention) (store.Pruned, error) {
	var total store.Pruned
	for {
		var step store.Pruned
		err := s.submit(ctx, &request{run: func(w *writer) error {
			var err error
			step, err = w.prune(s.now(), r)
			return err
		}})
		if err != nil {
			return total, s.failed(ctx, "prune", err)
		}
		if step.Sessions == 0 {
			return total, s.failed(ctx, "prune", s.vacuum(ctx))
		}
		total.Sessions += step.Sessions
		total.Events += step.Events
	}
}

// prune deletes some of the oldest sessions that are too many.
func (w *writer) prune(now time.Time, r store.Retention) (store.Pruned, error) {
	var p store.Pruned
	oldest := now.Add(-r.MaxAge)
	if r.MaxAge > 0 {
		if err := w.exec(`DELETE FROM record WHERE kind = 0 AND received < ?`, oldest.UnixNano()); err != nil {
			return p, err
		}
	}
	for p.Sessions < pruneAtOnce {
		used, err := w.used()
		if err != nil {
			return p, err
		}
		var id []byte
		var last float64
		if err := w.scan(`SELECT ifnull(max(id), x''), ifnull(max(last_sign), 0) FROM (SELECT id, last_sign FROM session ORDER BY last_sign, id LIMIT 1)`, nil, &id, &last); err != nil {
			return p, err
		}
		old := r.MaxAge > 0 && last < milliseconds(oldest)
		if len(id) == 0 || !old && (r.MaxBytes <= 0 || used <= r.MaxBytes) {
			break
		}
		n, err := w.deleteSession(honeyhive.UUID(id))
		if err != nil {
			return p, err
		}
		p.Sessions++
		p.Events += n
	}
	return p, w.trimDeletions()
}

// used returns the bytes of the file that are in use.
func (w *writer) used() (int64, error) {
	var n int64
	err := w.scan(usedQuery, nil, &n)
	return n, err
}

const usedQuery = `SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) - (SELECT freelist_count FROM pragma_freelist_count) * (SELECT page_size FROM pragma_page_size)`

// vacuum gives what was freed back to the system, piece by piece.
func (s *Store) vacuum(ctx context.Context) error {
	for {
		var free int64
		err := s.submit(ctx, &request{run: func(w *writer) error {
			if err := w.drain(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, pagesAtOnce)); err != nil {
				return err
			}
			return w.scan(`SELECT freelist_count FROM pragma_freelist_count`, nil, &free)
		}})
		if err != nil || free == 0 {
			return err
		}
	}
}

// lastSeq is the number of the last change.
const lastSeq = `max((SELECT ifnull(max(seq), 0) FROM session), (SELECT ifnull(max(seq), 0) FROM deleted))`

// Seq implements [store.Store].
func (s *Store) Seq(ctx context.Context) (seq int64, err error) {
	if err = s.usable(ctx); err == nil {
		err = s.read.QueryRowContext(ctx, `SELECT `+lastSeq).Scan(&seq)
	}
	return seq, s.failed(ctx, "read the last change", err)
}

// Info implements [store.Store].
func (s *Store) Info(ctx context.Context) (store.Info, error) {
	info, err := s.info(ctx)
	return info, s.failed(ctx, "read what the store holds", err)
}

func (s *Store) info(ctx context.Context) (store.Info, error) {
	var info store.Info
	if err := s.usable(ctx); err != nil {
		return info, err
	}
	err := s.read.QueryRowContext(ctx, `SELECT `+lastSeq+`,
		(SELECT count(*) FROM session), (SELECT count(*) FROM session WHERE status = 'orphan'), (SELECT ifnull(sum(events), 0) FROM session),
		(SELECT count(*) FROM record WHERE kind = 0), (SELECT count(*) FROM unindexed), (`+usedQuery+`)`).
		Scan(&info.Seq, &info.Sessions, &info.Orphans, &info.Events, &info.Waiting, &info.Unindexed, &info.Bytes)
	return info, err
}
