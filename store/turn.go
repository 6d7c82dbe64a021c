package store

import (
	"github.com/sessionspan/sessionspan/honeyhive"
)

// KindTurn is the kind of an event that is a turn of a conversation, in
// metadata.event_kind.
const KindTurn = "turn"

// sessionKeys are the keys of the metadata of a turn that are true of the session: how its
// user names it, and what lists are filtered by.
var sessionKeys = []string{"original_session_id", "release", "tags"}

// Turn returns the record of the session that an event says by being a turn of it, or
// nil where the event is none: of a session with several turns the records have
// different starts, and the session is made of them. Whoever writes the event writes the
// record too.
func Turn(e *honeyhive.Event) *honeyhive.SessionStartRequest {
	if e.EventType.Or("") != honeyhive.TypeChain || e.StartTime.IsZero() {
		return nil
	}
	if kind, _ := e.Metadata.Get("event_kind"); honeyhive.Value(kind).Text() != KindTurn {
		return nil
	}
	s := &honeyhive.SessionStartRequest{
		SessionID: e.SessionID, Project: e.Project, Source: e.Source, UserProperties: e.UserProperties,
		Inputs: e.Inputs, Outputs: e.Outputs, Error: e.Error, StartTime: e.StartTime, EndTime: e.EndTime, Duration: e.Duration,
		ChildrenIDs: honeyhive.Some([]string{e.EventID.Or("")}),
	}
	for _, key := range sessionKeys {
		if value, ok := e.Metadata.Get(key); ok {
			s.Metadata, _ = s.Metadata.With(key, value)
		}
	}
	return s
}
