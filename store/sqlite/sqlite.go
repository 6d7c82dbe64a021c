// Package sqlite is a [store.Store] in one SQLite file. It needs no C compiler.
//
// One process has a store open at a time: a second one is told [store.ErrInUse].
// Inside the process one goroutine writes, several read, and neither waits for
// the other. Writes that come together share a transaction and one sync of the
// disk; each is acknowledged after it.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/store"
)

// Store is a [store.Store] in a file. Make one by [Open].
type Store struct {
	read *sql.DB // several connections that cannot write
	w    *writer
	lock *lock
	now  func() time.Time

	closing sync.Once
	closed  chan struct{} // closed when Close begins
	err     error         // of Close
}

var _ store.Store = (*Store)(nil)

// DefaultPath returns where a user's sessions are kept: sessionspan/sessions.db
// in $XDG_DATA_HOME (~/.local/share where it is not set), on macOS in
// ~/Library/Application Support, on Windows in %LocalAppData%.
func DefaultPath() (string, error) {
	dir, err := dataDir(runtime.GOOS, os.Getenv, os.UserHomeDir)
	if err != nil {
		return "", fmt.Errorf("folder of the user's data: %w", err)
	}
	return filepath.Join(dir, "sessionspan", "sessions.db"), nil
}

func dataDir(system string, getenv func(string) string, home func() (string, error)) (string, error) {
	if system == "windows" {
		if dir := getenv("LocalAppData"); dir != "" {
			return dir, nil
		}
		return "", errors.New("%LocalAppData% is not set")
	}
	if dir := getenv("XDG_DATA_HOME"); system != "darwin" && filepath.IsAbs(dir) {
		return dir, nil
	}
	dir, err := home()
	if err != nil {
		return "", err
	}
	if system == "darwin" {
		return filepath.Join(dir, "Library", "Application Support"), nil
	}
	return filepath.Join(dir, ".local", "share"), nil
}

// Open opens the store in a file, which it makes, with its folder, where there
// is none. Both are for their owner alone, since they hold prompts. Beside the
// file stand those of SQLite, -wal and -shm, and -lock, which is held by the
// process that has the store open.
//
// It returns an error that wraps [store.ErrInUse], [store.ErrNewerSchema] or
// [store.ErrCorrupt] where one of them is why, and otherwise says what the
// system said of the folder or the file.
func Open(ctx context.Context, path string) (*Store, error) {
	s, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, explain(err))
	}
	return s, nil
}

func open(ctx context.Context, path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// First of all: closing a file of our own would let go of SQLite's locks on it.
	l, err := takeLock(ctx, path+"-lock")
	if err != nil {
		return nil, err
	}
	s, err := openLocked(ctx, path)
	if err != nil {
		return nil, errors.Join(err, l.release())
	}
	s.lock = l
	return s, nil
}

func openLocked(ctx context.Context, path string) (*Store, error) {
	if err := create(path, 0); err != nil {
		return nil, err
	}
	w, err := openWriter(ctx, path)
	if err != nil {
		return nil, err
	}
	read, err := sql.Open("sqlite", dsn(path, "query_only(1)", "cache_size(-16384)"))
	if err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	read.SetMaxOpenConns(4)
	read.SetMaxIdleConns(4)
	s := &Store{read: read, w: w, now: time.Now, closed: make(chan struct{})}
	w.start(s.closed)
	return s, nil
}

// create makes a file that only its owner can read, where there is none, and
// checks that it can be written.
func create(path string, flags int) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|flags, 0o600) //nolint:gosec // the user names it
	if err != nil {
		return err
	}
	return f.Close()
}

// dsn names a file with pragmas for each connection.
func dsn(path string, pragmas ...string) string {
	name := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		name = "/" + name
	}
	q := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	return "file:" + (&url.URL{Path: name}).EscapedPath() + "?" + q.Encode()
}
