package sessionspan

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

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
// A host is a name, with a port or for every port: "rag.internal",
// "localhost:8080". A leading "*." stands for any sub-domain: "*.svc.local".
// Without hosts nothing is sent. A nil base stands for http.DefaultTransport.
//
// Put it inside of other transports, so that it adds to what they wrote:
//
//	otelhttp.NewTransport(sessionspan.Transport(http.DefaultTransport, "rag.internal"))
func Transport(base http.RoundTripper, hosts ...string) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	t := &transport{base: base}
	for _, h := range hosts {
		if h = strings.ToLower(strings.TrimSpace(h)); h != "" {
			t.hosts = append(t.hosts, h)
		}
	}
	return t
}

type transport struct {
	base  http.RoundTripper
	hosts []string
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r == nil {
		return nil, errors.New("sessionspan: round trip: the request is nil")
	}
	n := nodeFrom(r.Context())
	if n == nil || n.session == nil || r.URL == nil || !t.allowed(r.URL.Host) {
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

func (t *transport) allowed(hostport string) bool {
	hostport = strings.ToLower(hostport)
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	for _, want := range t.hosts {
		if suffix, wild := strings.CutPrefix(want, "*"); wild {
			if strings.HasPrefix(suffix, ".") && strings.HasSuffix(host, suffix) && len(host) > len(suffix) {
				return true
			}
			continue
		}
		if want == host || want == hostport {
			return true
		}
	}
	return false
}
