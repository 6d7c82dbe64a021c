package interop

import (
	"context"
	"maps"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sessionspan/sessionspan/server/local"
)

// recorded are spans as the SDK for Go has them.
func recorded(t *testing.T, texts ...string) []sdktrace.ReadOnlySpan {
	t.Helper()
	memory := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(memory), sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "shop"))))
	ctx, root := provider.Tracer("app").Start(t.Context(), "answer", trace.WithAttributes(attribute.String("gen_ai.operation.name", "invoke_agent")))
	for _, text := range texts {
		_, call := provider.Tracer("app").Start(ctx, "chat m-1", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.completion", text)))
		call.End()
	}
	root.End()
	return memory.GetSpans().Snapshots()
}

// TestOpenTelemetryGo sends the same spans by each exporter of the SDK for Go, plain and
// compressed, to each port: each server holds the same.
func TestOpenTelemetryGo(t *testing.T) {
	spans := recorded(t, question, strings.Repeat(answer, 10_000))
	byGRPC := func(address string, options ...otlptracegrpc.Option) sdktrace.SpanExporter {
		exporter, err := otlptracegrpc.New(t.Context(), append(options, otlptracegrpc.WithEndpoint(address), otlptracegrpc.WithInsecure())...)
		if err != nil {
			t.Fatal(err)
		}
		return exporter
	}
	byHTTP := func(url string, options ...otlptracehttp.Option) sdktrace.SpanExporter {
		exporter, err := otlptracehttp.New(t.Context(), append(options, otlptracehttp.WithEndpointURL(url+"/v1/traces"))...)
		if err != nil {
			t.Fatal(err)
		}
		return exporter
	}
	port := func(s *local.Server) string { return strings.TrimPrefix(s.URL(), "http://") }
	var want map[string]string
	for name, exporter := range map[string]func(s *local.Server) sdktrace.SpanExporter{
		"HTTP": func(s *local.Server) sdktrace.SpanExporter { return byHTTP(s.URL()) },
		"HTTP, gzip": func(s *local.Server) sdktrace.SpanExporter {
			return byHTTP(s.URL(), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		},
		"gRPC": func(s *local.Server) sdktrace.SpanExporter { return byGRPC(s.GRPC()) },
		"gRPC, gzip": func(s *local.Server) sdktrace.SpanExporter {
			return byGRPC(s.GRPC(), otlptracegrpc.WithCompressor("gzip"))
		},
		"gRPC on HTTP's": func(s *local.Server) sdktrace.SpanExporter { return byGRPC(port(s)) },
		"gRPC on HTTP's, gzip": func(s *local.Server) sdktrace.SpanExporter {
			return byGRPC(port(s), otlptracegrpc.WithCompressor("gzip"))
		},
	} {
		s := start(t, local.WithGRPCAddress("127.0.0.1:0"))
		e := exporter(s)
		if err := e.ExportSpans(t.Context(), spans); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := e.Shutdown(context.Background()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := make(map[string]string)
		for _, n := range export(t.Context(), t, s) {
			got[n.ID] = text(n)
		}
		if want == nil {
			want = got
		}
		if len(got) != 4 || !maps.Equal(got, want) {
			t.Errorf("%s: %d records, which are others than those of another way in", name, len(got))
		}
	}
}

// TestCallsThatFail are told to the exporter as its protocol has it.
func TestCallsThatFail(t *testing.T) {
	s := start(t, local.WithToken("secret-token"))
	send := func(token string, spans []sdktrace.ReadOnlySpan) error {
		exporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpoint(strings.TrimPrefix(s.URL(), "http://")), otlptracegrpc.WithInsecure(),
			otlptracegrpc.WithHeaders(map[string]string{"authorization": "Bearer " + token}), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{}))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = exporter.Shutdown(context.Background()) }()
		return exporter.ExportSpans(t.Context(), spans)
	}
	if err := send("secret-token", recorded(t, question)); err != nil {
		t.Error(err)
	}
	if err := send("another", recorded(t, question)); status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "token") {
		t.Errorf("without the token: %v", err)
	}
	if err := send("secret-token", recorded(t, strings.Repeat("x", 33<<20))); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("too large: %.300v", err)
	}
	bad := tracetest.SpanStub{Name: "no ids"}.Snapshot()
	if err := send("secret-token", append(recorded(t, question), bad)); err == nil || !strings.Contains(err.Error(), "trace id") || !strings.Contains(err.Error(), "1 span") {
		t.Errorf("a partial success: %v", err)
	}
}
