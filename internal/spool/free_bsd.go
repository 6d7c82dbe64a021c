//go:build netbsd || openbsd

package spool

import "errors"

// freeBytes is not known: these systems name the fields of the call otherwise.
func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }
