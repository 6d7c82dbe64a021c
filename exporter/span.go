package exporter

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/internal/span"
)

// view is a worker's view of one span after the other: as much of each as its
// destination may see.
type view struct {
	privacy privacy
	cut     cutter
	project string // for spans that name none
	source  string
	span    span.Span
	neutral convert.Span // the span as a conversion looks at it

	resource *resource.Resource // of the last span that open has shown
	agent    []attribute.KeyValue
}

// open shows a source to a conversion, whose records say of the resource which agent
// the program is. The local server reads the same from the resource of a span that
// comes by OTLP.
func (v *view) open(s span.Source) {
	s.Show(&v.span)
	if r := v.span.Resource; r != v.resource {
		v.resource, v.agent = r, nil
		for it := r.Iter(); it.Next(); {
			if kv := it.Attribute(); convert.IsMainAgent(kv) {
				v.agent = append(v.agent, kv)
			}
		}
	}
	v.span.Attributes = convert.AppendMainAgent(slices.Clip(v.span.Attributes), v.agent)
}

// show returns what the destination may see of a source, until clear.
func (v *view) show(s span.Source) *span.Span {
	s.Show(&v.span)
	v.limit(s.Size())
	return &v.span
}

// limit takes away what the destination may not see of the span that is shown, of a
// source of the given size.
func (v *view) limit(size int64) {
	v.redact()
	v.cut.span(&v.span, size)
}

// clear is to be deferred before show: a redactor may end its goroutine.
func (v *view) clear() { v.span.Clear() }

// read calls a function of package convert with the span that is shown, for which
// the project and the source are defaults. What it returns may stand in memory of the
// view, until that is cleared.
func read[T any](v *view, by func(*convert.Span) T, project, source string) T {
	v.span.Neutral(&v.neutral)
	v.neutral.Project, v.neutral.Source = project, source
	defer func() { // nothing of it is kept until the next one comes, but for room
		clear(v.neutral.Events)
		v.neutral = convert.Span{Events: v.neutral.Events[:0]}
	}()
	return by(&v.neutral)
}
