// Package practice is an HTTP service as people write them, traced in several ways:
// on a provider of its own with a server span of otelhttp, a session for each
// request, and eight steps in it. Each way records the same content.
package practice

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/bench/workload"
)

// The kinds of steps.
const (
	Messages = "messages" // chat messages in, a reply out, by the library's helpers
	Failure  = "error"    // inputs, and an error that is recorded
	Call     = "llmhttp"  // a whole call over HTTP, recorded by a transport or by hand
)

// Kinds lists the kinds of steps.
func Kinds() []string { return []string{Messages, Failure, Call} }

// The ways in which a service is traced.
const (
	None            = "none"
	OTel            = "otel"      // the SDK, by OTLP
	OTelJSON        = "otel-json" // the SDK, with an exporter of HoneyHive events on encoding/json
	SessionspanOTLP = "sessionspan-otlp"
	SessionspanHTTP = "sessionspan-http"
)

// Ways lists the ways in which a service is traced.
func Ways() []string { return []string{None, OTel, OTelJSON, SessionspanOTLP, SessionspanHTTP} }

// Steps is how many steps a request has.
const Steps = 8

// way traces a service.
type way struct {
	provider trace.TracerProvider // of the server span; nil for none
	records  int                  // that a request makes
	start    func(context.Context) session
	flush    func(context.Context) error
	shutdown func(context.Context) error
}

// session is what is recorded of a request.
type session interface {
	step(kind string, c *workload.Content) error
	end(answer string)
}

// Service is a service that runs.
type Service struct {
	http.Handler
	way      way
	kind     string
	contents []*workload.Content
	next     atomic.Int64
}

// Start returns a service with steps of a kind, traced in a way that sends to a
// URL.
func Start(name, kind, url string, contents []*workload.Content) (*Service, error) {
	w, err := traced(name, url)
	if err != nil {
		return nil, err
	}
	s := &Service{way: w, kind: kind, contents: contents}
	s.Handler = http.HandlerFunc(s.serve)
	if w.provider != nil {
		s.Handler = otelhttp.NewHandler(s.Handler, "ask", otelhttp.WithTracerProvider(w.provider))
	}
	return s, nil
}

func traced(name, url string) (way, error) {
	switch name {
	case None:
		nothing := func(context.Context) error { return nil }
		return way{start: func(ctx context.Context) session { return untraced{ctx} }, flush: nothing, shutdown: nothing}, nil
	case OTel, OTelJSON:
		return startOTel(name, url)
	case SessionspanOTLP, SessionspanHTTP:
		return startSessionspan(name, url)
	}
	return way{}, fmt.Errorf("practice: there is no way %q", name)
}

// Records is how many records a request makes.
func (s *Service) Records() int { return s.way.records }

// Flush sends what ended.
func (s *Service) Flush(ctx context.Context) error { return s.way.flush(ctx) }

// Close sends what is left and stops.
func (s *Service) Close(ctx context.Context) error { return s.way.shutdown(ctx) }

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	current := s.way.start(r.Context())
	answer := ""
	for range Steps {
		c := s.contents[int(s.next.Add(1))%len(s.contents)]
		if err := current.step(s.kind, c); err != nil && !errors.Is(err, errStep) {
			answer = err.Error()
			w.WriteHeader(http.StatusInternalServerError)
			break
		}
		answer = c.Answer
	}
	current.end(answer)
	_, _ = w.Write([]byte(answer))
}

// errStep is the error of steps that fail.
var errStep = fmt.Errorf("search the index: %w", context.DeadlineExceeded)

// untraced does what a step does besides being recorded.
type untraced struct{ ctx context.Context }

func (u untraced) step(kind string, c *workload.Content) error {
	switch kind {
	case Failure:
		return errStep
	case Call:
		_, err := ask(u.ctx, model{}, c)
		return err
	}
	return nil
}

func (untraced) end(string) {}
