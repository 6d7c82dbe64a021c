// Package sqlite is a [store.Store] in one SQLite file. It needs no C compiler.
//
// One process has a store open at a time: a second one is told [store.ErrInUse].
// Inside the process one goroutine writes, several read, and neither waits for
// the other. Writes that come together share a transaction and one sync of the
// disk; each is acknowledged after it. No transaction does more than a step: what
// takes longer, such as large records and batches, deletion, and the index, is done
// in several, between which others write.
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

	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
)

// Store is a [store.Store] in a file. Make one by [Open].
type Store struct {
	read   *sql.DB // several connections that cannot write
	w      *writer
	log    *sql.DB // one connection, which makes checkpoints
	lock   *lock
	path   string
	now    func() time.Time
	prices *prices.Table // nil derives nothing

	queue queue // of writes of large records

	closing sync.Once
	open    context.Context // ends when Close begins
	closed  <-chan struct{}
	end     context.CancelFunc
	work    sync.WaitGroup // reads, and what runs in the background
	ending  sync.RWMutex   // held while a read begins
	err     error          // of Close
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
// is none. Both are for their owner alone, since they hold prompts; of a file that
// is there already the rights of others are taken away. Beside the file stand those
// of SQLite, -wal and -shm, and -lock, which is held by the process that has the
// store open. Where the name is a symbolic link, they stand beside the file that it
// leads to.
//
// It returns an error that wraps [store.ErrInUse], [store.ErrNewerSchema] or
// [store.ErrCorrupt] where one of them is why, and otherwise says what the
// system said of the folder or the file. Where other users can get at the sessions,
// it is an error that says what to do: a folder or a file that belongs to another
// user, a folder that others can write to, a symbolic link that leads nowhere, and a
// file with a second name (a hard link), since a process that opens that would not
// find the file in use.
//
// To open a file of an earlier version for the first time takes some seconds for
// each million events; what is computed of its sessions is made anew in the background
// (see [store.Info.Stale]).
//
// Options may be left out; [WithPrices] is one.
func Open(ctx context.Context, path string, options ...Option) (*Store, error) {
	s, err := open(ctx, path, options)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, explain(err))
	}
	return s, nil
}

func open(ctx context.Context, path string, list []Option) (*Store, error) {
	path, err := secure(path)
	if err != nil {
		return nil, err
	}
	// First of all: closing a file of our own would let go of SQLite's locks on it.
	l, err := takeLock(ctx, path+"-lock")
	if err != nil {
		return nil, err
	}
	var o options
	for _, option := range list {
		option(&o)
	}
	s, err := openLocked(ctx, path, o)
	if err != nil {
		return nil, errors.Join(err, l.release())
	}
	s.lock = l
	return s, nil
}

func openLocked(ctx context.Context, path string, o options) (*Store, error) {
	if err := create(path, 0); err != nil {
		return nil, err
	}
	// Somebody may have been quicker, in a folder where all may make files.
	if err := secureFile(path, true); err != nil {
		return nil, err
	}
	w, err := openWriter(ctx, path, o)
	if err != nil {
		return nil, err
	}
	read, err := sql.Open("sqlite", dsn(path, "query_only(1)", "cache_size(-16384)"))
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	read.SetMaxOpenConns(4)
	read.SetMaxIdleConns(4)
	s := &Store{read: read, w: w, path: path, prices: w.prices, now: time.Now}
	s.open, s.end = context.WithCancel(context.Background())
	s.closed = s.open.Done()
	if err := s.startCheckpoints(); err != nil {
		return nil, errors.Join(err, read.Close(), w.close())
	}
	s.startCounting()
	w.start(s.closed)
	return s, nil
}

// reading begins a read, and returns its context, which ends when the store is
// closed, and what ends the read.
func (s *Store) reading(ctx context.Context) (context.Context, func(), error) {
	s.ending.RLock()
	defer s.ending.RUnlock()
	if err := s.usable(ctx); err != nil {
		return nil, nil, err
	}
	s.work.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.open, cancel)
	return ctx, func() {
		stop()
		cancel()
		s.work.Done()
	}, nil
}

// view runs a read that sees the store at one moment.
func (s *Store) view(ctx context.Context, read func(ctx context.Context, tx *sql.Tx) error) error {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return err
	}
	defer done()
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	err = read(ctx, tx)
	if end := tx.Rollback(); err == nil && ctx.Err() == nil {
		err = end
	}
	return err
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.ending.Lock()
		s.end()
		s.ending.Unlock()
		<-s.w.done
		s.work.Wait()
		s.err = errors.Join(s.read.Close(), s.w.close(), s.lock.release())
		if s.err != nil {
			s.err = fmt.Errorf("close store: %w", s.err)
		}
	})
	return s.err
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

// busyTimeout is how long SQLite waits for another program, in milliseconds.
const busyTimeout = 10_000

// dsn names a file with pragmas for each connection.
func dsn(path string, pragmas ...string) string {
	name := filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		name = "/" + name
	}
	q := url.Values{"_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout)}, pragmas...)}
	return "file:" + (&url.URL{Path: name}).EscapedPath() + "?" + q.Encode()
}
