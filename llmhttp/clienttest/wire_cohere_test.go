package clienttest

import (
	"strconv"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// cohereWire is version 2 of Cohere's chat, as
// https://docs.cohere.com/reference/chat has it.
var cohereWire = &wire{
	name: "Cohere chat", api: llmhttp.Cohere, hosted: true, operation: "chat", provider: "cohere",
	streamType: "text/event-stream", finish: cohereFinish,
	cached: true, noModel: true,
	whole:  cohereWhole,
	stream: cohereStream,
	failure: func(status int) (string, problem) {
		return encode(object{"id": "e1", "message": "This will not do"}), problem{strconv.Itoa(status) + " This will not do", strconv.Itoa(status)}
	},
	streamFailure: event("message-end", object{"type": "message-end", "delta": object{"finish_reason": "ERROR", "error": "The model has failed"}}),
	streamProblem: problem{"ERROR: The model has failed", "ERROR"},
	result:        openAIWire.result,
}

var cohereFinish = map[string]string{"stop": "COMPLETE", "tool_call": "TOOL_CALL"}

func cohereUsage() object {
	return object{"tokens": object{"input_tokens": inputTokens, "output_tokens": outputTokens}, "cached_tokens": cachedTokens}
}

func cohereCall(c call, arguments string) object {
	return object{"id": c.ID, "type": "function", "function": object{"name": c.Name, "arguments": arguments}}
}

func cohereWhole(a answer) string {
	m := object{"role": "assistant"}
	if len(a.Pieces) > 0 {
		m["content"] = list{object{"type": "text", "text": a.text()}}
	}
	var calls list
	for _, c := range a.Calls {
		calls = append(calls, cohereCall(c, c.Arguments))
	}
	if calls != nil {
		m["tool_calls"] = calls
	}
	return encode(object{"id": answerID, "finish_reason": cohereFinish[a.finish()], "message": m, "usage": cohereUsage()})
}

func cohereStream(a answer, _ string) (begin, middle, rest []string) {
	send := func(kind string, index int, message object) string {
		return event(kind, object{"type": kind, "index": index, "delta": object{"message": message}})
	}
	begin = []string{event("message-start", object{"type": "message-start", "id": answerID, "delta": object{"message": object{"role": "assistant"}}})}
	if len(a.Pieces) > 0 {
		begin = append(begin, send("content-start", 0, object{"content": object{"type": "text", "text": ""}}))
		rest = append(rest, event("content-end", object{"type": "content-end", "index": 0}))
	}
	for _, p := range a.Pieces {
		middle = append(middle, send("content-delta", 0, object{"content": object{"text": p}}))
	}
	for i, c := range a.Calls {
		middle = append(middle, send("tool-call-start", i, object{"tool_calls": cohereCall(c, "")}))
		for _, half := range c.halves() {
			middle = append(middle, send("tool-call-delta", i, object{"tool_calls": object{"function": object{"arguments": half}}}))
		}
		middle = append(middle, event("tool-call-end", object{"type": "tool-call-end", "index": i}))
	}
	return begin, middle, append(rest, event("message-end", object{"type": "message-end", "delta": object{"finish_reason": cohereFinish[a.finish()], "usage": cohereUsage()}}), "data: [DONE]\n\n")
}
