package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan/store"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(childEnv); file != "" { // this process is the server of a test that kills it
		child(file)
		return
	}
	if where := os.Getenv(serviceEnv); where != "" {
		service(where)
		return
	}
	for _, kv := range os.Environ() { // no test depends on the machine
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "HH_") || strings.HasPrefix(name, "OTEL_") {
			_ = os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

// start starts a server on a free port and a file of its own.
func start(t testing.TB, options ...Option) *Server {
	t.Helper()
	s, err := Start(t.Context(), append([]Option{WithAddress("127.0.0.1:0"), WithFile(filepath.Join(t.TempDir(), "sessions.db"))}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// send sends a request and returns the status and the body of the answer.
func send(t testing.TB, method, url, contentType string, body []byte, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// post sends JSON, and expects a 200.
func post(t testing.TB, url, body string) string {
	t.Helper()
	status, answer := send(t, http.MethodPost, url, "application/json", []byte(body))
	if status != http.StatusOK {
		t.Fatalf("POST %s: %d %s", url, status, answer)
	}
	return answer
}

// content returns all that a server holds: the payloads by their ids.
func content(t testing.TB, s *Server) map[string]string {
	t.Helper()
	all := make(map[string]string)
	page := store.SessionQuery{}
	for {
		found, err := s.store.Sessions(t.Context(), page)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range found.Sessions {
			session, err := s.store.Session(t.Context(), row.ID)
			if err != nil {
				t.Fatal(err)
			}
			all[row.ID.String()] = pretty(session.Payload.AppendJSON(nil))
			for e, err := range s.store.EventBodies(t.Context(), row.ID, store.EventQuery{}) {
				if err != nil {
					t.Fatal(err)
				}
				all[e.ID.String()] = pretty(e.Payload.AppendJSON(nil))
			}
		}
		if page.After = found.Next; page.After == "" {
			return all
		}
	}
}

func pretty(text []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return fmt.Sprintf("%s: %v", text, err)
	}
	return out.String()
}

const sessionID = "caf77ace-3417-4da4-944d-f4a0688f3c23"
