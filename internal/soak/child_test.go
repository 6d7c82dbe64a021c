package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// What a child writes to its standard output, a line for each: one of these, an
// id, what else there is, how many records each destination had counted by then
// (the number of this record, if it is one), and the time in nanoseconds.
const (
	saidBegin   = "B" // session
	saidEnding  = "N" // session, whose End is about to be called
	saidSession = "S" // session, span: its End returned
	saidEvent   = "E" // event, span: its End returned
	saidUpdate  = "U" // target, marker: Update returned
	saidSpooled = "P" // records of HTTP, records of OTLP that were written to the spool
	saidFlushed = "F" // all before it is delivered
	saidClosed  = "C" // Shutdown returned nil
)

// say writes a line. One write of a short line to a pipe is never torn.
func say(tracer *sessionspan.Tracer, what string, a, b any) {
	now := time.Now().UnixNano()
	stats := tracer.Stats()
	if _, err := fmt.Fprintf(os.Stdout, "%s %v %v %d %d %d\n", what, a, b, stats[0].Created, stats[1].Created, now); err != nil {
		os.Exit(4)
	}
}

// fail ends a child that cannot do its work.
func fail(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(2)
}

func seedOf() uint64 {
	n, err := strconv.ParseUint(os.Getenv(envSeed), 10, 64)
	if err != nil {
		fail("%s: %v", envSeed, err)
	}
	return n
}

// childTracer makes the tracer of a child, with a destination of each kind.
func childTracer() *sessionspan.Tracer {
	url := os.Getenv(envURL)
	t, err := sessionspan.New(
		sessionspan.WithoutEnvironment(), sessionspan.WithProject("soak"), sessionspan.WithErrorHandler(childError),
		sessionspan.WithHTTP(exporter.HTTPConfig{URL: url}),
		sessionspan.WithOTLP(exporter.OTLPConfig{URL: url + tracesPath}),
		sessionspan.WithSpool(os.Getenv(envDir)),
	)
	if err != nil {
		fail("%v", err)
	}
	return t
}

// childError shows what the library reports.
func childError(err error) { _, _ = fmt.Fprintln(os.Stderr, err) }

// recordChild records until it is killed.
func recordChild() {
	seed := seedOf()
	r := rand.New(rand.NewPCG(seed, 1))
	tracer := childTracer()
	breath := []time.Duration{0, 100 * time.Microsecond, time.Millisecond, 5 * time.Millisecond}[r.IntN(4)]
	if text := os.Getenv(envBreath); text != "" {
		var err error
		if breath, err = time.ParseDuration(text); err != nil {
			fail("%v", err)
		}
	}
	order := new(sync.Mutex)
	for i := range uint64(1 + 2*r.IntN(2)) {
		go (&recorder{tracer: tracer, order: order, rand: rand.New(rand.NewPCG(seed, i+2)), breath: breath}).run()
	}
	for {
		time.Sleep(3 * time.Millisecond)
		stats := tracer.Stats()
		say(tracer, saidSpooled, stats[0].Spooled, stats[1].Spooled)
	}
}

// recorder is a goroutine that records.
type recorder struct {
	tracer *sessionspan.Tracer
	order  *sync.Mutex // held while a record is made, so that its number is known
	rand   *rand.Rand
	breath time.Duration // after each step
	open   []openSession

	ended, updated int // records that were made
}

type openSession struct {
	ctx     context.Context
	session *sessionspan.Session
}

// run records without end.
func (r *recorder) run() {
	for {
		r.step()
		if r.breath > 0 {
			time.Sleep(r.breath)
		}
	}
}

// ordered runs f, which makes a record, and says so.
func (r *recorder) ordered(f func(), what string, a, b any) {
	r.order.Lock()
	defer r.order.Unlock()
	f()
	if what == saidUpdate {
		r.updated++
	} else {
		r.ended++
	}
	say(r.tracer, what, a, b)
}

// step records a session, or something more of one that is open.
func (r *recorder) step() {
	if len(r.open) > 0 && r.rand.IntN(4) == 0 {
		i := r.rand.IntN(len(r.open))
		o := r.open[i]
		r.events(o.ctx, 2)
		if r.rand.IntN(2) == 0 {
			r.open = append(r.open[:i], r.open[i+1:]...)
			r.end(o.session)
		}
		return
	}
	ctx, s := r.tracer.StartSession(context.Background(), "s", sessionspan.WithInputs(r.payload()))
	say(r.tracer, saidBegin, s.ID(), "-")
	r.events(ctx, 1+r.rand.IntN(5))
	if len(r.open) < 8 && r.rand.IntN(8) == 0 {
		r.open = append(r.open, openSession{ctx, s})
		return
	}
	if r.rand.IntN(16) == 0 {
		flushing, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		_ = r.tracer.ForceFlush(flushing)
		cancel()
	}
	r.end(s)
	if r.rand.IntN(8) == 0 {
		r.update(s.ID())
	}
}

func (r *recorder) payload() map[string]any {
	size := 100 + r.rand.IntN(900)
	if r.rand.IntN(200) == 0 {
		size = 100_000
	}
	return payload(size, r.rand.Uint64())
}

func (r *recorder) events(ctx context.Context, n int) {
	for range n {
		_, e := r.tracer.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(r.payload()))
		e.SetOutputs(map[string]any{"done": true})
		span := e.Span().SpanContext().SpanID()
		r.ordered(func() { e.End() }, saidEvent, e.ID(), span)
		if r.rand.IntN(16) == 0 {
			r.update(e.ID())
		}
	}
}

func (r *recorder) end(s *sessionspan.Session) {
	s.SetOutputs(map[string]any{"done": true})
	say(r.tracer, saidEnding, s.ID(), "-")
	r.ordered(func() { s.End() }, saidSession, s.ID(), s.Span().SpanContext().SpanID())
}

func (r *recorder) update(id string) {
	marker := r.rand.Uint32()
	r.ordered(func() {
		if err := r.tracer.Update(context.Background(), id, sessionspan.WithMetrics(map[string]any{"marker": marker})); err != nil {
			fail("update: %v", err)
		}
	}, saidUpdate, id, marker)
}

// drainChild waits until what is in the spool is delivered, records a session of
// its own, and ends as a program should.
func drainChild() {
	tracer := childTracer()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	sctx, s := tracer.StartSession(ctx, "s", sessionspan.WithInputs(payload(100, 1)))
	r := &recorder{tracer: tracer, order: new(sync.Mutex), rand: rand.New(rand.NewPCG(seedOf(), 1))}
	r.events(sctx, 3)
	r.end(s)
	// A flush waits for the logs to be taken over that lie there when a process
	// starts, but not for what they hold.
	for waiting := int64(1); waiting > 0; time.Sleep(20 * time.Millisecond) {
		if err := tracer.ForceFlush(ctx); err != nil {
			fail("flush: %v", err)
		}
		waiting = 0
		for _, s := range tracer.Stats() {
			waiting += s.Waiting + s.WaitingOnDisk
		}
	}
	say(tracer, saidFlushed, "-", "-")
	if err := tracer.Shutdown(ctx); err != nil {
		fail("shutdown: %v", err)
	}
	say(tracer, saidClosed, "-", "-")
	checkAccounts(tracer.Stats(), fail)
}

// checkAccounts checks that accounts add up.
func checkAccounts(stats []exporter.Stats, fail func(string, ...any)) {
	for _, s := range stats {
		sum := s.Delivered + s.Waiting + s.WaitingOnDisk + s.SetAside
		for _, n := range s.Dropped {
			sum += n
		}
		if s.Created+s.Adopted != sum {
			fail("the account does not add up: %+v", s)
		}
	}
}
