package peer

import (
	"context"
	"encoding/json"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/bench/workload"
)

// otel is the SDK of OpenTelemetry behind its batch processor, as it is by
// default, but that a full queue blocks.
type otel struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	raw      bool
}

func startOTel(compression string) func(Env) (Client, error) {
	return func(env Env) (Client, error) {
		options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(env.URL + "/v1/traces")}
		if compression == gzipName {
			options = append(options, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		}
		e, err := otlptracehttp.New(context.Background(), options...)
		if err != nil {
			return nil, fmt.Errorf("start otel: %w", err)
		}
		return NewOTel(e, env.Raw), nil
	}
}

func startOTelJSON(env Env) (Client, error) { return NewOTel(newJSONExporter(env.URL), env.Raw), nil }

// NewOTel returns the SDK in front of an exporter.
func NewOTel(e sdktrace.SpanExporter, raw bool) Client {
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(e, sdktrace.WithBlocking()))
	return &otel{provider, provider.Tracer(tracerName), raw}
}

func (o *otel) Flush(ctx context.Context) error { return o.provider.ForceFlush(ctx) }
func (o *otel) Close(ctx context.Context) error { return o.provider.Shutdown(ctx) }

func (o *otel) Root() Root {
	ctx, span := o.tracer.Start(context.Background(), rootName)
	return &otelRoot{o, ctx, span}
}

type otelRoot struct {
	client *otel
	ctx    context.Context
	span   trace.Span
}

func (r *otelRoot) End() { r.span.End() }

func (r *otelRoot) Empty() {
	_, span := r.client.tracer.Start(r.ctx, stepName)
	span.End()
}

func (r *otelRoot) Call(c *workload.Content) {
	_, span := r.client.tracer.Start(r.ctx, callName, trace.WithSpanKind(trace.SpanKindClient))
	inputs, outputs := c.RawInputs, c.RawOutputs
	if !r.client.raw {
		inputs, _ = json.Marshal(c.Inputs) // strings and maps alone
		outputs, _ = json.Marshal(c.Outputs)
	}
	span.SetAttributes(
		attribute.String("gen_ai.operation.name", "chat"),
		attribute.String("honeyhive_event_type", "model"),
		attribute.String("honeyhive_inputs", string(inputs)),
		attribute.String("honeyhive_outputs", string(outputs)),
		attribute.Int("gen_ai.usage.input_tokens", workload.InputTokens),
		attribute.Int("gen_ai.usage.output_tokens", workload.OutputTokens),
		attribute.String("gen_ai.provider.name", workload.Provider),
		attribute.String("gen_ai.request.model", workload.Model),
		attribute.Float64("gen_ai.request.temperature", workload.Temperature),
		attribute.Float64("gen_ai.request.top_p", workload.TopP),
		attribute.Int("gen_ai.request.max_tokens", workload.MaxTokens),
		attribute.Bool("gen_ai.request.stream", workload.Stream),
	)
	span.End()
}
