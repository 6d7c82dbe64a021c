//go:build !unix && !windows

package sqlite

import "io/fs"

func isOwn(fs.FileInfo) (own, sure bool) { return false, false }

func isOfSystem(fs.FileInfo) bool { return false }

func othersWrite(fs.FileInfo) bool { return false }

func countNames(string, fs.FileInfo) (uint64, error) { return 1, nil }
