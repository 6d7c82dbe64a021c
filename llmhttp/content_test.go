package llmhttp_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// exchangeWith makes a call that is answered so, and returns its event.
func exchangeWith(t *testing.T, url, request string, a answer, options ...llmhttp.Option) *sessiontest.Event {
	t.Helper()
	s := newStage(t)
	r := s.request(url, request)
	r.Header.Set("Anthropic-Version", "2023-06-01")
	s.send(r, a, options...)
	return s.end()[0]
}

// TestStopSequencesAreContent checks that words of the conversation by which the
// model is to stop are recorded as content: a parameter, unless content is not
// wanted. What is no content stays.
func TestStopSequencesAreContent(t *testing.T) {
	for name, c := range map[string]struct{ url, request string }{
		"chat":         {"http://h.test/v1/chat/completions", `{"model":"m","temperature":0.5,"stop":STOP,"messages":[]}`},
		"text":         {"http://h.test/v1/completions", `{"model":"m","temperature":0.5,"stop":STOP,"prompt":"p"}`},
		"messages":     {"http://h.test/v1/messages", `{"model":"m","temperature":0.5,"stop_sequences":STOP,"messages":[]}`},
		"gemini":       {"http://h.test/v1beta/models/m:generateContent", `{"generationConfig":{"temperature":0.5,"stopSequences":STOP},"contents":[]}`},
		"interactions": {"http://h.test/v1beta/interactions", `{"model":"m","generation_config":{"temperature":0.5,"stop_sequences":STOP},"input":"p"}`},
		"ollama":       {"http://h.test:11434/api/chat", `{"model":"m","stream":false,"options":{"temperature":0.5,"stop":STOP},"messages":[]}`},
		"converse":     {"http://h.test/model/m/converse", `{"inferenceConfig":{"temperature":0.5,"stopSequences":STOP},"messages":[]}`},
		"invoke":       {"https://bedrock-runtime.eu-west-1.amazonaws.com/model/meta.llama/invoke", `{"temperature":0.5,"stop":STOP,"prompt":"p"}`},
		"cohere":       {"https://api.cohere.com/v2/chat", `{"model":"m","temperature":0.5,"stop_sequences":STOP,"messages":[]}`},
	} {
		for _, stop := range []string{`"said by the user"`, `["said by the user"]`} {
			request := strings.Replace(c.request, "STOP", stop, 1)
			for want, options := range map[string][]llmhttp.Option{stop: nil, "": {llmhttp.WithoutContent()}} {
				e := exchangeWith(t, c.url, request, answer{kind: "application/json", body: `{}`}, options...)
				if v, _ := e.Config.Get("stop_sequences"); string(v) != want {
					t.Errorf("%s: stop_sequences of %s is %s, want %s", name, request, v, want)
				}
				if v, _ := e.Config.Get("temperature"); string(v) != "0.5" {
					t.Errorf("%s: temperature is %s", name, v)
				}
			}
		}
	}
}

// TestKindsOfErrorsWithoutContent checks that a sentence in the place of a code is
// not recorded where content is not wanted.
func TestKindsOfErrorsWithoutContent(t *testing.T) {
	for _, key := range []string{"code", "type", "status"} {
		body := `{"error":{"` + key + `":"the text canary is not allowed"}}`
		e := exchangeWith(t, "http://h.test/v1/chat/completions", `{"model":"m","messages":[]}`, answer{kind: "application/json", body: body}, llmhttp.WithoutContent())
		if text := e.Error.Or("") + e.Metadata.String(); strings.Contains(text, canary) || e.Error == (honeyhive.Optional[string]{}) {
			t.Errorf("%s: %s", key, text)
		}
	}
}

// TestSourcesHaveAPlace checks that the sources of an answer are recorded whatever
// its parts are, whole and as a stream.
func TestSourcesHaveAPlace(t *testing.T) {
	const source, call = "https://s.test/1", "look"
	grounding := `"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://s.test/1"}}]}`
	gemini := func(parts string) string {
		return `{"candidates":[{"content":{"role":"model","parts":[` + parts + `]},"finishReason":"STOP",` + grounding + `}]}`
	}
	cohere := `{"id":"c","message":{"role":"assistant","tool_plan":"plan","tool_calls":[{"id":"t","type":"function","function":{"name":"look","arguments":"{}"}}],"citations":[{"text":"w","sources":[{"id":"https://s.test/1"}]}]},"finish_reason":"TOOL_CALL"}`
	chat := func(message string) string {
		return `{"choices":[{"index":0,"message":{"role":"assistant",` + message + `"annotations":[{"url":"https://s.test/1"}]},"finish_reason":"stop"}]}`
	}
	const geminiURL, cohereURL, chatURL = "http://h.test/v1beta/models/m:generateContent", "https://api.cohere.com/v2/chat", "http://h.test/v1/chat/completions"
	for name, c := range map[string]struct{ url, request, body string }{
		"gemini, a call":                {geminiURL, `{}`, gemini(`{"functionCall":{"name":"look","args":{}}}`)},
		"gemini, text and a call":       {geminiURL, `{}`, gemini(`{"text":"t"},{"functionCall":{"name":"look","args":{}}}`)},
		"gemini, an image and a call":   {geminiURL, `{}`, gemini(`{"inlineData":{"mimeType":"image/png","data":"aGVsbG8="}},{"functionCall":{"name":"look","args":{}}}`)},
		"gemini, code":                  {geminiURL, `{}`, gemini(`{"executableCode":{"code":"look"}}`)},
		"gemini, thoughts":              {geminiURL, `{}`, gemini(`{"text":"look","thought":true}`)},
		"gemini, nothing":               {geminiURL, `{}`, gemini(``)},
		"cohere, a call":                {cohereURL, `{"model":"m","messages":[]}`, cohere},
		"chat, a call":                  {chatURL, `{"model":"m","messages":[]}`, chat(`"content":null,"tool_calls":[{"id":"t","function":{"name":"look","arguments":"{}"}}],`)},
		"chat, a refusal":               {chatURL, `{"model":"m","messages":[]}`, chat(`"content":null,"refusal":"look",`)},
		"chat, nothing":                 {chatURL, `{"model":"m","messages":[]}`, chat(``)},
		"chat, in the request, nothing": {chatURL, `{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"t","function":{"name":"look","arguments":"{}"}}],"annotations":[{"url":"https://s.test/1"}]}]}`, `{"choices":[]}`},
	} {
		e := exchangeWith(t, c.url, c.request, answer{kind: "application/json", body: c.body})
		text := e.Inputs.String() + e.Outputs.String()
		if strings.Count(text, source) != 1 || strings.Contains(c.body, call) && !strings.Contains(text, call) {
			t.Errorf("%s: %s", name, text)
		}
	}
	stream := "data: " + gemini(`{"functionCall":{"name":"look","args":{}}}`) + "\n\n"
	e := exchangeWith(t, "http://h.test/v1beta/models/m:streamGenerateContent", `{}`, answer{kind: "text/event-stream", body: stream})
	e.AssertOutputs(`{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"look","arguments":{}}}],"annotations":[{"web":{"uri":"https://s.test/1"}}],"finish_reason":"STOP"}`)
}

// TestStreamEnds checks what is said of a stream that ends cleanly once its choices
// had ended, but before all that should come behind them.
func TestStreamEnds(t *testing.T) {
	geminiURL := "http://h.test/v1beta/models/m:streamGenerateContent?alt=sse"
	candidate := func(index, rest string) string {
		return `{"candidates":[{"index":` + index + `,"content":{"parts":[{"text":"t"}]},"finishReason":"STOP"}]` + rest + `}`
	}
	const counts = `,"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2}`
	two := `{"generationConfig":{"candidateCount":2}}`
	choice := func(index string) string {
		return `{"choices":[{"index":` + index + `,"delta":{"content":"t"},"finish_reason":"stop"}]}`
	}
	for name, c := range map[string]struct{ url, request, body, end, fault string }{
		"gemini":                      {geminiURL, `{}`, strings.Join(data(candidate("0", counts)), ""), "", ""},
		"gemini, no usage":            {geminiURL, `{}`, strings.Join(data(candidate("0", "")), ""), `"no_usage"`, ""},
		"gemini, usage later":         {geminiURL, `{}`, strings.Join(data(candidate("0", ""), `{`+counts[1:]+`}`), ""), "", ""},
		"gemini, one of two":          {geminiURL, two, strings.Join(data(candidate("0", counts)), ""), `"unterminated"`, ""},
		"gemini, two of two":          {geminiURL, two, strings.Join(data(candidate("0", counts), candidate("1", counts)), ""), "", ""},
		"gemini, a list that is cut":  {geminiURL, `{}`, "[" + candidate("0", counts), `"unterminated"`, ""},
		"gemini, no finish":           {geminiURL, `{}`, strings.Join(data(`{"candidates":[{"content":{"parts":[{"text":"t"}]}}]`+counts+`}`), ""), "", "stream_interrupted"},
		"chat":                        {"http://h.test/v1/chat/completions", `{"stream":true}`, strings.Join(data(choice("0"), "[DONE]"), ""), "", ""},
		"chat, no terminator":         {"http://h.test/v1/chat/completions", `{"stream":true}`, strings.Join(data(choice("0")), ""), `"unterminated"`, ""},
		"chat, one of two, no end":    {"http://h.test/v1/chat/completions", `{"stream":true,"n":2}`, strings.Join(data(choice("0")), ""), `"unterminated"`, ""},
		"chat, no usage":              {"http://h.test/v1/chat/completions", `{"stream":true,"stream_options":{"include_usage":true}}`, strings.Join(data(choice("0"), "[DONE]"), ""), `"no_usage"`, ""},
		"messages, no terminator":     {"http://h.test/v1/messages", `{"stream":true}`, strings.Join(data(`{"type":"message_start","message":{"id":"i"}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"t"}}`, `{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`), ""), `"unterminated"`, ""},
		"converse, no metadata":       {"http://h.test/model/m/converse-stream", `{}`, frameEvent("contentBlockDelta", `{"delta":{"text":"t"}}`) + frameEvent("messageStop", `{"stopReason":"end_turn"}`), `"unterminated"`, ""},
		"invoke, no metrics":          {"https://bedrock-runtime.eu-west-1.amazonaws.com/model/meta.llama/invoke-with-response-stream", `{"prompt":"p"}`, binaryChunks(chunked(`{"generation":"t","stop_reason":"stop"}`)), `"unterminated"`, ""},
		"ollama, no end":              {"http://h.test:11434/api/chat", `{}`, `{"message":{"content":"t"}}` + "\n", "", "stream_interrupted"},
		"cohere, no end":              {"https://api.cohere.com/v2/chat", `{"stream":true}`, strings.Join(data(`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"t"}}}}`), ""), "", "stream_interrupted"},
		"cohere 1, no end":            {"https://api.cohere.com/v1/chat", `{"stream":true}`, `{"event_type":"text-generation","text":"t"}` + "\n", "", "stream_interrupted"},
		"interactions, no end":        {"http://h.test/v1beta/interactions", `{"stream":true}`, strings.Join(data(`{"event_type":"step.delta","index":0,"delta":{"type":"text","text":"t"}}`), ""), "", "stream_interrupted"},
		"responses, no end":           {"http://h.test/v1/responses", `{"stream":true}`, strings.Join(data(`{"type":"response.output_text.delta","delta":"t"}`), ""), "", "stream_interrupted"},
		"text of Writer, which ended": {"https://api.writer.com/v1/completions", `{"stream":true}`, strings.Join(data(`{"value":"t"}`), ""), "", ""},
	} {
		kind := "text/event-stream"
		switch {
		case strings.HasPrefix(c.body, "{"), strings.HasPrefix(c.body, "["):
			kind = "application/json"
		case strings.HasPrefix(c.body, "\x00"):
			kind = "application/vnd.amazon.eventstream"
		}
		e := exchangeWith(t, c.url, c.request, answer{kind: kind, body: c.body})
		end, _ := e.Metadata.Get("stream_end")
		fault, _ := e.Metadata.Get("error_type")
		if string(end) != c.end || strings.Trim(string(fault), `"`) != c.fault || (c.fault != "") != (e.Error.Or("") != "") {
			t.Errorf("%s: stream_end %s, error_type %s, error %q", name, end, fault, e.Error.Or(""))
		}
		if !strings.Contains(e.Outputs.String(), `"t"`) {
			t.Errorf("%s: %s", name, e.Outputs)
		}
	}
}

// TestListsAreBounded checks what is read of a body that is nothing but elements
// of lists, which are many times as large in memory as they are as text: of each
// list that becomes messages, parts or tools.
func TestListsAreBounded(t *testing.T) {
	const limit = 1 << 20
	list := func(element string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(element+",", limit/(len(element)+1)-100), ",") + "]"
	}
	for name, c := range map[string]struct{ url, request, body string }{
		"chat, content":           {"http://h.test/v1/chat/completions", `{}`, `{"choices":[{"message":{"content":` + list("{}") + `}}]}`},
		"chat, calls":             {"http://h.test/v1/chat/completions", `{}`, `{"choices":[{"message":{"tool_calls":` + list(`{"id":"a"}`) + `}}]}`},
		"chat, images":            {"http://h.test/v1/chat/completions", `{}`, `{"choices":[{"message":{"images":` + list(`{}`) + `}}]}`},
		"chat, details":           {"http://h.test/v1/chat/completions", `{}`, `{"choices":[{"message":{"reasoning_details":` + list(`{"text":"a","index":1},{"text":"a"}`) + `}}]}`},
		"responses":               {"http://h.test/v1/responses", `{}`, `{"status":"completed","output":` + list(`{}`) + `}`},
		"responses, content":      {"http://h.test/v1/responses", `{}`, `{"status":"completed","output":[{"type":"message","content":` + list(`{}`) + `}]}`},
		"messages":                {"http://h.test/v1/messages", `{}`, `{"type":"message","content":` + list(`{}`) + `}`},
		"gemini":                  {"http://h.test/v1beta/models/m:generateContent", `{}`, `{"candidates":[{"content":{"parts":` + list(`{"a":1}`) + `}}]}`},
		"interactions":            {"http://h.test/v1beta/interactions", `{}`, `{"status":"completed","steps":` + list(`{}`) + `}`},
		"converse":                {"http://h.test/model/m/converse", `{}`, `{"output":{"message":{"content":` + list(`{}`) + `}}}`},
		"cohere":                  {"https://api.cohere.com/v2/chat", `{}`, `{"message":{"content":` + list(`{}`) + `}}`},
		"cohere, calls":           {"https://api.cohere.com/v1/chat", `{}`, `{"text":"","tool_calls":` + list(`{}`) + `}`},
		"ollama, images":          {"http://h.test:11434/api/chat", `{"stream":false}`, `{"message":{"images":` + list(`""`) + `},"done":true}`},
		"chat, request":           {"http://h.test/v1/chat/completions", `{"messages":` + list(`{}`) + `}`, `{}`},
		"chat, request, content":  {"http://h.test/v1/chat/completions", `{"messages":[{"content":` + list(`{}`) + `}]}`, `{}`},
		"chat, request, result":   {"http://h.test/v1/chat/completions", `{"messages":[{"role":"tool","content":` + list(`{}`) + `}]}`, `{}`},
		"chat, request, tools":    {"http://h.test/v1/chat/completions", `{"tools":` + list(`{}`) + `}`, `{}`},
		"chat, request, stop":     {"http://h.test/v1/chat/completions", `{"stop":` + list(`""`) + `}`, `{}`},
		"responses, request":      {"http://h.test/v1/responses", `{"input":` + list(`{}`) + `}`, `{}`},
		"responses, instructions": {"http://h.test/v1/responses", `{"instructions":` + list(`{"content":"a"}`) + `}`, `{}`},
		"messages, request":       {"http://h.test/v1/messages", `{"messages":[{"content":` + list(`{}`) + `}]}`, `{}`},
		"messages, result":        {"http://h.test/v1/messages", `{"messages":[{"content":[{"type":"tool_result","content":` + list(`{}`) + `}]}]}`, `{}`},
		"gemini, request":         {"http://h.test/v1beta/models/m:generateContent", `{"contents":[{"parts":` + list(`{"a":1}`) + `}]}`, `{}`},
		"gemini, tools":           {"http://h.test/v1beta/models/m:generateContent", `{"tools":[{"functionDeclarations":` + list(`{}`) + `}]}`, `{}`},
		"interactions, request":   {"http://h.test/v1beta/interactions", `{"input":` + list(`{"type":"text"}`) + `}`, `{}`},
		"converse, request":       {"http://h.test/model/m/converse", `{"messages":[{"content":` + list(`{}`) + `}]}`, `{}`},
		"cohere, request":         {"https://api.cohere.com/v1/chat", `{"chat_history":` + list(`{}`) + `}`, `{}`},
		"text, prompts":           {"http://h.test/v1/completions", `{"prompt":` + list(`""`) + `}`, `{}`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", c.url, nil)
		r.Header.Set("Anthropic-Version", "2023-06-01")
		cost := llmhttp.Read(r, c.request, "application/json", []byte(c.body), limit)
		if most := 48 << 20; cost.Allocated > most || cost.Parts > 1<<13 {
			t.Errorf("%s: %d bytes allocated, %d parts", name, cost.Allocated, cost.Parts)
		}
		if big := len(c.body) > limit/2; big && !cost.Cut {
			t.Errorf("%s: nothing says that something is not kept", name)
		}
		if len(c.request) > limit/2 {
			e := exchangeWith(t, c.url, c.request, answer{kind: "application/json", body: c.body}, llmhttp.WithLimit(limit))
			metadata(t, e, map[string]string{"request_truncated": "true"})
		}
	}
}
