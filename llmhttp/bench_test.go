package llmhttp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

const (
	smallRequest = `{"model":"gpt-x","temperature":0.5,"messages":[{"role":"system","content":"Answer briefly."},{"role":"user","content":"What is the capital of France?"}]}`
	smallAnswer  = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant","content":"Paris."},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}}`
)

func benchTracer(b *testing.B) *sessionspan.Tracer {
	t, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(io.Discard))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = t.Shutdown(b.Context()) })
	return t
}

// startByHand and endByHand record what llmhttp does of a small call.
func startByHand(ctx context.Context) *sessionspan.Event {
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "chat gpt-x", sessionspan.WithModel("openai", "gpt-x"), sessionspan.WithMessages(
		sessionspan.Message{Role: "system", Content: "Answer briefly."}, sessionspan.Message{Role: "user", Content: "What is the capital of France?"}),
		sessionspan.WithConfig(map[string]any{"temperature": 0.5}))
	e.Span().SetAttributes(attribute.Float64("gen_ai.request.temperature", 0.5), attribute.String("server.address", "api.openai.com"), attribute.Int("server.port", 443),
		attribute.String("openai.api.type", "chat_completions"))
	return e
}

func endByHand(e *sessionspan.Event) {
	e.SetReply(sessionspan.Message{Role: "assistant", Content: "Paris.", FinishReason: "stop"})
	e.SetUsage(sessionspan.Usage{InputTokens: 20, OutputTokens: 3, TotalTokens: 23})
	e.SetMetadata(map[string]any{"api_type": "chat_completions", "response_id": "chatcmpl-1", "response_model": "gpt-x", "finish_reasons": []string{"stop"}, "tokens_per_second": 1000.5})
	e.Span().SetAttributes(attribute.String("gen_ai.response.id", "chatcmpl-1"), attribute.String("gen_ai.response.model", "gpt-x"), attribute.Int("http.response.status_code", 200))
	e.End()
}

// TestByHand checks that the benchmark compares two ways to record the same.
func TestByHand(t *testing.T) {
	l := newLab(t, whole(200, smallAnswer))
	endByHand(startByHand(l.ctx))
	if _, err := l.post("/v1/chat/completions", smallRequest); err != nil {
		t.Fatal(err)
	}
	var got [2]map[string]any
	for i, e := range l.end() {
		got[i] = make(map[string]any)
		for key, o := range map[string]honeyhive.Object{"inputs": e.Inputs, "outputs": e.Outputs, "config": e.Config, "metadata": e.Metadata.Without("tokens_per_second").Without("server.address").Without("server.port")} {
			got[i][key] = parsed(t, o.String())
		}
	}
	for _, span := range l.recorder.GetSpans()[:2] {
		if n := len(span.Attributes); n != len(l.recorder.GetSpans()[0].Attributes) {
			t.Errorf("%d attributes of %s: %v", n, span.Name, span.Attributes)
		}
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkSmallCall compares a traced call with the same event recorded by hand,
// and with neither.
func BenchmarkSmallCall(b *testing.B) {
	base := func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, ContentLength: int64(len(smallAnswer)), Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(smallAnswer))}, nil
	}
	call := func(b *testing.B, r *http.Request, tr http.RoundTripper) {
		resp, err := tr.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	run := func(b *testing.B, f func(r *http.Request)) {
		t := benchTracer(b)
		ctx, s := t.StartSession(b.Context(), "s")
		defer s.End()
		b.ReportAllocs()
		for b.Loop() {
			r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(smallRequest))
			r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "Authorization": {"Bearer sk-bench-0123456789abcdefghijklmnop"}}
			f(r)
		}
	}
	b.Run("none", func(b *testing.B) { run(b, func(r *http.Request) { call(b, r, roundTrip(base)) }) })
	b.Run("by hand", func(b *testing.B) {
		run(b, func(r *http.Request) {
			e := startByHand(r.Context())
			call(b, r, roundTrip(base))
			endByHand(e)
		})
	})
	b.Run("llmhttp", func(b *testing.B) {
		tr := llmhttp.Transport(roundTrip(base))
		run(b, func(r *http.Request) { call(b, r, tr) })
	})
}

// BenchmarkStream reads a stream of 10 MB from memory, in the pieces that a
// network gives, with and without us: as bytes, and as a client does that decodes
// each event.
func BenchmarkStream(b *testing.B) {
	chunk := data(`{"id":"chatcmpl-2","object":"chat.completion.chunk","created":1,"model":"gpt-y","choices":[{"index":0,"delta":{"content":" some words"},"finish_reason":null}],"obfuscation":"abcdefgh"}`)[0]
	text := []byte(strings.Repeat(chunk, 10<<20/len(chunk)))
	base := roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(bytes.NewReader(text))}, nil
	})
	t := benchTracer(b)
	for _, reader := range []struct {
		name string
		read func(io.Reader) error
	}{{"bytes", readBytes}, {"decoded", readDecoded}} {
		for name, tr := range map[string]http.RoundTripper{"none": base, "llmhttp": llmhttp.Transport(base)} {
			b.Run(reader.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					ctx, s := t.StartSession(b.Context(), "s")
					r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(ask))
					resp, err := tr.RoundTrip(r)
					if err != nil {
						b.Fatal(err)
					}
					if err := reader.read(resp.Body); err != nil {
						b.Fatal(err)
					}
					_ = resp.Body.Close()
					s.End()
				}
			})
		}
	}
}

func readBytes(r io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, 4<<10))
	return err
}

// readDecoded reads a stream as a client of little cost does.
func readDecoded(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		event, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var chunk struct {
			ID, Object, Model string
			Created           int64
			Choices           []struct {
				Index        int
				Delta        struct{ Role, Content string }
				FinishReason *string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal(event, &chunk); err != nil {
			return err
		}
	}
	return lines.Err()
}

// TestSmallCallAllocations keeps the budget of what a small call allocates beyond
// the same recorded by hand.
func TestSmallCallAllocations(t *testing.T) {
	if raceEnabled {
		return // which counts more
	}
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	defer s.End()
	base := roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, ContentLength: int64(len(smallAnswer)), Body: io.NopCloser(strings.NewReader(smallAnswer))}, nil
	})
	call := func(tr http.RoundTripper) {
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(smallRequest))
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	tr := llmhttp.Transport(base)
	traced := testing.AllocsPerRun(500, func() { call(tr) })
	byHand := testing.AllocsPerRun(500, func() {
		e := startByHand(ctx)
		call(base)
		endByHand(e)
	})
	if traced > byHand+35 {
		t.Errorf("%v allocations, by hand %v", traced, byHand)
	}
}
