package exporter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	"github.com/sessionspan/sessionspan/exporter"
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

// request is what a server was sent.
type request struct {
	at           time.Time
	method, path string
	header       http.Header
	body         []byte
}

// server keeps requests and answers as answer says.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

// answer is what a server does with its n-th request, from 0.
type answer func(n int, w http.ResponseWriter, r request)

func ok(_ int, w http.ResponseWriter, _ request) { _, _ = io.WriteString(w, `{"success":true}`) }

func newServer(t *testing.T, a answer) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewServer(s.handler(t, a))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *server) handler(t *testing.T, a answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if errors.Is(err, io.ErrUnexpectedEOF) || r.Context().Err() != nil {
			return // the test has ended a request
		}
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		req := request{time.Now(), r.Method, r.URL.Path, r.Header.Clone(), body}
		s.mu.Lock()
		n := len(s.requests)
		s.requests = append(s.requests, req)
		s.mu.Unlock()
		a(n, w, req)
	})
}

func (s *server) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

// routes lists the requests in order, as "POST /events/batch".
func (s *server) routes() []string {
	var out []string
	for _, r := range s.seen() {
		out = append(out, r.method+" "+r.path)
	}
	return out
}

// fake answers requests without a network, for tests in virtual time.
type fake struct {
	server
	answer answer
	one    sync.Mutex // answers run one at a time
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	req := request{time.Now(), r.Method, r.URL.Path, r.Header.Clone(), body}
	f.mu.Lock()
	n := len(f.requests)
	f.requests = append(f.requests, req)
	f.mu.Unlock()
	w := httptest.NewRecorder()
	f.one.Lock()
	defer f.one.Unlock()
	f.answer(n, w, req)
	return w.Result(), nil
}

// tracerFor returns a tracer with one destination.
func tracerFor(t *testing.T, e *exporter.Exporter, err error, options ...sessionspan.Option) *sessionspan.Tracer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	tracer, err := sessionspan.New(append(options, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithSource("s"),
		sessionspan.WithErrorHandler(nil), sessionspan.WithDestination(e))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = tracer.Shutdown(ctx)
		checkAccount(t, e)
	})
	return tracer
}

func checkAccount(t *testing.T, e *exporter.Exporter) {
	t.Helper()
	s := e.Stats()
	sum := s.Delivered + s.Waiting + s.WaitingOnDisk + s.SetAside
	for _, n := range s.Dropped {
		sum += n
	}
	if s.Created+s.Adopted != sum {
		t.Errorf("the account does not add up: %+v", s)
	}
}

func flush(t *testing.T, tracer *sessionspan.Tracer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := tracer.ForceFlush(ctx); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

// run records a session with some events and ends it.
func run(tracer *sessionspan.Tracer, name string, events ...string) *sessionspan.Session {
	ctx, s := tracer.StartSession(context.Background(), name, sessionspan.WithInputs(map[string]any{"q": name}))
	for _, e := range events {
		_, ev := sessionspan.StartEvent(ctx, sessionspan.Tool, e)
		ev.End()
	}
	s.SetMetrics(map[string]any{"m": 1})
	s.SetFeedback(map[string]any{"f": 1})
	s.SetError("failed")
	s.End()
	return s
}

// eventsOf reads the events of a batch.
func eventsOf(t *testing.T, body []byte) []honeyhive.Event {
	t.Helper()
	var b struct{ Events []honeyhive.Event }
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return b.Events
}

func names(events []honeyhive.Event) string {
	var out []string
	for _, e := range events {
		out = append(out, e.EventName.Or(""))
	}
	return strings.Join(out, " ")
}

// buffer is a writer for many goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// errorList collects errors from any goroutine.
type errorList struct {
	mu   sync.Mutex
	list []string
}

func (l *errorList) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, err.Error())
}

func (l *errorList) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.list, "\n")
}

// t0 is a context for code that has none of a test.
var t0 = context.Background()
