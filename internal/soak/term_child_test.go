package soak

import (
	"context"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/sessionspan/sessionspan"
)

// termChild records until it gets a signal, and ends as a program with little
// time does.
func termChild() {
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	tracer := childTracer()
	r := &recorder{tracer: tracer, order: new(sync.Mutex), rand: rand.New(rand.NewPCG(seedOf(), 1))}
	ctx, s := tracer.StartSession(stop, "s", sessionspan.WithInputs(payload(100, 1)))
	say(tracer, saidBegin, s.ID(), "-")
	for stop.Err() == nil {
		r.events(ctx, 1) // of a session that stays open
		r.step()
		time.Sleep(2 * time.Millisecond)
	}
	ending, cancelEnding := context.WithCancel(context.Background())
	defer cancelEnding()
	go func() { // the time is up when all is in the spool, however long that takes
		for !spooled(tracer) {
			time.Sleep(time.Millisecond)
		}
		cancelEnding()
	}()
	what := "all"
	if err := tracer.Shutdown(ending); err != nil {
		what = "left" // in the spool
	}
	dropped := int64(0)
	for _, s := range tracer.Stats() {
		for _, n := range s.Dropped {
			dropped += n
		}
	}
	say(tracer, saidClosed, what, dropped)
	checkAccounts(tracer.Stats(), fail)
}

// spooled reports whether all that was recorded is in the spool.
func spooled(tracer *sessionspan.Tracer) bool {
	for _, s := range tracer.Stats() {
		if s.Spooled < s.Created {
			return false
		}
	}
	return true
}
