package convert

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// events reads what happened during the span: the last exception gives the
// error its text, dialects read theirs, anything else is kept in the metadata.
func (r *reader) events() {
	for i := range r.span.Events {
		if e := &r.span.Events[i]; isException(e.Name) {
			r.exception = e
		}
	}
	var kept []byte
	for i := range r.span.Events {
		e := &r.span.Events[i]
		if e == r.exception {
			continue
		}
		if read := eventReaders[e.Name]; read != nil && read(r, e) {
			continue
		}
		if kept == nil {
			kept = append(kept, '[')
		} else {
			kept = append(kept, ',')
		}
		kept = rawjson.AppendString(append(kept, `{"name":`...), e.Name)
		if !e.Time.IsZero() {
			kept = strconv.AppendInt(append(kept, `,"time":`...), e.Time.UnixMilli(), 10)
		}
		if len(e.Attributes) > 0 {
			kept = appendMap(append(kept, `,"attributes":`...), e.Attributes, 1)
		}
		kept = append(kept, '}')
	}
	if kept != nil {
		r.buckets[Metadata].put("span_events", string(append(kept, ']')), rankDerived)
	}
}

const exceptionPrefix = "exception."

// isException reports whether an event is an exception: OpenTelemetry's own, or
// one that the GenAI conventions name after what failed, such as
// gen_ai.client.inference.exception (v0.1.0), gen_ai.client.operation.exception
// (before) and gen_ai.execute_tool.exception.
func isException(name string) bool {
	return name == "exception" || strings.HasPrefix(name, "gen_ai.") && strings.HasSuffix(name, ".exception")
}

// exception is what is known of the exception that ended a span.
type exception struct {
	kind, message string
	about         bucketReader // all but the message
}

// lastException reads the last exception from the events of the span, or else
// from its attributes.
func (r *reader) lastException() exception {
	attributes := r.exceptionAttrs
	if r.exception != nil {
		for _, kv := range attributes {
			r.buckets[Metadata].putValue(valid(string(kv.Key)), kv.Value, rankRest)
		}
		attributes = r.exception.Attributes
	}
	var x exception
	for _, kv := range attributes {
		name := strings.TrimPrefix(valid(string(kv.Key)), exceptionPrefix)
		switch name {
		case "type":
			x.kind = valid(str(kv.Value))
		case "message":
			x.message = valid(str(kv.Value))
			continue
		}
		x.about.putValue(name, kv.Value, rankRest)
	}
	return x
}

// links keeps the links to other spans in the metadata.
func (r *reader) links() {
	if len(r.span.Links) == 0 {
		return
	}
	text := appendList(nil, r.span.Links, func(dst []byte, l Link) []byte {
		dst = hex.AppendEncode(append(dst, `{"trace_id":"`...), l.TraceID[:])
		dst = append(hex.AppendEncode(append(dst, `","span_id":"`...), l.SpanID[:]), '"')
		if len(l.Attributes) > 0 {
			dst = appendMap(append(dst, `,"attributes":`...), l.Attributes, 1)
		}
		return append(dst, '}')
	})
	r.buckets[Metadata].put("links", string(text), rankDerived)
}
