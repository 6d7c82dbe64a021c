package peer

import (
	"context"
	"fmt"
	"os"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
	"github.com/DataDog/dd-trace-go/v2/llmobs"

	"github.com/sessionspan/sessionspan/bench/workload"
)

// llmobsClient is Datadog's LLM observability, which sends by way of an agent.
// What else its tracer does by default is switched off.
type llmobsClient struct{}

func startLLMObs(env Env) (Client, error) {
	for _, name := range []string{
		"DD_INSTRUMENTATION_TELEMETRY_ENABLED", "DD_REMOTE_CONFIGURATION_ENABLED", "DD_TRACE_STARTUP_LOGS",
		"DD_RUNTIME_METRICS_ENABLED", "DD_TRACE_STATS_COMPUTATION_ENABLED", "DD_RUNTIME_METRICS_V2_ENABLED",
	} {
		if err := os.Setenv(name, "false"); err != nil {
			return nil, err
		}
	}
	if err := os.Setenv("DD_TRACE_AGENT_URL", env.URL); err != nil {
		return nil, err
	}
	err := tracer.Start(
		tracer.WithService("bench"), tracer.WithLLMObsEnabled(true), tracer.WithLLMObsMLApp("bench"),
		tracer.WithLLMObsAgentlessEnabled(false), tracer.WithLogger(quiet{}),
	)
	if err != nil {
		return nil, fmt.Errorf("start llmobs: %w", err)
	}
	return llmobsClient{}, nil
}

type quiet struct{}

func (quiet) Log(string) {}

func (llmobsClient) Flush(context.Context) error {
	tracer.Flush()
	return nil
}

func (llmobsClient) Close(context.Context) error {
	tracer.Stop()
	return nil
}

func (llmobsClient) Root() Root {
	span, ctx := llmobs.StartWorkflowSpan(context.Background(), rootName)
	return &llmobsRoot{ctx, span}
}

type llmobsRoot struct {
	ctx  context.Context
	span *llmobs.WorkflowSpan
}

func (r *llmobsRoot) End() { r.span.Finish() }

func (r *llmobsRoot) Empty() {
	span, _ := llmobs.StartTaskSpan(r.ctx, stepName)
	span.Finish()
}

func (r *llmobsRoot) Call(c *workload.Content) {
	span, _ := llmobs.StartLLMSpan(r.ctx, callName, llmobs.WithModelName(workload.Model), llmobs.WithModelProvider(workload.Provider))
	span.AnnotateLLMIO(
		[]llmobs.LLMMessage{{Role: "system", Content: c.System}, {Role: "user", Content: c.Question}},
		[]llmobs.LLMMessage{{Role: "assistant", Content: c.Answer}},
		llmobs.WithAnnotatedMetadata(c.Parameters),
		llmobs.WithAnnotatedMetrics(map[string]float64{
			llmobs.MetricKeyInputTokens: workload.InputTokens, llmobs.MetricKeyOutputTokens: workload.OutputTokens,
			llmobs.MetricKeyTotalTokens: workload.InputTokens + workload.OutputTokens,
		}),
	)
	span.Finish()
}
