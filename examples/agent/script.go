package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// scripted is the name of the model that startScript serves.
const scripted = "scripted"

// A script is a server that speaks OpenAI's chat completions and answers the
// default question as a model would: it calls a tool twice at once, another one
// with what those gave, and then says the answer.
type script struct {
	url    string
	server *http.Server
	done   chan struct{}
}

func startScript() (*script, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // listens at once
	if err != nil {
		return nil, fmt.Errorf("start the script: %w", err)
	}
	s := &script{url: "http://" + l.Addr().String() + "/v1/", done: make(chan struct{})}
	s.server = &http.Server{Handler: http.HandlerFunc(play), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(l) // until stop
	}()
	return s, nil
}

func (s *script) stop() {
	_ = s.server.Close()
	<-s.done
}

// A scriptMessage is one of the conversation, as much as the script looks at.
type scriptMessage struct {
	Role    string `json:"role"`
	Content any    `json:"content"`
}

// play answers a request with a stream.
func play(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Messages []scriptMessage `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/v1/chat/completions" {
		http.Error(w, `{"error":{"message":"this is a script","code":"bad_request"}}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(choices []any, usage any) {
		chunk, _ := json.Marshal(map[string]any{
			"id": "script-1", "object": "chat.completion.chunk", "created": time.Now().Unix(), "model": scripted, "choices": choices, "usage": usage,
		})
		_, _ = fmt.Fprintf(w, "data: %s\n\n", chunk)
		w.(http.Flusher).Flush()
	}
	deltas, finish := lines(request.Messages)
	send(choice(map[string]any{"role": "assistant", "content": ""}, nil), nil)
	for _, d := range deltas {
		send(choice(d, nil), nil)
	}
	send(choice(map[string]any{}, finish), nil)
	asked := 12 * len(request.Messages)
	send([]any{}, map[string]any{"prompt_tokens": asked, "completion_tokens": len(deltas), "total_tokens": asked + len(deltas)})
	_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
}

func choice(delta, finish any) []any {
	return []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}
}

// lines returns what is said at this point of the conversation.
func lines(messages []scriptMessage) (deltas []any, finish string) {
	turns := 0
	var results []map[string]any
	for _, m := range messages {
		switch m.Role {
		case "assistant":
			turns++
		case "tool":
			var result map[string]any
			text, _ := m.Content.(string)
			_ = json.Unmarshal([]byte(text), &result)
			results = append(results, result)
		}
	}
	switch {
	case turns == 0:
		return append(toolCall(0, "temperature", `{"city":"Lisbon"}`), toolCall(1, "temperature", `{"city":"Bern"}`)...), "tool_calls"
	case turns == 1 && len(results) == 2:
		return toolCall(0, "subtract", fmt.Sprintf(`{"a":%v,"b":%v}`, results[0]["celsius"], results[1]["celsius"])), "tool_calls"
	case len(results) == 3:
		for word := range strings.SplitAfterSeq(fmt.Sprintf("It is %v degrees warmer in Lisbon than in Bern.", results[2]["difference"]), " ") {
			deltas = append(deltas, map[string]any{"content": word})
		}
		return deltas, "stop"
	}
	return []any{map[string]any{"content": "This is not in the script."}}, "stop"
}

// toolCall returns a call of a tool as it comes in a stream: its arguments in
// pieces.
func toolCall(index int, name, arguments string) []any {
	part := func(more map[string]any) any {
		more["index"] = index
		return map[string]any{"tool_calls": []any{more}}
	}
	half := len(arguments) / 2
	return []any{
		part(map[string]any{"id": fmt.Sprintf("call_%s_%d", name, index), "type": "function", "function": map[string]any{"name": name, "arguments": ""}}),
		part(map[string]any{"function": map[string]any{"arguments": arguments[:half]}}),
		part(map[string]any{"function": map[string]any{"arguments": arguments[half:]}}),
	}
}
