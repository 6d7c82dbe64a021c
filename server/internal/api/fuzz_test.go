package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

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
	`{"session":{"duration":1.7e308,"start_time":-1.7e308,"end_time":1e16,"metadata":null}}`,
	`{"event":{"event_type":"tool","inputs":{},"children_ids":["","",""],"duration":1e999}}`,
	`{"model_event":{"usage":{"a":1},"usage":{"a":2},"messages":[{},{}],"inputs":null,"metadata":{}}}`,
	`{"filters":[{"operator":"is"},{"operator":"greater than","field":"a.a.a.0","value":1e308}],"projections":["","a","a"],"limit":7500,"page":1000000}`,
	`{"u0":0,"u1":[],"u2":{},"u3":"\ud800","session":"{\"session\":\"{}\"}"}`,
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

// FuzzBatch takes each event of a batch or says of it, with the others, that it was
// not taken; how much it says does not depend on how many there are.
func FuzzBatch(f *testing.F) {
	for _, events := range []string{
		"", "0", many("0", 300), many("{}", 300), many(good, 20), many(wrong, 300), many(refused, 20), many(`"{}"`, 20), many("[]", 20), many(`{"children_ids":["",""]}`, 20),
		good + "," + many("null", 300) + "," + refused, strings.Repeat("[", 60), many(`{"event_type":"session","inputs":{},"session_id":"caf77ace-3417-4da4-944d-f4a0688f3c23"}`, 3),
		`{"event_type":"tool","inputs":{},"duration":1.7e308,"start_time":-1.7e308,"end_time":1e999}`,
	} {
		f.Add(`{"events":[`+events+`]}`, false)
		f.Add(`{"model_events":[`+events+`],"is_single_session":true,"session_properties":{"duration":1.7e308}}`, true)
	}
	f.Fuzz(func(t *testing.T, body string, model bool) {
		text, err := document(body)
		if err != nil {
			return
		}
		name, read := "events", event
		if model {
			name, read = "model_events", modelEvent
		}
		k := new(taker)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/", nil)
		if err != nil {
			t.Fatal(err)
		}
		b := batch{api: &API{Store: k}, request: r, read: read, at: time.Unix(1, 0)}
		if err := b.take(text, name); err != nil {
			refusal(t, err)
			return
		}
		list, _ := text.Get(name)
		n := 0
		for range list.Elements() {
			n++
		}
		if len(b.taken)+b.failed != n && len(b.taken)+b.failed != n+1 { // the session may be refused, too
			t.Errorf("%d taken, %d not, of %d", len(b.taken), b.failed, n)
		}
		if len(b.errors) > maxErrors || b.failed > 0 && len(b.errors) == 0 || !json.Valid(b.answer()) {
			t.Errorf("%d failed: %d errors", b.failed, len(b.errors))
		}
	})
}
