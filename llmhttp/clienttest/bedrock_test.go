package clienttest

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
)

// keyID is the name of the key that signs requests, which are sent without the
// key itself.
const keyID = "AKIDCANARY"

var bedrock = &client{
	name: "bedrockruntime", module: "github.com/aws/aws-sdk-go-v2/service/bedrockruntime", wire: bedrockWire, attempts: true, again: true, sends: keyID,
	cannot: silent("broken connection"),
	varies: []string{"Authorization", "X-Amz-Date", "Amz-Sdk-Invocation-Id"},
	open: func(_ testing.TB, l *lab) ask {
		c := bedrockruntime.New(bedrockruntime.Options{
			Region: "eu-west-1", BaseEndpoint: &l.server.URL, HTTPClient: l.traced,
			Credentials: credentials.NewStaticCredentialsProvider(keyID, key, "CANARY-session"),
			Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = 2
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			}),
		})
		return func(ctx context.Context, q question, each func(string) bool) (answer, error) {
			if each == nil {
				return bedrockConverse(ctx, c, q)
			}
			return bedrockConverseStream(ctx, c, q, each)
		}
	},
}

// bedrockInput returns what the two operations have in common.
func bedrockInput(q question) *bedrockruntime.ConverseInput {
	in := &bedrockruntime.ConverseInput{
		ModelId: aws.String(model), System: []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: system}},
		InferenceConfig: &types.InferenceConfiguration{Temperature: aws.Float32(temperature), MaxTokens: aws.Int32(maxTokens)},
		Messages:        []types.Message{{Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: user}}}},
	}
	if q.results {
		made := types.ToolUseBlock{ToolUseId: aws.String(bern.ID), Name: aws.String(bern.Name), Input: document.NewLazyDocument(decode(bern.Arguments))}
		given := types.ToolResultBlock{ToolUseId: aws.String(bern.ID), Content: []types.ToolResultContentBlock{&types.ToolResultContentBlockMemberText{Value: toolResult}}}
		in.Messages = append(in.Messages,
			types.Message{Role: types.ConversationRoleAssistant, Content: []types.ContentBlock{&types.ContentBlockMemberToolUse{Value: made}}},
			types.Message{Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberToolResult{Value: given}}})
	}
	if q.tools {
		in.ToolConfig = &types.ToolConfiguration{Tools: []types.Tool{&types.ToolMemberToolSpec{Value: types.ToolSpecification{
			Name: aws.String(toolName), Description: aws.String(toolText),
			InputSchema: &types.ToolInputSchemaMemberJson{Value: document.NewLazyDocument(decode(toolSchema))},
		}}}}
	}
	return in
}

func bedrockConverse(ctx context.Context, c *bedrockruntime.Client, q question) (a answer, err error) {
	out, err := c.Converse(ctx, bedrockInput(q))
	if err != nil {
		return a, err
	}
	m := out.Output.(*types.ConverseOutputMemberMessage)
	for _, b := range m.Value.Content {
		switch b := b.(type) {
		case *types.ContentBlockMemberText:
			a.Pieces = append(a.Pieces, b.Value)
		case *types.ContentBlockMemberToolUse:
			var args object
			if err := b.Value.Input.UnmarshalSmithyDocument(&args); err != nil {
				return a, err
			}
			a.Calls = append(a.Calls, call{*b.Value.ToolUseId, *b.Value.Name, encode(args)})
		}
	}
	return a, nil
}

func bedrockConverseStream(ctx context.Context, c *bedrockruntime.Client, q question, each func(string) bool) (a answer, err error) {
	in := bedrockInput(q)
	out, err := c.ConverseStream(ctx, &bedrockruntime.ConverseStreamInput{
		ModelId: in.ModelId, System: in.System, InferenceConfig: in.InferenceConfig, Messages: in.Messages, ToolConfig: in.ToolConfig,
	})
	if err != nil {
		return a, err
	}
	stream := out.GetStream()
	defer func() { _ = stream.Close() }()
	for e := range stream.Events() {
		switch e := e.(type) {
		case *types.ConverseStreamOutputMemberContentBlockStart:
			if use, ok := e.Value.Start.(*types.ContentBlockStartMemberToolUse); ok {
				a.Calls = append(a.Calls, call{*use.Value.ToolUseId, *use.Value.Name, ""})
			}
		case *types.ConverseStreamOutputMemberContentBlockDelta:
			switch d := e.Value.Delta.(type) {
			case *types.ContentBlockDeltaMemberText:
				a.Pieces = append(a.Pieces, d.Value)
				if !each(d.Value) {
					return a, nil
				}
			case *types.ContentBlockDeltaMemberToolUse:
				a.Calls[len(a.Calls)-1].Arguments += *d.Value.Input
			}
		}
	}
	return a, stream.Err()
}
