package store

import (
	"github.com/sessionspan/sessionspan/honeyhive"
)

// KindTurn is the kind of an event that is a turn of a conversation, in
// metadata.event_kind.
const KindTurn = "turn"

// originalSessionID is the metadata key under which a client keeps how its user names a
// session.
const originalSessionID = "original_session_id"

// Turn returns the record of the session that an event says by being a turn of it, or
// nil where the event is none: of a session with several turns the records have
// different starts, and the session is made of them. Whoever writes the event writes the
// record too.
func Turn(e *honeyhive.Event) *honeyhive.SessionStartRequest {
	kind, _ := e.Metadata.Get("event_kind")
	if honeyhive.Value(kind).Text() != KindTurn || e.StartTime.IsZero() || e.EventType.Or("") != honeyhive.TypeChain {
		return nil
	}
	s := &honeyhive.SessionStartRequest{
		SessionID: e.SessionID, Project: e.Project, Source: e.Source, UserProperties: e.UserProperties,
		Inputs: e.Inputs, Outputs: e.Outputs, Error: e.Error, StartTime: e.StartTime, EndTime: e.EndTime, Duration: e.Duration,
		ChildrenIDs: honeyhive.Some([]string{e.EventID.Or("")}),
	}
	if original, ok := e.Metadata.Get(originalSessionID); ok {
		s.Metadata, _ = s.Metadata.With(originalSessionID, original)
	}
	return s
}
