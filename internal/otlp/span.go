package otlp

import (
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sessionspan/sessionspan/internal/span"
)

// Bits of Span.flags and Link.flags above the eight of the trace flags.
const (
	flagKnowsRemote = 0x100 // the next bit has a meaning
	flagRemote      = 0x200 // the parent, or the linked span, is in another process
)

// Values of Status.code.
const (
	statusOK    = 1
	statusError = 2
)

// AppendTraces adds to dst the wire form of a TracesData, which is also that of
// an ExportTraceServiceRequest, that holds the span with its resource and its
// scope, and the given attributes. It is safe for concurrent use.
func AppendTraces(dst []byte, s *span.Span, attributes []attribute.KeyValue) []byte {
	r, scope := resourceFrame(s.Resource), scopeFrame(s.Scope)
	dst, resourceStart := openMessage(dst, tracesResourceSpans)
	dst = append(dst, r.head...)
	dst, scopeStart := openMessage(dst, resourceSpansScopeSpans)
	dst = append(dst, scope.head...)
	dst, spanStart := openMessage(dst, scopeSpansSpan)
	dst = appendSpan(dst, s, attributes)
	closeMessage(dst, spanStart)
	dst = append(dst, scope.tail...)
	closeMessage(dst, scopeStart)
	dst = append(dst, r.tail...)
	closeMessage(dst, resourceStart)
	return dst
}

// Size returns about how many bytes AppendTraces adds, rather more than less.
func Size(s *span.Span, attributes []attribute.KeyValue) int {
	return resourceFrame(s.Resource).size() + scopeFrame(s.Scope).size() + spanSize(s.Name, attributes, s.Events)
}

// spanSize guesses the size of a span, so that dst grows once and long strings
// are not copied again. It need not be exact.
func spanSize(name string, attrs []attribute.KeyValue, events []sdktrace.Event) int {
	const frame, eventFrame = 112, 32
	size := frame + len(name) + attributesSize(attrs)
	for i := range events {
		size += eventFrame + len(events[i].Name) + attributesSize(events[i].Attributes)
	}
	return size
}

func attributesSize(attrs []attribute.KeyValue) int {
	const frame = 14 // of two tags and lengths each
	size := frame * len(attrs)
	for i := range attrs {
		size += len(attrs[i].Key)
		if v := &attrs[i].Value; v.Type() == attribute.STRING {
			size += len(v.AsString())
		}
	}
	return size
}

func appendSpan(dst []byte, s *span.Span, attributes []attribute.KeyValue) []byte {
	dst = appendIDs(dst, s.Context)
	dst = appendText(dst, spanTraceState, validText(s.Context.TraceState().String()))
	if id := s.Parent.SpanID(); id.IsValid() {
		dst = protowire.AppendTag(dst, spanParentID, protowire.BytesType)
		dst = protowire.AppendBytes(dst, id[:])
	}
	dst = appendText(dst, spanName, validText(s.Name))
	dst = appendVarint(dst, spanKind, kindNumber(s.Kind))
	dst = appendFixed64(dst, spanStart, unixNano(s.Start))
	dst = appendFixed64(dst, spanEnd, unixNano(s.End))
	dst = appendAttributes(dst, spanAttribute, attributes)
	dst = appendCount(dst, spanDroppedAttributes, s.DroppedAttributes)
	dst = appendEvents(dst, s.Events)
	dst = appendCount(dst, spanDroppedEvents, s.DroppedEvents)
	dst = appendLinks(dst, s.Links)
	dst = appendCount(dst, spanDroppedLinks, s.DroppedLinks)
	dst = appendStatus(dst, s.Status)
	return appendFixed32(dst, spanFlags, flags(s.Context.TraceFlags(), s.Parent))
}

// appendIDs adds the trace ID and the span ID, which a span and a link hold in
// the same fields. Invalid IDs, all zeros, are written too.
func appendIDs(dst []byte, sc trace.SpanContext) []byte {
	traceID, spanID := sc.TraceID(), sc.SpanID()
	dst = protowire.AppendTag(dst, spanTraceID, protowire.BytesType)
	dst = protowire.AppendBytes(dst, traceID[:])
	dst = protowire.AppendTag(dst, spanSpanID, protowire.BytesType)
	return protowire.AppendBytes(dst, spanID[:])
}

func appendEvents(dst []byte, events []sdktrace.Event) []byte {
	for i := range events {
		event := &events[i]
		var start int
		dst, start = openMessage(dst, spanEvent)
		dst = appendFixed64(dst, eventTime, unixNano(event.Time))
		dst = appendText(dst, eventName, validText(event.Name))
		dst = appendAttributes(dst, eventAttribute, event.Attributes)
		dst = appendCount(dst, eventDroppedAttributes, event.DroppedAttributeCount)
		closeMessage(dst, start)
	}
	return dst
}

// appendLinks leaves out the trace state of a linked span, as the SDK does.
func appendLinks(dst []byte, links []sdktrace.Link) []byte {
	for i := range links {
		link := &links[i]
		var start int
		dst, start = openMessage(dst, spanLink)
		dst = appendIDs(dst, link.SpanContext)
		dst = appendAttributes(dst, linkAttribute, link.Attributes)
		dst = appendCount(dst, linkDroppedAttributes, link.DroppedAttributeCount)
		dst = appendFixed32(dst, linkFlags, flags(link.SpanContext.TraceFlags(), link.SpanContext))
		closeMessage(dst, start)
	}
	return dst
}

// appendStatus adds the status, which the SDK sends even when it is unset.
func appendStatus(dst []byte, status sdktrace.Status) []byte {
	message := validText(status.Description)
	var code uint64
	switch status.Code {
	case codes.Ok:
		code = statusOK
	case codes.Error:
		code = statusError
	default:
	}
	size := textSize(message)
	if code != 0 {
		size += 2
	}
	dst = protowire.AppendTag(dst, spanStatus, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	dst = appendText(dst, statusMessage, message)
	return appendVarint(dst, statusCode, code)
}

func appendCount(dst []byte, field protowire.Number, n int) []byte {
	return appendVarint(dst, field, uint64(min(max(0, int64(n)), math.MaxUint32)))
}

func flags(own trace.TraceFlags, other trace.SpanContext) uint32 {
	bits := uint32(own) | flagKnowsRemote
	if other.IsRemote() {
		bits |= flagRemote
	}
	return bits
}

// kindNumber returns the number of Span.SpanKind. OTLP and the SDK happen to
// use the same ones, except for what is unknown.
func kindNumber(kind trace.SpanKind) uint64 {
	if kind < trace.SpanKindInternal || kind > trace.SpanKindConsumer {
		return 0
	}
	return uint64(kind)
}

// unixNano returns 0 for a time before 1970, the zero time among them.
func unixNano(t time.Time) uint64 {
	return uint64(max(0, t.UnixNano()))
}
