//go:build !race

package exporter

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/span"
)

// callSpan is the call of a model in a session, with 2 KB in and 2 KB out.
func callSpan(t testing.TB) sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	_, span := provider.Tracer("test").Start(context.Background(), "chat gpt-4o")
	text := strings.Repeat("What is in the context? ", 2048/24)
	const id = "0a1b2c3d-0000-4000-8000-0123456789ab"
	span.SetAttributes(
		attribute.String(honeyhive.AttrSessionID, id), attribute.String(honeyhive.AttrProject, "project"), attribute.String(honeyhive.AttrSource, "test"),
		attribute.String(honeyhive.AttrEventType, honeyhive.TypeModel), attribute.String(honeyhive.AttrParentID, id),
		attribute.String(honeyhive.AttrConfig, `{"provider":"openai","model":"gpt-4o","temperature":0.5,"top_p":1,"max_tokens":1000,"stream":true}`),
		attribute.String(honeyhive.AttrInputs, `{"chat_history":[{"role":"system","content":"Answer."},{"role":"user","content":"`+text+`"}]}`),
		attribute.String(honeyhive.AttrOutputs, `{"role":"assistant","content":"`+text+`"}`),
		attribute.String(honeyhive.AttrMetadata, `{"prompt_tokens":500,"completion_tokens":500,"total_tokens":1000}`),
		attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.provider.name", "openai"), attribute.String("gen_ai.request.model", "gpt-4o"),
		attribute.Int("gen_ai.usage.input_tokens", 500), attribute.Int("gen_ai.usage.output_tokens", 500),
	)
	span.End()
	return recorder.Ended()[0]
}

// encoders are the destinations that encode spans, by name.
func encoders(t testing.TB) map[string]delivery.Destination {
	t.Helper()
	return map[string]delivery.Destination{
		"otlp": &collector{view: view{cut: newCutter(0)}},
		"http": &payloads{transport: new(httpTransport), view: view{cut: newCutter(0)}},
	}
}

func TestEncodeAllocations(t *testing.T) {
	source := span.FromSDK(callSpan(t))
	budget := map[string]float64{"otlp": 0, "http": 6} // the span is not ours, so one reads its identity and one all of it
	for name, d := range encoders(t) {
		var r delivery.Record
		scratch := make([]byte, 0, 16<<10)
		n := testing.AllocsPerRun(100, func() {
			r = delivery.Record{Value: source, Body: scratch}
			if err := d.Encode(&r); err != nil {
				t.Fatal(err)
			}
		})
		if n > budget[name] {
			t.Errorf("%s: %v allocations, want at most %v", name, n, budget[name])
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	source := span.FromSDK(callSpan(b))
	for name, d := range encoders(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			scratch := make([]byte, 0, 16<<10)
			for b.Loop() {
				if err := d.Encode(&delivery.Record{Value: source, Body: scratch}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
