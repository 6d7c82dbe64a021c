package sessionspan_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestAcrossServices continues a session in another service over HTTP, and
// watches what other hosts are sent.
func TestAcrossServices(t *testing.T) {
	front, back := sessiontest.New(t), sessiontest.New(t)
	var inside http.Header
	service := httptest.NewServer(sessionspan.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inside = r.Header.Clone()
		ctx := back.Context(r.Context())
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "in the back")
		e.End()
		sessionspan.SessionFromContext(ctx).SetMetrics(map[string]any{"from": "the back"})
	})))
	defer service.Close()
	var outside []http.Header
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { outside = append(outside, r.Header.Clone()) }))
	defer other.Close()
	redirect := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer redirect.Close()

	host := strings.TrimPrefix(service.URL, "http://")
	client := &http.Client{Transport: sessionspan.Transport(nil, host, strings.TrimPrefix(redirect.URL, "http://"))}
	defer client.CloseIdleConnections()
	ctx, s := front.Tracer.StartSession(t.Context(), "s")
	ectx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "call")
	for _, url := range []string{service.URL, other.URL, redirect.URL} {
		req, err := http.NewRequestWithContext(ectx, http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("baggage", "tenant=acme")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if len(req.Header) != 1 {
			t.Errorf("the request of the caller was changed: %v", req.Header)
		}
	}
	e.End()
	s.End()
	if inside.Get("baggage") != "tenant=acme,honeyhive.session_id="+s.ID()+",honeyhive.parent_id="+e.ID() || !strings.Contains(inside.Get("traceparent"), e.Span().SpanContext().TraceID().String()) {
		t.Errorf("the service got %v", inside)
	}
	if len(outside) != 2 {
		t.Fatalf("%d requests to the other host", len(outside))
	}
	for _, h := range outside {
		if h.Get("baggage") != "tenant=acme" || h.Get("traceparent") != "" {
			t.Errorf("another host got %v", h)
		}
	}
	orphans := back.Orphans()
	if len(orphans) != 1 || orphans[0].ParentID.Or("") != e.ID() || orphans[0].SessionID.Or("") != s.ID() {
		t.Errorf("in the back: %+v", orphans)
	}
	front.Session("s").AssertTree("session s\n  chain call\n")
}

func TestTransportHosts(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	defer s.End()
	for _, tc := range []struct {
		hosts []string
		url   string
		sent  bool
	}{
		{nil, "http://rag.internal/", false},
		{[]string{""}, "http://rag.internal/", false},
		{[]string{"rag.internal"}, "http://rag.internal/", true},
		{[]string{"rag.internal"}, "http://RAG.internal:8080/", true},
		{[]string{"Rag.Internal"}, "https://rag.internal./", true},
		{[]string{"rag.internal"}, "http://evil-rag.internal/", false},
		{[]string{"rag.internal"}, "http://rag.internal.evil.com/", false},
		{[]string{"rag.internal:8080"}, "http://rag.internal:8080/", true},
		{[]string{"rag.internal:8080"}, "http://rag.internal:9090/", false},
		{[]string{"rag.internal:8080"}, "http://rag.internal/", false},
		{[]string{"*.svc.local"}, "http://a.svc.local/", true},
		{[]string{"*.svc.local"}, "http://a.b.svc.local:1/", true},
		{[]string{"*.svc.local"}, "http://svc.local/", false},
		{[]string{"*.svc.local"}, "http://evilsvc.local/", false},
		{[]string{"127.0.0.1"}, "http://127.0.0.1:1/", true},
		{[]string{"::1"}, "http://[::1]:1/", true},
		{[]string{"rag.internal"}, "http://rag.internal@evil.com/", false},
	} {
		var got http.Header
		transport := sessionspan.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
			got = r.Header
			return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
		}), tc.hosts...)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, tc.url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if sent := got.Get("baggage") != ""; sent != tc.sent {
			t.Errorf("%q, %s: sent %v", tc.hosts, tc.url, sent)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestExtract reads the members of this library and of HoneyHive's Python
// tracer, and everything that must not be believed.
func TestExtract(t *testing.T) {
	const id, parent = seedSession, seedChild
	for name, tc := range map[string]struct {
		headers         []string
		session, parent string
		left            string // in OpenTelemetry's baggage
	}{
		"nothing":            {nil, "", "", ""},
		"ours":               {[]string{"honeyhive.session_id=" + id + ",honeyhive.parent_id=" + parent}, id, parent, ""},
		"session alone":      {[]string{"honeyhive.session_id=" + id}, id, id, ""},
		"python":             {[]string{"session_id=" + id + ", parent_id=" + parent + ",project=p,source=s,session_name=n,run_id=r,other=1"}, id, parent, "other=1 run_id=r"},
		"python underscore":  {[]string{"honeyhive_session_id=" + id}, id, id, ""},
		"ours before python": {[]string{"session_id=" + parent + ",honeyhive.session_id=" + id}, id, id, ""},
		"two headers":        {[]string{"other=1", "honeyhive.session_id=" + id}, id, id, "other=1"},
		"properties":         {[]string{"honeyhive.session_id=" + id + ";ttl=1"}, id, id, ""},
		"encoded":            {[]string{"honeyhive.session_id=" + strings.ReplaceAll(id, "-", "%2D")}, id, id, ""},
		"twice":              {[]string{"honeyhive.session_id=" + id + ",honeyhive.session_id=" + parent}, id, id, ""},
		"parent is session":  {[]string{"honeyhive.session_id=" + id + ",honeyhive.parent_id=" + id}, id, id, ""},
		"others' own":        {[]string{"project=mine,source=tap,session_id=cookie-123"}, "", "", "project=mine session_id=cookie-123 source=tap"},
		"no UUID":            {[]string{"honeyhive.session_id=../../etc"}, "", "", ""},
		"nil UUID":           {[]string{"honeyhive.session_id=00000000-0000-0000-0000-000000000000"}, "", "", ""},
		"span id as parent":  {[]string{"honeyhive.session_id=" + id + ",honeyhive.parent_id=00f067aa0ba902b7"}, id, id, ""},
		"10 KB":              {[]string{"x=" + strings.Repeat("y", 10_000) + ",honeyhive.session_id=" + id}, "", "", ""},
		"many members":       {[]string{strings.Repeat("a=1,", 64) + "honeyhive.session_id=" + id}, "", "", "a=1"},
		"control characters": {[]string{"honeyhive.session_id=%0d%0aX-Evil:1"}, "", "", ""},
		"invalid escape":     {[]string{"honeyhive.session_id=%zz"}, "", "", ""},
		"junk":               {[]string{"=,;,==,a,honeyhive.session_id,\x00"}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			for _, h := range tc.headers {
				header.Add("baggage", h)
			}
			composite := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}, sessionspan.Propagator())
			ctx := composite.Extract(t.Context(), propagation.HeaderCarrier(header))
			p := sessiontest.New(t)
			s := sessionspan.SessionFromContext(ctx)
			if s.ID() != tc.session {
				t.Errorf("session %q, want %q", s.ID(), tc.session)
			}
			var left []string
			for _, m := range baggage.FromContext(ctx).Members() {
				left = append(left, m.Key()+"="+m.Value())
			}
			sortStrings(left)
			if got := strings.Join(left, " "); got != tc.left {
				t.Errorf("left in the baggage: %q, want %q", got, tc.left)
			}
			if tc.session == "" {
				return
			}
			_, e := sessionspan.StartEvent(p.Context(ctx), sessionspan.Tool, "e")
			e.End()
			orphans := p.Orphans()
			if len(orphans) != 1 || orphans[0].ParentID.Or("") != tc.parent || orphans[0].Project.Or("") != "test" || orphans[0].Source.Or("") != "test" {
				t.Errorf("%+v", orphans)
			}
		})
	}
}

func sortStrings(list []string) {
	for i := range list {
		for j := i; j > 0 && list[j] < list[j-1]; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

// TestInject writes the identity beside other members, within the limits of the
// specification, whole or not at all.
func TestInject(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	ctx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "e")
	session, parent := "honeyhive.session_id="+s.ID(), "honeyhive.parent_id="+e.ID()
	for name, tc := range map[string]struct{ before, after string }{
		"alone":              {"", session + "," + parent},
		"beside others":      {"a=1;x=y, b=2", "a=1;x=y,b=2," + session + "," + parent},
		"replaces stale":     {"honeyhive.session_id=" + seedSession + ",a=1,honeyhive.parent_id=" + seedChild, "a=1," + session + "," + parent},
		"room for one":       {strings.TrimSuffix(strings.Repeat("a=1,", 63), ","), strings.Repeat("a=1,", 63) + session},
		"no room for any":    {strings.TrimSuffix(strings.Repeat("a=1,", 64), ","), strings.TrimSuffix(strings.Repeat("a=1,", 64), ",")},
		"no room for a byte": {"a=" + strings.Repeat("x", 8170), "a=" + strings.Repeat("x", 8170)},
	} {
		carrier := propagation.MapCarrier{"baggage": tc.before}
		sessionspan.Inject(ctx, carrier)
		if carrier["baggage"] != tc.after {
			t.Errorf("%s: %.200q, want %.200q", name, carrier["baggage"], tc.after)
		}
		if carrier["traceparent"] == "" {
			t.Errorf("%s: no traceparent", name)
		}
	}
	// The propagator writes nothing where nobody allowed it.
	carrier := propagation.MapCarrier{}
	sessionspan.Propagator().Inject(ctx, carrier)
	if len(carrier) != 0 || len(sessionspan.Propagator().Fields()) != 1 {
		t.Errorf("the propagator wrote %v", carrier)
	}
	outside := propagation.MapCarrier{}
	sessionspan.Inject(context.Background(), outside)
	if len(outside) != 0 {
		t.Errorf("outside a session %v was written", outside)
	}
	sessionspan.Inject(ctx, nil)
	if sessionspan.Extract(ctx, nil) != ctx {
		t.Error("a nil carrier changes the context")
	}
	e.End()
	s.End()
}

// TestUnrecordedSessionTravels passes the identity on in programs that record
// nothing, and says so where the session is not sampled.
func TestUnrecordedSessionTravels(t *testing.T) {
	disabled, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, s := disabled.StartSession(t.Context(), "s")
	ctx, _ = sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	carrier := propagation.MapCarrier{}
	sessionspan.Inject(ctx, carrier)
	if want := "honeyhive.session_id=" + s.ID(); carrier["baggage"] != want {
		t.Errorf("%q, want %q", carrier["baggage"], want)
	}
	// Through a service that records nothing the parent stays.
	through := propagation.MapCarrier{"baggage": "honeyhive.session_id=" + seedSession + ",honeyhive.parent_id=" + seedChild}
	rctx, _ := disabled.StartEvent(sessionspan.Extract(t.Context(), through), sessionspan.Tool, "e")
	onward := propagation.MapCarrier{}
	sessionspan.Inject(rctx, onward)
	if onward["baggage"] != through["baggage"] {
		t.Errorf("%q became %q", through["baggage"], onward["baggage"])
	}
}

func TestUnsampledSessionTravels(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	tracer := newTracer(t, sessionspan.WithWriter(io.Discard), sessionspan.WithErrorHandler(nil))
	ctx, s := tracer.StartSession(t.Context(), "s")
	carrier := propagation.MapCarrier{}
	sessionspan.Inject(ctx, carrier)
	if want := "honeyhive.session_id=" + s.ID() + ",honeyhive.session_sampled=0"; carrier["baggage"] != want {
		t.Errorf("%q, want %q", carrier["baggage"], want)
	}
	other := sessiontest.New(t) // samples everything itself
	rctx, e := sessionspan.StartEvent(sessionspan.Extract(other.Context(t.Context()), carrier, sessionspan.WithTrustedCallers()), sessionspan.Tool, "e")
	e.End()
	if e.IsRecording() || len(other.Orphans()) != 0 {
		t.Error("an event of a session that is not sampled was recorded")
	}
	onward := propagation.MapCarrier{}
	sessionspan.Inject(rctx, onward)
	if onward["baggage"] != carrier["baggage"] {
		t.Errorf("%q became %q", carrier["baggage"], onward["baggage"])
	}
}

// TestCallersDecideNothing marks an inbound session as not recorded, by every way
// in: that counts where callers are trusted alone, and is passed on there alone.
func TestCallersDecideNothing(t *testing.T) {
	const named, marked = "honeyhive.session_id=" + seedSession, "honeyhive.session_id=" + seedSession + ",honeyhive.session_sampled=0"
	byHandler := func(options ...sessionspan.ExtractOption) func(context.Context) context.Context {
		return func(ctx context.Context) (inside context.Context) {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			r.Header.Set("baggage", marked)
			sessionspan.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = r.Context() }), options...).
				ServeHTTP(httptest.NewRecorder(), r)
			return inside
		}
	}
	byExtract := func(options ...sessionspan.ExtractOption) func(context.Context) context.Context {
		return func(ctx context.Context) context.Context {
			return sessionspan.Extract(ctx, propagation.MapCarrier{"baggage": marked}, options...)
		}
	}
	byPropagator := func(options ...sessionspan.ExtractOption) func(context.Context) context.Context {
		return func(ctx context.Context) context.Context {
			return propagation.NewCompositeTextMapPropagator(propagation.Baggage{}, sessionspan.Propagator(options...)).
				Extract(ctx, propagation.HeaderCarrier(http.Header{"Baggage": {marked}}))
		}
	}
	for name, tc := range map[string]struct {
		enter   func(context.Context) context.Context
		trusted bool
	}{
		"handler":            {byHandler(), false},
		"extract":            {byExtract(), false},
		"propagator":         {byPropagator(), false},
		"zero option":        {byHandler(sessionspan.ExtractOption{}), false},
		"trusted handler":    {byHandler(sessionspan.WithTrustedCallers()), true},
		"trusted extract":    {byExtract(sessionspan.WithTrustedCallers()), true},
		"trusted propagator": {byPropagator(sessionspan.WithTrustedCallers()), true},
	} {
		t.Run(name, func(t *testing.T) {
			p := sessiontest.New(t)
			ctx := tc.enter(p.Context(t.Context()))
			onward := propagation.MapCarrier{}
			sessionspan.Inject(ctx, onward)
			want := map[bool]string{false: named, true: marked}[tc.trusted]
			if onward["baggage"] != want {
				t.Errorf("passed on %q, want %q", onward["baggage"], want)
			}
			_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
			if e.IsRecording() == tc.trusted {
				t.Errorf("recording: %v", e.IsRecording())
			}
			e.End()
			_, plain := p.Tracer.TracerProvider().Tracer("plain").Start(ctx, "plain", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat")))
			plain.End()
			if n := len(p.Orphans()); n != map[bool]int{false: 2, true: 0}[tc.trusted] {
				t.Errorf("%d events were recorded", n)
			}
		})
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("honeyhive.session_id="+seedSession+",honeyhive.parent_id="+seedChild, "a=1")
	f.Add("session_id=%", ";;,=")
	f.Fuzz(func(t *testing.T, a, b string) {
		header := http.Header{"Baggage": {a, b}}
		ctx := sessionspan.Extract(context.Background(), propagation.HeaderCarrier(header))
		s := sessionspan.SessionFromContext(ctx)
		if s == nil {
			return
		}
		out := propagation.MapCarrier{"baggage": a}
		sessionspan.Inject(ctx, out)
		back := sessionspan.Extract(context.Background(), out)
		if again := sessionspan.SessionFromContext(back); again != nil && again.ID() != s.ID() && !strings.Contains(a, "session_id") {
			t.Fatalf("%q became %q", s.ID(), again.ID())
		}
		if strings.ContainsAny(s.ID(), "\r\n") || len(s.ID()) != 36 {
			t.Fatalf("id %q", s.ID())
		}
	})
}
