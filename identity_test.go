package sessionspan_test

import (
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/propagation"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// A peer is a server that keeps the headers of tracers that it is sent.
type peer struct {
	*httptest.Server
	host string

	mu   sync.Mutex
	seen []http.Header
}

// newPeer returns a server that answers as answer does, at an address of its own.
func newPeer(t *testing.T, answer http.HandlerFunc) *peer {
	t.Helper()
	p := new(peer)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := make(http.Header)
		for name, values := range r.Header {
			switch strings.ToLower(name) {
			case "accept-encoding", "user-agent", "content-length", "content-type", "accept", "referer", "proxy-connection":
			default:
				h[name] = values
			}
		}
		p.mu.Lock()
		p.seen = append(p.seen, h)
		p.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	p.host = strings.TrimPrefix(p.URL, "http://")
	return p
}

func (p *peer) headers() []http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// retrier sends a request again, as clients of APIs do: the same one, to the next host.
type retrier struct {
	base http.RoundTripper
	next []string
}

func (r retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.base.RoundTrip(req)
	for _, host := range r.next {
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		again := req.Clone(req.Context())
		again.URL.Host, again.Host = host, ""
		if req.GetBody != nil {
			again.Body, _ = req.GetBody()
		}
		resp, err = r.base.RoundTrip(again)
	}
	return resp, err
}

// TestHeadersByHost sends requests to a provider and to a friend, past redirects, retries
// and proxies, with what users put in front and behind: each is sent the headers that it is
// allowed, and no other.
func TestHeadersByHost(t *testing.T) {
	p := sessiontest.New(t)
	var provider, friend *peer
	to := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "to-friend"):
			http.Redirect(w, r, friend.URL+"/end", http.StatusTemporaryRedirect)
		case strings.Contains(r.URL.Path, "to-provider"):
			http.Redirect(w, r, provider.URL+"/end", http.StatusFound)
		case strings.Contains(r.URL.Path, "around"):
			http.Redirect(w, r, friend.URL+"/to-provider", http.StatusPermanentRedirect)
		case strings.Contains(r.URL.Path, "fails"):
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_, _ = io.WriteString(w, `{"model":"m","choices":[{"message":{"role":"assistant","content":"a"}}]}`)
		}
	}
	provider, friend = newPeer(t, to), newPeer(t, to)
	propagator := propagation.NewCompositeTextMapPropagator(propagation.Baggage{}, sessionspan.Propagator())
	plain := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(plain.CloseIdleConnections)
	viaProxy, proxied := proxyTo(t, plain)

	type scene struct {
		url               string
		transport         func(base http.RoundTripper) http.RoundTripper
		provider, friend  int // requests that each sees
		before            func(r *http.Request)
		llm               bool
		proxy             bool
		baggageOfProvider string
	}
	allowed := func(base http.RoundTripper) http.RoundTripper { return sessionspan.Transport(base, friend.host) }
	for name, s := range map[string]scene{
		"provider":                      {url: provider.URL, transport: allowed, provider: 1},
		"friend":                        {url: friend.URL, transport: allowed, friend: 1},
		"provider redirects to friend":  {url: provider.URL + "/to-friend", transport: allowed, provider: 1, friend: 1},
		"friend redirects to provider":  {url: friend.URL + "/to-provider", transport: allowed, provider: 1, friend: 1},
		"friend around to provider":     {url: friend.URL + "/around", transport: allowed, provider: 1, friend: 2},
		"retried at friend":             {url: friend.URL + "/fails", transport: func(b http.RoundTripper) http.RoundTripper { return retrier{allowed(b), []string{friend.host}} }, friend: 2},
		"retried at provider":           {url: friend.URL + "/fails", transport: func(b http.RoundTripper) http.RoundTripper { return retrier{allowed(b), []string{provider.host}} }, provider: 1, friend: 1},
		"retried inside":                {url: friend.URL + "/fails", transport: func(b http.RoundTripper) http.RoundTripper { return allowed(retrier{b, []string{friend.host}}) }, friend: 2},
		"provider by a proxy":           {url: provider.URL, transport: allowed, provider: 1, proxy: true},
		"friend by a proxy":             {url: friend.URL, transport: allowed, friend: 1, proxy: true},
		"redirect by a proxy":           {url: friend.URL + "/to-provider", transport: allowed, provider: 1, friend: 1, proxy: true},
		"a propagator behind":           {url: friend.URL + "/to-provider", transport: func(b http.RoundTripper) http.RoundTripper { return allowed(injector{b, propagator}) }, provider: 1, friend: 1},
		"a propagator in front":         {url: friend.URL + "/to-provider", transport: func(b http.RoundTripper) http.RoundTripper { return injector{allowed(b), propagator} }, provider: 1, friend: 1},
		"identity in the caller's":      {url: friend.URL + "/to-provider", transport: allowed, provider: 1, friend: 1, before: identify("baggage")},
		"identity in any case":          {url: provider.URL, transport: allowed, provider: 1, before: identify("bAggage")},
		"identity beside other members": {url: provider.URL, transport: allowed, provider: 1, before: identify("Baggage", "tenant=acme"), baggageOfProvider: "tenant=acme"},
		"a call of a model":             {url: provider.URL + "/v1/chat/completions", transport: func(b http.RoundTripper) http.RoundTripper { return llmhttp.Transport(allowed(b)) }, provider: 1, llm: true},
		"a call of a model, redirected": {url: friend.URL + "/v1/to-provider/chat/completions", transport: func(b http.RoundTripper) http.RoundTripper { return llmhttp.Transport(allowed(b)) }, provider: 1, friend: 1, llm: true},
	} {
		t.Run(name, func(t *testing.T) {
			base := http.RoundTripper(plain)
			if s.proxy {
				base = viaProxy
			}
			atProvider, atFriend, atProxy := len(provider.headers()), len(friend.headers()), len(proxied())
			client := &http.Client{Transport: s.transport(base)}
			ctx, session := p.Tracer.StartSession(t.Context(), name)
			defer session.End()
			ctx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "call")
			defer e.End()
			body := `{"model":"m","messages":[{"role":"user","content":"q"}]}`
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if s.before != nil {
				s.before(req)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			toProvider, toFriend := provider.headers()[atProvider:], friend.headers()[atFriend:]
			if len(toProvider) != s.provider || len(toFriend) != s.friend {
				t.Fatalf("%d and %d requests, want %d and %d", len(toProvider), len(toFriend), s.provider, s.friend)
			}
			for _, h := range toProvider {
				want := make(http.Header)
				if s.baggageOfProvider != "" {
					want.Set("Baggage", s.baggageOfProvider)
				}
				if !maps.EqualFunc(h, want, slices.Equal[[]string]) {
					t.Errorf("the provider got %v, want %v", h, want)
				}
			}
			trace := e.Span().SpanContext().TraceID().String()
			for _, h := range toFriend {
				if !strings.HasPrefix(h.Get("Baggage"), "honeyhive.session_id="+session.ID()) || !strings.Contains(h.Get("Traceparent"), trace) || len(h) != 2 {
					t.Errorf("the friend got %v", h)
				}
			}
			if s.proxy { // it sees what is sent in the clear
				if seen := proxied()[atProxy:]; len(seen) != s.provider+s.friend {
					t.Errorf("the proxy saw %d requests", len(seen))
				}
			}
		})
	}
}

// identify puts a session into the headers of a request by hand.
func identify(name string, more ...string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header[name] = []string{strings.Join(append(more, "honeyhive.session_id=5ca1ab1e-0000-4000-8000-00000000c0de", "honeyhive.parent_id=5ca1ab1e-0000-4000-8000-00000000c0de"), ",")}
	}
}

// injector runs a propagator, as instrumentations of HTTP do.
type injector struct {
	base       http.RoundTripper
	propagator propagation.TextMapPropagator
}

func (i injector) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	i.propagator.Inject(r.Context(), propagation.HeaderCarrier(r.Header))
	return i.base.RoundTrip(r)
}

// proxyTo returns a transport by a proxy, and what the proxy has seen.
func proxyTo(t *testing.T, base *http.Transport) (via *http.Transport, seen func() []string) {
	t.Helper()
	var mu sync.Mutex
	var hosts []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		hosts = append(hosts, r.Host)
		mu.Unlock()
		r.RequestURI = ""
		resp, err := base.RoundTrip(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(proxy.Close)
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	via = base.Clone()
	via.Proxy = http.ProxyURL(address)
	t.Cleanup(via.CloseIdleConnections)
	return via, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(hosts)
	}
}

// joinedBy returns the session and the event that a handler with options takes of headers.
func joinedBy(h http.Header, options ...sessionspan.ExtractOption) (session string, carried http.Header) {
	carried = make(http.Header)
	handler := sessionspan.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		session = sessionspan.SessionFromContext(r.Context()).ID()
		sessionspan.Inject(r.Context(), propagation.HeaderCarrier(carried))
	}), options...)
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header = h
	handler.ServeHTTP(httptest.NewRecorder(), r)
	return session, carried
}

var (
	signingKey = []byte("a key that two services have")
	otherKey   = []byte("a key that nobody else knows")
)

// TestSignedCallers believes what is signed, as it was signed, and nothing else.
func TestSignedCallers(t *testing.T) {
	p := sessiontest.New(t, sessionspan.WithSigning(signingKey))
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	ctx, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "e")
	h := make(http.Header)
	sessionspan.Inject(ctx, propagation.HeaderCarrier(h))
	e.End()
	s.End()
	good := h.Get("Baggage")
	believe := sessionspan.WithSignedCallers(otherKey, signingKey)
	with := func(baggage string) http.Header { return http.Header{"Baggage": {baggage}} }
	if id, _ := joinedBy(with(good), believe); id != s.ID() {
		t.Errorf("%q was not believed: %q", good, id)
	}
	if id, _ := joinedBy(with(good)); id != s.ID() {
		t.Errorf("who asks for no signature does not take one: %q", id)
	}
	_, sig, _ := strings.Cut(good, "honeyhive.session_signature=")
	const other = "5ca1ab1e-0000-4000-8000-00000000c0de"
	for name, bad := range map[string]string{
		"not signed":       "honeyhive.session_id=" + s.ID(),
		"another session":  strings.Replace(good, s.ID(), other, 1),
		"another event":    strings.Replace(good, e.ID(), other, 1),
		"no event":         strings.Replace(good, ",honeyhive.parent_id="+e.ID(), "", 1),
		"not recorded":     good + ",honeyhive.session_sampled=0",
		"a cut signature":  good[:len(good)-1],
		"nothing signed":   "honeyhive.session_signature=" + sig,
		"Python's session": "session_id=" + other + ",honeyhive.session_signature=" + sig,
		"an empty one":     "honeyhive.session_id=" + s.ID() + ",honeyhive.session_signature=",
	} {
		if id, carried := joinedBy(with(bad), believe); id != "" || carried.Get("Baggage") != "" {
			t.Errorf("%s was believed: %q %v", name, id, carried)
		}
	}
	for _, options := range [][]sessionspan.ExtractOption{{sessionspan.WithSignedCallers(otherKey)}, {sessionspan.WithSignedCallers()}, {sessionspan.WithSignedCallers([]byte("short"))}} {
		if id, _ := joinedBy(with(good), options...); id != "" {
			t.Errorf("another key believes: %q", id)
		}
	}
	if _, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithSigning([]byte("short"))); err == nil {
		t.Error("a short key was taken")
	}
}

// TestSignaturesArePassedOn sends a session on from a service that took it in.
func TestSignaturesArePassedOn(t *testing.T) {
	front, back := sessiontest.New(t, sessionspan.WithSigning(signingKey)), sessiontest.New(t, sessionspan.WithSigning(signingKey))
	ctx, s := front.Tracer.StartSession(t.Context(), "s")
	h, on := make(http.Header), make(http.Header)
	sessionspan.Inject(ctx, propagation.HeaderCarrier(h))
	handler := sessionspan.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx, e := sessionspan.StartEvent(back.Context(r.Context()), sessionspan.Chain, "in the back")
		defer e.End()
		sessionspan.Inject(ctx, propagation.HeaderCarrier(on))
	}), sessionspan.WithSignedCallers(signingKey))
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header = h
	handler.ServeHTTP(httptest.NewRecorder(), r)
	s.End()
	if id, _ := joinedBy(on, sessionspan.WithSignedCallers(signingKey)); id != s.ID() || id == "" {
		t.Errorf("%v: %q", on, id)
	}
	back.Orphans()
}

// TestMappedSessions keeps together what callers call together, and has them reach nothing
// else.
func TestMappedSessions(t *testing.T) {
	const one, two = "5ca1ab1e-0000-4000-8000-00000000c0de", "5ca1ab1e-0000-4000-8000-00000000c0df"
	call := func(id string, options ...sessionspan.ExtractOption) (string, string) {
		got, carried := joinedBy(http.Header{"Baggage": {"honeyhive.session_id=" + id + ",honeyhive.parent_id=" + two}}, options...)
		return got, carried.Get("Baggage")
	}
	mapping := sessionspan.WithMappedSessions(signingKey)
	first, carried := call(one, mapping)
	again, _ := call(strings.ToUpper(one), mapping)
	second, _ := call(two, mapping)
	elsewhere, _ := call(one, sessionspan.WithMappedSessions(otherKey))
	if first == "" || first == one || first != again || first == second || first == elsewhere || first[14] != '8' {
		t.Errorf("%q, %q, %q, %q", first, again, second, elsewhere)
	}
	if carried != "honeyhive.session_id="+first {
		t.Errorf("passed on as %q", carried)
	}
	if id, _ := call(one, sessionspan.WithMappedSessions([]byte("short"))); id != "" {
		t.Errorf("a short key maps to %q", id)
	}
	if id, _ := call(one, mapping, sessionspan.WithSignedCallers(signingKey)); id != "" {
		t.Errorf("who has not signed is mapped: %q", id)
	}
}

// TestInboundIsBounded reads headers made by chance, of members that name things, long and
// short: what comes of them is a session by a UUID, an event by one, or nothing, and no
// project, source, name, key or address of theirs.
func TestInboundIsBounded(t *testing.T) {
	p := sessiontest.New(t)
	r := rand.New(rand.NewPCG(1, 2))
	keys := []string{"honeyhive.session_id", "honeyhive.parent_id", "honeyhive.session_sampled", "honeyhive.session_signature", "session_id", "parent_id", "project", "source", "session_name",
		"honeyhive.project", "honeyhive.source", "honeyhive_project", "HH_API_KEY", "api_key", "endpoint", "honeyhive.url", "run_id", "dataset_id"}
	values := []string{"5ca1ab1e-0000-4000-8000-00000000c0de", "0", "1", "CANARY", strings.Repeat("CANARY", 2000), "%00CANARY", "%0d%0aX: CANARY", "caf%C3%A9", "\xff\xfe", "https://canary.example", "{}", "",
		"00000000-0000-0000-0000-000000000000", "urn:uuid:5ca1ab1e-0000-4000-8000-00000000c0de", "5ca1ab1e", "=;=;=", "5ca1ab1e-0000-4000-8000-00000000c0de;p=1"}
	for range 2000 {
		var list []string
		for range r.IntN(8) {
			list = append(list, keys[r.IntN(len(keys))]+[]string{"=", " = ", "", "=="}[min(3, r.IntN(12))]+values[r.IntN(len(values))])
		}
		h := http.Header{"Baggage": {strings.Join(list, ",")}, "Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0" + values[1+r.IntN(2)]}}
		session, carried := joinedBy(h)
		if session != "" && session != values[0] {
			t.Fatalf("%q became %q", list, session)
		}
		for name, values := range carried {
			if text := strings.Join(values, ""); len(text) > 256 || strings.Contains(strings.ToUpper(text), "CANARY") || name != "Baggage" && name != "Traceparent" && name != "Tracestate" {
				t.Fatalf("%q is passed on as %s: %q", list, name, text)
			}
		}
	}
	// An event of such a session is of the project of the tracer, and is recorded.
	handler := sessionspan.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, e := sessionspan.StartEvent(p.Context(r.Context()), sessionspan.Tool, "e")
		e.End()
	}))
	req := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	req.Header = http.Header{"Baggage": {"honeyhive.session_id=" + values[0] + ",honeyhive.session_sampled=0,project=theirs,honeyhive.project=theirs,source=theirs"}, "Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}}
	handler.ServeHTTP(httptest.NewRecorder(), req)
	events := p.Orphans()
	if len(events) != 1 || events[0].Project.Or("") == "theirs" || events[0].Source.Or("") == "theirs" {
		t.Errorf("%+v", events)
	}
}
