// Package traces reads what OTLP/HTTP clients send: an ExportTraceServiceRequest
// as protobuf or as JSON becomes spans that package convert understands. The
// format is that of the OpenTelemetry Protocol, version 1.
package traces

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/sessionspan/sessionspan/convert"
)

// MaxDepth is how many messages may be nested in each other. A value inside a
// list takes two levels, one inside a map three, so that some ninety lists or
// sixty maps may be open within an attribute.
const MaxDepth = 200

// Request is what one request holds.
type Request struct {
	Spans []convert.Span
	// Invalid counts the spans that were left out because they have no valid
	// trace and span id, and Problem says of the first one what is wrong.
	Invalid int
	Problem string
}

// spans turns the messages into spans that convert understands. The ids of a
// message are read by id, since the two encodings differ in them.
func spans(data *tracepb.TracesData, id func(dst, field []byte) error) *Request {
	req := new(Request)
	count := 0
	for _, r := range data.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			count += len(s.GetSpans())
		}
	}
	req.Spans = make([]convert.Span, 0, count)
	for _, r := range data.GetResourceSpans() {
		res := newResource(r.GetResource().GetAttributes())
		for _, s := range r.GetScopeSpans() {
			for _, span := range s.GetSpans() {
				out, err := res.span(span, id)
				if err == nil {
					req.Spans = append(req.Spans, out)
					continue
				}
				if req.Invalid++; req.Invalid == 1 {
					req.Problem = fmt.Sprintf("span %.64q: %v", span.GetName(), err)
				}
			}
		}
	}
	return req
}

func (r *resource) span(s *tracepb.Span, id func(dst, field []byte) error) (convert.Span, error) {
	out := convert.Span{
		Name:    s.GetName(),
		Start:   instant(s.GetStartTimeUnixNano()),
		End:     instant(s.GetEndTimeUnixNano()),
		Failed:  s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
		Status:  s.GetStatus().GetMessage(),
		Project: r.project, Source: r.source,
		Attributes: keyValues(r.identity, s.GetAttributes()),
	}
	if err := required("trace id", id, out.TraceID[:], s.GetTraceId()); err != nil {
		return out, err
	}
	if err := required("span id", id, out.SpanID[:], s.GetSpanId()); err != nil {
		return out, err
	}
	if len(s.GetParentSpanId()) > 0 {
		if err := id(out.ParentSpanID[:], s.GetParentSpanId()); err != nil {
			return out, fmt.Errorf("parent span id: %w", err)
		}
	}
	for _, e := range s.GetEvents() {
		out.Events = append(out.Events, convert.Event{Name: e.GetName(), Time: instant(e.GetTimeUnixNano()), Attributes: keyValues(nil, e.GetAttributes())})
	}
	for _, l := range s.GetLinks() {
		link := convert.Link{Attributes: keyValues(nil, l.GetAttributes())}
		if id(link.TraceID[:], l.GetTraceId()) == nil && id(link.SpanID[:], l.GetSpanId()) == nil {
			out.Links = append(out.Links, link)
		}
	}
	return out, nil
}

// required reads an id that must be there and be more than zeros.
func required(name string, id func(dst, field []byte) error, dst, field []byte) error {
	if err := id(dst, field); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, b := range dst {
		if b != 0 {
			return nil
		}
	}
	return fmt.Errorf("%s: is all zeros", name)
}

// instant returns a time in nanoseconds since the Unix epoch, or none where it
// is not set or past the year 2262.
func instant(nanoseconds uint64) time.Time {
	if n := int64(nanoseconds); n > 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// resource is what spans take over from the process that made them.
type resource struct {
	project, source string
	identity        []*commonpb.KeyValue
}

// Attributes of a resource that name the project and the source, the best
// first: those of HoneyHive, of OpenInference, and of the semantic conventions.
var (
	projectKeys = []string{"honeyhive.project", "honeyhive_project", "openinference.project.name", "service.name"}
	sourceKeys  = []string{"honeyhive.source", "honeyhive_source", "deployment.environment.name", "deployment.environment"}
)

// sessionPrefixes start the attributes which say what session a span belongs
// to, and which count for all spans of a resource where it has them.
var sessionPrefixes = []string{"honeyhive.session_", "honeyhive_session_"}

// newResource reads the attributes of a resource. What else it holds is no part
// of the record of a span, which is the same whichever way the span comes.
func newResource(attributes []*commonpb.KeyValue) *resource {
	r := new(resource)
	named := make(map[string]string)
	for _, kv := range attributes {
		key := kv.GetKey()
		named[key] = kv.GetValue().GetStringValue()
		for _, prefix := range sessionPrefixes {
			if strings.HasPrefix(key, prefix) {
				r.identity = append(r.identity, kv)
			}
		}
	}
	if strings.HasPrefix(named["service.name"], "unknown_service") { // what SDKs write where the user set none
		delete(named, "service.name")
	}
	r.project, r.source = first(named, projectKeys), first(named, sourceKeys)
	return r
}

func first(named map[string]string, keys []string) string {
	found := ""
	for _, key := range keys {
		found = cmp.Or(found, named[key])
	}
	return found
}
