package exporter

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/spansize"
)

// A Detailed span comes from a recorder that knows more than the attributes
// say. Its Attributes are whole even where the limits of the provider cut those
// of the span.
type Detailed interface {
	sdktrace.ReadOnlySpan
	// Parsed returns the buckets that are known to be valid JSON objects, or
	// nil. It must agree with Attributes.
	Parsed() *convert.Buckets
	// Size returns about how many bytes the span keeps in memory.
	Size() int64
}

// neutralSpan returns what the conversion needs of a span.
func neutralSpan(s sdktrace.ReadOnlySpan) convert.Span {
	n := neutralWith(s, s.Attributes())
	if d, ok := s.(Detailed); ok {
		n.Parsed = d.Parsed()
	}
	return n
}

// neutralWith is neutralSpan for a span that has the given attributes, of which
// nothing is parsed.
func neutralWith(s sdktrace.ReadOnlySpan, attributes []attribute.KeyValue) convert.Span {
	status, sc := s.Status(), s.SpanContext()
	n := convert.Span{
		TraceID: sc.TraceID(), SpanID: sc.SpanID(), ParentSpanID: s.Parent().SpanID(),
		Name: s.Name(), Start: s.StartTime(), End: s.EndTime(),
		Failed: status.Code == codes.Error, Status: status.Description,
		Attributes: attributes,
	}
	for _, e := range s.Events() {
		n.Events = append(n.Events, convert.Event{Name: e.Name, Time: e.Time, Attributes: e.Attributes})
	}
	for _, l := range s.Links() {
		n.Links = append(n.Links, convert.Link{
			TraceID: l.SpanContext.TraceID(), SpanID: l.SpanContext.SpanID(), Attributes: l.Attributes,
		})
	}
	return n
}

// sizeOf returns about how many bytes a span keeps in memory.
func sizeOf(s sdktrace.ReadOnlySpan) int64 {
	if d, ok := s.(Detailed); ok {
		return d.Size()
	}
	return spansize.Span(s)
}

// updateOverhead is about what an update takes in memory besides its texts.
const updateOverhead = 1024

// sizeOfUpdate returns about how many bytes an update keeps in memory.
func sizeOfUpdate(u *honeyhive.Update) int64 {
	n := int64(updateOverhead)
	for _, o := range []honeyhive.Object{u.Config, u.Outputs, u.Metadata, u.Metrics, u.Feedback, u.UserProperties, u.Unknown} {
		n += int64(len(o.JSONText()))
	}
	return n
}
