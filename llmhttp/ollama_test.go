package llmhttp_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
)

const ollamaRequest = `{"model":"llama","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"see","images":["aGVsbG8="]},
	{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},{"role":"tool","tool_name":"f","content":"42"}],
	"options":{"temperature":0.5,"num_predict":9},"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"format":"json"}`

var ollamaStream = []string{
	`{"model":"llama","created_at":"x","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}` + "\n",
	`{"model":"llama","created_at":"x","message":{"role":"assistant","content":"Hé"},"done":false}` + "\n",
	`{"model":"llama","created_at":"x","message":{"role":"assistant","content":"llo"},"done":false}` + "\n",
	`{"model":"llama","created_at":"x","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"b":2}}},{"function":{"name":"g","arguments":{}}}]},"done":false}` + "\n",
	`{"model":"llama","created_at":"x","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"total_duration":5,"load_duration":1000000,"prompt_eval_count":7,"eval_count":3}` + "\n",
}

func lines(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, p := range pieces {
			_, _ = io.WriteString(w, p)
			w.(http.Flusher).Flush()
		}
	}
}

var atOllama = llmhttp.WithHost("127.0.0.1", llmhttp.Ollama, "")

func TestOllama(t *testing.T) {
	l := newLab(t, lines(ollamaStream...), atOllama)
	got, err := l.post("/api/chat", ollamaRequest)
	if err != nil || got != strings.Join(ollamaStream, "") {
		t.Fatal(err, got)
	}
	e := l.only()
	e.AssertInputs(`{"chat_history":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"see"},{"type":"uri","modality":"image",` + helloRef + `}]},
		{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"a":1}}}]},{"role":"tool","name":"f","content":"42"}]}`)
	e.AssertOutputs(`{"role":"assistant","content":"Héllo","reasoning":"hm","finish_reason":"stop","tool_calls":[
		{"type":"function","function":{"name":"f","arguments":{"b":2}}},{"type":"function","function":{"name":"g","arguments":{}}}]}`)
	metadata(t, e, map[string]string{"prompt_tokens": "7", "completion_tokens": "3", "load_ms": "1.000"})
	check(t, l.attributes("chat llama"), map[string]any{"gen_ai.provider.name": "ollama", "gen_ai.request.stream": true, "gen_ai.request.max_tokens": int64(9), "gen_ai.output.type": "json"})
	if e.Error.Or("") != "" {
		t.Error(e.Error)
	}
}

func TestOllamaOthers(t *testing.T) {
	l := newLab(t, whole(200, `{"model":"llama","response":"hello","done":true,"done_reason":"length","prompt_eval_count":2,"eval_count":1}`), atOllama)
	_, _ = l.post("/api/generate", `{"model":"llama","system":"be brief","prompt":"hi","stream":false}`)
	e := l.only()
	e.AssertInputs(`{"chat_history":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]}`)
	e.AssertOutputs(`{"role":"assistant","content":"hello","finish_reason":"length"}`)
	if e.EventName.Or("") != "text_completion llama" {
		t.Error(e.EventName)
	}

	l = newLab(t, whole(200, `{"model":"emb","embeddings":[[1,2],[3,4]],"prompt_eval_count":5}`), atOllama)
	_, _ = l.post("/api/embed", `{"model":"emb","input":["a","b"]}`)
	e = l.only()
	e.AssertInputs(`{"texts":["a","b"]}`)
	e.AssertOutputs(`{"embeddings":{"count":2,"dimensions":2}}`)
	metadata(t, e, map[string]string{"prompt_tokens": "5"})

	for name, handler := range map[string]http.HandlerFunc{"status": whole(404, `{"error":"model not found"}`), "line": lines(ollamaStream[1], `{"error":"broke"}`+"\n"), "cut": lines(ollamaStream[:3]...)} {
		l = newLab(t, handler, atOllama)
		_, _ = l.post("/api/chat", ollamaRequest)
		if e := l.only(); e.Error.Or("") != map[string]string{"status": "404 model not found", "line": "broke", "cut": "the stream ended before the answer was complete"}[name] {
			t.Error(name, e.Error)
		}
	}
}

// TestOllamaTokens checks that a count which the server does not say is not zero.
func TestOllamaTokens(t *testing.T) {
	for name, c := range map[string]struct {
		counts   string
		metadata map[string]string
	}{
		"all":         {`"prompt_eval_count":30,"prompt_eval_cached_count":28,"eval_count":4`, map[string]string{"prompt_tokens": "30", "completion_tokens": "4", "total_tokens": "34", "cache_read_input_tokens": "28"}},
		"no prompt":   {`"eval_count":4`, map[string]string{"prompt_tokens": "", "completion_tokens": "4", "total_tokens": ""}},
		"cached none": {`"prompt_eval_count":30,"prompt_eval_cached_count":0,"eval_count":4`, map[string]string{"prompt_tokens": "30", "cache_read_input_tokens": "0"}},
		"none":        {`"total_duration":3`, map[string]string{"prompt_tokens": "", "completion_tokens": "", "total_tokens": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, lines(`{"model":"q","message":{"role":"assistant","content":"ho"},"done":false}`+"\n", `{"model":"q","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",`+c.counts+"}\n"), atOllama)
			_, _ = l.post("/api/chat", `{"model":"q"}`)
			metadata(t, l.only(), c.metadata)
		})
	}
}
