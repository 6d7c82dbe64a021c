package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan"
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

// newChat starts the server as main does, on a provider whose spans are kept.
func newChat(t *testing.T) (*sessiontest.Pipeline, *tracetest.InMemoryExporter, string) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	p := sessiontest.New(t, sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))))
	srv := httptest.NewServer(handler(p.Tracer, newServer(p.Tracer, slog.New(slog.DiscardHandler))))
	t.Cleanup(srv.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return p, spans, srv.URL
}

// TestConversation holds a conversation over several requests, each in a trace
// of its own, and looks at the one session that they make.
func TestConversation(t *testing.T) {
	p, spans, url := newChat(t)
	if err := talk(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	s := p.Session("chat")
	s.AssertTree(`
		session chat
		  chain turn 1
		    tool look up
		    chain phrase
		  chain turn 2
		    tool look up
		    chain phrase
		  chain turn 3
		    tool look up
		    chain phrase
	`)
	if got := s.Feedback.String(); got != `{"comment":"short and clear","rating":5}` {
		t.Errorf("feedback %s", got)
	}
	if s.UserProperties.String() != `{"user_id":"ann"}` {
		t.Errorf("user %s", s.UserProperties)
	}
	s.AssertOutputs(`{"role":"assistant","content":"An event is a step of a session: a call of a model, a tool, or a chain of such."}`)
	// The session and its first turn stay in the trace of the first request, the
	// others in theirs.
	traces := map[string]string{}
	requests := map[string]int{}
	for _, span := range spans.GetSpans() {
		trace := span.SpanContext.TraceID().String()
		traces[span.Name] = trace
		if span.Name == "POST /chat" || span.Name == "chat" && !span.Parent.IsValid() {
			requests[trace]++
		}
	}
	if traces["turn 1"] == traces["turn 2"] || len(requests) < 3 || requests[traces["turn 1"]] == 0 || requests[traces["turn 2"]] == 0 || requests[traces["turn 3"]] == 0 {
		t.Errorf("traces %v, requests %v", traces, requests)
	}
	for _, turn := range s.Events {
		if turn.ParentID.Or("") != s.SessionID.Or("") || len(turn.ChildrenIDs.Or(nil)) != 2 {
			t.Errorf("%s hangs on %s", turn.EventName.Or(""), turn.ParentID.Or(""))
		}
	}
}

func TestBadRequests(t *testing.T) {
	_, _, url := newChat(t)
	for path, in := range map[string]request{
		"/chat": {}, "/chat?unknown": {Conversation: "x", Message: "hi"}, "/end": {Conversation: "x"}, "/feedback": {},
	} {
		if _, err := post(t.Context(), url+path, in); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	resp, err := http.Post(url+"/chat", "application/json", strings.NewReader("{"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestManyConversationsAtOnce(t *testing.T) {
	p, _, url := newChat(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := talk(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sessions := p.Sessions()
	if len(sessions) != 20 {
		t.Errorf("%d sessions", len(sessions))
	}
	for _, s := range sessions {
		if len(s.Events) != 3 {
			t.Error(s.Tree())
		}
	}
}

// TestContinuesASessionOfAnotherService calls the server from a session of
// another service, over otelhttp.
func TestContinuesASessionOfAnotherService(t *testing.T) {
	caller := sessiontest.New(t)
	callee := sessiontest.New(t)
	inner := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, e := callee.Tracer.StartEvent(r.Context(), sessionspan.Tool, "remote")
		e.End()
	})
	srv := httptest.NewServer(otelhttp.NewHandler(sessionspan.Handler(inner), "server", otelhttp.WithTracerProvider(callee.Tracer.TracerProvider()),
		otelhttp.WithPropagators(propagators())))
	defer srv.Close()
	ctx, s := caller.Tracer.StartSession(t.Context(), "s")
	ctx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "call")
	host := strings.TrimPrefix(srv.URL, "http://")
	transport := otelhttp.NewTransport(sessionspan.Transport(http.DefaultTransport, host),
		otelhttp.WithTracerProvider(caller.Tracer.TracerProvider()), otelhttp.WithPropagators(propagators()))
	get(ctx, t, transport, srv.URL)
	e.End()
	s.End()
	orphans := callee.Orphans()
	if len(orphans) != 1 || orphans[0].ParentID.Or("") != e.ID() || orphans[0].SessionID.Or("") != s.ID() {
		t.Fatalf("%+v", orphans)
	}
	caller.Session("s").AssertTree("session s\n  chain call\n")
}

// TestPlainOtelhttpCarriesNoIdentity calls another host by otelhttp alone, with
// every propagator there is, from inside a session and from inside a request
// that brought one.
func TestPlainOtelhttpCarriesNoIdentity(t *testing.T) {
	p := sessiontest.New(t)
	var got []http.Header
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = append(got, r.Header.Clone()) }))
	defer other.Close()
	transport := otelhttp.NewTransport(http.DefaultTransport, otelhttp.WithTracerProvider(p.Tracer.TracerProvider()), otelhttp.WithPropagators(propagators()))

	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	get(ctx, t, transport, other.URL)

	handler := otelhttp.NewHandler(sessionspan.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if sessionspan.SessionFromContext(r.Context()).ID() != s.ID() {
			t.Error("the request did not bring the session")
		}
		get(r.Context(), t, transport, other.URL)
	})), "server", otelhttp.WithTracerProvider(p.Tracer.TracerProvider()), otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator(
		propagation.TraceContext{}, propagation.Baggage{}))) // without ours: Handler must do
	req := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	carrier := propagation.HeaderCarrier(req.Header)
	sessionspan.Inject(ctx, carrier)
	carrier.Set("baggage", carrier.Get("baggage")+",tenant=acme,session_id="+s.ID()+",project=p")
	handler.ServeHTTP(httptest.NewRecorder(), req)
	s.End()

	if len(got) != 2 {
		t.Fatalf("%d requests", len(got))
	}
	for _, h := range got {
		if h.Get("Traceparent") == "" {
			t.Error("otelhttp sent no trace context")
		}
		for name, values := range h {
			if text := strings.Join(values, ","); strings.Contains(text, s.ID()) || strings.Contains(text, "honeyhive") || strings.Contains(text, "project=") {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
	if got[1].Get("Baggage") != "tenant=acme" {
		t.Errorf("baggage of others %q", got[1].Get("Baggage"))
	}
}

func propagators() propagation.TextMapPropagator {
	return propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}, sessionspan.Propagator())
}

func get(ctx context.Context, t *testing.T, transport http.RoundTripper, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestDemo(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-demo"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	if !strings.Contains(out.String(), `chain "turn 3"`) || !strings.Contains(out.String(), `feedback {"comment":"short and clear","rating":5}`) {
		t.Error(out.String())
	}
}

// TestServesUntilTheEnd ends with the context and delivers what is open.
func TestServesUntilTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	addr, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0"}, writerFunc(func(p []byte) (int, error) { addr <- string(p); return len(p), nil }), io.Discard)
	}()
	url, _, _ := strings.Cut(strings.TrimPrefix(<-addr, "serving on "), " ")
	if _, err := post(ctx, url+"/chat", request{Message: "hi"}); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"-addr", "nowhere:99999"}, io.Discard, io.Discard); err == nil {
		t.Error("a bad address gives no error")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
