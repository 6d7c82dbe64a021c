package sqlite

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// TestSweepOne sweeps with a budget whose time is over: one event goes, and the session
// stays on the list until its last has.
func TestSweepOne(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	const events = 2*sweepAtOnce + 1
	batch := make([]store.Write, events)
	for i := range batch {
		batch[i] = holdEvent(t, i, map[string]any{"n": i})
	}
	holdWrite(t, s, batch...)
	holdIndexed(t, s)
	bare(t, s, func(w *writer) error {
		err := w.transaction(func(w *writer) error {
			_, err := w.doom(honeyhive.SessionID("hold", "session"), newBudget())
			return err
		})
		for left := events; left >= 0; left-- {
			var records, rows, words, doomed int
			if err := w.scan(`SELECT (SELECT count(*) FROM record), (SELECT count(*) FROM event), (SELECT count(*) FROM search_docsize), (SELECT count(*) FROM doomed)`,
				nil, &records, &rows, &words, &doomed); err != nil {
				return err
			}
			if records != left || rows != left || words != left || doomed != 1 {
				t.Errorf("%d records, %d events, %d of the index and %d sessions are left, want %d", records, rows, words, doomed, left)
			}
			b := newBudget()
			b.end = time.Now()
			err = errors.Join(err, w.transaction(func(w *writer) error { _, err := w.sweep(b); return err }))
		}
		var doomed int
		if err := w.scan(`SELECT count(*) FROM doomed`, nil, &doomed); err != nil || doomed != 0 {
			t.Errorf("%d sessions are left, %v", doomed, err)
		}
		return err
	})
}

// TestNextMerge makes steps of a merge shorter that took long.
func TestNextMerge(t *testing.T) {
	for _, c := range []struct {
		pages, want int
		took        time.Duration
	}{
		{16, 8, 2 * mergeStep}, {3, leastMerge, 2 * mergeStep}, {leastMerge, leastMerge, time.Hour},
		{16, 16, mergeStep / 2}, {16, 17, 0}, {mostMerge, mostMerge, 0},
	} {
		if got := nextMerge(c.pages, c.took); got != c.want {
			t.Errorf("after %d pages in %v come %d, want %d", c.pages, c.took, got, c.want)
		}
	}
}

// TestPruneUnsynced counts the transactions of a retention that delete something and
// wait for the disk: the one that takes the session out of sight.
func TestPruneUnsynced(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	batch := make([]store.Write, 5*sweepRows)
	for i := range batch {
		batch[i] = holdEvent(t, i, map[string]any{"n": i})
	}
	holdWrite(t, s, batch...)
	holdIndexed(t, s)
	records, synced, all := len(batch)+1, 0, 0
	bare(t, s, func(w *writer) error {
		w.committed = func() {
			var mode, now int
			err := w.scan(`SELECT count(*) FROM record`, nil, &now)
			if err == nil {
				err = w.conn.QueryRowContext(context.Background(), `PRAGMA synchronous`).Scan(&mode)
			}
			if err != nil {
				t.Error(err)
			}
			if now == records {
				return
			}
			records = now
			if all++; mode == 2 {
				synced++
			}
		}
		return nil
	})
	if _, err := s.Prune(t.Context(), store.Retention{MaxBytes: 1}); err != nil {
		t.Fatal(err)
	}
	bare(t, s, func(*writer) error {
		if synced != 1 || all < len(batch)/sweepRows || records != 0 {
			t.Errorf("%d of %d transactions that delete wait for the disk; %d records are left", synced, all, records)
		}
		return nil
	})
}
