package llmhttp_test

import (
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
)

var atCohere = llmhttp.WithHost("127.0.0.1", llmhttp.Cohere, "")

func TestCohereRequest(t *testing.T) {
	l := newLab(t, whole(200, `{"id":"c","finish_reason":"MAX_TOKENS","message":{"role":"assistant","content":[{"type":"text","text":"ho"}]},"usage":{"tokens":{"input_tokens":3,"output_tokens":1}}}`), atCohere)
	_, err := l.post("/v2/chat", `{"model":"command-z","messages":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}}]},
		{"role":"assistant","tool_plan":"I look.","tool_calls":[{"id":"a","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}}]},
		{"role":"tool","tool_call_id":"a","content":[{"type":"document","document":{"id":"1","data":{"r":42}}}]},{"role":"tool","tool_call_id":"b","content":"43"}],
		"documents":[{"id":"d1","data":{"text":"Wrens."}},"Owls."],"tools":[{"type":"function","function":{"name":"find","description":"finds","parameters":{"type":"object"}}}],"citation_options":{"mode":"FAST"},
		"temperature":0.5,"p":0.9,"k":7,"max_tokens":9,"seed":5,"stop_sequences":["x"],"frequency_penalty":0.1,"presence_penalty":0.2,"response_format":{"type":"json_object"},"tool_choice":"REQUIRED"}`)
	if err != nil {
		t.Fatal(err)
	}
	e := l.only()
	e.AssertInputs(`{"documents":[{"id":"d1","data":{"text":"Wrens."}},"Owls."],"chat_history":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"see"},{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `}]},
		{"role":"assistant","reasoning":"I look.","tool_calls":[{"id":"a","type":"function","function":{"name":"find","arguments":{"q":1}}}]},
		{"role":"tool","tool_call_id":"a","content":[{"type":"document","document":{"id":"1","data":{"r":42}}}]},{"role":"tool","tool_call_id":"b","content":"43"}]}`)
	check(t, l.attributes("chat command-z"), map[string]any{
		"gen_ai.provider.name": "cohere", "gen_ai.request.top_p": 0.9, "gen_ai.request.top_k": int64(7), "gen_ai.request.max_tokens": int64(9), "gen_ai.request.seed": int64(5), "gen_ai.request.stop_sequences": []string{"x"},
		"gen_ai.output.type": "json", "gen_ai.tool.definitions": `[{"type":"function","name":"find","description":"finds","parameters":{"type":"object"}}]`,
		"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"ho"}],"finish_reason":"length"}]`,
	})
	if !strings.Contains(e.Config.String(), `"citation_options":{"mode":"FAST"}`) || !strings.Contains(e.Config.String(), `"tool_choice":"REQUIRED"`) {
		t.Error(e.Config)
	}
}

func TestCohereRequestV1(t *testing.T) {
	l := newLab(t, whole(200, `{"text":"ho","generation_id":"g","finish_reason":"COMPLETE"}`), atCohere)
	_, _ = l.post("/v1/chat", `{"model":"command-y","preamble":"be brief","message":"and now?","conversation_id":"conv-1","connectors":[{"id":"web-search","user_access_token":"sk-secret","options":{"authorization":"sk-secret"}}],
		"chat_history":[{"role":"USER","message":"hi"},{"role":"CHATBOT","message":"I look.","tool_calls":[{"name":"find","parameters":{"q":1}}]},{"role":"TOOL","tool_results":[{"call":{"name":"find","parameters":{"q":1}},"outputs":[{"r":42}]}]}],
		"tool_results":[{"call":{"name":"now","parameters":{}},"outputs":[{"t":7}]}],"tools":[{"name":"find","description":"finds","parameter_definitions":{"q":{"type":"int","required":true}}}],"k":3}`)
	e := l.only()
	e.AssertInputs(`{"chat_history":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},{"role":"assistant","content":"I look.","tool_calls":[{"type":"function","function":{"name":"find","arguments":{"q":1}}}]},
		{"role":"tool","name":"find","content":[{"r":42}]},{"role":"user","content":"and now?"},{"role":"tool","name":"now","content":[{"t":7}]}]}`)
	check(t, l.attributes("chat command-y"), map[string]any{"gen_ai.conversation.id": "conv-1", "gen_ai.tool.definitions": `[{"type":"function","name":"find","description":"finds","parameters":{"q":{"type":"int","required":true}}}]`})
	if strings.Contains(e.Config.String(), "secret") || !strings.Contains(e.Config.String(), "web-search") {
		t.Error(e.Config)
	}
}

// TestCohereRoutes checks which requests to Cohere's hosts are calls, and whose
// format they have.
func TestCohereRoutes(t *testing.T) {
	const chat = `{"choices":[{"index":0,"message":{"role":"assistant","content":"ho"},"finish_reason":"stop"}]}`
	for name, c := range map[string]struct {
		url, answer string
		calls       int
	}{
		"version 2": {"https://api.cohere.com/v2/chat", `{"id":"c","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"ho"}]}}`, 1},
		"version 1": {"https://api.cohere.ai/v1/chat", `{"text":"ho","finish_reason":"COMPLETE"}`, 1},
		"openai":    {"https://api.cohere.ai/compatibility/v1/chat/completions", chat, 1},
		"openai at": {"https://api.cohere.com/compatibility/v1/chat/completions", chat, 1},
		"generate":  {"https://api.cohere.com/v1/generate", `{}`, 0},
		"tokenize":  {"https://api.cohere.com/v1/tokenize", `{}`, 0},
		"elsewhere": {"https://llm.example/v2/chat", `{}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.send(s.request(c.url, `{"model":"m"}`), wholeJSON(c.answer))
			events := s.end()
			if len(events) != c.calls {
				t.Fatalf("%d events, want %d", len(events), c.calls)
			}
			for _, e := range events {
				if v, _ := e.Outputs.Get("content"); string(v) != `"ho"` {
					t.Error(e.Outputs)
				}
				if v, _ := e.Config.Get("provider"); string(v) != `"cohere"` {
					t.Error(e.Config)
				}
			}
		})
	}
}

func wholeJSON(body string) answer { return answer{kind: "application/json", body: body} }
