package otlp

import (
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
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
// scope. The attributes in front stand before those of the span. It adds nothing
// for a nil span. It is safe for concurrent use.
func AppendTraces(dst []byte, s sdktrace.ReadOnlySpan, front ...attribute.KeyValue) []byte {
	if s == nil {
		return dst
	}
	e := Measure(s, Attributes{front: front, Other: s.Attributes()})
	return e.Append(slices.Grow(dst, e.Size))
}

// Attributes are those of a span, in three lists.
type Attributes struct {
	Encoded []byte               // by AppendSpanAttributes
	Clean   []attribute.KeyValue // whose texts are known to be valid UTF-8
	Other   []attribute.KeyValue

	front []attribute.KeyValue // in front of all others
}

// Encoding is AppendTraces in two steps, for a span that has other attributes than
// its own.
type Encoding struct {
	Size int // about how many bytes Append adds, rather more than less

	span            sdktrace.ReadOnlySpan
	attributes      Attributes
	resource, scope frame
}

// Measure finds out how much room a span takes.
func Measure(s sdktrace.ReadOnlySpan, a Attributes) Encoding {
	e := Encoding{span: s, attributes: a, resource: resourceFrame(s.Resource()), scope: scopeFrame(s.InstrumentationScope())}
	e.Size = e.resource.size() + e.scope.size() + len(a.Encoded) +
		attributesSize(a.front) + attributesSize(a.Clean) + spanSize(s.Name(), a.Other, s.Events())
	return e
}

// AppendSpanAttributes adds attributes as they stand in a span.
func AppendSpanAttributes(dst []byte, attrs []attribute.KeyValue) []byte {
	return appendAttributes(dst, spanAttribute, attrs)
}

// Append adds the span to dst, which had better have room for Size.
func (e *Encoding) Append(dst []byte) []byte {
	dst, resourceStart := openMessage(dst, tracesResourceSpans)
	dst = append(dst, e.resource.head...)
	dst, scopeStart := openMessage(dst, resourceSpansScopeSpans)
	dst = append(dst, e.scope.head...)
	dst, spanStart := openMessage(dst, scopeSpansSpan)
	dst = appendSpan(dst, e.span, &e.attributes)
	closeMessage(dst, spanStart)
	dst = append(dst, e.scope.tail...)
	closeMessage(dst, scopeStart)
	dst = append(dst, e.resource.tail...)
	closeMessage(dst, resourceStart)
	return dst
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

func appendSpan(dst []byte, s sdktrace.ReadOnlySpan, a *Attributes) []byte {
	span, parent := s.SpanContext(), s.Parent()
	dst = appendIDs(dst, span)
	dst = appendText(dst, spanTraceState, validText(span.TraceState().String()))
	if id := parent.SpanID(); id.IsValid() {
		dst = protowire.AppendTag(dst, spanParentID, protowire.BytesType)
		dst = protowire.AppendBytes(dst, id[:])
	}
	dst = appendText(dst, spanName, validText(s.Name()))
	dst = appendVarint(dst, spanKind, kindNumber(s.SpanKind()))
	dst = appendFixed64(dst, spanStart, unixNano(s.StartTime()))
	dst = appendFixed64(dst, spanEnd, unixNano(s.EndTime()))
	dst = appendAttributes(dst, spanAttribute, a.front)
	dst = append(dst, a.Encoded...)
	dst = appendCleanAttributes(dst, spanAttribute, a.Clean)
	dst = appendAttributes(dst, spanAttribute, a.Other)
	dst = appendCount(dst, spanDroppedAttributes, s.DroppedAttributes())
	dst = appendEvents(dst, s.Events())
	dst = appendCount(dst, spanDroppedEvents, s.DroppedEvents())
	dst = appendLinks(dst, s.Links())
	dst = appendCount(dst, spanDroppedLinks, s.DroppedLinks())
	dst = appendStatus(dst, s.Status())
	return appendFixed32(dst, spanFlags, flags(span.TraceFlags(), parent))
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
