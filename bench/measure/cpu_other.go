//go:build !linux

package measure

import (
	"runtime/metrics"
	"time"
)

// ThreadCPU is not known here: the columns of the caller are zero.
func ThreadCPU() time.Duration { return 0 }

// ProcessCPU returns the Go runtime's own estimate, which is coarse.
func ProcessCPU() time.Duration {
	sample := []metrics.Sample{{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
	metrics.Read(sample)
	return time.Duration((sample[0].Value.Float64() - sample[1].Value.Float64()) * float64(time.Second))
}
