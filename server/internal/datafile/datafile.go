// Package datafile opens the file of the sessions.
package datafile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/sqlite"
)

// Open opens the store in a file, or in the one of the user where none is
// named. What it says where that fails tells the user what to do.
func Open(ctx context.Context, file string, options ...sqlite.Option) (store.Store, string, error) {
	file, err := Name(file)
	if err != nil {
		return nil, "", err
	}
	s, err := sqlite.Open(ctx, file, options...)
	switch {
	case err == nil:
		return s, file, nil
	case errors.Is(err, store.ErrInUse):
		err = fmt.Errorf("%w: end that, or name another file", err)
	case errors.Is(err, store.ErrNewerSchema):
		err = fmt.Errorf("%w: use that version, or name another file", err)
	case errors.Is(err, store.ErrCorrupt):
		err = fmt.Errorf("%w: name another file, or move this one out of the way", err)
	}
	return nil, "", err
}

// ID returns an id of a file by its path, which it does not tell: by it a program finds
// out whether a server has the file that it means.
func ID(file string) string {
	if whole, err := filepath.Abs(file); err == nil {
		file = whole
	}
	if resolved, err := filepath.EvalSymlinks(file); err == nil {
		file = resolved
	}
	sum := sha256.Sum256([]byte("sessionspan file\x00" + file))
	return hex.EncodeToString(sum[:8])
}

// Beside returns the name of a file that stands beside that of the sessions, by what it
// has behind the name of that: of the file itself, also where the name is a link to it.
func Beside(file, suffix string) string {
	if at, err := filepath.EvalSymlinks(file); err == nil {
		file = at
	}
	return file + suffix
}

// Name returns the file, or the one of the user where none is named.
func Name(file string) (string, error) {
	if file != "" {
		return file, nil
	}
	return sqlite.DefaultPath()
}
