package sessionspan

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	rt "runtime/trace"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/sessionspan/sessionspan/internal/untraced"
	"github.com/sessionspan/sessionspan/internal/version"
)

// ownSpan is the span of a session or event that nobody but its tracer reads: its
// identity, its name and its times. The rest is in the recording. It stands in
// for a span of the SDK, which is most of what an event costs, until somebody
// sets attributes, events or links on it, or gets hold of the provider: then the
// SDK makes one with the same ids and the same start, which takes over.
type ownSpan struct {
	sealed // nil

	rec   *recording
	sc    trace.SpanContext
	above *trace.SpanContext // mostly that of the event above
	kind  trace.SpanKind
	begun time.Time

	mu       sync.Mutex
	name     string
	ended    time.Time
	failure  string        // at the end
	full     trace.Span    // of the SDK, once it was asked for
	making   chan struct{} // from then on, until the SDK has made it
	children atomic.Int32  // spans that started under it

	// settled is set when the span has ended and the SDK has made none: nothing
	// that the lock guards changes any more, so that it is read without.
	settled atomic.Bool
}

// sealed is what the API and the SDK let nobody else implement.
type sealed interface {
	embedded.Span
	sdktrace.ReadOnlySpan
}

var _ interface {
	trace.Span
	sdktrace.ReadWriteSpan
} = (*ownSpan)(nil)

// starting is how a span starts.
type starting struct {
	kind    trace.SpanKind
	at      time.Time // now, where it is zero
	newRoot bool
	links   []trace.Link
	own     *ownSpan // to be used where it may be, or nil
}

// options returns the same for the SDK.
func (o *starting) options() []trace.SpanStartOption {
	var list []trace.SpanStartOption
	if o.kind == trace.SpanKindClient {
		list = remote
	}
	if !o.at.IsZero() {
		list = append(list, trace.WithTimestamp(o.at))
	}
	if o.newRoot {
		list = append(list, trace.WithNewRoot())
	}
	if len(o.links) > 0 {
		list = append(list, trace.WithLinks(o.links...))
	}
	return list
}

// start starts the span, as the SDK would, and reports whether it may stand for
// one of the SDK.
func (s *ownSpan) start(ctx context.Context, r *recording, name string, o *starting) bool {
	t := r.node.tracer
	if !t.alone() || r.node.session == nil || o.newRoot || len(o.links) > 0 || untraced.Is(ctx) || rt.IsEnabled() {
		return false
	}
	parent := trace.SpanFromContext(ctx)
	above := parent.SpanContext()
	ids := trace.SpanContextConfig{TraceID: above.TraceID(), TraceFlags: above.TraceFlags() | trace.FlagsSampled}
	if !ids.TraceID.IsValid() {
		ids.TraceID = newTraceID()
	}
	asked := sdktrace.SamplingParameters{ParentContext: ctx, TraceID: ids.TraceID, Name: name, Kind: o.kind}
	if !t.sampler.takes(r.node.session, &asked) {
		return false
	}
	ids.SpanID, ids.TraceState = newSpanID(), above.TraceState()
	s.rec, s.name, s.kind, s.begun = r, name, trace.ValidateSpanKind(o.kind), o.at
	s.sc = trace.NewSpanContext(ids)
	if p, ok := parent.(*ownSpan); ok && r.node.parent != nil && p.rec == r.node.parent.rec {
		s.above = &p.sc // which is kept as long anyway
	} else {
		copied := above // so that no other one is allocated
		s.above = &copied
	}
	if s.begun.IsZero() {
		s.begun = time.Now()
	}
	countChild(parent)
	return true
}

// Ids need not be hard to guess.

func newTraceID() (id trace.TraceID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:8], rand.Uint64()) //nolint:gosec // see above
		binary.NativeEndian.PutUint64(id[8:], rand.Uint64()) //nolint:gosec // see above
	}
	return id
}

func newSpanID() (id trace.SpanID) {
	for !id.IsValid() {
		binary.NativeEndian.PutUint64(id[:], rand.Uint64()) //nolint:gosec // see above
	}
	return id
}

// sdk returns the span of the SDK that stands for this one from now on: nil after
// the end, where there was none. No lock is held while the SDK makes it, since it
// calls processors of others, which may use the session or event.
func (s *ownSpan) sdk() trace.Span {
	s.mu.Lock()
	for s.full == nil && s.making != nil {
		s.await()
	}
	if s.full != nil || !s.ended.IsZero() {
		defer s.mu.Unlock()
		return s.full
	}
	making, name := make(chan struct{}), s.name
	s.making = making
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.making = nil
		s.mu.Unlock()
		close(making)
	}()
	n := &s.rec.node
	ctx := trace.ContextWithSpanContext(context.Background(), *s.above)
	_, full := n.tracer.tracer.Start(&standIn{&scope{ctx, n}, s}, name,
		trace.WithTimestamp(s.begun), trace.WithSpanKind(s.kind))
	s.take(full)
	return full
}

// await waits until the SDK has made the span. The lock is held, but not meanwhile.
func (s *ownSpan) await() {
	making := s.making
	s.mu.Unlock()
	<-making
	s.mu.Lock()
}

// made waits until every processor has seen a span start that the SDK is making,
// so that none sees it end before. The lock is held, but not meanwhile.
func (s *ownSpan) made() {
	for s.making != nil {
		s.await()
	}
}

// take lets a span of the SDK take over. The processor calls it before those of
// others see that span.
func (s *ownSpan) take(full trace.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full == nil {
		s.full = full
		full.SetName(s.name) // it may have a new one by now
	}
}

// standIn is the context in which the SDK makes the span for one of ours.
type standIn struct {
	context.Context
	span *ownSpan
}

// idGenerator gives the spans that the SDK makes for ours their ids, and random
// ones to all others.
type idGenerator struct{}

// NewIDs implements [sdktrace.IDGenerator].
func (g idGenerator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if c, ok := ctx.(*standIn); ok && c.span.read() == nil {
		return c.span.sc.TraceID(), c.span.sc.SpanID()
	}
	id := newTraceID()
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID implements [sdktrace.IDGenerator].
func (idGenerator) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if c, ok := ctx.(*standIn); ok && c.span.read() == nil {
		return c.span.sc.SpanID()
	}
	countChild(trace.SpanFromContext(ctx))
	return newSpanID()
}

// countChild counts a child of a span of ours. The SDK does so for its own alone.
func countChild(parent trace.Span) {
	if s, ok := parent.(*ownSpan); ok {
		s.children.Add(1)
	}
}

// remote is how the SDK starts the span of a call to another system.
var remote = slices.Clip([]trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)})

// finish ends the span. A zero time stands for now.
func (s *ownSpan) finish(at time.Time, failure string) {
	t := s.rec.node.tracer
	now := time.Now()
	if at.IsZero() {
		at = s.begun.Add(now.Sub(s.begun)) // by the monotonic clock
	}
	s.mu.Lock()
	s.made()
	full, again := s.full, !s.ended.IsZero()
	if !again {
		s.ended, s.failure = at, failure
		s.settled.Store(full == nil)
	}
	s.mu.Unlock()
	switch {
	case full != nil:
		if failure != "" {
			full.SetStatus(codes.Error, failure)
		}
		full.End(trace.WithTimestamp(at))
	case !again && !t.left.Load():
		t.processor.ended(s, now)
	}
}

// What a trace.Span can do.

// SpanContext implements [trace.Span].
func (s *ownSpan) SpanContext() trace.SpanContext { return s.sc }

// IsRecording implements [trace.Span].
func (s *ownSpan) IsRecording() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != nil {
		return s.full.IsRecording()
	}
	return s.ended.IsZero()
}

// End implements [trace.Span]. It ends the session or event past its handle.
func (s *ownSpan) End(options ...trace.SpanEndOption) {
	if v := recover(); v != nil {
		if full := s.sdk(); full != nil {
			s.mu.Lock()
			s.made()
			s.mu.Unlock()
			defer full.End(options...) // which records the panic, and lets it go on
		}
		panic(v)
	}
	if !s.rec.node.tracer.alone() {
		s.sdk() // for those who read it
	}
	config := trace.NewSpanEndConfig(options...)
	s.finish(config.Timestamp(), "")
}

// SetName implements [trace.Span].
func (s *ownSpan) SetName(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.full != nil:
		s.full.SetName(name)
	case s.ended.IsZero():
		s.name = name
	}
}

// SetAttributes implements [trace.Span].
func (s *ownSpan) SetAttributes(attributes ...attribute.KeyValue) {
	if len(attributes) == 0 {
		return
	}
	if full := s.sdk(); full != nil {
		full.SetAttributes(attributes...)
	}
}

// SetStatus implements [trace.Span].
func (s *ownSpan) SetStatus(code codes.Code, description string) {
	if full := s.sdk(); full != nil {
		full.SetStatus(code, description)
	}
}

// AddEvent implements [trace.Span].
func (s *ownSpan) AddEvent(name string, options ...trace.EventOption) {
	if full := s.sdk(); full != nil {
		full.AddEvent(name, options...)
	}
}

// AddLink implements [trace.Span].
func (s *ownSpan) AddLink(link trace.Link) {
	if full := s.sdk(); full != nil {
		full.AddLink(link)
	}
}

// RecordError implements [trace.Span].
func (s *ownSpan) RecordError(err error, options ...trace.EventOption) {
	if err == nil {
		return
	}
	if full := s.sdk(); full != nil {
		full.RecordError(err, options...)
	}
}

// TracerProvider implements [trace.Span]. Spans of what it returns are those of
// the tracer's provider, on which nobody can register a processor by way of it
// while the tracer is alone there.
func (s *ownSpan) TracerProvider() trace.TracerProvider {
	t := s.rec.node.tracer
	if !t.alone() {
		return t.provider
	}
	return onlyTracers{provider: t.provider}
}

// onlyTracers is a provider that has tracers and nothing else.
type onlyTracers struct {
	embedded.TracerProvider
	provider trace.TracerProvider
}

// Tracer implements [trace.TracerProvider].
func (p onlyTracers) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	return p.provider.Tracer(name, options...)
}

// What can be read of it.

// read returns the span of the SDK, if there is one.
func (s *ownSpan) read() sdktrace.ReadOnlySpan {
	if s.settled.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	full, _ := s.full.(sdktrace.ReadOnlySpan)
	return full
}

// Name implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) Name() string {
	if full := s.read(); full != nil {
		return full.Name()
	}
	if !s.settled.Load() {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	return s.name
}

// Parent implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) Parent() trace.SpanContext { return *s.above }

// SpanKind implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) SpanKind() trace.SpanKind { return s.kind }

// StartTime implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) StartTime() time.Time { return s.begun }

// EndTime implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) EndTime() time.Time {
	if full := s.read(); full != nil {
		return full.EndTime()
	}
	if !s.settled.Load() {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	return s.ended
}

// Attributes implements [sdktrace.ReadOnlySpan]: those that were set on the span
// itself.
func (s *ownSpan) Attributes() []attribute.KeyValue {
	if full := s.read(); full != nil {
		return full.Attributes()
	}
	return nil
}

// Links implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) Links() []sdktrace.Link {
	if full := s.read(); full != nil {
		return full.Links()
	}
	return nil
}

// Events implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) Events() []sdktrace.Event {
	if full := s.read(); full != nil {
		return full.Events()
	}
	return nil
}

// Status implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) Status() sdktrace.Status {
	if full := s.read(); full != nil {
		return full.Status()
	}
	if !s.settled.Load() {
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	if s.failure == "" {
		return sdktrace.Status{}
	}
	return sdktrace.Status{Code: codes.Error, Description: s.failure}
}

// InstrumentationScope implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) InstrumentationScope() instrumentation.Scope { return ownScope }

// ownScope is what the SDK makes of the name and version of the tracer.
var ownScope = instrumentation.Scope{Name: scopeName, Version: version.Version}

// InstrumentationLibrary implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) InstrumentationLibrary() instrumentation.Library { //nolint:staticcheck // the interface has it
	return ownScope
}

// Resource implements [sdktrace.ReadOnlySpan]: that of a provider to which none
// is given.
func (s *ownSpan) Resource() *resource.Resource { return resource.Default() }

// DroppedAttributes implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) DroppedAttributes() int {
	if full := s.read(); full != nil {
		return full.DroppedAttributes()
	}
	return 0
}

// DroppedLinks implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) DroppedLinks() int {
	if full := s.read(); full != nil {
		return full.DroppedLinks()
	}
	return 0
}

// DroppedEvents implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) DroppedEvents() int {
	if full := s.read(); full != nil {
		return full.DroppedEvents()
	}
	return 0
}

// ChildSpanCount implements [sdktrace.ReadOnlySpan].
func (s *ownSpan) ChildSpanCount() int {
	return int(s.children.Load())
}
