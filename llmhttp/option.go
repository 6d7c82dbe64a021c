package llmhttp

import (
	"net/http"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/internal/report"
)

// An Option configures [Transport] and [Middleware].
type Option interface{ apply(*tracing) }

type optionFunc func(*tracing)

func (f optionFunc) apply(t *tracing) { f(t) }

// tracing is what the options say.
type tracing struct {
	tracer   *sessionspan.Tracer
	hosts    []host
	searches []search
	name     func(Call) string
	filter   func(*http.Request) bool
	limit    int
	askUsage bool
	blind    bool
	reports  report.Reporter
	keys     atomic.Pointer[keyring]
}

// A Call is what is known of a call when its request was read.
type Call struct {
	Operation string // chat, text_completion, generate_content, embeddings, fetch_response, retrieval or rerank
	Provider  string // openai, anthropic, groq, qdrant and so on
	Model     string // that the request asks for; may be empty
	// Collection is where a retrieval searches: a collection, an index, a knowledge base;
	// of several, they have commas between them. It may be empty.
	Collection string
	Stream     bool // the answer is asked for as a stream
	Request    *http.Request
}

// DefaultLimit is how many bytes are kept of a request and of an answer.
const DefaultLimit = 4 << 20

func newTracing(options []Option) *tracing {
	t := &tracing{limit: DefaultLimit, reports: report.Reporter{Handle: otel.Handle}}
	for _, o := range options {
		if o != nil {
			o.apply(t)
		}
	}
	return t
}

// WithTracer records with this tracer. The default, and the meaning of nil, is
// the tracer of the request's context, or else the default one. In a session of
// another tracer it is that one which records.
func WithTracer(t *sessionspan.Tracer) Option {
	return optionFunc(func(c *tracing) { c.tracer = t })
}

// WithHost says that a server speaks an API: a proxy, or one in your own house.
// The host is a name, with a port or for every port: "llm.internal",
// "localhost:8000"; a leading "*." stands for any sub-domain. provider is
// recorded as gen_ai.provider.name; empty, it is the API's own. It wins over what
// is known of public hosts. Servers of which nothing is known are recognised by
// their paths, where those leave no doubt.
func WithHost(name string, api API, provider string) Option {
	return optionFunc(func(c *tracing) {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && api > 0 && int(api) < len(apis) && apis[api] != nil {
			c.hosts = append(c.hosts, host{name, api, provider})
		}
	})
}

// WithName names events. The default, and the meaning of an empty name, is the
// operation and the model, or the collection: "chat gpt-5", "retrieval docs". A nil
// function is ignored.
func WithName(name func(Call) string) Option {
	return optionFunc(func(c *tracing) { c.name = name })
}

// WithFilter traces only the requests for which keep returns true; others pass
// as [Transport] sends what it does not record. It is asked about calls of models,
// searches and rerankers alone, also about requests that may be one, as only their body
// tells, and about those for answers that were made in the background, which have no
// body. A nil filter keeps all.
func WithFilter(keep func(*http.Request) bool) Option {
	return optionFunc(func(c *tracing) { c.filter = keep })
}

// WithLimit sets how many bytes are kept of a request, and of an answer. The
// default, and the meaning of zero and less, is [DefaultLimit]. A request, or an
// answer that came whole, which is longer is not read, images and sound not
// counted; of a stream the beginning is kept. Whatever the limit, of messages,
// parts and tools the first 16,384 are read. The metadata says request_truncated or
// answer_truncated where something is left out.
func WithLimit(bytes int) Option {
	return optionFunc(func(c *tracing) {
		if c.limit = bytes; bytes <= 0 {
			c.limit = DefaultLimit
		}
	})
}

// WithIncludeUsage asks for the usage of chat completions that are streamed,
// where the request does not say whether it wants it: without, such streams tell
// no tokens. It adds stream_options to the request, and the client sees one more
// chunk, whose choices are empty. It is for clients that bear it. Requests stay
// as they are without GetBody, as those with a body of unknown length, and where
// their body is signed or compressed.
func WithIncludeUsage() Option { return optionFunc(func(c *tracing) { c.askUsage = true }) }

// WithoutContent records nothing of what users, models and tools say, which stop
// sequences are a part of, nothing of what is searched for and found but how much it is, and of errors only the provider's code. Without it the destinations decide; see
// [sessionspan.WithoutContent].
func WithoutContent() Option { return optionFunc(func(c *tracing) { c.blind = true }) }
