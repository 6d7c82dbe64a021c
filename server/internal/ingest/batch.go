package ingest

import (
	"encoding/hex"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// batch is what a request comes to.
type batch struct {
	memory *memory
	at     time.Time

	writes []store.Write
	ofSpan map[any]bool // payloads that are those of a span
	taken  int

	records []convert.Record
	traces  map[[16]byte]*trace
	// kept are the events. above says where what hangs on a span hangs instead:
	// on the event above a plain span, on the session where that is the nil
	// UUID, or on the session whose root the span is.
	kept    map[honeyhive.UUID]bool
	above   map[honeyhive.UUID]honeyhive.UUID
	waiting map[honeyhive.UUID][]child
}

// trace is what is known of a trace.
type trace struct {
	speaks  bool           // it has events
	session honeyhive.UUID // that its spans name
	owned   bool           // they name it as HoneyHive does, so somebody else ends it
	root    *honeyhive.SessionStartRequest
	plain   bool // the root is no event
}

// child is an event whose parent is not known yet.
type child struct {
	event, session honeyhive.UUID
	name, kind     string
	end, duration  honeyhive.Optional[float64]
}

// newBatch converts spans, and notes what they say of their traces.
func newBatch(spans []convert.Span) *batch {
	b := &batch{
		ofSpan: make(map[any]bool), records: make([]convert.Record, len(spans)), traces: make(map[[16]byte]*trace),
		kept: make(map[honeyhive.UUID]bool), above: make(map[honeyhive.UUID]honeyhive.UUID), waiting: make(map[honeyhive.UUID][]child),
	}
	for n := range spans {
		b.records[n] = convert.Convert(&spans[n])
		b.look(&spans[n], &b.records[n])
	}
	return b
}

func spanID(s *convert.Span) honeyhive.UUID { return honeyhive.EventID(s.TraceID, s.SpanID) }

func isRoot(s *convert.Span) bool { return s.ParentSpanID == [8]byte{} }

func (b *batch) look(s *convert.Span, rec *convert.Record) {
	t := b.traces[s.TraceID]
	if t == nil {
		t = new(trace)
		b.traces[s.TraceID] = t
	}
	if !rec.SessionID.IsZero() {
		t.session = rec.SessionID
		t.owned = t.owned || rec.IsSession || hasOwnSession(s.Attributes)
	}
	id := spanID(s)
	speaks := convert.Speaks(s.Attributes)
	switch {
	case rec.IsSession:
		b.above[id] = rec.SessionID
		b.taken++
		return
	case speaks:
		if rec.EventID != id { // it has an id of its own
			b.above[id] = rec.EventID
		}
		b.kept[rec.EventID] = true
		t.speaks = true
		b.taken++
	case isRoot(s):
		b.above[id] = honeyhive.UUID{}
	default:
		b.above[id] = honeyhive.EventID(s.TraceID, s.ParentSpanID)
	}
	if isRoot(s) {
		t.root, t.plain = rootRecord(rec, speaks), !speaks
	}
}

// rootRecord returns what the root of a trace says of a session.
func rootRecord(rec *convert.Record, speaks bool) *honeyhive.SessionStartRequest {
	whole := rec.Session()
	r := &honeyhive.SessionStartRequest{
		SessionName: whole.SessionName, Project: whole.Project, Source: whole.Source, Error: whole.Error,
		StartTime: whole.StartTime, EndTime: whole.EndTime, Duration: whole.Duration,
	}
	if speaks {
		r.Inputs, r.Outputs, r.UserProperties = whole.Inputs, whole.Outputs, whole.UserProperties
	}
	return r
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

// fill makes the writes.
func (b *batch) fill(spans []convert.Span) {
	announced := make(map[honeyhive.UUID]bool)
	for n := range spans {
		s, rec := &spans[n], &b.records[n]
		switch {
		case rec.IsSession:
			payload := rec.Session()
			b.ofSpan[&payload] = true
			b.writes = append(b.writes, store.Write{Session: &payload, At: b.at})
		case b.kept[rec.EventID] && convert.Speaks(s.Attributes):
			b.event(s, rec, announced)
		}
	}
	for id, t := range b.traces {
		b.endTrace(id, t)
	}
	b.correct()
}

// event writes an event, and announces its session.
func (b *batch) event(s *convert.Span, rec *convert.Record, announced map[honeyhive.UUID]bool) {
	named := !rec.SessionID.IsZero()
	if !named {
		rec.SessionID = b.sessionOf(s.TraceID)
	}
	if rec.ParentID.IsZero() {
		rec.ParentID = rec.SessionID
	}
	if !isRoot(s) && rec.ParentID == honeyhive.EventID(s.TraceID, s.ParentSpanID) {
		b.hang(rec)
	}
	if !announced[rec.SessionID] && (!named || autoCreates(s.Attributes)) {
		announced[rec.SessionID] = true
		b.announce(s, rec)
	}
	payload := rec.Event()
	b.ofSpan[&payload] = true
	b.writes = append(b.writes, store.Write{Event: &payload, At: b.at})
}

// sessionOf returns the session of the spans of a trace that name none.
func (b *batch) sessionOf(id [16]byte) honeyhive.UUID {
	if t := b.traces[id]; !t.session.IsZero() {
		return t.session
	}
	if t, ok := b.memory.traces.get(id); ok && !t.session.IsZero() {
		return t.session
	}
	return TraceSession(id)
}

// maxHops bounds how many plain spans may lie between two events.
const maxHops = 256

// hang sets the parent of an event to the nearest span above that is an event or
// a session, as far as is known.
func (b *batch) hang(rec *convert.Record) {
	for range maxHops {
		up, ok := b.above[rec.ParentID]
		if !ok {
			up, ok = b.memory.above.get(rec.ParentID)
		}
		switch {
		case !ok:
			if !b.kept[rec.ParentID] {
				b.waiting[rec.ParentID] = append(b.waiting[rec.ParentID], child{
					event: rec.EventID, session: rec.SessionID, name: rec.Name, kind: rec.Type, end: rec.End, duration: rec.Duration,
				})
			}
			return
		case up.IsZero(), up == rec.EventID: // nothing is above itself
			rec.ParentID = rec.SessionID
			return
		}
		if rec.ParentID = up; up == rec.SessionID {
			return
		}
	}
}

// announce writes what a span says of its session. A name that is made up goes
// where it gives way to any other.
func (b *batch) announce(s *convert.Span, rec *convert.Record) {
	payload := &honeyhive.SessionStartRequest{SessionID: honeyhive.Some(rec.SessionID.String())}
	set(&payload.Project, rec.Project)
	set(&payload.Source, rec.Source)
	set(&payload.SessionName, rec.SessionName)
	original, ok := rec.Buckets[convert.Metadata].Get(convert.OriginalSessionID)
	switch {
	case rec.SessionName != "":
	case ok:
		payload.Metadata, _ = payload.Metadata.With("session_name", original)
	case rec.SessionID == TraceSession(s.TraceID):
		payload.Metadata, _ = payload.Metadata.With("session_name", "trace "+hex.EncodeToString(s.TraceID[:4]))
	}
	b.writes = append(b.writes, store.Write{Session: payload, At: b.at})
}

func set(field *honeyhive.Optional[string], v string) {
	if v != "" {
		*field = honeyhive.Some(v)
	}
}

// endTrace writes what the root of a trace says of its session.
func (b *batch) endTrace(id [16]byte, t *trace) {
	before, _ := b.memory.traces.get(id)
	root := t.root
	if root == nil {
		root = before.root
	}
	if root == nil || !t.speaks && !before.speaks {
		return
	}
	session := b.sessionOf(id)
	payload := *root
	switch {
	case session == TraceSession(id):
		payload.Metadata, _ = payload.Metadata.With("trace_id", hex.EncodeToString(id[:]))
	case t.owned || before.owned:
		return
	default:
		payload = honeyhive.SessionStartRequest{EndTime: root.EndTime}
	}
	payload.SessionID = honeyhive.Some(session.String())
	b.writes = append(b.writes, store.Write{Session: &payload, At: b.at})
}

// correct hangs events that came before onto what is known of their parents
// now. What a whole record says of a field gives way to a later one alone, so
// the correction has the end of the event.
func (b *batch) correct() {
	for parent := range b.above {
		list, _ := b.memory.waiting.get(parent)
		for _, c := range list {
			rec := convert.Record{EventID: c.event, SessionID: c.session, ParentID: parent, Name: c.name, Type: c.kind, End: c.end, Duration: c.duration}
			b.hang(&rec)
			payload := rec.Event()
			b.writes = append(b.writes, store.Write{Event: &payload, At: b.at})
		}
	}
}
