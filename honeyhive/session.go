package honeyhive

import (
	"errors"
	"iter"
)

// SessionStartRequest is the payload that starts a session: sixteen fields, of
// which project, session_name and source are required, and evaluations.
//
// It is read and written by encoding/json; see the package documentation on
// names, nulls and unknown fields. A value can be copied; it is safe for
// concurrent reading.
type SessionStartRequest struct {
	// Project that the session belongs to. Required.
	Project Optional[string]
	// SessionName is the name of the session. Required.
	SessionName Optional[string]
	// Source is where the session ran: production, staging, playground. Required.
	Source Optional[string]
	// SessionID is the UUID of the session.
	SessionID Optional[string]
	// ChildrenIDs are the UUIDs of the events directly under the session.
	ChildrenIDs Optional[[]string]
	// Config is the configuration of the session.
	Config Object
	// Inputs hold the user's query, its context, chat_history and the like.
	Inputs Object
	// Outputs hold the final output.
	Outputs Object
	// Error says what went wrong. Leave it absent when nothing did: the API
	// refuses a null.
	Error Optional[string]
	// Duration in milliseconds. It may have a fraction.
	Duration Optional[float64]
	// UserProperties are about the user.
	UserProperties Object
	// Metrics are values computed over the output.
	Metrics Object
	// Feedback is what users said of the output.
	Feedback Object
	// Metadata is about the system or the application.
	Metadata Object
	// StartTime in milliseconds since the Unix epoch, UTC.
	StartTime Optional[float64]
	// EndTime in milliseconds since the Unix epoch, UTC, without a fraction.
	EndTime Optional[float64]
	// Evaluations are the latest scores of evaluators, by the slugs of those. The API
	// knows them since version 1.17.0 of its data plane.
	Evaluations Object

	// Unknown holds the fields that the contract does not name.
	Unknown Object
}

var sessionFields = []field[SessionStartRequest]{
	optionalField("project", "project", nonEmptyCodec, func(r *SessionStartRequest) *Optional[string] { return &r.Project }).isRequired(),
	optionalField("session_name", "sessionName", nonEmptyCodec, func(r *SessionStartRequest) *Optional[string] { return &r.SessionName }).isRequired(),
	optionalField("source", "source", nonEmptyCodec, func(r *SessionStartRequest) *Optional[string] { return &r.Source }).isRequired(),
	optionalField("session_id", "sessionId", idCodec, func(r *SessionStartRequest) *Optional[string] { return &r.SessionID }),
	optionalField("children_ids", "childrenIds", idListCodec, func(r *SessionStartRequest) *Optional[[]string] { return &r.ChildrenIDs }),
	objectField("config", "config", func(r *SessionStartRequest) *Object { return &r.Config }),
	objectField("inputs", "inputs", func(r *SessionStartRequest) *Object { return &r.Inputs }),
	objectField("outputs", "outputs", func(r *SessionStartRequest) *Object { return &r.Outputs }),
	optionalField("error", "error", textCodec, func(r *SessionStartRequest) *Optional[string] { return &r.Error }),
	optionalField("duration", "duration", numberCodec, func(r *SessionStartRequest) *Optional[float64] { return &r.Duration }),
	objectField("user_properties", "userProperties", func(r *SessionStartRequest) *Object { return &r.UserProperties }),
	objectField("metrics", "metrics", func(r *SessionStartRequest) *Object { return &r.Metrics }),
	objectField("feedback", "feedback", func(r *SessionStartRequest) *Object { return &r.Feedback }),
	objectField("metadata", "metadata", func(r *SessionStartRequest) *Object { return &r.Metadata }),
	optionalField("start_time", "startTime", numberCodec, func(r *SessionStartRequest) *Optional[float64] { return &r.StartTime }),
	optionalField("end_time", "endTime", instantCodec, func(r *SessionStartRequest) *Optional[float64] { return &r.EndTime }),
	objectField("evaluations", "evaluations", func(r *SessionStartRequest) *Object { return &r.Evaluations }),
}

// Validate names every field that is missing or that the API would refuse, as
// [FieldError] values joined by [errors.Join]. Validate returns nil when there is none.
func (r *SessionStartRequest) Validate() error {
	return errors.Join(validate(r, sessionFields)...)
}

// AppendJSON adds the payload to dst as JSON in one line.
func (r *SessionStartRequest) AppendJSON(dst []byte) []byte {
	return appendPayload(dst, r, sessionFields, r.Unknown, false)
}

// MarshalJSON writes the payload in snake case, the form on the wire. It never
// fails: a payload that the API would refuse is written as it is.
func (r SessionStartRequest) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// MarshalCamelJSON writes the payload in camel case, as the documentation of
// the TypeScript client spells it.
func (r SessionStartRequest) MarshalCamelJSON() ([]byte, error) {
	return appendPayload(nil, &r, sessionFields, r.Unknown, true), nil
}

// UnmarshalJSON reads a payload in either spelling, or in a mix of both. It
// replaces the value of r. A field of a wrong type, and one that stands twice,
// is named in the error as a [FieldError]; the others are read all the same.
func (r *SessionStartRequest) UnmarshalJSON(data []byte) error {
	*r = SessionStartRequest{}
	return readPayload(data, r, sessionFields, &r.Unknown)
}

// UnmarshalMembers reads a payload from the members of an object, such as
// [Value.Members]. It is UnmarshalJSON for texts that are canonical already: they are
// not checked again, and what r holds refers to them instead of to a copy.
func (r *SessionStartRequest) UnmarshalMembers(members iter.Seq2[string, Value]) error {
	*r = SessionStartRequest{}
	return readMembers(members, r, sessionFields, &r.Unknown)
}
