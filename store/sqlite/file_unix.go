//go:build unix

package sqlite

import (
	"io/fs"
	"os"
	"syscall"
)

// isOwn reports whether this user owns a file, and whether that can be told.
func isOwn(info fs.FileInfo) (own, sure bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid(), ok
}

// isOfSystem reports whether the superuser owns a file.
func isOfSystem(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == 0
}

// othersWrite reports whether other users can put files into a folder: everybody,
// but for one where each can touch only what is his own (sticky), or a group that
// is not this user's first.
func othersWrite(info fs.FileInfo) bool {
	const group, all = 0o020, 0o002
	mode := info.Mode()
	if mode&fs.ModeSticky != 0 {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return mode&all != 0 || mode&group != 0 && (!ok || int(st.Gid) != os.Getegid())
}

// countNames returns how many names a file has.
func countNames(_ string, info fs.FileInfo) (uint64, error) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink), nil //nolint:unconvert // its type differs from system to system
	}
	return 1, nil
}
