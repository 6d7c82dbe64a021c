package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/shared"

	"github.com/sessionspan/sessionspan"
)

const instructions = "Answer with what the tools say, in one sentence. Call several tools at once where you can."

// mostTurns bounds how often the model is asked.
const mostTurns = 8

// An agent asks a model, does what it asks for, and asks again, until it answers.
type agent struct {
	client openai.Client
	model  string
	out    io.Writer // text as it comes
}

func (a *agent) answer(ctx context.Context, question string) (string, error) {
	messages := []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(instructions), openai.UserMessage(question)}
	for n := range mostTurns {
		reply, results, err := a.turn(ctx, n+1, messages)
		if err != nil {
			return "", err
		}
		if len(results) == 0 {
			return reply.Content, nil
		}
		messages = append(append(messages, reply.ToParam()), results...)
	}
	return "", fmt.Errorf("no answer after %d turns", mostTurns)
}

// turn asks the model once and calls the tools that it asks for. Its event holds
// those of the model's calls, more than one where the client tries again, and of
// the tools.
func (a *agent) turn(ctx context.Context, n int, messages []openai.ChatCompletionMessageParamUnion) (openai.ChatCompletionMessage, []openai.ChatCompletionMessageParamUnion, error) {
	ctx, event := sessionspan.StartEvent(ctx, sessionspan.Chain, fmt.Sprintf("turn %d", n))
	defer event.End()
	reply, err := a.ask(ctx, messages)
	if err != nil {
		event.RecordError(err)
		return reply, nil, err
	}
	var results []openai.ChatCompletionMessageParamUnion
	for _, call := range reply.ToolCalls {
		results = append(results, openai.ToolMessage(use(ctx, call.Function.Name, call.Function.Arguments), call.ID))
	}
	return reply, results, nil
}

// ask streams an answer of the model. Nothing here knows that it is traced.
func (a *agent) ask(ctx context.Context, messages []openai.ChatCompletionMessageParamUnion) (openai.ChatCompletionMessage, error) {
	params := openai.ChatCompletionNewParams{Model: a.model, Messages: messages}
	params.StreamOptions.IncludeUsage = param.NewOpt(true)
	for _, t := range tools {
		params.Tools = append(params.Tools, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: t.name, Description: param.NewOpt(t.description), Parameters: t.parameters,
		}))
	}

	stream := a.client.Chat.Completions.NewStreaming(ctx, params)
	defer func() { _ = stream.Close() }()
	var sum openai.ChatCompletionAccumulator
	wrote := false
	for stream.Next() {
		chunk := stream.Current()
		sum.AddChunk(chunk)
		if len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			wrote = true
			if _, err := io.WriteString(a.out, chunk.Choices[0].Delta.Content); err != nil {
				return openai.ChatCompletionMessage{}, err
			}
		}
	}
	if wrote {
		fmt.Fprintln(a.out)
	}
	switch err := stream.Err(); {
	case err != nil:
		return openai.ChatCompletionMessage{}, err
	case len(sum.Choices) == 0:
		return openai.ChatCompletionMessage{}, errors.New("the model gave no answer")
	}
	return sum.Choices[0].Message, nil
}
