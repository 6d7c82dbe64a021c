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

	"github.com/sessionspan/sessionspan/internal/hosts"
	"github.com/sessionspan/sessionspan/internal/members"
)

// Handler puts requests into the session that their headers name, so that what
// next does in their contexts belongs to it: a session that was started in
// another service and sent with [Transport], or by HoneyHive's Python tracer.
// Requests that name none pass as they are.
//
// Of a request it takes this, and nothing else:
//
//   - from the header baggage the id of a session and the id of the event in it
//     to hang on, where they are UUIDs: honeyhive.session_id and
//     honeyhive.parent_id, or the Python tracer's honeyhive_session_id,
//     honeyhive_parent_id, session_id and parent_id;
//   - the trace context (traceparent, tracestate), unless a handler outside, such
//     as otelhttp's, has taken it. A sampler that follows its parent lets it
//     decide for spans outside of sessions.
//
// A request chooses no project, no source, no name and no destination, and not
// whether the session is recorded; see [WithTrustedCallers]. What is longer than the
// limits of the baggage specification (64 members, 8,192 bytes) is not read. Whoever can
// send requests to next can put events into any session whose id it knows, unless
// [WithSignedCallers] or [WithMappedSessions] says otherwise.
//
// Handler makes no span. Put it inside of a handler that does:
//
//	otelhttp.NewHandler(sessionspan.Handler(mux), "server")
//
// A nil next finds nothing: it answers every request with status 404.
func Handler(next http.Handler, options ...ExtractOption) http.Handler {
	if next == nil {
		next = http.NotFoundHandler()
	}
	x := extractionOf(options)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		carrier := propagation.HeaderCarrier(r.Header)
		if !trace.SpanContextFromContext(ctx).IsValid() {
			ctx = propagation.TraceContext{}.Extract(ctx, carrier)
		}
		if ctx = x.extract(ctx, carrier); ctx != r.Context() {
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// Transport sends the identity of the session that a request's context is in to
// the allowed hosts, and to no other, so that [Handler] continues it there. The
// trace context is sent along unless it is in the headers already. Transport makes no
// span and leaves requests to other hosts untouched, redirects included, but for members
// of the baggage that name a session of this library's: those are taken off, whoever wrote
// them.
//
// A host is a name or an address, with a port or for every port: "rag.internal",
// "localhost:8080", "[::1]:80". A leading "*." stands for any sub-domain:
// "*.svc.local". Names are compared as they are dialed: without regard to the case
// of letters, other alphabets after IDNA; one that is written in full-width or other
// letters which IDNA replaces is allowed nowhere. An address is allowed by itself
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
func Transport(base http.RoundTripper, allowed ...string) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	t := &transport{base: base}
	for _, text := range allowed {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if h, ok := hosts.Parse(text); ok {
			t.hosts = append(t.hosts, h)
		} else {
			otel.Handle(fmt.Errorf("sessionspan: Transport: nothing is sent to %q, which is no host: it takes names, addresses and *.domain, with or without a port", text))
		}
	}
	return t
}

type transport struct {
	base  http.RoundTripper
	hosts []hosts.Host
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r == nil {
		return nil, errors.New("sessionspan: round trip: the request is nil")
	}
	rec := recordingFrom(r.Context())
	if !hosts.Allow(t.hosts, r.URL) {
		return t.base.RoundTrip(unnamed(r))
	}
	if rec == nil || rec.node.Session == nil {
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

// unnamed returns a request whose baggage names no session of ours, in whichever case the
// name of the header is.
func unnamed(r *http.Request) *http.Request {
	for name, values := range r.Header {
		if !strings.EqualFold(name, members.Header) {
			continue
		}
		left, changed := members.Without(values)
		if !changed {
			continue
		}
		r = r.Clone(r.Context())
		if r.Header[name] = []string{left}; left == "" {
			delete(r.Header, name)
		}
	}
	return r
}
