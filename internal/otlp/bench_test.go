package otlp_test

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// typicalSpan is one call of a model: two texts of 2 KB and six scalars.
func typicalSpan() sdktrace.ReadOnlySpan {
	return tracetest.SpanStub{
		Name: "chat gpt",
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled,
		}),
		Parent: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: traceID, SpanID: trace.SpanID{9}, TraceFlags: trace.FlagsSampled,
		}),
		SpanKind: trace.SpanKindClient, StartTime: start, EndTime: start.Add(time.Second),
		Attributes: []attribute.KeyValue{
			attribute.String("gen_ai.input.messages", strings.Repeat("question ", 2048/9)),
			attribute.String("gen_ai.output.messages", strings.Repeat("answer ", 2048/7)),
			attribute.String("gen_ai.request.model", "gpt-5"),
			attribute.String("session.id", "0a1b2c3d-0000-4000-8000-0123456789ab"),
			attribute.Int("gen_ai.usage.input_tokens", 512),
			attribute.Int("gen_ai.usage.output_tokens", 300),
			attribute.Float64("gen_ai.request.temperature", 0.7),
			attribute.Bool("stream", true),
		},
		Resource: typicalResource,
		InstrumentationScope: instrumentation.Scope{
			Name: "github.com/sessionspan/sessionspan", Version: "v1.0.0",
			Attributes: attribute.NewSet(attribute.String("a", "b")),
		},
	}.Snapshot()
}

var typicalResource = resource.NewWithAttributes("https://opentelemetry.io/schemas/1.40.0",
	attribute.String("service.name", "bench"), attribute.String("service.version", "v1.2.3"),
	attribute.String("host.name", "machine"), attribute.Int("process.pid", 4711),
	attribute.String("telemetry.sdk.language", "go"), attribute.String("telemetry.sdk.version", "1.47.0"))

// marshalling is an OTLP client that only encodes.
func marshalling(size *int) otlptrace.Client {
	return client(func(spans []*tracepb.ResourceSpans) error {
		body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
		*size = len(body)
		return err
	})
}

func BenchmarkEncode(b *testing.B) {
	span := typicalSpan()
	b.Run("sdk", func(b *testing.B) {
		b.ReportAllocs()
		var size int
		exporter := otlptrace.NewUnstarted(marshalling(&size))
		spans := []sdktrace.ReadOnlySpan{span}
		for b.Loop() {
			if err := exporter.ExportSpans(b.Context(), spans); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(size))
	})
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = appendTraces(buf[:0], span)
		}
		b.SetBytes(int64(len(buf)))
	})
	b.Run("append to nil", func(b *testing.B) {
		b.ReportAllocs()
		var size int
		for b.Loop() {
			size = len(appendTraces(nil, span))
		}
		b.SetBytes(int64(size))
	})
}

func BenchmarkEncodeParallel(b *testing.B) {
	span := typicalSpan()
	b.RunParallel(func(pb *testing.PB) {
		var buf []byte
		for pb.Next() {
			buf = appendTraces(buf[:0], span)
		}
	})
}

// BenchmarkBatch makes one request of 500 spans: the SDK from the spans, Join
// from the bodies that AppendTraces made as they ended.
func BenchmarkBatch(b *testing.B) {
	spans := make([]sdktrace.ReadOnlySpan, 500)
	for i := range spans {
		spans[i] = typicalSpan()
	}
	b.Run("sdk", func(b *testing.B) {
		b.ReportAllocs()
		var size int
		exporter := otlptrace.NewUnstarted(marshalling(&size))
		for b.Loop() {
			if err := exporter.ExportSpans(b.Context(), spans); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(size))
	})
	b.Run("join", func(b *testing.B) {
		b.ReportAllocs()
		encoded := bodies(spans...)
		var buf []byte
		for b.Loop() {
			var err error
			if buf, err = join(buf[:0], encoded...); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(len(buf)))
	})
}
