//go:build (!unix && !windows) || solaris || aix

package spool

import (
	"errors"
	"fmt"
	"os"
)

// Lock fails: without a lock that ends with the process, nobody could tell a log
// that is in use from one that was left behind.
func (osFS) Lock(name string) (Lock, error) {
	return nil, fmt.Errorf("lock %s: %w on this system", name, errors.ErrUnsupported)
}

// Free reports that the free space is not known.
func (osFS) Free(string) int64 { return -1 }

// SyncDir does nothing.
func (osFS) SyncDir(string) error { return nil }

// CheckDir refuses what is no directory.
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

func isFull(error) bool { return false }

// isShared reports that the error of a file that another process uses is not known.
func isShared(error) bool { return false }
