package llmhttp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sessionspan/sessionspan/llmhttp"
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

// TestGeminiEnums sends a request whose enumerations are numbers, to either
// service.
func TestGeminiEnums(t *testing.T) {
	const request = `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"type":3,"mode":1}}}]}],"safetySettings":[{"category":10,"threshold":3}],"toolConfig":{"functionCallingConfig":{"mode":2}},
		"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":6,"properties":{"type":{"type":1,"maxLength":3},"n":{"type":5,"items":{"type":3}}}}}]}],"generationConfig":{"responseModalities":[1,2],"maxOutputTokens":3}}`
	for name, c := range map[string]struct{ path, answer, category, finish, ended string }{
		"studio": {"/v1beta/models/m:generateContent?%24alt=json%3Benum-encoding%3Dint", `{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]},"finishReason":8}]}`, "HARM_CATEGORY_DANGEROUS_CONTENT", "PROHIBITED_CONTENT", "content_filter"},
		"vertex": {"/v1/projects/p/locations/l/publishers/google/models/m:generateContent", `{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]},"finishReason":7}]}`, `10`, "PROHIBITED_CONTENT", "content_filter"},
		"later":  {"/v1beta/models/m:generateContent", `{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]},"finishReason":77}]}`, "HARM_CATEGORY_DANGEROUS_CONTENT", "77", "77"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, c.answer), llmhttp.WithName(func(llmhttp.Call) string { return "call" }))
			_, _ = l.post(c.path, request)
			e := l.only()
			config := e.Config.String()
			category := `"` + c.category + `"`
			if c.category == "10" { // which is none of this service
				category = "10"
			}
			for _, want := range []string{`"safety_settings":[{"category":` + category + `,"threshold":"BLOCK_ONLY_HIGH"}]`, `"mode":"ANY"`, `"modalities":["TEXT","IMAGE"]`, `"max_tokens":3`,
				`"parameters":{"type":"OBJECT","properties":{"type":{"type":"STRING","maxLength":3},"n":{"type":"ARRAY","items":{"type":"INTEGER"}}}}`} {
				if !strings.Contains(config, want) {
					t.Errorf("%s is not in %s", want, config)
				}
			}
			if v, _ := e.Inputs.Get("chat_history"); !strings.Contains(string(v), `{"type":3,"mode":1}`) {
				t.Errorf("what a function gave back was changed: %s", v)
			}
			check(t, l.attributes("call"), map[string]any{"gen_ai.response.finish_reasons": []string{c.finish}, "gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"a"}],"finish_reason":"` + c.ended + `"}]`})
		})
	}
}

// TestGeminiSources reads sources that come with every chunk, again and again with
// more of them, or in pieces.
func TestGeminiSources(t *testing.T) {
	chunk := func(text, sources string) string {
		return `{"candidates":[{"content":{"parts":[{"text":"` + text + `"}]},"groundingMetadata":{"groundingChunks":[` + sources + `]},"citationMetadata":{"citations":[{"uri":"c"}]}}]}`
	}
	const end = `{"candidates":[{"finishReason":"STOP","urlContextMetadata":{"urlMetadata":[{"retrievedUrl":"p"}]}}]}`
	for name, chunks := range map[string][]string{
		"again": {chunk("a", `{"n":1}`), chunk("b", `{"n":1},{"n":2}`), chunk("c", `{"n":1},{"n":2}`), end},
		"more":  {chunk("a", `{"n":1}`), chunk("b", `{"n":2}`), chunk("c", ``), end},
		"once":  {chunk("a", ``), chunk("b", ``), chunk("c", `{"n":1},{"n":2}`), end},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, stream(data(chunks...)...))
			_, _ = l.post("/v1beta/models/m:streamGenerateContent?alt=sse", `{}`)
			l.only().AssertOutputs(`{"role":"assistant","content":"abc","finish_reason":"STOP","annotations":[{"uri":"c"},{"n":1},{"n":2},{"retrievedUrl":"p"}]}`)
		})
	}
	l := newLab(t, whole(200, `{"candidates":[{"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"n":1}]}}]}`))
	_, _ = l.post("/v1beta/models/m:generateContent", `{}`)
	l.only().AssertOutputs(`{"role":"assistant","content":"","finish_reason":"STOP","annotations":[{"n":1}]}`)
}

// TestGeminiPartialArgs puts arguments together that come by their paths.
func TestGeminiPartialArgs(t *testing.T) {
	call := func(inner string) string {
		return `{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{` + inner + `}}]}}]}`
	}
	args := func(list string) string { return call(`"partialArgs":[` + list + `],"willContinue":true`) }
	const start, end, stop = `"name":"f","willContinue":true`, ``, `{"candidates":[{"finishReason":"STOP"}]}`
	for name, c := range map[string]struct {
		chunks []string
		calls  string
	}{
		"names in quotes":    {[]string{call(start), args(`{"jsonPath":"$['a.b'][\"c\\\"d\"]","numberValue":1.5},{"jsonPath":"$.e['f[0]']","boolValue":false}`), call(end), stop}, `[["f",{"a.b":{"c\"d":1.5},"e":{"f[0]":false}}]]`},
		"lists of lists":     {[]string{call(start), args(`{"jsonPath":"$.a[0][0]","numberValue":1},{"jsonPath":"$.a[0][1]","numberValue":2},{"jsonPath":"$.a[1][0].b","stringValue":"x"}`), call(end), stop}, `[["f",{"a":[[1,2],[{"b":"x"}]]}]]`},
		"out of order":       {[]string{call(start), args(`{"jsonPath":"$.a[1]","numberValue":2},{"jsonPath":"$.a[0]","numberValue":1}`), call(end), stop}, `[["f",{"a":[1,2]}]]`},
		"an empty text":      {[]string{call(start), args(`{"jsonPath":"$.a","stringValue":""}`), args(`{"jsonPath":"$.b","stringValue":"","willContinue":true}`), args(`{"jsonPath":"$.b","stringValue":""}`), call(end), stop}, `[["f",{"a":"","b":""}]]`},
		"texts in turn":      {[]string{call(start), args(`{"jsonPath":"$.a","stringValue":"x","willContinue":true}`), args(`{"jsonPath":"$.a","stringValue":"y","willContinue":true}`), args(`{"jsonPath":"$.a","stringValue":"z"},{"jsonPath":"$.b","stringValue":"w"}`), call(end), stop}, `[["f",{"a":"xyz","b":"w"}]]`},
		"in the first call":  {[]string{call(`"name":"f","id":"i","partialArgs":[{"jsonPath":"$.a","numberValue":1}]`), stop}, `[["f",{"a":1}]]`},
		"no end":             {[]string{call(start), args(`{"jsonPath":"$.a","stringValue":"x","willContinue":true}`), stop}, `[["f",{"a":"x"}]]`},
		"the next one":       {[]string{call(start), args(`{"jsonPath":"$.a","numberValue":1}`), call(`"name":"g","willContinue":true`), args(`{"jsonPath":"$.b","numberValue":2}`), call(end), stop}, `[["f",{"a":1}],["g",{"b":2}]]`},
		"whole ones between": {[]string{call(start), call(end), call(`"name":"g","args":{"b":2}`), call(`"name":"h","args":{}`), stop}, `[["f",{}],["g",{"b":2}],["h",{}]]`},
		"many": {append(append([]string{call(start)}, slices.Collect(func(yield func(string) bool) {
			for i := range 40 {
				if !yield(args(fmt.Sprintf(`{"jsonPath":"$.k%d","numberValue":%d}`, i%20, i))) {
					return
				}
			}
		})...), call(end), stop), `[["f",{"k0":20,"k1":21,"k2":22,"k3":23,"k4":24,"k5":25,"k6":26,"k7":27,"k8":28,"k9":29,"k10":30,"k11":31,"k12":32,"k13":33,"k14":34,"k15":35,"k16":36,"k17":37,"k18":38,"k19":39}]]`},
		"an end without a beginning": {[]string{call(end), stop}, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, stream(data(c.chunks...)...))
			_, _ = l.post("/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent?alt=sse", `{}`)
			e := l.only()
			var calls []any
			v, _ := e.Outputs.Get("tool_calls")
			if len(v) > 0 {
				for _, c := range parsed(t, string(v)).([]any) {
					f := c.(map[string]any)["function"].(map[string]any)
					calls = append(calls, []any{f["name"], f["arguments"]})
				}
			}
			want, _ := parsed(t, c.calls).([]any)
			if diff := cmp.Diff(want, calls, cmpopts.EquateEmpty()); diff != "" || e.Error.Or("") != "" {
				t.Error(diff, e.Error)
			}
		})
	}
}

// TestGeminiResultMedia keeps the media that a function gave back.
func TestGeminiResultMedia(t *testing.T) {
	l := newLab(t, whole(200, `{}`))
	_, _ = l.post("/v1beta/models/m:generateContent", `{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":1},"parts":[{"inlineData":{"mimeType":"image/png","data":"aGVsbG8="}}]}}]}]}`)
	l.only().AssertInputs(`{"chat_history":[{"role":"tool","name":"f","content":{"r":1,"parts":[{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `}]}}]}`)
}

// TestGeminiSingleObjects sends objects where the API has lists, as Google takes
// them.
func TestGeminiSingleObjects(t *testing.T) {
	const url = "http://h.test/v1beta/models/m:generateContent"
	for _, request := range []string{
		`{"contents":[{"role":"user","parts":[{"text":"x"}]}],"systemInstruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f"}]}]}`,
		`{"contents":{"role":"user","parts":{"text":"x"}},"systemInstruction":{"parts":{"text":"s"}},"tools":{"functionDeclarations":{"name":"f"}}}`,
	} {
		e := exchangeWith(t, url, request, answerOf(`{}`))
		e.AssertInputs(`{"chat_history":[{"role":"system","content":"s"},{"role":"user","content":"x"}]}`)
		if v, _ := e.Config.Get("tools"); string(v) != `[{"type":"function","name":"f"}]` {
			t.Errorf("%s: %s", request, v)
		}
	}
}

// TestGeminiGrounding checks that the event holds what the model searched for and
// which of its words have which sources, whole and as a stream that says it again.
func TestGeminiGrounding(t *testing.T) {
	chunk := func(text, more string) string {
		return `{"candidates":[{"content":{"role":"model","parts":[{"text":"` + text + `"}]}` + more + `}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1}}`
	}
	const first = `,"groundingMetadata":{"webSearchQueries":["wrens"]}`
	const last = `,"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["wrens","hedges"],"groundingChunks":[{"web":{"uri":"https://s.test"}}],"groundingSupports":[{"segment":{"endIndex":9,"text":"In hedges"},"groundingChunkIndices":[0]}]}`
	const want = `{"role":"assistant","content":"In hedges","annotations":[{"web":{"uri":"https://s.test"}}],"webSearchQueries":["wrens","hedges"],"groundingSupports":[{"segment":{"endIndex":9,"text":"In hedges"},"groundingChunkIndices":[0]}],"finish_reason":"STOP"}`
	exchangeWith(t, "http://h.test/v1beta/models/m:generateContent", `{}`, answerOf(chunk("In hedges", last))).AssertOutputs(want)
	stream := strings.Join(data(chunk("In ", ""), chunk("hedg", first), chunk("es", last)), "")
	exchangeWith(t, "http://h.test/v1beta/models/m:streamGenerateContent?alt=sse", `{}`, answer{kind: "text/event-stream", body: stream}).AssertOutputs(want)
}
