package ingest

import (
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
// then it is an edge, and kept in memory, within bounds, as the record that it would
// be, which then takes the place of the edge.

// step is a step of the program whose trace does not speak yet.
type step struct {
	trace [16]byte
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
	traces map[[16]byte]*waitingTrace
	order  []*waitingTrace
	number int
	bytes  int
}

type waitingTrace struct {
	id    [16]byte
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
			w.traces = make(map[[16]byte]*waitingTrace)
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
func (w *steps) take(trace [16]byte) []step {
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
func (i *Ingester) decide(b *batch) {
	i.mu.Lock()
	defer i.mu.Unlock()
	b.at = i.tick()
	for trace, n := range b.traces {
		if n.speaks {
			i.memory.speaking.put(trace, struct{}{}, traceBytes)
		} else if _, n.speaks = i.memory.speaking.get(trace); !n.speaks {
			continue
		}
		b.taken += n.steps
		b.promoted = append(b.promoted, i.memory.steps.take(trace)...)
	}
}

// hold keeps the record of a step that is undecided: of one request no more than are
// remembered, so that a trace with more of them keeps those which came first.
func (b *batch) hold(s *convert.Span, rec *convert.Record) {
	if len(b.undecided) >= stepsMost || b.undecidedBytes >= stepsBytes {
		return
	}
	payload := rec.Event()
	held := step{s.TraceID, payload.AppendJSON(nil)}
	if size := held.size(); b.undecidedBytes+size <= stepsBytes {
		b.undecided = append(b.undecided, held)
		b.undecidedBytes += size
	}
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
	return p.add(store.Write{Event: e, Trace: TraceSession(s.trace)}, false, len(s.payload))
}
