package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// This file decides which steps of a program are events. A step is a span that speaks
// no dialect and is no plumbing; it is an event if its trace speaks, which may show
// later: in a span of the same request, or of one that comes within stepAge. Until
// then it is an edge, and kept as the record that it would be, within bounds: in memory,
// and with the edge in the store, from which a server that starts reads it.

// step is a step of the program whose trace does not speak yet.
type step struct {
	trace honeyhive.UUID // the session of the trace
	// payload is the event as JSON, which refers to nothing of the request.
	payload []byte
}

// Bounds of the steps that wait for their traces to speak. The oldest traces give way.
const (
	stepsMost  = 20_000
	stepsBytes = 16 << 20
	stepBytes  = 384 // about what one takes beside its record
	stepAge    = 5 * time.Minute
)

// steps are those that wait, by trace, the traces in the order of their first step.
type steps struct {
	traces map[honeyhive.UUID]*waitingTrace
	order  []*waitingTrace
	number int
	bytes  int
}

type waitingTrace struct {
	id    honeyhive.UUID
	since time.Time
	steps []step
	gone  bool // out of the map
}

func (s *step) size() int { return stepBytes + len(s.payload) }

// put adds a step, in whose favour others may be given up.
func (w *steps) put(s *step, now time.Time) {
	t := w.traces[s.trace]
	if t == nil {
		if w.traces == nil {
			w.traces = make(map[honeyhive.UUID]*waitingTrace)
		}
		t = &waitingTrace{id: s.trace, since: now}
		w.traces[s.trace] = t
		w.order = append(w.order, t)
	}
	t.steps = append(t.steps, *s)
	w.number, w.bytes = w.number+1, w.bytes+s.size()
	for len(w.order) > 0 {
		first := w.order[0]
		if !first.gone && w.number <= stepsMost && w.bytes <= stepsBytes && now.Sub(first.since) < stepAge {
			break
		}
		w.order[0], w.order = nil, w.order[1:]
		if !first.gone {
			w.take(first.id)
		}
	}
}

// take takes out the steps of a trace.
func (w *steps) take(trace honeyhive.UUID) []step {
	t := w.traces[trace]
	if t == nil {
		return nil
	}
	delete(w.traces, trace)
	t.gone = true
	taken := t.steps
	t.steps = nil
	w.number -= len(taken)
	for i := range taken {
		w.bytes -= taken[i].size()
	}
	return taken
}

// decide finds out which traces of a request speak, by now, and takes the steps of
// earlier requests that are events with that.
func (i *Ingester) decide(ctx context.Context, b *batch) error {
	if err := i.recall(ctx); err != nil {
		return err
	}
	i.mu.Lock()
	b.at = i.tick()
	unknown := make(map[honeyhive.UUID]*trace)
	for id, t := range b.traces {
		trace := TraceSession(id)
		_, speaks := i.memory.speaking.get(trace)
		switch {
		case t.speaks || speaks:
			i.speaks(b, trace, t)
		case t.steps > 0 && i.memory.steps.traces[trace] == nil:
			unknown[trace] = t
		}
	}
	i.mu.Unlock()
	// What has steps and is not remembered, since it is new or was forgotten: the store
	// knows whether it has events.
	for trace, t := range unknown {
		speaks, err := i.store.Speaks(ctx, trace)
		if err != nil {
			return err
		}
		if speaks {
			i.mu.Lock()
			i.speaks(b, trace, t)
			i.mu.Unlock()
		}
	}
	return nil
}

// speaks notes that a trace of a request speaks. The lock is held.
func (i *Ingester) speaks(b *batch, trace honeyhive.UUID, t *trace) {
	t.speaks = true
	i.memory.speaking.put(trace, struct{}{}, traceBytes)
	b.taken += t.steps
	b.promoted = append(b.promoted, i.memory.steps.take(trace)...)
}

// recall reads the steps that wait in the store, once: those of a server before.
func (i *Ingester) recall(ctx context.Context) error {
	i.recalling.Lock()
	defer i.recalling.Unlock()
	if i.recalled {
		return nil
	}
	for e, err := range i.store.Steps(ctx) {
		if err != nil {
			return err
		}
		i.mu.Lock()
		i.memory.steps.put(&step{e.Trace, e.Step.AppendJSON(nil)}, i.tick())
		i.mu.Unlock()
	}
	i.recalled = true
	return nil
}

// hold keeps the record of a step that is undecided: of one request no more than are
// remembered, so that a trace with more of them keeps those which came first. hold
// returns what the edge of the step keeps, or nil.
func (b *batch) hold(trace honeyhive.UUID, rec *convert.Record) *honeyhive.Event {
	if len(b.undecided) >= stepsMost || b.undecidedBytes >= stepsBytes {
		return nil
	}
	payload := rec.Event()
	held := step{trace, payload.AppendJSON(nil)}
	size := held.size()
	if b.undecidedBytes+size > stepsBytes {
		return nil
	}
	b.undecided = append(b.undecided, held)
	b.undecidedBytes += size
	if len(held.payload) > store.MaxStepBytes {
		return nil // it waits in memory alone
	}
	return &payload
}

// settle remembers the steps of a request that are undecided, and writes those whose
// trace has begun to speak since.
func (i *Ingester) settle(p *piece, undecided []step) error {
	var late []step
	i.mu.Lock()
	now := i.tick()
	for n := range undecided {
		s := &undecided[n]
		if _, speaks := i.memory.speaking.get(s.trace); speaks {
			late = append(late, *s)
		} else {
			i.memory.steps.put(s, now)
		}
	}
	i.mu.Unlock()
	for n := range late {
		if err := late[n].write(p); err != nil {
			return err
		}
	}
	return p.flush()
}

// write writes a step whose trace speaks by now.
func (s *step) write(p *piece) error {
	e := new(honeyhive.Event)
	if err := json.Unmarshal(s.payload, e); err != nil {
		return fmt.Errorf("read a step that waited: %w", err)
	}
	return p.add(store.Write{Event: e, Trace: s.trace}, false, len(s.payload))
}
