package clienttest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// geminiWire is Gemini's generateContent, as
// https://ai.google.dev/api/generate-content has it.
var geminiWire = &wire{
	name: "Gemini generateContent", api: llmhttp.Gemini, operation: "generate_content", provider: "gcp.gemini",
	streamType: "text/event-stream", finish: map[string]string{"stop": "STOP", "tool_call": "STOP"},
	isStream: func(r *http.Request, _ string) bool { return strings.Contains(r.URL.Path, ":stream") },
	cached:   true, instructions: true,
	early:  object{"prompt_tokens": inputTokens, "completion_tokens": 1, "total_tokens": inputTokens + 1, "cache_read_input_tokens": cachedTokens},
	whole:  func(a answer) string { return encode(geminiAnswer(geminiParts(a), "STOP", outputTokens)) },
	stream: geminiStream,
	failure: func(status int) (string, problem) {
		kind := "INVALID_ARGUMENT"
		if status == 429 {
			kind = "RESOURCE_EXHAUSTED"
		}
		body := encode(object{"error": object{"code": status, "message": "This will not do", "status": kind}})
		return body, problem{strconv.Itoa(status) + " " + kind + ": This will not do", kind}
	},
	streamFailure: geminiEvent(object{"error": object{"code": 503, "message": "The model is overloaded", "status": "UNAVAILABLE"}}),
	streamProblem: problem{"UNAVAILABLE: The model is overloaded", "UNAVAILABLE"},
	result: func(c call, text string) object {
		return object{"role": "tool", "tool_call_id": c.ID, "name": c.Name, "content": object{"output": text}}
	},
}

func geminiAnswer(parts list, reason any, output int) object {
	c := object{"index": 0, "content": object{"role": "model", "parts": parts}}
	if reason != nil {
		c["finishReason"] = reason
	}
	return object{
		"candidates": list{c}, "modelVersion": answeredModel, "responseId": answerID,
		"usageMetadata": object{"promptTokenCount": inputTokens, "cachedContentTokenCount": cachedTokens, "candidatesTokenCount": output, "totalTokenCount": inputTokens + output},
	}
}

func geminiParts(a answer) list {
	parts := list{}
	if len(a.Pieces) > 0 {
		parts = append(parts, object{"text": a.text()})
	}
	for _, c := range a.Calls {
		parts = append(parts, geminiCall(c))
	}
	return parts
}

func geminiCall(c call) object {
	return object{"functionCall": object{"id": c.ID, "name": c.Name, "args": decode(c.Arguments)}}
}

// geminiEvent ends its lines as Google's servers do.
func geminiEvent(data any) string { return "data: " + encode(data) + "\r\n\r\n" }

func geminiStream(a answer, _ string) (begin, middle, rest []string) {
	for _, p := range a.Pieces {
		middle = append(middle, geminiEvent(geminiAnswer(list{object{"text": p}}, nil, 1)))
	}
	for _, c := range a.Calls {
		middle = append(middle, geminiEvent(geminiAnswer(list{geminiCall(c)}, nil, 1)))
	}
	return nil, middle, []string{geminiEvent(geminiAnswer(list{object{"text": ""}}, "STOP", outputTokens))}
}
