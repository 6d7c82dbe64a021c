// Package llmhttp traces the calls that any HTTP client makes to providers of
// language models: each becomes a [sessionspan.Model] or [sessionspan.Embedding]
// event of the session that the request's context is in, with what was asked,
// what was answered, tokens, timing and errors. It knows the providers by their
// paths and hosts and needs none of their SDKs.
//
//	client := openai.NewClient(option.WithHTTPClient(&http.Client{Transport: llmhttp.Transport(nil)}))
//
// or, for clients with middleware of this form (openai-go, anthropic-sdk-go):
//
//	client := openai.NewClient(option.WithMiddleware(llmhttp.Middleware()))
//
// Requests and answers pass byte for byte as they are, and streams without
// delay: they are read as they pass. Only [WithIncludeUsage] changes a request.
// What is not recognised passes untouched.
//
// # What is kept
//
// Content is kept up to a limit; images and sound as their size and SHA-256. No
// header is recorded and no address but host and port, so no key is. The headers
// traceparent, tracestate and baggage are taken off requests to providers.
//
// # The end of an event
//
// An event ends when the protocol says that the answer is over, or else at the
// end of the body, at its Close, at a read error, or when the context of the
// request ends, whichever comes first: some clients neither read to the end nor
// close. A stream that breaks is an error, with what had arrived. The time to
// the first token is that of the first content.
//
// # Attempts
//
// Each attempt of a client that retries is an event. Put the calls of one
// operation under an event of your own to keep them together.
package llmhttp
