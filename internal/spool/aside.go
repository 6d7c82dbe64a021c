package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
)

const (
	asideName    = "refused.jsonl"
	asideOldName = "refused.1.jsonl"
	asideLock    = "refused.lock"
	// maxAside is the size in bytes at which a file is rotated.
	maxAside = 32 << 20
)

// Aside is a file of records that are set aside for people to look at, one JSON
// text a line: refused.jsonl in the directory of a destination. At 32 MiB it is
// renamed to refused.1.jsonl, in place of the one before. It is safe for
// concurrent use, also by several processes.
type Aside struct {
	fs  FS
	dir string
	max int64
	mu  sync.Mutex
}

// OpenAside returns the file in a directory, both of which are made at the first
// Write.
func OpenAside(dir string, options Options) *Aside {
	o := options.withDefaults()
	return &Aside{fs: o.FS, dir: filepath.Clean(dir), max: maxAside}
}

// Write appends a line, with or without its end. The system has it when Write
// returns; it is not synced.
func (a *Aside) Write(line []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.write(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
		return fmt.Errorf("set record aside: %w", err)
	}
	return nil
}

func (a *Aside) write(line []byte) error {
	if bytes.IndexByte(line, '\n') >= 0 {
		return errors.New("it is more than a line")
	}
	if err := makeDirs(a.fs, a.dir); err != nil {
		return err
	}
	if err := a.fs.CheckDir(a.dir); err != nil {
		return err
	}
	f, size, err := a.open()
	if err != nil {
		return err
	}
	if size > 0 && size+int64(len(line))+1 > a.max {
		if err := f.Close(); err != nil {
			return err
		}
		rotated := a.rotate(int64(len(line)) + 1)
		if f, size, err = a.open(); err != nil {
			return err
		}
		if rotated != nil && size > 2*a.max { // up to there it may grow
			return errors.Join(rotated, f.Close())
		}
	}
	b := make([]byte, 0, len(line)+2)
	last := []byte("\n")
	if size > 0 {
		_, _ = f.ReadAt(last, size-1)
	}
	if last[0] != '\n' { // a write failed half-way
		b = append(b, '\n')
	}
	b = append(append(b, line...), '\n')
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// open opens the file anew for each line, since another process may have renamed
// it.
func (a *Aside) open() (File, int64, error) {
	f, err := a.fs.Append(filepath.Join(a.dir, asideName))
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, size, nil
}

// rotate renames the file, unless another process just does, or did.
func (a *Aside) rotate(need int64) error {
	lock, err := a.fs.Lock(filepath.Join(a.dir, asideLock))
	if errors.Is(err, ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	f, size, err := a.open()
	if err == nil {
		err = f.Close()
	}
	if err == nil && size+need > a.max {
		err = a.fs.Rename(filepath.Join(a.dir, asideName), filepath.Join(a.dir, asideOldName))
	}
	if e := lock.Remove(); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}
