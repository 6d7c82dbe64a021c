package sessionspan

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/content"
	"github.com/sessionspan/sessionspan/internal/span"
)

// This file writes on spans what is known of them, for others who read the provider.

// lister lists what is known as attributes.
type lister struct {
	span span.Span
	list []attribute.KeyValue
}

var listers = sync.Pool{New: func() any { return new(lister) }}

// list calls use with the attributes of what know fills in. Their texts may be kept.
func list(know func(s *span.Span), use func([]attribute.KeyValue)) {
	l := listers.Get().(*lister)
	know(&l.span)
	l.list = l.span.AppendAttributes(l.list[:0])
	use(l.list)
	l.span.Forget()
	clear(l.list)
	listers.Put(l)
}

// stamp writes on a span, when it starts, what it is, for other processors of the
// provider. The parent is among it if it is known by now.
func (r *recording) stamp(s sdktrace.ReadWriteSpan) {
	n := r.node
	list(func(to *span.Span) {
		e := entry{identity: n.Identity(), parent: n.KnownParent()}
		k := e.show(to)
		k.EventID = n.Chosen
		if r.kind == nil {
			k.Type, k.SessionName = honeyhive.TypeSession, r.session.name
		} else {
			k.Type, k.Operation, k.Kind = r.kind.eventType, r.kind.operation, r.kind.kind
		}
	}, func(kvs []attribute.KeyValue) { s.SetAttributes(kvs...) })
}

// write writes on a span, when it ends, what was set.
func (e *ownEntry) write(s trace.Span) {
	list(func(to *span.Span) {
		k := to.Know()
		if ids := e.children.IDs(); len(ids) > 0 {
			k.ChildrenIDs = honeyhive.Some(ids)
		}
		_ = e.set.Show(to) // which was joined, and so has no raw JSON any more
		if e.offSpan() {
			content.Closed.Known(k)
			to.GenAI, to.Attributes = content.Closed.Attributes(to.GenAI), content.Closed.Attributes(to.Attributes)
		}
	}, func(kvs []attribute.KeyValue) { s.SetAttributes(kvs...) })
}

// offSpan reports whether content stays off the span.
func (e *ownEntry) offSpan() bool { return e.tracer.offSpans || e.NoContent }

// writes returns how many attributes write wrote at least.
func (e *ownEntry) writes() int {
	if e.offSpan() {
		return 0
	}
	return e.set.Len()
}
