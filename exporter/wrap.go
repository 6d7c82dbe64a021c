package exporter

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/span"
)

// wrapTries is how often a batch is given to a foreign exporter that returns
// errors, before the record at fault is looked for.
const wrapTries = 8

// Wrap returns an exporter that gives spans to any SpanExporter, behind a queue
// of its own: bounded in bytes, with retries, and safe from panics. It takes
// every span of its provider. Its Shutdown is called once, at the first
// [Exporter.Shutdown], after what was left was given to it.
//
// An exporter cannot say whether trying again helps, so an error is tried again
// seven times with back-off; after that the batch is halved until the span at
// fault is alone, and that one is dropped and counted.
func Wrap(exp sdktrace.SpanExporter, options ...Option) (*Exporter, error) {
	c := newConfig(fmt.Sprintf("%T", exp), options)
	if exp == nil {
		c.problems = append(c.problems, errors.New("it is nil"))
	}
	if c.spool != nil {
		c.check("WithSpool", fmt.Errorf("%T takes spans alone, which cannot be kept on disk: use NewOTLP for a spool", exp))
	}
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("wrap exporter: %w", errors.Join(c.problems...))
	}
	limits := c.engine()
	limits.InFlight = 1 // SpanExporter.ExportSpans is not called concurrently
	d := &wrapped{exporter: exp, privacy: c.privacy, cut: c.cutter()}
	return &Exporter{engine: delivery.New(limits, d), privacy: c.privacy, closing: closing{what: c.name, do: exp.Shutdown}}, nil
}

type wrapped struct {
	exporter sdktrace.SpanExporter
	privacy  privacy
	cut      cutter
	spansOnly
}

// Encode redacts the span. One of which nothing is redacted stays as it came until it
// is sent, since what is made of it for the exporter takes more memory.
func (d *wrapped) Encode(r *delivery.Record) error {
	if !d.privacy.off() {
		v := view{privacy: d.privacy, cut: d.cut}
		snapshot, _ := v.show(r.Value.(span.Source)).Snapshot(nil)
		r.Value = span.FromSDK(snapshot)
	}
	return nil
}

func (d *wrapped) Send(ctx context.Context, batch []*delivery.Record) delivery.Result {
	const ids, attributes = 128, 24                                   // of a span, about
	v := view{cut: d.cut, privacy: privacy{closed: d.privacy.closed}} // the rest is done by Encode
	v.span.Grow(ids * len(batch))
	list := make([]attribute.KeyValue, 0, attributes*len(batch))
	spans := make([]sdktrace.ReadOnlySpan, len(batch))
	for i, r := range batch {
		spans[i], list = v.show(r.Value.(span.Source)).Snapshot(list)
		v.span.Forget()
	}
	err := d.exporter.ExportSpans(ctx, spans)
	switch {
	case err == nil:
		return delivery.Result{Outcome: delivery.Delivered}
	case batch[0].Tries() < wrapTries-1:
		return delivery.Result{Outcome: delivery.Retry, Err: err}
	}
	return delivery.Result{Outcome: delivery.Bad, Err: err}
}

// spansOnly is for destinations without sessions: their records belong to no
// group.
type spansOnly struct{}

func (spansOnly) Announce([16]byte, any, []*delivery.Record) (*delivery.Record, any) { return nil, nil }
func (spansOnly) Amend(*delivery.Record, any) bool                                   { return false }
func (spansOnly) Abandon([16]byte, any, any) *delivery.Record                        { return nil }
