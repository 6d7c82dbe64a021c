package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/server/internal/ingest"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

func (a *API) startSession(w http.ResponseWriter, r *http.Request, body []byte) error {
	text, err := unwrap(body, "session")
	if err != nil {
		return err
	}
	s, err := session(text)
	if err != nil {
		return err
	}
	if err := a.write(r, store.Write{Session: s}); err != nil {
		return err
	}
	id := s.SessionID.Or("")
	out := rawjson.AppendString([]byte(`{"success":true,"session_id":`), id)
	out = rawjson.AppendString(append(out, `,"event_id":`...), id)
	write(w, http.StatusOK, jsonType, append(out, `,"event_type":"session"}`...))
	return nil
}

// write writes one record.
func (a *API) write(r *http.Request, record store.Write) error {
	record.At = a.Spans.Now()
	return stored(r.Context(), a.Store.Write(r.Context(), []store.Write{record}))
}

func (a *API) createEvent(w http.ResponseWriter, r *http.Request, body []byte) error {
	return a.takeEvent(w, r, body, "event", event)
}

func (a *API) createModelEvent(w http.ResponseWriter, r *http.Request, body []byte) error {
	return a.takeEvent(w, r, body, "model_event", modelEvent)
}

// reader reads the payload of an event.
type reader func(text string) (*honeyhive.Event, error)

func (a *API) takeEvent(w http.ResponseWriter, r *http.Request, body []byte, name string, read reader) error {
	text, err := unwrap(body, name)
	if err != nil {
		return err
	}
	e, err := read(text)
	if err != nil {
		return err
	}
	if err := a.write(r, store.Write{Event: e}); err != nil {
		return err
	}
	out := rawjson.AppendString([]byte(`{"success":true,"event_id":`), e.EventID.Or(""))
	out = rawjson.AppendString(append(out, `,"session_id":`...), e.SessionID.Or(""))
	write(w, http.StatusOK, jsonType, append(out, '}'))
	return nil
}

func (a *API) createEvents(w http.ResponseWriter, r *http.Request, body []byte) error {
	return a.takeEvents(w, r, body, "events", event)
}

func (a *API) createModelEvents(w http.ResponseWriter, r *http.Request, body []byte) error {
	return a.takeEvents(w, r, body, "model_events", modelEvent)
}

// takeEvents takes what is right of a batch. The answer is 200 where that is
// all, 400 where it is nothing, and otherwise 500 with the ids of those that
// were taken, as the contract has it.
func (a *API) takeEvents(w http.ResponseWriter, r *http.Request, body []byte, name string, read reader) error {
	text, err := document(body)
	if err != nil {
		return err
	}
	b := batch{read: read}
	if err := b.parse(r, text, name); err != nil {
		return err
	}
	at := a.Spans.Now()
	for i := range b.writes {
		b.writes[i].At = at
	}
	refused, err := ingest.Write(r.Context(), a.Store, b.writes)
	if err != nil {
		return unavailable(r.Context(), err)
	}
	var taken []string
	for i, record := range b.writes {
		if err := refused[i]; err != nil {
			b.errors = append(b.errors, err.Error())
		} else if record.Event != nil {
			taken = append(taken, record.Event.EventID.Or(""))
		}
	}
	status := http.StatusOK
	if len(b.errors) > 0 {
		status = http.StatusInternalServerError
		reason := reject.Errorf(status, "%d of %d events were not taken: %s", len(b.errors), len(b.errors)+len(taken), strings.Join(b.errors[:min(3, len(b.errors))], "; "))
		if len(taken) == 0 {
			reason.Status = http.StatusBadRequest
			return reason
		}
		a.Rejected.Add(r, reason)
	}
	write(w, status, jsonType, b.answer(taken))
	return nil
}

// batch is a request with several events.
type batch struct {
	read    reader
	writes  []store.Write
	errors  []string
	session string // that all belong to, if they belong to one
}

// parse reads the body, whose events stand in a list of the name.
func (b *batch) parse(r *http.Request, text, name string) error {
	list, ok := rawjson.Get(text, name)
	if !ok || rawjson.KindOf(list) != rawjson.Array {
		return reject.Errorf(http.StatusBadRequest, "%s: is missing or no array", name)
	}
	if err := b.common(r, text); err != nil {
		return err
	}
	n := 0
	for element := range rawjson.Elements(list) {
		packed, err := object(element, "event")
		if err == nil {
			err = b.add(packed)
		}
		if err != nil {
			b.errors = append(b.errors, reject.Bounded(name+" "+strconv.Itoa(n)+": "+err.Error()))
		}
		n++
	}
	return nil
}

// common reads what holds for all events of a batch: the session that the route
// names, or that is_single_session asks for, with its properties.
func (b *batch) common(r *http.Request, text string) error {
	b.session = strings.ToLower(r.PathValue("id"))
	properties, _ := rawjson.Get(text, "session_properties")
	single, _ := rawjson.Get(text, "is_single_session")
	if rawjson.KindOf(properties) == rawjson.Object {
		s, err := session(properties)
		if err != nil {
			return err
		}
		if b.session == "" {
			b.session = s.SessionID.Or("")
		}
		s.SessionID = honeyhive.Some(b.session)
		b.writes = append(b.writes, store.Write{Session: s})
	}
	if b.session == "" && single == "true" {
		b.session = honeyhive.NewUUID().String()
	}
	if b.session != "" {
		if _, err := honeyhive.ParseUUID(b.session); err != nil {
			return reject.Errorf(http.StatusBadRequest, "session_id: %v", err)
		}
	}
	return nil
}

func (b *batch) add(text string) error {
	e, err := b.read(text)
	if err != nil {
		return err
	}
	if b.session != "" {
		if e.ParentID.Or("") == e.SessionID.Or("") {
			e.ParentID = honeyhive.Some(b.session)
		}
		e.SessionID = honeyhive.Some(b.session)
	}
	b.writes = append(b.writes, store.Write{Event: e})
	return nil
}

func (b *batch) answer(taken []string) []byte {
	out := appendStrings([]byte(`{"success":true,"event_ids":`), taken)
	if b.session != "" {
		out = rawjson.AppendString(append(out, `,"session_id":`...), b.session)
	}
	if len(b.errors) > 0 {
		out = appendStrings(append(out, `,"errors":`...), b.errors)
	}
	return append(out, '}')
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = rawjson.AppendString(dst, s)
	}
	return append(dst, ']')
}

func (a *API) update(w http.ResponseWriter, r *http.Request, body []byte) error {
	text, err := document(body)
	if err != nil {
		return err
	}
	u, err := update(text, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := a.write(r, store.Write{Update: u, MustExist: true}); err != nil {
		return err
	}
	out := rawjson.AppendString([]byte(`{"success":true,"event_id":`), u.EventID.Or(""))
	write(w, http.StatusOK, jsonType, append(out, '}'))
	return nil
}

func (a *API) deleteSession(w http.ResponseWriter, r *http.Request) error {
	id, err := sessionID(r)
	if err != nil {
		return err
	}
	if err := a.Store.Delete(r.Context(), id); err != nil {
		return unavailable(r.Context(), err)
	}
	out := rawjson.AppendString([]byte(`{"success":true,"deleted":`), id.String())
	write(w, http.StatusOK, jsonType, append(out, '}'))
	return nil
}

// sessionID reads the id in the path.
func sessionID(r *http.Request) (honeyhive.UUID, error) {
	id, err := honeyhive.ParseUUID(r.PathValue("id"))
	if err != nil {
		return id, reject.Errorf(http.StatusBadRequest, "session_id: %v", err)
	}
	return id, nil
}
