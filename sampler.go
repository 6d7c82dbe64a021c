package sessionspan

import (
	"context"
	"crypto/sha256"
	"fmt"

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

// takes reports whether a span of a session is recorded and sampled, and gets
// nothing else from the sampler.
func (s *sessionSampler) takes(session *sessionState, p *sdktrace.SamplingParameters) bool {
	if s.all {
		return !session.unsampledElsewhere
	}
	p.ParentContext = &scope{p.ParentContext, session.root}
	result := s.ShouldSample(*p)
	return result.Decision == sdktrace.RecordAndSample && len(result.Attributes) == 0
}

// ShouldSample implements [sdktrace.Sampler].
func (s *sessionSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	n := nodeFrom(p.ParentContext)
	if n == nil || n.session == nil {
		return s.base.ShouldSample(p)
	}
	state := trace.SpanContextFromContext(p.ParentContext).TraceState()
	if n.session.unsampledElsewhere {
		return sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: state}
	}
	if s.all {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: state}
	}
	asked := p
	asked.ParentContext, asked.TraceID = context.Background(), n.session.samplingID()
	result := s.base.ShouldSample(asked)
	result.Tracestate = state
	return result
}

// samplingID spreads the id of a session over all bits, as samplers that look
// at a part of a trace id need: some bits of a UUID are always the same.
func (s *sessionState) samplingID() trace.TraceID {
	s.askSampling.Do(func() {
		sum := sha256.Sum256(s.id[:])
		s.sampling = trace.TraceID(sum[:16])
	})
	return s.sampling
}
