package clienttest

import (
	"strconv"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// anthropicWire is Anthropic's messages, as
// https://docs.anthropic.com/en/api/messages has them.
var anthropicWire = &wire{
	name: "Anthropic messages", api: llmhttp.Anthropic, operation: "chat", provider: "anthropic",
	streamType: "text/event-stream; charset=utf-8", finish: anthropicFinish,
	cached: true, none: "cache_write_input_tokens", instructions: true,
	early:  object{"prompt_tokens": inputTokens, "completion_tokens": 1, "total_tokens": inputTokens + 1, "cache_read_input_tokens": cachedTokens},
	whole:  anthropicWhole,
	stream: anthropicStream,
	failure: func(status int) (string, problem) {
		kind := "invalid_request_error"
		if status == 429 {
			kind = "rate_limit_error"
		}
		body := encode(object{"type": "error", "error": object{"type": kind, "message": "This will not do"}, "request_id": "req_1"})
		return body, problem{strconv.Itoa(status) + " " + kind + ": This will not do", kind}
	},
	streamFailure: event("error", object{"type": "error", "error": object{"type": "overloaded_error", "message": "Overloaded"}}),
	streamProblem: problem{"overloaded_error: Overloaded", "overloaded_error"},
	result:        openAIWire.result,
}

// anthropicUsage counts the input without what came from the cache.
func anthropicUsage(output int) object {
	return object{"input_tokens": inputTokens - cachedTokens, "cache_read_input_tokens": cachedTokens, "cache_creation_input_tokens": 0, "output_tokens": output}
}

func anthropicMessage(content list, reason any, output int) object {
	return object{
		"id": answerID, "type": "message", "role": "assistant", "model": answeredModel, "content": content,
		"stop_reason": reason, "stop_sequence": nil, "usage": anthropicUsage(output),
	}
}

var anthropicFinish = map[string]string{"stop": "end_turn", "tool_call": "tool_use"}

func anthropicWhole(a answer) string {
	content := list{}
	if len(a.Pieces) > 0 {
		content = append(content, object{"type": "text", "text": a.text()})
	}
	for _, c := range a.Calls {
		content = append(content, object{"type": "tool_use", "id": c.ID, "name": c.Name, "input": decode(c.Arguments)})
	}
	return encode(anthropicMessage(content, anthropicFinish[a.finish()], outputTokens))
}

func anthropicStream(a answer, _ string) (begin, middle, rest []string) {
	send := func(kind string, more object) string {
		more["type"] = kind
		return event(kind, more)
	}
	block := func(i int, b object) string {
		return send("content_block_start", object{"index": i, "content_block": b})
	}
	delta := func(i int, d object) string { return send("content_block_delta", object{"index": i, "delta": d}) }
	begin = []string{send("message_start", object{"message": anthropicMessage(list{}, nil, 1)})}
	if len(a.Pieces) > 0 {
		begin = append(begin, block(0, object{"type": "text", "text": ""}), send("ping", object{}))
		for _, p := range a.Pieces {
			middle = append(middle, delta(0, object{"type": "text_delta", "text": p}))
		}
		rest = append(rest, send("content_block_stop", object{"index": 0}))
	}
	for i, c := range a.Calls {
		middle = append(middle, block(i, object{"type": "tool_use", "id": c.ID, "name": c.Name, "input": object{}}))
		for _, half := range c.halves() {
			middle = append(middle, delta(i, object{"type": "input_json_delta", "partial_json": half}))
		}
		middle = append(middle, send("content_block_stop", object{"index": i}))
	}
	return begin, middle, append(rest,
		send("message_delta", object{"delta": object{"stop_reason": anthropicFinish[a.finish()], "stop_sequence": nil}, "usage": object{"output_tokens": outputTokens}}),
		send("message_stop", object{}))
}
