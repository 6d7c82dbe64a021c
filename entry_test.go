//go:build !race

package sessionspan_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/internal/await"
)

// TestEntry bounds what an event takes in the queue of a destination that is stuck,
// as the queue counts it and on the heap, on a provider that New made and on one of
// the user's. 20,000 events with 2 KB of content fit into a queue of 64 MiB.
func TestEntry(t *testing.T) {
	const events, size = 20_000, 2 << 10
	for _, users := range []bool{false, true} {
		for name, c := range map[string]struct {
			most int64 // bytes for each event
			set  func(e *sessionspan.Event, i int)
		}{
			"empty": {1000, func(*sessionspan.Event, int) {}},
			"2 KB": {3100, func(e *sessionspan.Event, i int) {
				e.SetInputs(map[string]any{"question": fmt.Sprint(i, strings.Repeat("q", size/2-32))})
				e.SetOutputs(map[string]any{"answer": fmt.Sprint(i, strings.Repeat("a", size/2-32))})
			}},
		} {
			t.Run(fmt.Sprintf("%s, the user's provider: %v", name, users), func(t *testing.T) {
				let := make(chan struct{})
				options := []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil),
					sessionspan.WithSpanExporter(holdingExporter{let}, exporter.WithLimits(exporter.Limits{QueueBytes: 64 << 20, QueueWait: -1}))}
				if users {
					options = append(options, sessionspan.WithTracerProvider(sdktrace.NewTracerProvider()))
				}
				tracer, err := sessionspan.New(options...)
				if err != nil {
					t.Fatal(err)
				}
				ctx, s := tracer.StartSession(t.Context(), "s")
				heap := func() int64 {
					runtime.GC()
					runtime.GC()
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					return int64(m.HeapAlloc)
				}
				before, counted := heap(), tracer.Stats()[0].WaitingBytes
				for i := range events {
					_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "event")
					c.set(e, i)
					e.End()
				}
				stats := tracer.Stats()[0]
				grown, held := (heap()-before)/events, (stats.WaitingBytes-counted)/events
				// What the destination's goroutine is about to let go counts meanwhile.
				_ = await.Until(t, func() bool {
					grown = (heap() - before) / events
					return grown <= c.most && 10*grown <= 11*held
				}, func(ctx context.Context) error { <-ctx.Done(); return nil })
				t.Logf("an event takes %d bytes of the heap and counts as %d", grown, held)
				if grown > c.most || held > c.most || 10*grown > 11*held {
					t.Errorf("%d bytes of the heap, counted as %d, want at most %d", grown, held, c.most)
				}
				if stats.Dropped[exporter.QueueFull] > 0 || stats.Waiting != events {
					t.Errorf("%+v", stats)
				}
				s.End()
				close(let)
				_ = tracer.Shutdown(context.Background())
			})
		}
	}
}
