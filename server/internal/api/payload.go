package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/brief"
	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// document reads a body that must hold a JSON object.
func document(body string) (honeyhive.Value, error) {
	text, err := honeyhive.ParseValue(body)
	if err != nil {
		return "", reject.Errorf(http.StatusBadRequest, "%v", err)
	}
	if k := text.Kind(); k != honeyhive.KindObject {
		return "", reject.Errorf(http.StatusBadRequest, "the body is a JSON %s, not an object", k)
	}
	return text, nil
}

// unwrap returns the payload of a body: what stands under the name, as an
// object or as a string that holds one, or else the body itself. The first is
// what clients send, the second what a version of the API describes, the third
// the form of the newer routes.
func unwrap(body, name string) (honeyhive.Value, error) {
	text, err := document(body)
	if err != nil {
		return "", err
	}
	inner, ok := text.Get(name)
	if !ok {
		return text, nil
	}
	return object(inner, name)
}

// object reads a payload that may be packed into a string.
func object(text honeyhive.Value, name string) (honeyhive.Value, error) {
	if text.Kind() == honeyhive.KindString {
		unpacked, err := honeyhive.ParseValue(text.Text())
		if err != nil {
			return "", reject.Errorf(http.StatusBadRequest, "%s: %v", name, err)
		}
		text = unpacked
	}
	if k := text.Kind(); k != honeyhive.KindObject {
		return "", reject.Errorf(http.StatusBadRequest, "%s: is a JSON %s, not an object", name, k)
	}
	return text, nil
}

// session reads the payload that starts a session. Fields that only the
// seed's schema asks for may be missing, as the newer routes leave them out; an
// id that is missing, null or empty is made.
func session(text honeyhive.Value) (*honeyhive.SessionStartRequest, error) {
	if err := checkShape(text); err != nil {
		return nil, invalid("session", err)
	}
	s := new(honeyhive.SessionStartRequest)
	if err := s.UnmarshalMembers(text.Members()); err != nil {
		return nil, invalid("session", err)
	}
	dropEmpty(&s.Project, &s.SessionName, &s.Source, &s.SessionID, &s.Error)
	cutNames(&s.Project, &s.SessionName, &s.Source)
	if s.SessionID.IsZero() {
		s.SessionID = honeyhive.Some(honeyhive.NewUUID().String())
	}
	if s.SessionName.IsZero() {
		s.SessionName = honeyhive.Some(unknown)
	}
	if err := errors.Join(tolerated(s.Validate(), "project", "source"), notNil("session_id", s.SessionID)); err != nil {
		return nil, invalid("session", err)
	}
	lower(&s.SessionID)
	lowerAll(s.ChildrenIDs)
	return s, nil
}

// maxFields is how many fields a payload may have beside those in its maps.
const maxFields = 1000

// checkShape refuses payloads that become many times larger than they are when
// they are read: what a field name or the id of a child takes is more than the
// shortest of them have.
func checkShape(text honeyhive.Value) error {
	n := 0
	for key, value := range text.Members() {
		if n++; n > maxFields {
			return fmt.Errorf("has more than %d fields", maxFields)
		}
		if key != "children_ids" && key != "childrenIds" {
			continue
		}
		child := 0
		for id := range value.Elements() {
			if len(id) < len(nilID)+len(`""`) {
				return &honeyhive.FieldError{Field: "children_ids", Problem: fmt.Sprintf("element %d: is no UUID", child)}
			}
			child++
		}
	}
	return nil
}

// unknown is the name of what has none.
const unknown = "unknown"

// event reads the payload of an event.
func event(text honeyhive.Value) (*honeyhive.Event, error) {
	if err := checkShape(text); err != nil {
		return nil, invalid("event", err)
	}
	e := new(honeyhive.Event)
	if err := e.UnmarshalMembers(text.Members()); err != nil {
		return nil, invalid("event", err)
	}
	dropEmpty(&e.EventID, &e.SessionID, &e.ParentID, &e.EventName, &e.Project, &e.Source, &e.Error)
	cutNames(&e.EventName, &e.Project, &e.Source)
	if e.EventName.IsZero() {
		e.EventName = honeyhive.Some(unknown)
	}
	if e.EventType.Or("") == honeyhive.TypeSession && e.EventID.IsZero() {
		e.EventID = e.SessionID
	}
	if e.EventID.IsZero() {
		e.EventID = honeyhive.Some(honeyhive.NewUUID().String())
	}
	if e.SessionID.IsZero() {
		e.SessionID = honeyhive.Some(honeyhive.NewUUID().String())
		if e.EventType.Or("") == honeyhive.TypeSession {
			e.SessionID = e.EventID
		}
	}
	if e.Inputs.IsNull() {
		e.Inputs = honeyhive.EmptyObject()
	}
	if e.ParentID.IsZero() && e.EventType.Or("") != honeyhive.TypeSession {
		e.ParentID = e.SessionID
	}
	if err := errors.Join(tolerated(e.Validate()), notNil("event_id", e.EventID), notNil("session_id", e.SessionID)); err != nil {
		return nil, invalid("event", err)
	}
	lower(&e.EventID)
	lower(&e.SessionID)
	lower(&e.ParentID)
	lowerAll(e.ChildrenIDs)
	return e, nil
}

// update reads the payload that changes an event or a session. The id of the
// route, if it has one, is that of the event.
func update(text honeyhive.Value, id string) (*honeyhive.Update, error) {
	if err := checkShape(text); err != nil {
		return nil, invalid("update", err)
	}
	u := new(honeyhive.Update)
	if err := u.UnmarshalMembers(text.Members()); err != nil {
		return nil, invalid("update", err)
	}
	if given := u.EventID.Or(id); id != "" && !strings.EqualFold(given, id) {
		return nil, reject.Errorf(http.StatusBadRequest, "update: event_id: is not the id of the route")
	}
	if id != "" {
		u.EventID = honeyhive.Some(id)
	}
	if err := errors.Join(tolerated(u.Validate()), notNil("event_id", u.EventID)); err != nil {
		return nil, invalid("update", err)
	}
	lower(&u.EventID)
	lowerAll(u.ChildrenIDs)
	return u, nil
}

// dropEmpty makes absent what is null or empty.
func dropEmpty(fields ...*honeyhive.Optional[string]) {
	for _, f := range fields {
		if f.Or("") == "" {
			*f = honeyhive.Optional[string]{}
		}
	}
}

// cutNames cuts what is too long to name anything.
func cutNames(fields ...*honeyhive.Optional[string]) {
	for _, f := range fields {
		if s, ok := f.Get(); ok {
			*f = honeyhive.Some(brief.Name(s))
		}
	}
}

// lower writes an id as ids are compared.
func lower(id *honeyhive.Optional[string]) {
	if s, ok := id.Get(); ok {
		*id = honeyhive.Some(strings.ToLower(s))
	}
}

func lowerAll(ids honeyhive.Optional[[]string]) {
	list, _ := ids.Get()
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
}

// nilID is no name of anything.
var nilID = honeyhive.UUID{}.String()

// notNil refuses the nil UUID.
func notNil(field string, id honeyhive.Optional[string]) error {
	if id.Or("") == nilID {
		return &honeyhive.FieldError{Field: field, Problem: "is the nil UUID"}
	}
	return nil
}

// tolerated leaves out what the schema of the API refuses and the server does
// not mind: nulls, an end time with a fraction, and fields that may be missing.
func tolerated(err error, missing ...string) error {
	var kept []error
	for _, e := range fieldErrors(err) {
		tolerable := e.Field == "end_time" || e.Problem == "is null" && e.Field != "event_type" && e.Field != "event_id"
		for _, field := range missing {
			tolerable = tolerable || e.Field == field
		}
		if !tolerable {
			kept = append(kept, e)
		}
	}
	return errors.Join(kept...)
}

// fieldErrors returns all that are joined in err.
func fieldErrors(err error) []*honeyhive.FieldError {
	switch e := err.(type) { //nolint:errorlint // each level of the tree is looked at
	case *honeyhive.FieldError:
		return []*honeyhive.FieldError{e}
	case interface{ Unwrap() []error }:
		var list []*honeyhive.FieldError
		for _, joined := range e.Unwrap() {
			list = append(list, fieldErrors(joined)...)
		}
		return list
	}
	return nil
}

// invalid names all that is wrong with a payload in one line.
func invalid(what string, err error) error {
	if fields := fieldErrors(err); len(fields) > 0 {
		texts := make([]string, len(fields))
		for i, f := range fields {
			texts[i] = f.Error()
		}
		err = errors.New(strings.Join(texts, "; "))
	}
	return reject.Errorf(http.StatusBadRequest, "%s: %v", what, err)
}
