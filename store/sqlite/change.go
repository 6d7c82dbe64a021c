package sqlite

import (
	"context"
	"time"

	"github.com/sessionspan/sessionspan/store"
)

// Changes implements [store.Store].
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	list, err := s.changes(ctx, after, limit)
	return list, s.failed(ctx, "read changes", err)
}

func (s *Store) changes(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
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

// lastSeq is the number of the last change.
const lastSeq = `max((SELECT ifnull(max(seq), 0) FROM session), (SELECT ifnull(max(seq), 0) FROM deleted))`

// Seq implements [store.Store].
func (s *Store) Seq(ctx context.Context) (seq int64, err error) {
	reading, done, err := s.reading(ctx)
	if err == nil {
		defer done()
		err = s.read.QueryRowContext(reading, `SELECT `+lastSeq).Scan(&seq)
	}
	return seq, s.failed(ctx, "read the last change", err)
}

// syncPause is how often Sync looks.
const syncPause = 5 * time.Millisecond

// Sync implements [store.Store].
func (s *Store) Sync(ctx context.Context) error {
	for {
		left, err := s.lags(ctx)
		if err == nil && left {
			err = s.pause(ctx, syncPause)
		}
		if err != nil || !left {
			return s.failed(ctx, "wait for what is computed", err)
		}
	}
}

// lags reports whether something is yet to be computed or indexed.
func (s *Store) lags(ctx context.Context) (left bool, err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM stale) OR EXISTS (SELECT 1 FROM unindexed)`).Scan(&left)
	return left, err
}

// Info implements [store.Store].
func (s *Store) Info(ctx context.Context) (store.Info, error) {
	info, err := s.info(ctx)
	return info, s.failed(ctx, "read what the store holds", err)
}

func (s *Store) info(ctx context.Context) (store.Info, error) {
	var info store.Info
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return info, err
	}
	defer done()
	err = s.read.QueryRowContext(ctx, `SELECT `+lastSeq+`,
		(SELECT count(*) FROM session), (SELECT count(*) FROM session WHERE status = 'orphan'), (SELECT ifnull(sum(events), 0) FROM session),
		(SELECT count(*) FROM record WHERE kind = 0), (SELECT count(*) FROM unindexed), (SELECT count(*) FROM stale), (`+usedQuery+`)`).
		Scan(&info.Seq, &info.Sessions, &info.Orphans, &info.Events, &info.Waiting, &info.Unindexed, &info.Stale, &info.Bytes)
	return info, err
}
