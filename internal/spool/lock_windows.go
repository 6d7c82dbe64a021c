package spool

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

type osLock struct{ file *os.File }

// Lock takes a lock on the first byte of a file.
func (osFS) Lock(name string) (Lock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode) //nolint:gosec // the package makes the names
	if err != nil {
		return nil, err
	}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	if err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped)); err != nil {
		_ = f.Close()
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return osLock{f}, nil
}

// Unlock lets go of the lock.
func (l osLock) Unlock() error { return l.file.Close() }

// Remove closes the file first: an open file cannot be removed, and for the same
// reason this does not remove a file that another process has locked since.
func (l osLock) Remove() error {
	return errors.Join(l.file.Close(), os.Remove(l.file.Name()))
}

// Free returns the bytes that are free for the user.
func (osFS) Free(name string) int64 {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return -1
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(p, &free, nil, nil); err != nil {
		return -1
	}
	return int64(free)
}

// SyncDir does nothing: the system has no such call.
func (osFS) SyncDir(string) error { return nil }

// CheckDir refuses what is no directory. Access lists are left to the user's
// profile.
func (osFS) CheckDir(name string) error {
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory", name)
	}
	return nil
}

// isFull reports whether an error says that the file system has no room.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// isShared reports whether an error says that another process uses a file just now.
func isShared(err error) bool { return errors.Is(err, windows.ERROR_SHARING_VIOLATION) }
