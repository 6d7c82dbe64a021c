package interop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// What the model is asked, and what it answers; the scripts have the same question.
const (
	question = "What is the weather in Oslo?"
	answer   = "It is 21 degrees in Oslo."
	toolName = "weather"
)

// Tokens of the two calls of a conversation: the first one, that calls the tool, and
// the second one, that answers.
const (
	firstIn, secondIn        = 20, 30
	firstOut, secondOut      = 5, 6
	cached, reasoning        = 4, 2 // of the second call
	conversationIn           = firstIn + secondIn
	conversationOut          = firstOut + secondOut
	failingModel, modelError = "m-fails", "there is no such model"
)

// startModel stands for a provider that speaks OpenAI's API, on loopback: it calls the
// tool, and answers when it has the result. Its address is that of the version.
func startModel(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(complete))
	t.Cleanup(s.Close)
	return s.URL + "/v1"
}

type object = map[string]any

func complete(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Model    string
		Stream   bool
		Messages []struct{ Role string }
		Tools    []any
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != "/v1/chat/completions" {
		http.Error(w, fmt.Sprintf("%s: %v", r.URL, err), http.StatusNotFound)
		return
	}
	if req.Model == failingModel {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(object{"error": object{"message": modelError, "type": "invalid_request_error", "code": "model_not_found"}})
		return
	}
	message, finish := object{"role": "assistant", "content": answer}, "stop"
	usage := object{
		"prompt_tokens": secondIn, "completion_tokens": secondOut, "total_tokens": secondIn + secondOut,
		"prompt_tokens_details": object{"cached_tokens": cached}, "completion_tokens_details": object{"reasoning_tokens": reasoning},
	}
	if req.Messages[len(req.Messages)-1].Role == "user" && len(req.Tools) > 0 {
		finish = "tool_calls"
		message["content"] = nil
		message["tool_calls"] = []any{object{"index": 0, "id": "call-1", "type": "function", "function": object{"name": toolName, "arguments": `{"city":"Oslo"}`}}}
		usage = object{
			"prompt_tokens": firstIn, "completion_tokens": firstOut, "total_tokens": firstIn + firstOut,
			"prompt_tokens_details": object{"cached_tokens": 0}, "completion_tokens_details": object{"reasoning_tokens": 0},
		}
	}
	completion := object{"id": "c-1", "object": "chat.completion", "created": 1790000000, "model": req.Model + "-2026", "usage": usage}
	if !req.Stream {
		completion["choices"] = []any{object{"index": 0, "message": message, "finish_reason": finish}}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(completion)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	completion["object"] = "chat.completion.chunk"
	for _, choice := range []object{{"index": 0, "delta": message}, {"index": 0, "delta": object{}, "finish_reason": finish}} {
		chunk := object{"choices": []any{choice}}
		for k, v := range completion {
			if k != "usage" {
				chunk[k] = v
			}
		}
		text, _ := json.Marshal(chunk)
		_, _ = fmt.Fprintf(w, "data: %s\n\n", text)
	}
	completion["choices"] = []any{}
	text, _ := json.Marshal(completion)
	_, _ = fmt.Fprintf(w, "data: %s\n\ndata: [DONE]\n\n", text)
}
