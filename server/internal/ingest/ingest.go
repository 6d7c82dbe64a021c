// Package ingest turns spans that came by OTLP into writes of a store: which of
// them are events, which session each belongs to, and what it hangs on.
//
// # Which spans are events
//
// Those that speak any dialect of package convert, and the steps of the program in a
// trace that has such a span; see step.go. Others, such as HTTP and database spans, are
// left out: of them an edge is kept, and what hangs on one hangs on the nearest span
// above that is not.
//
// # Which session
//
// A span that names a session, in any dialect, is of that one. Names are compared as
// text, so that two services mean the same; the project is that of the topmost span.
// A span that names none is of the session that its trace names, if that is one; a
// name of a conversation or a thread counts only where a trace has no other. A trace
// that names no session is one itself: see [TraceSession].
//
// What is written of a span follows from the span alone. What spans are to each other
// says the store, by [store.Join] and [store.Edge]: so it does not matter how they are
// cut into requests, in which order these come, or whether the server was restarted in
// between.
//
// # Records of sessions that nobody sends
//
// A session is there with its spans, unless they carry HoneyHive's session id without
// its consent to make one (honeyhive.session_auto_create): these wait as orphans. The
// root of a trace says of the session that the trace is part of when it was, and what
// went wrong; where the root is an event, also inputs, outputs and the user. Not so
// where spans carry HoneyHive's own id, since then somebody else says this.
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

	recalling sync.Mutex // guards recalled, while the steps in the store are read
	recalled  bool

	project string // that all spans are of; "" leaves it to them
	parts   parts
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
	b.project = i.project
	err := walk(func(s *convert.Span) error {
		if err := b.look(s); err != nil {
			return err
		}
		return ctx.Err()
	})
	if err != nil {
		return Result{}, err
	}
	if err := i.decide(ctx, b); err != nil {
		return Result{}, err
	}
	p := &piece{ctx: ctx, store: i.store, batch: b}
	if err := b.write(p, walk); err != nil {
		return Result{}, err
	}
	if err := i.settle(p, b.undecided); err != nil {
		return Result{}, err
	}
	result := Result{Taken: b.taken - p.rejected, LeftOut: b.spans - b.taken, Rejected: p.rejected}
	if p.problem != nil {
		result.Problem = p.problem.Error()
	}
	return result, nil
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
