package sessionspan_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// fromElsewhere returns a context in a session that another process holds, at
// the event seedChild.
func fromElsewhere(ctx context.Context) context.Context {
	return sessionspan.Extract(ctx, propagation.MapCarrier{
		"baggage": "honeyhive.session_id=" + seedSession + ",honeyhive.parent_id=" + seedChild})
}

// serve passes a request of that session to f, by way of Handler.
func serve(t *testing.T, f func(ctx context.Context)) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("baggage", "honeyhive.session_id="+seedSession+",honeyhive.parent_id="+seedChild)
	sessionspan.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		f(r.Context())
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// TestFanOutInARequest uses the session of one request from many goroutines,
// none of which has started an event before: with our functions, with a foreign
// tracer, and with the session itself. It is for the race detector.
func TestFanOutInARequest(t *testing.T) {
	p := sessiontest.New(t)
	sessionspan.SetDefault(p.Tracer)
	defer sessionspan.SetDefault(nil)
	foreign := p.Tracer.TracerProvider().Tracer("foreign")
	const rounds, each = 20, 3
	for range rounds {
		serve(t, func(ctx context.Context) {
			var wg sync.WaitGroup
			for range each {
				wg.Go(func() {
					ectx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "outer")
					_, inner := sessionspan.StartEvent(ectx, sessionspan.Tool, "inner")
					inner.End()
					e.End()
				})
				wg.Go(func() {
					fctx, span := foreign.Start(ctx, "foreign", genAISpan)
					_, e := sessionspan.StartEvent(fctx, sessionspan.Tool, "under the foreign one")
					e.End()
					span.End()
				})
				wg.Go(func() { sessionspan.SessionFromContext(ctx).SetMetrics(map[string]any{"m": 1}) })
				wg.Go(func() { sessionspan.Inject(ctx, propagation.MapCarrier{}) })
			}
			wg.Wait()
		})
	}
	orphans := p.Orphans()
	if len(orphans) != 2*each*rounds {
		t.Fatalf("%d events directly under the one of the request, want %d", len(orphans), 2*each*rounds)
	}
	for _, o := range orphans {
		if o.SessionID.Or("") != seedSession || o.ParentID.Or("") != seedChild || o.Project.Or("") != "test" || len(o.Children) != 1 {
			t.Errorf("%+v", o)
		}
	}
	if reports := p.Reports(); len(reports) != 0 {
		t.Errorf("reports %v", reports)
	}
}

// TestTracersOfARequest uses the session of a request with two tracers: each
// records what is its own, with its own project.
func TestTracersOfARequest(t *testing.T) {
	a, b := sessiontest.New(t, sessionspan.WithProject("a")), sessiontest.New(t, sessionspan.WithProject("b"))
	ctx := fromElsewhere(t.Context())
	for _, p := range []*sessiontest.Pipeline{a, b} {
		pctx := p.Context(ctx)
		_, e := sessionspan.StartEvent(pctx, sessionspan.Tool, "e")
		e.End()
		_, span := p.Tracer.TracerProvider().Tracer("foreign").Start(pctx, "f", genAISpan)
		span.End()
		if s := sessionspan.SessionFromContext(pctx); s != e.Session() || s.ID() != seedSession || !s.IsRecording() {
			t.Error("not the session of the event")
		}
		if _, s := sessionspan.ContinueSession(pctx, seedSession); s != e.Session() {
			t.Error("continued, though the context is in it")
		}
	}
	for p, project := range map[*sessiontest.Pipeline]string{a: "a", b: "b"} {
		orphans := p.Orphans()
		if len(orphans) != 2 {
			t.Fatalf("%d events in %s, want 2", len(orphans), project)
		}
		for _, o := range orphans {
			if o.Project.Or("") != project || o.ParentID.Or("") != seedChild {
				t.Errorf("%+v", o.Event)
			}
		}
	}
}

// TestSessionOfARequest sets something on the session of a request before
// anything else is done in it: it goes where the tracer of the context delivers.
func TestSessionOfARequest(t *testing.T) {
	for name, elsewhere := range map[string]bool{"no default": false, "another default": true} {
		t.Run(name, func(t *testing.T) {
			server := newAPI(t)
			tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithAPIURL(server.URL), sessionspan.WithProject("p"))
			other := sessiontest.New(t)
			if elsewhere {
				sessionspan.SetDefault(other.Tracer)
				defer sessionspan.SetDefault(nil)
			}
			serve(t, func(ctx context.Context) {
				if elsewhere { // a handler further out looks at it with the default
					_ = sessionspan.SessionFromContext(ctx).IsRecording()
				}
				ctx = sessionspan.ContextWithTracer(ctx, tracer)
				s := sessionspan.SessionFromContext(ctx)
				if !s.IsRecording() {
					t.Error("not recorded")
				}
				s.SetFeedback(map[string]any{"rating": 1})
			})
			flush(t, tracer)
			want := `{"event_id":"` + seedSession + `","feedback":{"rating":1}}`
			if puts := server.bodies("PUT", "/events"); len(puts) != 1 || puts[0] != want {
				t.Errorf("updates %q", puts)
			}
		})
	}
}

// TestSessionOfARequestWithoutTracer loses what is set, and says so once.
func TestSessionOfARequestWithoutTracer(t *testing.T) {
	var reports errorList
	otel.SetErrorHandler(otel.ErrorHandlerFunc(reports.add))
	defer otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	sessionspan.ForgetDefault()
	defer sessionspan.ForgetDefault()
	serve(t, func(ctx context.Context) {
		s := sessionspan.SessionFromContext(ctx)
		if s.ID() != seedSession || s.IsRecording() {
			t.Errorf("%v records", s)
		}
		if text := reports.text(); text != "" {
			t.Errorf("reported though nothing was set: %s", text)
		}
		s.SetFeedback(map[string]any{"rating": 1})
		s.SetError("x")
		s.AddChildren(seedChild)
	})
	if n := strings.Count(reports.text(), "call New and SetDefault"); n != 1 {
		t.Errorf("said %d times: %q", n, reports.text())
	}
	// What is unsampled elsewhere is dropped on purpose.
	sessionspan.ForgetDefault()
	ctx := sessionspan.Extract(t.Context(), propagation.MapCarrier{"baggage": "honeyhive.session_id=" + seedSession + ",honeyhive.session_sampled=0"}, sessionspan.WithTrustedCallers())
	sessionspan.SessionFromContext(ctx).SetFeedback(1)
	if n := strings.Count(reports.text(), "call New and SetDefault"); n != 1 {
		t.Errorf("said %d times: %q", n, reports.text())
	}
}
