package llmhttp_test

import (
	"fmt"
	"net/http"

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
