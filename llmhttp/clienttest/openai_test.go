package clienttest

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"

	"github.com/sessionspan/sessionspan/llmhttp"
)

const openAIModule = "github.com/openai/openai-go/v3"

var openAIMiddleware = &client{
	name: "openai-go, middleware", module: openAIModule, wire: openAIWire, attempts: true, again: true,
	open: func(_ testing.TB, l *lab) ask {
		return openAIChat(newOpenAI(l, l.plain, option.WithMiddleware(llmhttp.Middleware(l.options...))))
	},
}

var openAITransport = &client{
	name: "openai-go, transport", module: openAIModule, wire: openAIWire, attempts: true, again: true,
	open: func(_ testing.TB, l *lab) ask { return openAIChat(newOpenAI(l, l.traced)) },
}

var openAIResponses = &client{
	name: "openai-go, responses", module: openAIModule, wire: responsesWire, attempts: true, again: true,
	open: func(_ testing.TB, l *lab) ask { return openAIResponse(newOpenAI(l, l.traced)) },
}

func newOpenAI(l *lab, c *http.Client, more ...option.RequestOption) openai.Client {
	for name := range l.headers {
		more = append(more, option.WithHeader(name, l.headers.Get(name)))
	}
	return openai.NewClient(append([]option.RequestOption{
		option.WithAPIKey(key), option.WithBaseURL(l.server.URL + "/v1/"), option.WithHTTPClient(c), option.WithMaxRetries(1),
	}, more...)...)
}

func openAIChat(c openai.Client) ask {
	return func(ctx context.Context, q question, each func(string) bool) (a answer, err error) {
		p := openai.ChatCompletionNewParams{
			Model: model, Temperature: param.NewOpt(temperature), MaxTokens: param.NewOpt[int64](maxTokens),
			Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(system), openai.UserMessage(user)},
		}
		if q.results {
			made := openai.ChatCompletionAssistantMessageParam{ToolCalls: []openai.ChatCompletionMessageToolCallUnionParam{{
				OfFunction: &openai.ChatCompletionMessageFunctionToolCallParam{
					ID: bern.ID, Function: openai.ChatCompletionMessageFunctionToolCallFunctionParam{Name: bern.Name, Arguments: bern.Arguments},
				},
			}}}
			p.Messages = append(p.Messages, openai.ChatCompletionMessageParamUnion{OfAssistant: &made}, openai.ToolMessage(toolResult, bern.ID))
		}
		if q.tools {
			p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
				Name: toolName, Description: param.NewOpt(toolText), Parameters: decode(toolSchema).(object),
			})}
		}
		var completion *openai.ChatCompletion
		if each == nil {
			if completion, err = c.Chat.Completions.New(ctx, p); err != nil {
				return a, err
			}
		} else {
			p.StreamOptions.IncludeUsage = param.NewOpt(true)
			stream := c.Chat.Completions.NewStreaming(ctx, p)
			defer func() { _ = stream.Close() }()
			sum := openai.ChatCompletionAccumulator{}
			for stream.Next() {
				chunk := stream.Current()
				sum.AddChunk(chunk)
				if len(chunk.Choices) > 0 && !each(chunk.Choices[0].Delta.Content) {
					return a, nil
				}
			}
			if err := stream.Err(); err != nil {
				return a, err
			}
			completion = &sum.ChatCompletion
		}
		if len(completion.Choices) == 0 {
			return a, errors.New("no choice")
		}
		m := completion.Choices[0].Message
		a.Pieces = []string{m.Content}
		for _, c := range m.ToolCalls {
			a.Calls = append(a.Calls, call{c.ID, c.Function.Name, c.Function.Arguments})
		}
		return a, nil
	}
}

func openAIResponse(c openai.Client) ask {
	return func(ctx context.Context, q question, each func(string) bool) (a answer, err error) {
		input := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(user, responses.EasyInputMessageRoleUser)}
		if q.results {
			result := responses.ResponseInputItemParamOfFunctionCallOutput(toolResult)
			result.OfFunctionCallOutput.CallID = param.NewOpt(bern.ID)
			input = append(input, responses.ResponseInputItemParamOfFunctionCall(bern.Arguments, bern.ID, bern.Name), result)
		}
		p := responses.ResponseNewParams{
			Model: model, Instructions: param.NewOpt(system), Temperature: param.NewOpt(temperature), MaxOutputTokens: param.NewOpt[int64](maxTokens),
			Input: responses.ResponseNewParamsInputUnion{OfInputItemList: input},
		}
		if q.tools {
			p.Tools = []responses.ToolUnionParam{{OfFunction: &responses.FunctionToolParam{
				Name: toolName, Description: param.NewOpt(toolText), Parameters: decode(toolSchema).(object),
			}}}
		}
		var r *responses.Response
		if each == nil {
			if r, err = c.Responses.New(ctx, p); err != nil {
				return a, err
			}
		} else {
			stream := c.Responses.NewStreaming(ctx, p)
			defer func() { _ = stream.Close() }()
			for stream.Next() {
				switch e := stream.Current().AsAny().(type) {
				case responses.ResponseTextDeltaEvent:
					if !each(e.Delta) {
						return a, nil
					}
				case responses.ResponseCompletedEvent:
					r = &e.Response
				case responses.ResponseErrorEvent:
					return a, errors.New(e.Message)
				}
			}
			if err := stream.Err(); err != nil || r == nil {
				return a, err
			}
		}
		a.Pieces = []string{r.OutputText()}
		for _, item := range r.Output {
			if f := item.AsFunctionCall(); item.Type == "function_call" {
				a.Calls = append(a.Calls, call{f.CallID, f.Name, f.Arguments})
			}
		}
		return a, nil
	}
}
