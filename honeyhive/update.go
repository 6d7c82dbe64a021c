package honeyhive

import (
	"errors"
	"iter"
)

// Update is the payload that changes an event, or a session: its event id is
// the session id. The API merges each map by its top-level keys, and leaves
// alone what the update does not hold. It takes no inputs, no error and no
// start time, and ignores an empty list of children.
//
// It is read and written by encoding/json; see the package documentation on
// names, nulls and unknown fields. A value can be copied; it is safe for
// concurrent reading.
type Update struct {
	// EventID is the UUID of the event or session to change. Required.
	EventID Optional[string]
	// ChildrenIDs are the UUIDs of the events directly under the changed one.
	ChildrenIDs Optional[[]string]
	// Config is merged into the configuration.
	Config Object
	// Outputs are merged into the outputs.
	Outputs Object
	// Duration in milliseconds. It may have a fraction.
	Duration Optional[float64]
	// EndTime in milliseconds since the Unix epoch, UTC, without a fraction.
	EndTime Optional[float64]
	// Metadata is merged into the metadata.
	Metadata Object
	// Metrics are merged into the metrics.
	Metrics Object
	// Feedback is merged into the feedback.
	Feedback Object
	// UserProperties are merged into those of the user.
	UserProperties Object

	// Unknown holds the fields that the contract does not name.
	Unknown Object
}

var updateFields = []field[Update]{
	optionalField("event_id", "eventId", idCodec, func(u *Update) *Optional[string] { return &u.EventID }).isRequired(),
	optionalField("children_ids", "childrenIds", idListCodec, func(u *Update) *Optional[[]string] { return &u.ChildrenIDs }),
	objectField("config", "config", func(u *Update) *Object { return &u.Config }),
	objectField("outputs", "outputs", func(u *Update) *Object { return &u.Outputs }),
	optionalField("duration", "duration", numberCodec, func(u *Update) *Optional[float64] { return &u.Duration }),
	optionalField("end_time", "endTime", instantCodec, func(u *Update) *Optional[float64] { return &u.EndTime }),
	objectField("metadata", "metadata", func(u *Update) *Object { return &u.Metadata }),
	objectField("metrics", "metrics", func(u *Update) *Object { return &u.Metrics }),
	objectField("feedback", "feedback", func(u *Update) *Object { return &u.Feedback }),
	objectField("user_properties", "userProperties", func(u *Update) *Object { return &u.UserProperties }),
}

// Validate names every field that is missing or that the API would refuse, as
// [FieldError] values joined by [errors.Join]. Validate returns nil when there is none.
func (u *Update) Validate() error { return errors.Join(validate(u, updateFields)...) }

// IsEmpty reports whether the update changes nothing.
func (u *Update) IsEmpty() bool {
	v := *u
	v.EventID = Optional[string]{}
	for i := range updateFields {
		if updateFields[i].state(&v) != absent {
			return false
		}
	}
	return v.Unknown.IsZero()
}

// AppendJSON adds the payload to dst as JSON in one line.
func (u *Update) AppendJSON(dst []byte) []byte {
	return appendPayload(dst, u, updateFields, u.Unknown, false)
}

// MarshalJSON writes the payload in snake case, the form on the wire. It never
// fails: a payload that the API would refuse is written as it is.
func (u Update) MarshalJSON() ([]byte, error) { return u.AppendJSON(nil), nil }

// UnmarshalJSON reads a payload in either spelling, or in a mix of both. It
// replaces the value of u. A field of a wrong type, and one that stands twice,
// is named in the error as a [FieldError]; the others are read all the same.
func (u *Update) UnmarshalJSON(data []byte) error {
	*u = Update{}
	return readPayload(data, u, updateFields, &u.Unknown)
}

// UnmarshalMembers reads a payload from the members of an object, such as
// [Value.Members]. It is UnmarshalJSON for texts that are canonical already: they are
// not checked again, and what u holds refers to them instead of to a copy.
func (u *Update) UnmarshalMembers(members iter.Seq2[string, Value]) error {
	*u = Update{}
	return readMembers(members, u, updateFields, &u.Unknown)
}
