package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/body"
	"github.com/sessionspan/sessionspan/server/internal/ingest"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// taker is a store that counts what it is given, and fails after some calls.
type taker struct {
	store.Store

	events, calls, most int
	failAt              int
}

func (k *taker) Write(_ context.Context, batch []store.Write) error {
	k.calls++
	k.most = max(k.most, len(batch))
	if k.calls == k.failAt {
		return errors.New("the disk is full")
	}
	var refused store.BatchError
	for i, w := range batch {
		if w.Event != nil && w.Event.EventName.Or("") == "refused" {
			refused.Writes = append(refused.Writes, store.WriteError{Index: i, Err: errors.New("no such")})
		}
	}
	if len(refused.Writes) > 0 {
		return &refused
	}
	k.events += len(batch)
	return nil
}

// serve serves the routes over a store.
func serve(t *testing.T, kept store.Store) string {
	t.Helper()
	a := &API{Store: kept, Spans: ingest.New(kept), Bodies: body.NewReader(32<<20, 128<<20), Rejected: new(reject.Record), ReadTime: time.Minute}
	mux := http.NewServeMux()
	a.Register(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// answer is what the routes answer with.
type answer struct {
	Success bool     `json:"success"`
	IDs     []string `json:"event_ids"`
	Errors  []string `json:"errors"`
	Error   string   `json:"error"`
}

func do(t *testing.T, method, url, body string) (int, answer) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", jsonType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return res.StatusCode, a
}

const (
	good    = `{"event_type":"tool","inputs":{}}`
	wrong   = `{"event_type":"none","inputs":{}}`
	refused = `{"event_type":"tool","inputs":{},"event_name":"refused"}`
)

func many(event string, n int) string { return strings.TrimSuffix(strings.Repeat(event+",", n), ",") }

// TestBatches takes what is right of a batch a few at a time, and tells of some of
// what is wrong and how much more there is.
func TestBatches(t *testing.T) {
	for name, c := range map[string]struct {
		events        string
		failAt        int
		status        int
		taken, errors int
		last          string
	}{
		"none":             {"", 0, 200, 0, 0, ""},
		"many":             {many(good, 3000), 0, 200, 3000, 0, ""},
		"mixed":            {many(good, 700) + "," + many(wrong, 300) + "," + many(refused, 100) + "," + many("0", 100) + "," + many(good, 100), 0, 500, 800, maxErrors + 1, "and 400 more events were not taken"},
		"a few":            {many(good, 2) + "," + wrong + "," + refused, 0, 500, 2, 2, "no such"},
		"the store fails":  {many(good, 1200), 3, 500, 1000, 2, "and 199 more events were not taken"},
		"it fails at once": {many(good, 1200), 1, 503, 0, 0, ""},
		"all wrong":        {many("{}", 5000), 0, 400, 0, 0, ""},
		"too many":         {many("0", maxBatch+1), 0, 413, 0, 0, ""},
	} {
		k := &taker{failAt: c.failAt}
		status, a := do(t, http.MethodPost, serve(t, k)+"/events/batch", `{"events":[`+c.events+`]}`)
		if status != c.status || len(a.IDs) != c.taken || len(a.Errors) != c.errors || k.events != c.taken || k.most > pieceCount {
			t.Errorf("%s: %d, %d taken, %d stored, up to %d at once, errors %.300q %s", name, status, len(a.IDs), k.events, k.most, a.Errors, a.Error)
			continue
		}
		if c.last != "" && !strings.Contains(a.Errors[len(a.Errors)-1], c.last) {
			t.Errorf("%s: %q", name, a.Errors[len(a.Errors)-1])
		}
		if status != http.StatusOK && len(a.Errors) == 0 && (a.Error == "" || len(a.Error) > 1000) {
			t.Errorf("%s: %q", name, a.Error)
		}
	}
}

// TestShapes refuses payloads that become many times larger than they are.
func TestShapes(t *testing.T) {
	url := serve(t, new(taker))
	var fields strings.Builder
	for i := range maxFields {
		_, _ = fmt.Fprintf(&fields, `"u%d":0,`, i)
	}
	for route, c := range map[string]struct{ method, before, after string }{
		"/session/start": {"POST", `{"session":{`, `"project":"p"}}`},
		"/v1/events":     {"POST", `{`, `"event_type":"tool","inputs":{}}`},
		"/events/model":  {"POST", `{"model_event":{`, `"model":"m"}}`},
		"/events":        {"PUT", `{`, `"event_id":"7f22137a-6911-4ed3-bc36-110f1dde6b66"}`},
	} {
		for what, want := range map[string]string{
			fields.String(): "more than 1000 fields",
			`"children_ids":[` + many(`""`, 9) + `],`:                   "children_ids: element 0: is no UUID",
			`"childrenIds":["7f22137a-6911-4ed3-bc36-110f1dde6b66",1],`: "children_ids: element 1: is no UUID",
		} {
			if status, a := do(t, c.method, url+route, c.before+what+c.after); status != http.StatusBadRequest || !strings.Contains(a.Error, want) {
				t.Errorf("%s: %d %.200q, want %q", route, status, a.Error, want)
			}
		}
	}
}

// TestLongNames are cut.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("né", 100_000)
	e, err := event(honeyhive.Value(`{"event_type":"tool","inputs":{},"event_name":"` + long + `","project":"` + long + `","error":"` + long + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{e.EventName.Or(""), e.Project.Or("")} {
		if len(name) > 66_000 || !strings.HasSuffix(name, "é…") && !strings.HasSuffix(name, "n…") {
			t.Errorf("%d bytes", len(name))
		}
	}
	if e.Error.Or("") != long {
		t.Error("the error is cut")
	}
}

// TestModelEvents puts the fields of the older payload where those of the newer one
// stand.
func TestModelEvents(t *testing.T) {
	read := func(body string) (*honeyhive.Event, error) {
		text, err := unwrap(body, "model_event")
		if err != nil {
			return nil, err
		}
		return modelEvent(text)
	}
	e, err := read(`{"event_id":"7f22137a-6911-4ed3-bc36-110f1dde6b66","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c23","model":"m","messages":[{"role":"user"}],"template_inputs":{"a":1},
		"usage":{"prompt_tokens":1,"cost":9},"cost":0.5,"response":{"content":"x"},"inputs":{"b":2,"chat_history":[]},"metadata":{"c":3},"extra":[1]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"event_id":"7f22137a-6911-4ed3-bc36-110f1dde6b66","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c23","parent_id":"caf77ace-3417-4da4-944d-f4a0688f3c23","event_name":"unknown","event_type":"model",` +
		`"config":{"model":"m"},"inputs":{"b":2,"chat_history":[{"role":"user"}],"a":1},"outputs":{"content":"x"},"metadata":{"c":3,"prompt_tokens":1,"cost":0.5},"extra":[1]}`
	if got := string(e.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for text, problem := range map[string]string{
		`{"model":"m","model":"n"}`:           "model: stands more than once",
		`{"usage":[]}`:                        "usage: ",
		`{"model":"m","config":7}`:            "config: ",
		`{"messages":{},"event_type":"none"}`: "event_type: ",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if e, err := read(`{"eventType":"model","inputs":null}`); err != nil || e.EventType.Or("") != honeyhive.TypeModel {
		t.Errorf("%v", err)
	}
}

// TestQueriesAreBounded refuses queries that would be compared with every event very
// many times.
func TestQueriesAreBounded(t *testing.T) {
	url := serve(t, new(taker))
	for body, c := range map[string]struct {
		status int
		want   string
	}{
		`{"filters":[` + many(`{"field":"a","operator":"is","value":1}`, maxFilters+1) + `]}`: {400, "filters: there are more than 50"},
		`{"projections":[` + many(`"a"`, maxProjections+1) + `]}`:                             {400, "projections: there are more than 100"},
		`{"project":"` + strings.Repeat("x", maxQuery) + `"}`:                                 {413, "larger than 64 KiB"},
	} {
		if status, a := do(t, http.MethodPost, url+"/events/export", body); status != c.status || !strings.Contains(a.Error, c.want) {
			t.Errorf("%d %q, want %q", status, a.Error, c.want)
		}
	}
}
