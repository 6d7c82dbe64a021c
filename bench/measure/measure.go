// Package measure runs one client through one workload and says what it took.
package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/bench/collect"
	"github.com/sessionspan/sessionspan/bench/peer"
	"github.com/sessionspan/sessionspan/bench/workload"
)

// The workloads.
const (
	Spans    = "span"    // calls of a model in one session that stays open
	Sessions = "session" // sessions of eight calls each
)

// mostContents is how many different calls there are: with 2 KB in and out,
// nearly all the text that there is, so that no compressor finds again in a large
// request what it saw in the same request.
const mostContents = 1100

// Children is how many calls a session has in the workload of sessions.
const Children = 8

// Spec says what to run.
type Spec struct {
	Peer       string `json:"peer"`
	Workload   string `json:"workload"`
	Raw        bool   `json:"raw,omitempty"`
	Spans      int    `json:"spans"` // at least, roots included
	Size       int    `json:"size"`  // of the text in, and of that out
	Empty      bool   `json:"empty,omitempty"`
	Goroutines int    `json:"goroutines,omitempty"` // that call; 1
	Open       int    `json:"open,omitempty"`       // sessions that are open at once; 1
	Warm       int    `json:"warm,omitempty"`       // spans before the measurement; 300
	Profile    string `json:"profile,omitempty"`    // a file for the CPU profile
	URL        string `json:"url,omitempty"`
	Dir        string `json:"dir,omitempty"`
}

// Name tells runs of one table apart.
func (s *Spec) Name() string {
	name := s.Peer
	if s.Raw {
		name += " (raw)"
	}
	return name
}

// Result is what it took. CPU, allocations and bytes are for one span, roots
// included; for one request where a service was measured.
type Result struct {
	Spec
	CallerNS  float64  `json:"caller_ns"`  // CPU of the goroutines that make the spans, but for roots that stay open
	ProcessNS float64  `json:"process_ns"` // CPU of the process until everything had arrived
	Allocs    float64  `json:"allocs"`
	AllocB    float64  `json:"alloc_bytes"`
	WireB     float64  `json:"wire_bytes"` // bodies of requests, for one span
	Requests  int      `json:"requests"`
	PerSecond float64  `json:"per_second"`       // spans, from the first call to the last arrival
	P50MS     float64  `json:"p50_ms,omitempty"` // of requests under load
	P99MS     float64  `json:"p99_ms,omitempty"`
	Lost      int      `json:"lost"`
	Problems  []string `json:"problems,omitempty"`
}

// Run measures.
func Run(ctx context.Context, spec Spec) (Result, error) {
	if IsPractice(spec.Workload) {
		return runPractice(ctx, spec)
	}
	p, ok := peer.Find(spec.Peer)
	if !ok {
		return Result{}, fmt.Errorf("measure: no peer is named %q", spec.Peer)
	}
	contents, err := workload.Contents(max(1, min(mostContents, (64<<20)/max(1, spec.Size))), spec.Size)
	if err != nil {
		return Result{}, err
	}
	client, err := p.Start(peer.Env{URL: spec.URL, Dir: spec.Dir, Raw: spec.Raw})
	if err != nil {
		return Result{}, err
	}
	small, err := workload.Contents(64, min(2048, spec.Size))
	if err != nil {
		return Result{}, err
	}
	r := &runner{spec, client, small}
	if err := r.warm(ctx); err != nil {
		return Result{}, err
	}
	r.contents = contents
	return r.measure(ctx)
}

type runner struct {
	spec     Spec
	client   peer.Client
	contents []*workload.Content
}

// warm makes connections, fills pools, and waits until all of it has arrived.
func (r *runner) warm(ctx context.Context) error {
	n := r.spec.Warm
	if n == 0 {
		n = 300
	}
	sent := r.sessions(n)
	if err := r.client.Flush(ctx); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	s, err := collect.Await(ctx, r.spec.URL, sent)
	if err != nil {
		return err
	}
	if s.Records < sent {
		return fmt.Errorf("warm up: %d of %d spans arrived: %v, %v", s.Records, sent, s.Problems, s.Other)
	}
	return collect.Reset(ctx, r.spec.URL)
}

func (r *runner) measure(ctx context.Context) (Result, error) {
	runtime.GC()
	stop, err := profile(r.spec.Profile)
	if err != nil {
		return Result{}, err
	}
	defer stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := time.Now(), ProcessCPU()
	sent, called, caller := r.call()
	closeErr := r.client.Close(ctx)
	got, err := collect.Await(ctx, r.spec.URL, sent)
	cpu = ProcessCPU() - cpu
	runtime.ReadMemStats(&after)
	if err != nil {
		return Result{}, err
	}
	n := float64(sent)
	seconds := float64(got.LastNano-start.UnixNano()) / 1e9
	if closeErr != nil { // what it lost is counted
		got.Problems = append(got.Problems, closeErr.Error())
	}
	return Result{
		Spec: r.spec, CallerNS: float64(caller) / float64(called), ProcessNS: float64(cpu) / n,
		Allocs: float64(after.Mallocs-before.Mallocs) / n, AllocB: float64(after.TotalAlloc-before.TotalAlloc) / n,
		WireB: float64(got.Bytes) / n, Requests: got.Requests, PerSecond: float64(got.Records) / seconds,
		Lost: sent - got.Records, Problems: got.Problems,
	}, nil
}

// profile writes a CPU profile to a file until stop is called; none where there is no
// name.
func profile(name string) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	f, err := os.Create(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("measure: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, fmt.Errorf("measure: %w", errors.Join(err, f.Close()))
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

// call makes the spans. It returns how many there are, how many of them the
// goroutines made that are looked at, and the CPU that those took.
func (r *runner) call() (sent, called int, caller time.Duration) {
	goroutines := max(1, r.spec.Goroutines)
	var mu sync.Mutex
	var wg sync.WaitGroup
	each := func(calls func() int) {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			start := ThreadCPU()
			n := calls()
			took := ThreadCPU() - start
			mu.Lock()
			defer mu.Unlock()
			called, caller = called+n, caller+took
		})
	}
	if r.spec.Workload == Sessions {
		for range goroutines {
			each(func() int { return r.sessions(r.spec.Spans / goroutines) })
		}
		wg.Wait()
		return called, called, caller
	}
	open := max(1, r.spec.Open)
	roots := make([]peer.Root, open)
	for i := range roots {
		roots[i] = r.client.Root()
	}
	for g := range goroutines {
		each(func() int {
			n := r.spec.Spans / goroutines
			for i := range n {
				r.child(roots[(g+i)%open], i)
			}
			return n
		})
	}
	wg.Wait()
	for _, root := range roots {
		root.End()
	}
	return called + open, called, caller
}

func (r *runner) child(root peer.Root, i int) {
	if r.spec.Empty {
		root.Empty()
		return
	}
	root.Call(r.contents[i%len(r.contents)])
}

// sessions makes whole sessions of at least n spans together.
func (r *runner) sessions(n int) (sent int) {
	for sent < n {
		root := r.client.Root()
		for range Children {
			r.child(root, sent)
			sent++
		}
		root.End()
		sent++
	}
	return sent
}
