package micro

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/llmhttp"
)

// A small call of OpenAI's chat API, and a piece of a streamed answer.
const (
	chatURL = "https://api.openai.com/v1/chat/completions"

	llmModel    = "gpt-4o"
	llmSystem   = "Answer briefly."
	llmQuestion = "What is the capital of France?"
	llmAnswer   = "Paris."

	smallRequest = `{"model":"` + llmModel + `","temperature":0.5,"messages":[{"role":"system","content":"` + llmSystem + `"},{"role":"user","content":"` + llmQuestion + `"}]}`
	smallAnswer  = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"` + llmModel +
		`","choices":[{"index":0,"message":{"role":"assistant","content":"` + llmAnswer + `"},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23}}`

	streamRequest = `{"model":"` + llmModel + `","stream":true,"messages":[{"role":"user","content":"` + llmQuestion + `"}]}`
	streamChunk   = `data: {"id":"chatcmpl-2","object":"chat.completion.chunk","created":1,"model":"` + llmModel +
		`","choices":[{"index":0,"delta":{"content":" some words"},"finish_reason":null}]}` + "\n\n"
	streamBytes = 10 << 20
)

// llmCases compare a client that is traced with one that is not, and with one
// whose user records the same by hand.
func llmCases() []Case {
	return []Case{
		{Name: "llm/call, untraced", Per: 100, Open: openCalls(chatURL, false, nil)},
		{Name: "llm/call, by hand", Per: 100, Open: openCalls(chatURL, false, byHand)},
		{Name: "llm/call, llmhttp", Per: 100, Open: openCalls(chatURL, true, nil)},
		{Name: "llm/other call, untraced", Per: 100, Open: openCalls(otherURL, false, nil)},
		{Name: "llm/other call, llmhttp", Per: 100, Open: openCalls(otherURL, true, nil)},
		{Name: "llm/stream of 10 MB, untraced", Open: openStream(false, flushed, decoded)},
		{Name: "llm/stream of 10 MB, llmhttp", Open: openStream(true, flushed, decoded)},
		{Name: "llm/stream thrown away, untraced", Open: openStream(false, atOnceWritten, thrownAway)},
		{Name: "llm/stream thrown away, llmhttp", Open: openStream(true, atOnceWritten, thrownAway)},
	}
}

// otherURL is no provider's.
const otherURL = "https://shop.example.com/v1/orders"

// atOnce answers without a network.
type atOnce struct{}

func (atOnce) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, ContentLength: int64(len(smallAnswer)), Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(smallAnswer)),
	}, nil
}

func llmTracer() (*sessionspan.Tracer, error) {
	return sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(nowhere{}),
		sessionspan.WithDefaults(exporter.WithLimits(exporter.Limits{QueueWait: time.Minute})))
}

func traced(base http.RoundTripper, is bool, options ...llmhttp.Option) http.RoundTripper {
	if is {
		return llmhttp.Transport(base, options...)
	}
	return base
}

// openCalls makes calls in sessions of a hundred, each around what record does.
func openCalls(url string, isTraced bool, record func(context.Context) func()) func(string) (func(int), func(), error) {
	return func(string) (func(int), func(), error) {
		tracer, err := llmTracer()
		if err != nil {
			return nil, nil, err
		}
		transport := traced(atOnce{}, isTraced)
		call := func(ctx context.Context) {
			if record != nil {
				defer record(ctx)()
			}
			must(read(ctx, transport, url, smallRequest, len(smallAnswer), thrownAway))
		}
		return func(n int) {
			for range n {
				ctx, session := tracer.StartSession(context.Background(), "conversation")
				for range 100 {
					call(ctx)
				}
				session.End()
			}
		}, func() { _ = tracer.Shutdown(context.Background()) }, nil
	}
}

// read makes a call and reads its answer, of size bytes, to the end.
func read(ctx context.Context, transport http.RoundTripper, url, body string, size int, client func(io.Reader) (int, error)) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	// What clients send: llmhttp looks for the key in all that it records.
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"bench/1"}, "Authorization": {"Bearer sk-bench-0123456789abcdefghijklmnop"}}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := client(resp.Body)
	if err == nil && n != size {
		err = fmt.Errorf("read an answer: %d of %d bytes", n, size)
	}
	return err
}

// byHand records the event that llmhttp makes of the call.
func byHand(ctx context.Context) func() {
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "chat "+llmModel, sessionspan.WithModel("openai", llmModel),
		sessionspan.WithMessages(sessionspan.Message{Role: "system", Content: llmSystem}, sessionspan.Message{Role: "user", Content: llmQuestion}),
		sessionspan.WithConfig(map[string]any{"temperature": 0.5}))
	e.SetAttributes(attribute.Float64("gen_ai.request.temperature", 0.5), attribute.String("openai.api.type", "chat_completions"),
		attribute.String("server.address", "api.openai.com"), attribute.Int("server.port", 443))
	return func() {
		e.SetReply(sessionspan.Message{Role: "assistant", Content: llmAnswer, FinishReason: "stop"})
		e.SetUsage(sessionspan.Usage{InputTokens: 20, OutputTokens: 3, TotalTokens: 23})
		e.SetMetadata(map[string]any{"response_id": "chatcmpl-1", "response_model": llmModel,
			"api_type": "chat_completions", "finish_reasons": []string{"stop"}, "tokens_per_second": 1000.5})
		e.SetAttributes(attribute.String("gen_ai.response.id", "chatcmpl-1"), attribute.String("gen_ai.response.model", llmModel),
			attribute.Int("http.response.status_code", http.StatusOK))
		e.End()
	}
}

// thrownAway reads as fast as can be.
func thrownAway(r io.Reader) (int, error) {
	n, err := io.Copy(io.Discard, r)
	return int(n), err
}

// decoded reads a stream as clients do: each event into the fields that a program
// asks for.
func decoded(r io.Reader) (n int, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		n += len(lines.Bytes()) + 1
		event, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok || string(event) == "[DONE]" {
			continue
		}
		var chunk struct {
			ID      string `json:"id"`
			Object  string `json:"object"`
			Created int64  `json:"created"`
			Model   string `json:"model"`
			Choices []struct {
				Index int `json:"index"`
				Delta struct {
					Role    string `json:"role"`
					Content string `json:"content"`
				} `json:"delta"`
				FinishReason *string `json:"finish_reason"`
			} `json:"choices"`
		}
		if err := json.Unmarshal(event, &chunk); err != nil {
			return n, err
		}
	}
	return n, lines.Err()
}

const streamChunks = streamBytes / len(streamChunk)

const streamEnd = "data: [DONE]\n\n"

// flushed writes event by event, as servers do that have no more yet.
func flushed(w http.ResponseWriter) error {
	control := http.NewResponseController(w)
	for range streamChunks {
		if _, err := io.WriteString(w, streamChunk); err != nil {
			return err
		}
		if err := control.Flush(); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, streamEnd)
	return err
}

// atOnceWritten writes as fast as loopback takes it.
func atOnceWritten(w http.ResponseWriter) error {
	_, err := w.Write(wholeStream())
	return err
}

var wholeStream = sync.OnceValue(func() []byte { return []byte(strings.Repeat(streamChunk, streamChunks) + streamEnd) })

// openStream reads streamed answers from a server on loopback.
func openStream(isTraced bool, write func(http.ResponseWriter) error, client func(io.Reader) (int, error)) func(string) (func(int), func(), error) {
	return func(string) (func(int), func(), error) {
		tracer, err := llmTracer()
		if err != nil {
			return nil, nil, err
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing to wait for
		if err != nil {
			return nil, nil, fmt.Errorf("serve a stream: %w", err)
		}
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = write(w) // the client finds what is missing
		})}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = server.Serve(ln) // until it is closed
		}()
		base := new(http.Transport)
		transport := traced(base, isTraced, llmhttp.WithHost("127.0.0.1", llmhttp.OpenAI, "openai"))
		url := "http://" + ln.Addr().String() + "/v1/chat/completions"
		closing := func() {
			base.CloseIdleConnections()
			_ = server.Close()
			<-served
			_ = tracer.Shutdown(context.Background())
		}
		return func(n int) {
			for range n {
				ctx, session := tracer.StartSession(context.Background(), "conversation")
				must(read(ctx, transport, url, streamRequest, len(wholeStream()), client))
				session.End()
			}
		}, closing, nil
	}
}
