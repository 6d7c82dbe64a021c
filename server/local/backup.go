package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
)

// backuper is a store that is a file.
type backuper interface {
	Backup(ctx context.Context, path string) error
}

// copies makes copies of the file of the sessions, one at a time. A copy stands beside
// the file while it is sent, where there is room for it and only its owner gets to.
type copies struct {
	store backuper
	file  string
	one   chan struct{}
}

var errNoFile = errors.New("the store is no file")

// path is where a copy stands. The name belongs to who has the store open: a copy that
// is there was left by a process that was killed.
func (c *copies) path() string { return c.file + "-backup" }

// clear removes what such a process left.
func (c *copies) clear() error {
	if err := os.Remove(c.path()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove an old copy: %w", err)
	}
	return nil
}

// make returns a copy, which the caller closes, and how many bytes it has.
func (c *copies) make(ctx context.Context) (io.ReadCloser, int64, error) {
	if c.store == nil {
		return nil, 0, errNoFile
	}
	select {
	case c.one <- struct{}{}:
		defer func() { <-c.one }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	if err := c.clear(); err != nil {
		return nil, 0, err
	}
	if err := c.store.Backup(ctx, c.path()); err != nil {
		return nil, 0, err
	}
	f, err := os.Open(c.path())
	if err != nil {
		return nil, 0, errors.Join(err, c.clear())
	}
	made := io.ReadCloser(f)
	if runtime.GOOS == "windows" { // a file that is open keeps its name there
		made = kept{f}
	} else if err := c.clear(); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, made.Close())
	}
	return made, info.Size(), nil
}

// kept is a copy that still has a name.
type kept struct{ *os.File }

func (k kept) Close() error { return errors.Join(k.File.Close(), os.Remove(k.Name())) }
