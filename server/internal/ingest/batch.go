package ingest

import (
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// batch is what is known of the spans of a request, but for what they hold: that
// is read, and written, span by span when all of this is known.
type batch struct {
	at     time.Time
	places []place // of the spans, in their order
	taken  int

	traces map[[16]byte]*trace
	named  map[honeyhive.UUID]bool // the sessions that spans name
	// kept are the events. above says where what hangs on a span hangs instead:
	// on the event above a plain span, on the session where that is the nil
	// UUID, or on the session whose root the span is.
	kept    map[honeyhive.UUID]bool
	above   map[honeyhive.UUID]honeyhive.UUID
	waiting map[honeyhive.UUID][]child
	// ends say what the root of a trace writes of a session, by the place of the
	// root. late are those whose root came in another request, and moved the
	// events that came before the span that they hang on.
	ends  map[int]end
	late  []lateEnd
	moved []child
	// promoted are steps of earlier requests whose trace speaks now. undecided are
	// those of this one whose trace does not yet.
	promoted  []step
	undecided []step
}

// place is where a span stands.
type place struct {
	child
	trace *trace
	kind  kind
	named bool // it names its session itself
	hangs bool // on what its parent span is
	// step is set for a step of the program, which is an event if its trace speaks.
	// span is the id of the span of one, up what it hangs on where it is left out.
	step     bool
	span, up honeyhive.UUID
}

type kind uint8

const (
	leftOut kind = iota
	isSession
	isEvent
)

// child is an event and what it hangs on.
type child struct {
	event, session, parent honeyhive.UUID
	name, eventType        string
	end, duration          honeyhive.Optional[float64]
}

// trace is what is known of a trace.
type trace struct {
	speaks  bool           // it has events
	spoken  bool           // it, or what came before of it
	session honeyhive.UUID // that its spans name
	home    honeyhive.UUID // the session of those that name none
	owned   bool           // they name it as HoneyHive does, so somebody else ends it
	root    *root          // that is no event
	rootAt  int            // the place of the root in the request, from 1
}

// end is what the root of a trace writes of a session.
type end struct {
	trace   [16]byte
	session honeyhive.UUID
	whole   bool // all that it knows, not only when it ended
}

// lateEnd is an end by a root of an earlier request.
type lateEnd struct {
	end
	root *root
}

func newBatch() *batch {
	return &batch{
		traces: make(map[[16]byte]*trace), named: make(map[honeyhive.UUID]bool), kept: make(map[honeyhive.UUID]bool),
		above: make(map[honeyhive.UUID]honeyhive.UUID), waiting: make(map[honeyhive.UUID][]child), ends: make(map[int]end),
	}
}

func spanID(s *convert.Span) honeyhive.UUID { return honeyhive.EventID(s.TraceID, s.SpanID) }

func isRoot(s *convert.Span) bool { return s.ParentSpanID == [8]byte{} }

// maxTraces bounds the traces of a request, and the sessions that its spans name: each
// takes as much work as several spans.
const maxTraces = 10_000

// ErrTooMany says that a request is about more traces or sessions than are taken at
// once.
var ErrTooMany = errors.New("the request is about more than 10,000 traces or sessions: send fewer spans at once")

// look notes what a span says of its trace, and its place.
func (b *batch) look(s *convert.Span) error {
	t := b.traces[s.TraceID]
	if t == nil {
		t = new(trace)
		b.traces[s.TraceID] = t
	}
	role := convert.RoleOf(s)
	isStep := role == convert.Step && !convert.NamesSession(s.Attributes)
	speaks := role == convert.Speaking || role == convert.Step && !isStep
	var rec convert.Record
	if speaks || isStep || isRoot(s) {
		rec = convert.Convert(s)
	} else {
		rec.SessionID = convert.Identify(s).SessionID
	}
	if !rec.SessionID.IsZero() {
		t.session = rec.SessionID
		b.named[rec.SessionID] = true
		t.owned = t.owned || rec.IsSession || hasOwnSession(s.Attributes)
	}
	id := spanID(s)
	p := place{trace: t, named: !rec.SessionID.IsZero()}
	switch {
	case rec.IsSession:
		p.kind = isSession
		b.above[id] = rec.SessionID
	case isStep:
		p.step, p.span, p.up = true, id, above(s)
		p.note(s, &rec)
	case speaks:
		p.kind = isEvent
		p.note(s, &rec)
		if rec.EventID != id { // it has an id of its own
			b.above[id] = rec.EventID
		}
		b.kept[rec.EventID] = true
		t.speaks = true
	default:
		b.above[id] = above(s)
	}
	if p.kind != leftOut {
		b.taken++
	}
	b.places = append(b.places, p)
	if isRoot(s) && p.kind != isSession {
		t.rootAt, t.root = len(b.places), nil
		if !speaks {
			t.root = newRoot(&rec)
		}
	}
	if len(b.traces) > maxTraces || len(b.named) > maxTraces {
		return ErrTooMany
	}
	return nil
}

// note notes what a span is as an event.
func (p *place) note(s *convert.Span, rec *convert.Record) {
	p.child = child{event: rec.EventID, session: rec.SessionID, parent: rec.ParentID, name: rec.Name, eventType: rec.Type, end: rec.End, duration: rec.Duration}
	p.hangs = !isRoot(s) && rec.ParentID == honeyhive.EventID(s.TraceID, s.ParentSpanID)
}

// above returns what a span hangs on: the nil UUID for the root of a trace.
func above(s *convert.Span) honeyhive.UUID {
	if isRoot(s) {
		return honeyhive.UUID{}
	}
	return honeyhive.EventID(s.TraceID, s.ParentSpanID)
}

// hasOwnSession reports whether a span names its session as HoneyHive does.
func hasOwnSession(attributes []attribute.KeyValue) bool {
	for _, kv := range attributes {
		if kv.Key == honeyhive.AttrSessionID || kv.Key == "honeyhive_session_id" {
			return true
		}
	}
	return false
}

// autoCreates reports whether a span may make the session that it names.
func autoCreates(attributes []attribute.KeyValue) bool {
	for _, kv := range attributes {
		if kv.Key == honeyhive.AttrSessionAutoCreate {
			return kv.Value.String() == "true"
		}
	}
	return !hasOwnSession(attributes)
}

// link finds the session and the parent of each event, as far as the request and
// the ones before it say, and what the request says of earlier ones.
func (b *batch) link(m *memory) {
	b.decide(m)
	for id, t := range b.traces {
		t.home = t.session
		if before, _ := m.traces.get(id); t.home.IsZero() {
			t.home = before.session
		}
		if t.home.IsZero() {
			t.home = TraceSession(id)
		}
	}
	for i := range b.places {
		p := &b.places[i]
		if p.kind != isEvent {
			continue
		}
		if !p.named {
			p.session = p.trace.home
		}
		if p.parent.IsZero() {
			p.parent = p.session
		}
		if p.hangs {
			b.hang(m, &p.child)
		}
	}
	for i := range b.promoted {
		s := &b.promoted[i]
		if !s.named {
			s.session = b.traces[s.trace].home
		}
		if s.parent.IsZero() {
			s.parent = s.session
		}
		if s.hangs {
			b.hang(m, &s.child)
		}
	}
	for id, t := range b.traces {
		b.endTrace(m, id, t)
	}
	b.correct(m)
}

// maxHops bounds how many plain spans may lie between two events.
const maxHops = 256

// hang sets the parent of an event to the nearest span above that is an event or
// a session, as far as is known.
func (b *batch) hang(m *memory, c *child) {
	for range maxHops {
		up, ok := b.above[c.parent]
		if !ok {
			up, ok = m.above.get(c.parent)
		}
		switch {
		case !ok:
			if !b.kept[c.parent] {
				b.waiting[c.parent] = append(b.waiting[c.parent], *c)
			}
			return
		case up.IsZero(), up == c.event: // nothing is above itself
			c.parent = c.session
			return
		}
		if c.parent = up; up == c.session {
			return
		}
	}
}

// endTrace finds out what the root of a trace says of its session.
func (b *batch) endTrace(m *memory, id [16]byte, t *trace) {
	before, _ := m.traces.get(id)
	if t.rootAt == 0 && before.root == nil || !t.speaks && !before.speaks {
		return
	}
	e := end{trace: id, session: t.home}
	e.whole = e.session == TraceSession(id)
	if !e.whole && (t.owned || before.owned) {
		return
	}
	if t.rootAt > 0 {
		b.ends[t.rootAt-1] = e
	} else {
		b.late = append(b.late, lateEnd{e, before.root})
	}
}

// correct hangs events that came before onto what is known of their parents now.
func (b *batch) correct(m *memory) {
	for parent := range b.above {
		list, _ := m.waiting.get(parent)
		for _, c := range list {
			c.parent = parent
			b.hang(m, &c)
			b.moved = append(b.moved, c)
		}
	}
}
