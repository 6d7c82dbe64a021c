// Package ingest turns spans that came by OTLP into writes of a store: which of
// them are events, which session each belongs to, and what it hangs on.
//
// # Which spans are events
//
// Those that speak any dialect of package convert, and the steps of the program in a
// trace that has such a span; see step.go. Others, such as HTTP and database spans, are
// left out, and what hangs on one hangs on the nearest span above that is not. Where
// that one comes later, the event is corrected then.
//
// # Which session
//
// The one that the attributes of the span name, in any dialect. A span that
// names none belongs to the session that another span of its trace names, if
// that came in the same request or not long before. A trace that names no
// session is one itself: see [TraceSession].
//
// # Records of sessions that nobody sends
//
// A session is announced by its spans, without an end, unless they carry
// HoneyHive's session id without its consent to make one
// (honeyhive.session_auto_create): these wait as orphans. The root span of a
// trace that is a session gives it its name, times, inputs and outputs. The root
// of a trace in a session that is named otherwise moves the end of the session,
// but not where spans carry HoneyHive's own id, since then somebody else ends it.
package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Ingester writes spans to a store. It is safe for concurrent use.
type Ingester struct {
	store store.Store
	now   func() time.Time

	mu     sync.Mutex // guards what follows
	memory *memory
	last   time.Time
}

// New returns an Ingester for the store.
func New(s store.Store) *Ingester {
	return &Ingester{store: s, memory: newMemory(), now: time.Now}
}

// Result says what became of the spans of a request.
type Result struct {
	Taken    int // sessions and events
	LeftOut  int // spans that are no events
	Rejected int // the store did not take them
	Problem  string
}

// TraceSession returns the id of the session that a trace is which names none:
// that of an event whose span id is all zeros, which no span has.
func TraceSession(traceID [16]byte) honeyhive.UUID { return honeyhive.EventID(traceID, [8]byte{}) }

// Walk visits the spans of a request in their order, and returns the error of
// visit, which ends it. It does the same each time: the first walk finds out what
// the spans are to each other, the second one writes them. A span is not used
// after visit returned, but for its texts, until Spans returns.
type Walk func(visit func(*convert.Span) error) error

// Spans writes the spans of a request, a few at a time. When it returns without an
// error, they are durable. The error is that of the walk, of ctx, [ErrTooMany], or says
// why the store does not take them: what was written by then stays, and to send it
// again does no harm.
func (i *Ingester) Spans(ctx context.Context, walk Walk) (Result, error) {
	b := newBatch()
	err := walk(func(s *convert.Span) error {
		if err := b.look(s); err != nil {
			return err
		}
		return ctx.Err()
	})
	if err != nil {
		return Result{}, err
	}
	i.link(b)
	p := &piece{ctx: ctx, store: i.store, batch: b}
	if err := b.write(p, walk); err != nil {
		return Result{}, err
	}
	if err := i.settle(ctx, b.undecided); err != nil {
		return Result{}, err
	}
	result := Result{Taken: b.taken - p.rejected, LeftOut: len(b.places) - b.taken, Rejected: p.rejected}
	if p.problem != nil {
		result.Problem = p.problem.Error()
	}
	return result, nil
}

// link finds out what the spans of a request are to those of others. What requests
// know of each other they learn one after the other, in the order of their times,
// so that none misses what another one waits for.
func (i *Ingester) link(b *batch) {
	i.mu.Lock()
	defer i.mu.Unlock()
	b.at = i.tick()
	b.link(i.memory)
	i.memory.keep(b)
}

// Now returns the time of a write. Each is later than the one before: of two
// equal ones neither would be later.
func (i *Ingester) Now() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.tick()
}

func (i *Ingester) tick() time.Time {
	now := i.now().Round(0)
	if least := i.last.Add(time.Microsecond); now.Before(least) {
		now = least
	}
	i.last = now
	return now
}
