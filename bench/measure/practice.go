package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/bench/collect"
	"github.com/sessionspan/sessionspan/bench/practice"
	"github.com/sessionspan/sessionspan/bench/workload"
)

// Load is the workload of a service under load: requests at a steady rate over
// loopback. The workloads of a service whose requests come one after the other are
// those of practice.Kinds.
const Load = "load"

// perSecondUnderLoad is the rate of requests under load.
const perSecondUnderLoad = 100

// IsPractice reports whether a workload is one of a service.
func IsPractice(w string) bool { return w == Load || slices.Contains(practice.Kinds(), w) }

// runPractice measures a service. Figures are for one request.
func runPractice(ctx context.Context, spec Spec) (Result, error) {
	kind := spec.Workload
	if kind == Load {
		kind = practice.Messages
	}
	contents, err := workload.Contents(mostContents, spec.Size)
	if err != nil {
		return Result{}, err
	}
	s, err := practice.Start(spec.Peer, kind, spec.URL, contents)
	if err != nil {
		return Result{}, err
	}
	requests := max(1, spec.Spans/(practice.Steps+1))
	const warm = 40
	one(ctx, s, warm)
	if err := s.Flush(ctx); err != nil {
		return Result{}, fmt.Errorf("warm up: %w", err)
	}
	if got, err := collect.Await(ctx, spec.URL, warm*s.Records()); err != nil || got.Records != warm*s.Records() {
		return Result{}, fmt.Errorf("warm up: %d of %d records arrived: %w, %v", got.Records, warm*s.Records(), err, got.Problems)
	}
	if err := collect.Reset(ctx, spec.URL); err != nil {
		return Result{}, err
	}
	runtime.GC()
	stop, err := profile(spec.Profile)
	if err != nil {
		return Result{}, err
	}
	defer stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := Result{Spec: spec}
	start, cpu := time.Now(), ProcessCPU()
	if spec.Workload == Load {
		took, err := load(ctx, s, requests)
		if err != nil {
			return Result{}, err
		}
		r.P50MS, r.P99MS = took[len(took)/2], took[len(took)*99/100]
	} else {
		runtime.LockOSThread()
		thread := ThreadCPU()
		one(ctx, s, requests)
		r.CallerNS = float64(ThreadCPU()-thread) / float64(requests)
		runtime.UnlockOSThread()
	}
	closeErr := s.Close(ctx)
	got, err := collect.Await(ctx, spec.URL, requests*s.Records())
	if err != nil {
		return Result{}, err
	}
	cpu = ProcessCPU() - cpu
	runtime.ReadMemStats(&after)
	if closeErr != nil { // what it lost is counted
		got.Problems = append(got.Problems, closeErr.Error())
	}
	n := float64(requests)
	r.ProcessNS, r.Allocs, r.AllocB = float64(cpu)/n, float64(after.Mallocs-before.Mallocs)/n, float64(after.TotalAlloc-before.TotalAlloc)/n
	r.WireB, r.Requests, r.Problems, r.Lost = float64(got.Bytes)/n, got.Requests, got.Problems, requests*s.Records()-got.Records
	if got.Records > 0 {
		r.PerSecond = n / (float64(got.LastNano-start.UnixNano()) / 1e9)
	}
	return r, nil
}

// one makes requests one after the other, without a network.
func one(ctx context.Context, s http.Handler, requests int) {
	for range requests {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/ask", http.NoBody))
	}
}

// load makes requests over loopback, each when it is due, and returns how long they
// took in milliseconds, the shortest first. A request that had to wait for its turn
// counts from when it was due.
func load(ctx context.Context, s http.Handler, requests int) ([]float64, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	client := &http.Client{Transport: transport}
	took := make([]float64, requests)
	failed := make([]error, requests)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range requests {
		due := start.Add(time.Duration(i) * time.Second / perSecondUnderLoad)
		time.Sleep(time.Until(due))
		wg.Go(func() {
			failed[i] = post(ctx, client, "http://"+ln.Addr().String()+"/ask")
			took[i] = float64(time.Since(due).Microseconds()) / 1e3
		})
	}
	wg.Wait()
	transport.CloseIdleConnections()
	if err := server.Close(); err != nil {
		return nil, err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return nil, err
	}
	slices.Sort(took)
	return took, errors.Join(failed...)
}

func post(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}
