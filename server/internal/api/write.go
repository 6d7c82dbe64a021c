package api

import (
	"net/http"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/ingest"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

func (a *API) startSession(w http.ResponseWriter, r *http.Request, body string) error {
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
	out := append([]byte(`{"success":true,"session_id":`), honeyhive.StringValue(id)...)
	out = append(append(out, `,"event_id":`...), honeyhive.StringValue(id)...)
	write(w, http.StatusOK, jsonType, append(out, `,"event_type":"session"}`...))
	return nil
}

// write writes one record.
func (a *API) write(r *http.Request, record store.Write) error {
	record.At = a.Spans.Now()
	refused, err := ingest.Write(r.Context(), a.Store, []store.Write{record})
	if err == nil {
		err = refused[0]
	}
	return stored(r.Context(), err)
}

func (a *API) createEvent(w http.ResponseWriter, r *http.Request, body string) error {
	return a.takeEvent(w, r, body, "event", event)
}

func (a *API) createModelEvent(w http.ResponseWriter, r *http.Request, body string) error {
	return a.takeEvent(w, r, body, "model_event", modelEvent)
}

// reader reads the payload of an event.
type reader func(text honeyhive.Value) (*honeyhive.Event, error)

func (a *API) takeEvent(w http.ResponseWriter, r *http.Request, body, name string, read reader) error {
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
	out := append([]byte(`{"success":true,"event_id":`), honeyhive.StringValue(e.EventID.Or(""))...)
	out = append(append(out, `,"session_id":`...), honeyhive.StringValue(e.SessionID.Or(""))...)
	write(w, http.StatusOK, jsonType, append(out, '}'))
	return nil
}

func (a *API) createEvents(w http.ResponseWriter, r *http.Request, body string) error {
	return a.takeEvents(w, r, body, "events", event)
}

func (a *API) createModelEvents(w http.ResponseWriter, r *http.Request, body string) error {
	return a.takeEvents(w, r, body, "model_events", modelEvent)
}

func (a *API) update(w http.ResponseWriter, r *http.Request, body string) error {
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
	out := append([]byte(`{"success":true,"event_id":`), honeyhive.StringValue(u.EventID.Or(""))...)
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
	out := append([]byte(`{"success":true,"deleted":`), honeyhive.StringValue(id.String())...)
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
