package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// TestReadme holds the program of the README, and of the server's empty page,
// against this one, which is compiled and run.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```go\n// Quickstart")
	code, _, _ := strings.Cut(rest, "```")
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if "// Quickstart"+code != string(program) {
		t.Error("the program of the README is not the one in examples/quickstart/main.go")
	}
	page, err := os.ReadFile("../../server/internal/page/templates/quickstart.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != string(program) {
		t.Error("the program of the server's page is not the one in examples/quickstart/main.go")
	}
}

// TestProgram runs the program with the two variables that the README names.
func TestProgram(t *testing.T) {
	var mu sync.Mutex
	var session honeyhive.SessionStartRequest
	var events []honeyhive.Event
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var b struct {
			Session *honeyhive.SessionStartRequest
			Events  []honeyhive.Event
		}
		if err := json.Unmarshal(body, &b); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if b.Session != nil {
			session = *b.Session
		}
		events = append(events, b.Events...)
	}))
	defer srv.Close()
	t.Setenv("HH_API_URL", srv.URL)
	t.Setenv("HH_API_KEY", "a key")
	defer sessionspan.SetDefault(nil)
	main()
	if err := session.Validate(); err != nil || session.Project.Or("") != "Simple RAG Project" || session.Outputs.String() != `{"content":"Hello world","role":"assistant"}` {
		t.Errorf("%v %s", err, session.AppendJSON(nil))
	}
	if len(events) != 3 {
		t.Errorf("%d events", len(events))
	}
	for _, e := range events {
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
	}
}
