//go:build unix && !solaris && !aix

package spool

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

type osLock struct{ file *os.File }

// Lock takes an advisory lock on a file.
func (osFS) Lock(name string) (Lock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode) //nolint:gosec // the package makes the names
	if err != nil {
		return nil, err
	}
	if err := takeLock(f, name); err != nil {
		_ = f.Close()
		return nil, err
	}
	return osLock{f}, nil
}

func takeLock(f *os.File, name string) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return ErrLocked
		}
		return fmt.Errorf("lock %s: %w", name, err)
	}
	// Whoever held the lock may have removed the file after it was opened here.
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !os.SameFile(opened, named) {
		return ErrLocked
	}
	return nil
}

// Unlock lets go of the lock.
func (l osLock) Unlock() error { return l.file.Close() }

// Remove removes the file while the lock is still held.
func (l osLock) Remove() error {
	return errors.Join(os.Remove(l.file.Name()), l.file.Close())
}

// Free returns the bytes that are free for the user.
func (osFS) Free(name string) int64 {
	free, err := freeBytes(name)
	if err != nil {
		return -1
	}
	return free
}

// SyncDir makes the names in a directory durable.
func (osFS) SyncDir(name string) error {
	d, err := os.Open(name) //nolint:gosec // the package makes the names
	if err != nil {
		return err
	}
	err = d.Sync()
	if e := d.Close(); err == nil {
		err = e
	}
	return err
}

// CheckDir refuses a directory that others could put files into.
func (osFS) CheckDir(name string) error {
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: name, Err: err}
	}
	switch {
	case info.Mode()&os.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link", name)
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", name)
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user", name)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s can be written by other users (mode %v)", name, info.Mode().Perm())
	}
	return nil
}

// isFull reports whether an error says that the file system has no room.
func isFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// isShared reports whether an error says that another process uses a file just now,
// which keeps nobody from opening it on these systems.
func isShared(error) bool { return false }
