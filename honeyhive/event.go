package honeyhive

import (
	"errors"
	"iter"
)

// The types of events. A session is an event too: its event id is its session
// id.
const (
	TypeModel   = "model"
	TypeTool    = "tool"
	TypeChain   = "chain"
	TypeSession = "session"
)

// Event is one step of a session: a call of a model, a tool, or a chain of
// such. event_type and inputs are required.
//
// It is read and written by encoding/json; see the package documentation on
// names, nulls and unknown fields. A value can be copied; it is safe for
// concurrent reading.
type Event struct {
	// EventID is the UUID of the event.
	EventID Optional[string]
	// SessionID is the UUID of the session that the event belongs to.
	SessionID Optional[string]
	// ParentID is the UUID of the event above, or of the session.
	ParentID Optional[string]
	// EventName is the name of the event.
	EventName Optional[string]
	// EventType is one of TypeModel, TypeTool, TypeChain and TypeSession. Required.
	EventType Optional[string]
	// ChildrenIDs are the UUIDs of the events directly under this one.
	ChildrenIDs Optional[[]string]
	// Project that the event belongs to.
	Project Optional[string]
	// Source is where the event ran: production, staging, playground.
	Source Optional[string]
	// Config is the configuration of the event: the model and its parameters,
	// templates.
	Config Object
	// Inputs of the event. Required, though it may be empty.
	Inputs Object
	// Outputs of the event.
	Outputs Object
	// Error says what went wrong; absent or null when nothing did.
	Error Optional[string]
	// Duration in milliseconds. It may have a fraction.
	Duration Optional[float64]
	// StartTime in milliseconds since the Unix epoch, UTC.
	StartTime Optional[float64]
	// EndTime in milliseconds since the Unix epoch, UTC, without a fraction.
	EndTime Optional[float64]
	// Metadata is about the system or the application: token counts, cost.
	Metadata Object
	// Metrics are values computed over the output.
	Metrics Object
	// Feedback is what users said of the output.
	Feedback Object
	// UserProperties are about the user.
	UserProperties Object
	// Evaluations are the latest scores of evaluators, by the slugs of those. The API
	// knows them since version 1.17.0 of its data plane.
	Evaluations Object

	// Unknown holds the fields that the contract does not name.
	Unknown Object
}

var eventFields = []field[Event]{
	optionalField("event_id", "eventId", idCodec, func(e *Event) *Optional[string] { return &e.EventID }),
	optionalField("session_id", "sessionId", idCodec, func(e *Event) *Optional[string] { return &e.SessionID }),
	optionalField("parent_id", "parentId", idCodec, func(e *Event) *Optional[string] { return &e.ParentID }),
	optionalField("event_name", "eventName", textCodec, func(e *Event) *Optional[string] { return &e.EventName }),
	optionalField("event_type", "eventType", eventTypeCodec, func(e *Event) *Optional[string] { return &e.EventType }).isRequired(),
	optionalField("children_ids", "childrenIds", idListCodec, func(e *Event) *Optional[[]string] { return &e.ChildrenIDs }),
	optionalField("project", "project", textCodec, func(e *Event) *Optional[string] { return &e.Project }),
	optionalField("source", "source", textCodec, func(e *Event) *Optional[string] { return &e.Source }),
	objectField("config", "config", func(e *Event) *Object { return &e.Config }),
	objectField("inputs", "inputs", func(e *Event) *Object { return &e.Inputs }).isRequired(),
	objectField("outputs", "outputs", func(e *Event) *Object { return &e.Outputs }),
	optionalField("error", "error", textCodec, func(e *Event) *Optional[string] { return &e.Error }).isNullable(),
	optionalField("duration", "duration", numberCodec, func(e *Event) *Optional[float64] { return &e.Duration }),
	optionalField("start_time", "startTime", numberCodec, func(e *Event) *Optional[float64] { return &e.StartTime }),
	optionalField("end_time", "endTime", instantCodec, func(e *Event) *Optional[float64] { return &e.EndTime }),
	objectField("metadata", "metadata", func(e *Event) *Object { return &e.Metadata }),
	objectField("metrics", "metrics", func(e *Event) *Object { return &e.Metrics }),
	objectField("feedback", "feedback", func(e *Event) *Object { return &e.Feedback }),
	objectField("user_properties", "userProperties", func(e *Event) *Object { return &e.UserProperties }),
	objectField("evaluations", "evaluations", func(e *Event) *Object { return &e.Evaluations }),
}

var eventTypeCodec = codec[string]{write: textCodec.write, read: textCodec.read, check: func(v string) string {
	switch v {
	case TypeModel, TypeTool, TypeChain, TypeSession:
		return ""
	}
	return "is none of model, tool, chain and session"
}}

// Validate names every field that is missing or that the API would refuse, as
// [FieldError] values joined by [errors.Join]. Validate returns nil when there is none.
func (e *Event) Validate() error { return errors.Join(validate(e, eventFields)...) }

// AppendJSON adds the payload to dst as JSON in one line.
func (e *Event) AppendJSON(dst []byte) []byte {
	return appendPayload(dst, e, eventFields, e.Unknown, false)
}

// MarshalJSON writes the payload in snake case, the form on the wire. It never
// fails: a payload that the API would refuse is written as it is.
func (e Event) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// MarshalCamelJSON writes the payload in camel case.
func (e Event) MarshalCamelJSON() ([]byte, error) {
	return appendPayload(nil, &e, eventFields, e.Unknown, true), nil
}

// UnmarshalJSON reads a payload in either spelling, or in a mix of both. It
// replaces the value of e. A field of a wrong type, and one that stands twice,
// is named in the error as a [FieldError]; the others are read all the same.
func (e *Event) UnmarshalJSON(data []byte) error {
	*e = Event{}
	return readPayload(data, e, eventFields, &e.Unknown)
}

// UnmarshalMembers reads a payload from the members of an object, such as
// [Value.Members]. It is UnmarshalJSON for texts that are canonical already: they are
// not checked again, and what e holds refers to them instead of to a copy.
func (e *Event) UnmarshalMembers(members iter.Seq2[string, Value]) error {
	*e = Event{}
	return readMembers(members, e, eventFields, &e.Unknown)
}
