package spool

import (
	"io/fs"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

// hasMode reports whether a file has the permissions, which Windows does not keep.
func hasMode(info fs.FileInfo, mode fs.FileMode) bool {
	return runtime.GOOS == "windows" || info.Mode().Perm() == mode
}
