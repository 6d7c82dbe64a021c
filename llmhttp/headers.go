package llmhttp

import (
	"context"
	"net/http"
	"strings"
)

// This file takes the headers of tracers off requests to providers: they name the
// traces, and by baggage the sessions and users, of whoever runs the program.

// traceHeaders are headers of tracers, in lower case, by their first letter; "*"
// stands for what follows. They are those of W3C Trace Context and Baggage, B3,
// Jaeger, OpenTracing, Datadog, Sentry, AWS X-Ray, Google Cloud, Azure, New Relic,
// Elastic, Instana, Dynatrace, SkyWalking, Honeycomb and OpenCensus.
var traceHeaders = ['z' + 1][]string{
	'b': {"baggage", "b3"},
	'c': {"correlation-context"},
	'e': {"elastic-apm-traceparent"},
	'g': {"grpc-trace-bin"},
	'j': {"jaeger-*"},
	'n': {"newrelic"},
	'o': {"ot-tracer-*", "ot-baggage-*"},
	's': {"sentry-trace", "sw8", "sw8-*"},
	't': {"traceparent", "tracestate"},
	'u': {"uber-trace-id", "uberctx-*"},
	'x': {"x-b3-*", "x-ot-span-context", "x-datadog-*", "x-amzn-trace-id", "x-cloud-trace-context", "x-newrelic-*", "x-instana-*", "x-dynatrace", "x-honeycomb-trace"},
}

// traceHeader reports whether a header is a tracer's. Maps of headers may hold
// names in any case.
func traceHeader(name string) bool {
	if name == "" || name[0]|' ' >= byte(len(traceHeaders)) {
		return false
	}
	for _, h := range traceHeaders[name[0]|' '] {
		start, more := strings.CutSuffix(h, "*")
		n := len(start)
		if (len(name) == n && !more || len(name) > n && more) && strings.EqualFold(name[:n], start) {
			return true
		}
	}
	return false
}

// outgoing returns a request of our own with the context, without the headers of
// tracers. One that AWS's signature covers stays: without it the request would be
// refused.
func outgoing(r *http.Request, ctx context.Context) *http.Request { //nolint:revive // the request is what this is about
	sent := r.WithContext(ctx)
	cloned := false
	for name := range r.Header {
		if !traceHeader(name) || covered(r.Header.Get("Authorization"), name) {
			continue
		}
		if !cloned {
			cloned = true
			sent.Header = r.Header.Clone()
		}
		delete(sent.Header, name)
	}
	return sent
}

// outgoing is outgoing, for a call. To a store of one's own, traces go on into.
func (found *route) outgoing(r *http.Request, ctx context.Context) *http.Request { //nolint:revive // the request is what this is about
	if found.inHouse {
		return r.WithContext(ctx)
	}
	return outgoing(r, ctx)
}

// covered reports whether AWS's signature covers a header.
func covered(authorization, name string) bool {
	if !strings.HasPrefix(authorization, "AWS4-") {
		return false
	}
	_, list, _ := strings.Cut(authorization, "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	for signed := range strings.SplitSeq(list, ";") {
		if strings.EqualFold(strings.TrimSpace(signed), name) {
			return true
		}
	}
	return false
}

// unrecorded returns a request that is no call of a model that is recorded as it
// is to be sent: to a provider, without the headers of tracers.
func (t *tracing) unrecorded(r *http.Request) *http.Request {
	for name := range r.Header {
		if traceHeader(name) {
			if t.provider(r) {
				return outgoing(r, r.Context())
			}
			return r
		}
	}
	return r
}

// provider reports whether a request goes to a host that is a provider's alone.
func (t *tracing) provider(r *http.Request) bool {
	if r.URL == nil {
		return false
	}
	for which, list := range [...][]host{t.hosts, hosts, stores} {
		for i := range list {
			if h := &list[i]; h.is(r.URL.Host) && !shared(h.name) && (h.api <= Cohere || which > 0) {
				return true
			}
		}
	}
	name := strings.ToLower(r.URL.Hostname())
	return name == "aiplatform.googleapis.com" || strings.HasSuffix(name, "-aiplatform.googleapis.com")
}

// shared reports whether hosts of such a name serve other things too: storage and
// databases, for example, which traces go on into.
func shared(host string) bool {
	switch host {
	case "*.googleapis.com", "*.snowflakecomputing.com", "*.cloud.databricks.com", "*.azuredatabricks.net":
		return true
	}
	return false
}
