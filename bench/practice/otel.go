package practice

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/bench/peer"
	"github.com/sessionspan/sessionspan/bench/workload"
)

func startOTel(name, url string) (way, error) {
	e := peer.NewJSONExporter(url)
	if name == OTel {
		var err error
		if e, err = otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(url+"/v1/traces")); err != nil {
			return way{}, fmt.Errorf("start otel: %w", err)
		}
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(e, sdktrace.WithBlocking()))
	tracer := provider.Tracer("practice")
	return way{
		provider: provider, records: Steps + 2, flush: provider.ForceFlush, shutdown: provider.Shutdown,
		start: func(ctx context.Context) session {
			ctx, span := tracer.Start(ctx, "conversation", trace.WithAttributes(attribute.String("honeyhive_event_type", "session")))
			return otelSession{ctx, tracer, span}
		},
	}, nil
}

type otelSession struct {
	ctx    context.Context
	tracer trace.Tracer
	span   trace.Span
}

func (s otelSession) end(answer string) {
	s.span.SetAttributes(attribute.String("honeyhive_outputs", text(map[string]string{"content": answer})))
	s.span.End()
}

// part is a message in the terms of the GenAI conventions.
type part struct {
	Type    string `json:"type"`
	Content string `json:"content"`
}

type partMessage struct {
	Role         string `json:"role"`
	Parts        []part `json:"parts"`
	FinishReason string `json:"finish_reason,omitempty"`
}

func text(v any) string {
	data, _ := json.Marshal(v) // strings and lists of them
	return string(data)
}

func (s otelSession) step(kind string, c *workload.Content) (err error) {
	ctx, span := s.tracer.Start(s.ctx, "chat "+workload.Model, trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	span.SetAttributes(attribute.String("honeyhive_event_type", "model"), attribute.String("gen_ai.operation.name", "chat"),
		attribute.String("gen_ai.provider.name", workload.Provider), attribute.String("gen_ai.request.model", workload.Model))
	messages := func() {
		span.SetAttributes(
			attribute.String("gen_ai.input.messages", text([]partMessage{{Role: "system", Parts: []part{{"text", c.System}}}, {Role: "user", Parts: []part{{"text", c.Question}}}})),
			attribute.String("gen_ai.output.messages", text([]partMessage{{Role: "assistant", Parts: []part{{"text", c.Answer}}, FinishReason: "stop"}})),
			attribute.Int("gen_ai.usage.input_tokens", workload.InputTokens), attribute.Int("gen_ai.usage.output_tokens", workload.OutputTokens),
			attribute.StringSlice("gen_ai.response.finish_reasons", []string{"stop"}))
	}
	switch kind {
	case Messages:
		messages()
	case Failure:
		span.SetAttributes(attribute.String("honeyhive_inputs", text(map[string]string{"query": c.Question})))
		span.RecordError(errStep)
		span.SetStatus(codes.Error, errStep.Error())
		return errStep
	case Call:
		answer, err := ask(ctx, model{}, c)
		if err != nil {
			return err
		}
		messages()
		span.SetAttributes(
			attribute.Float64("gen_ai.request.temperature", workload.Temperature), attribute.Int("gen_ai.request.max_tokens", workload.MaxTokens),
			attribute.String("gen_ai.response.id", answer.ID), attribute.String("gen_ai.response.model", answer.Model),
			attribute.String("server.address", "api.openai.com"), attribute.Int("server.port", 443), attribute.Int("http.response.status_code", http.StatusOK))
	}
	return nil
}
