package llmhttp_test

import (
	"strings"
	"testing"
)

func TestInteractionsRequest(t *testing.T) {
	for name, c := range map[string]struct{ input, inputs string }{
		"a text":   {`"hi"`, `[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]`},
		"content":  {`{"type":"text","text":"hi"}`, `[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]`},
		"contents": {`[{"type":"text","text":"see"},{"type":"image","mime_type":"image/png","data":"aGVsbG8="},{"type":"document","mime_type":"application/pdf","uri":"gs://b/a.pdf"}]`, `[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"see"},{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `},{"type":"uri","modality":"document","mime_type":"application/pdf","uri":"gs://b/a.pdf"}]}]`},
		"turns":    {`[{"role":"user","content":"hi"},{"role":"model","content":[{"type":"text","text":"ho"}]}]`, `[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]`},
		"steps": {
			`[{"type":"user_input","content":[{"type":"text","text":"hi"}]},{"type":"thought","signature":"AAEC","summary":[{"type":"text","text":"hm"}]},{"type":"function_call","id":"f1","name":"find","arguments":{"q":1}},
				{"type":"function_result","call_id":"f1","name":"find","is_error":true,"result":"no way"},{"type":"function_result","call_id":"f2","result":[{"type":"text","text":"42"}]},{"type":"function_result","call_id":"f3","result":{"r":1}}]`,
			`[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},{"role":"assistant","reasoning":"hm","tool_calls":[{"id":"f1","type":"function","function":{"name":"find","arguments":{"q":1}}}]},
				{"role":"tool","name":"find","tool_call_id":"f1","content":"no way","is_error":true},{"role":"tool","tool_call_id":"f2","content":"42"},{"role":"tool","tool_call_id":"f3","content":{"r":1}}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, `{"id":"v1_a","status":"completed","steps":[{"type":"model_output","content":[{"type":"text","text":"ho"}]}]}`))
			_, err := l.post("/v1beta/interactions", `{"model":"gemini-z","system_instruction":"be brief","input":`+c.input+`,"previous_interaction_id":"v1_0","tools":[{"type":"function","name":"find","description":"finds","parameters":{"type":"object"}},{"type":"google_search"},
				{"type":"mcp_server","name":"s","url":"https://m.test","headers":{"Authorization":"sk-secret"}}],"generation_config":{"temperature":0.5,"top_p":0.9,"max_output_tokens":9,"thinking_level":"low","tool_choice":"any","stop_sequences":["x"]}}`)
			if err != nil {
				t.Fatal(err)
			}
			e := l.only()
			e.AssertInputs(`{"chat_history":` + c.inputs + `}`)
			check(t, l.attributes("generate_content gemini-z"), map[string]any{
				"gen_ai.provider.name": "gcp.gemini", "gen_ai.request.top_p": 0.9, "gen_ai.request.max_tokens": int64(9), "gen_ai.request.stop_sequences": []string{"x"}, "gen_ai.request.previous_response.id": "v1_0",
				"gen_ai.tool.definitions": `[{"type":"function","name":"find","description":"finds","parameters":{"type":"object"}},{"type":"google_search"},{"type":"mcp_server","name":"s","url":"https://m.test"}]`,
			})
			if strings.Contains(e.Config.String(), "secret") {
				t.Error(e.Config)
			}
		})
	}
}

// TestInteractionsEnds checks what is recorded of interactions that did not end
// well, or not yet.
func TestInteractionsEnds(t *testing.T) {
	for name, c := range map[string]struct{ answer, outputs, error, status string }{
		"queued":     {`{"id":"a","status":"in_progress"}`, ``, ``, `"in_progress"`},
		"failed":     {`{"id":"a","status":"failed","errors":[{"code":"quota_exceeded","message":"too much"}]}`, `{"role":"assistant","content":"","finish_reason":"failed"}`, "quota_exceeded: too much", `"failed"`},
		"a step":     {`{"id":"a","status":"completed","steps":[{"type":"model_output","content":[{"type":"text","text":"h"}],"error":{"code":13,"message":"broke"}}]}`, `{"role":"assistant","content":"h","finish_reason":"completed"}`, "13: broke", `"completed"`},
		"cancelled":  {`{"id":"a","status":"cancelled"}`, `{"role":"assistant","content":"","finish_reason":"cancelled"}`, "cancelled", `"cancelled"`},
		"incomplete": {`{"id":"a","status":"incomplete","steps":[{"type":"model_output","content":[{"type":"text","text":"h"}]}]}`, `{"role":"assistant","content":"h","finish_reason":"incomplete"}`, "", `"incomplete"`},
		"an error":   {`{"error":{"code":"invalid_request","message":"no such model"}}`, ``, "invalid_request: no such model", ``},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.send(s.request(interactionsURL, `{"model":"m","input":"hi"}`), wholeJSON(c.answer))
			e := s.end()[0]
			if c.outputs != "" {
				e.AssertOutputs(c.outputs)
			} else if text := e.Outputs.String(); text != "" && text != "null" {
				t.Error(e.Outputs)
			}
			if e.Error.Or("") != c.error {
				t.Error(e.Error)
			}
			metadata(t, e, map[string]string{"response_status": c.status})
		})
	}
}

// TestInteractionsStream checks what is put together of steps whose deltas come in
// several pieces.
func TestInteractionsStream(t *testing.T) {
	for name, c := range map[string]struct {
		chunks  []piece
		outputs string
		error   string
	}{
		"code": {
			chunked(`{"event_type":"step.start","index":0,"step":{"type":"code_execution_call","id":"e1","arguments":{}}}`, `{"event_type":"step.delta","index":0,"delta":{"type":"code_execution_call","arguments":{"language":"python","code":"1+1"}}}`,
				`{"event_type":"step.start","index":1,"step":{"type":"code_execution_result","call_id":"e1"}}`, `{"event_type":"step.delta","index":1,"delta":{"type":"code_execution_result","result":"2"}}`, `{"event_type":"step.delta","index":1,"delta":{"type":"code_execution_result","result":"\n"}}`,
				`{"event_type":"interaction.completed","interaction":{"status":"completed"}}`),
			`{"role":"assistant","finish_reason":"completed","content":[{"type":"code_execution_call","id":"e1","arguments":{"language":"python","code":"1+1"}},{"type":"code_execution_result","call_id":"e1","result":"2\n"}]}`, "",
		},
		"a remote tool": {
			chunked(`{"event_type":"step.start","index":0,"step":{"type":"mcp_server_tool_call","id":"m1","name":"n","server_name":"s","arguments":{}}}`, `{"event_type":"step.delta","index":0,"delta":{"type":"mcp_server_tool_call","name":"n","server_name":"s","arguments":{"q":1}}}`,
				`{"event_type":"step.start","index":1,"step":{"type":"function_result","call_id":"f1","name":"n"}}`, `{"event_type":"step.delta","index":1,"delta":{"type":"function_result","result":"no","is_error":true}}`,
				`{"event_type":"interaction.completed","interaction":{"status":"completed"}}`),
			`{"role":"assistant","finish_reason":"completed","content":[{"type":"mcp_server_tool_call","id":"m1","name":"n","server_name":"s","arguments":{"q":1}},{"type":"tool_call_response","id":"f1","name":"n","response":"no","is_error":true}]}`, "",
		},
		"text around an image": {
			chunked(`{"event_type":"step.start","index":0,"step":{"type":"model_output"}}`, `{"event_type":"step.delta","index":0,"delta":{"type":"text","text":"a"}}`, `{"event_type":"step.delta","index":0,"delta":{"type":"image","mime_type":"image/png","data":"aGVsbG8="}}`,
				`{"event_type":"step.delta","index":0,"delta":{"type":"text","text":"b"}}`, `{"event_type":"step.delta","index":0,"delta":{"type":"audio","mime_type":"audio/wav","data":"aGVs"}}`, `{"event_type":"step.delta","index":0,"delta":{"type":"audio","data":"bG8="}}`,
				`{"event_type":"interaction.completed","interaction":{"status":"completed"}}`),
			`{"role":"assistant","finish_reason":"completed","content":[{"type":"text","text":"a"},{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `},{"type":"text","text":"b"},{"type":"uri","modality":"audio","mime_type":"audio/wav",` + helloRef + `}]}`, "",
		},
		"a call at once": {
			chunked(`{"event_type":"content.start","index":0,"content":{"type":"function_call"}}`, `{"event_type":"content.delta","index":0,"delta":{"type":"function_call","id":"f1","name":"n","arguments":{"q":1}}}`, `{"event_type":"interaction.complete","interaction":{"status":"requires_action"}}`),
			`{"role":"assistant","finish_reason":"requires_action","tool_calls":[{"id":"f1","type":"function","function":{"name":"n","arguments":{"q":1}}}]}`, "",
		},
		"an error": {
			[]piece{{"step.delta", `{"event_type":"step.delta","index":0,"delta":{"type":"text","text":"a"}}`}, {"error", `{"event_type":"error","error":{"code":"internal","message":"broke"}}`}},
			`{"role":"assistant","content":"a","finish_reason":"error"}`, "internal: broke",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.send(s.request(interactionsURL, `{"model":"m","stream":true,"input":"hi"}`), answer{kind: "text/event-stream", body: events(c.chunks)})
			e := s.end()[0]
			e.AssertOutputs(c.outputs)
			if e.Error.Or("") != c.error {
				t.Error(e.Error)
			}
		})
	}
}
