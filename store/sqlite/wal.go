package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	driver "modernc.org/sqlite"
)

// SQLite writes to its log (-wal) first, and copies what stands there into the file
// at a checkpoint. By itself it does so in the midst of a commit, for which all
// writes then wait. Here another connection copies while writes go on; what they
// add meanwhile is little, which the writer copies itself before it begins the log
// anew. The log is written over from its beginning then, since to cut it, and to make
// it longer again, takes the system longer than all else does. A read that runs
// meanwhile still needs the log: then it grows on, and the next try is made when it
// has grown by as much again.
//
// The log is cut when nothing is left to do (cut): after a deletion, since it holds
// what was deleted, and where a read made it long.
const (
	logBytes = 8 << 20
	// logPatience is how long the writer waits for reads, in milliseconds.
	logPatience = 10
	// mostLog is the length from which on the log is cut: so long it was made by a read
	// that took long.
	mostLog = 2 * logBytes
	// logSlack is what deletion and the index may add to a log that is being copied
	// already. Then they wait, or the log would grow faster than it is copied.
	logSlack = logBytes / 4
	// syncBytes is what transactions that do not wait for the disk may leave in the
	// system's memory: the next that does wait, waits for all of it.
	syncBytes = 1 << 20
	// frameBytes is what a page takes there.
	frameBytes = 8192 + 24
)

// A log that is to be cut is looked at every cutPause, until nothing else is left to do,
// or after cutLooks until what was deleted is swept. Where a read needs the log, the
// next look is later, up to mostCutPause.
const (
	cutPause     = 100 * time.Millisecond
	cutLooks     = 50
	mostCutPause = 5 * time.Second
)

// walFile is the name of a log.
type walFile string

// size returns the length of the log, which a store may have none of.
func (f walFile) size() (int64, error) { return sizeOf(string(f)) }

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// startCheckpoints starts what makes checkpoints until the store is closed.
func (s *Store) startCheckpoints() error {
	db, err := sql.Open("sqlite", dsn(s.path, "wal_autocheckpoint(0)"))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	s.log = db
	grown := make(chan struct{}, 1)
	kick := func() {
		select {
		case grown <- struct{}{}:
		default:
		}
	}
	s.w.committed = func() {
		if s.w.logged >= s.w.logLimit {
			s.w.logLimit = s.w.logged + logBytes
			s.w.copying = true
			kick()
		} else if s.w.cut.Load() && !s.w.cutSeen {
			s.w.cutSeen = true
			kick()
		}
	}
	if s.w.cut.Load() {
		kick()
	}
	s.work.Go(func() {
		defer func() { _ = db.Close() }()
		look := time.NewTimer(0)
		defer look.Stop()
		looks, pause := 0, cutPause
		for {
			select {
			case <-grown:
			case <-look.C:
				if !s.w.cut.Load() {
					looks, pause = 0, cutPause
					continue
				}
				if looks++; s.w.untidy() && (looks < cutLooks || s.w.garbage.Load()) {
					look.Reset(cutPause)
					continue
				}
				pause = min(2*pause, mostCutPause)
			case <-s.closed:
				return
			}
			// A disk that is full or damaged fails writes too, which tell of it.
			_ = s.checkpoint(s.open)
			_ = s.restartLog(s.open, looks >= cutLooks)
			if s.w.cut.Load() {
				look.Reset(pause)
			}
		}
	})
	return nil
}

// full reports whether what can wait is to wait until the log is copied.
func (w *writer) full() bool { return w.copying && w.logged > logBytes+logSlack }

// Bounds of what is copied before the writer copies the rest, for which others wait:
// until the last round had no more than so many pages to copy, or after so many rounds.
const (
	checkpointRest   = 64
	checkpointRounds = 4
)

// checkpoint copies what is in the log, beside the writer, until little is added to it
// meanwhile.
func (s *Store) checkpoint(ctx context.Context) error {
	for round, before := 0, 0; round < checkpointRounds; round++ {
		var busy, all, copied int
		if err := s.log.QueryRowContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`).Scan(&busy, &all, &copied); err != nil {
			return err
		}
		if all-before <= checkpointRest {
			break
		}
		before = copied
	}
	return nil
}

// restartLog copies what is left of the log, and begins it anew. It cuts a log that is
// to be cut, where nothing else is left to do, or now.
func (s *Store) restartLog(ctx context.Context, now bool) error {
	return s.submit(ctx, &request{bare: true, run: func(w *writer) error { return w.endCopy(now) }})
}

func (w *writer) endCopy(now bool) error {
	w.copying = false
	size, err := w.log.size()
	if err != nil {
		return err
	}
	if size > mostLog {
		w.cut.Store(true)
	}
	if w.cut.Load() && (now || !w.untidy()) {
		return w.restartLog("TRUNCATE")
	}
	return w.restartLog("RESTART")
}

// emptyLog copies what is left of the log, and gives its room back.
func (s *Store) emptyLog(ctx context.Context) error {
	if err := s.checkpoint(ctx); err != nil {
		return err
	}
	return s.submit(ctx, &request{bare: true, run: func(w *writer) error { return w.restartLog("TRUNCATE") }})
}

func (w *writer) restartLog(mode string) error {
	if err := w.drain(fmt.Sprintf(`PRAGMA busy_timeout = %d`, logPatience)); err != nil {
		return err
	}
	var busy, all, copied int
	err := w.conn.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &all, &copied)
	if err == nil && busy == 0 {
		w.logged, w.logLimit, w.dirty = 0, logBytes, 0
		if mode == "TRUNCATE" {
			w.cutSeen = false
			w.cut.Store(false)
		}
	}
	return errors.Join(err, w.drain(fmt.Sprintf(`PRAGMA busy_timeout = %d`, busyTimeout)))
}

// countLog counts what a transaction added to the log, which may wait for the disk.
func (w *writer) countLog() {
	_ = w.conn.Raw(func(conn any) error {
		pages, _, err := conn.(driver.DBStatus).Status(driver.DBStatusCacheWrite, true)
		w.logged += int64(pages) * frameBytes
		w.dirty += int64(pages) * frameBytes
		w.written += int64(pages) * frameBytes
		if !w.lazy {
			w.dirty = 0
		}
		return err
	})
}

// drain runs a statement until it is through, whatever rows it gives.
func (w *writer) drain(query string) error {
	rows, err := w.conn.QueryContext(context.Background(), query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		continue // there is nothing in them
	}
	return rows.Err()
}

// Size implements [store.Store].
func (s *Store) Size(ctx context.Context) (int64, error) {
	if err := s.usable(ctx); err != nil {
		return 0, s.failed(ctx, "read the size", err)
	}
	file, err := sizeOf(s.path)
	log, err2 := s.w.log.size()
	return file + log, s.failed(ctx, "read the size", errors.Join(err, err2))
}
