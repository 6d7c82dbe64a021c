package clienttest

import (
	"fmt"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// responsesWire is OpenAI's responses, as
// https://platform.openai.com/docs/api-reference/responses has them.
var responsesWire = &wire{
	name: "OpenAI responses", api: llmhttp.OpenAI, operation: "chat", provider: "openai",
	streamType: "text/event-stream; charset=utf-8", finish: chatFinish,
	metadata: object{"api_type": "responses"}, cached: true, none: "reasoning_tokens", instructions: true,
	whole:         func(a answer) string { return encode(response(a, "completed")) },
	stream:        responsesStream,
	failure:       openAIFailure,
	streamFailure: event("error", object{"type": "error", "sequence_number": 9, "code": "overloaded", "message": "The server is overloaded", "param": nil}),
	streamProblem: openAIWire.streamProblem,
	result:        openAIWire.result,
}

func response(a answer, status string) object {
	output := list{}
	if len(a.Pieces) > 0 {
		output = append(output, object{
			"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
			"content": list{object{"type": "output_text", "text": a.text(), "annotations": list{}}},
		})
	}
	for i, c := range a.Calls {
		output = append(output, responseCall(i, c))
	}
	r := object{
		"id": answerID, "object": "response", "created_at": 1, "model": answeredModel, "status": status, "error": nil, "incomplete_details": nil,
		"output": output, "parallel_tool_calls": true, "tools": list{}, "metadata": object{},
	}
	if status == "completed" {
		r["usage"] = object{
			"input_tokens": inputTokens, "output_tokens": outputTokens, "total_tokens": inputTokens + outputTokens,
			"input_tokens_details": object{"cached_tokens": cachedTokens}, "output_tokens_details": object{"reasoning_tokens": 0},
		}
	}
	return r
}

func responseCall(i int, c call) object {
	return object{"type": "function_call", "id": fmt.Sprint("fc_", i), "call_id": c.ID, "name": c.Name, "arguments": c.Arguments, "status": "completed"}
}

func responsesStream(a answer, _ string) (begin, middle, rest []string) {
	n := 0
	send := func(kind string, more object) string {
		more["type"], more["sequence_number"] = kind, n
		n++
		return event(kind, more)
	}
	begin = []string{send("response.created", object{"response": response(answer{}, "in_progress")})}
	if len(a.Pieces) > 0 {
		begin = append(begin, send("response.output_item.added", object{"output_index": 0, "item": object{"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": list{}}}))
	}
	for _, p := range a.Pieces {
		middle = append(middle, send("response.output_text.delta", object{"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": p}))
	}
	for i, c := range a.Calls {
		item := responseCall(i, c)
		item["arguments"], item["status"] = "", "in_progress"
		middle = append(middle, send("response.output_item.added", object{"output_index": i, "item": item}))
		for _, half := range c.halves() {
			middle = append(middle, send("response.function_call_arguments.delta", object{"item_id": item["id"], "output_index": i, "delta": half}))
		}
		middle = append(middle, send("response.output_item.done", object{"output_index": i, "item": responseCall(i, c)}))
	}
	return begin, middle, []string{send("response.completed", object{"response": response(a, "completed")})}
}
