package llmhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/internal/metrictest"
	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// playAll makes the calls of a fixture: answered, cut, broken and refused.
func (s *stage) playAll(f *fixture, streams bool, a answer, options ...llmhttp.Option) {
	s.play(f, streams, a, options...)
	s.play(f, streams, answer{kind: a.kind, body: a.body[:len(a.body)/2]}, options...)
	s.play(f, streams, answer{kind: a.kind, body: a.body[:len(a.body)/3], cut: errors.New("connection reset")}, options...)
	s.play(f, streams, answer{kind: "text/html", body: "<html>"}, options...)
}

// TestMetricsOfCalls holds the metrics of every fixture to the events of the same
// calls, and those of calls that are not sampled, that go nowhere, whose content is
// not recorded and whose span their client made to these.
func TestMetricsOfCalls(t *testing.T) {
	ways(t, func(t *testing.T, f *fixture, streams bool, a answer) {
		synctest.Test(t, func(t *testing.T) {
			reader := sdkmetric.NewManualReader()
			meters := func(r sdkmetric.Reader) sessionspan.Option {
				return sessionspan.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(r)))
			}
			s := newStage(t, meters(reader))
			s.playAll(f, streams, a)
			events := s.end()
			want := metrictest.Collect(t, reader)
			if diff := cmp.Diff(metrictest.OfRecords(events), want, metrictest.Almost); diff != "" {
				t.Errorf("(- records, + metrics): %s", diff)
			}
			if tokens := f.metadata["prompt_tokens"] + f.metadata["completion_tokens"]; tokens != "" && !strings.Contains(strings.Join(keysOf(want), " "), "token.usage") {
				t.Errorf("no tokens: %v", want)
			}
			never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
			plain := sdktrace.NewTracerProvider()
			for name, c := range map[string]struct {
				options []sessionspan.Option
				calls   []llmhttp.Option
				span    bool
			}{
				"not sampled":        {options: []sessionspan.Option{sessionspan.WithTracerProvider(never), sessionspan.WithWriter(io.Discard)}},
				"no destination":     {},
				"no content":         {options: []sessionspan.Option{sessionspan.WithWriter(io.Discard)}, calls: []llmhttp.Option{llmhttp.WithoutContent()}},
				"span of the client": {options: []sessionspan.Option{sessionspan.WithTracerProvider(plain), sessionspan.WithWriter(io.Discard)}, span: true},
			} {
				reader := sdkmetric.NewManualReader()
				tracer, err := sessionspan.New(append(c.options, sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil), meters(reader))...)
				if err != nil {
					t.Fatal(err)
				}
				ctx, session := tracer.StartSession(t.Context(), "s")
				if c.span {
					var span trace.Span
					ctx, span = plain.Tracer("com.example.sdk").Start(ctx, "sdk call", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat")))
					defer span.End()
				}
				other := &stage{t: t, request: func(url, body string) *http.Request {
					return httptest.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
				}}
				other.playAll(f, streams, a, c.calls...)
				session.End()
				if err := tracer.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(want, metrictest.Collect(t, reader), metrictest.Almost); diff != "" {
					t.Errorf("%s (- recorded, +): %s", name, diff)
				}
			}
		})
	})
}

func keysOf(m map[string]metrictest.Histogram) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// TestMetricsOfAStream reads a stream slowly below an agent that says what the call
// used: the times are those of the stream, the tokens are there once.
func TestMetricsOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		p := sessiontest.New(t, sessionspan.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
		ctx, s := p.Tracer.StartSession(t.Context(), "s")
		ctx, agent := sessionspan.StartEvent(ctx, sessionspan.Agent, "agent")
		chunks := []string{`{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`, `{"choices":[{"index":0,"delta":{"content":"hello"}}]}`,
			`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `{"model":"gpt-x-0101","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":5}}`, `[DONE]`}
		base := roundTrip(func(r *http.Request) (*http.Response, error) {
			_, _ = io.Copy(io.Discard, r.Body)
			body, w := io.Pipe()
			go func() {
				for _, c := range chunks {
					time.Sleep(100 * time.Millisecond)
					_, _ = io.WriteString(w, "data: "+c+"\n\n")
				}
				_ = w.Close()
			}()
			return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: body}, nil
		})
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(`{"model":"gpt-x","stream":true,"messages":[]}`))
		resp, err := llmhttp.Transport(base).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		agent.SetUsage(sessionspan.Usage{InputTokens: 20, OutputTokens: 5})
		agent.End()
		s.End()
		const chat, server = " operation.name=chat provider.name=openai request.model=gpt-x response.model=gpt-x-0101", " server.address=api.openai.com server.port=443"
		want := map[string]metrictest.Histogram{
			"operation.duration s" + chat + server:                       {Values: 1, Sum: .5, In: "6"},
			"operation.time_to_first_chunk s" + chat + server:            {Values: 1, Sum: .2, In: "5"},
			"operation.duration s operation.name=invoke_agent":           {Values: 1, Sum: .5, In: "6"},
			"token.usage {token}" + chat + " token.type=input" + server:  {Values: 1, Sum: 20, In: "3"},
			"token.usage {token}" + chat + " token.type=output" + server: {Values: 1, Sum: 5, In: "2"},
		}
		if diff := cmp.Diff(want, metrictest.Collect(t, reader), metrictest.Almost); diff != "" {
			t.Errorf("(- want, + got): %s", diff)
		}
	})
}
