package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// This file decides which steps of a program are events. A step is a span that speaks
// no dialect and is no plumbing; it is an event if its trace speaks, which may show
// later: in a span of the same request, or of one that comes within stepAge. Until
// then it is kept in memory, within bounds, as the record that it would be. While it is
// undecided nothing hangs on it, since what hangs on it would be an event of its trace.

// step is a step of the program whose trace does not speak yet.
type step struct {
	child
	trace    [16]byte
	span, up honeyhive.UUID
	named    bool // it names its session itself
	hangs    bool // on what its parent span is
	// payload is the event, announcement what it says of a session that it names, both
	// as JSON, which refers to nothing of the request.
	payload, announcement []byte
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

func (s *step) size() int { return stepBytes + len(s.name) + len(s.payload) + len(s.announcement) }

// put adds a step, and returns those that are given up in its favour.
func (w *steps) put(s *step, now time.Time) (dropped []step) {
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
			dropped = append(dropped, w.take(first.id)...)
		}
	}
	return dropped
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

// decide finds out which steps of the request, and of earlier ones, are events.
func (b *batch) decide(m *memory) {
	for id, t := range b.traces {
		before, _ := m.traces.get(id)
		if t.spoken = t.speaks || before.speaks; t.spoken {
			b.promoted = append(b.promoted, m.steps.take(id)...)
		}
	}
	for i := range b.places {
		p := &b.places[i]
		if !p.step || !p.trace.spoken {
			continue
		}
		p.kind = isEvent
		b.taken++
		b.kept[p.event] = true
		if p.event != p.span {
			b.above[p.span] = p.event
		}
		if p.trace.rootAt == i+1 {
			p.trace.root = nil // it says all itself
		}
	}
	for i := range b.promoted {
		b.kept[b.promoted[i].event] = true
		if s := &b.promoted[i]; s.event != s.span {
			b.above[s.span] = s.event
		}
	}
}

// hold keeps the record of a step that is undecided.
func (b *batch) hold(at *place, s *convert.Span, rec *convert.Record) {
	kept := step{child: at.child, trace: s.TraceID, span: at.span, up: at.up, named: at.named, hangs: at.hangs}
	kept.name = shortName(kept.name)
	kept.eventType = strings.Clone(kept.eventType)
	payload := rec.Event()
	kept.payload = payload.AppendJSON(nil)
	if at.named {
		kept.announcement = announcement(s, rec).AppendJSON(nil)
	}
	b.undecided = append(b.undecided, kept)
}

// settle remembers the steps of a request that are undecided, and writes those whose
// trace has begun to speak since.
func (i *Ingester) settle(ctx context.Context, undecided []step) error {
	if len(undecided) == 0 {
		return nil
	}
	late := newBatch()
	i.mu.Lock()
	now := i.tick()
	for n := range undecided {
		s := &undecided[n]
		if before, _ := i.memory.traces.get(s.trace); before.speaks {
			late.traces[s.trace] = new(trace)
			late.promoted = append(late.promoted, *s)
			continue
		}
		for _, d := range i.memory.steps.put(s, now) {
			i.memory.above.put(d.span, d.up, upBytes)
		}
	}
	i.mu.Unlock()
	if len(late.promoted) == 0 {
		return nil
	}
	i.link(late)
	return late.write(&piece{ctx: ctx, store: i.store, batch: late}, func(func(*convert.Span) error) error { return nil })
}

// write writes a step whose trace speaks by now.
func (s *step) write(p *piece) error {
	if len(s.announcement) > 0 {
		var session honeyhive.SessionStartRequest
		if err := json.Unmarshal(s.announcement, &session); err != nil {
			return fmt.Errorf("read a step that waited: %w", err)
		}
		if err := p.add(store.Write{Session: &session}, false, 0); err != nil {
			return err
		}
	}
	var e honeyhive.Event
	if err := json.Unmarshal(s.payload, &e); err != nil {
		return fmt.Errorf("read a step that waited: %w", err)
	}
	e.SessionID, e.ParentID = honeyhive.Some(s.session.String()), honeyhive.Some(s.parent.String())
	return p.add(store.Write{Event: &e}, false, len(s.payload))
}
