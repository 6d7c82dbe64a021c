package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// FS is what a log needs of a file system. Its methods are safe for concurrent
// use, and their errors match [fs.ErrExist] and [fs.ErrNotExist] where that is
// the cause. Tests have one that loses what was not synced, and one that fails.
type FS interface {
	// Create makes a new file for appending and reading. It fails if there is
	// one with the name.
	Create(name string) (File, error)
	// Append opens a file for appending and reading, and makes it if there is
	// none.
	Append(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// Mkdir makes one directory that only the user may enter.
	Mkdir(name string) error
	// CheckDir refuses what is no directory, and a directory that other users
	// could put files into.
	CheckDir(name string) error
	// Remove removes a file or an empty directory.
	Remove(name string) error
	// Rename replaces newName if there is a file with the name.
	Rename(oldName, newName string) error
	// SyncDir makes what was created, renamed and removed in a directory durable.
	SyncDir(name string) error
	// Lock takes the lock that a file stands for. It makes the file if there is
	// none, and returns ErrLocked if another holds the lock.
	Lock(name string) (Lock, error)
	// Free returns the bytes that are free for the user, or a negative number
	// where that is not known.
	Free(name string) int64
}

// Lock is a lock that the system lets go of when the process ends.
type Lock interface {
	// Unlock lets go of the lock and leaves its file.
	Unlock() error
	// Remove removes the file and lets go of the lock, so that nobody who opened
	// the file before can take the lock afterwards.
	Remove() error
}

// File is an open file of an [FS]. Write appends to it.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}

// Nobody but the user may read what is written.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// OS is the file system of the machine.
var OS FS = osFS{}

type osFS struct{}

type osFile struct{ *os.File }

// Size returns the length of the file.
func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// A file that another process is renaming cannot be opened on Windows, for as long as
// that takes.
const (
	openTries = 50
	openPause = time.Millisecond
)

func openFile(name string, flag int) (File, error) {
	for try := 1; ; try++ {
		f, err := os.OpenFile(name, flag, fileMode) //nolint:gosec // the package makes the names
		if err == nil {
			return osFile{f}, nil
		}
		if !isShared(err) || try == openTries {
			return nil, err
		}
		time.Sleep(openPause)
	}
}

func (osFS) Create(name string) (File, error) {
	return openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND)
}

func (osFS) Append(name string) (File, error) {
	return openFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND)
}

func (osFS) Open(name string) (File, error) { return openFile(name, os.O_RDONLY) }

func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

func (osFS) Mkdir(name string) error {
	if err := os.Mkdir(name, dirMode); err != nil {
		return err
	}
	return os.Chmod(name, dirMode)
}

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) Rename(oldName, newName string) error {
	return os.Rename(oldName, newName)
}

// makeDirs makes a directory with all above it, durably.
func makeDirs(fsys FS, dir string) error {
	err := fsys.Mkdir(dir)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	parent := filepath.Dir(dir)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err = makeDirs(fsys, parent); err != nil {
			return err
		}
		err = fsys.Mkdir(dir)
		if errors.Is(err, fs.ErrExist) { // another process was faster
			return nil
		}
	}
	if err != nil {
		return err
	}
	// A parent that may be written but not read cannot be synced.
	if err = fsys.SyncDir(parent); errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
