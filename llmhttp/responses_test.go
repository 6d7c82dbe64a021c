package llmhttp_test

import (
	"strings"
	"testing"
)

const responsesRequest = `{"model":"gpt-x","instructions":"be brief","conversation":{"id":"conv_1"},"reasoning":{"effort":"high"},"text":{"format":{"type":"json_schema","name":"s","schema":{}}},"max_output_tokens":9,"previous_response_id":"resp_0",
	"tools":[{"type":"function","name":"f","description":"does f","parameters":{"type":"object"},"strict":true},{"type":"web_search"}],"input":[
	{"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"https://x.test/a.png"},{"type":"input_file","file_id":"file-1","filename":"a.pdf"}]},
	{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}]},
	{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
	{"type":"function_call","call_id":"c2","name":"f","arguments":"{}"},
	{"type":"function_call_output","call_id":"c1","output":"42"}]`

const responsesOutput = `[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"so"}]},
	{"type":"message","id":"m_1","role":"assistant","content":[{"type":"output_text","text":"hello","annotations":[{"type":"url_citation","url":"https://c.test"}]},{"type":"refusal","refusal":"no"}]},
	{"type":"function_call","call_id":"c3","name":"f","arguments":"{\"b\":2}"},{"type":"function_call","call_id":"c4","name":"f","arguments":"{}"}]`

const responsesUsage = `{"input_tokens":12,"input_tokens_details":{"cached_tokens":4},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":18}`

const responsesOutputs = `{"role":"assistant","content":"hello","annotations":[{"type":"url_citation","url":"https://c.test"}],"refusal":"no","reasoning":"so","finish_reason":"tool_calls","tool_calls":[
	{"id":"c3","type":"function","function":{"name":"f","arguments":{"b":2}}},{"id":"c4","type":"function","function":{"name":"f","arguments":{}}}]}`

func TestResponses(t *testing.T) {
	l := newLab(t, whole(200, `{"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"model":"gpt-x-1","output":`+responsesOutput+`,"usage":`+responsesUsage+`}`))
	if _, err := l.post("/v1/responses", responsesRequest+"}"); err != nil {
		t.Fatal(err)
	}
	e := l.only()
	e.AssertInputs(`{"chat_history":[{"role":"system","content":"be brief"},
		{"role":"user","content":[{"type":"text","text":"hi"},{"type":"uri","modality":"image","uri":"https://x.test/a.png"},{"type":"file","modality":"document","file_id":"file-1","name":"a.pdf"}]},
		{"role":"assistant","reasoning":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":{"a":1}}},{"id":"c2","type":"function","function":{"name":"f","arguments":{}}}]},
		{"role":"tool","tool_call_id":"c1","content":"42"}]}`)
	e.AssertOutputs(responsesOutputs)
	metadata(t, e, map[string]string{"prompt_tokens": "12", "completion_tokens": "6", "cache_read_input_tokens": "4", "reasoning_tokens": "2", "response_id": `"resp_1"`})
	check(t, l.attributes("chat gpt-x"), map[string]any{
		"gen_ai.conversation.id": "conv_1", "gen_ai.request.previous_response.id": "resp_0", "gen_ai.request.reasoning.level": "high", "gen_ai.output.type": "json",
		"openai.api.type": "responses", "gen_ai.request.max_tokens": int64(9), "gen_ai.system_instructions": `[{"type":"text","content":"be brief"}]`,
		"gen_ai.tool.definitions": `[{"type":"function","name":"f","description":"does f","parameters":{"type":"object"}},{"type":"web_search"}]`,
	})
}

var responsesStream = []string{
	event("response.created", `{"type":"response.created","sequence_number":0,"response":{"id":"resp_2","model":"gpt-x-1","status":"in_progress","output":[]}}`),
	event("response.output_item.added", `{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","summary":[]}}`),
	event("response.reasoning_summary_text.delta", `{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"so"}`),
	event("response.output_item.added", `{"type":"response.output_item.added","output_index":1,"item":{"type":"message","content":[]}}`),
	event("response.output_text.delta", `{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"hel"}`),
	event("response.output_text.delta", `{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"lo"}`),
	event("response.output_item.added", `{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","call_id":"c3","name":"f","arguments":""}}`),
	event("response.function_call_arguments.delta", `{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"b\":"}`),
	event("response.function_call_arguments.delta", `{"type":"response.function_call_arguments.delta","output_index":2,"delta":"2}"}`),
	event("response.completed", `{"type":"response.completed","response":{"id":"resp_2","status":"completed","model":"gpt-x-1","output":`+strings.ReplaceAll(responsesOutput, "\n", "")+`,"usage":`+responsesUsage+`}}`),
}

func TestResponsesStream(t *testing.T) {
	l := newLab(t, hang(responsesStream...))
	resp, err := l.client.Do(l.request("/v1/responses", responsesRequest+`,"stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(strings.Join(responsesStream, "")))
	for n := 0; n < len(b); {
		m, err := resp.Body.Read(b[n:])
		if n += m; err != nil {
			t.Fatal(err)
		}
	}
	if l.ended() != 1 { // it has no [DONE]
		t.Error("the event did not end with the response")
	}
	_ = resp.Body.Close()
	e := l.only()
	e.AssertOutputs(responsesOutputs)
	metadata(t, e, map[string]string{"prompt_tokens": "12", "completion_tokens": "6", "finish_reasons": `["tool_calls"]`})
	if _, ok := e.Metadata.Get("time_to_first_chunk_ms"); !ok || e.Error.Or("") != "" {
		t.Error(e.Metadata, e.Error)
	}
}

func TestResponsesBroken(t *testing.T) {
	const parts = `{"role":"assistant","content":"hello","reasoning":"so","tool_calls":[{"id":"c3","type":"function","function":{"name":"f","arguments":{"b":2}}}],"finish_reason":`
	for name, c := range map[string]struct{ last, text, finish string }{
		"cut":        {"", "the stream ended before the answer was complete", `"error"`},
		"error":      {event("error", `{"type":"error","code":"server_error","message":"broke"}`), "server_error: broke", `"error"`},
		"failed":     {event("response.failed", `{"type":"response.failed","response":{"id":"resp_2","status":"failed","error":{"code":"server_error","message":"broke"},"output":[]}}`), "server_error: broke", `"failed"`},
		"incomplete": {event("response.incomplete", `{"type":"response.incomplete","response":{"id":"resp_2","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}}`), "", `"max_output_tokens"`},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, stream(append(responsesStream[:len(responsesStream)-1:len(responsesStream)-1], c.last)...))
			_, _ = l.post("/v1/responses", `{"model":"gpt-x","input":"hi","stream":true}`)
			e := l.only()
			e.AssertInputs(`{"chat_history":[{"role":"user","content":"hi"}]}`)
			e.AssertOutputs(parts + c.finish + "}")
			if e.Error.Or("") != c.text {
				t.Error(e.Error)
			}
		})
	}
}
