package otlp

import (
	"errors"
	"fmt"
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/internal/span"
)

// Read fills in a span that is zero or was cleared, with what a body of AppendTraces
// says, all of its attributes among those of others. AppendTraces makes the same of it
// again.
func Read(s *span.Span, body []byte) error {
	var traces tracepb.TracesData
	if err := proto.Unmarshal(body, &traces); err != nil {
		return fmt.Errorf("read traces: %w", err)
	}
	if len(traces.GetResourceSpans()) != 1 || len(traces.GetResourceSpans()[0].GetScopeSpans()) != 1 || len(traces.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()) != 1 {
		return errors.New("read traces: the body does not have one span")
	}
	r := traces.GetResourceSpans()[0]
	scope := r.GetScopeSpans()[0]
	p := scope.GetSpans()[0]
	if r.GetResource() != nil {
		s.Resource = resource.NewWithAttributes(r.GetSchemaUrl(), readAttributes(r.GetResource().GetAttributes())...)
	}
	s.Scope = instrumentation.Scope{
		Name: scope.GetScope().GetName(), Version: scope.GetScope().GetVersion(), SchemaURL: scope.GetSchemaUrl(),
		Attributes: attribute.NewSet(readAttributes(scope.GetScope().GetAttributes())...),
	}
	state, _ := trace.ParseTraceState(p.GetTraceState())
	s.Context = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: readTraceID(p.GetTraceId()), SpanID: readSpanID(p.GetSpanId()), TraceFlags: trace.TraceFlags(p.GetFlags() & 0xff), TraceState: state,
	})
	s.Parent = trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: readTraceID(p.GetTraceId()), SpanID: readSpanID(p.GetParentSpanId()), Remote: p.GetFlags()&flagRemote != 0,
	})
	s.Name, s.Kind = p.GetName(), trace.SpanKind(p.GetKind())
	s.Start, s.End = readTime(p.GetStartTimeUnixNano()), readTime(p.GetEndTimeUnixNano())
	s.Attributes = readAttributes(p.GetAttributes())
	for _, e := range p.GetEvents() {
		s.Events = append(s.Events, sdktrace.Event{
			Name: e.GetName(), Time: readTime(e.GetTimeUnixNano()), Attributes: readAttributes(e.GetAttributes()), DroppedAttributeCount: int(e.GetDroppedAttributesCount()),
		})
	}
	for _, l := range p.GetLinks() {
		s.Links = append(s.Links, sdktrace.Link{
			SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
				TraceID: readTraceID(l.GetTraceId()), SpanID: readSpanID(l.GetSpanId()), TraceFlags: trace.TraceFlags(l.GetFlags() & 0xff), Remote: l.GetFlags()&flagRemote != 0,
			}),
			Attributes: readAttributes(l.GetAttributes()), DroppedAttributeCount: int(l.GetDroppedAttributesCount()),
		})
	}
	s.DroppedAttributes, s.DroppedEvents, s.DroppedLinks = int(p.GetDroppedAttributesCount()), int(p.GetDroppedEventsCount()), int(p.GetDroppedLinksCount())
	s.Status.Description = p.GetStatus().GetMessage()
	switch p.GetStatus().GetCode() {
	case statusOK:
		s.Status.Code = codes.Ok
	case statusError:
		s.Status.Code = codes.Error
	default:
	}
	return nil
}

func readTraceID(b []byte) (id trace.TraceID) {
	copy(id[:], b)
	return id
}

func readSpanID(b []byte) (id trace.SpanID) {
	copy(id[:], b)
	return id
}

func readTime(nano uint64) time.Time { return time.Unix(0, int64(min(nano, math.MaxInt64))) }

func readAttributes(list []*commonpb.KeyValue) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(list))
	for _, kv := range list {
		out = append(out, attribute.KeyValue{Key: attribute.Key(kv.GetKey()), Value: readValue(kv.GetValue())})
	}
	return out
}

func readValue(v *commonpb.AnyValue) attribute.Value {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return attribute.StringValue(v.StringValue)
	case *commonpb.AnyValue_BoolValue:
		return attribute.BoolValue(v.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return attribute.Int64Value(v.IntValue)
	case *commonpb.AnyValue_DoubleValue:
		return attribute.Float64Value(v.DoubleValue)
	case *commonpb.AnyValue_BytesValue:
		return attribute.ByteSliceValue(v.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		return readArray(v.ArrayValue.GetValues())
	case *commonpb.AnyValue_KvlistValue:
		return attribute.MapValue(readAttributes(v.KvlistValue.GetValues())...)
	}
	return attribute.Value{}
}

// readArray returns a list, of texts where all are, as those who look at attributes know
// it.
func readArray(values []*commonpb.AnyValue) attribute.Value {
	list, texts := make([]attribute.Value, 0, len(values)), make([]string, 0, len(values))
	for _, e := range values {
		value := readValue(e)
		list = append(list, value)
		if value.Type() == attribute.STRING {
			texts = append(texts, value.AsString())
		}
	}
	if len(texts) == len(list) {
		return attribute.StringSliceValue(texts)
	}
	return attribute.SliceValue(list...)
}
