package llmhttp_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

func TestMain(m *testing.M) {
	for _, kv := range os.Environ() { // no test depends on the machine
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "HH_") || strings.HasPrefix(name, "OTEL_") {
			_ = os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

// lab is a session whose calls go to a server of the test.
type lab struct {
	*sessiontest.Pipeline
	t        *testing.T
	ctx      context.Context
	session  *sessionspan.Session
	server   *httptest.Server
	client   *http.Client
	recorder *tracetest.InMemoryExporter
	provider *sdktrace.TracerProvider

	mu   sync.Mutex
	got  []string // bodies of requests
	head []http.Header
}

func newLab(t *testing.T, handler http.HandlerFunc, options ...llmhttp.Option) *lab {
	l := &lab{t: t, recorder: tracetest.NewInMemoryExporter()}
	l.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(l.recorder))
	l.Pipeline = sessiontest.New(t, sessionspan.WithTracerProvider(l.provider))
	l.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		l.got, l.head = append(l.got, string(body)), append(l.head, r.Header.Clone())
		l.mu.Unlock()
		handler(w, r)
	}))
	transport := &http.Transport{}
	l.client = &http.Client{Transport: llmhttp.Transport(transport, options...)}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		l.server.CloseClientConnections()
		l.server.Close()
	})
	l.ctx, l.session = l.Tracer.StartSession(t.Context(), "s")
	return l
}

func (l *lab) request(path, body string) *http.Request {
	r, err := http.NewRequestWithContext(l.ctx, http.MethodPost, l.server.URL+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer sk-secret")
	return r
}

// post makes a call and returns what its client read.
func (l *lab) post(path, body string, header ...string) (string, error) {
	l.t.Helper()
	r := l.request(path, body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := l.client.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return string(data), err
}

// end ends the session and returns its events.
func (l *lab) end() []*sessiontest.Event {
	l.t.Helper()
	l.session.End()
	return l.Session("s").Events
}

// only ends the session and returns its only event.
func (l *lab) only() *sessiontest.Event {
	l.t.Helper()
	events := l.end()
	if len(events) != 1 {
		l.t.Fatalf("%d events, want 1", len(events))
	}
	return events[0]
}

// attributes returns those of the only span with a name.
func (l *lab) attributes(name string) map[string]any {
	l.t.Helper()
	for _, span := range l.recorder.GetSpans() {
		if span.Name == name {
			return attributesOf(span.Attributes)
		}
	}
	l.t.Fatalf("no span %q", name)
	return nil
}

func attributesOf(list []attribute.KeyValue) map[string]any {
	m := make(map[string]any)
	for _, kv := range list {
		m[string(kv.Key)] = kv.Value.AsInterface()
	}
	return m
}

// check compares attributes with what is wanted of them; JSON by its meaning.
func check(t *testing.T, got map[string]any, want map[string]any) {
	t.Helper()
	for key, w := range want {
		g := got[key]
		if text, ok := w.(string); ok && text != "" && (text[0] == '[' || text[0] == '{') {
			s, _ := g.(string)
			if diff := cmp.Diff(parsed(t, text), parsed(t, s)); diff != "" {
				t.Errorf("%s: %s", key, diff)
			}
			continue
		}
		if diff := cmp.Diff(w, g); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Errorf("%v in %q", err, text)
	}
	return v
}

// metadata compares some keys of the metadata, as JSON.
func metadata(t *testing.T, e *sessiontest.Event, want map[string]string) {
	t.Helper()
	for key, w := range want {
		if v, _ := e.Metadata.Get(key); string(v) != w {
			t.Errorf("metadata.%s is %s, want %s", key, v, w)
		}
	}
}

// whole answers with JSON.
func whole(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// stream answers with a stream of events, flushed piece by piece.
func stream(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for _, p := range pieces {
			_, _ = io.WriteString(w, p)
			w.(http.Flusher).Flush()
		}
	}
}

// hang answers with pieces, and then does not end until the client leaves.
func hang(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		stream(pieces...)(w, r)
		<-r.Context().Done()
	}
}

// snap answers with pieces and breaks the connection.
func snap(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		stream(pieces...)(w, r)
		panic(http.ErrAbortHandler)
	}
}

// soon waits for something that another goroutine does.
func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}

func data(chunks ...string) []string {
	var list []string
	for _, c := range chunks {
		list = append(list, "data: "+c+"\n\n")
	}
	return list
}
