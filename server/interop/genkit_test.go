package interop

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/firebase/genkit/go/ai"
	"github.com/firebase/genkit/go/core/tracing"
	"github.com/firebase/genkit/go/genkit"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/server/local"
)

type place struct {
	City string `json:"city"`
}

type report struct {
	City    string `json:"city"`
	Degrees int    `json:"degrees"`
}

// runGenkit runs a flow of Genkit with a model of its own, and sends what its provider
// records by gRPC.
func runGenkit(t *testing.T, s *local.Server, _ string) {
	t.Helper()
	ctx := context.Background() // its provider is one for the process
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(strings.TrimPrefix(s.URL(), "http://")), otlptracegrpc.WithInsecure(), otlptracegrpc.WithCompressor("gzip"))
	if err != nil {
		t.Fatal(err)
	}
	processor := sdktrace.NewBatchSpanProcessor(exporter)
	tracing.TracerProvider().RegisterSpanProcessor(processor)
	defer func() {
		if err := processor.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		tracing.TracerProvider().UnregisterSpanProcessor(processor)
	}()

	g := genkit.Init(ctx)
	supports := &ai.ModelOptions{Supports: &ai.ModelSupports{Tools: true, Multiturn: true, SystemRole: true}}
	genkit.DefineModel(g, "fake/m-1", supports, func(_ context.Context, req *ai.ModelRequest, _ ai.ModelStreamCallback) (*ai.ModelResponse, error) {
		time.Sleep(2 * time.Millisecond) // no model answers within the millisecond in which starts are told
		if last := req.Messages[len(req.Messages)-1]; last.Role == ai.RoleUser {
			call := ai.NewToolRequestPart(&ai.ToolRequest{Ref: "call-1", Name: toolName, Input: map[string]any{"city": "Oslo"}})
			return &ai.ModelResponse{
				Request: req, FinishReason: ai.FinishReasonStop, Message: ai.NewMessage(ai.RoleModel, nil, call),
				Usage: &ai.GenerationUsage{InputTokens: firstIn, OutputTokens: firstOut, TotalTokens: firstIn + firstOut},
			}, nil
		}
		return &ai.ModelResponse{
			Request: req, FinishReason: ai.FinishReasonStop, Message: ai.NewModelTextMessage(answer),
			Usage: &ai.GenerationUsage{InputTokens: secondIn, OutputTokens: secondOut, CachedContentTokens: cached, ThoughtsTokens: reasoning, TotalTokens: secondIn + secondOut},
		}, nil
	})
	genkit.DefineModel(g, "fake/"+failingModel, supports, func(context.Context, *ai.ModelRequest, ai.ModelStreamCallback) (*ai.ModelResponse, error) {
		return nil, errors.New(modelError)
	})
	weather := genkit.DefineTool(g, toolName, "The weather of a city.", func(_ *ai.ToolContext, in place) (report, error) { return report{in.City, 21}, nil })
	ask := func(model string) func(ctx context.Context, question string) (string, error) {
		return func(ctx context.Context, question string) (string, error) {
			response, err := genkit.Generate(ctx, g, ai.WithModelName("fake/"+model), ai.WithSystem("Be brief."), ai.WithPrompt("%s", question), ai.WithTools(weather), ai.WithConfig(&ai.GenerationCommonConfig{Temperature: 0.5}))
			if err != nil {
				return "", err
			}
			return response.Text(), nil
		}
	}
	if said, err := genkit.DefineFlow(g, "answer", ask("m-1")).Run(ctx, question); err != nil || said != answer {
		t.Errorf("%q, %v", said, err)
	}
	if _, err := genkit.DefineFlow(g, "fails", ask(failingModel)).Run(ctx, question); err == nil {
		t.Error("it did not fail")
	}
}
