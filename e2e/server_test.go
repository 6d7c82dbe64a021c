package e2e

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/server/local"
)

// start starts a server on a free port.
func start(t testing.TB) *local.Server {
	t.Helper()
	return startFile(t, filepath.Join(t.TempDir(), "sessions.db"))
}

func startFile(t testing.TB, file string) *local.Server {
	t.Helper()
	s, err := local.Start(t.Context(), local.WithAddress("127.0.0.1:0"), local.WithFile(file))
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

// newTracer returns a tracer that delivers to a server by its HTTP API.
func newTracer(t testing.TB, url, project, source string, options ...exporter.Option) *sessionspan.Tracer {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(),
		sessionspan.WithProject(project), sessionspan.WithSource(source),
		sessionspan.WithHTTP(exporter.HTTPConfig{URL: url, Key: "local", Transport: transport}, options...),
		sessionspan.WithErrorHandler(func(err error) { t.Errorf("the library: %v", err) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		deliver(t, tracer)
		transport.CloseIdleConnections()
	})
	return tracer
}

// deliver ends a tracer and waits until the server has all.
func deliver(t testing.TB, tracer *sessionspan.Tracer) {
	t.Helper()
	if err := tracer.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
		t.Error(err)
	}
}

// flush waits until the server has what is known so far.
func flush(t testing.TB, tracer *sessionspan.Tracer) {
	t.Helper()
	if err := tracer.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// post sends JSON to a route of a server and returns the answer.
func post(t testing.TB, url, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	return send(t, req)
}

// get asks for a page as a browser without scripts would.
func get(t testing.TB, url string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, req)
}

func send(t testing.TB, req *http.Request) (status int, answer string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// programs builds the examples once, into the folder scratch.
var programs = sync.OnceValue(func() error {
	build := exec.Command("go", "build", "-o", scratch, "./rag", "./distributed")
	build.Dir = filepath.Join("..", "examples")
	build.Stderr = os.Stderr
	return build.Run()
})

// example runs one of the examples against a server.
func example(t testing.TB, url, name string, args ...string) string {
	t.Helper()
	if err := programs(); err != nil {
		t.Fatalf("build the examples: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(scratch, name), args...)
	cmd.Env = append(cmd.Environ(), "HH_API_URL="+url, "HH_API_KEY=local")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
