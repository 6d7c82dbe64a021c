package llmhttp_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const chatRequest = `{"model":"gpt-x","messages":[
	{"role":"system","content":"be brief"},
	{"role":"user","name":"ann","content":[{"type":"text","text":"what is \"this\"?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}},
		{"type":"image_url","image_url":{"url":"https://x.test/a.png","detail":"low"}},{"type":"input_audio","input_audio":{"data":"aGVsbG8=","format":"wav"}},
		{"type":"file","file":{"file_id":"file-1"}}]},
	{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"oops"}}]},
	{"role":"tool","tool_call_id":"c1","content":"42"},
	{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"43"}]}],
	"tools":[{"type":"function","function":{"name":"f","description":"does f","parameters":{"type":"object"}}},{"type":"mcp","server_url":"https://t.test","authorization":"sk-secret","headers":{"X":"sk-secret"}}],
	"temperature":0.5,"max_completion_tokens":100,"max_tokens":null,"stop":["a","b"],"seed":7,"n":2,"response_format":{"type":"json_object"},"reasoning_effort":"low","logit_bias":{}}`

const chatAnswer = `{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-x-0101","service_tier":"default","system_fingerprint":"fp","choices":[
	{"index":1,"message":{"role":"assistant","content":null,"refusal":"no"},"finish_reason":"content_filter"},
	{"index":0,"message":{"role":"assistant","content":"hello","reasoning_content":"hm","tool_calls":[{"id":"c3","type":"function","function":{"name":"f","arguments":"{\"b\":2}"}},{"id":"c4","type":"function","function":{"name":"g","arguments":"{}"}}],
		"annotations":[{"type":"url_citation","url_citation":{"url":"https://c.test"}}]},"finish_reason":"tool_calls"}],
	"usage":{"prompt_tokens":20,"completion_tokens":8,"total_tokens":28,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":3}}}`

func TestChat(t *testing.T) {
	l := newLab(t, whole(200, chatAnswer))
	got, err := l.post("/v1/chat/completions", chatRequest, "X-Stainless-Retry-Count", "1")
	if err != nil || got != chatAnswer || l.got[0] != chatRequest {
		t.Fatalf("%v: the client read %q, the server %q", err, got, l.got)
	}
	e := l.only()
	if e.EventName.Or("") != "chat gpt-x" || e.EventType.Or("") != "model" || e.Error.Or("") != "" {
		t.Errorf("%s %s %s", e.EventName.Or(""), e.EventType.Or(""), e.Error.Or(""))
	}
	const png = `"uri":"urn:sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","sha256":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","size":5`
	media := `{"type":"uri","modality":"image","mime_type":"image/png",` + png + `},
		{"type":"uri","modality":"image","uri":"https://x.test/a.png"},{"type":"uri","modality":"audio","mime_type":"audio/wav",` + png + `},
		{"type":"file","modality":"document","file_id":"file-1"}`
	e.AssertInputs(`{"chat_history":[
		{"role":"system","content":"be brief"},
		{"role":"user","name":"ann","content":[{"type":"text","text":"what is \"this\"?"},` + media + `]},
		{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":{"a":1}}},{"id":"c2","type":"function","function":{"name":"g","arguments":"oops"}}]},
		{"role":"tool","tool_call_id":"c1","content":"42"},
		{"role":"tool","tool_call_id":"c2","content":"43"}]}`)
	first := `"role":"assistant","content":"hello","annotations":[{"type":"url_citation","url_citation":{"url":"https://c.test"}}],"tool_calls":[
		{"id":"c3","type":"function","function":{"name":"f","arguments":{"b":2}}},{"id":"c4","type":"function","function":{"name":"g","arguments":{}}}],"reasoning":"hm","finish_reason":"tool_calls"`
	e.AssertOutputs(`{` + first + `,"choices":[{` + first + `},{"role":"assistant","refusal":"no","finish_reason":"content_filter"}]}`)
	if diff := cmp.Diff(parsed(t, `{"provider":"openai","model":"gpt-x","temperature":0.5,"max_tokens":100,"stop_sequences":["a","b"],"seed":7,"n":2,"response_format":{"type":"json_object"},"reasoning_effort":"low",
		"output_type":"json","service_tier":null,"stream":null,
		"tools":[{"type":"function","name":"f","description":"does f","parameters":{"type":"object"}},{"type":"mcp","server_url":"https://t.test"}]}`).(map[string]any)["tools"],
		parsed(t, e.Config.String()).(map[string]any)["tools"]); diff != "" {
		t.Error(diff)
	}
	metadata(t, e, map[string]string{
		"prompt_tokens": "20", "completion_tokens": "8", "total_tokens": "28", "cache_read_input_tokens": "5", "reasoning_tokens": "3",
		"response_id": `"chatcmpl-1"`, "response_model": `"gpt-x-0101"`, "finish_reasons": `["tool_calls","content_filter"]`, "attempt": "2", "system_fingerprint": `"fp"`,
	})
	check(t, l.attributes("chat gpt-x"), map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x", "gen_ai.response.model": "gpt-x-0101", "gen_ai.response.id": "chatcmpl-1",
		"gen_ai.request.temperature": 0.5, "gen_ai.request.max_tokens": int64(100), "gen_ai.request.stop_sequences": []string{"a", "b"}, "gen_ai.request.seed": int64(7),
		"gen_ai.request.choice.count": int64(2), "gen_ai.output.type": "json", "gen_ai.request.reasoning.level": "low", "gen_ai.request.stream": nil,
		"gen_ai.usage.input_tokens": int64(20), "gen_ai.usage.cache_read.input_tokens": int64(5), "gen_ai.usage.reasoning.output_tokens": int64(3),
		"gen_ai.response.finish_reasons": []string{"tool_calls", "content_filter"}, "server.address": "127.0.0.1", "http.request.resend_count": int64(1),
		"openai.api.type": "chat_completions", "openai.response.service_tier": "default", "openai.response.system_fingerprint": "fp",
		"gen_ai.input.messages": `[{"role":"system","parts":[{"type":"text","content":"be brief"}]},
			{"role":"user","name":"ann","parts":[{"type":"text","content":"what is \"this\"?"},` + media + `]},
			{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f","arguments":{"a":1}},{"type":"tool_call","id":"c2","name":"g","arguments":"oops"}]},
			{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"42"}]},
			{"role":"tool","parts":[{"type":"tool_call_response","id":"c2","response":"43"}]}]`,
		"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},{"type":"text","content":"hello","citations":[{"type":"url_citation","url_citation":{"url":"https://c.test"}}]},
			{"type":"tool_call","id":"c3","name":"f","arguments":{"b":2}},{"type":"tool_call","id":"c4","name":"g","arguments":{}}],"finish_reason":"tool_call"},
			{"role":"assistant","parts":[{"type":"refusal","content":"no"}],"finish_reason":"content_filter"}]`,
		"gen_ai.tool.definitions": `[{"type":"function","name":"f","description":"does f","parameters":{"type":"object"}},{"type":"mcp","server_url":"https://t.test"}]`,
	})
}

var chatStream = data(
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[],"prompt_filter_results":[]}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[{"index":0,"delta":{"reasoning":"h"}}]}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[{"index":0,"delta":{"reasoning":"m"}}]}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[{"index":0,"delta":{"content":"hél"}},{"index":1,"delta":{"content":"other"}}]}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[{"index":0,"delta":{"content":"lo \ud83d\ude00"}}],"obfuscation":"xx"}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}]}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]}}]}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}},{"index":1,"function":{"arguments":"{}"}}]}}]}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"},{"index":1,"delta":{},"finish_reason":"length"}]}`,
	`{"id":"chatcmpl-2","model":"gpt-y","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}`,
	`[DONE]`)

const chatStreamOutputs = `{"role":"assistant","content":"héllo 😀","reasoning":"hm","finish_reason":"tool_calls","tool_calls":[
		{"id":"a","type":"function","function":{"name":"f","arguments":{"x":1}}},{"id":"b","type":"function","function":{"name":"g","arguments":{}}}],
	"choices":[{"role":"assistant","content":"héllo 😀","reasoning":"hm","finish_reason":"tool_calls","tool_calls":[
		{"id":"a","type":"function","function":{"name":"f","arguments":{"x":1}}},{"id":"b","type":"function","function":{"name":"g","arguments":{}}}]},
		{"role":"assistant","content":"other","finish_reason":"length"}]}`

func TestChatStream(t *testing.T) {
	pieces := append([]string{": OPENROUTER PROCESSING\n\n"}, chatStream...)
	l := newLab(t, stream(pieces...))
	got, err := l.post("/api/v1/chat/completions", `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	if err != nil || got != strings.Join(pieces, "") {
		t.Fatalf("%v: %q", err, got)
	}
	e := l.only()
	e.AssertOutputs(chatStreamOutputs)
	if e.Error.Or("") != "" {
		t.Error(e.Error)
	}
	metadata(t, e, map[string]string{"prompt_tokens": "9", "completion_tokens": "4", "finish_reasons": `["tool_calls","length"]`})
	for _, key := range []string{"time_to_first_chunk_ms", "tokens_per_second"} {
		if v, ok := e.Metadata.Get(key); !ok || string(v) == "0.000" {
			t.Errorf("%s is %q", key, v)
		}
	}
	attrs := l.attributes("chat m")
	check(t, attrs, map[string]any{"gen_ai.request.stream": true})
	if v, _ := attrs["gen_ai.response.time_to_first_chunk"].(float64); v <= 0 {
		t.Errorf("time to first chunk %v", v)
	}
}

// TestToolCallsOfOthers reads calls of tools of servers that number them in ways
// of their own.
func TestToolCallsOfOthers(t *testing.T) {
	for name, chunks := range map[string][]string{
		"no index":     {`{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`, `{"id":"b","function":{"name":"g","arguments":"{}"}}`},
		"same index":   {`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}`, `{"index":0,"function":{"arguments":"1}"}}`, `{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}`},
		"id repeated":  {`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}`, `{"index":0,"id":"a","function":{"name":"f","arguments":"1}"}}`, `{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}`},
		"object":       {`{"index":0,"id":"a","function":{"name":"f","arguments":{"x":1}}}`, `{"index":1,"id":"b","function":{"name":"g","arguments":{}}}`},
		"name later":   {`{"index":0,"id":"a"}`, `{"index":0,"function":{"name":"f","arguments":"{\"x\":1}"}}`, `{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}`},
		"out of order": {`{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}`, `{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}`, `{"index":1,"function":{"arguments":"}"}}`, `{"index":0,"function":{"arguments":":1}"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			var list []string
			for _, c := range chunks {
				list = append(list, `{"choices":[{"index":0,"delta":{"tool_calls":[`+c+`]}}]}`)
			}
			l := newLab(t, stream(data(append(list, `{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`, `[DONE]`)...)...))
			if _, err := l.post("/v1/chat/completions", `{"model":"m","stream":true,"messages":[]}`); err != nil {
				t.Fatal(err)
			}
			l.only().AssertOutputs(`{"role":"assistant","finish_reason":"tool_calls","tool_calls":[
				{"id":"a","type":"function","function":{"name":"f","arguments":{"x":1}}},{"id":"b","type":"function","function":{"name":"g","arguments":{}}}]}`)
		})
	}
}

func TestUsageOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		usage string
		want  map[string]string
	}{
		"deepseek": {`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6}`, map[string]string{"cache_read_input_tokens": "4", "total_tokens": "15"}},
		"xai":      {`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":22,"completion_tokens_details":{"reasoning_tokens":7}}`, map[string]string{"completion_tokens": "12", "reasoning_tokens": "7", "total_tokens": "22"}},
		"written":  {`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cache_write_tokens":3}}`, map[string]string{"prompt_tokens": "10", "cache_write_input_tokens": "3", "total_tokens": "15"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, `{"choices":[],"usage":`+c.usage+`}`))
			if _, err := l.post("/v1/chat/completions", `{"model":"m"}`); err != nil {
				t.Fatal(err)
			}
			metadata(t, l.only(), c.want)
		})
	}
	t.Run("groq", func(t *testing.T) {
		l := newLab(t, stream(data(`{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":2}}}`, `[DONE]`)...))
		if _, err := l.post("/openai/v1/chat/completions", `{"stream":true}`); err != nil {
			t.Fatal(err)
		}
		metadata(t, l.only(), map[string]string{"prompt_tokens": "3", "completion_tokens": "2"})
	})
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		handler    http.HandlerFunc
		path       string
		text, kind string
	}{
		"openai":     {whole(429, `{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`), "/v1/chat/completions", "429 rate_limit_exceeded: slow down", "rate_limit_exceeded"},
		"openrouter": {whole(402, `{"error":{"message":"pay","code":402}}`), "/v1/chat/completions", "402 402: pay", "402"},
		"fastapi":    {whole(422, `{"detail":[{"msg":"bad"}]}`), "/v1/chat/completions", `422 [{"msg":"bad"}]`, "422"},
		"mistral":    {whole(401, `{"message":"no"}`), "/v1/chat/completions", `401 no`, "401"},
		"ollama":     {whole(404, `{"error":"not found"}`), "/v1/chat/completions", `404 not found`, "404"},
		"text":       {whole(502, "bad gateway\n"), "/v1/chat/completions", `502 bad gateway`, "502"},
		"empty":      {whole(503, ""), "/v1/chat/completions", `503 Service Unavailable`, "503"},
		"embeddings": {whole(400, `{"error":{"message":"long","type":"invalid"}}`), "/v1/embeddings", `400 invalid: long`, "invalid"},
		"responses":  {whole(400, `{"error":{"message":"long","type":"invalid"}}`), "/v1/responses", `400 invalid: long`, "invalid"},
		"in stream":  {stream(data(`{"choices":[{"index":0,"delta":{"content":"par"}}]}`, `{"error":{"message":"broke","code":"server_error"}}`)...), "/v1/chat/completions", "server_error: broke", "server_error"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, c.handler)
			if _, err := l.post(c.path, `{"model":"m","stream":true}`); err != nil {
				t.Fatal(err)
			}
			e := l.only()
			if e.Error.Or("") != c.text {
				t.Errorf("error %q, want %q", e.Error.Or(""), c.text)
			}
			check(t, l.attributes(e.EventName.Or("")), map[string]any{"error.type": c.kind})
		})
	}
}

func TestEmbeddings(t *testing.T) {
	l := newLab(t, whole(200, `{"object":"list","data":[{"index":0,"embedding":[0.1,0.2,0.3]},{"index":1,"embedding":[1,2,3]}],"model":"emb-1","usage":{"prompt_tokens":6,"total_tokens":6}}`))
	if _, err := l.post("/v1/embeddings", `{"model":"emb","input":["a","b"],"encoding_format":"float","dimensions":3}`); err != nil {
		t.Fatal(err)
	}
	e := l.only()
	e.AssertInputs(`{"texts":["a","b"]}`)
	e.AssertOutputs(`{"embeddings":{"count":2,"dimensions":3}}`)
	metadata(t, e, map[string]string{"prompt_tokens": "6", "total_tokens": "6"})
	if e.EventType.Or("") != "tool" || e.EventName.Or("") != "embeddings emb" {
		t.Errorf("%v %v", e.EventType, e.EventName)
	}
	check(t, l.attributes("embeddings emb"), map[string]any{
		"gen_ai.operation.name": "embeddings", "gen_ai.embeddings.dimension.count": int64(3), "gen_ai.request.encoding_formats": []string{"float"}, "gen_ai.usage.input_tokens": int64(6),
	})
}

func TestAzure(t *testing.T) {
	l := newLab(t, whole(200, `{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}`))
	if _, err := l.post("/openai/deployments/mine/chat/completions?api-version=1", `{"messages":[{"role":"user","content":"hi"}]}`, "Api-Key", "sk-secret"); err != nil {
		t.Fatal(err)
	}
	if e := l.only(); e.EventName.Or("") != "chat mine" {
		t.Error(e.EventName)
	}
}

func TestTextCompletion(t *testing.T) {
	l := newLab(t, stream(data(`{"id":"c","choices":[{"index":0,"text":"on"}]}`, `{"choices":[{"index":0,"text":"ce","finish_reason":"length"}]}`, `[DONE]`)...))
	if _, err := l.post("/v1/completions", `{"model":"m","prompt":"tell","stream":true}`); err != nil {
		t.Fatal(err)
	}
	e := l.only()
	e.AssertInputs(`{"chat_history":[{"role":"user","content":"tell"}]}`)
	e.AssertOutputs(`{"role":"assistant","content":"once","finish_reason":"length"}`)
}

// TestStreamedSound checks that sound which comes in pieces is kept as one.
func TestStreamedSound(t *testing.T) {
	l := newLab(t, stream(data(`{"choices":[{"index":0,"delta":{"audio":{"id":"a1","data":"aGVs"}}}]}`, `{"choices":[{"index":0,"delta":{"audio":{"transcript":"hi"}}}]}`,
		`{"choices":[{"index":0,"delta":{"audio":{"data":"bG8="}}}]}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `[DONE]`)...))
	if _, err := l.post("/v1/chat/completions", ask); err != nil {
		t.Fatal(err)
	}
	l.only().AssertOutputs(`{"role":"assistant","content":[{"type":"uri","modality":"audio",` + helloRef + `},{"type":"text","text":"hi"}],"finish_reason":"stop"}`)
}

// TestStreamOfNoKind reads streams of servers that do not say what they send.
func TestStreamOfNoKind(t *testing.T) {
	for _, kind := range []string{"text/plain", "application/octet-stream"} {
		l := newLab(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, strings.Join(chatStream, ""))
		})
		r := l.request("/v1/chat/completions", ask)
		r.GetBody = nil // so that the request is known when it is sent
		resp, err := l.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		l.only().AssertOutputs(chatStreamOutputs)
	}
}
