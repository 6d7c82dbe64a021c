package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// pagesAtOnce is how many pages one transaction gives back to the system: each may be
// filled with another one, to which a third refers. After vacuumBytes the file is cut,
// since to cut much of it takes the system long.
const (
	pagesAtOnce = 32
	vacuumBytes = 8 << 20
)

// prunePause is how often what deletes in steps looks whether the log is copied.
const prunePause = 2 * time.Millisecond

// Prune implements [store.Store].
func (s *Store) Prune(ctx context.Context, r store.Retention) (store.Pruned, error) {
	total, err := s.prune(ctx, r)
	return total, s.failed(ctx, "prune", err)
}

func (s *Store) prune(ctx context.Context, r store.Retention) (total store.Pruned, err error) {
	if r.MaxAge > 0 {
		if err := s.pruneWaiting(ctx, s.now().Add(-r.MaxAge)); err != nil {
			return total, err
		}
	}
	var sessions, events atomic.Int64 // a request may still run when ctx has ended
	err = s.inSteps(ctx, func(w *writer) (more bool, err error) {
		// Until all is swept that is deleted already, nobody knows what is left.
		if swept, err := w.sweepForAWhile(); !swept || err != nil {
			return true, err
		}
		var step store.Pruned
		done := false
		err = w.transaction(func(w *writer) (err error) {
			step, done, err = w.prune(s.now(), r, newBudget())
			return err
		})
		if err == nil {
			sessions.Add(step.Sessions)
			events.Add(step.Events)
		}
		return !done, err
	})
	total = store.Pruned{Sessions: sessions.Load(), Events: events.Load()}
	if err != nil {
		return total, err
	}
	return total, s.vacuum(ctx, r.MaxBytes)
}

// pause waits, until the store is closed.
func (s *Store) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.closed:
	}
	return s.usable(ctx)
}

// pruneWaiting deletes updates that have waited since a moment.
func (s *Store) pruneWaiting(ctx context.Context, since time.Time) error {
	for {
		var ids [][]byte
		err := s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
			ids = nil
			rows, err := tx.QueryContext(ctx, `SELECT id FROM record WHERE kind = 0 AND received < ? LIMIT ?`, since.UnixNano(), newBudget().rows)
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			for rows.Next() {
				var id []byte
				if err := rows.Scan(&id); err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return rows.Err()
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		err = s.submit(ctx, &request{run: func(w *writer) error {
			for b := newBudget(); len(ids) > 0 && b.left(); ids = ids[1:] {
				e, _, err := w.find(honeyhive.UUID(ids[0]), 0)
				if err == nil && e.stored && e.kind == record.Unknown && e.received < since.UnixNano() {
					err = w.deleteRecord(e.pk, b)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}})
		if err != nil {
			return err
		}
	}
}

// prune deletes some of the oldest sessions that are too many, or sweeps some of
// what is deleted already: without that nobody knows what is left.
func (w *writer) prune(now time.Time, r store.Retention, b *budget) (p store.Pruned, done bool, err error) {
	oldest := milliseconds(now.Add(-r.MaxAge))
	for b.left() {
		if more, err := w.sweep(b); more || err != nil {
			return p, false, err
		}
		used, err := w.used()
		if err != nil {
			return p, false, err
		}
		var id []byte
		var last float64
		err = w.scan(`SELECT id, last_sign FROM session ORDER BY last_sign, id LIMIT 1`, nil, &id, &last)
		if errors.Is(err, sql.ErrNoRows) {
			return p, true, nil
		}
		if err != nil {
			return p, false, err
		}
		if !(r.MaxAge > 0 && last < oldest) && (r.MaxBytes <= 0 || used <= r.MaxBytes) {
			return p, true, w.trimDeletions()
		}
		n, err := w.doom(honeyhive.UUID(id), b)
		if err != nil {
			return p, false, err
		}
		p.Sessions++
		p.Events += n
	}
	return p, false, w.trimDeletions()
}

// used returns the bytes of the file that are in use.
func (w *writer) used() (int64, error) {
	var n int64
	err := w.scan(usedQuery, nil, &n)
	return n, err
}

const usedQuery = `SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) - (SELECT freelist_count FROM pragma_freelist_count) * (SELECT page_size FROM pragma_page_size)`

// vacuum gives what was freed back to the system, piece by piece, until the file is
// no larger than most, or all of it where that is 0, and the log. What is left is used
// again.
func (s *Store) vacuum(ctx context.Context, most int64) error {
	for last := int64(-1); ; {
		var file, free int64
		err := s.submit(ctx, &request{bare: true, run: func(w *writer) error {
			if err := w.scan(`SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size), (SELECT freelist_count FROM pragma_freelist_count)`, nil, &file, &free); err != nil {
				return err
			}
			if file <= most {
				free = 0
			}
			if free == 0 {
				return nil
			}
			return w.unsynced(func(w *writer) error { return w.drain(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, pagesAtOnce)) })
		}})
		if err != nil {
			return err
		}
		if free == 0 {
			return s.emptyLog(ctx) // which makes the file as short as that
		}
		if last < 0 {
			last = file
		}
		if last-file >= vacuumBytes {
			last = file
			if err := errors.Join(s.checkpoint(ctx), s.restartLog(ctx, false)); err != nil {
				return err
			}
		}
	}
}
