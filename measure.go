package sessionspan

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/internal/fields"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/measure"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// This file makes metrics of events; see WithMeterProvider. They are read from the
// record of an event, without its content, once the event has ended. Of an event that
// is not recorded, by sampling or for want of a destination, what metrics need is kept
// until then, and nothing else.

// IsMeasured reports whether metrics are made of the event, also where it does not
// record: whether its model, its usage and its error go anywhere. See
// [WithMeterProvider].
func (e *Event) IsMeasured() bool { return e.recording().measured() }

func (r *recording) measured() bool { return r != nil && r.operation != nil }

// noted is active for what is no content, which metrics may need.
func (r *recording) noted() bool { return r.measured() || r.active() }

// begin gives an event that starts its place among the operations that are measured.
func (r *recording) begin(above *recording, options []FieldOption) {
	if r.tracer.meter == nil || r.tracer.closed.Load() {
		return
	}
	start := time.Now()
	for i := range options {
		if o := &options[i]; o.field == fieldStart && !o.time.IsZero() {
			start = o.time
		}
	}
	var outer *measure.Operation
	if above != nil {
		outer = above.operation
	}
	r.operation = measure.Begin(outer, start)
}

// startTime returns when the event started.
func (r *recording) startTime() time.Time {
	if r.sdk != nil {
		return r.sdk.StartTime()
	}
	return r.operation.Start
}

// endTime returns when the event ended, which it just has.
func (r *recording) endTime(set *fields.Set) time.Time {
	if r.sdk != nil {
		return r.sdk.EndTime()
	}
	if at := set.End(); !at.IsZero() {
		return at
	}
	return r.operation.Start.Add(time.Since(r.operation.Start)) // by the clock that nobody sets
}

// endUnrecorded ends an event that is measured alone.
func (r *recording) endUnrecorded(options []FieldOption) {
	if !r.measured() {
		return
	}
	r.apply(opEnd, options)
	if set, ok := r.fields.Freeze(); ok {
		r.measure(&set)
	}
}

// measure makes metrics of an event that has ended.
func (r *recording) measure(set *fields.Set) {
	if !r.measured() {
		return
	}
	defer r.tracer.guard("measure event") // a meter provider is the user's
	plain := set.WithoutContent()
	var shown span.Span
	k := shown.Know()
	k.Type, k.Operation = r.kind.eventType, r.kind.operation
	_ = plain.Show(&shown) // which reports itself where the event is recorded
	if span.HasKey(shown.Attributes, genai.OperationName) {
		k.Operation = ""
	}
	shown.Start, shown.End = r.startTime(), r.endTime(set)
	var n convert.Span
	shown.Neutral(&n)
	rec := convert.Convert(&n)
	r.tracer.meter.Record(r.exemplar(), r.operation, &rec, &n)
}

// measureUsage adds to the metrics what an event says it used when it has ended.
func (r *recording) measureUsage(input, output int64) {
	if r.measured() {
		defer r.tracer.guard("measure event")
		r.tracer.meter.Tokens(r.exemplar(), r.operation, input, output)
	}
}

// exemplar returns a context by which the SDK finds the span of an exemplar.
func (r *recording) exemplar() context.Context {
	return trace.ContextWithSpanContext(context.Background(), r.openSpan().SpanContext())
}

// Package llmhttp measures calls whose span their client made, with which they have
// no event, by an event that is measured and nothing else.
func init() {
	pipeline.Measured = func(ctx context.Context, tracer, kind any) any {
		above := recordingFrom(ctx)
		t, _ := tracer.(*Tracer)
		if t == nil || above != nil && above.tracer != nil {
			t = tracerOf(ctx)
		}
		e := new(Event)
		e.rec.tracer, e.rec.event, e.rec.node, e.rec.kind = t.orNothing(), e, new(tree.Node), kind.(Kind).info()
		e.rec.begin(above, nil)
		return e
	}
}
