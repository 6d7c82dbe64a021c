package api

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// seeds are bodies of every route.
var seeds = []string{
	`{"session":{"project":"p","session_name":"n","source":"s","session_id":"CAF77ACE-3417-4da4-944d-f4a0688f3c23","children_ids":["7f22137a-6911-4ed3-bc36-110f1dde6b66"],"inputs":{"a":[1,null]},"error":null,"duration":824.8056,"start_time":1712025501605}}`,
	`{"session":"{\"sessionName\":\"n\"}"}`,
	`{"event":{"event_type":"model","inputs":{},"parent_id":null,"unknown":1}}`,
	`{"event_type":"session","event_name":"n","inputs":null,"session_id":""}`,
	`{"event_id":"7f22137a-6911-4ed3-bc36-110f1dde6b66","metadata":{"a":1},"end_time":1.5}`,
	`{"model_event":{"model":"m","messages":[{"role":"user"}],"usage":{"prompt_tokens":1},"response":{"a":1},"inputs":{"b":2}}}`,
	`{"project":"p","filters":[{"field":"inputs.a.0","operator":"is","value":1}],"projections":["event_id"],"limit":10}`,
	`{"events":[{"event_type":"tool","inputs":{}},7],"is_single_session":true,"session_properties":{"session_name":"n"}}`,
}

// refusal checks that an error says why, with a status of 4xx.
func refusal(t *testing.T, err error) {
	t.Helper()
	var reason *reject.Error
	if !errors.As(err, &reason) || reason.Status < 400 || reason.Status > 499 || reason.Reason == "" {
		t.Errorf("%v", err)
	}
}

func ids(t *testing.T, ids ...honeyhive.Optional[string]) {
	t.Helper()
	for _, id := range ids {
		if u, err := honeyhive.ParseUUID(id.Or("")); err != nil || u.IsZero() || u.String() != id.Or("") {
			t.Errorf("id %q: %v", id.Or(""), err)
		}
	}
}

func FuzzSession(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		text, err := unwrap(string(body), "session")
		if err != nil {
			refusal(t, err)
			return
		}
		s, err := session(text)
		if err != nil {
			refusal(t, err)
			return
		}
		ids(t, s.SessionID)
		var again honeyhive.SessionStartRequest
		if err := json.Unmarshal(s.AppendJSON(nil), &again); err != nil || string(again.AppendJSON(nil)) != string(s.AppendJSON(nil)) {
			t.Errorf("%v: %s", err, s.AppendJSON(nil))
		}
	})
}

func FuzzEvent(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, model bool) {
		name, read := "event", event
		if model {
			name, read = "model_event", modelEvent
		}
		text, err := unwrap(string(body), name)
		if err != nil {
			refusal(t, err)
			return
		}
		e, err := read(text)
		if err != nil {
			refusal(t, err)
			return
		}
		ids(t, e.EventID, e.SessionID)
		if !json.Valid(e.AppendJSON(nil)) || !json.Valid(node(e)) {
			t.Errorf("%s", e.AppendJSON(nil))
		}
	})
}

func FuzzUpdate(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), "")
		f.Add([]byte(s), "7f22137a-6911-4ed3-bc36-110f1dde6b66")
	}
	f.Fuzz(func(t *testing.T, body []byte, route string) {
		text, err := document(string(body))
		if err != nil {
			refusal(t, err)
			return
		}
		u, err := update(text, route)
		if err != nil {
			refusal(t, err)
			return
		}
		ids(t, u.EventID)
	})
}

func FuzzExport(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s), s)
	}
	f.Fuzz(func(t *testing.T, body []byte, event string) {
		text, err := document(event)
		if err != nil {
			return
		}
		q, err := readExport(string(body))
		if err != nil {
			refusal(t, err)
			return
		}
		q.matches(text)
		if out := q.project(text); !json.Valid([]byte(out)) {
			t.Errorf("%s", out)
		}
	})
}
