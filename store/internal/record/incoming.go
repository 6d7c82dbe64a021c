package record

import (
	"errors"
	"math"
	"time"
	"unsafe"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Kind is what an id names.
type Kind uint8

// The kinds. Only updates of an unknown id are known.
const (
	Unknown Kind = iota
	Session
	Event
	Joined // a store.Join
	Edged  // a store.Edge
)

// Incoming is a write, checked and in the form that it is merged in.
type Incoming struct {
	Kind      Kind // Unknown for an update
	ID        honeyhive.UUID
	SessionID honeyhive.UUID // of an event
	Layer     Layer
	MustExist bool
	// Row and Own are what is read of the payload, for an event and for a session.
	Row store.EventRow
	Own Own
	// Project and Source are those of an event.
	Project, Source string
	Labels          Labels
	Join            *store.Join
	Edge            *store.Edge
	Trace           honeyhive.UUID // of a span
}

// Read checks a write and returns it in canonical form. The write is not
// changed.
func Read(w *store.Write, now time.Time) (in Incoming, err error) {
	defer func() { in.Trace = w.Trace }()
	at := w.At
	if at.IsZero() {
		at = now
	}
	if many(w) {
		return Incoming{}, errors.New("exactly one of Session, Event, Update, Join and Edge must be set")
	}
	switch {
	case w.Session != nil:
		return readSession(*w.Session, at.UnixNano(), w.Fill)
	case w.Event != nil:
		if w.Event.EventType.Or("") == honeyhive.TypeSession {
			return readSession(sessionOf(w.Event), at.UnixNano(), w.Fill)
		}
		return readEvent(*w.Event, at.UnixNano(), w.Fill)
	case w.Update != nil:
		in, err := readUpdate(*w.Update, at.UnixNano(), w.Fill)
		in.MustExist = w.MustExist
		return in, err
	case w.Join != nil:
		return readJoin(w.Join, at.UnixNano())
	}
	return readEdge(w.Edge, at.UnixNano())
}

// many reports whether not exactly one of the fields of a write is set.
func many(w *store.Write) bool {
	n := 0
	for _, set := range [...]bool{w.Session != nil, w.Event != nil, w.Update != nil, w.Join != nil, w.Edge != nil} {
		if set {
			n++
		}
	}
	return n != 1
}

// maxText bounds the texts of a join, in bytes.
const maxText = 1 << 10

func readJoin(j *store.Join, at int64) (Incoming, error) {
	if err := errors.Join(named("from", j.From), named("to", j.To), named("trace", j.Trace), finite(honeyhive.Some(j.Start), honeyhive.Optional[float64]{}, honeyhive.Optional[float64]{})); err != nil {
		return Incoming{}, err
	}
	if size := max(len(j.Text), len(j.Name), len(j.Project), len(j.Source)); size > maxText {
		return Incoming{}, &store.TooLargeError{Bytes: size}
	}
	return Incoming{Kind: Joined, ID: j.From, SessionID: j.To, Join: j, Trace: j.Trace, Layer: Layer{Stamp: Stamp{At: at}}}, nil
}

func readEdge(e *store.Edge, at int64) (Incoming, error) {
	if err := errors.Join(named("span", e.Span), named("trace", e.Trace)); err != nil {
		return Incoming{}, err
	}
	in := Incoming{Kind: Edged, ID: e.Span, Edge: e, Layer: Layer{Stamp: Stamp{At: at}}}
	if e.Step != nil {
		in.Layer.Text = string(e.Step.AppendJSON(nil))
		if size := len(in.Layer.Text); size > store.MaxStepBytes {
			return Incoming{}, &store.TooLargeError{Bytes: size}
		}
	}
	return in, nil
}

func named(field string, id honeyhive.UUID) error {
	if id.IsZero() {
		return &honeyhive.FieldError{Field: field, Problem: "is the nil UUID"}
	}
	return nil
}

// CheckSize refuses a payload that is larger than a record may be.
func CheckSize(text string) error {
	const leastKey = len(`"":0,`)
	switch {
	case len(text) > store.MaxRecordBytes:
		return &store.TooLargeError{Bytes: len(text)}
	case len(text) > leastKey*store.MaxRecordKeys && Keys(text, store.MaxRecordKeys) > store.MaxRecordKeys:
		return &store.TooLargeError{Bytes: len(text), Keys: true}
	}
	return nil
}

// identify reads a UUID and writes it back in its canonical form.
func identify(field *honeyhive.Optional[string], name string) (honeyhive.UUID, error) {
	text, ok := field.Get()
	if !ok {
		return honeyhive.UUID{}, &honeyhive.FieldError{Field: name, Problem: "is missing"}
	}
	id, err := honeyhive.ParseUUID(text)
	if err == nil && id.IsZero() {
		err = errors.New("is the nil UUID")
	}
	if err != nil {
		return honeyhive.UUID{}, &honeyhive.FieldError{Field: name, Problem: err.Error()}
	}
	*field = honeyhive.Some(id.String())
	return id, nil
}

func readSession(s honeyhive.SessionStartRequest, at int64, fill bool) (Incoming, error) {
	id, err := identify(&s.SessionID, "session_id")
	if err != nil {
		return Incoming{}, err
	}
	if err := finite(s.StartTime, s.EndTime, s.Duration); err != nil {
		return Incoming{}, err
	}
	layer := NewLayer(rank(s.EndTime, s.Duration).with(fill), at, textOf(s.AppendJSON(nil)))
	if err := CheckSize(layer.Text); err != nil { // before it is looked through
		return Incoming{}, err
	}
	return Incoming{Kind: Session, ID: id, SessionID: id, Layer: layer, Own: SessionOwn(&s, true)}, nil
}

// finite refuses numbers that have no JSON form.
func finite(start, end, duration honeyhive.Optional[float64]) error {
	var problems []error
	for _, f := range [...]struct {
		name  string
		value honeyhive.Optional[float64]
	}{{"start_time", start}, {"end_time", end}, {"duration", duration}} {
		if v := f.value.Or(0); math.IsNaN(v) || math.IsInf(v, 0) {
			problems = append(problems, &honeyhive.FieldError{Field: f.name, Problem: "is not a finite number"})
		}
	}
	return errors.Join(problems...)
}

// rank tells a whole record from an announcement.
func rank(end, duration honeyhive.Optional[float64]) Rank {
	_, ended := end.Get()
	_, lasted := duration.Get()
	if ended || lasted {
		return Whole
	}
	return Announced
}

// sessionOf returns the record of the session that an event stands for.
func sessionOf(e *honeyhive.Event) honeyhive.SessionStartRequest {
	id := e.SessionID
	if _, ok := id.Get(); !ok {
		id = e.EventID
	}
	return honeyhive.SessionStartRequest{
		Project: e.Project, SessionName: e.EventName, Source: e.Source, SessionID: id, ChildrenIDs: e.ChildrenIDs,
		Config: e.Config, Inputs: e.Inputs, Outputs: e.Outputs, Error: e.Error, Duration: e.Duration,
		UserProperties: e.UserProperties, Metrics: e.Metrics, Feedback: e.Feedback, Metadata: e.Metadata,
		StartTime: e.StartTime, EndTime: e.EndTime, Evaluations: e.Evaluations, Unknown: e.Unknown,
	}
}

func readEvent(e honeyhive.Event, at int64, fill bool) (Incoming, error) {
	id, err := identify(&e.EventID, "event_id")
	session, err2 := identify(&e.SessionID, "session_id")
	if err := errors.Join(err, err2, finite(e.StartTime, e.EndTime, e.Duration)); err != nil {
		return Incoming{}, err
	}
	if id == session {
		return Incoming{}, &store.ConflictError{ID: id}
	}
	if parent, err := honeyhive.ParseUUID(e.ParentID.Or("")); err == nil {
		e.ParentID = honeyhive.Some(parent.String())
	}
	layer := NewLayer(rank(e.EndTime, e.Duration).with(fill), at, textOf(e.AppendJSON(nil)))
	if err := CheckSize(layer.Text); err != nil { // before it is looked through
		return Incoming{}, err
	}
	return Incoming{
		Kind: Event, ID: id, SessionID: session, Layer: layer,
		Row: EventRow(&e), Project: e.Project.Or(""), Source: e.Source.Or(""), Labels: LabelsOf(&e),
	}, nil
}

func readUpdate(u honeyhive.Update, at int64, fill bool) (Incoming, error) {
	id, err := identify(&u.EventID, "event_id")
	if err := errors.Join(err, finite(honeyhive.Optional[float64]{}, u.EndTime, u.Duration)); err != nil {
		return Incoming{}, err
	}
	u.EventID, u.Unknown = honeyhive.Optional[string]{}, honeyhive.Object{}
	if list, _ := u.ChildrenIDs.Get(); len(list) == 0 {
		u.ChildrenIDs = honeyhive.Optional[[]string]{}
	}
	layer := NewLayer(Updated.with(fill), at, textOf(u.AppendJSON(nil)))
	return Incoming{Kind: Unknown, ID: id, Layer: layer}, CheckSize(layer.Text)
}

// FoldSession returns the record that the layers of a session come to.
func FoldSession(id honeyhive.UUID, layers []Layer) (honeyhive.SessionStartRequest, error) {
	var s honeyhive.SessionStartRequest
	if len(layers) > 0 {
		if err := s.UnmarshalMembers(foldTurns(layers)); err != nil {
			return s, err
		}
	}
	s.SessionID = honeyhive.Some(id.String())
	return s, nil
}

// FoldEvent returns the record that the layers of an event come to.
func FoldEvent(layers []Layer) (honeyhive.Event, error) {
	var e honeyhive.Event
	err := e.UnmarshalMembers(fold(layers))
	return e, err
}

// FoldUpdate returns the update that layers without a record come to.
func FoldUpdate(id honeyhive.UUID, layers []Layer) (honeyhive.Update, error) {
	var u honeyhive.Update
	err := u.UnmarshalMembers(fold(layers))
	u.EventID = honeyhive.Some(id.String())
	return u, err
}

// A record may be large, and its copies are what a write takes in memory. So texts
// and bytes stand for each other where neither changes any more.

func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // nobody changes the bytes

func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) } //nolint:gosec // they are read alone
