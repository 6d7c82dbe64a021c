package sessionspan

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Handler puts requests into the session that their headers name, so that what
// next does in their contexts belongs to it: a session that was started in
// another service and sent with [Transport], or by HoneyHive's Python tracer.
// Requests that name none pass as they are. Of the headers only ids are taken,
// and only those that are UUIDs; who can send requests to next can put events
// into any session whose id it knows.
//
// It makes no span. The trace context of the request is taken too, unless a
// handler outside, such as otelhttp's, has done so. Put it inside of that one:
//
//	otelhttp.NewHandler(sessionspan.Handler(mux), "server")
//
// A nil next finds nothing: it answers every request with status 404.
func Handler(next http.Handler) http.Handler {
	if next == nil {
		next = http.NotFoundHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		carrier := propagation.HeaderCarrier(r.Header)
		if !trace.SpanContextFromContext(ctx).IsValid() {
			ctx = propagation.TraceContext{}.Extract(ctx, carrier)
		}
		if ctx = extract(ctx, carrier); ctx != r.Context() {
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// Transport sends the identity of the session that a request's context is in to
// the allowed hosts, and to no other, so that [Handler] continues it there. The
// trace context is sent along unless it is in the headers already. It makes no
// span and leaves requests to other hosts untouched, redirects included.
//
// A host is a name or an address, with a port or for every port: "rag.internal",
// "localhost:8080", "[::1]:80". A leading "*." stands for any sub-domain:
// "*.svc.local". Names are compared as they are dialed: without regard to the case
// of ASCII letters, other letters after IDNA. An address is allowed by itself
// alone, with the zone that it has. An empty host is ignored; what is no host is
// passed to [otel.Handle] at once, and nothing is sent there. Without hosts nothing
// is sent at all. A nil base stands for http.DefaultTransport.
//
// What counts is the host of the URL. A base with a proxy shows the proxy what it
// sends in the clear.
//
// Put it inside of other transports, so that it adds to what they wrote:
//
//	otelhttp.NewTransport(sessionspan.Transport(http.DefaultTransport, "rag.internal"))
func Transport(base http.RoundTripper, hosts ...string) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	t := &transport{base: base}
	for _, text := range hosts {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if h, ok := parseAllowedHost(text); ok {
			t.hosts = append(t.hosts, h)
		} else {
			otel.Handle(fmt.Errorf("sessionspan: Transport: nothing is sent to %q, which is no host: it takes names, addresses and *.domain, with or without a port", text))
		}
	}
	return t
}

type transport struct {
	base  http.RoundTripper
	hosts []allowedHost
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r == nil {
		return nil, errors.New("sessionspan: round trip: the request is nil")
	}
	n := nodeFrom(r.Context())
	if n == nil || n.session == nil || !t.allowed(r.URL) {
		return t.base.RoundTrip(r)
	}
	// The mark is for a propagator that a transport further in may run.
	r = r.Clone(context.WithValue(r.Context(), markKey{}, true))
	carrier := propagation.HeaderCarrier(r.Header)
	if carrier.Get("traceparent") == "" {
		propagation.TraceContext{}.Inject(r.Context(), carrier)
	}
	inject(r.Context(), carrier)
	return t.base.RoundTrip(r)
}
