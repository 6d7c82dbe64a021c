//go:build !unix

package local

import "time"

// cpuTime is not known.
func cpuTime() time.Duration { return 0 }
