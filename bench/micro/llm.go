package micro

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

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
		{Name: "llm/stream of 10 MB, untraced", Open: openStream(false, flushed)},
		{Name: "llm/stream of 10 MB, llmhttp", Open: openStream(true, flushed)},
		{Name: "llm/stream at once, untraced", Open: openStream(false, atOnceWritten)},
		{Name: "llm/stream at once, llmhttp", Open: openStream(true, atOnceWritten)},
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
			must(read(ctx, transport, url, smallRequest, len(smallAnswer)))
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
func read(ctx context.Context, transport http.RoundTripper, url, body string, size int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && n != int64(size) {
		err = fmt.Errorf("read an answer: %d of %d bytes", n, size)
	}
	return err
}

// byHand records the event that llmhttp makes of the call.
func byHand(ctx context.Context) func() {
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "chat "+llmModel, sessionspan.WithModel("openai", llmModel),
		sessionspan.WithMessages(sessionspan.Message{Role: "system", Content: llmSystem}, sessionspan.Message{Role: "user", Content: llmQuestion}),
		sessionspan.WithConfig(map[string]any{"temperature": 0.5}))
	return func() {
		e.SetReply(sessionspan.Message{Role: "assistant", Content: llmAnswer, FinishReason: "stop"})
		e.SetUsage(sessionspan.Usage{InputTokens: 20, OutputTokens: 3, TotalTokens: 23})
		e.SetMetadata(map[string]any{"response_id": "chatcmpl-1", "response_model": llmModel, "status_code": http.StatusOK})
		e.End()
	}
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
func openStream(isTraced bool, write func(http.ResponseWriter) error) func(string) (func(int), func(), error) {
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
				must(read(ctx, transport, url, streamRequest, len(wholeStream())))
				session.End()
			}
		}, closing, nil
	}
}
