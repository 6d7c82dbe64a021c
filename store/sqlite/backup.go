package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/sessionspan/sessionspan/store"
)

// Backup writes a copy of the store, as it is at one moment, into a new file, which only
// its owner can read. Others write meanwhile as they always do; the log beside the file
// (-wal) is not begun anew until the copy is made. What was deleted is not in the copy,
// which is as small as it can be. It is a store by itself: [Open] opens it.
//
// It returns an error that wraps [os.ErrExist] where there is a file of the name. A copy
// that could not be made leaves no file.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	ctx, done, err := s.reading(ctx)
	if err != nil {
		return fmt.Errorf("back up store: %w", err)
	}
	defer done()
	if err := create(path, os.O_EXCL); err != nil {
		return fmt.Errorf("back up store: %w", err)
	}
	if err := s.copyInto(ctx, path); err != nil {
		return errors.Join(s.failed(ctx, "back up store", err), os.Remove(path))
	}
	return nil
}

// copyInto fills an empty file.
func (s *Store) copyInto(ctx context.Context, path string) (err error) {
	// A connection of its own: those that read may write nothing, no other file either.
	db, err := sql.Open("sqlite", dsn(s.path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the caller names it
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Check reads a file that no process has open, such as a copy that [Store.Backup] made,
// through, and changes nothing. It returns an error that wraps [store.ErrCorrupt] or
// [store.ErrNewerSchema] where [Open] would not open it, or a part of it is damaged.
func Check(ctx context.Context, path string) error {
	if err := checkFile(ctx, path); err != nil {
		return fmt.Errorf("check store %s: %w", path, explain(err))
	}
	return nil
}

func checkFile(ctx context.Context, path string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	// Immutable makes SQLite leave no file beside it.
	db, err := sql.Open("sqlite", dsn(path)+"&"+url.Values{"mode": {"ro"}, "immutable": {"1"}}.Encode())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var id, version int
	if err := db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version)`).Scan(&id, &version); err != nil {
		return err
	}
	if id != applicationID || version == 0 {
		return fmt.Errorf("it is no file of sessions: %w", store.ErrCorrupt)
	}
	if version > len(migrations) {
		return fmt.Errorf("its schema has version %d, this program knows %d: %w", version, len(migrations), store.ErrNewerSchema)
	}
	var said string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return fmt.Errorf("%s: %w", said, store.ErrCorrupt)
	}
	return nil
}
