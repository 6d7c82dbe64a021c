// Package ingest turns spans that came by OTLP into writes of a store: which of
// them are events, which session each belongs to, and what it hangs on.
//
// # Which spans are events
//
// Those that speak any dialect of package convert. Others, such as HTTP and
// database spans, are left out, and what hangs on one hangs on the nearest span
// above that is not. Where that one comes later, the event is corrected then.
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
	"errors"
	"fmt"
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
	return &Ingester{store: s, memory: newMemory(memorySize), now: time.Now}
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

// Spans writes the spans of a request. When it returns without an error, they
// are durable.
func (i *Ingester) Spans(ctx context.Context, spans []convert.Span) (Result, error) {
	b := i.batch(spans)
	rejected, err := i.write(ctx, b)
	if err != nil {
		return Result{}, err
	}
	result := Result{Taken: b.taken - len(rejected), LeftOut: len(spans) - b.taken, Rejected: len(rejected)}
	if len(rejected) > 0 {
		result.Problem = rejected[0].Error()
	}
	return result, nil
}

// batch makes the writes of a request. What requests know of each other they
// learn one after the other, in the order of their times, so that none misses
// what another one waits for.
func (i *Ingester) batch(spans []convert.Span) *batch {
	b := newBatch(spans)
	i.mu.Lock()
	defer i.mu.Unlock()
	b.memory = i.memory
	b.at = i.tick()
	b.fill(spans)
	i.memory.keep(b)
	return b
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

// write writes a batch, and returns what is wrong with records of spans.
func (i *Ingester) write(ctx context.Context, b *batch) ([]error, error) {
	refused, err := Write(ctx, i.store, b.writes)
	if err != nil {
		return nil, fmt.Errorf("write spans: %w", err)
	}
	var rejected []error
	for n, w := range b.writes {
		if err := refused[n]; err != nil && b.ofSpan[payload(w)] {
			rejected = append(rejected, err)
		}
	}
	return rejected, nil
}

func payload(w store.Write) any {
	if w.Session != nil {
		return w.Session
	}
	return w.Event
}

// Write writes a batch without the writes that the store refuses, and returns
// what is wrong with these, by their index.
func Write(ctx context.Context, s store.Store, batch []store.Write) (map[int]error, error) {
	refused := make(map[int]error)
	for {
		good := make([]store.Write, 0, len(batch))
		index := make([]int, 0, len(batch))
		for n := range batch {
			if refused[n] == nil {
				good, index = append(good, batch[n]), append(index, n)
			}
		}
		err := s.Write(ctx, good)
		var fault *store.BatchError
		if !errors.As(err, &fault) || len(fault.Writes) == 0 {
			return refused, err
		}
		for _, w := range fault.Writes {
			refused[index[w.Index]] = w.Err
		}
	}
}
