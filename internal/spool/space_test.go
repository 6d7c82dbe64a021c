//go:build !windows

package spool

import "syscall"

// errNoSpace is what the system says of a disk that is full.
const errNoSpace = syscall.ENOSPC
