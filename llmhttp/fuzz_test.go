package llmhttp_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/llmhttp"
)

// A dialogue is a call and its answer.
type dialogue struct {
	url, request, kind, answer string
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

// fuzz calls a provider whose request and answers are the fuzzer's.
func fuzz(f *testing.F, provider string) {
	for _, d := range fixtures() {
		if d.whole != "" {
			f.Add(d.request, d.whole, false, 200)
		}
		if len(d.chunks) > 0 {
			f.Add(d.streamRequest, d.wire(d.chunks), true, 200)
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
	"cohere":    {"https://api.cohere.com/v2/chat", "https://api.cohere.com/v1/chat", "https://api.cohere.com/v2/embed"},
	"google":    {interactionsURL, "https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse", "https://generativelanguage.googleapis.com/v1beta/models/m:embedContent", "https://x-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/text-embedding-1:predict"},
	"amazonaws": {bedrockHost + "x/invoke", bedrockHost + "amazon.nova-x/invoke-with-response-stream", "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse-stream", "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.m/invoke-with-response-stream", "https://bedrock-runtime.us-east-1.amazonaws.com/model/embed/invoke"},
	"searches": {
		"http://q:6333/collections/c/points/query", "http://q:6333/collections/c/points/search", "http://q:6333/collections/c/points/query/groups", "https://i-1.svc.x.pinecone.io/query",
		"https://i-1.svc.x.pinecone.io/records/namespaces/n/search", "http://c/api/v2/tenants/t/databases/d/collections/i/query", "http://c/api/v2/tenants/t/databases/d/collections/i/search",
		"http://m/v2/vectordb/entities/search", "http://w/v1/graphql", "http://e/i/_search", "http://e/_msearch", azureIndex + "/i/docs/search", "http://t/multi_search", "http://m/indexes/i/search",
		"https://discoveryengine.googleapis.com/v1/engines/e/servingConfigs/s:search", "https://x.googleapis.com/v1/locations/l:retrieveContexts", "https://1.us-1.vdb.vertexai.goog/v1/indexEndpoints/e:findNeighbors",
		"https://api.openai.com/v1/vector_stores/v/search", agentRuntime + "/knowledgebases/K/retrieve", agentRuntime + "/retrieveAndGenerate", agentRuntime + "/retrieveAndGenerateStream", agentRuntime + "/rerank",
		cohereHost + "/v2/rerank", "https://api.tavily.com/search", "https://api.exa.ai/search", "https://api.search.brave.com/res/v1/llm/context",
	},
	"ollama": {"http://127.0.0.1:11434/api/chat", "http://127.0.0.1:11434/api/generate", "http://127.0.0.1:11434/api/embed"},
}

func FuzzOpenAI(f *testing.F)    { fuzz(f, "openai") }
func FuzzAnthropic(f *testing.F) { fuzz(f, "anthropic") }
func FuzzGemini(f *testing.F)    { fuzz(f, "google") }
func FuzzBedrock(f *testing.F)   { fuzz(f, "amazonaws") }
func FuzzCohere(f *testing.F)    { fuzz(f, "cohere") }
func FuzzOllama(f *testing.F)    { fuzz(f, "ollama") }
func FuzzSearches(f *testing.F)  { fuzz(f, "searches") }
