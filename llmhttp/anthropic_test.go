package llmhttp_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/llmhttp"
)

const messagesRequest = `{"model":"claude-x","max_tokens":1024,"system":[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral"}}],"temperature":1,"top_k":5,"stop_sequences":["x"],
	"thinking":{"type":"enabled","budget_tokens":1000},"tools":[{"name":"f","description":"does f","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search"}],
	"mcp_servers":[{"url":"https://t.test","authorization_token":"sk-secret"}],
	"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGVsbG8="}},{"type":"document","source":{"type":"url","url":"https://x.test/a.pdf"}},{"type":"text","text":"hi"}]},
		{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"t1","name":"f","input":{"a":1}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"42"}]},{"type":"text","text":"go on"}]},
		{"role":"user","content":"plain"}]}`

func TestMessages(t *testing.T) {
	const answer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-x-1","content":[{"type":"thinking","thinking":"so","signature":"s"},{"type":"text","text":"hello","citations":[{"type":"page_location","cited_text":"c"}]},
		{"type":"tool_use","id":"t2","name":"f","input":{"b":2}},{"type":"tool_use","id":"t3","name":"f","input":{}}],"stop_reason":"tool_use","stop_sequence":null,
		"usage":{"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":5,"output_tokens":7,"service_tier":"standard"}}`
	l := newLab(t, whole(200, answer))
	got, err := l.post("/v1/messages", messagesRequest, "Anthropic-Version", "2023-06-01", "X-Api-Key", "sk-secret")
	if err != nil || got != answer || l.got[0] != messagesRequest {
		t.Fatal(err, got)
	}
	e := l.only()
	const ref = `"urn:sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","sha256":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","size":5`
	media := `{"type":"uri","modality":"image","mime_type":"image/png","uri":` + ref + `},{"type":"uri","modality":"document","uri":"https://x.test/a.pdf"}`
	e.AssertInputs(`{"chat_history":[{"role":"system","content":"be brief"},
		{"role":"user","content":[` + media + `,{"type":"text","text":"hi"}]},
		{"role":"assistant","reasoning":"hm","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":{"a":1}}}]},
		{"role":"tool","tool_call_id":"t1","content":"42"},{"role":"user","content":"go on"},{"role":"user","content":"plain"}]}`)
	e.AssertOutputs(`{"role":"assistant","content":"hello","annotations":[{"type":"page_location","cited_text":"c"}],"reasoning":"so","finish_reason":"tool_use","tool_calls":[
		{"id":"t2","type":"function","function":{"name":"f","arguments":{"b":2}}},{"id":"t3","type":"function","function":{"name":"f","arguments":{}}}]}`)
	metadata(t, e, map[string]string{
		"prompt_tokens": "18", "completion_tokens": "7", "total_tokens": "25", "cache_read_input_tokens": "5", "cache_write_input_tokens": "3",
		"response_id": `"msg_1"`, "response_model": `"claude-x-1"`, "response_service_tier": `"standard"`,
	})
	if strings.Contains(e.Config.String(), "secret") || !strings.Contains(e.Config.String(), "budget_tokens") {
		t.Error(e.Config)
	}
	check(t, l.attributes("chat claude-x"), map[string]any{
		"gen_ai.provider.name": "anthropic", "gen_ai.usage.input_tokens": int64(18), "gen_ai.usage.cache_write.input_tokens": int64(3), "gen_ai.usage.cache_creation.input_tokens": int64(3),
		"gen_ai.request.top_k": int64(5), "gen_ai.request.max_tokens": int64(1024), "gen_ai.response.finish_reasons": []string{"tool_use"},
		"gen_ai.system_instructions": `[{"type":"text","content":"be brief"}]`,
		"gen_ai.output.messages": `[{"role":"assistant","finish_reason":"tool_call","parts":[{"type":"reasoning","content":"so"},{"type":"text","content":"hello","citations":[{"type":"page_location","cited_text":"c"}]},
			{"type":"tool_call","id":"t2","name":"f","arguments":{"b":2}},{"type":"tool_call","id":"t3","name":"f","arguments":{}}]}]`,
		"gen_ai.tool.definitions": `[{"type":"function","name":"f","description":"does f","parameters":{"type":"object"}},{"type":"web_search_20250305","name":"web_search"}]`,
	})
}

// event writes an event of Anthropic's streams.
func event(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

var messagesStream = []string{
	event("message_start", `{"type":"message_start","message":{"id":"msg_2","model":"claude-x-1","role":"assistant","content":[],"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":100,"output_tokens":1}}}`),
	event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`),
	event("ping", `{"type":"ping"}`),
	event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"let me"}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":" see"}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}`),
	event("content_block_stop", `{"type":"content_block_stop","index":0}`),
	event("content_block_start", `{"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"st","name":"web_search","input":{}}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"query\":"}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"q\"}"}}`),
	event("content_block_start", `{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Hällo"}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"n":1}}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"n":2}}}`),
	event("content_block_start", `{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}`),
	event("content_block_delta", `{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"1}"}}`),
	event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":42}}`),
	event("message_stop", `{"type":"message_stop"}`),
}

const messagesStreamOutputs = `{"role":"assistant","content":[{"type":"server_tool_use","id":"st","name":"web_search","input":{"query":"q"}},{"type":"text","text":"Hällo","citations":[{"n":1},{"n":2}]}],
	"reasoning":"let me see","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":{"a":1}}}],"finish_reason":"tool_use"}`

func TestMessagesStream(t *testing.T) {
	l := newLab(t, stream(messagesStream...))
	got, err := l.post("/v1/messages", `{"model":"claude-x","stream":true,"system":"s","messages":[]}`, "Anthropic-Version", "2023-06-01")
	if err != nil || got != strings.Join(messagesStream, "") {
		t.Fatal(err, got)
	}
	e := l.only()
	e.AssertOutputs(messagesStreamOutputs)
	metadata(t, e, map[string]string{"prompt_tokens": "110", "completion_tokens": "42", "cache_read_input_tokens": "100", "response_id": `"msg_2"`})
	if _, ok := e.Metadata.Get("time_to_first_chunk_ms"); !ok || e.Error.Or("") != "" {
		t.Error(e.Metadata, e.Error)
	}
}

func TestMessagesErrors(t *testing.T) {
	overloaded := `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}`
	for name, c := range map[string]struct {
		pieces []string
		text   string
		output string
	}{
		"in stream":         {append(messagesStream[:13:13], event("error", overloaded)), "overloaded_error: Overloaded", "error"},
		"first":             {[]string{event("error", overloaded)}, "overloaded_error: Overloaded", ""},
		"ends too soon":     {messagesStream[:13], "the stream ended before the answer was complete", "error"},
		"only without stop": {messagesStream[:19], "", "tool_use"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, stream(c.pieces...))
			_, _ = l.post("/v1/messages", `{"model":"claude-x","stream":true}`, "Anthropic-Version", "2023-06-01")
			e := l.only()
			v, _ := e.Outputs.Get("finish_reason")
			if diff := cmp.Diff([]string{c.text, c.output}, []string{e.Error.Or(""), strings.Trim(string(v), `"`)}); diff != "" {
				t.Error(diff)
			}
		})
	}
	l := newLab(t, whole(529, overloaded))
	_, _ = l.post("/v1/messages", `{"model":"claude-x"}`, "Anthropic-Version", "2023-06-01")
	if e := l.only(); e.Error.Or("") != "529 overloaded_error: Overloaded" {
		t.Error(e.Error)
	}
}

// TestMessagesUsage reads counts that are nested, late, zero or gone.
func TestMessagesUsage(t *testing.T) {
	for name, c := range map[string]struct {
		start, delta string
		metadata     map[string]string
	}{
		"zeros at the end": {
			`{"input_tokens":21,"cache_read_input_tokens":300,"cache_creation_input_tokens":40,"output_tokens":1}`, `{"input_tokens":0,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,"output_tokens":9}`,
			map[string]string{"prompt_tokens": "361", "completion_tokens": "9", "cache_read_input_tokens": "300", "cache_write_input_tokens": "40", "total_tokens": "370"},
		},
		"null at the end": {
			`{"input_tokens":21,"output_tokens":1}`, `{"input_tokens":null,"output_tokens":9}`,
			map[string]string{"prompt_tokens": "21", "completion_tokens": "9"},
		},
		"at the end alone": {
			`{"input_tokens":0,"output_tokens":0}`, `{"input_tokens":17,"output_tokens":9}`,
			map[string]string{"prompt_tokens": "17", "completion_tokens": "9"},
		},
		"written for two times": {
			`{"input_tokens":21,"cache_creation":{"ephemeral_5m_input_tokens":7,"ephemeral_1h_input_tokens":8},"output_tokens":1}`, `{"output_tokens":9}`,
			map[string]string{"prompt_tokens": "36", "cache_write_input_tokens": "15"},
		},
		"written, said twice": {
			`{"input_tokens":21,"cache_creation_input_tokens":15,"cache_creation":{"ephemeral_5m_input_tokens":7,"ephemeral_1h_input_tokens":8},"output_tokens":1}`, `{"output_tokens":9}`,
			map[string]string{"prompt_tokens": "36", "cache_write_input_tokens": "15"},
		},
		"thinking": {
			`{"input_tokens":21,"output_tokens":1}`, `{"output_tokens":90,"output_tokens_details":{"thinking_tokens":80}}`,
			map[string]string{"completion_tokens": "90", "reasoning_tokens": "80"},
		},
		"none": {`null`, `{}`, map[string]string{"prompt_tokens": "", "completion_tokens": "", "total_tokens": ""}},
		"only at the start": {
			`{"input_tokens":21,"output_tokens":1}`, `{"output_tokens":0}`, map[string]string{"prompt_tokens": "21", "completion_tokens": "1"},
		},
		"iterations": {
			`{"input_tokens":21,"output_tokens":1}`, `{"output_tokens":9,"iterations":[{"type":"advisor_message","model":"o","input_tokens":5,"output_tokens":6}]}`,
			map[string]string{"prompt_tokens": "21", "completion_tokens": "9", "usage_iterations": `[{"type":"advisor_message","model":"o","input_tokens":5,"output_tokens":6}]`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, stream(
				event("message_start", `{"type":"message_start","message":{"id":"m","model":"c","content":[],"usage":`+c.start+`}}`),
				event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ho"}}`),
				event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":`+c.delta+`}`),
				event("message_stop", `{"type":"message_stop"}`)))
			_, _ = l.post("/v1/messages", `{"model":"c","stream":true}`, "Anthropic-Version", "2023-06-01")
			metadata(t, l.only(), c.metadata)
		})
	}
}

// TestToolErrors checks that the result of a tool that failed says so.
func TestToolErrors(t *testing.T) {
	for name, c := range map[string][2]string{
		"messages": {"/v1/messages", `{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":"no way"},{"type":"tool_result","tool_use_id":"t2","is_error":false,"content":"42"}]}]}`},
		"converse": {"/model/m/converse", `{"messages":[{"role":"user","content":[{"toolResult":{"toolUseId":"t1","status":"error","content":[{"text":"no way"}]}},{"toolResult":{"toolUseId":"t2","status":"success","content":[{"text":"42"}]}}]}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, `{}`), llmhttp.WithName(func(llmhttp.Call) string { return "call" }))
			_, _ = l.post(c[0], c[1], "Anthropic-Version", "2023-06-01")
			l.only().AssertInputs(`{"chat_history":[{"role":"tool","tool_call_id":"t1","content":"no way","is_error":true},{"role":"tool","tool_call_id":"t2","content":"42"}]}`)
			check(t, l.attributes("call"), map[string]any{"gen_ai.input.messages": `[{"role":"user","parts":[{"type":"tool_call_response","id":"t1","response":"no way","is_error":true},{"type":"tool_call_response","id":"t2","response":"42"}]}]`})
		})
	}
}

// TestPartTypes checks that each part of a message has a type, as the conventions
// want it.
func TestPartTypes(t *testing.T) {
	for name, c := range map[string]struct{ path, answer, parts string }{
		"messages, no type": {"/v1/messages", `{"content":[{"text":"ho"},{"new":1}],"stop_reason":"end_turn"}`, `[{"type":"text","content":"ho"},{"type":"unknown","new":1}]`},
		"gemini": {
			"/v1beta/models/m:generateContent", `{"candidates":[{"content":{"parts":[{"executableCode":{"language":"PYTHON","code":"1"},"thoughtSignature":"AAEC"},{"toolCall":{"id":"t","toolType":"GOOGLE_SEARCH"}},{"toolResponse":{"id":"t","response":{}}},{"thoughtSignature":"AAEC"}]},"finishReason":"STOP"}]}`,
			`[{"type":"executableCode","executableCode":{"language":"PYTHON","code":"1"},"thoughtSignature":"AAEC"},{"type":"toolCall","toolCall":{"id":"t","toolType":"GOOGLE_SEARCH"}},{"type":"toolResponse","toolResponse":{"id":"t","response":{}}}]`,
		},
		"converse": {
			"/model/m/converse", `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"redactedContent":"AAEC"}},{"searchResult":{"title":"t"}},{"image":{"format":"png","error":{"message":"no"}}}]}},"stopReason":"end_turn"}`,
			`[{"type":"reasoningContent","reasoningContent":{"redactedContent":"AAEC"}},{"type":"searchResult","searchResult":{"title":"t"}},{"type":"image","image":{"format":"png","error":{"message":"no"}}}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, c.answer), llmhttp.WithName(func(llmhttp.Call) string { return "call" }))
			_, _ = l.post(c.path, `{}`, "Anthropic-Version", "2023-06-01")
			l.only()
			messages, _ := l.attributes("call")["gen_ai.output.messages"].(string)
			list := parsed(t, messages).([]any)
			if diff := cmp.Diff(parsed(t, c.parts), list[0].(map[string]any)["parts"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}
