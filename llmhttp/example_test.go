package llmhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/llmhttp"
)

// A client of any SDK that takes an HTTP client is traced by its transport.
func ExampleTransport() {
	client := &http.Client{Transport: llmhttp.Transport(nil,
		llmhttp.WithHost("llm.internal:8000", llmhttp.OpenAI, "vllm"),
		llmhttp.WithName(func(c llmhttp.Call) string { return c.Operation }),
	)}
	fmt.Println(client.Transport != nil)
	// Output: true
}

// Clients with middleware of this form, such as openai-go and anthropic-sdk-go,
// take it as an option: option.WithMiddleware(llmhttp.Middleware()).
func ExampleMiddleware() {
	type option func(*http.Request, func(*http.Request) (*http.Response, error)) (*http.Response, error)
	middleware := option(llmhttp.Middleware())
	fmt.Println(middleware != nil)
	// Output: true
}

// A server in your own house speaks one of the APIs.
func ExampleWithHost() {
	answer := `{"model":"llama","choices":[{"index":0,"message":{"role":"assistant","content":"Paris."},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()

	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("docs"), sessionspan.WithWriter(io.Discard))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = tracer.Shutdown(context.Background()) }()
	ctx, session := tracer.StartSession(context.Background(), "capitals")
	defer session.End()

	client := &http.Client{Transport: llmhttp.Transport(nil,
		llmhttp.WithHost(strings.TrimPrefix(server.URL, "http://"), llmhttp.OpenAI, "vllm"),
		llmhttp.WithName(func(c llmhttp.Call) string {
			fmt.Println(c.Operation, c.Provider, c.Model)
			return ""
		}))}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/models/chat/completions", strings.NewReader(`{"model":"llama","messages":[]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := client.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	client.CloseIdleConnections()
	// Output: chat vllm llama
}

// A client answers from recordings in a test, and calls the provider under
// go test -llmhttp.record.
func ExampleReplay() {
	client := &http.Client{Transport: llmhttp.Transport(llmhttp.Replay("testdata/calls"))}
	_, err := client.Post("https://api.openai.com/v1/chat/completions", "application/json", strings.NewReader(`{"model":"m"}`))
	var missing *llmhttp.NotRecordedError
	fmt.Println(errors.As(err, &missing), missing.Request)
	// Output:
	// true POST https://api.openai.com/v1/chat/completions
}
