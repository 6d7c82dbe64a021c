// Package bench_test runs the steps as Go benchmarks, and checks that every peer
// delivers what it is given.
package bench_test

import (
	"context"
	"net"
	"testing"

	"github.com/sessionspan/sessionspan/bench/collect"
	"github.com/sessionspan/sessionspan/bench/measure"
	"github.com/sessionspan/sessionspan/bench/micro"
	"github.com/sessionspan/sessionspan/bench/peer"
	"github.com/sessionspan/sessionspan/bench/practice"
)

func BenchmarkStep(b *testing.B) {
	for _, c := range micro.Cases() {
		b.Run(c.Name, func(b *testing.B) {
			run, closing, err := c.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			if closing != nil {
				defer closing()
			}
			run(1)
			b.ReportAllocs()
			b.ResetTimer()
			run(b.N)
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*max(1, c.Per)), "ns/each")
		})
	}
}

// TestPeers holds the server's count against what was made, for each peer that
// can be started more than once in a process.
func TestPeers(t *testing.T) {
	for _, p := range peer.All() {
		t.Run(p.Name, func(t *testing.T) {
			delivers(t, measure.Spec{Peer: p.Name, Workload: measure.Sessions, Spans: 90, Size: 2048, Warm: 9})
		})
	}
}

// TestPractice does the same with services.
func TestPractice(t *testing.T) {
	for _, kind := range append(practice.Kinds(), measure.Load) {
		for _, way := range practice.Ways() {
			t.Run(kind+"/"+way, func(t *testing.T) {
				delivers(t, measure.Spec{Peer: way, Workload: kind, Spans: 180, Size: 2048})
			})
		}
	}
}

// delivers runs a measurement in which nothing may be lost.
func delivers(t *testing.T, spec measure.Spec) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- new(collect.Server).Serve(ctx, ln) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	spec.URL, spec.Dir = "http://"+ln.Addr().String(), t.TempDir()
	r, err := measure.Run(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if r.Lost != 0 || len(r.Problems) > 0 {
		t.Errorf("%d records were lost: %v", r.Lost, r.Problems)
	}
}
