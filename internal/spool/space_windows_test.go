package spool

import "golang.org/x/sys/windows"

// errNoSpace is what the system says of a disk that is full.
const errNoSpace = windows.ERROR_DISK_FULL
