package peer

import (
	"context"
	"errors"
	"os"
	"time"

	langfuse "github.com/henomis/langfuse-go"
	"github.com/henomis/langfuse-go/model"

	"github.com/sessionspan/sessionspan/bench/workload"
)

// langfuseClient is a client of langfuse. Its queue has no bound. A call is given
// to it once, with its end, rather than as a start and an update, since that is
// less work for it.
type langfuseClient struct{ client *langfuse.Langfuse }

func startLangfuse(env Env) (Client, error) {
	for name, value := range map[string]string{"LANGFUSE_HOST": env.URL, "LANGFUSE_PUBLIC_KEY": "bench", "LANGFUSE_SECRET_KEY": "bench"} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	return &langfuseClient{langfuse.New(context.Background())}, nil
}

// Flush does nothing: that of the client can be called only once.
func (c *langfuseClient) Flush(context.Context) error { return nil }

func (c *langfuseClient) Close(ctx context.Context) error {
	c.client.Flush(ctx)
	return ctx.Err()
}

func (c *langfuseClient) Root() Root {
	trace, err := c.client.Trace(&model.Trace{Name: rootName})
	if err == nil && trace.ID == "" {
		err = errors.New("the trace has no id")
	}
	if err != nil {
		panic(err) // it keeps everything in memory
	}
	return &langfuseRoot{c, trace.ID}
}

type langfuseRoot struct {
	client *langfuseClient
	trace  string
}

func (r *langfuseRoot) End() {}

func (r *langfuseRoot) Empty() {
	now := time.Now()
	_, _ = r.client.client.Span(&model.Span{TraceID: r.trace, Name: stepName, StartTime: &now, EndTime: &now}, nil)
}

func (r *langfuseRoot) Call(c *workload.Content) {
	start := time.Now()
	end := time.Now()
	_, _ = r.client.client.Generation(&model.Generation{
		TraceID: r.trace, Name: callName, StartTime: &start, EndTime: &end,
		Input: c.Inputs, Output: c.Outputs, Model: workload.Model, ModelParameters: c.Parameters,
		Metadata: map[string]any{"provider": workload.Provider},
		Usage: model.Usage{
			Input: workload.InputTokens, Output: workload.OutputTokens, Total: workload.InputTokens + workload.OutputTokens,
			Unit: model.ModelUsageUnitTokens,
		},
	}, nil)
}
