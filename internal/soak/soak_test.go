//go:build soak

package soak

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// TestSoakKill kills 5,000 programs (SESSIONSPAN_KILLS), and demands what the
// account of a program says was in the spool.
func TestSoakKill(t *testing.T) {
	testKills(t, fromEnv("SESSIONSPAN_KILLS", 5000), time.Hour)
}

// TestSoakKillTimed demands what ended 100 ms before the kill, too, of programs
// that leave the machine some air.
func TestSoakKillTimed(t *testing.T) {
	t.Setenv(envBreath, "5ms")
	testKills(t, fromEnv("SESSIONSPAN_KILLS", 400), promised)
}

// TestSoakBurst runs the bursts in their full size.
func TestSoakBurst(t *testing.T) {
	t.Setenv(envBurst, "20000")
	TestBurst(t)
}

// TestSoakHeap has the default limit. SESSIONSPAN_QUEUE_MB changes it.
func TestSoakHeap(t *testing.T) {
	testHeap(t, int64(fromEnv("SESSIONSPAN_QUEUE_MB", 64))<<20, t.Errorf)
}

// TestSoakOutage fails for 12 real seconds over real sockets.
func TestSoakOutage(t *testing.T) {
	for _, kind := range outages {
		t.Run(string(kind), func(t *testing.T) {
			var wg sync.WaitGroup
			for _, d := range destinations {
				wg.Go(func() { soakOutage(t, kind, d) })
			}
			wg.Wait()
		})
	}
}

// listener serves a network on a loopback port; it is closed while the outage is
// that nobody listens.
func (n *network) listener(t *testing.T) (addr string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	var serving sync.WaitGroup
	var mu sync.Mutex
	serve := func(l net.Listener) {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.serve(c)
		}
	}
	if n.kind == refused {
		_ = l.Close()
		n.failed++ // the kernel sees to it
		serving.Go(func() {
			time.Sleep(time.Until(n.over))
			again, err := net.Listen("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			l = again
			mu.Unlock()
			serve(again)
		})
	} else {
		serving.Go(func() { serve(l) })
	}
	return addr, func() {
		mu.Lock()
		_ = l.Close()
		mu.Unlock()
		n.close()
		serving.Wait()
	}
}

func soakOutage(t *testing.T, kind outage, d destination) {
	o := newOracle()
	n := &network{kind: kind, over: time.Now().Add(outageFor), slop: 200 * time.Millisecond, take: o.take}
	addr, stop := n.listener(t)
	defer stop()
	tracer := d.tracer(t, "http://"+addr, nil, exporter.Limits{})
	var want ids
	var took []time.Duration
	for time.Now().Before(n.over.Add(time.Second)) {
		began := time.Now()
		want.record(tracer, 1, 2000)
		took = append(took, time.Since(began))
		time.Sleep(5 * time.Millisecond)
	}
	slices.Sort(took)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := tracer.ForceFlush(ctx); err != nil {
		t.Errorf("%s: flush: %v", d, err)
	}
	drained := time.Since(n.over)
	if err := tracer.Shutdown(ctx); err != nil {
		t.Errorf("%s: shutdown: %v", d, err)
	}
	want.check(t, o, d)
	n.check(t)
	checkDelivered(t, tracer.Stats())
	t.Logf("%-17s %-17s %5d spans, 0 lost, %4d sent again, drained %5.1f s after the end; a session with an event took p50 %v, p99 %v, at most %v",
		kind, d, len(want.spans), tracer.Stats()[0].Retried, drained.Seconds(), percentile(took, 50), percentile(took, 99), took[len(took)-1])
}

// TestSoakLongOutage records for ten minutes (SESSIONSPAN_OUTAGE, such as 30s)
// for a server that is away, with a spool, and drains it afterwards.
func TestSoakLongOutage(t *testing.T) {
	length := durationFromEnv(t, "SESSIONSPAN_OUTAGE", 10*time.Minute)
	for _, d := range []destination{{spool: true}, {otlp: true, spool: true}} {
		t.Run(d.String(), func(t *testing.T) { longOutage(t, d, length) })
	}
}

func longOutage(t *testing.T, d destination, length time.Duration) {
	const perSecond = 500
	var mu sync.Mutex
	came := make(map[string]bool) // ids, of the events or spans
	s := newServer(t, func(r request) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range idsIn(r) {
			came[id] = true
		}
	})
	s.set(refusing)
	tracer := d.tracer(t, s.url, nil, exporter.Limits{}, exporter.SpoolMaxBytes(2<<30))
	before := heap()
	var recorded []string
	var took []time.Duration
	largest := int64(0)
	began := time.Now()
	tick := time.NewTicker(time.Second / perSecond * 5)
	defer tick.Stop()
	for next := began; time.Since(began) < length; <-tick.C {
		ctx, session := tracer.StartSession(context.Background(), "s", sessionspan.WithInputs(payload(2000, rand.Uint64())))
		recorded = appendID(recorded, d, "", session.Span().SpanContext().SpanID().String())
		for range 4 {
			_, e := tracer.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(payload(2000, rand.Uint64())))
			at := time.Now()
			e.End()
			took = append(took, time.Since(at))
			recorded = appendID(recorded, d, e.ID(), e.Span().SpanContext().SpanID().String())
		}
		session.End()
		if now := time.Now(); now.After(next) {
			next = now.Add(length / 10)
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			largest = max(largest, int64(m.HeapAlloc)-before)
			t.Logf("%6.1f s: heap %d MB, %+v", now.Sub(began).Seconds(), m.HeapAlloc>>20, tracer.Stats()[0])
		}
	}
	recording := time.Since(began)
	live := heap() - before
	slices.Sort(took)
	t.Logf("recorded %d spans in %v: %.0f a second; End p50 %v p99 %v max %v; heap grew by %d MB after GC, by %d MB at most",
		tracer.Stats()[0].Created, recording, float64(tracer.Stats()[0].Created)/recording.Seconds(),
		percentile(took, 50), percentile(took, 99), took[len(took)-1], live>>20, largest>>20)
	if live > 2*64<<20 {
		t.Errorf("the heap grew by %d bytes", live)
	}
	s.set(healthy)
	began = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), length+5*time.Minute)
	defer cancel()
	if err := tracer.ForceFlush(ctx); err != nil {
		t.Errorf("flush: %v", err)
	}
	draining := time.Since(began)
	stats := tracer.Stats()
	t.Logf("drained in %v: %.0f records a second; %+v", draining, float64(stats[0].Delivered)/draining.Seconds(), stats[0])
	if err := tracer.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	checkDelivered(t, tracer.Stats())
	mu.Lock()
	defer mu.Unlock()
	lost := 0
	for _, id := range recorded {
		if !came[id] {
			lost++
		}
	}
	if lost > 0 || len(recorded) == 0 {
		t.Errorf("%d of %d did not come", lost, len(recorded))
	}
}

// idsIn returns the ids of the events or spans of a request.
func idsIn(r request) (ids []string) {
	switch r.path {
	case batchPath:
		var b struct {
			Events []struct {
				ID string `json:"event_id"`
			}
		}
		_ = json.Unmarshal(r.body, &b)
		for _, e := range b.Events {
			ids = append(ids, e.ID)
		}
	case tracesPath:
		o := newOracle()
		o.traces(r.body)
		ids = slices.Collect(maps.Keys(o.spans))
	}
	return ids
}

// durationFromEnv returns a duration that a variable may set.
func durationFromEnv(t *testing.T, name string, otherwise time.Duration) time.Duration {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// appendID adds the id by which the record is known at the server; sessions of
// HTTP are left to the account.
func appendID(list []string, d destination, event, span string) []string {
	if d.otlp {
		return append(list, span)
	}
	if event == "" {
		return list
	}
	return append(list, event)
}
