package llmhttp_test

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// frame writes a message of a binary stream. Headers are names and texts.
func frame(payload string, headers ...string) string {
	var h []byte
	for i := 0; i < len(headers); i += 2 {
		h = append(h, byte(len(headers[i])))
		h = append(h, headers[i]...)
		h = append(h, 7)
		h = binary.BigEndian.AppendUint16(h, uint16(len(headers[i+1])))
		h = append(h, headers[i+1]...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(h)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(h)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, h...), payload...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// frameEvent writes an event of a binary stream.
func frameEvent(name, payload string) string {
	return frame(payload, ":event-type", name, ":content-type", "application/json", ":message-type", "event")
}

// frames answers with a binary stream.
func frames(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		for _, p := range pieces {
			_, _ = io.WriteString(w, p)
			w.(http.Flusher).Flush()
		}
	}
}

const converseRequest = `{"system":[{"text":"be brief"},{"cachePoint":{"type":"default"}}],
	"messages":[{"role":"user","content":[{"text":"see"},{"image":{"format":"png","source":{"bytes":"aGVsbG8="}}},{"document":{"format":"pdf","name":"a","source":{"s3Location":{"uri":"s3://b/a.pdf"}}}}]},
		{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}},{"toolUse":{"toolUseId":"t2","name":"g","input":{}}}]},
		{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"json":{"r":42}}],"status":"success"}},{"toolResult":{"toolUseId":"t2","content":[{"text":"43"}]}},{"cachePoint":{"type":"default"}}]}],
	"inferenceConfig":{"maxTokens":9,"temperature":0.5,"topP":0.9,"stopSequences":["x"]},
	"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"does f","inputSchema":{"json":{"type":"object"}}}},{"cachePoint":{"type":"default"}}],"toolChoice":{"auto":{}}},
	"guardrailConfig":{"guardrailIdentifier":"gr-1","guardrailVersion":"1"},"additionalModelRequestFields":{"thinking":{"budget_tokens":5}}}`

const converseAnswer = `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"so","signature":"s"}}},
	{"citationsContent":{"content":[{"text":"hel"},{"text":"lo"}],"citations":[{"title":"c"}]}},{"toolUse":{"toolUseId":"t3","name":"f","input":{"b":2}}},{"toolUse":{"toolUseId":"t4","name":"g","input":{}}}]}},
	"stopReason":"tool_use","usage":{"inputTokens":10,"outputTokens":7,"totalTokens":25,"cacheReadInputTokens":5,"cacheWriteInputTokens":3},"metrics":{"latencyMs":12}}`

const converseModel = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x-v1:0"

func TestConverse(t *testing.T) {
	l := newLab(t, whole(200, converseAnswer))
	got, err := l.post("/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile%2Fus.anthropic.claude-x-v1:0/converse", converseRequest,
		"Amz-Sdk-Request", "attempt=2; max=3", "Authorization", "AWS4-HMAC-SHA256 Credential=AKIASECRET, Signature=abcdef", "X-Amz-Security-Token", "sk-secret-token")
	if err != nil || got != converseAnswer || l.got[0] != converseRequest {
		t.Fatal(err, got)
	}
	e := l.only()
	e.AssertInputs(`{"chat_history":[{"role":"system","content":"be brief"},
		{"role":"user","content":[{"type":"text","text":"see"},{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `},{"type":"uri","modality":"document","mime_type":"application/pdf","uri":"s3://b/a.pdf","name":"a"}]},
		{"role":"assistant","reasoning":"hm","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":{"a":1}}},{"id":"t2","type":"function","function":{"name":"g","arguments":{}}}]},
		{"role":"tool","tool_call_id":"t1","content":{"r":42}},{"role":"tool","tool_call_id":"t2","content":"43"}]}`)
	e.AssertOutputs(`{"role":"assistant","content":"hello","annotations":[{"title":"c"}],"reasoning":"so","finish_reason":"tool_use","tool_calls":[
		{"id":"t3","type":"function","function":{"name":"f","arguments":{"b":2}}},{"id":"t4","type":"function","function":{"name":"g","arguments":{}}}]}`)
	metadata(t, e, map[string]string{
		"prompt_tokens": "18", "completion_tokens": "7", "total_tokens": "25", "cache_read_input_tokens": "5", "cache_write_input_tokens": "3", "attempt": "2", "latency_ms": "12",
	})
	check(t, l.attributes("chat "+converseModel), map[string]any{
		"gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": converseModel, "gen_ai.request.max_tokens": int64(9), "gen_ai.request.top_p": 0.9, "aws.bedrock.guardrail.id": "gr-1",
		"gen_ai.usage.input_tokens": int64(18), "gen_ai.response.finish_reasons": []string{"tool_use"}, "gen_ai.request.stop_sequences": []string{"x"},
		"gen_ai.tool.definitions": `[{"type":"function","name":"f","description":"does f","parameters":{"type":"object"}}]`,
	})
}

var converseStream = []string{
	frameEvent("messageStart", `{"role":"assistant","p":"abc"}`),
	frameEvent("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"let me"}},"p":"ab"}`),
	frameEvent("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":" see"}},"p":"abcd"}`),
	frameEvent("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}}`),
	frameEvent("contentBlockStop", `{"contentBlockIndex":0}`),
	frameEvent("contentBlockDelta", `{"contentBlockIndex":1,"delta":{"text":"Hä"},"p":"ab"}`),
	frameEvent("contentBlockDelta", `{"contentBlockIndex":1,"delta":{"text":"llo"},"p":"abcde"}`),
	frameEvent("contentBlockDelta", `{"contentBlockIndex":1,"delta":{"citation":{"title":"c"}}}`),
	frameEvent("contentBlockStart", `{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}`),
	frameEvent("contentBlockDelta", `{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"a\":"}}}`),
	frameEvent("contentBlockDelta", `{"contentBlockIndex":2,"delta":{"toolUse":{"input":"1}"}}}`),
	frameEvent("contentBlockStart", `{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"t2","name":"g"}}}`),
	frameEvent("contentBlockStop", `{"contentBlockIndex":3}`),
	frameEvent("messageStop", `{"stopReason":"tool_use"}`),
	frameEvent("metadata", `{"usage":{"inputTokens":10,"outputTokens":42,"totalTokens":152,"cacheReadInputTokens":100,"cacheWriteInputTokens":0},"metrics":{"latencyMs":7}}`),
}

const converseStreamOutputs = `{"role":"assistant","content":"Hällo","annotations":[{"title":"c"}],"reasoning":"let me see","finish_reason":"tool_use","tool_calls":[
	{"id":"t1","type":"function","function":{"name":"f","arguments":{"a":1}}},{"id":"t2","type":"function","function":{"name":"g","arguments":{}}}]}`

func TestConverseStream(t *testing.T) {
	l := newLab(t, frames(converseStream...))
	got, err := l.post("/model/amazon.nova-x-v1:0/converse-stream", converseRequest)
	if err != nil || got != strings.Join(converseStream, "") {
		t.Fatal(err)
	}
	e := l.only()
	e.AssertOutputs(converseStreamOutputs)
	metadata(t, e, map[string]string{"prompt_tokens": "110", "completion_tokens": "42", "total_tokens": "152", "cache_read_input_tokens": "100", "latency_ms": "7"})
	attrs := l.attributes("chat amazon.nova-x-v1:0")
	check(t, attrs, map[string]any{"gen_ai.request.stream": true})
	if _, ok := e.Metadata.Get("time_to_first_chunk_ms"); !ok || e.Error.Or("") != "" || attrs["gen_ai.response.time_to_first_chunk"] == nil {
		t.Error(e.Metadata, e.Error)
	}
}

// flipped returns a message with one bit changed.
func flipped(message string, at int) string {
	b := []byte(message)
	b[at] ^= 1
	return string(b)
}

func TestConverseBroken(t *testing.T) {
	started := converseStream[:7]
	for name, c := range map[string]struct {
		pieces       []string
		text, finish string
	}{
		"exception": {
			append(started[:7:7], frame(`{"message":"slow down"}`, ":exception-type", "throttlingException", ":content-type", "application/json", ":message-type", "exception")),
			"throttlingException: slow down", "error",
		},
		"exception first": {[]string{frame(`{"message":"no"}`, ":message-type", "exception", ":exception-type", "validationException")}, "validationException: no", ""},
		"error":           {append(started[:7:7], frame("", ":message-type", "error", ":error-code", "InternalError", ":error-message", "broke")), "InternalError: broke", "error"},
		"cut":             {started, "the stream ended before the answer was complete", "error"},
		"cut in a frame":  {append(started[:7:7], converseStream[7][:20]), "the stream ended before the answer was complete", "error"},
		"no metadata":     {converseStream[:14], "", "tool_use"},
		"payload":         {append(append(started[:7:7], flipped(converseStream[7], 120)), converseStream[8:]...), "damaged_stream: a checksum of the stream does not hold", "tool_use"},
		"prelude":         {append(append(started[:7:7], flipped(converseStream[7], 2)), converseStream[8:]...), "damaged_stream: a checksum of the stream does not hold", "error"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, frames(c.pieces...))
			got, err := l.post("/model/m/converse-stream", converseRequest)
			if err != nil || got != strings.Join(c.pieces, "") {
				t.Fatal(err)
			}
			e := l.only()
			v, _ := e.Outputs.Get("finish_reason")
			if diff := cmp.Diff([]string{c.text, c.finish}, []string{e.Error.Or(""), strings.Trim(string(v), `"`)}); diff != "" {
				t.Error(diff)
			}
			if c.finish != "" && !strings.Contains(e.Outputs.String(), `"Hällo"`) {
				t.Error(e.Outputs)
			}
		})
	}
}

func TestBedrockErrors(t *testing.T) {
	for name, c := range map[string]struct{ kind, body, text, errorType string }{
		"header":         {"ThrottlingException:http://internal.amazon.com/", `{"message":"slow"}`, "429 ThrottlingException: slow", "ThrottlingException"},
		"body":           {"", `{"__type":"com.amazon#AccessDeniedException","Message":"no"}`, "429 AccessDeniedException: no", "AccessDeniedException"},
		"nothing else":   {"ThrottlingException", ``, "429 ThrottlingException", "ThrottlingException"},
		"not from there": {"", `{}`, "429 Too Many Requests", "429"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				if c.kind != "" {
					w.Header().Set("X-Amzn-Errortype", c.kind)
				}
				whole(429, c.body)(w, r)
			})
			if _, err := l.post("/model/m/converse-stream", converseRequest); err != nil {
				t.Fatal(err)
			}
			if e := l.only(); e.Error.Or("") != c.text {
				t.Errorf("%s, want %s", e.Error.Or(""), c.text)
			}
			check(t, l.attributes("chat m"), map[string]any{"error.type": c.errorType})
		})
	}
}

func TestInvokeModel(t *testing.T) {
	var pieces []string
	for _, p := range messagesStream {
		_, data, _ := strings.Cut(p, "data: ")
		pieces = append(pieces, frameEvent("chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(strings.TrimSpace(data)))+`","p":"abc"}`))
	}
	l := newLab(t, frames(pieces...))
	_, _ = l.post("/model/us.anthropic.claude-x-v1:0/invoke-with-response-stream", `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)
	e := l.only()
	e.AssertInputs(`{"chat_history":[{"role":"user","content":"hi"}]}`)
	e.AssertOutputs(messagesStreamOutputs)
	metadata(t, e, map[string]string{"prompt_tokens": "110", "completion_tokens": "42"})
	check(t, l.attributes("chat us.anthropic.claude-x-v1:0"), map[string]any{"gen_ai.provider.name": "aws.bedrock", "gen_ai.request.stream": true})

	for name, c := range map[string]struct{ path, request, answer, inputs, outputs, text, tokens string }{
		"messages": {
			"/model/anthropic.claude-x/invoke", `{"messages":[]}`, `{"content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":1}}`, ``,
			`{"role":"assistant","content":"hello","finish_reason":"end_turn"}`, "", "3",
		},
		"messages, error": {"/model/anthropic.claude-x/invoke", `{"messages":[]}`, `{"message":"no"}`, ``, ``, "no", ""},
		"titan":           {"/model/amazon.titan-embed-text-v2:0/invoke", `{"inputText":"a","dimensions":2}`, `{"embedding":[1,2],"inputTextTokenCount":4}`, `{"texts":["a"]}`, `{"embeddings":{"count":1,"dimensions":2}}`, "", "4"},
		"cohere":          {"/model/cohere.embed-v4:0/invoke", `{"texts":["a","b"]}`, `{"embeddings":{"float":[[1,2],[3,4]]}}`, `{"texts":["a","b"]}`, `{"embeddings":{"count":2,"dimensions":2}}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, c.answer))
			_, _ = l.post(c.path, c.request)
			e := l.only()
			if c.inputs != "" {
				e.AssertInputs(c.inputs)
			}
			if c.outputs != "" {
				e.AssertOutputs(c.outputs)
			}
			metadata(t, e, map[string]string{"prompt_tokens": c.tokens})
			if e.Error.Or("") != c.text {
				t.Error(e.Error)
			}
		})
	}
}
