package clienttest

import (
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// openAIWire is OpenAI's chat completions, as
// https://platform.openai.com/docs/api-reference/chat has them.
var openAIWire = &wire{
	name: "OpenAI chat completions", api: llmhttp.OpenAI, operation: "chat", provider: "openai",
	streamType: "text/event-stream; charset=utf-8", finish: chatFinish,
	metadata: object{"api_type": "chat_completions"}, cached: true, none: "reasoning_tokens",
	whole:         chatWhole,
	stream:        chatStream,
	failure:       openAIFailure,
	streamFailure: event("", object{"error": object{"message": "The server is overloaded", "type": "server_error", "code": "overloaded"}}),
	streamProblem: problem{"overloaded: The server is overloaded", "overloaded"},
	result: func(c call, text string) object {
		return object{"role": "tool", "tool_call_id": c.ID, "content": text}
	},
}

func openAIFailure(status int) (string, problem) {
	code := "bad_request"
	if status == 429 {
		code = "rate_limit_exceeded"
	}
	body := encode(object{"error": object{"message": "This will not do", "type": "invalid_request_error", "param": nil, "code": code}})
	return body, problem{strconv.Itoa(status) + " " + code + ": This will not do", code}
}

var chatUsage = object{
	"prompt_tokens": inputTokens, "completion_tokens": outputTokens, "total_tokens": inputTokens + outputTokens,
	"prompt_tokens_details": object{"cached_tokens": cachedTokens}, "completion_tokens_details": object{"reasoning_tokens": 0},
}

func chatWhole(a answer) string {
	m := object{"role": "assistant", "content": nil, "refusal": nil}
	if len(a.Pieces) > 0 {
		m["content"] = a.text()
	}
	if len(a.Calls) > 0 {
		m["tool_calls"] = chatCalls(a.Calls)
	}
	return encode(object{
		"id": answerID, "object": "chat.completion", "created": 1, "model": answeredModel, "usage": chatUsage,
		"choices": list{object{"index": 0, "message": m, "logprobs": nil, "finish_reason": chatFinish[a.finish()]}},
	})
}

// chatCalls returns calls of tools as the API has them: arguments are text.
func chatCalls(calls []call) list {
	var l list
	for _, c := range calls {
		l = append(l, object{"id": c.ID, "type": "function", "function": object{"name": c.Name, "arguments": c.Arguments}})
	}
	return l
}

func chatStream(a answer, request string) (begin, middle, rest []string) {
	asked := strings.Contains(request, `"include_usage":true`)
	chunk := func(choices list, usage any) string {
		c := object{"id": answerID, "object": "chat.completion.chunk", "created": 1, "model": answeredModel, "choices": choices}
		if asked {
			c["usage"] = usage
		}
		return event("", c)
	}
	delta := func(d object, reason any) string {
		return chunk(list{object{"index": 0, "delta": d, "logprobs": nil, "finish_reason": reason}}, nil)
	}
	begin = []string{delta(object{"role": "assistant", "content": ""}, nil)}
	for _, p := range a.Pieces {
		middle = append(middle, delta(object{"content": p}, nil))
	}
	for i, c := range a.Calls {
		middle = append(middle, delta(object{"tool_calls": list{object{"index": i, "id": c.ID, "type": "function", "function": object{"name": c.Name, "arguments": ""}}}}, nil))
		for _, half := range c.halves() {
			middle = append(middle, delta(object{"tool_calls": list{object{"index": i, "function": object{"arguments": half}}}}, nil))
		}
	}
	rest = []string{delta(object{}, chatFinish[a.finish()])}
	if asked {
		rest = append(rest, chunk(list{}, chatUsage))
	}
	return begin, middle, append(rest, "data: [DONE]\n\n")
}

var chatFinish = map[string]string{"stop": "stop", "tool_call": "tool_calls"}
