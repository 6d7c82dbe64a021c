package otlp_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/internal/otlp"
)

// source makes spans out of fuzz bytes. After the last byte come zeros.
type source struct {
	data []byte
	// valid replaces invalid UTF-8, as the SDK's exporter needs it.
	valid bool
}

func (s *source) bytes(n int) []byte {
	out := make([]byte, n)
	s.data = s.data[copy(out, s.data):]
	return out
}

func (s *source) byte() byte     { return s.bytes(1)[0] }
func (s *source) number() uint64 { return binary.BigEndian.Uint64(s.bytes(8)) }
func (s *source) count() int     { return int(s.byte() % 4) }

func (s *source) text() string {
	text := string(s.bytes(int(s.byte()) % 40))
	if repeat := s.byte(); repeat > 250 {
		text = strings.Repeat(text, 50*int(repeat-250))
	}
	if s.valid {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	return text
}

// key is always valid where the SDK sorts by it, because replacing bytes
// afterwards would give another order.
func (s *source) key(sorted bool) string {
	key := s.text()
	if sorted {
		key = strings.ToValidUTF8(key, "\uFFFD")
	}
	return key
}

func (s *source) attributes(sorted bool, depth int) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, s.count())
	for i := range attrs {
		attrs[i] = attribute.KeyValue{Key: attribute.Key(s.key(sorted)), Value: s.value(depth)}
	}
	return attrs
}

func list[T any](n int, element func() T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = element()
	}
	return out
}

func (s *source) value(depth int) attribute.Value {
	float := func() float64 { return math.Float64frombits(s.number()) }
	kind := attribute.Type(s.byte() % 12)
	if depth == 0 && (kind == attribute.SLICE || kind == attribute.MAP) {
		kind = attribute.STRING
	}
	switch kind {
	case attribute.BOOL:
		return attribute.BoolValue(s.byte()%2 == 1)
	case attribute.INT64:
		return attribute.Int64Value(int64(s.number() >> (s.byte() % 64)))
	case attribute.FLOAT64:
		return attribute.Float64Value(float())
	case attribute.STRING:
		return attribute.StringValue(s.text())
	case attribute.BOOLSLICE:
		return attribute.BoolSliceValue(list(s.count(), func() bool { return s.byte()%2 == 1 }))
	case attribute.INT64SLICE:
		return attribute.Int64SliceValue(list(s.count(), func() int64 { return int64(s.number()) }))
	case attribute.FLOAT64SLICE:
		return attribute.Float64SliceValue(list(s.count(), float))
	case attribute.STRINGSLICE:
		return attribute.StringSliceValue(list(s.count(), s.text))
	case attribute.BYTESLICE:
		return attribute.ByteSliceValue(s.bytes(int(s.byte())))
	case attribute.SLICE:
		return attribute.SliceValue(list(s.count(), func() attribute.Value { return s.value(depth - 1) })...)
	case attribute.MAP:
		return attribute.MapValue(s.attributes(true, depth-1)...)
	default:
		return attribute.Value{}
	}
}

func (s *source) spanContext() trace.SpanContext {
	state, _ := trace.ParseTraceState(string(s.bytes(s.count() * 4)))
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(s.bytes(16)), SpanID: trace.SpanID(s.bytes(8)),
		TraceFlags: trace.TraceFlags(s.byte()), TraceState: state, Remote: s.byte()%2 == 1,
	})
}

func (s *source) time() time.Time { return time.Unix(0, int64(s.number())) }
func (s *source) dropped() int    { return int(s.number() >> (s.byte() % 64)) }

func (s *source) span() sdktrace.ReadOnlySpan {
	stub := tracetest.SpanStub{
		Attributes:  s.attributes(false, 3),
		Name:        s.text(),
		SpanContext: s.spanContext(), Parent: s.spanContext(),
		SpanKind:  trace.SpanKind(s.byte()),
		StartTime: s.time(), EndTime: s.time(),
		Status:            sdktrace.Status{Code: codes.Code(s.byte() % 4), Description: s.text()},
		DroppedAttributes: s.dropped(), DroppedEvents: s.dropped(), DroppedLinks: s.dropped(),
		Events: list(s.count(), func() sdktrace.Event {
			return sdktrace.Event{Name: s.text(), Time: s.time(), Attributes: s.attributes(false, 2), DroppedAttributeCount: s.dropped()}
		}),
		Links: list(s.count(), func() sdktrace.Link {
			return sdktrace.Link{SpanContext: s.spanContext(), Attributes: s.attributes(false, 2), DroppedAttributeCount: s.dropped()}
		}),
		InstrumentationScope: instrumentation.Scope{
			Name: s.text(), Version: s.text(), SchemaURL: s.text(),
			Attributes: attribute.NewSet(s.attributes(true, 2)...),
		},
	}
	if s.byte() != 0 {
		stub.Resource = resource.NewWithAttributes(s.text(), s.attributes(true, 2)...)
	}
	return stub.Snapshot()
}

func FuzzAppendTraces(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x03\x02\xff\xfe\x00\x0b\x02\x01k\x00\x04\x03abc\x00"))
	for kind := range byte(12) {
		f.Add([]byte{3, 1, 'a', 0, kind, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 0xff, 0xfe})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, sdks := source{data: data}, source{data: data, valid: true}
		span, valid := ours.span(), sdks.span()
		body := appendTraces(nil, span)
		wantEqual(t, unmarshal(t, body), fromSDK(t, valid))
		joined, err := join(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, unmarshal(t, joined), fromSDK(t, valid))
		if _, err := otlp.JSON(body); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzJoin(f *testing.F) {
	full, empty := appendTraces(nil, fullSpan(f).Snapshot()), appendTraces(nil, tracetest.SpanStub{}.Snapshot())
	f.Add(full, empty)
	f.Add(full, full)
	f.Add(full[:len(full)-1], []byte{})
	for _, value := range values {
		if value.Type() != attribute.STRING { // not the long one
			f.Add(appendTraces(nil, tracetest.SpanStub{Attributes: []attribute.KeyValue{{Key: "k", Value: value}}}.Snapshot()), empty)
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		joined, err := join([]byte("prefix"), a, full, b)
		if string(joined[:6]) != "prefix" || (err != nil && len(joined) != 6) {
			t.Fatalf("%q, %v", joined, err)
		}
		if err != nil {
			return
		}
		traces := unmarshal(t, joined[6:])
		n := 0
		for _, resource := range traces.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				n += len(scope.GetSpans())
			}
		}
		if n != 3 {
			t.Errorf("%d spans out of 3 bodies", n)
		}
		_, _ = otlp.JSON(joined[6:])
	})
}

func FuzzRejected(f *testing.F) {
	body, err := proto.Marshal(partial(3, "some"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"partialSuccess":{"rejectedSpans":"3","errorMessage":"some"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		otlp.Rejected("application/json", body)
		spans, message := otlp.Rejected("application/x-protobuf", body)
		var want collectorpb.ExportTraceServiceResponse
		if proto.Unmarshal(body, &want) != nil {
			return
		}
		if spans != max(0, want.GetPartialSuccess().GetRejectedSpans()) || message != want.GetPartialSuccess().GetErrorMessage() {
			t.Errorf("%d, %q, want %v", spans, message, &want)
		}
	})
}
