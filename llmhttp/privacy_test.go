package llmhttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// canary stands in all that is said in the calls below.
const canary = "canary"

// said are calls of every provider in which all content is the canary.
var said = map[string]dialogue{
	"chat": {
		"/v1/chat/completions", `{"model":"m","stop":"canary","messages":[{"role":"system","content":"canary"},{"role":"user","content":"canary"},{"role":"tool","content":"canary"}],"tools":[{"type":"function","function":{"name":"f","description":"canary"}}],"tool_choice":{"function":{"name":"canary"}},"response_format":{"type":"json_schema","json_schema":{"description":"canary"}}}`,
		"application/json", `{"choices":[{"index":0,"message":{"role":"assistant","content":"canary","refusal":"canary","reasoning":"canary","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":\"canary\"}"}}]},"finish_reason":"stop"}]}`,
	},
	"chat, error": {"/v1/chat/completions", `{"model":"m","messages":[]}`, "application/json", `{"error":{"message":"canary is not allowed","code":"c"}}`},
	"chat, stream": {
		"/v1/chat/completions", `{"model":"m","stream":true,"stop":["canary"],"messages":[{"role":"user","content":"canary"}]}`, "text/event-stream",
		strings.Join(data(`{"choices":[{"index":0,"delta":{"content":"canary"}}]}`, `{"choices":[{"index":0,"delta":{"content":" canary"}}]}`, `{"choices":[{"index":0,"delta":{"annotations":[{"a":"canary"}]},"finish_reason":"stop"}]}`, `[DONE]`), ""),
	},
	"responses": {
		"/v1/responses", `{"model":"m","instructions":"canary","input":[{"role":"user","content":"canary"}],"tools":[{"type":"web_search","q":"canary"}]}`, "application/json",
		`{"id":"r","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"canary"}]}]}`,
	},
	"embeddings": {"/v1/embeddings", `{"model":"m","input":["canary"]}`, "application/json", `{"data":[{"embedding":[1]}]}`},
	"messages": {
		"/v1/messages", `{"model":"m","stop_sequences":["canary"],"system":"canary","messages":[{"role":"user","content":"canary"}]}`, "application/json",
		`{"type":"message","content":[{"type":"text","text":"canary"},{"type":"thinking","thinking":"canary"}],"stop_reason":"end_turn"}`,
	},
	"gemini": {
		"/v1beta/models/m:generateContent", `{"generationConfig":{"stopSequences":["canary"]},"systemInstruction":{"parts":[{"text":"canary"}]},"contents":[{"parts":[{"text":"canary"}]}]}`, "application/json",
		`{"candidates":[{"content":{"parts":[{"text":"canary"}]},"finishReason":"STOP"}]}`,
	},
	"converse": {
		"/model/m/converse", `{"system":[{"text":"canary"}],"messages":[{"role":"user","content":[{"text":"canary"}]}],"promptVariables":{"a":{"text":"canary"}},"additionalModelRequestFields":{"a":"canary"},"inferenceConfig":{"stopSequences":["canary"]}}`, "application/json",
		`{"output":{"message":{"content":[{"text":"canary"}]}},"stopReason":"end_turn"}`,
	},
}

// converse makes the calls of said, each as an event or, if a tracer is given,
// under a span of a client.
func converse(t *testing.T, l *lab, client trace.Tracer) {
	t.Helper()
	for _, d := range said {
		r := l.request(d.url, d.request)
		r.Header.Set("Anthropic-Version", "2023-06-01")
		r.Header.Set("X-Kind", d.kind)
		r.Header.Set("X-Answer", strings.ReplaceAll(d.answer, "\n", "\\n"))
		var span trace.Span
		if client != nil {
			ctx := r.Context()
			ctx, span = client.Start(ctx, "call", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat")))
			r = r.WithContext(ctx)
		}
		resp, err := l.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if span != nil {
			span.End()
		}
	}
}

// saysSo answers with what the request's headers say.
func saysSo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", r.Header.Get("X-Kind"))
	if strings.Contains(r.Header.Get("X-Answer"), `"error"`) {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = io.WriteString(w, strings.ReplaceAll(r.Header.Get("X-Answer"), "\\n", "\n"))
}

// told returns the canaries on spans, but for errors, which are no content.
func told(l *lab) (list []string) {
	for _, span := range l.recorder.GetSpans() {
		for _, kv := range span.Attributes {
			if strings.Contains(kv.Value.String(), canary) && kv.Key != "honeyhive_error" {
				list = append(list, span.Name+" "+string(kv.Key))
			}
		}
	}
	return list
}

// TestContentGates checks that content stays off the spans where it is to.
func TestContentGates(t *testing.T) {
	client := func(l *lab) trace.Tracer { return l.provider.Tracer("com.example.sdk") }
	t.Run("without a gate", func(t *testing.T) {
		l := newLab(t, saysSo)
		converse(t, l, nil)
		converse(t, l, client(l))
		l.end()
		if n := len(told(l)); n < 3*len(said) {
			t.Errorf("%d attributes hold content: the test tests nothing", n)
		}
	})
	t.Run("WithoutContent", func(t *testing.T) {
		l := newLab(t, saysSo, llmhttp.WithoutContent())
		converse(t, l, nil)
		converse(t, l, client(l))
		l.end()
		if list := told(l); len(list) > 0 {
			t.Error(list)
		}
		for _, span := range l.recorder.GetSpans() {
			if s := fmt.Sprint(span.Status, attributesOf(span.Attributes)); strings.Contains(s, canary) {
				t.Errorf("%s", s)
			}
		}
	})
	t.Run("WithContentOffSpans", func(t *testing.T) {
		l := newLab(t, saysSo)
		l.Pipeline = sessiontest.New(t, sessionspan.WithTracerProvider(l.provider), sessionspan.WithContentOffSpans())
		l.ctx, l.session = l.Tracer.StartSession(t.Context(), "s")
		converse(t, l, nil)
		converse(t, l, client(l))
		if events := l.end(); len(events) != 2*len(said) || !strings.Contains(fmt.Sprint(events[0].Inputs, events[1].Inputs), canary) {
			t.Errorf("%d events", len(events))
		}
		if list := told(l); len(list) > 0 {
			t.Error(list)
		}
	})
	t.Run("no tracer", func(t *testing.T) { // a client's span is not ours to fill
		recorder := tracetest.NewInMemoryExporter()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(recorder))
		nowhere, err := sessionspan.New(sessionspan.WithoutEnvironment())
		if err != nil {
			t.Fatal(err)
		}
		ctx, span := provider.Tracer("com.example.sdk").Start(sessionspan.ContextWithTracer(t.Context(), nowhere), "call", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat")))
		tr := llmhttp.Transport(roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(said["chat"].answer))}, nil
		}))
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(said["chat"].request))
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		span.End()
		attrs := attributesOf(recorder.GetSpans()[0].Attributes)
		check(t, attrs, map[string]any{"gen_ai.request.model": "m", "gen_ai.response.finish_reasons": []string{"stop"}})
		if s := fmt.Sprint(attrs); strings.Contains(s, canary) {
			t.Error(s)
		}
	})
}

// TestKeysInErrors checks that keys are taken out of errors, whoever quotes them.
func TestKeysInErrors(t *testing.T) {
	const key = "a-key-of-the-user"
	set := map[string]func(r *http.Request){
		"bearer": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+key) },
		"header": func(r *http.Request) { r.Header.Set("X-Goog-Api-Key", key) },
		"query":  func(r *http.Request) { r.URL.RawQuery = "alt=sse&key=" + key },
	}
	for name, set := range set {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(401, `{"error":{"message":"the key `+key+` is not valid","code":"c"}}`))
			r := l.request("/v1/chat/completions", chatRequest)
			set(r)
			resp, err := l.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if !strings.Contains(string(b), key) {
				t.Error("the client did not get it")
			}
			r = l.request("/v1/chat/completions", chatRequest)
			set(r)
			_, _ = llmhttp.Middleware()(r, func(*http.Request) (*http.Response, error) { return nil, errors.New("refused: " + key) })
			events := l.end()
			if events[0].Error.Or("") != "401 c: the key [key] is not valid" || events[1].Error.Or("") != "refused: [key]" {
				t.Error(events[0].Error, events[1].Error)
			}
			for _, span := range l.recorder.GetSpans() {
				if s := fmt.Sprint(attributesOf(span.Attributes), span.Status, span.Events); strings.Contains(s, key) {
					t.Error(s)
				}
			}
		})
	}
}

// TestHeadersBetween checks that headers are taken off which something between
// two of us added.
func TestHeadersBetween(t *testing.T) {
	l := newLab(t, whole(200, chatAnswer))
	resp, err := llmhttp.Middleware()(l.request("/v1/chat/completions", chatRequest), func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		return l.client.Transport.RoundTrip(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	l.only()
	if v := l.head[0].Get("Traceparent"); v != "" {
		t.Errorf("traceparent went to the provider: %s", v)
	}
}
