// Package micro has measurements of single steps: no network, one goroutine that
// calls, one figure each.
package micro

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/sessionspan/sessionspan/bench/measure"
)

// A Case is one step to measure.
type Case struct {
	Name string
	// Open prepares the step in an empty directory. run does it n times.
	Open func(dir string) (run func(n int), closing func(), err error)
	// Per is how many things one step does, where its figures are for one of
	// them; 1 where it is zero.
	Per int
}

// Result is what one step took.
type Result struct {
	Name   string  `json:"name"`
	CPU    float64 `json:"cpu_ns"`  // of the calling thread
	Wall   float64 `json:"wall_ns"` // by the clock
	Allocs float64 `json:"allocs"`  // of the process, so that what a worker allocates counts too
	AllocB float64 `json:"alloc_bytes"`
}

// Cases returns all steps.
func Cases() []Case {
	return slices.Concat(callCases(), jsonCases(), spoolCases(), childCases(), idleCases(), llmCases())
}

// budget is how long a step is repeated.
const budget = 80 * time.Millisecond

// Run measures a case once.
func Run(c Case, dir string) (Result, error) {
	run, closing, err := c.Open(dir)
	if err != nil {
		return Result{}, fmt.Errorf("measure %s: %w", c.Name, err)
	}
	if closing != nil {
		defer closing()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	n := 1
	for { // the last pass is the warm-up
		start := time.Now()
		run(n)
		took := time.Since(start)
		if took >= budget/4 {
			n = max(1, int(float64(n)*float64(budget)/float64(took)))
			break
		}
		n *= 4
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := time.Now(), measure.ThreadCPU()
	run(n)
	cpu, took := measure.ThreadCPU()-cpu, time.Since(start)
	runtime.ReadMemStats(&after)
	per := float64(n * max(1, c.Per))
	return Result{
		Name: c.Name, CPU: float64(cpu) / per, Wall: float64(took) / per,
		Allocs: float64(after.Mallocs-before.Mallocs) / per, AllocB: float64(after.TotalAlloc-before.TotalAlloc) / per,
	}, nil
}
