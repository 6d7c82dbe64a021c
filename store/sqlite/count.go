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

// Sessions that are too large to be computed in the midst of a write are computed on a
// goroutine of their own, which reads beside the writer and hands it what comes of it,
// in steps. Which ones are left to do stands in the database, so a restart forgets
// none; after the schema has changed these are all sessions.

// countPause is the least time between two rounds; a round that takes longer is
// followed by a longer one, so that a session that changes all the time takes no more
// than a part of a core.
const (
	countPause = 50 * time.Millisecond
	mostPause  = 700 * time.Millisecond
	countRound = 256 // sessions of one round
	// countAtOnce is how many sessions are written in one transaction.
	countAtOnce = 16
)

// startCounting starts what computes sessions until the store is closed.
func (s *Store) startCounting() {
	wake := make(chan struct{}, 1)
	wake <- struct{}{} // some may be left of the last time
	s.w.stale = func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	s.work.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		silence := time.NewTicker(time.Minute)
		defer silence.Stop()
		for {
			select {
			case <-wake:
			case <-silence.C: // traces without events have grown older
				_ = s.submit(s.open, &request{bare: true, run: func(w *writer) error {
					w.garbage.Store(w.garbage.Load() || w.silent.Load())
					return nil
				}})
				continue
			case <-s.closed:
				return
			}
			begin := time.Now()
			// A disk that is full or damaged fails writes too, which tell of it.
			if more, err := s.countStale(s.open); more && err == nil {
				s.w.stale()
			}
			timer.Reset(min(max(countPause, 2*time.Since(begin)), mostPause))
			select {
			case <-timer.C:
			case <-s.closed:
				return
			}
		}
	})
}

// countStale computes some of the sessions that are stale, and reports whether some
// are left.
func (s *Store) countStale(ctx context.Context) (more bool, err error) {
	var pks []int64
	rows, err := s.read.QueryContext(ctx, `SELECT pk FROM stale ORDER BY pk LIMIT ?`, countRound)
	if err != nil {
		return false, err
	}
	err = each(rows, func(row scanner) error {
		var pk int64
		err := row.Scan(&pk)
		pks = append(pks, pk)
		return err
	})
	if err != nil {
		return false, err
	}
	more = len(pks) == countRound
	var changed atomic.Bool // a request may still run when submit has returned, as the store is closed
	for len(pks) > 0 {
		n := min(len(pks), countAtOnce)
		var steps []func(*writer) (again bool, err error)
		for _, pk := range pks[:n] {
			step, err := s.count(ctx, pk)
			if errors.Is(err, store.ErrCorrupt) { // which its readers are told of; others are not to wait for it
				step, err = uncounted(pk), nil
			}
			if err != nil {
				return false, err
			}
			steps = append(steps, step)
		}
		err := s.submit(ctx, &request{run: func(w *writer) error {
			for _, step := range steps {
				again, err := step(w)
				if err != nil {
					return err
				}
				if again {
					changed.Store(true)
				}
			}
			return nil
		}})
		if err != nil {
			return false, err
		}
		pks = pks[n:]
	}
	return more || changed.Load(), nil
}

// uncounted takes a session off the list.
func uncounted(pk int64) func(*writer) (bool, error) {
	return func(w *writer) (bool, error) { return false, w.exec(`DELETE FROM stale WHERE pk = ?`, pk) }
}

// count computes a session as it is, and returns what writes what comes of that, which
// reports whether the session has changed meanwhile.
func (s *Store) count(ctx context.Context, pk int64) (write func(*writer) (again bool, err error), err error) {
	var g group
	var seq int64
	var c *counted
	var changes []change
	err = s.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var id []byte
		if err := tx.QueryRowContext(ctx, `SELECT id, seq FROM session WHERE pk = ?`, pk).Scan(&id, &seq); err != nil {
			return err
		}
		g = group{id: honeyhive.UUID(id), pks: []int64{pk}}
		best, err := readGroup(ctx, tx, &g)
		if err != nil {
			return err
		}
		c, changes, err = countGroup(ctx, tx, &g, best != nil, s.prices, true)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) { // it is no longer there
		return uncounted(pk), nil
	}
	for len(changes) > stepWrites/countAtOnce && err == nil {
		step := changes[:min(len(changes), stepWrites)]
		err = s.submit(ctx, &request{run: func(w *writer) error { return w.recount(step) }})
		changes = changes[len(step):]
	}
	if err != nil {
		return nil, fmt.Errorf("count session: %w", err)
	}
	return func(w *writer) (again bool, err error) {
		var now int64
		if err := w.scan(`SELECT seq FROM session WHERE pk = ?`, []any{pk}, &now); errors.Is(err, sql.ErrNoRows) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		if err := w.recount(changes); err != nil {
			return false, err
		}
		st := newState(w)
		e, err := st.entry(g.id)
		if err == nil {
			err = st.load(e)
		}
		if err != nil {
			return false, err
		}
		if again = now != seq; !again {
			if _, err := uncounted(pk)(w); err != nil {
				return false, err
			}
		}
		e.counted = c
		totals := e.totals
		for i := range g.members {
			totals.Merge(&g.members[i].Totals)
		}
		return again, st.saveGroup(e, g.members, &totals, g.best())
	}, nil
}

// readGroup reads all that is part of a session.
func readGroup(ctx context.Context, q querier, g *group) (*record.Choice, error) {
	rows, err := q.QueryContext(ctx, membersQuery, g.id[:], -1)
	if err == nil {
		err = g.readMembers(rows, -1)
	}
	if err != nil {
		return nil, err
	}
	rows, err = q.QueryContext(ctx, `SELECT trace, choice FROM home WHERE origin = ?1 AND target = ?1`, g.id[:])
	if err != nil {
		return nil, err
	}
	err = each(rows, func(row scanner) error { return g.readSelf(row) })
	return g.best(), err
}
