//go:build unix && !solaris && !aix && !netbsd && !openbsd

package spool

import "golang.org/x/sys/unix"

func freeBytes(name string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // the types differ between systems
}
