package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan/honeyhive"
)

func TestMain(m *testing.M) {
	for _, kv := range os.Environ() { // no test depends on the machine
		name, _, _ := strings.Cut(kv, "=")
		for _, prefix := range []string{"HH_", "OTEL_", "OPENAI_"} {
			if strings.HasPrefix(name, prefix) {
				_ = os.Unsetenv(name)
			}
		}
	}
	// The index keeps a pool of workers for the whole process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/blevesearch/bleve_index_api.AnalysisWorker"))
}

// library writes a folder of texts.
func library(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"otter.md":       "# Otters\n\nAn otter is a mammal that lives in rivers. An otter eats fish.\n",
		"sub/heron.txt":  "A heron is a bird that stands in rivers. It waits for fish.",
		"sub/desert.txt": "A camel is a mammal that lives in the desert.",
		".git/config":    "an otter that is no document",
		"image.png":      "\x89PNG\xff\xfe",
		"empty.txt":      "",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// api keeps what the HTTP API was sent.
type api struct {
	mu       sync.Mutex
	sessions []honeyhive.SessionStartRequest
	events   []honeyhive.Event
}

func newAPI(t *testing.T) *api {
	a := new(api)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Session *honeyhive.SessionStartRequest
			Events  []honeyhive.Event
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if body.Session != nil {
			a.sessions = append(a.sessions, *body.Session)
		}
		a.events = append(a.events, body.Events...)
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections)
	t.Setenv("HH_API_URL", srv.URL)
	t.Setenv("HH_API_KEY", "k")
	return a
}

func (a *api) event(t *testing.T, name string) honeyhive.Event {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events {
		if e.EventName.Or("") == name {
			return e
		}
	}
	t.Fatalf("no event %q among %d", name, len(a.events))
	return honeyhive.Event{}
}

// TestAnswer runs the whole command on a folder and looks at what it prints and
// delivers.
func TestAnswer(t *testing.T) {
	a := newAPI(t)
	var out strings.Builder
	err := run(t.Context(), []string{"-docs", library(t), "-k", "3", "-user", "ann", "Where does an", "otter live?"}, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Question: Where does an otter live?", "An otter is a mammal that lives in rivers.", "otter.md#1", "extractive", `"session_name": "answer a question"`,
		"Delivered to http 127.0.0.1:",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	allDelivered(t, out.String())
	if len(a.sessions) != 1 || len(a.events) != 4 {
		t.Fatalf("%d sessions, %d events", len(a.sessions), len(a.events))
	}
	s := a.sessions[0]
	if err := s.Validate(); err != nil || s.Inputs.String() != `{"question":"Where does an otter live?"}` || s.UserProperties.String() != `{"user_id":"ann"}` || len(s.ChildrenIDs.Or(nil)) != 4 {
		t.Errorf("%v %+v", err, s)
	}
	retrieve := a.event(t, "retrieve")
	var outputs struct {
		Documents []struct {
			ID      string
			Score   float64
			Content string
		}
	}
	if err := retrieve.Outputs.Decode(&outputs); err != nil || len(outputs.Documents) == 0 || outputs.Documents[0].ID != "otter.md#1" || outputs.Documents[0].Score <= 0 || outputs.Documents[0].Content == "" {
		t.Errorf("%v %s", err, retrieve.Outputs)
	}
	if e := a.event(t, "load documents"); e.Outputs.String() != `{"documents":3}` {
		t.Errorf("loaded %s", e.Outputs)
	}
}

// TestJSON prints the payload and nothing else.
func TestJSON(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-json", "-server", "127.0.0.1:0", "-docs", library(t), "What is a heron?"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var s honeyhive.SessionStartRequest
	if err := json.Unmarshal([]byte(out.String()), &s); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	if answer, _ := s.Outputs.Get("content"); !strings.Contains(string(answer), "heron is a bird") || s.Validate() != nil || !s.Unknown.IsZero() {
		t.Errorf("%s", out.String())
	}
}

// TestModel answers with a server that speaks OpenAI's API.
func TestModel(t *testing.T) {
	a := newAPI(t)
	var asked string
	llm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = string(body)
		if h := r.Header; h.Get("Baggage")+h.Get("Traceparent") != "" {
			t.Errorf("the provider was sent %v", h)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"x","object":"chat.completion","model":"m-1","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"In rivers [otter.md#1]."}}],`+
			`"usage":{"prompt_tokens":50,"completion_tokens":7,"total_tokens":57,"prompt_tokens_details":{"cached_tokens":10}}}`)
	}))
	defer llm.Close()
	defer llm.CloseClientConnections()
	t.Setenv("OPENAI_BASE_URL", llm.URL)
	t.Setenv("OPENAI_API_KEY", "sk-CANARY")
	t.Setenv("OPENAI_MODEL", "m")
	var out strings.Builder
	if err := run(t.Context(), []string{"-docs", library(t), "Where does an otter live?"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	if !strings.Contains(out.String(), "In rivers [otter.md#1].") || !strings.Contains(asked, "An otter is a mammal") {
		t.Errorf("asked %s\n%s", asked, out.String())
	}
	e := a.event(t, "answer")
	if e.EventType.Or("") != "model" || e.Config.String() != `{"provider":"openai","model":"m"}` || !strings.Contains(e.Inputs.String(), "An otter is a mammal") ||
		e.Outputs.String() != `{"role":"assistant","content":"In rivers [otter.md#1].","finish_reason":"stop"}` {
		t.Errorf("%s", e.AppendJSON(nil))
	}
	if tokens, _ := e.Metadata.Get("total_tokens"); string(tokens) != "57" {
		t.Errorf("metadata %s", e.Metadata)
	}
	for _, s := range a.sessions {
		if strings.Contains(string(s.AppendJSON(nil)), "CANARY") {
			t.Error("the key is in the payload")
		}
	}
}

func TestModelFails(t *testing.T) {
	a := newAPI(t)
	llm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":{"message":"no such model"}}`, http.StatusNotFound)
	}))
	defer llm.Close()
	defer llm.CloseClientConnections()
	t.Setenv("OPENAI_BASE_URL", llm.URL)
	var out strings.Builder
	err := run(t.Context(), []string{"-docs", library(t), "Where does an otter live?"}, &out, io.Discard)
	http.DefaultClient.CloseIdleConnections()
	if err == nil || out.Len() > 0 {
		t.Errorf("error %v, printed %q", err, out.String())
	}
	if len(a.sessions) != 1 || a.sessions[0].Error.Or("") == "" {
		t.Errorf("the session says nothing of the error: %+v", a.sessions)
	}
	if e := a.event(t, "answer"); e.Error.Or("") == "" {
		t.Errorf("%s", e.AppendJSON(nil))
	}
}

// TestDefaultDocuments answers the default question from the documentation of
// the Go distribution that runs the test.
func TestDefaultDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("to index the documentation of Go takes half a minute with the race detector")
	}
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), []string{"-once", "-server", "127.0.0.1:0"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{defaultQuestion, "context", "canceled", "/s/"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	allDelivered(t, out.String())
}

var records = regexp.MustCompile(`: (\d+) of (\d+) records`)

// allDelivered checks the account of a run: a session and its four events, and
// one more record for a session that stayed open long enough to be shown early.
func allDelivered(t *testing.T, out string) {
	t.Helper()
	m := records.FindStringSubmatch(out)
	if m == nil || m[1] != m[2] || m[1] != "5" && m[1] != "6" {
		t.Errorf("records %q in\n%s", m, out)
	}
}

func TestErrors(t *testing.T) {
	newAPI(t)
	for name, args := range map[string][]string{
		"no folder": {"-docs", filepath.Join(t.TempDir(), "none")}, "no text": {"-docs", t.TempDir()}, "no documents": {"-k", "0"}, "unknown flag": {"-x"},
	} {
		var out strings.Builder
		if err := run(t.Context(), args, &out, io.Discard); err == nil || out.Len() > 0 {
			t.Errorf("%s: error %v, printed %q", name, err, out.String())
		}
	}
	if err := run(t.Context(), []string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"-docs", library(t)}, io.Discard, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNothingFits(t *testing.T) {
	newAPI(t)
	var out strings.Builder
	if err := run(t.Context(), []string{"-docs", library(t), "zzzzqqq"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "The documents do not hold an answer.") {
		t.Error(out.String())
	}
}
