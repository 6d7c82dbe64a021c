package sessionspan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
)

func TestMain(m *testing.M) {
	for _, kv := range os.Environ() { // no test depends on the machine
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "HH_") || strings.HasPrefix(name, "OTEL_") {
			_ = os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

// api is a server of the HTTP API that keeps what it was sent.
type api struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

type request struct {
	method, path string
	header       http.Header
	body         string
}

func newAPI(t *testing.T) *api {
	a := new(api)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		a.mu.Lock()
		a.requests = append(a.requests, request{r.Method, r.URL.Path, r.Header.Clone(), string(body)})
		a.mu.Unlock()
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

func (a *api) seen() []request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]request(nil), a.requests...)
}

// bodies returns the bodies of the requests to a route.
func (a *api) bodies(method, path string) []string {
	var out []string
	for _, r := range a.seen() {
		if r.method == method && r.path == path {
			out = append(out, r.body)
		}
	}
	return out
}

// events returns all events that the server got.
func (a *api) events(t *testing.T) []honeyhive.Event {
	t.Helper()
	var out []honeyhive.Event
	for _, body := range a.bodies("POST", "/events/batch") {
		var b struct{ Events []honeyhive.Event }
		if err := json.Unmarshal([]byte(body), &b); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		out = append(out, b.Events...)
	}
	return out
}

// newTracer returns a tracer that ends with the test.
func newTracer(t *testing.T, options ...sessionspan.Option) *sessionspan.Tracer {
	t.Helper()
	tracer, err := sessionspan.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := tracer.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return tracer
}

func flush(t *testing.T, tracer *sessionspan.Tracer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := tracer.ForceFlush(ctx); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

// errorList collects errors from any goroutine.
type errorList struct {
	mu   sync.Mutex
	errs []error
}

func (l *errorList) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *errorList) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) == 0 {
		return ""
	}
	return errors.Join(l.errs...).Error()
}

// compact removes white space from JSON.
func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return b.String()
}

// printed formats values with a verb.
func printed(verb string, values ...any) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	return b.String()
}
