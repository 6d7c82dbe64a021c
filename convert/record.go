package convert

import (
	"cmp"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// record puts together what was read.
func (r *reader) record() Record {
	rec := r.head()
	if rec.Kind != "" {
		r.buckets[Metadata].put("event_kind", quoted(rec.Kind), rankDerived)
	}
	r.ids(&rec)
	r.times(&rec)
	r.error(&rec)
	for b := range r.buckets {
		rec.Buckets[b] = r.buckets[b].object()
	}
	return rec
}

// head returns a record that says what the span is, but for its ids.
func (r *reader) head() Record {
	rec := Record{
		Project: cmp.Or(r.project.text, valid(r.span.Project)), Source: cmp.Or(r.source.text, valid(r.span.Source)), SessionName: r.sessionName.text,
		IsSession: r.eventType.text == honeyhive.TypeSession, Continued: r.continued, ChildrenIDs: r.children,
		Failed: r.span.Failed || r.err.set || r.known.Failed, Operation: r.genAI.operation,
	}
	if r.known.SessionID.IsZero() && r.sessionID.set && !isUUID(r.sessionID.text) {
		rec.SessionText = r.sessionID.text
	}
	rec.SessionIsThread = r.known.SessionID.IsZero() && r.sessionID.from >= rankThread
	rec.Type, rec.Kind = r.typeOf()
	if !r.sessionID.set && r.known.SessionID.IsZero() {
		rec.SessionName = cmp.Or(rec.SessionName, r.traceName.text)
	}
	rec.Name = cmp.Or(r.eventName.text, valid(r.span.Name), "unknown")
	if rec.IsSession {
		rec.Name = cmp.Or(rec.SessionName, rec.Name)
		rec.SessionName = rec.Name
	}
	return rec
}

// OriginalSessionID is the metadata key that keeps the name of a session whose
// user did not name it by a UUID.
const OriginalSessionID = "original_session_id"

// original keeps in the metadata what a span says of itself and the API would
// refuse.
func (r *reader) original(field, text string) {
	r.buckets[Metadata].put("original_"+field, text, rankDerived)
}

func (r *reader) ids(rec *Record) {
	s := r.span
	if rec.SessionID = r.known.SessionID; rec.SessionID.IsZero() {
		rec.SessionID = honeyhive.SessionID(rec.Project, r.sessionID.text)
		if r.sessionID.set && !isUUID(r.sessionID.text) {
			r.buckets[Metadata].put(OriginalSessionID, quoted(r.sessionID.text), rankDerived)
		}
	}
	rec.EventID = r.choose("event_id", r.known.EventID, r.eventID)
	if rec.IsSession {
		// Without an id of its own a session is named by its root span.
		if rec.SessionID.IsZero() {
			rec.SessionID = honeyhive.EventID(s.TraceID, s.SpanID)
		}
		if !rec.EventID.IsZero() && rec.EventID != rec.SessionID {
			r.unused("event_id", r.known.EventID, r.eventID)
		}
		rec.EventID = rec.SessionID
		return
	}
	if rec.EventID.IsZero() {
		rec.EventID = honeyhive.EventID(s.TraceID, s.SpanID)
	}
	rec.ParentID = r.choose("parent_id", r.known.ParentID, r.parentID)
	if rec.ParentID == rec.EventID { // nothing is above itself
		r.unused("parent_id", r.known.ParentID, r.parentID)
		rec.ParentID = honeyhive.UUID{}
	}
	if rec.ParentID.IsZero() && s.ParentSpanID != [8]byte{} && s.ParentSpanID != s.SpanID {
		rec.ParentID = honeyhive.EventID(s.TraceID, s.ParentSpanID)
	}
	if rec.ParentID.IsZero() {
		rec.ParentID = rec.SessionID
	}
}

// isUUID reports whether a text names itself as the id of a session.
func isUUID(text string) bool {
	u, err := honeyhive.ParseUUID(text)
	return err == nil && !u.IsZero()
}

// id reads an id that the span gives itself. What is no UUID, which the API
// would refuse, is the nil UUID.
func (r *reader) id(field string, given ranked) honeyhive.UUID {
	if !given.set {
		return honeyhive.UUID{}
	}
	u, err := honeyhive.ParseUUID(given.text)
	if err != nil {
		r.original(field, quoted(given.text))
	}
	return u
}

// times reads the clock of the wall alone: that is what another process would
// get to see of the span.
func (r *reader) times(rec *Record) {
	start, end := r.span.Start.Round(0), r.span.End.Round(0)
	rec.Duration = r.duration
	if !start.IsZero() {
		rec.Start = honeyhive.Some(float64(start.UnixMilli()))
	}
	if end.IsZero() {
		return
	}
	rec.End = honeyhive.Some(float64(end.UnixMilli()))
	if rec.Duration.IsZero() && !start.IsZero() {
		// A clock that was set back gives no negative duration.
		rec.Duration = honeyhive.Some(Milliseconds(max(0, end.Sub(start))))
	}
}

// Milliseconds returns a duration in milliseconds, with its fraction.
func Milliseconds(d time.Duration) float64 {
	return float64(d) / float64(time.Millisecond)
}

// error chooses the text of the error: what the span says of it, the
// description of its status, its exception, its type.
func (r *reader) error(rec *Record) {
	if r.errType.set {
		r.buckets[Metadata].put("error_type", quoted(r.errType.text), r.errType.from)
	}
	x := r.lastException()
	if rec.Failed {
		rec.Error = cmp.Or(r.err.text, valid(r.span.Status), x.message, x.kind, r.errType.text, "error")
	}
	if x.message != "" && x.message != rec.Error {
		x.about.put("message", quoted(x.message), rankRest)
	}
	if len(x.about.members) > 0 {
		r.buckets[Metadata].put("exception", x.about.text(), rankDerived)
	}
}
