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
	// record records a call: its content alone, or all that this library says of it.
	record func(span trace.Span, c *workload.Content, raw bool)
}

func startOTel(compression string, record func(trace.Span, *workload.Content, bool)) func(Env) (Client, error) {
	return func(env Env) (Client, error) {
		options := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(env.URL + "/v1/traces")}
		if compression == gzipName {
			options = append(options, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		}
		e, err := otlptracehttp.New(context.Background(), options...)
		if err != nil {
			return nil, fmt.Errorf("start otel: %w", err)
		}
		return newOTel(e, env.Raw, record), nil
	}
}

func startOTelJSON(env Env) (Client, error) { return NewOTel(NewJSONExporter(env.URL), env.Raw), nil }

// NewOTel returns the SDK in front of an exporter.
func NewOTel(e sdktrace.SpanExporter, raw bool) Client { return newOTel(e, raw, recordContent) }

func newOTel(e sdktrace.SpanExporter, raw bool, record func(trace.Span, *workload.Content, bool)) Client {
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(e, sdktrace.WithBlocking()))
	return &otel{provider, provider.Tracer(tracerName), raw, record}
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
	r.client.record(span, c, r.client.raw)
	span.End()
}

// encoded returns the JSON of a value, of which there is one already if it is given
// raw. Values are strings, numbers and maps of them.
func encoded(value any, given json.RawMessage, raw bool) string {
	if !raw {
		given, _ = json.Marshal(value)
	}
	return string(given)
}

// recordContent sets what the call was given and answered, its tokens and its
// scalars, and what says that it is one.
func recordContent(span trace.Span, c *workload.Content, raw bool) {
	span.SetAttributes(
		attribute.String("gen_ai.operation.name", "chat"),
		attribute.String("honeyhive_event_type", "model"),
		attribute.String("honeyhive_inputs", encoded(c.Inputs, c.RawInputs, raw)),
		attribute.String("honeyhive_outputs", encoded(c.Outputs, c.RawOutputs, raw)),
		attribute.Int("gen_ai.usage.input_tokens", workload.InputTokens),
		attribute.Int("gen_ai.usage.output_tokens", workload.OutputTokens),
		attribute.String("gen_ai.provider.name", workload.Provider),
		attribute.String("gen_ai.request.model", workload.Model),
		attribute.Float64("gen_ai.request.temperature", workload.Temperature),
		attribute.Float64("gen_ai.request.top_p", workload.TopP),
		attribute.Int("gen_ai.request.max_tokens", workload.MaxTokens),
		attribute.Bool("gen_ai.request.stream", workload.Stream),
	)
}

// recordAll sets the attributes that this library sets for the same call. The ids
// are there already.
func recordAll(span trace.Span, c *workload.Content, raw bool) {
	const id = "fe733906-bcd7-485c-bb3b-6851eeb2bdd6"
	tokens, _ := json.Marshal(struct { // numbers alone
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	}{workload.InputTokens, workload.OutputTokens, workload.InputTokens + workload.OutputTokens})
	span.SetAttributes(
		attribute.String("honeyhive.session_id", id),
		attribute.Bool("honeyhive.session_auto_create", true),
		attribute.String("session.id", id),
		attribute.String("honeyhive.project", "bench"),
		attribute.String("honeyhive.source", "production"),
		attribute.String("honeyhive_event_id", id),
		attribute.String("honeyhive_event_name", callName),
		attribute.String("honeyhive_event_type", "model"),
		attribute.String("gen_ai.operation.name", "chat"),
		attribute.String("honeyhive_parent_id", id),
		attribute.String("honeyhive_config", encoded(c.Parameters, c.RawParameters, raw)),
		attribute.String("honeyhive_inputs", encoded(c.Inputs, c.RawInputs, raw)),
		attribute.String("honeyhive_outputs", encoded(c.Outputs, c.RawOutputs, raw)),
		attribute.String("honeyhive_metadata", string(tokens)),
		attribute.String("gen_ai.provider.name", workload.Provider),
		attribute.String("gen_ai.request.model", workload.Model),
		attribute.Int("gen_ai.usage.input_tokens", workload.InputTokens),
		attribute.Int("gen_ai.usage.output_tokens", workload.OutputTokens),
	)
}
