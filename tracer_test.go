package sessionspan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/await"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestConfiguration lists what options and environment lead to.
func TestConfiguration(t *testing.T) {
	const local = "http://127.0.0.1:9"
	type env = map[string]string
	type options = []sessionspan.Option
	for _, tc := range []struct {
		name         string
		env          env
		options      options
		destinations string // names of the destinations
		problems     []string
	}{
		{name: "nothing"},
		{name: "key", env: env{"HH_API_KEY": "k", "HH_PROJECT": "p"}, destinations: "http api.honeyhive.ai"},
		{name: "key with spaces around", env: env{"HH_API_KEY": " k\n", "HH_PROJECT": "p"}, destinations: "http api.honeyhive.ai"},
		{name: "key and URL", env: env{"HH_API_KEY": "k", "HH_API_URL": local + "/base/", "HH_PROJECT": "p"}, destinations: "http 127.0.0.1:9"},
		{name: "loopback without a key", env: env{"HH_API_URL": "http://localhost:9"}, options: options{sessionspan.WithProject("p")}, destinations: "http localhost:9"},
		{name: "IPv6 loopback", env: env{"HH_API_URL": "http://[::1]:9", "HH_PROJECT": "p"}, destinations: "http [::1]:9"},
		{name: "URL without a key", env: env{"HH_API_URL": "https://example.com", "HH_PROJECT": "p"}, problems: []string{"a key is needed"}},
		{name: "no project", env: env{"HH_API_KEY": "k"}, problems: []string{"no project is named"}},
		{name: "plain http", env: env{"HH_API_KEY": "k", "HH_API_URL": "http://example.com", "HH_PROJECT": "p"}, problems: []string{"use https"}},
		{name: "not loopback after all", env: env{"HH_API_KEY": "k", "HH_API_URL": "http://127.0.0.1.example.com", "HH_PROJECT": "p"}, problems: []string{"use https"}},
		{
			name:         "insecure on purpose",
			options:      options{sessionspan.WithProject("p"), sessionspan.WithHTTP(exporter.HTTPConfig{URL: "http://example.com", Key: "k", Insecure: true})},
			destinations: "http example.com",
		},
		{name: "no URL", env: env{"HH_API_KEY": "k", "HH_API_URL": "example.com", "HH_PROJECT": "p"}, problems: []string{"must begin with https:// or http://"}},
		{name: "password in the URL", env: env{"HH_API_KEY": "k", "HH_API_URL": "https://u:secret@example.com", "HH_PROJECT": "p"}, problems: []string{"must not hold a user or password"}},
		{name: "key that no header can carry", env: env{"HH_API_KEY": "a\nb", "HH_PROJECT": "p"}, problems: []string{"characters that no header can carry"}},
		{name: "options win", env: env{"HH_API_KEY": "k", "HH_API_URL": "http://bad.example"}, options: options{sessionspan.WithAPIURL(local), sessionspan.WithProject("p")}, destinations: "http 127.0.0.1:9"},
		{name: "key by option", options: options{sessionspan.WithAPIKey("k"), sessionspan.WithProject("p")}, destinations: "http api.honeyhive.ai"},
		{name: "without environment", env: env{"HH_API_KEY": "k", "OTEL_EXPORTER_OTLP_ENDPOINT": local, "OTEL_SDK_DISABLED": "true"}, options: options{sessionspan.WithoutEnvironment(), sessionspan.WithWriter(io.Discard)}, destinations: "lines"},
		{name: "collector", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, destinations: "otlp collector:4318"},
		{name: "collector of traces", env: env{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": local + "/v1/traces"}, destinations: "otlp 127.0.0.1:9"},
		{name: "collector by name", env: env{"OTEL_TRACES_EXPORTER": "otlp"}, destinations: "otlp localhost:4318"},
		{name: "no traces", env: env{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": local}},
		{name: "console", env: env{"OTEL_TRACES_EXPORTER": "console,otlp"}, destinations: "otlp localhost:4318 lines"},
		{name: "unknown exporter", env: env{"OTEL_TRACES_EXPORTER": "zipkin"}, problems: []string{`"zipkin" is none of`}},
		{name: "grpc", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": local, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, problems: []string{"grpc"}},
		{name: "missing certificate", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": local, "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere"}, problems: []string{"OTEL_EXPORTER_OTLP_CERTIFICATE"}},
		{name: "both", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": local, "HH_API_URL": local, "HH_PROJECT": "p"}, destinations: "http 127.0.0.1:9 otlp 127.0.0.1:9"},
		{name: "own provider", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": local}, options: options{sessionspan.WithTracerProvider(sdktrace.NewTracerProvider())}},
		{name: "own provider with a collector", options: options{sessionspan.WithTracerProvider(sdktrace.NewTracerProvider()), sessionspan.WithOTLP(exporter.OTLPConfig{URL: local})}, destinations: "otlp 127.0.0.1:9"},
		{name: "foreign provider", options: options{sessionspan.WithTracerProvider(noop.NewTracerProvider())}, problems: []string{"no method RegisterSpanProcessor"}},
		{name: "unknown sampler", env: env{"OTEL_TRACES_SAMPLER": "often", "OTEL_EXPORTER_OTLP_ENDPOINT": local}, problems: []string{`"often" is not known`}},
		{name: "URL without a scheme", options: options{sessionspan.WithHTTP(exporter.HTTPConfig{URL: "127.0.0.1:4318", Key: "k"}), sessionspan.WithProject("p")}, problems: []string{"write http://127.0.0.1:4318"}},
		{name: "sampler out of range", env: env{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1.5", "OTEL_EXPORTER_OTLP_ENDPOINT": local}, problems: []string{"no number from 0 to 1"}},
		{name: "disabled", env: env{"OTEL_SDK_DISABLED": "TRUE", "HH_API_KEY": "k"}},
		{name: "nil options", options: options{nil, sessionspan.WithWriter(io.Discard), sessionspan.WithTracerProvider(nil), sessionspan.WithDestination(nil), sessionspan.WithRedactor(nil)}, destinations: "lines"},
		{name: "nil writer and exporter", options: options{sessionspan.WithWriter(nil), sessionspan.WithSpanExporter(nil)}, problems: []string{"the writer is nil", "wrap exporter: it is nil"}},
		{name: "option of another call", options: options{sessionspan.WithWriter(io.Discard), sessionspan.WithInputs(1), sessionspan.WithSessionID("x")}, problems: []string{"WithInputs is for sessions", "WithSessionID is for sessions"}},
		{
			name: "all problems at once", env: env{"HH_API_KEY": "k", "HH_API_URL": "ftp://x", "OTEL_TRACES_SAMPLER": "often", "OTEL_EXPORTER_OTLP_ENDPOINT": ":"},
			problems: []string{"must begin with https:// or http://", "is not known", "the URL cannot be read", "no project is named"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			var reports errorList
			tracer, err := sessionspan.New(append(tc.options, sessionspan.WithErrorHandler(reports.add))...)
			if len(tc.problems) > 0 {
				if err == nil {
					t.Fatal("no error")
				}
				for _, p := range tc.problems {
					if !strings.Contains(err.Error(), p) {
						t.Errorf("error %q does not say %q", err, p)
					}
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the error shows a password: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range tracer.Stats() {
				names = append(names, s.Destination)
			}
			if got := strings.Join(names, " "); got != tc.destinations {
				t.Errorf("destinations %q, want %q", got, tc.destinations)
			}
			nowhere := tc.destinations == "" && tc.env["OTEL_SDK_DISABLED"] == "" && tc.name != "own provider"
			if nowhere != strings.Contains(reports.text(), "no destination is configured") {
				t.Errorf("reports %q", reports.text())
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := errors.Join(tracer.ForceFlush(ctx), tracer.Shutdown(ctx), tracer.Shutdown(ctx)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDeliveryByTheEnvironment sets the variables that users of HoneyHive's SDKs
// have set, and nothing else.
func TestDeliveryByTheEnvironment(t *testing.T) {
	server := newAPI(t)
	t.Setenv("HH_API_URL", server.URL)
	t.Setenv("HH_API_KEY", "secret")
	t.Setenv("HH_PROJECT", "Simple RAG Project")
	tracer := newTracer(t)
	ctx, s := tracer.StartSession(t.Context(), "s")
	_, e := tracer.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.End()
	flush(t, tracer)
	var start struct{ Session honeyhive.SessionStartRequest }
	sessions := server.bodies("POST", "/session/start")
	if len(sessions) != 1 {
		t.Fatalf("%d sessions", len(sessions))
	}
	if err := json.Unmarshal([]byte(sessions[0]), &start); err != nil {
		t.Fatal(err)
	}
	if got := start.Session; got.SessionID.Or("") != s.ID() || got.Project.Or("") != "Simple RAG Project" {
		t.Errorf("session %s", sessions[0])
	}
	if events := server.events(t); len(events) != 1 || events[0].EventID.Or("") != e.ID() || events[0].SessionID.Or("") != s.ID() {
		t.Errorf("events %+v", events)
	}
	for _, r := range server.seen() {
		if r.header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s %s: Authorization %q", r.method, r.path, r.header.Get("Authorization"))
		}
	}
}

// TestKeyIsNeverShown looks for a key wherever text comes out.
func TestKeyIsNeverShown(t *testing.T) {
	const key = "hh_CANARY_8f3a"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key {
			t.Error("the key did not arrive")
		}
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	var reports errorList
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithAPIKey(key), sessionspan.WithAPIURL(server.URL),
		sessionspan.WithProject("p"), sessionspan.WithErrorHandler(reports.add))
	if err != nil {
		t.Fatal(err)
	}
	_, s := tracer.StartSession(t.Context(), "s")
	s.End()
	err = await.Until(t, func() bool { return strings.Contains(reports.text(), "status 403") }, func(ctx context.Context) error {
		return errors.Join(tracer.ForceFlush(ctx), tracer.Shutdown(ctx))
	})
	if err == nil {
		t.Errorf("no error, reports %q", reports.text())
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := printed(verb, tracer, tracer.Stats(), err); strings.Contains(text, key) {
			t.Errorf("%s shows the key", verb)
		}
	}
	if strings.Contains(reports.text(), key) {
		t.Error("a report shows the key")
	}
}

func TestNilTracer(t *testing.T) {
	var tracer *sessionspan.Tracer
	//nolint:staticcheck // a nil context is one of the inputs
	ctx, s := tracer.StartSession(nil, "s")
	ctx, e := tracer.StartEvent(ctx, sessionspan.Tool, "e")
	e.SetInputs(1)
	e.End()
	s.End()
	_, c := tracer.ContinueSession(ctx, "x")
	c.SetFeedback("x")
	if err := errors.Join(tracer.Update(ctx, "x"), tracer.ForceFlush(ctx), tracer.Shutdown(ctx)); err != nil {
		t.Error(err)
	}
	if tracer.SpanProcessor() != nil || tracer.Stats() != nil {
		t.Error("a nil tracer has parts")
	}
	tracer.TracerProvider().Tracer("x")
}

// TestNilArguments gives nil to whatever takes a context, a carrier, a handler or
// the like: nothing panics, and a nil context is one without anything.
//
//nolint:staticcheck // nil contexts are what is tested
func TestNilArguments(t *testing.T) {
	p := sessiontest.New(t, sessionspan.WithTracerProvider((*sdktrace.TracerProvider)(nil)))
	p.ExpectReport("was started outside a session")
	tracer := p.Tracer
	ctx, s := tracer.StartSession(nil, "s")
	for name, call := range map[string]func() error{
		"ForceFlush": func() error { return tracer.ForceFlush(nil) },
		"processor":  func() error { return tracer.SpanProcessor().ForceFlush(nil) },
		"Update":     func() error { return tracer.Update(nil, s.ID(), sessionspan.WithFeedback(1)) },
		"StartEvent": func() error { _, e := tracer.StartEvent(nil, sessionspan.Tool, ""); e.End(); return nil },
		"ContinueSession": func() error {
			_, c := tracer.ContinueSession(nil, s.ID())
			c.End()
			return nil
		},
		"context": func() error {
			sessionspan.ContextWithSession(nil, s)
			sessionspan.ContextWithEvent(nil, nil)
			sessionspan.ContextWithTracer(nil, tracer)
			if sessionspan.SessionFromContext(nil) != nil || sessionspan.EventFromContext(nil) != nil {
				return errors.New("a nil context has something")
			}
			return nil
		},
		"propagator": func() error {
			prop, carrier := sessionspan.Propagator(), propagation.MapCarrier{}
			prop.Inject(nil, nil)
			prop.Inject(nil, carrier)
			prop.Inject(ctx, nil)
			sessionspan.Inject(nil, carrier)
			sessionspan.Inject(ctx, nil)
			if len(carrier) > 0 {
				return fmt.Errorf("injected %v", carrier)
			}
			for _, from := range []context.Context{prop.Extract(nil, nil), prop.Extract(nil, carrier), sessionspan.Extract(nil, nil), sessionspan.Extract(nil, carrier)} {
				if from == nil || sessionspan.SessionFromContext(from) != nil {
					return fmt.Errorf("extracted %v", from)
				}
			}
			return nil
		},
		"Handler": func() error {
			w := httptest.NewRecorder()
			sessionspan.Handler(nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			if w.Code != http.StatusNotFound {
				return fmt.Errorf("status %d", w.Code)
			}
			return nil
		},
		"Transport": func() error {
			transport := sessionspan.Transport(nil, "example.com")
			for _, r := range []*http.Request{nil, new(http.Request), new(http.Request).WithContext(ctx)} {
				if response, err := transport.RoundTrip(r); err == nil {
					return errors.Join(errors.New("sent nothing"), response.Body.Close())
				}
			}
			return nil
		},
		"sampler": func() error {
			sampler := sessionspan.SessionSampler(nil)
			if got := sampler.ShouldSample(sdktrace.SamplingParameters{}).Decision; got != sdktrace.RecordAndSample {
				return fmt.Errorf("decision %v", got)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := call(); err != nil {
				t.Error(err)
			}
		})
	}
	s.End()
	if err := tracer.Shutdown(nil); err != nil {
		t.Error(err)
	}
	if err := tracer.SpanProcessor().Shutdown(nil); err != nil {
		t.Error(err)
	}
}

// TestNilHandles calls every method on nil.
func TestNilHandles(t *testing.T) {
	var s *sessionspan.Session
	var e *sessionspan.Event
	s.SetName("x")
	s.SetProject("x")
	s.SetSource("x")
	s.SetInputs(1)
	s.SetOutputs(1)
	s.SetConfig(1)
	s.SetMetadata(1)
	s.SetMetrics(1)
	s.SetFeedback(1)
	s.SetUserProperties(1)
	s.SetError("x")
	s.RecordError(io.EOF)
	s.SetDuration(1)
	s.SetEndTime(time.Now())
	s.AddChildren("x")
	s.SetMessages(sessionspan.Message{})
	s.SetReply(sessionspan.Message{})
	s.SetUsage(sessionspan.Usage{})
	s.End()
	e.SetName("x")
	e.SetInputs(1)
	e.SetOutputs(1)
	e.SetConfig(1)
	e.SetMetadata(1)
	e.SetMetrics(1)
	e.SetFeedback(1)
	e.SetUserProperties(1)
	e.SetError("x")
	e.RecordError(io.EOF)
	e.SetDuration(1)
	e.SetEndTime(time.Now())
	e.AddChildren("x")
	e.SetModel("x", "y")
	e.SetMessages(sessionspan.Message{})
	e.SetReply(sessionspan.Message{})
	e.SetUsage(sessionspan.Usage{})
	e.SetQuery("x")
	e.SetDocuments(sessionspan.Document{})
	e.End()
	if s.ID()+s.EventID()+e.ID() != "" || s.IsRecording() || e.IsRecording() || s.Span().IsRecording() || e.Span().IsRecording() || e.Session() != nil {
		t.Error("a nil handle has something")
	}
	ctx := t.Context()
	if sessionspan.ContextWithSession(ctx, s) != ctx || sessionspan.ContextWithEvent(ctx, e) != ctx || sessionspan.ContextWithTracer(ctx, nil) != ctx {
		t.Error("a nil handle changes the context")
	}
	if sessionspan.SessionFromContext(ctx) != nil || sessionspan.EventFromContext(ctx) != nil {
		t.Error("an empty context has a session")
	}
}

func TestDefaultTracer(t *testing.T) {
	var reports errorList
	otel.SetErrorHandler(otel.ErrorHandlerFunc(reports.add))
	defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	ctx, s := sessionspan.StartSession(t.Context(), "nowhere")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "nowhere")
	e.End()
	s.End()
	_, s = sessionspan.StartSession(t.Context(), "nowhere")
	s.End()
	if n := strings.Count(reports.text(), "call New and SetDefault"); n != 1 {
		t.Errorf("said %d times: %q", n, reports.text())
	}

	p := sessiontest.New(t)
	sessionspan.SetDefault(p.Tracer)
	defer sessionspan.SetDefault(nil)
	if sessionspan.Default() != p.Tracer {
		t.Error("the default is another tracer")
	}
	ctx, s = sessionspan.StartSession(t.Context(), "s")
	if got, err := sessionspan.Do(ctx, sessionspan.Chain, "do", 1, func(_ context.Context, n int) (int, error) { return n + 1, nil }); got != 2 || err != nil {
		t.Errorf("Do = %d, %v", got, err)
	}
	s.End()
	if err := sessionspan.Update(t.Context(), s.ID(), sessionspan.WithFeedback(map[string]any{"ok": true})); err != nil {
		t.Error(err)
	}
	got := p.Session("s")
	got.AssertTree("session s\n  chain do\n")
	got.Event("do").AssertInputs(`{"input":1}`)
	got.Event("do").AssertOutputs(`{"result":2}`)
	if got.Feedback.String() != `{"ok":true}` {
		t.Errorf("feedback %s", got.Feedback)
	}
}

func TestContext(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := sessionspan.StartSession(p.Context(t.Context()), "s")
	if sessionspan.SessionFromContext(ctx) != s || sessionspan.EventFromContext(ctx) != nil {
		t.Error("the context of a session")
	}
	ectx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "e")
	if sessionspan.SessionFromContext(ectx) != s || sessionspan.EventFromContext(ectx) != e || e.Session() != s {
		t.Error("the context of an event")
	}
	fctx, f := p.Tracer.TracerProvider().Tracer("plain").Start(ectx, "f", requestSpan)
	if sessionspan.EventFromContext(fctx) != e {
		t.Error("the context below a span of another tracer")
	}
	_, back := sessionspan.StartEvent(sessionspan.ContextWithSession(fctx, s), sessionspan.Tool, "directly under the session")
	back.End()
	_, elsewhere := sessionspan.StartEvent(sessionspan.ContextWithEvent(context.Background(), e), sessionspan.Tool, "in a context of its own")
	elsewhere.End()
	f.End()
	e.End()
	s.End()
	got := p.Session("s")
	got.AssertTree(`
		session s
		  chain e
		    tool in a context of its own
		  tool directly under the session
	`)
	checkTree(t, got)
}

// TestSessionInsideASession starts a session in the context of another: it is no
// part of it, and linked to it.
func TestSessionInsideASession(t *testing.T) {
	p := sessiontest.New(t)
	octx, outer := p.Tracer.StartSession(t.Context(), "outer")
	ictx, inner := sessionspan.StartSession(octx, "inner")
	_, e := sessionspan.StartEvent(ictx, sessionspan.Tool, "e")
	e.End()
	inner.End()
	outer.End()
	p.Session("outer").AssertTree("session outer\n")
	got := p.Session("inner")
	got.AssertTree("session inner\n  tool e\n")
	if links, ok := got.Metadata.Get("links"); !ok || !strings.Contains(string(links), outer.Span().SpanContext().SpanID().String()) {
		t.Errorf("links %s", links)
	}
	if outer.ID() == inner.ID() || inner.Span().SpanContext().TraceID() != outer.Span().SpanContext().TraceID() {
		t.Error("the inner session must be another one, in the same trace")
	}
}

func TestTraceOfTheRequest(t *testing.T) {
	for _, newTraces := range []bool{false, true} {
		provider := sdktrace.NewTracerProvider()
		options := []sessionspan.Option{sessionspan.WithTracerProvider(provider)}
		if newTraces {
			options = append(options, sessionspan.WithNewTraces())
		}
		p := sessiontest.New(t, options...)
		rctx, request := provider.Tracer("server").Start(t.Context(), "GET /")
		ctx, s := p.Tracer.StartSession(rctx, "s")
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
		e.End()
		s.End()
		request.End()
		if same := s.Span().SpanContext().TraceID() == request.SpanContext().TraceID(); same == newTraces {
			t.Errorf("newTraces %v: same trace %v", newTraces, same)
		}
		got := p.Session("s")
		got.AssertTree("session s\n  tool e\n")
		checkTree(t, got)
		if _, linked := got.Metadata.Get("links"); linked != newTraces {
			t.Errorf("newTraces %v: linked %v", newTraces, linked)
		}
	}
}

// TestProviderStaysTheUsers registers on a provider with an exporter of its own,
// and leaves it as it was.
func TestProviderStaysTheUsers(t *testing.T) {
	recorder := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(recorder))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	global := otel.GetTracerProvider()
	p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
	provider.RegisterSpanProcessor(p.Tracer.SpanProcessor()) // twice is once
	_, s := p.Tracer.StartSession(t.Context(), "s")
	s.SetInputs("x")
	s.End()
	if n := len(p.Sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
	if err := p.Tracer.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	_, after := provider.Tracer("plain").Start(t.Context(), "after")
	after.End()
	_, s = p.Tracer.StartSession(t.Context(), "closed")
	s.SetInputs("x")
	s.End()
	if spans := recorder.GetSpans(); len(spans) != 2 || spans[1].Name != "after" {
		t.Errorf("the provider exported %d spans", len(spans))
	}
	if otel.GetTracerProvider() != global {
		t.Error("the global provider was replaced")
	}
	if stats := p.Tracer.Stats()[0]; stats.Created != 1 || stats.Delivered != 1 {
		t.Errorf("%+v", stats)
	}
}

// stuckProcessor hangs in every call that may take time.
type stuckProcessor struct{ release chan struct{} }

func (stuckProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (stuckProcessor) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (s stuckProcessor) Shutdown(context.Context) error                { <-s.release; return nil }
func (s stuckProcessor) ForceFlush(context.Context) error              { <-s.release; return nil }

func TestProviderWithAStuckProcessor(t *testing.T) {
	stuck := stuckProcessor{make(chan struct{})}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(stuck))
	p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
	_, s := p.Tracer.StartSession(t.Context(), "s")
	s.End()
	flush(t, p.Tracer)
	unregistering := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { close(unregistering); provider.UnregisterSpanProcessor(stuck) }) // holds the provider's lock
	<-unregistering
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_ = p.Tracer.Shutdown(ctx) // returns, whether it got the lock or not
	if s := p.Tracer.Stats()[0]; s.Delivered != 1 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	close(stuck.release)
	wg.Wait()
}

// TestShutdownThatRunsOutOfTime blames nothing but the destination when it uses
// up the context, and leaves the provider and no goroutine behind.
func TestShutdownThatRunsOutOfTime(t *testing.T) {
	for name, options := range map[string][]sessionspan.Option{
		"own provider":     nil,
		"foreign provider": {sessionspan.WithTracerProvider(sdktrace.NewTracerProvider())},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				tracer, err := sessionspan.New(append(options, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"),
					sessionspan.WithAPIURL("http://127.0.0.1:1"), sessionspan.WithErrorHandler(nil))...)
				if err != nil {
					t.Fatal(err)
				}
				_, s := tracer.StartSession(t.Context(), "s")
				s.End()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
				err = tracer.Shutdown(ctx)
				cancel()
				if err == nil || strings.Contains(err.Error(), "provider") {
					t.Fatalf("error %v", err)
				}
				if n := strings.Count(err.Error(), "were left"); n != 1 {
					t.Fatalf("said %d times: %v", n, err)
				}
				if _, span := tracer.TracerProvider().Tracer("x").Start(t.Context(), "x"); name == "own provider" && span.IsRecording() {
					t.Fatal("the provider that New made runs on")
				}
				goleak.VerifyNone(t, goleak.IgnoreCurrent())
			}
		})
	}
}

// TestShutdownOfAStuckProvider says so where the provider is really stuck.
func TestShutdownOfAStuckProvider(t *testing.T) {
	stuck := &stuckRegistrar{TracerProvider: sdktrace.NewTracerProvider(), release: make(chan struct{}), left: make(chan struct{})}
	tracer, err := sessionspan.New(sessionspan.WithTracerProvider(stuck), sessionspan.WithWriter(io.Discard), sessionspan.WithoutEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tracer.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "did not let go of the span processor") {
		t.Errorf("error %v", err)
	}
	close(stuck.release)
	<-stuck.left
}

// stuckRegistrar is a provider that does not let go of its processors.
type stuckRegistrar struct {
	*sdktrace.TracerProvider
	release, left chan struct{}
}

func (s *stuckRegistrar) UnregisterSpanProcessor(p sdktrace.SpanProcessor) {
	<-s.release
	s.TracerProvider.UnregisterSpanProcessor(p)
	close(s.left)
}

func TestProviderShutsDownFirst(t *testing.T) {
	provider := sdktrace.NewTracerProvider()
	p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
	_, s := p.Tracer.StartSession(t.Context(), "s")
	s.End()
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if s := p.Tracer.Stats()[0]; s.Delivered != 1 {
		t.Errorf("%+v", s)
	}
}

// TestLimitsOfTheProvider cuts attributes by every limit that a provider has: the
// payload is whole, and it is said once.
func TestLimitsOfTheProvider(t *testing.T) {
	long := strings.Repeat("long ", 1000)
	for name, limits := range map[string]sdktrace.SpanLimits{
		"length": {AttributeValueLengthLimit: 10, AttributeCountLimit: 128, EventCountLimit: 128, LinkCountLimit: 128, AttributePerEventCountLimit: 128, AttributePerLinkCountLimit: 128},
		"count":  {AttributeValueLengthLimit: -1, AttributeCountLimit: 3, EventCountLimit: 128, LinkCountLimit: 128, AttributePerEventCountLimit: 128, AttributePerLinkCountLimit: 128},
		"none":   {AttributeValueLengthLimit: -1, AttributeCountLimit: 0},
	} {
		t.Run(name, func(t *testing.T) {
			provider := sdktrace.NewTracerProvider(sdktrace.WithRawSpanLimits(limits))
			p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
			ctx, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{"text": long}))
			for range 3 {
				ectx, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e", sessionspan.WithModel("openai", "gpt"))
				e.SetMessages(sessionspan.Message{Role: "user", Content: long})
				_, f := provider.Tracer("plain").Start(ectx, "f", genAISpan)
				f.End()
				e.RecordError(errors.New(long))
				e.End()
			}
			s.SetOutputs(map[string]any{"text": long})
			s.SetError(long)
			s.End()
			got := p.Session("s")
			checkTree(t, got)
			want := `{"text":"` + long + `"}`
			got.AssertInputs(want)
			got.AssertOutputs(want)
			if got.Error.Or("") != long || len(got.Events) != 3 {
				t.Errorf("error %.20q…, %d events", got.Error.Or(""), len(got.Events))
			}
			for _, e := range got.Events {
				e.AssertInputs(`{"chat_history":[{"role":"user","content":"` + long + `"}]}`)
				if e.Error.Or("") != long || e.Config.String() != `{"provider":"openai","model":"gpt"}` || e.EventType.Or("") != "model" {
					t.Errorf("event %s %s", e.Config, e.EventType.Or(""))
				}
				if wantChildren := 1; name == "length" && len(e.Children) != wantChildren {
					t.Errorf("%d children", len(e.Children))
				}
			}
			n := 0
			for _, err := range p.Reports() {
				if strings.Contains(err.Error(), "span limits") {
					n++
				}
			}
			if n != 1 {
				t.Errorf("said %d times: %v", n, p.Reports())
			}
		})
	}
}

func TestContentOffSpans(t *testing.T) {
	recorder := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(recorder))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	p := sessiontest.New(t, sessionspan.WithTracerProvider(provider), sessionspan.WithContentOffSpans())
	ctx, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithInputs("CANARY"))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e", sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: "CANARY"}))
	e.SetReply(sessionspan.Message{Content: "CANARY"})
	e.SetDocuments(sessionspan.Document{Content: "CANARY"})
	e.SetQuery("CANARY")
	for _, key := range []attribute.Key{"gen_ai.system_instructions", "gen_ai.tool.definitions", "gen_ai.output.messages"} {
		e.SetAttributes(key.String(`["CANARY"]`))
	}
	e.SetAttributes(attribute.Int("gen_ai.request.seed", 7))
	if !e.ExportsSpan() {
		t.Error("nobody reads the span, says ExportsSpan")
	}
	e.End()
	e.SetAttributes(attribute.Int("gen_ai.request.seed", 8))
	s.End()
	for _, span := range recorder.GetSpans().Snapshots() {
		if span.Name() == "e" && !slices.Contains(span.Attributes(), attribute.Int("gen_ai.request.seed", 7)) {
			t.Errorf("attributes %v", span.Attributes())
		}
	}
	if text := printed("%+v", recorder.GetSpans().Snapshots(), recorder.GetSpans()); strings.Contains(text, "CANARY") {
		t.Error("content is on the spans")
	}
	got := p.Session("s")
	got.AssertInputs(`{"input":"CANARY"}`)
	if n := strings.Count(got.Event("e").Inputs.String()+got.Event("e").Outputs.String(), "CANARY"); n != 4 {
		t.Errorf("%d of 4 contents in the payload", n)
	}
	if len(p.Reports()) > 0 {
		t.Errorf("reports %v", p.Reports())
	}
}

func TestSpanFilter(t *testing.T) {
	calls := 0
	p := sessiontest.New(t, sessionspan.WithSpanFilter(func(name string, _ []attribute.KeyValue) bool {
		if calls++; name == "panic" {
			panic("filter")
		}
		return strings.HasPrefix(name, "db")
	}))
	p.ExpectReport("span filter: panic")
	plain := p.Tracer.TracerProvider().Tracer("plain")
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	for _, name := range []string{"db query", "panic", "http"} {
		_, span := plain.Start(ctx, name, genAISpan)
		span.End()
	}
	s.End()
	p.Session("s").AssertTree("session s\n  model db query\n")
	if calls < 3 {
		t.Errorf("%d calls", calls)
	}
}

func TestOutsideASession(t *testing.T) {
	recorder := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(recorder))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
	for range 3 {
		_, e := p.Tracer.StartEvent(t.Context(), sessionspan.Tool, "e", sessionspan.WithInputs("x"))
		e.End()
		e.SetFeedback("too late")
	}
	if spans := recorder.GetSpans(); len(spans) != 3 {
		t.Errorf("%d spans", len(spans))
	}
	said := 0
	for _, err := range p.Reports() {
		if strings.Contains(err.Error(), `"e" was started outside a session`) {
			said++
		}
	}
	if said != 1 || len(p.Sessions())+len(p.Orphans()) != 0 {
		t.Errorf("said %d times, %d sessions, %d orphans", said, len(p.Sessions()), len(p.Orphans()))
	}
}
