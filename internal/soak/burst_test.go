package soak

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// envBurst sets how many spans a burst has.
const envBurst = "SESSIONSPAN_BURST"

// spansInBurst is how many spans a burst has: sessions of a hundred.
func spansInBurst() int {
	if testing.Short() {
		return 1_000
	}
	return fromEnv(envBurst, 4_000)
}

// TestBurst records as fast as it can, with the default settings, for a server
// that takes some milliseconds for each request: all is delivered.
func TestBurst(t *testing.T) {
	for _, d := range destinations {
		for _, goroutines := range []int{1, 16} {
			t.Run(fmt.Sprintf("%s/%d", d, goroutines), func(t *testing.T) { testBurst(t, d, goroutines) })
		}
	}
}

func testBurst(t *testing.T, d destination, goroutines int) {
	o := newOracle()
	var requests []request // read when all is over, so that the server is quick
	s := newServer(t, func(r request) { requests = append(requests, r) })
	s.delay = 5 * time.Millisecond
	tracer := d.tracer(t, s.url, nil, exporter.Limits{})
	spans := spansInBurst()
	var mu sync.Mutex
	var want ids
	var sessions atomic.Int64
	began := time.Now()
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			var mine ids
			for sessions.Add(1) <= int64(spans/100) {
				mine.record(tracer, 99, 2000)
			}
			mu.Lock()
			want.add(mine)
			mu.Unlock()
		})
	}
	wg.Wait()
	recorded := time.Since(began)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := tracer.ForceFlush(ctx); err != nil {
		t.Errorf("flush: %v", err)
	}
	delivered := time.Since(began)
	if err := tracer.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	s.close()
	for _, r := range requests {
		o.take(r)
	}
	want.check(t, o, d)
	stats := tracer.Stats()
	checkDelivered(t, stats)
	if stats[0].Created < int64(spans) || o.again > 0 { // announcements count too
		t.Errorf("%d records of %d spans, %d came again: %+v", stats[0].Created, spans, o.again, stats[0])
	}
	t.Logf("%d spans of 2 KB recorded in %v, delivered after %v", spans, recorded, delivered)
}

// BenchmarkEnd measures End while the queue is not full.
func BenchmarkEnd(b *testing.B) {
	for _, d := range destinations {
		b.Run(d.String(), func(b *testing.B) {
			s := newServer(b, func(request) {})
			tracer := d.tracer(b, s.url, nil, exporter.Limits{})
			ctx := context.Background()
			took := make([]time.Duration, 0, b.N)
			inputs := payload(2000, 1)
			for b.Loop() {
				b.StopTimer()
				sctx, session := tracer.StartSession(ctx, "s")
				_, e := tracer.StartEvent(sctx, sessionspan.Tool, "e", sessionspan.WithInputs(inputs))
				b.StartTimer()
				began := time.Now()
				e.End()
				took = append(took, time.Since(began))
				b.StopTimer()
				session.End()
				if len(took)%1000 == 0 {
					if err := tracer.ForceFlush(ctx); err != nil {
						b.Error(err)
					}
				}
				b.StartTimer()
			}
			b.StopTimer()
			if err := tracer.Shutdown(ctx); err != nil {
				b.Error(err)
			}
			slices.Sort(took)
			b.ReportMetric(microseconds(percentile(took, 50)), "p50-µs")
			b.ReportMetric(microseconds(percentile(took, 99)), "p99-µs")
		})
	}
}

// percentile returns a percentile of durations that are sorted.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
