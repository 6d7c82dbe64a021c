package otlp_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/internal/otlp"
	"github.com/sessionspan/sessionspan/internal/span"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is an OTLP client that hands on what the SDK's exporter would send.
type client func([]*tracepb.ResourceSpans) error

func (client) Start(context.Context) error { return nil }
func (client) Stop(context.Context) error  { return nil }
func (c client) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	return c(spans)
}

// fromSDK returns what the SDK's exporter sends for the spans.
func fromSDK(t testing.TB, spans ...sdktrace.ReadOnlySpan) *tracepb.TracesData {
	t.Helper()
	traces := new(tracepb.TracesData)
	exporter := otlptrace.NewUnstarted(client(func(spans []*tracepb.ResourceSpans) error {
		traces.ResourceSpans = spans
		return nil
	}))
	if err := exporter.ExportSpans(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	return traces
}

func unmarshal(t testing.TB, body []byte) *tracepb.TracesData {
	t.Helper()
	traces := new(tracepb.TracesData)
	if err := proto.Unmarshal(body, traces); err != nil {
		t.Errorf("unmarshal: %v", err)
	}
	return traces
}

func wantEqual(t testing.TB, got, want *tracepb.TracesData) {
	t.Helper()
	if !proto.Equal(got, want) {
		// As text, because a diff of deeply nested messages does not come to an end.
		t.Errorf("not what the SDK sends (-want +got):\n%s", cmp.Diff(prototext.Format(want), prototext.Format(got)))
	}
}

var (
	traceID = trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	spanID  = trace.SpanID{0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8}
	start   = time.Unix(1_700_000_000, 123_456_789)
)

// fullSpan has something in every field.
func fullSpan(t testing.TB) tracetest.SpanStub {
	t.Helper()
	state, err := trace.ParseTraceState("vendor=value,other=more")
	if err != nil {
		t.Fatal(err)
	}
	return tracetest.SpanStub{
		Name: "chat gpt",
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled, TraceState: state,
		}),
		Parent: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: traceID, SpanID: trace.SpanID{9}, TraceFlags: trace.FlagsSampled, Remote: true,
		}),
		SpanKind:   trace.SpanKindClient,
		StartTime:  start,
		EndTime:    start.Add(time.Second),
		Attributes: []attribute.KeyValue{attribute.String("in", "hello"), attribute.Int("tokens", 12)},
		Events: []sdktrace.Event{
			{Name: "first", Time: start.Add(time.Millisecond), DroppedAttributeCount: 3},
			{Attributes: []attribute.KeyValue{attribute.Bool("b", true), attribute.StringSlice("s", []string{"", "x"})}},
		},
		Links: []sdktrace.Link{
			{
				SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
					TraceID: trace.TraceID{7}, SpanID: trace.SpanID{8}, TraceFlags: 0xff, TraceState: state, Remote: true,
				}),
				Attributes:            []attribute.KeyValue{attribute.Float64("weight", 0.5)},
				DroppedAttributeCount: 4,
			},
			{},
		},
		Status:            sdktrace.Status{Code: codes.Error, Description: "it broke"},
		DroppedAttributes: 5,
		DroppedEvents:     6,
		DroppedLinks:      7,
		Resource: resource.NewWithAttributes("https://example.com/resource",
			attribute.String("service.name", "test"), attribute.IntSlice("list", []int{1, -1})),
		InstrumentationScope: instrumentation.Scope{
			Name: "scope", Version: "v1", SchemaURL: "https://example.com/scope",
			Attributes: attribute.NewSet(attribute.String("a", "b"), attribute.Bool("c", false)),
		},
	}
}

// appendTraces encodes a span of the SDK with its attributes.
func appendTraces(dst []byte, s sdktrace.ReadOnlySpan) []byte {
	var shown span.Span
	span.FromSDK(s).Show(&shown)
	return otlp.AppendTraces(slices.Grow(dst, otlp.Size(&shown, shown.Attributes)), &shown, shown.Attributes)
}
