package soak

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// TestHeap records far more than the queue takes while the server is stuck: the
// heap stays within the limit and a tenth, and each drop is counted.
func TestHeap(t *testing.T) { testHeap(t, 8<<20, t.Errorf) }

// values are the forms in which a span holds a value of some bytes.
var values = map[string]func(ctx context.Context, t *sessionspan.Tracer, size int){
	"map": func(ctx context.Context, t *sessionspan.Tracer, size int) {
		_, e := t.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(payload(size, 1)))
		e.End()
	},
	"attribute": func(ctx context.Context, t *sessionspan.Tracer, size int) {
		plainSpan(ctx, t, attribute.String("gen_ai.prompt", fresh(size)))
	},
	"slice": func(ctx context.Context, t *sessionspan.Tracer, size int) {
		list := make([]string, 16)
		for i := range list {
			list[i] = fresh(size / len(list))
		}
		plainSpan(ctx, t, attribute.StringSlice("gen_ai.prompts", list))
	},
	"session": func(_ context.Context, t *sessionspan.Tracer, size int) {
		_, s := t.StartSession(context.Background(), "s", sessionspan.WithInputs(payload(size, 1)))
		s.End()
	},
	// Half of an announced session goes ahead, and half of it is in the update of
	// that.
	"announced": func(_ context.Context, t *sessionspan.Tracer, size int) {
		_, s := t.StartSession(context.Background(), "s", sessionspan.WithInputs(payload(size/2, 1)))
		s.SetOutputs(payload(size/2, 2))
		s.End()
	},
	"update": func(ctx context.Context, t *sessionspan.Tracer, size int) {
		_ = t.Update(ctx, sessionspan.SessionFromContext(ctx).ID(), sessionspan.WithOutputs(payload(size, 1)))
	},
}

// ofPayloads are the forms that destinations of spans do not have, or have no
// other way.
var ofPayloads = map[string]bool{"session": true, "announced": true, "update": true}

// fresh returns a text that nobody else has.
func fresh(size int) string { return strings.Repeat("x", size) }

// plainSpan makes a span as a user of OpenTelemetry does.
func plainSpan(ctx context.Context, t *sessionspan.Tracer, kvs ...attribute.KeyValue) {
	_, span := t.TracerProvider().Tracer("plain").Start(ctx, "chat",
		trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.request.model", "m")))
	span.SetAttributes(kvs...)
	span.End()
}

// stuck is an exporter that does not return until it may.
type stuck struct{ release chan struct{} }

func (s stuck) ExportSpans(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
	select {
	case <-s.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (stuck) Shutdown(context.Context) error { return nil }

// silent accepts connections and never answers.
func silent(t testing.TB) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return "http://" + l.Addr().String()
}

// testHeap reports with tooMuch where the heap grows beyond the limit.
func testHeap(t *testing.T, limit int64, tooMuch func(string, ...any)) {
	t.Helper()
	for _, to := range []string{"http", "otlp", "wrap"} {
		for form, record := range values {
			for _, size := range []int{2 << 10, 64 << 10, 1 << 20} {
				if raceEnabled && (size == 64<<10 || form == "slice") {
					continue // the heap is the same
				}
				if to != "http" && ofPayloads[form] {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%d KB", to, form, size>>10), func(t *testing.T) {
					grown, dropped := heapWhenStuck(t, to, form == "announced", limit, size, record)
					share := float64(grown) / float64(limit)
					t.Logf("%d records dropped, the heap grew by %.2f times the limit", dropped, share)
					if share > 1.1 {
						tooMuch("%s: the heap grew by %d bytes, %.2f times the limit", t.Name(), grown, share)
					}
				})
			}
		}
	}
}

func heapWhenStuck(t *testing.T, to string, live bool, limit int64, size int, record func(context.Context, *sessionspan.Tracer, int)) (grown, dropped int64) {
	limits := exporter.Limits{QueueBytes: limit, QueueWait: -1}
	var tracer *sessionspan.Tracer
	if to == "wrap" {
		release := make(chan struct{})
		defer close(release)
		var err error
		tracer, err = sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil),
			sessionspan.WithSpanExporter(stuck{release}, exporter.WithLimits(limits)))
		if err != nil {
			t.Fatal(err)
		}
	} else {
		tracer = destination{otlp: to == "otlp", live: live}.tracer(t, silent(t), nil, limits)
	}
	for range 16 { // so that the connections of the HTTP API, and what they take, are there
		_, s := tracer.StartSession(context.Background(), "s")
		s.End()
	}
	waitStable(tracer)
	before := heap()
	n := int(2*limit)/size + 100
	for i := 0; i < n; {
		ctx, s := tracer.StartSession(context.Background(), "s")
		for range 10 {
			record(ctx, tracer, size)
			i++
		}
		s.End()
		if i%50 == 0 {
			time.Sleep(time.Millisecond) // so that the worker has come to hold them
		}
	}
	waitStable(tracer)
	grown = heap() - before
	// While the worker encodes, what it is done with counts as well. What is held
	// does not become less as long as the server is stuck.
	for tries := 0; grown > limit*11/10 && tries < 100; tries++ {
		time.Sleep(20 * time.Millisecond)
		grown = heap() - before
	}
	stats := tracer.Stats()
	checkAccounts(stats, t.Errorf)
	for why, lost := range stats[0].Dropped {
		if dropped += lost; why != exporter.QueueFull {
			t.Errorf("%d records were dropped: %s", lost, why)
		}
	}
	if dropped == 0 || stats[0].Created < int64(n) || stats[0].WaitingBytes > limit*11/10 {
		t.Errorf("nothing was tested, or more is held than may be: %+v", stats[0])
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = tracer.Shutdown(ended)
	checkAccounts(tracer.Stats(), t.Errorf)
	return grown, dropped
}

// waitStable waits until the worker has taken over what it will.
func waitStable(tracer *sessionspan.Tracer) {
	for range 50 {
		was := tracer.Stats()[0].WaitingBytes
		time.Sleep(10 * time.Millisecond)
		if tracer.Stats()[0].WaitingBytes == was {
			return
		}
	}
}

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestHeapOfDroppedSessions starts and ends sessions long after the queue of a
// stuck server is full: what was dropped leaves nothing behind.
func TestHeapOfDroppedSessions(t *testing.T) {
	const limit = 1 << 20
	tracer := destination{}.tracer(t, silent(t), nil, exporter.Limits{QueueBytes: limit, QueueWait: -1})
	sessions := func(n int) {
		for i := range n {
			_, s := tracer.StartSession(context.Background(), "s", sessionspan.WithInputs(payload(2000, 1)))
			s.End()
			if i%50 == 0 {
				time.Sleep(time.Millisecond) // so that the worker keeps up
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	sessions(2000)
	before := heap()
	const more = 5000
	sessions(more)
	grown := heap() - before
	t.Logf("%d sessions that were dropped left %d bytes", more, grown)
	if grown > limit/10 {
		t.Errorf("the heap grew by %d bytes, %d for each session that was dropped", grown, grown/more)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = tracer.Shutdown(ended)
	checkAccounts(tracer.Stats(), t.Errorf)
}
