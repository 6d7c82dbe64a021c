package sessionspan

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// SessionSampler returns a sampler that decides once for each session, by its
// id, and keeps to it in every trace of the session and in every process that
// uses the same base. base decides for whatever is outside a session; nil
// stands for ParentBased(AlwaysSample).
//
// The session's decision comes from base as well: it is asked as for the root
// of a trace whose id is drawn from the session id, so that a base of
// TraceIDRatioBased(0.1) keeps one session in ten, whole.
//
// A provider that New makes has one around OTEL_TRACES_SAMPLER. Give it to a
// provider of your own:
//
//	sdktrace.NewTracerProvider(sdktrace.WithSampler(
//		sessionspan.SessionSampler(sdktrace.TraceIDRatioBased(0.1))))
func SessionSampler(base sdktrace.Sampler) sdktrace.Sampler { return newSessionSampler(base) }

func newSessionSampler(base sdktrace.Sampler) *sessionSampler {
	if base == nil {
		base = sdktrace.ParentBased(sdktrace.AlwaysSample())
	}
	always := sdktrace.AlwaysSample()
	return &sessionSampler{base: base, all: base == always || base == sdktrace.ParentBased(always)}
}

type sessionSampler struct {
	base sdktrace.Sampler
	all  bool // base takes every root
}

func (s *sessionSampler) Description() string {
	return fmt.Sprintf("SessionSampler{%s}", s.base.Description())
}

// ShouldSample implements [sdktrace.Sampler].
func (s *sessionSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	r := recordingFrom(p.ParentContext)
	if r == nil || r.session == nil {
		return s.base.ShouldSample(p)
	}
	state := trace.SpanContextFromContext(p.ParentContext).TraceState()
	if r.node.Session.UnsampledElsewhere {
		return sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: state}
	}
	if s.all {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: state}
	}
	asked := p
	asked.ParentContext, asked.TraceID = context.Background(), r.session.samplingID()
	result := s.base.ShouldSample(asked)
	result.Tracestate = state
	return result
}

// sampling is the id by which a session is sampled, once somebody asked.
type sampling struct {
	ask sync.Once
	id  trace.TraceID
}

// samplingID spreads the id of a session over all bits, as samplers that look
// at a part of a trace id need: some bits of a UUID are always the same.
func (s *Session) samplingID() trace.TraceID {
	s.sampled.ask.Do(func() {
		id := s.rec.node.Session.ID
		sum := sha256.Sum256(id[:])
		s.sampled.id = trace.TraceID(sum[:16])
	})
	return s.sampled.id
}

// reportDropped reports a session that the sampler of a provider has dropped
// because of the span above it, so that all sessions of such requests are. What a
// SessionSampler decides has nothing to do with that span.
func (s *Session) reportDropped(above trace.SpanContext) {
	t := s.rec.tracer
	if above.IsValid() && !above.IsSampled() && !t.newTraces && !t.disabled && !t.closed.Load() && !s.sampled.id.IsValid() {
		t.reports.Once("dropped session", errDropped)
	}
}

// errDropped is reported once where a session is not recorded since its parent span
// is not.
var errDropped = errors.New("sessionspan: the sampler of the tracer provider drops sessions whose parent span is not sampled, " +
	"such as those of requests with a traceparent that ends in -00: give the provider sdktrace.WithSampler(sessionspan.SessionSampler(base)), " +
	"which decides for each session, or New the option WithNewTraces")
