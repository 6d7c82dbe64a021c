package llmhttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/sessiontest"
)

// An answered is an answer in the words of some server that speaks OpenAI's API,
// whole and as the chunks of a stream, each of which may be missing, and what is
// recorded of either.
type answered struct {
	path     string // "" is that of chat completions
	whole    string
	chunks   []string // without [DONE]
	outputs  string
	err      string
	metadata map[string]string // "" for what must not be there
}

// delta returns a chunk of a stream of chat completions.
func delta(json string) string { return `{"choices":[{"index":0,"delta":` + json + `}]}` }

const (
	ends  = `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	calls = `{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`
)

// chosen returns a whole answer of chat completions.
func chosen(message, finish string) string {
	return `{"choices":[{"index":0,"message":` + message + `,"finish_reason":"` + finish + `"}]}`
}

// ask sends a request of which the server answers with handler, and returns the
// event.
func (a *answered) event(t *testing.T, handler http.HandlerFunc, body string) *sessiontest.Event {
	t.Helper()
	l := newLab(t, handler)
	path := a.path
	if path == "" {
		path = "/v1/chat/completions"
	}
	if _, err := l.post(path, body); err != nil {
		t.Fatal(err)
	}
	return l.only()
}

func (a *answered) check(t *testing.T, e *sessiontest.Event) {
	t.Helper()
	if a.outputs != "" {
		e.AssertOutputs(a.outputs)
	}
	if e.Error.Or("") != a.err {
		t.Errorf("error %q, want %q", e.Error.Or(""), a.err)
	}
	metadata(t, e, a.metadata)
}

// TestOthers reads what servers say in places where OpenAI's own has nothing.
func TestOthers(t *testing.T) {
	reason := `{"role":"assistant","reasoning":"one and one","content":"two","finish_reason":"stop"}`
	for name, a := range map[string]answered{
		"reasoning under both names": {
			whole:   chosen(`{"role":"assistant","content":"two","reasoning":"one and one","reasoning_content":"one and one"}`, "stop"),
			chunks:  []string{delta(`{"reasoning":"one","reasoning_content":"one"}`), delta(`{"reasoning_content":" and one","reasoning":" and one"}`), delta(`{"content":"two"}`), ends},
			outputs: reason,
		},
		"reasoning of Copilot": {
			whole: chosen(`{"content":"two","reasoning_text":"one and one","reasoning_opaque":"zzz"}`, "stop"), chunks: []string{delta(`{"reasoning_text":"one and one"}`), delta(`{"content":"two"}`), ends},
			outputs: reason,
		},
		"details of reasoning alone": {
			whole:   chosen(`{"content":"two","reasoning_details":[{"type":"reasoning.text","text":"one","index":0},{"type":"reasoning.text","text":" and one","index":0},{"type":"reasoning.encrypted","data":"QUJD","index":1}]}`, "stop"),
			chunks:  []string{delta(`{"reasoning_details":[{"type":"reasoning.text","text":"one","index":0}]}`), delta(`{"reasoning_details":[{"type":"reasoning.text","text":" and one","index":0}]}`), delta(`{"content":"two"}`), delta(`{"reasoning_details":[{"type":"reasoning.encrypted","data":"QUJD","index":1}]}`), ends},
			outputs: reason,
		},
		"details of reasoning beside it": {
			whole:   chosen(`{"content":"two","reasoning":"one and one","reasoning_details":[{"type":"reasoning.summary","summary":"one and one"}]}`, "stop"),
			chunks:  []string{delta(`{"reasoning":"one and one","reasoning_details":[{"type":"reasoning.summary","summary":"one and one"}]}`), delta(`{"content":"two"}`), delta(`{"reasoning_details":[{"type":"reasoning.text","text":null,"signature":"QUJD"}]}`), ends},
			outputs: reason,
		},
		"two details of reasoning": {
			whole:   chosen(`{"content":"two","reasoning_details":[{"type":"reasoning.summary","summary":"a","index":0},{"type":"reasoning.summary","summary":"b","index":1}]}`, "stop"),
			chunks:  []string{delta(`{"reasoning_details":[{"type":"reasoning.summary","summary":"a","index":0},{"type":"reasoning.summary","summary":"b","index":1}]}`), delta(`{"content":"two"}`), ends},
			outputs: `{"role":"assistant","reasoning":"a\nb","content":"two","finish_reason":"stop"}`,
		},
		"content in parts": {
			whole:   chosen(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"one"},{"type":"text","text":" and one"}]},{"type":"text","text":"two"},{"type":"reference","reference_ids":[7]},{"type":"text","text":"."}]}`, "stop"),
			chunks:  []string{delta(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"one"}]}]}`), delta(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":" and one"}]}]}`), delta(`{"content":[{"type":"text","text":"t"}]}`), delta(`{"content":"wo"}`), delta(`{"content":[{"type":"reference","reference_ids":[7]},{"type":"text","text":"."}]}`), ends},
			outputs: `{"role":"assistant","reasoning":"one and one","content":[{"type":"text","text":"two"},{"type":"reference","reference_ids":[7]},{"type":"text","text":"."}],"finish_reason":"stop"}`,
		},
		"parts with citations": {
			whole:   chosen(`{"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"one"}]},{"type":"text","text":"two","citations":[{"url":"https://a.test"}]}]}`, "stop"),
			chunks:  []string{delta(`{"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"one"}]}]}`), delta(`{"content":[{"type":"text","text":"two"}]}`), delta(`{"content":[{"type":"text","text":"","citations":[{"url":"https://a.test"}]}]}`), ends},
			outputs: `{"role":"assistant","reasoning":"one","content":"two","annotations":[{"url":"https://a.test"}],"finish_reason":"stop"}`,
		},
		"annotations in several chunks": {
			whole:   chosen(`{"content":"two","annotations":[{"type":"url_citation","url_citation":{"url":"https://a.test"}},{"type":"url_citation","url_citation":{"url":"https://b.test"}}]}`, "stop"),
			chunks:  []string{delta(`{"content":"two","annotations":[{"type":"url_citation","url_citation":{"url":"https://a.test"}}]}`), delta(`{"annotations":[{"type":"url_citation","url_citation":{"url":"https://b.test"}}]}`), ends},
			outputs: `{"role":"assistant","content":"two","annotations":[{"type":"url_citation","url_citation":{"url":"https://a.test"}},{"type":"url_citation","url_citation":{"url":"https://b.test"}}],"finish_reason":"stop"}`,
		},
		"annotations again and again": {
			chunks:  []string{delta(`{"annotations":[{"a":1}]}`), delta(`{"content":"two","annotations":[{"a":1}]}`), delta(`{"annotations":[{"a":1},{"b":2}]}`), delta(`{"annotations":[]}`), ends},
			outputs: `{"role":"assistant","content":"two","annotations":[{"a":1},{"b":2}],"finish_reason":"stop"}`,
		},
		"annotations without a text": {
			whole: chosen(`{"content":null,"annotations":[{"a":1}]}`, "stop"), chunks: []string{delta(`{"annotations":[{"a":1}]}`), ends},
			outputs: `{"role":"assistant","content":"","annotations":[{"a":1}],"finish_reason":"stop"}`,
		},
		"annotations of a call": {
			whole:   chosen(`{"content":null,"annotations":[{"a":1}],"tool_calls":[{"id":"t","function":{"name":"f","arguments":"{}"}}]}`, "tool_calls"),
			chunks:  []string{delta(`{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]}`), delta(`{"annotations":[{"a":1}]}`), calls},
			outputs: `{"role":"assistant","annotations":[{"a":1}],"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":{}}}],"finish_reason":"tool_calls"}`,
		},
		"sources beside the choices": {
			whole:   `{"citations":["https://a.test","https://b.test"],"search_results":[{"url":"https://a.test"}],"choices":[{"index":0,"message":{"role":"assistant","content":"two[1]"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"cost":{"request_cost":0.25,"total_cost":0.5}}}`,
			chunks:  []string{`{"citations":["https://a.test"],"choices":[{"index":0,"message":{"content":"two"},"delta":{"content":"two"}}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`, `{"citations":["https://a.test","https://b.test"],"search_results":[{"url":"https://a.test"}],"choices":[{"index":0,"message":{"content":"two[1]"},"delta":{"content":"[1]"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"cost":{"request_cost":0.25,"total_cost":0.5}}}`},
			outputs: `{"role":"assistant","content":"two[1]","citations":["https://a.test","https://b.test"],"search_results":[{"url":"https://a.test"}],"finish_reason":"stop"}`,
			metadata: map[string]string{
				"cost": "0.5", "cost_details": `{"request_cost":0.25,"total_cost":0.5}`, "prompt_tokens": "3", "completion_tokens": "2", "total_tokens": "5",
			},
		},
		"data of Azure": {
			whole:   chosen(`{"content":"two [doc1]","context":{"citations":[{"title":"sums"}],"intent":"[\"one and one\"]"}}`, "stop"),
			chunks:  []string{delta(`{"role":"assistant","context":{"citations":[{"title":"sums"}]}}`), delta(`{"context":{"intent":"[\"one and one\"]"}}`), delta(`{"content":"two [doc1]"}`), ends},
			outputs: `{"role":"assistant","content":"two [doc1]","context":{"citations":[{"title":"sums"}],"intent":"[\"one and one\"]"},"finish_reason":"stop"}`,
		},
		"tools that ran at the provider": {
			whole:   chosen(`{"content":"two","executed_tools":[{"index":0,"type":"python","arguments":"1+1","output":"2"}]}`, "stop"),
			chunks:  []string{delta(`{"executed_tools":[{"index":0,"type":"python","arguments":"1+1","output":"2"}]}`), delta(`{"content":"two"}`), ends},
			outputs: `{"role":"assistant","content":"two","executed_tools":[{"index":0,"type":"python","arguments":"1+1","output":"2"}],"finish_reason":"stop"}`,
		},
		"images": {
			whole:   chosen(`{"content":"look","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}},{"image_url":{"url":"https://a.test/b.png"}}]}`, "stop"),
			chunks:  []string{delta(`{"content":"look","images":[{"type":"image_url","index":0,"image_url":{"url":"data:image/png;base64,aGVsbG8="}}]}`), delta(`{"images":[{"type":"image_url","index":0,"image_url":{"url":"data:image/png;base64,aGVsbG8="}}]}`), delta(`{"images":[{"index":1,"image_url":{"url":"https://a.test/b.png"}}]}`), ends},
			outputs: `{"role":"assistant","content":[{"type":"text","text":"look"},{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `},{"type":"uri","modality":"image","uri":"https://a.test/b.png"}],"finish_reason":"stop"}`,
		},
		"sound": {
			whole:   chosen(`{"content":null,"audio":{"id":"a","data":"aGVsbG8=","transcript":"hi"}}`, "stop"),
			chunks:  []string{delta(`{"audio":{"id":"a","data":"aGVs"}}`), delta(`{"audio":{"transcript":"h"}}`), delta(`{"audio":{"data":"bG8="}}`), delta(`{"audio":{"transcript":"i"}}`), ends},
			outputs: `{"role":"assistant","content":[{"type":"uri","modality":"audio",` + helloRef + `},{"type":"text","text":"hi"}],"finish_reason":"stop"}`,
		},
		"empty members everywhere": {
			whole:   chosen(`{"role":"assistant","content":"two","function_call":{"name":"","arguments":""},"tool_calls":[{"id":"","type":"function","function":{"name":"","arguments":""}}],"reasoning":"","reasoning_details":[],"annotations":[],"images":[],"audio":null,"refusal":""}`, "stop"),
			chunks:  []string{delta(`{"role":"","content":"two","function_call":{"name":"","arguments":""},"tool_calls":[{"index":0,"id":"","type":"function","function":{"name":"","arguments":""}}],"reasoning":"","reasoning_details":[],"annotations":[],"images":[],"audio":null,"refusal":""}`), ends},
			outputs: `{"role":"assistant","content":"two","finish_reason":"stop"}`,
		},
		"a function of old": {
			whole:   chosen(`{"content":null,"function_call":{"name":"f","arguments":"{\"x\":1}"}}`, "function_call"),
			chunks:  []string{delta(`{"function_call":{"name":"f","arguments":""}}`), delta(`{"function_call":{"arguments":"{\"x\""}}`), delta(`{"function_call":{"arguments":":1}"}}`), strings.Replace(calls, "tool_calls", "function_call", 1)},
			outputs: `{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1}}}],"finish_reason":"function_call"}`,
		},
		"a tool that takes text": {
			whole:   chosen(`{"content":null,"tool_calls":[{"id":"a","type":"custom","custom":{"name":"f","input":"42"}}]}`, "tool_calls"),
			chunks:  []string{delta(`{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":""}}]}`), delta(`{"tool_calls":[{"index":0,"custom":{"input":"4"}}]}`), delta(`{"tool_calls":[{"index":0,"custom":{"input":"2"}}]}`), calls},
			outputs: `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"42"}}],"finish_reason":"tool_calls"}`,
		},
		"message in place of a delta": {
			chunks:  []string{`{"choices":[{"index":0,"message":{"role":"assistant","content":"two"},"finish_reason":"stop"}]}`},
			outputs: `{"role":"assistant","content":"two","finish_reason":"stop"}`,
		},
		"fill in the middle": {
			path:    "/v1/fim/completions",
			whole:   chosen(`{"role":"assistant","content":"two"}`, "stop"),
			chunks:  []string{delta(`{"role":"assistant","content":"t"}`), delta(`{"content":"wo"}`), ends},
			outputs: `{"role":"assistant","content":"two","finish_reason":"stop"}`,
		},
	} {
		for form, handler := range map[string]http.HandlerFunc{"whole": whole(200, a.whole), "stream": stream(data(append(a.chunks, "[DONE]")...)...)} {
			if form == "whole" && a.whole == "" || form == "stream" && a.chunks == nil {
				continue
			}
			t.Run(name+", "+form, func(t *testing.T) {
				body := `{"model":"m","messages":[]}`
				if form == "stream" {
					body = `{"model":"m","stream":true,"messages":[]}`
				}
				a.check(t, a.event(t, handler, body))
			})
		}
	}
}

// TestFaults finds errors that come with status 200 where they stand.
func TestFaults(t *testing.T) {
	begun := delta(`{"content":"t"}`)
	failed := func(kind string) map[string]string { return map[string]string{"error_type": `"` + kind + `"`} }
	for name, a := range map[string]answered{
		"on a choice": {
			whole:  `{"choices":[{"index":0,"message":{"content":"t"},"finish_reason":"error","error":{"code":502,"message":"gone"}}]}`,
			chunks: []string{begun, `{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"code":502,"message":"gone"}}]}`},
			err:    "502: gone", metadata: failed("502"),
		},
		"on a choice that goes on": {
			chunks: []string{begun, `{"choices":[{"index":0,"delta":{},"finish_reason":null,"error":{"code":"late","message":"gone"}}]}`, ends},
			err:    "late: gone", metadata: failed("late"),
		},
		"a reason alone": {
			whole: chosen(`{"content":"t"}`, "error"), chunks: []string{begun, strings.Replace(ends, "stop", "error", 1)},
			err: "error: the answer ended with the reason error", metadata: failed("error"),
		},
		"a reason of a gateway's provider": {
			whole:  `{"choices":[{"index":0,"message":{"content":"t"},"finish_reason":"stop","native_finish_reason":"MALFORMED_FUNCTION_CALL"}]}`,
			chunks: []string{begun, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop","native_finish_reason":"MALFORMED_FUNCTION_CALL"}]}`},
			err:    "MALFORMED_FUNCTION_CALL: the answer ended with the reason stop", metadata: failed("MALFORMED_FUNCTION_CALL"),
		},
		"a reason behind words": {
			whole: chosen(`{"content":"t"}`, "function_call_filter: MALFORMED_FUNCTION_CALL"), chunks: []string{begun, strings.Replace(ends, "stop", "function_call_filter: MALFORMED_FUNCTION_CALL", 1)},
			err: "function_call_filter: MALFORMED_FUNCTION_CALL: the answer ended with the reason function_call_filter: MALFORMED_FUNCTION_CALL",
		},
		"resources": {
			whole: chosen(`{"content":"t"}`, "insufficient_system_resource"), chunks: []string{begun, strings.Replace(ends, "stop", "insufficient_system_resource", 1)},
			err: "insufficient_system_resource: the answer ended with the reason insufficient_system_resource", metadata: failed("insufficient_system_resource"),
		},
		"no reason to fail": {
			whole: chosen(`{"content":"t"}`, "content_filter"), chunks: []string{begun, strings.Replace(ends, "stop", "content_filter", 1)},
			metadata: map[string]string{"error_type": ""},
		},
		"Groq's": {
			chunks: []string{begun, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","error":"over_capacity","usage":{"prompt_tokens":3,"completion_tokens":2}}}`},
			err:    "over_capacity", metadata: map[string]string{"error_type": `"over_capacity"`, "prompt_tokens": "3"},
		},
		"Groq's, in words": {
			chunks: []string{begun, `{"choices":[{"index":0,"delta":{}}],"x_groq":{"error":"no room is left"}}`},
			err:    "no room is left", metadata: failed("provider_error"),
		},
		"what the model wrote": {
			whole:   `{"error":{"message":"no such tool","code":"tool_use_failed","failed_generation":"<f>"}}`,
			chunks:  []string{`{"error":{"message":"no such tool","code":"tool_use_failed","failed_generation":"<f>"}}`},
			outputs: `{"failed_generation":"<f>"}`,
			err:     "tool_use_failed: no such tool", metadata: failed("tool_use_failed"),
		},
		"what a gateway's provider said": {
			whole:  `{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"too many trees","provider_name":"P"}}}`,
			chunks: []string{begun, `{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"too many trees","provider_name":"P"}},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}`},
			err:    "429: Provider returned error: too many trees", metadata: failed("429"),
		},
		"MiniMax's": {
			whole:  `{"choices":null,"base_resp":{"status_code":1008,"status_msg":"no balance"}}`,
			chunks: []string{`{"choices":null,"base_resp":{"status_code":1008,"status_msg":"no balance"}}`},
			err:    "1008: no balance", metadata: failed("1008"),
		},
		"none of MiniMax's": {
			whole:    `{"choices":[{"index":0,"message":{"content":"t"},"finish_reason":"stop"}],"base_resp":{"status_code":0,"status_msg":""}}`,
			metadata: map[string]string{"error_type": ""},
		},
		"vLLM's, bare": {
			whole:  `{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}`,
			chunks: []string{begun, `{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}`},
			err:    "BadRequestError: too long", metadata: failed("BadRequestError"),
		},
		"in a list": {
			whole: `[{"error":{"code":"a","message":"b"}}]`, err: "a: b", metadata: failed("a"),
		},
		"empty": {
			whole:    `{"error":"","choices":[{"index":0,"message":{"content":"t"},"finish_reason":"stop"}]}`,
			chunks:   []string{`{"error":{},"choices":[{"index":0,"delta":{"content":"t"},"finish_reason":"stop"}]}`, `{"error":null,"choices":[]}`},
			metadata: map[string]string{"error_type": ""},
		},
		"of text completions": {
			path: "/v1/completions", whole: `{"choices":[{"index":0,"text":"t","finish_reason":"abort"}]}`, chunks: []string{`{"choices":[{"index":0,"text":"t"}]}`, `{"error":{"message":"gone","code":"late"}}`},
			err: "",
		},
		"of responses, bare": {
			path: "/v1/responses", whole: `{"error":{"message":"gone","code":"late"}}`, chunks: []string{`{"error":{"message":"gone","code":"late"}}`},
			err: "late: gone", metadata: failed("late"),
		},
		"of responses, nested": {
			path: "/v1/responses", chunks: []string{`{"type":"error","sequence_number":3,"error":{"type":"t","code":"late","message":"gone"}}`},
			err: "late: gone", metadata: failed("late"),
		},
		"of responses, cancelled": {
			path: "/v1/responses", whole: `{"id":"r","status":"cancelled","output":[],"error":null}`, chunks: []string{`{"type":"response.cancelled","response":{"id":"r","status":"cancelled","output":[]}}`},
			err: "cancelled", metadata: failed("cancelled"),
		},
	} {
		for form, handler := range map[string]http.HandlerFunc{"whole": whole(200, a.whole), "stream": stream(data(append(a.chunks, "[DONE]")...)...)} {
			if form == "whole" && a.whole == "" || form == "stream" && a.chunks == nil {
				continue
			}
			t.Run(name+", "+form, func(t *testing.T) {
				if name == "of text completions" {
					a.err = map[string]string{"whole": "abort: the answer ended with the reason abort", "stream": "late: gone"}[form]
				}
				a.check(t, a.event(t, handler, `{"model":"m","stream":`+map[string]string{"whole": "false", "stream": "true"}[form]+`}`))
			})
		}
	}
	for _, body := range []string{`{"message":"full","type":"server_error","code":"503"}`, `{"error":{"message":"full","type":"server_error","code":"503"}}`} {
		for _, path := range []string{"/v1/chat/completions", "/v1/completions", "/v1/responses"} {
			a := answered{path: path, err: "503: full", metadata: failed("503")}
			a.check(t, a.event(t, stream(append(data(begun), event("error", body))...), `{"model":"m","stream":true}`))
		}
	}
}

// TestCallsInPieces tells calls of tools apart that servers number in their ways.
func TestCallsInPieces(t *testing.T) {
	f := func(id, name, arguments string) string {
		if id != "" {
			id = `"id":"` + id + `",`
		}
		if arguments != "" {
			arguments = `,"arguments":` + arguments
		}
		return `{` + id + `"type":"function","function":{"name":"` + name + `"` + arguments + `}}`
	}
	for name, c := range map[string]struct {
		chunks []string // of tool_calls, one a chunk
		want   []string
	}{
		"another id in each chunk": {
			[]string{`{"index":0,"id":"a","function":{"name":"f"}}`, `{"index":0,"id":"b","function":{"arguments":"{\"x\":"}}`, `{"index":0,"id":"c","function":{"arguments":"1}"}}`},
			[]string{f("a", "f", `{"x":1}`)},
		},
		"another id in each chunk, two calls": {
			[]string{`{"index":0,"id":"a","function":{"name":"f"}}`, `{"index":0,"id":"b","function":{"arguments":"{\"x\":1}"}}`, `{"index":1,"id":"c","function":{"name":"g"}}`, `{"index":1,"id":"d","function":{"arguments":"{\"y\":"}}`, `{"index":1,"id":"e","function":{"arguments":"2}"}}`},
			[]string{f("a", "f", `{"x":1}`), f("c", "g", `{"y":2}`)},
		},
		"no ids and no indexes": {
			[]string{`{"function":{"name":"f","arguments":"{\"x\":1}"}}`, `{"function":{"name":"g","arguments":"{}"}}`, `{"function":{"name":"g"}}`, `{"function":{"name":"g"}}`},
			[]string{f("", "f", `{"x":1}`), f("", "g", `{}`), f("", "g", ""), f("", "g", "")},
		},
		"no ids and no indexes, in one chunk": {
			[]string{`{"function":{"name":"f","arguments":"{\"x\":1}"}},{"function":{"name":"f","arguments":"{\"x\":2}"}}`},
			[]string{f("", "f", `{"x":1}`), f("", "f", `{"x":2}`)},
		},
		"no ids, one index, one name": {
			[]string{`{"index":0,"function":{"name":"f","arguments":"{\"x\":\"}\"}"}}`, `{"index":0,"function":{"name":"f","arguments":"{\"x\":2}"}}`},
			[]string{f("", "f", `{"x":"}"}`), f("", "f", `{"x":2}`)},
		},
		"the name in each chunk": {
			[]string{`{"index":0,"function":{"name":"f","arguments":"{\"x\":{\"y\":1}"}}`, `{"index":0,"function":{"name":"f","arguments":"}"}}`, `{"index":0,"function":{"name":"f","arguments":""}}`},
			[]string{f("", "f", `{"x":{"y":1}}`)},
		},
		"a new name at one index": {
			[]string{`{"index":0,"function":{"name":"f","arguments":""}}`, `{"index":0,"function":{"name":"g","arguments":"{"}}`, `{"index":0,"function":{"arguments":"}"}}`},
			[]string{f("", "f", ""), f("", "g", `{}`)},
		},
		"two calls at one index": {
			[]string{`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`, `{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}}`},
			[]string{f("a", "f", `{"x":1}`), f("b", "f", `{"x":2}`)},
		},
		"in turns, by id": {
			[]string{`{"id":"a","function":{"name":"f","arguments":"{"}}`, `{"id":"b","function":{"name":"f","arguments":"{\"x\""}}`, `{"id":"a","function":{"arguments":"}"}}`, `{"id":"b","function":{"arguments":":2}"}}`},
			[]string{f("a", "f", `{}`), f("b", "f", `{"x":2}`)},
		},
		"an index later": {
			[]string{`{"id":"a","function":{"name":"f","arguments":"{"}}`, `{"index":0,"function":{"arguments":"}"}}`},
			[]string{f("a", "f", `{}`)},
		},
		"an id later": {
			[]string{`{"index":0,"function":{"name":"f","arguments":"{"}}`, `{"index":0,"id":"a","function":{"arguments":"}"}}`},
			[]string{f("a", "f", `{}`)},
		},
		"without arguments": {
			[]string{`{"index":0,"id":"a","function":{"name":"f"}}`, `{"index":1,"id":"b","function":{"name":"f","arguments":""}}`, `{"index":2,"id":"c","function":{"name":"f","arguments":"{}"}}`, `{"index":3,"id":"d","function":{"name":"f","arguments":{}}}`, `{"index":4,"id":"e","function":{"name":"f","arguments":null}}`},
			[]string{f("a", "f", ""), f("b", "f", ""), f("c", "f", `{}`), f("d", "f", `{}`), f("e", "f", "")},
		},
		"nothing": {
			[]string{`{"index":0}`, `{"index":0,"function":{}}`, `{}`},
			nil,
		},
		"numbers of a hostile server": {
			[]string{`{"index":-5,"id":"a","function":{"name":"f","arguments":"{}"}}`, `{"index":99999999999999999999,"id":"b","function":{"name":"g","arguments":"{}"}}`, `{"index":"x","id":"c","function":{"name":"h","arguments":"{}"}}`},
			[]string{f("a", "f", `{}`), f("b", "g", `{}`), f("c", "h", `{}`)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var chunks []string
			for _, call := range c.chunks {
				chunks = append(chunks, delta(`{"tool_calls":[`+call+`]}`))
			}
			a := answered{outputs: `{"role":"assistant","content":"","finish_reason":"tool_calls"}`}
			if c.want != nil {
				a.outputs = `{"role":"assistant","tool_calls":[` + strings.Join(c.want, ",") + `],"finish_reason":"tool_calls"}`
			}
			e := a.event(t, stream(data(append(chunks, calls, "[DONE]")...)...), ask)
			if diff := cmp.Diff(parsed(t, a.outputs), parsed(t, e.Outputs.String())); diff != "" {
				t.Error(diff)
			}
		})
	}
}
