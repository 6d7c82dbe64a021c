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
		for !r.spooled() {
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

// spooled reports whether all that a recorder made is in the spools. An announcement
// is a record too, and is in none.
func (r *recorder) spooled() bool {
	stats := r.tracer.Stats()
	return stats[0].Spooled >= int64(r.ended+r.updated) && stats[1].Spooled >= int64(r.ended)
}
