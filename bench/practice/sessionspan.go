package practice

import (
	"context"
	"fmt"
	"net/http"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/bench/workload"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/llmhttp"
)

func startSessionspan(name, url string) (way, error) {
	provider := sdktrace.NewTracerProvider()
	options := []sessionspan.Option{
		sessionspan.WithTracerProvider(provider), sessionspan.WithoutEnvironment(), sessionspan.WithProject("bench"),
		// A full queue blocks, as for OpenTelemetry, so that nothing is lost.
		sessionspan.WithDefaults(exporter.WithLimits(exporter.Limits{QueueWait: time.Minute}), exporter.WithCompression(exporter.NoCompression)),
	}
	records := Steps + 1 // the server span is no event
	if name == SessionspanOTLP {
		options = append(options, sessionspan.WithOTLP(exporter.OTLPConfig{URL: url}))
		records++
	} else {
		options = append(options, sessionspan.WithHTTP(exporter.HTTPConfig{URL: url, Key: "bench"}))
	}
	tracer, err := sessionspan.New(options...)
	if err != nil {
		return way{}, fmt.Errorf("start sessionspan: %w", err)
	}
	transport := llmhttp.Transport(model{})
	return way{
		provider: provider, records: records, flush: tracer.ForceFlush, shutdown: tracer.Shutdown,
		start: func(ctx context.Context) session {
			ctx, s := tracer.StartSession(ctx, "conversation")
			return oursSession{ctx, s, transport}
		},
	}, nil
}

type oursSession struct {
	ctx       context.Context
	session   *sessionspan.Session
	transport http.RoundTripper
}

func (s oursSession) end(answer string) {
	s.session.SetOutputs(map[string]any{"content": answer})
	s.session.End()
}

func (s oursSession) step(kind string, c *workload.Content) error {
	if kind == Call {
		_, err := ask(s.ctx, s.transport, c)
		return err
	}
	_, e := sessionspan.StartEvent(s.ctx, sessionspan.Model, "chat "+workload.Model, sessionspan.WithModel(workload.Provider, workload.Model))
	defer e.End()
	if kind == Failure {
		e.SetInputs(map[string]any{"query": c.Question})
		e.RecordError(errStep)
		return errStep
	}
	e.SetMessages(sessionspan.Message{Role: "system", Content: c.System}, sessionspan.Message{Role: "user", Content: c.Question})
	e.SetReply(sessionspan.Message{Role: "assistant", Content: c.Answer, FinishReason: "stop"})
	e.SetUsage(sessionspan.Usage{InputTokens: workload.InputTokens, OutputTokens: workload.OutputTokens})
	return nil
}
