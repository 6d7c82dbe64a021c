package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	driver "modernc.org/sqlite"
)

// SQLite writes to its log (-wal) first, and copies what stands there into the file
// at a checkpoint. By itself it does so in the midst of a commit, for which all
// writes then wait. Here another connection copies while writes go on; what they
// add meanwhile is little, which the writer copies itself before it begins the log
// anew. The log is written over from its beginning then, and is not cut, since to cut
// it takes the system longer than all else does. A read that runs meanwhile still
// needs the log: then it grows on, and the next try is made when it has grown by as
// much again.
const (
	logBytes = 8 << 20
	// logPatience is how long the writer waits for reads, in milliseconds.
	logPatience = 10
	// mostLog is the length from which on the log is cut: so long it was made by a read
	// that took long.
	mostLog = 2 * logBytes
	// frameBytes is what a page takes there.
	frameBytes = 8192 + 24
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
	grown := make(chan struct{}, 1)
	s.w.committed = func() {
		if s.w.logged < s.w.logLimit {
			return
		}
		s.w.logLimit = s.w.logged + logBytes
		select {
		case grown <- struct{}{}:
		default:
		}
	}
	s.work.Go(func() {
		defer func() { _ = db.Close() }()
		for {
			select {
			case <-grown:
			case <-s.closed:
				return
			}
			// A disk that is full or damaged fails writes too, which tell of it.
			if s.checkpoint(db) == nil {
				_ = s.restartLog(s.open)
			}
		}
	})
	return nil
}

// Bounds of what is copied before the writer copies the rest, for which others wait:
// until the last round had no more than so many pages to copy, or after so many rounds.
const (
	checkpointRest   = 64
	checkpointRounds = 4
)

// checkpoint copies what is in the log, beside the writer, until little is added to it
// meanwhile.
func (s *Store) checkpoint(db *sql.DB) error {
	for round, before := 0, 0; round < checkpointRounds; round++ {
		var busy, all, copied int
		if err := db.QueryRowContext(s.open, `PRAGMA wal_checkpoint(PASSIVE)`).Scan(&busy, &all, &copied); err != nil {
			return err
		}
		if all-before <= checkpointRest {
			break
		}
		before = copied
	}
	return nil
}

// restartLog copies what is left of the log, and begins it anew.
func (s *Store) restartLog(ctx context.Context) error {
	return s.submit(ctx, &request{bare: true, run: func(w *writer) error {
		size, err := w.log.size()
		if err == nil && size > mostLog {
			return w.restartLog("TRUNCATE")
		}
		return errors.Join(err, w.restartLog("RESTART"))
	}})
}

// emptyLog copies what is left of the log, and gives its room back.
func (s *Store) emptyLog(ctx context.Context) error {
	return s.submit(ctx, &request{bare: true, run: func(w *writer) error { return w.restartLog("TRUNCATE") }})
}

func (w *writer) restartLog(mode string) error {
	if err := w.drain(fmt.Sprintf(`PRAGMA busy_timeout = %d`, logPatience)); err != nil {
		return err
	}
	var busy, all, copied int
	err := w.conn.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &all, &copied)
	if err == nil && busy == 0 {
		w.logged, w.logLimit = 0, logBytes
	}
	return errors.Join(err, w.drain(fmt.Sprintf(`PRAGMA busy_timeout = %d`, busyTimeout)))
}

// countLog counts what a transaction added to the log.
func (w *writer) countLog() {
	_ = w.conn.Raw(func(conn any) error {
		pages, _, err := conn.(driver.DBStatus).Status(driver.DBStatusCacheWrite, true)
		w.logged += int64(pages) * frameBytes
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
