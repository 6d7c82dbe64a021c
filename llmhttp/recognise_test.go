package llmhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestRecognisedSearches looks at which requests are searches, and of whom; "" is none.
func TestRecognisedSearches(t *testing.T) {
	custom := []llmhttp.Option{
		llmhttp.WithHost("rank.internal", llmhttp.Rerank, "bge"), llmhttp.WithHost("pine.internal:8080", llmhttp.Pinecone, ""),
		llmhttp.WithHost("web.internal", llmhttp.Tavily, ""), llmhttp.WithRetrieval("find.internal", "/spaces/*/find", llmhttp.RetrievalFormat{Provider: "ours"}),
		llmhttp.WithRetrieval("", "/our/rank", llmhttp.RetrievalFormat{Rerank: true}), llmhttp.WithRetrieval("x", " / ", llmhttp.RetrievalFormat{}),
	}
	for _, c := range []struct{ method, url, body, want string }{
		{"POST", "http://q:6333/collections/c/points/search", `{}`, "qdrant"}, {"POST", "http://q:6333/collections/c/points/query", `{}`, "qdrant"},
		{"POST", "http://q:6333/prefix/collections/c/points/recommend/batch", `{}`, "qdrant"}, {"POST", "http://q:6333/collections/c/points/discover", `{}`, "qdrant"},
		{"POST", "http://q:6333/collections/c/points/search/groups", `{}`, "qdrant"}, {"PUT", "http://q:6333/collections/c/points", `{}`, ""},
		{"POST", "http://q:6333/collections/c/points/scroll", `{}`, ""}, {"POST", "http://q:6333/collections/c/points/delete", `{}`, ""}, {"POST", "http://q:6333/collections/c/points/batch", `{}`, ""},
		{"POST", "http://q:6333/collections/points/search", `{}`, ""}, {"GET", "http://q:6333/collections/c/points/search", ``, ""}, {"POST", "http://q/points/search", `{"vector":[1]}`, ""},

		{"POST", "https://i-1.svc.aped-1.pinecone.io/query", `{}`, "pinecone"}, {"POST", "http://localhost:5081/query", `{"topK":3,"vector":[1]}`, "pinecone"},
		{"POST", "http://localhost:5081/query", `{"query":"x","vector":[1]}`, ""}, {"POST", "http://shop/query", `{"topK":3}`, ""}, {"POST", "http://shop/api/query", `{"topK":3,"vector":[1]}`, ""},
		{"POST", "http://pine.internal:8080/query", `{}`, "pinecone"}, {"POST", "http://pine.internal:9090/query", `{}`, ""}, {"POST", "https://i-1.svc.aped-1.pinecone.io/vectors/upsert", `{}`, ""},
		{"POST", "https://i-1.svc.aped-1.pinecone.io/records/namespaces/n/search", `{}`, "pinecone"}, {"POST", "https://i-1.svc.aped-1.pinecone.io/records/namespaces/n/upsert", `{}`, ""},
		{"POST", "https://api.pinecone.io/rerank", `{}`, "pinecone"}, {"POST", "https://api.pinecone.io/embed", `{}`, ""},

		{"POST", "http://c:8000/api/v2/tenants/t/databases/d/collections/i/query", `{}`, "chroma"}, {"POST", "http://c:8000/api/v1/collections/i/query", `{"query_embeddings":[[1]]}`, "chroma"},
		{"POST", "http://c:8000/api/v1/collections/i/query", `{"sql":"select"}`, ""}, {"POST", "http://c:8000/api/v2/tenants/t/databases/d/collections/i/add", `{}`, ""},
		{"POST", "http://c:8000/api/v2/tenants/t/databases/d/collections/i/get", `{}`, ""}, {"POST", "http://shop/collections/i/search", `{"q":"x"}`, ""},

		{"POST", "http://m:19530/v2/vectordb/entities/search", `{}`, "milvus"}, {"POST", "http://m:19530/v1/vector/search", `{}`, "milvus"}, {"POST", "http://m:19530/v2/vectordb/entities/hybrid_search", `{}`, "milvus"},
		{"POST", "http://m:19530/v2/vectordb/entities/query", `{}`, ""}, {"POST", "http://m:19530/v2/vectordb/entities/upsert", `{}`, ""},

		{"POST", "http://w:8080/v1/graphql", `{"query":"{Get{A(bm25:{query:\"x\"}){t}}}"}`, "weaviate"}, {"POST", "http://w:8080/v1/graphql", `{"query":"{Get{A(limit:3){t}}}"}`, ""},
		{"POST", "http://w:8080/v1/graphql", `{"query":"{Aggregate{A{meta{count}}}}"}`, ""}, {"POST", "http://hasura/v1/graphql", `{"query":"query Get { tasks(where: {near: {_eq: 1}}) { bm25 } }"}`, ""},
		{"POST", "https://api.github.com/graphql", `{"query":"{ Get { A(nearText: {concepts: [\"x\"]}) { t } } }"}`, ""}, {"POST", "http://w:8080/v1/graphql", `{Get{A(bm25:{query:"x"}){t}}}`, ""},

		{"POST", "http://e:9200/i/_search", `{"query":{"match":{"a":"x"}}}`, "elasticsearch"}, {"GET", "http://e:9200/_search", `{"query":{"semantic":{"field":"a","query":"x"}}}`, "elasticsearch"},
		{"POST", "http://e:9200/i/_search", `{"query":{"term":{"match":"knn"}}}`, ""}, {"POST", "http://e:9200/i/_search", `{"size":0,"query":{"match":{"a":"x"}},"aggs":{}}`, ""},
		{"POST", "http://e:9200/i/_search", `{"query":{"bool":{"filter":[{"match":{"level":"error"}}]}}}`, ""}, {"POST", "http://e:9200/i/_search", `{"query":{"match_all":{}}}`, ""}, {"POST", "http://e:9200/i/_search", ``, ""},
		{"POST", "http://fhir/Patient/_search", `name=x`, ""}, {"POST", "http://e:9200/i/_doc", `{"match":1}`, ""}, {"POST", "http://e:9200/_bulk", `{"knn":1}`, ""}, {"GET", "http://e:9200/i/_search?q=x", ``, ""},
		{"POST", "https://search-x.eu-west-1.es.amazonaws.com/i/_msearch", "{}\n{\"query\":{\"neural\":{\"v\":{\"query_text\":\"x\"}}}}\n", "opensearch"}, {"POST", "http://e:9200/_msearch", "{}\n{\"query\":{\"match_all\":{}}}\n", ""},

		{"POST", "https://x.search.windows.net/indexes/i/docs/search?api-version=1", `{}`, "azure.ai.search"}, {"POST", "https://x.search.windows.net/indexes('i')/docs/search.post.search?api-version=1", `{}`, "azure.ai.search"},
		{"POST", "https://x.search.windows.net/indexes/i/docs/index", `{}`, ""}, {"POST", "https://x.search.windows.net/indexes/i/docs/suggest", `{}`, ""},

		{"POST", "https://discoveryengine.googleapis.com/v1/projects/p/locations/l/collections/c/dataStores/d/servingConfigs/s:search", `{}`, "gcp.discovery_engine"},
		{"POST", "https://us-aiplatform.googleapis.com/v1beta1/projects/p/locations/us:retrieveContexts", `{}`, "gcp.vertex_ai"}, {"POST", "https://1.us-1.vdb.vertexai.goog/v1/projects/p/locations/l/indexEndpoints/e:findNeighbors", `{}`, "gcp.vertex_ai"},
		{"POST", "https://discoveryengine.googleapis.com/v1/projects/p/rankingConfigs/d:rank", `{}`, "gcp.discovery_engine"}, {"POST", "https://cloudsearch.googleapis.com/v1/query:search", `{}`, ""}, {"POST", "https://people.googleapis.com/v1/people:search", `{}`, ""},

		{"GET", "http://t:8108/collections/c/documents/search?q=x&query_by=a", ``, "typesense"}, {"GET", "http://t:8108/collections/c/documents/search", ``, ""}, {"GET", "http://t:8108/collections/c/documents/1", ``, ""},
		{"POST", "http://t:8108/multi_search", `{"searches":[{"q":"x"}]}`, "typesense"}, {"POST", "http://shop/multi_search", `{"q":"x"}`, ""},
		{"POST", "http://m:7700/indexes/i/search", `{"q":"x"}`, "meilisearch"}, {"GET", "http://m:7700/indexes/i/search?q=x", ``, "meilisearch"}, {"POST", "http://m:7700/indexes/i/search", `{"text":"x"}`, ""},
		{"POST", "http://m:7700/multi-search", `{"queries":[{"indexUid":"i","q":"x"}]}`, "meilisearch"}, {"POST", "http://m:7700/indexes/i/documents", `{"q":"x"}`, ""}, {"PUT", "http://m:7700/indexes/i/search", `{"q":"x"}`, ""},

		{"POST", "https://api.openai.com/v1/vector_stores/v/search", `{}`, "openai"}, {"POST", "https://x.openai.azure.com/openai/vector_stores/v/search", `{}`, "azure.ai.openai"}, {"POST", "http://litellm:4000/v1/vector_stores/v/search", `{}`, "openai"},
		{"POST", "https://api.openai.com/v1/vector_stores/v/files", `{}`, ""}, {"GET", "https://api.openai.com/v1/vector_stores/v/search", ``, ""}, {"POST", "http://shop/vector_stores/v/search", `{}`, ""},
		{"POST", "https://bedrock-agent-runtime.us-east-1.amazonaws.com/knowledgebases/K/retrieve", `{}`, "aws.bedrock"}, {"POST", "https://bedrock-agent-runtime.us-east-1.amazonaws.com/retrieveAndGenerate", `{}`, "aws.bedrock"},
		{"POST", "https://bedrock-agent-runtime.us-east-1.amazonaws.com/rerank", `{}`, "aws.bedrock"}, {"POST", "http://localhost:4566/knowledgebases/K/retrieve", `{}`, "aws.bedrock"}, {"POST", "http://shop/orders/retrieve", `{}`, ""},

		{"POST", "https://api.cohere.com/v2/rerank", `{}`, "cohere"}, {"POST", "https://api.cohere.com/v1/rerank", `{}`, "cohere"}, {"POST", "https://api.voyageai.com/v1/rerank", `{}`, "voyage"}, {"POST", "https://api.jina.ai/v1/rerank", `{}`, "jina_ai"},
		{"POST", "https://api.together.ai/v1/rerank", `{}`, "together_ai"}, {"POST", "http://vllm:8000/v1/rerank", `{"query":"a","documents":["b"]}`, "rerank"}, {"POST", "http://shop/rerank", `{"items":[1],"query":"x"}`, ""},
		{"POST", "http://rank.internal/api/rerank", `{}`, "bge"}, {"POST", "http://localhost/v1/rerank", `say "query" and "documents"`, "rerank"}, {"GET", "https://api.cohere.com/v2/rerank", ``, ""},

		{"POST", "https://api.tavily.com/search", `{}`, "tavily"}, {"POST", "https://api.tavily.com/extract", `{}`, ""}, {"POST", "https://api.exa.ai/search", `{}`, "exa"}, {"POST", "https://api.exa.ai/findSimilar", `{}`, "exa"}, {"POST", "https://api.exa.ai/contents", `{}`, ""},
		{"GET", "https://api.search.brave.com/res/v1/web/search?q=x", ``, "brave"}, {"GET", "https://api.search.brave.com/res/v1/news/search?q=x", ``, "brave"}, {"GET", "https://api.search.brave.com/res/v1/images/search?q=x", ``, ""},
		{"POST", "http://web.internal/v1/search", `{}`, "tavily"}, {"POST", "http://shop/search", `{"query":"x","max_results":3}`, ""}, {"GET", "http://shop/search?q=x", ``, ""}, {"GET", "http://shop/web/search?q=x", ``, ""},

		{"POST", "http://find.internal/v1/spaces/s/find", `{}`, "ours"}, {"POST", "http://find.internal/spaces/find", `{}`, ""}, {"POST", "http://find.internal/spaces//find", `{}`, ""}, {"GET", "http://find.internal/spaces/s/find", ``, ""},
		{"POST", "http://find.internal/spaces/s/find/x", `{}`, ""}, {"POST", "http://other.internal/spaces/s/find", `{}`, ""}, {"POST", "http://any/our/rank", `{}`, "rerank"}, {"POST", "http://any/ourrank", `{}`, ""},
	} {
		p := sessiontest.New(t)
		ctx, s := p.Tracer.StartSession(t.Context(), "s")
		got := ""
		tr := llmhttp.Transport(roundTrip(func(r *http.Request) (*http.Response, error) {
			data, _ := io.ReadAll(r.Body)
			got = string(data)
			return &http.Response{StatusCode: 200, ContentLength: -1, Body: io.NopCloser(strings.NewReader(`{}`))}, nil
		}), custom...)
		resp, err := tr.RoundTrip(httptest.NewRequestWithContext(ctx, c.method, c.url, strings.NewReader(c.body)))
		if err != nil || got != c.body {
			t.Fatal(err, got)
		}
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		s.End()
		provider := ""
		for _, e := range p.Session("s").Events {
			v, _ := e.Config.Get("provider")
			provider += strings.Trim(string(v), `"`)
		}
		if provider != c.want {
			t.Errorf("%s %s %s: provider %q, want %q", c.method, c.url, c.body, provider, c.want)
		}
	}
}

// countingBody is a body of which there is no copy.
type countingBody struct {
	text   string
	fail   error
	reads  int
	closed bool
}

func (b *countingBody) Read(p []byte) (int, error) {
	b.reads++
	if b.text == "" {
		if b.fail != nil {
			return 0, b.fail
		}
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 7)], b.text)
	b.text = b.text[n:]
	return n, nil
}

func (b *countingBody) Close() error {
	b.closed = true
	return nil
}

// TestBodyThatTells sends searches that only their body tells, without a copy of it:
// what is sent, its length, its error and its end are those of the body. One whose
// length nobody knows is not read before it is sent.
func TestBodyThatTells(t *testing.T) {
	const search = `{"knn":{"field":"v","query_vector":[1,2],"k":3}}`
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		length int64
		fail   error
		events int
		limit  int
	}{
		"known length": {int64(len(search)), nil, 1, 0}, "unknown length": {-1, nil, 0, 0}, "no length": {0, nil, 0, 0}, "fails": {int64(len(search)), broken, 1, 0},
		"longer than the limit": {int64(len(search)), nil, 0, 20},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			body := &countingBody{text: search, fail: c.fail}
			r, err := http.NewRequestWithContext(s.request("http://x/", "").Context(), http.MethodPost, "http://localhost:9200/i/_search", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Body, r.ContentLength = body, c.length
			base := roundTrip(func(r *http.Request) (*http.Response, error) {
				if before := body.reads; c.length <= 0 && before != 0 {
					t.Errorf("%d reads before it is sent", before)
				}
				data, err := io.ReadAll(r.Body)
				if string(data) != search || r.ContentLength != c.length || !errors.Is(err, c.fail) {
					t.Errorf("%q, length %d, %v", data, r.ContentLength, err)
				}
				_ = r.Body.Close()
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"hits":{"hits":[]}}`))}, nil
			})
			resp, err := llmhttp.Transport(base, llmhttp.WithLimit(c.limit)).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if !body.closed {
				t.Error("the body is not closed")
			}
			if events := s.end(); len(events) != c.events {
				t.Errorf("%d events, want %d", len(events), c.events)
			}
		})
	}
}

// TestNotASearchCostsNothing counts what requests cost that are none.
func TestNotASearchCostsNothing(t *testing.T) {
	if raceEnabled {
		return // which counts more
	}
	resp := &http.Response{StatusCode: 200, Body: http.NoBody}
	tr := llmhttp.Transport(roundTrip(func(*http.Request) (*http.Response, error) { return resp, nil }))
	for _, url := range []string{"http://shop/search", "http://shop/v1/search?q=x", "http://shop/graphql", "http://shop/api/query", "http://shop/orders/batch", "http://shop/a:search", "http://shop/collections/c/search"} {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(`{"query":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(20, func() { _, _ = tr.RoundTrip(r) }); n != 0 {
			t.Errorf("%s: %v allocations", url, n)
		}
	}
}
