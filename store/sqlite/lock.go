package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	driver "modernc.org/sqlite"

	"github.com/sessionspan/sessionspan/store"
)

// Result codes of SQLite (https://www.sqlite.org/rescode.html).
const (
	codeBusy    = 5
	codeCorrupt = 11
	codeNotADB  = 26
)

// code returns the primary result code of an error of SQLite, or 0.
func code(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// explain wraps what callers compare with around errors of SQLite.
func explain(err error) error {
	switch code(err) {
	case codeCorrupt, codeNotADB:
		return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	case codeBusy:
		return fmt.Errorf("%w: %w", store.ErrInUse, err)
	}
	return err
}

// lock is a file that SQLite holds for us, on every system in the same way, and
// lets go of when the process ends, however it does.
type lock struct {
	db   *sql.DB
	conn *sql.Conn
}

func takeLock(ctx context.Context, path string) (*lock, error) {
	// Only a new file may be closed again: to close one that this process has
	// locked would let go of the lock.
	if err := create(path, os.O_EXCL); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	if err := secureFile(path, false); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return nil, err
	}
	l := &lock{db: db}
	if l.conn, err = db.Conn(ctx); err == nil {
		err = execAll(ctx, l.conn, `PRAGMA busy_timeout = 0`, `BEGIN EXCLUSIVE`)
	}
	if err == nil {
		return l, nil
	}
	if code(err) == codeBusy {
		err = store.ErrInUse
	}
	return nil, errors.Join(err, l.release())
}

func (l *lock) release() error {
	var err error
	if l.conn != nil {
		err = l.conn.Close()
	}
	return errors.Join(err, l.db.Close())
}
