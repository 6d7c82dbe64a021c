package soak

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// TestCrowd starts, ends, changes, flushes and shuts down from a thousand
// goroutines at once. The account adds up, what it says was delivered is with
// the server, and no goroutine is left.
func TestCrowd(t *testing.T) {
	for _, d := range destinations {
		t.Run(d.String(), func(t *testing.T) {
			none := goleak.IgnoreCurrent()
			o := newOracle()
			s := newServer(t, o.take)
			tracer := d.tracer(t, s.url, nil, exporter.Limits{})
			var wg sync.WaitGroup
			begin := make(chan struct{})
			for i := range 1000 {
				wg.Go(func() {
					<-begin
					if i%2 == 0 {
						time.Sleep(rand.N(5 * time.Millisecond))
					}
					oneOfCrowd(t, tracer, i)
				})
			}
			close(begin)
			wg.Wait()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			_ = tracer.Shutdown(ctx) // it tells what the others dropped
			stats := tracer.Stats()
			checkAccounts(stats, t.Errorf)
			delivered := int64(len(o.events) + len(o.spans) + len(o.sessions))
			if d := stats[0]; d.Waiting+d.WaitingOnDisk > 0 || d.Delivered < delivered || delivered == 0 {
				t.Errorf("the server has %d records: %+v", delivered, d)
			}
			for why := range stats[0].Dropped {
				if why != exporter.Closed {
					t.Errorf("records were dropped: %s", why)
				}
			}
			if v := o.verdict(); v != "" {
				t.Error(v)
			}
			s.close()
			goleak.VerifyNone(t, none)
			t.Logf("%d created, %d delivered", stats[0].Created, stats[0].Delivered)
		})
	}
}

func oneOfCrowd(t *testing.T, tracer *sessionspan.Tracer, i int) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	sctx, s := tracer.StartSession(ctx, "s", sessionspan.WithInputs(payload(100, 1)))
	for range 3 {
		_, e := tracer.StartEvent(sctx, sessionspan.Tool, "e", sessionspan.WithInputs(payload(100, 2)))
		e.End()
	}
	switch {
	case i%10 == 3:
		_ = tracer.ForceFlush(ctx)
	case i%10 == 5:
		_ = tracer.Update(ctx, s.ID(), sessionspan.WithMetrics(map[string]any{"m": i}))
	case i == 600, i == 601, i == 999:
		time.Sleep(20 * time.Millisecond)
		_ = tracer.Shutdown(ctx)
	}
	s.SetOutputs(map[string]any{"done": true})
	s.End()
	s.End()
	checkAccounts(tracer.Stats(), t.Errorf)
}
