package clienttest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// ollamaWire is Ollama's own chat, as
// https://github.com/ollama/ollama/blob/main/docs/api.md has it. A request that
// says nothing of it gets a stream.
var ollamaWire = &wire{
	name: "Ollama chat", api: llmhttp.Ollama, hosted: true, operation: "chat", provider: "ollama",
	streamType: "application/x-ndjson", finish: map[string]string{"stop": "stop", "tool_call": "stop"},
	isStream: func(_ *http.Request, body string) bool { return !strings.Contains(body, `"stream":false`) },
	noID:     true,
	whole:    func(a answer) string { return ollamaLine(a.text(), a.Calls, true) },
	stream:   ollamaStream,
	failure: func(status int) (string, problem) {
		return encode(object{"error": "This will not do"}), problem{strconv.Itoa(status) + " This will not do", strconv.Itoa(status)}
	},
	streamFailure: encode(object{"error": "The model runner has stopped"}) + "\n",
	streamProblem: problem{"The model runner has stopped", "provider_error"},
	result: func(c call, text string) object {
		return object{"role": "tool", "tool_call_id": c.ID, "name": c.Name, "content": text}
	},
}

func ollamaLine(text string, calls []call, done bool) string {
	m := object{"role": "assistant", "content": text}
	var made list
	for i, c := range calls {
		made = append(made, object{"id": c.ID, "function": object{"index": i, "name": c.Name, "arguments": decode(c.Arguments)}})
	}
	if len(made) > 0 {
		m["tool_calls"] = made
	}
	l := object{"model": answeredModel, "created_at": "2026-11-01T10:00:00Z", "message": m, "done": done}
	if done {
		l["done_reason"], l["prompt_eval_count"], l["eval_count"] = "stop", inputTokens, outputTokens
		l["total_duration"], l["load_duration"], l["prompt_eval_duration"], l["eval_duration"] = 5e6, 1e6, 2e6, 2e6
	}
	return encode(l) + "\n"
}

func ollamaStream(a answer, _ string) (begin, middle, rest []string) {
	for _, p := range a.Pieces {
		middle = append(middle, ollamaLine(p, nil, false))
	}
	for _, c := range a.Calls {
		middle = append(middle, ollamaLine("", []call{c}, false))
	}
	return nil, middle, []string{ollamaLine("", nil, true)}
}
