package llmhttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// A dialogue is a call and its answer.
type dialogue struct {
	url, request, kind, answer string
}

var dialogues = map[string]dialogue{
	"chat":      {"https://api.openai.com/v1/chat/completions", ask, "text/event-stream", strings.Join(chatStream, "")},
	"chat crlf": {"https://api.openai.com/v1/chat/completions", ask, "text/event-stream", strings.ReplaceAll(strings.Join(chatStream, ""), "\n", "\r\n")},
	"chat cr":   {"https://api.openai.com/v1/chat/completions", ask, "text/event-stream", "\ufeff" + strings.ReplaceAll(strings.Join(chatStream, ""), "\n", "\r")},
	"responses": {"https://api.openai.com/v1/responses", `{"model":"m","stream":true,"input":"hi"}`, "text/event-stream", strings.Join(responsesStream, "")},
	"messages":  {"https://api.anthropic.com/v1/messages", `{"model":"m","stream":true,"messages":[]}`, "text/event-stream", strings.Join(messagesStream, "")},
	"gemini":    {"https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse", geminiRequest, "text/event-stream", strings.Join(geminiStream, "")},
	"ollama":    {"http://127.0.0.1:11434/api/chat", ollamaRequest, "application/x-ndjson", strings.Join(ollamaStream, "")},
	"converse":  {"https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse-stream", converseRequest, "application/vnd.amazon.eventstream", strings.Join(converseStream, "")},
	"whole":     {"https://api.openai.com/v1/chat/completions", chatRequest, "application/json", chatAnswer},
}

// piecewise reads a text in pieces of the sizes, the last of which repeats.
type piecewise struct {
	text  string
	sizes []int
}

func (p *piecewise) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}
	n := min(max(p.sizes[0], 1), len(b), len(p.text))
	if len(p.sizes) > 1 {
		p.sizes = p.sizes[1:]
	}
	copy(b, p.text[:n])
	p.text = p.text[n:]
	return n, nil
}

// play makes a call in the session of a context and returns what its client read.
func (d *dialogue) play(t interface{ Fatal(...any) }, r *http.Request, sizes ...int) string {
	base := roundTrip(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{"Content-Type": {d.kind}}, Body: io.NopCloser(&piecewise{d.answer, sizes})}, nil
	})
	resp, err := llmhttp.Transport(base, llmhttp.WithName(func(llmhttp.Call) string { return "call" })).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return string(got)
}

// essence is what must not depend on how an answer was cut.
func essence(e *sessiontest.Event) string {
	m := e.Metadata
	for _, key := range []string{"time_to_first_chunk_ms", "tokens_per_second"} {
		m = m.Without(key)
	}
	return fmt.Sprint(e.EventName, e.EventType, e.Error, e.Inputs, e.Outputs, e.Config, m)
}

func TestCutAnywhere(t *testing.T) {
	for name, d := range dialogues {
		t.Run(name, func(t *testing.T) {
			p := sessiontest.New(t)
			ctx, s := p.Tracer.StartSession(t.Context(), "s")
			request := func() *http.Request {
				return httptest.NewRequestWithContext(ctx, http.MethodPost, d.url, strings.NewReader(d.request))
			}
			d.play(t, request(), len(d.answer))
			d.play(t, request(), 1)
			step := 1
			if raceEnabled { // which takes many times as long
				step += len(d.answer) / 300
			}
			for i := 1; i < len(d.answer); i += step {
				if got := d.play(t, request(), i, len(d.answer)); got != d.answer {
					t.Fatalf("cut at %d: %q", i, got)
				}
			}
			s.End()
			events := p.Session("s").Events
			want := essence(events[0])
			if !strings.Contains(want, "finish_reason") {
				t.Fatal(want)
			}
			for i, e := range events {
				if got := essence(e); got != want {
					t.Fatalf("event %d: %s, want %s", i, got, want)
				}
			}
		})
	}
}

func TestCutAtRandom(t *testing.T) {
	p := sessiontest.New(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		d := dialogues[rapid.SampledFrom([]string{"chat", "chat crlf", "chat cr", "responses", "messages", "gemini", "ollama", "converse", "whole"}).Draw(rt, "dialogue")]
		sizes := rapid.SliceOfN(rapid.IntRange(1, 200), 1, 50).Draw(rt, "sizes")
		n++
		name := fmt.Sprint("s", n)
		ctx, s := p.Tracer.StartSession(t.Context(), name)
		for _, cut := range [][]int{{len(d.answer)}, sizes} {
			if got := d.play(rt, httptest.NewRequestWithContext(ctx, http.MethodPost, d.url, strings.NewReader(d.request)), cut...); got != d.answer {
				rt.Fatal(got)
			}
		}
		s.End()
		e := p.Session(name).Events
		if a, b := essence(e[0]), essence(e[1]); a != b {
			rt.Fatalf("%s, want %s", b, a)
		}
	})
}

// fuzz calls a provider whose request and answers are the fuzzer's.
func fuzz(f *testing.F, provider string) {
	for _, d := range dialogues {
		if strings.Contains(d.url, provider) || strings.Contains(d.kind, "ndjson") {
			f.Add(d.request, d.answer, d.kind != "application/json" && d.kind != "application/x-ndjson", 200)
		}
	}
	f.Add("{}", "data: {}", true, 500)
	var problem atomic.Pointer[error]
	report := func(err error) { problem.Store(&err) }
	otel.SetErrorHandler(otel.ErrorHandlerFunc(report))
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithWriter(io.Discard), sessionspan.WithErrorHandler(report))
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = tracer.Shutdown(context.Background()) }()
	f.Fuzz(func(t *testing.T, request, answer string, streams bool, status int) {
		ctx, s := tracer.StartSession(t.Context(), "s")
		for _, url := range fuzzed[provider] {
			header := http.Header{"Content-Type": {"application/json"}}
			switch {
			case streams && provider == "amazonaws":
				header.Set("Content-Type", "application/vnd.amazon.eventstream")
			case streams:
				header.Set("Content-Type", "text/event-stream")
			}
			base := roundTrip(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, ContentLength: -1, Header: header, Body: io.NopCloser(strings.NewReader(answer))}, nil
			})
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(request))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := llmhttp.Transport(base, llmhttp.WithLimit(1<<20)).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(resp.Body); err != nil || string(got) != answer {
				t.Fatalf("%v: %q", err, got)
			}
		}
		s.End()
		if err := problem.Load(); err != nil {
			t.Fatal(*err)
		}
	})
}

// fuzzed are the calls of each provider.
var fuzzed = map[string][]string{
	"openai":    {"https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1/responses", "https://api.openai.com/v1/embeddings", "https://api.openai.com/v1/completions"},
	"anthropic": {"https://api.anthropic.com/v1/messages"},
	"google":    {"https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse", "https://generativelanguage.googleapis.com/v1beta/models/m:embedContent", "https://x-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/text-embedding-1:predict"},
	"amazonaws": {"https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse-stream", "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.m/invoke-with-response-stream", "https://bedrock-runtime.us-east-1.amazonaws.com/model/embed/invoke"},
	"ollama":    {"http://127.0.0.1:11434/api/chat", "http://127.0.0.1:11434/api/generate", "http://127.0.0.1:11434/api/embed"},
}

func FuzzOpenAI(f *testing.F)    { fuzz(f, "openai") }
func FuzzAnthropic(f *testing.F) { fuzz(f, "anthropic") }
func FuzzGemini(f *testing.F)    { fuzz(f, "google") }
func FuzzBedrock(f *testing.F)   { fuzz(f, "amazonaws") }
func FuzzOllama(f *testing.F)    { fuzz(f, "ollama") }
