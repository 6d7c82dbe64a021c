//go:build unix && !solaris && !aix && !netbsd && !openbsd

package spool

import "golang.org/x/sys/unix"

func freeBytes(name string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return 0, err
	}
	// The fields differ in type and sign between systems, and some file systems answer
	// with the largest number there is.
	return int64(min(float64(s.Bavail)*float64(s.Bsize), 1<<62)), nil
}
