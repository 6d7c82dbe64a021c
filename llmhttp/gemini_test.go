package llmhttp_test

import (
	"strings"
	"testing"
)

const geminiRequest = `{"systemInstruction":{"parts":[{"text":"be brief"}]},"contents":[
	{"role":"user","parts":[{"text":"see"},{"inlineData":{"mimeType":"image/png","data":"aGVsbG8="}},{"fileData":{"mimeType":"audio/mp3","fileUri":"gs://b/a.mp3"}}]},
	{"role":"model","parts":[{"functionCall":{"id":"c1","name":"f","args":{"a":1}}}]},
	{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"f","response":{"r":42}}}]}],
	"tools":[{"functionDeclarations":[{"name":"f","description":"does f","parameters":{"type":"OBJECT"}}]},{"googleSearch":{}}],
	"generationConfig":{"temperature":0.5,"topK":3,"maxOutputTokens":9,"stopSequences":["x"],"candidateCount":2,"thinkingConfig":{"includeThoughts":true}}}`

const geminiUsage = `{"promptTokenCount":10,"toolUsePromptTokenCount":2,"candidatesTokenCount":4,"thoughtsTokenCount":6,"cachedContentTokenCount":3,"totalTokenCount":22}`

var geminiStream = []string{
	`data: {"candidates":[{"content":{"role":"model","parts":[{"text":"I th","thought":true}]},"index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":1,"totalTokenCount":11},"modelVersion":"gemini-x-1","responseId":"r1"}` + "\r\n\r\n",
	`data: {"candidates":[{"content":{"role":"model","parts":[{"text":"ink","thought":true},{"text":"Hé"}]},"index":0}]}` + "\r\n\r\n",
	`data: {"candidates":[{"content":{"role":"model","parts":[{"text":"llo"}]},"index":0},{"index":1,"content":{"parts":[{"text":"two"}]},"finishReason":"MAX_TOKENS"}]}` + "\r\n\r\n",
	`data: {"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{"b":2}}},{"functionCall":{"name":"g","args":{}}},{"inlineData":{"mimeType":"image/png","data":"aGVsbG8="}}]},"finishReason":"STOP","index":0}],"usageMetadata":` + geminiUsage + `}` + "\r\n\r\n",
}

const helloRef = `"uri":"urn:sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","sha256":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","size":5`

const geminiMessage = `"role":"assistant","content":[{"type":"text","text":"Héllo"},{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `}],"reasoning":"I think","finish_reason":"STOP","tool_calls":[
	{"type":"function","function":{"name":"f","arguments":{"b":2}}},{"type":"function","function":{"name":"g","arguments":{}}}]`

const geminiOutputs = `{` + geminiMessage + `,"choices":[{` + geminiMessage + `},{"role":"assistant","content":"two","finish_reason":"MAX_TOKENS"}]}`

func TestGemini(t *testing.T) {
	for name, path := range map[string]string{
		"studio": "/v1beta/models/gemini-x:streamGenerateContent?alt=sse&key=sk-secret",
		"vertex": "/v1/projects/p/locations/l/publishers/google/models/gemini-x:streamGenerateContent?alt=sse",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, stream(geminiStream...))
			got, err := l.post(path, geminiRequest, "X-Goog-Api-Key", "sk-secret")
			if err != nil || got != strings.Join(geminiStream, "") {
				t.Fatal(err, got)
			}
			e := l.only()
			e.AssertInputs(`{"chat_history":[{"role":"system","content":"be brief"},
				{"role":"user","content":[{"type":"text","text":"see"},{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `},{"type":"uri","modality":"audio","mime_type":"audio/mp3","uri":"gs://b/a.mp3"}]},
				{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":{"a":1}}}]},
				{"role":"tool","name":"f","tool_call_id":"c1","content":{"r":42}}]}`)
			e.AssertOutputs(geminiOutputs)
			metadata(t, e, map[string]string{"prompt_tokens": "12", "completion_tokens": "10", "reasoning_tokens": "6", "cache_read_input_tokens": "3", "total_tokens": "22", "response_id": `"r1"`})
			attrs := l.attributes("generate_content gemini-x")
			check(t, attrs, map[string]any{
				"gen_ai.provider.name": map[string]string{"studio": "gcp.gemini", "vertex": "gcp.vertex_ai"}[name], "gen_ai.operation.name": "generate_content",
				"gen_ai.request.stream": true, "gen_ai.request.choice.count": int64(2), "gen_ai.request.top_k": int64(3), "gen_ai.response.model": "gemini-x-1",
				"gen_ai.tool.definitions": `[{"type":"function","name":"f","description":"does f","parameters":{"type":"OBJECT"}},{"googleSearch":{}}]`,
			})
			if e.Error.Or("") != "" || attrs["gen_ai.response.time_to_first_chunk"] == nil {
				t.Error(e.Error, attrs)
			}
		})
	}
}

func TestGeminiWhole(t *testing.T) {
	var list []string
	for _, s := range geminiStream {
		list = append(list, strings.TrimSpace(strings.TrimPrefix(s, "data: ")))
	}
	l := newLab(t, whole(200, "["+strings.Join(list, ",\r\n")+"]")) // a stream without alt=sse
	_, _ = l.post("/v1beta/models/gemini-x:streamGenerateContent", geminiRequest)
	l.only().AssertOutputs(geminiOutputs)

	l = newLab(t, whole(200, `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"SAFETY"}],"promptFeedback":{}}`))
	_, _ = l.post("/v1beta/models/gemini-x:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
	e := l.only()
	e.AssertInputs(`{"chat_history":[{"role":"user","content":"hi"}]}`)
	e.AssertOutputs(`{"role":"assistant","content":"a","finish_reason":"SAFETY"}`)
	check(t, l.attributes("generate_content gemini-x"), map[string]any{"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"a"}],"finish_reason":"content_filter"}]`})

	l = newLab(t, whole(429, `{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}`))
	_, _ = l.post("/v1beta/models/gemini-x:generateContent", `{}`)
	if e := l.only(); e.Error.Or("") != "429 RESOURCE_EXHAUSTED: slow" {
		t.Error(e.Error)
	}

	l = newLab(t, stream(geminiStream[0], `data: {"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`+"\r\n\r\n"))
	_, _ = l.post("/v1beta/models/gemini-x:streamGenerateContent?alt=sse", `{}`)
	if e := l.only(); e.Error.Or("") != "UNAVAILABLE: busy" {
		t.Error(e.Error)
	}

	l = newLab(t, stream(geminiStream[:2]...))
	_, _ = l.post("/v1beta/models/gemini-x:streamGenerateContent?alt=sse", `{}`)
	if e := l.only(); e.Error.Or("") == "" {
		t.Error("no error for a stream that broke")
	}
}

func TestGeminiCitations(t *testing.T) {
	for name, c := range map[string]string{"studio": `"citationMetadata":{"citationSources":[{"uri":"u"}]}`, "vertex": `"citationMetadata":{"citations":[{"uri":"u"}]}`, "search": `"groundingMetadata":{"groundingChunks":[{"uri":"u"}]}`} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP",`+c+`}]}`))
			_, _ = l.post("/v1beta/models/gemini-x:generateContent", `{}`)
			l.only().AssertOutputs(`{"role":"assistant","content":"a","annotations":[{"uri":"u"}],"finish_reason":"STOP"}`)
		})
	}
}

func TestGeminiEmbeddings(t *testing.T) {
	for name, c := range map[string]struct{ path, request, answer, texts, tokens string }{
		"one":   {"/v1beta/models/emb:embedContent", `{"content":{"parts":[{"text":"a"}]},"outputDimensionality":2}`, `{"embedding":{"values":[1,2]}}`, `["a"]`, ""},
		"batch": {"/v1beta/models/emb:batchEmbedContents", `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}`, `{"embeddings":[{"values":[1,2]}],"usageMetadata":{"promptTokenCount":3}}`, `["a","b"]`, "3"},
		"vertex": {
			"/v1/projects/p/locations/l/publishers/google/models/text-embedding-1:predict", `{"instances":[{"content":"a"}]}`,
			`{"predictions":[{"embeddings":{"values":[1,2],"statistics":{"token_count":4}}}]}`, `["a"]`, "4",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, c.answer))
			_, _ = l.post(c.path, c.request)
			e := l.only()
			e.AssertInputs(`{"texts":` + c.texts + `}`)
			e.AssertOutputs(`{"embeddings":{"count":1,"dimensions":2}}`)
			metadata(t, e, map[string]string{"prompt_tokens": c.tokens})
		})
	}
}
