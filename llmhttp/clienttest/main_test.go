package clienttest

import (
	"cmp"
	"compress/gzip"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

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
		name, _, _ := strings.Cut(kv, "=")
		for _, prefix := range []string{"HH_", "OTEL_", "OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "OLLAMA_", "AWS_"} {
			if strings.HasPrefix(name, prefix) {
				_ = os.Unsetenv(name)
			}
		}
	}
	goleak.VerifyTestMain(m)
}

// key is what clients have as their key to the provider.
const key = "sk-CANARY-0123456789"

// patience bounds how long a test waits for what must come.
const patience = time.Minute

// A lab is a session whose calls go to a server of the test.
type lab struct {
	*sessiontest.Pipeline
	t        testing.TB
	ctx      context.Context
	session  *sessionspan.Session
	provider *sdktrace.TracerProvider
	spans    *tracetest.InMemoryExporter
	server   *httptest.Server
	options  []llmhttp.Option
	plain    *http.Client // traces nothing
	traced   *http.Client
	ended    chan struct{} // calls of models
	resume   chan struct{} // closed when a server that waits may go on
	headers  http.Header   // that the program adds to requests, as its instrumentation may

	mu       sync.Mutex
	requests []*http.Request // with their bodies in texts
	texts    []string
	zipped   int // answers that were compressed
}

// newLab serves one reply for each request, in this order.
func newLab(t testing.TB, w *wire, replies ...reply) *lab {
	t.Helper()
	l := &lab{t: t, spans: tracetest.NewInMemoryExporter(), ended: make(chan struct{}, 100), resume: make(chan struct{})}
	l.provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(l.spans))
	l.Pipeline = sessiontest.New(t, sessionspan.WithTracerProvider(l.provider))
	l.provider.RegisterSpanProcessor(watcher{ended: l.ended}) // after the pipeline's, which has the span then
	l.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		n := len(l.requests)
		l.requests, l.texts = append(l.requests, r.Clone(context.Background())), append(l.texts, string(body))
		l.mu.Unlock()
		if n >= len(replies) {
			t.Errorf("request %d was not expected: %s", n+1, body)
			rw.WriteHeader(http.StatusTeapot)
			return
		}
		l.serve(rw, r, w, &replies[n], string(body))
	}))
	if w.hosted {
		l.options = []llmhttp.Option{llmhttp.WithHost(l.server.Listener.Addr().String(), w.api, "")}
	}
	base := &http.Transport{}
	l.plain = &http.Client{Transport: base}
	l.trace()
	t.Cleanup(func() {
		base.CloseIdleConnections()
		l.server.CloseClientConnections()
		l.server.Close()
	})
	l.ctx, l.session = l.Tracer.StartSession(t.Context(), "s")
	return l
}

// trace sets options and makes the client that traces.
func (l *lab) trace(options ...llmhttp.Option) {
	l.options = append(l.options, options...)
	l.traced = &http.Client{Transport: &instrumented{l, llmhttp.Transport(l.plain.Transport, l.options...)}}
}

// instrumented adds headers, as the instrumentation of programs does.
type instrumented struct {
	l    *lab
	next http.RoundTripper
}

func (i *instrumented) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	maps.Copy(r.Header, i.l.headers)
	return i.next.RoundTrip(r)
}

// watcher tells of spans of calls of models that ended.
type watcher struct {
	sdktrace.SpanProcessor
	ended chan struct{}
}

func (watcher) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (watcher) Shutdown(context.Context) error                  { return nil }
func (watcher) ForceFlush(context.Context) error                { return nil }

func (w watcher) OnEnd(s sdktrace.ReadOnlySpan) {
	for _, kv := range s.Attributes() {
		if kv.Key == "gen_ai.operation.name" {
			w.ended <- struct{}{}
			return
		}
	}
}

// events waits until n calls have ended, ends the session and returns its events.
func (l *lab) events(n int) []*sessiontest.Event {
	l.t.Helper()
	for i := range n {
		select {
		case <-l.ended:
		case <-time.After(patience):
			l.t.Fatalf("%d of %d calls have ended", i, n)
		}
	}
	l.session.End()
	events := l.Session("s").Events
	if len(events) != n || len(l.Orphans()) > 0 {
		l.t.Fatalf("%d events and %d orphans, want %d:\n%s", len(events), len(l.Orphans()), n, l.Session("s").Tree())
	}
	return events
}

// attributes returns those of the spans of calls, in the order of their start.
func (l *lab) attributes() []map[string]any {
	var list []map[string]any
	for _, s := range l.spans.GetSpans() {
		if m := attributesOf(s.Attributes); m["gen_ai.operation.name"] != nil {
			list = append(list, m)
		}
	}
	return list
}

func attributesOf(list []attribute.KeyValue) map[string]any {
	m := make(map[string]any, len(list))
	for _, kv := range list {
		m[string(kv.Key)] = kv.Value.AsInterface()
	}
	return m
}

// A reply is how the server answers a request.
type reply struct {
	status int // if it is an error
	header http.Header
	answer answer
	body   string   // in place of an answer
	kind   string   // of the body; application/json if it is empty
	pieces []string // of a stream, in place of an answer
	end    end
	zip    bool
}

// end says how a stream ends.
type end uint8

const (
	inFull    end = iota
	waiting       // after the first piece of text; on resume one more comes, and then nothing
	snapped       // the connection breaks after the first piece of text
	cutOff        // the body ends after the first piece of text
	withError     // the provider says that it failed
)

// serve writes a reply.
func (l *lab) serve(rw http.ResponseWriter, r *http.Request, w *wire, p *reply, body string) {
	maps.Copy(rw.Header(), p.header)
	out := io.Writer(rw)
	flush := rw.(http.Flusher).Flush
	if p.zip && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		l.mu.Lock()
		l.zipped++
		l.mu.Unlock()
		rw.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(rw)
		defer func() { _ = z.Close() }()
		out, flush = z, func() { _ = z.Flush(); rw.(http.Flusher).Flush() }
	}
	if p.status != 0 {
		w.fails(rw.Header(), p.status)
		rw.WriteHeader(p.status)
		body, _ := w.failure(p.status)
		_, _ = io.WriteString(out, body)
		return
	}
	if p.body != "" || p.pieces == nil && !w.streamed(r, body) {
		rw.Header().Set("Content-Type", cmp.Or(p.kind, "application/json"))
		text := p.body
		if text == "" {
			text = w.whole(p.answer)
		}
		_, _ = io.WriteString(out, text)
		return
	}
	rw.Header().Set("Content-Type", w.streamType)
	send := func(pieces []string) {
		for _, s := range pieces {
			_, _ = io.WriteString(out, s)
			flush()
		}
	}
	if p.pieces != nil {
		send(p.pieces)
		return
	}
	begin, middle, rest := w.stream(p.answer, body)
	send(begin)
	if p.end == inFull {
		send(middle)
		send(rest)
		return
	}
	send(middle[:1])
	switch p.end {
	case waiting:
		select {
		case <-l.resume:
			send(middle[1:2])
			<-r.Context().Done()
		case <-r.Context().Done():
		}
	case snapped:
		panic(http.ErrAbortHandler)
	case withError:
		send([]string{w.streamFailure})
	case inFull, cutOff:
	}
}
