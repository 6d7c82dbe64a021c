package soak

import (
	"context"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
)

// TestTerminate ends a program with a signal while its server does not answer.
// The program ends soon, and all that it recorded is delivered by the next one.
func TestTerminate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM")
	}
	l := &lane{t: t, oracle: newOracle(), dir: filepath.Join(t.TempDir(), "spool"), rand: rand.New(rand.NewPCG(1, 1))}
	l.server = newServer(t, l.oracle.take)
	l.server.set(hung)
	lines, signalled := l.child("term", 200*time.Millisecond, syscall.SIGTERM)
	if t.Failed() {
		return
	}
	last := lines[len(lines)-1]
	took := time.Duration(last.at - signalled)
	t.Logf("it ended %v after the signal, with %d lines said", took, len(lines))
	if last.what != saidClosed || last.a != "left" || took > 10*time.Second {
		t.Errorf("the end was %+v, %v after the signal", last, took)
	}
	if last.b != "0" {
		t.Errorf("%s records were dropped, though there is a spool", last.b)
	}
	open := 0
	for _, s := range lines {
		switch s.what {
		case saidBegin:
			open++
		case saidSession:
			open--
		}
	}
	if open == 0 || len(lines) < 20 {
		t.Errorf("%d lines and %d open sessions: nothing was tested", len(lines), open)
	}
	l.expect(lines, signalled+int64(time.Hour))
	l.server.set(healthy)
	l.drain()
	l.compare()
}

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
	ending, cancelEnding := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancelEnding()
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
