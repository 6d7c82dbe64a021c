package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/internal/genai"
)

// This file says what is a call of a model. A provider is a file of its own: an
// entry in the table below, which recognises its requests, and a format for each
// kind of call, which reads them.

// A format reads one kind of call. All texts are canonical JSON. What it does
// not expect it leaves out; it never fails.
type format interface {
	// request reads what was asked.
	request(x *exchange, body string)
	// answer reads an answer that came whole, or an error.
	answer(x *exchange, body string)
	// chunk reads an event of a stream. It sets content where the event brings
	// what the model wrote, and done where the protocol ends.
	chunk(x *exchange, event, data string)
}

// A terminated format says by done that a stream is over: one that ends without
// is broken, unless every choice has ended.
type terminated interface{ terminated() }

// A counted format tells the usage in each stream, with the end of the answer: it is
// all that says of a stream without a terminator that its last chunks came.
type counted interface{ counted() }

// An unterminated format has streams that end with the body and say nothing of it.
type unterminated interface{ unterminated() }

// A route is what the address of a request says of the call.
type route struct {
	format    format
	provider  string // as gen_ai.provider.name
	operation string // as gen_ai.operation.name
	model     string // where the path names it
	stream    bool   // the path asks for a stream
	lines     bool   // streams are lines of JSON
	usageAsk  bool   // stream_options.include_usage is understood
	retrieves bool   // it asks for an answer that was made in the background
	// collection is where is searched, where the path names it.
	collection string
	// tell says by the body whether it is a call, and which; nil where the address leaves
	// no doubt.
	tell func(found *route, body []byte) bool
	// inHouse says that its host is no provider's, so that headers of tracers stay.
	inHouse bool
}

func (r *route) kind() sessionspan.Kind {
	switch r.operation {
	case genai.Embeddings:
		return sessionspan.Embedding
	case genai.Retrieval:
		return sessionspan.Retriever
	case genai.Rerank:
		return sessionspan.Reranker
	}
	return sessionspan.Model
}

// An API is what a server speaks.
type API uint8

// The APIs that are understood.
const (
	OpenAI        API = iota + 1 // chat completions, responses, embeddings; and all that is compatible
	Anthropic                    // messages
	Gemini                       // generateContent, interactions and embeddings, of AI Studio and Vertex AI
	Ollama                       // chat, generate and embed of Ollama itself
	Bedrock                      // Converse and InvokeModel of Amazon Bedrock
	Cohere                       // chat and embed, versions 1 and 2
	Rerank                       // rerankers: Cohere, Voyage, Jina, Together, and servers with one of their APIs
	Pinecone                     // queries, and searches of records
	Qdrant                       // search, query, recommend, discover; alone, in batches and in groups
	Chroma                       // queries, versions 1 and 2, and searches
	Milvus                       // search and hybrid search of REST, versions 1 and 2, of Zilliz Cloud too
	Weaviate                     // searches of GraphQL
	Elasticsearch                // _search and _msearch, of OpenSearch too
	AzureSearch                  // Azure AI Search
	VertexSearch                 // Vertex AI Search, Vector Search and RAG Engine, and the ranking API
	Typesense                    // search and multi_search
	Meilisearch                  // search and multi-search
	Tavily                       // search of the web
	Exa                          // search of the web, and what is similar to a page
	Brave                        // search of the web and of news, and its context for models
)

// apis recognise a request by its path. The last element of the path is given
// with it. known says that the host speaks this API for certain, so that less
// is asked of the path.
var apis = [...]func(r *http.Request, last string, known bool) (route, bool){
	OpenAI:    openAIRoute,
	Anthropic: anthropicRoute,
	Gemini:    geminiRoute,
	Ollama:    ollamaRoute,
	Bedrock:   bedrockRoute,
	Cohere:    cohereRoute,

	Rerank:        rerankAPIRoute,
	Pinecone:      pineconeRoute,
	Qdrant:        qdrantRoute,
	Chroma:        chromaRoute,
	Milvus:        milvusRoute,
	Weaviate:      weaviateRoute,
	Elasticsearch: elasticRoute,
	AzureSearch:   azureRoute,
	VertexSearch:  vertexRoute,
	Typesense:     typesenseRoute,
	Meilisearch:   meiliRoute,
	Tavily:        tavilyRoute,
	Exa:           exaRoute,
	Brave:         braveRoute,
}

// A host is a server whose API is known.
type host struct {
	name     string // in lower case, with or without port; "*" for any part of it
	api      API
	provider string
}

// hosts are the public servers. Those that speak OpenAI's API have it below
// different prefixes.
var hosts = []host{
	{"api.openai.com", OpenAI, "openai"},
	{"*.api.openai.com", OpenAI, "openai"},
	{"chatgpt.com", OpenAI, "openai"},
	{"api.anthropic.com", Anthropic, "anthropic"},
	{"*.openai.azure.com", OpenAI, "azure.ai.openai"},
	{"*.cognitiveservices.azure.com", OpenAI, "azure.ai.openai"},
	{"*.services.ai.azure.com", OpenAI, "azure.ai.inference"},
	{"*.models.ai.azure.com", OpenAI, "azure.ai.inference"},
	{"models.inference.ai.azure.com", OpenAI, "azure.ai.inference"},
	{"api.groq.com", OpenAI, "groq"},
	{"api.mistral.ai", OpenAI, "mistral_ai"},
	{"codestral.mistral.ai", OpenAI, "mistral_ai"},
	{"openrouter.ai", OpenAI, "openrouter"},
	{"api.deepseek.com", OpenAI, "deepseek"},
	{"api.x.ai", OpenAI, "x_ai"},
	{"*.api.x.ai", OpenAI, "x_ai"},
	{"api.perplexity.ai", OpenAI, "perplexity"},
	{"api.moonshot.ai", OpenAI, "moonshot_ai"},
	{"api.moonshot.cn", OpenAI, "moonshot_ai"},
	{"api.together.xyz", OpenAI, "together_ai"},
	{"api.together.ai", OpenAI, "together_ai"},
	{"api.fireworks.ai", OpenAI, "fireworks_ai"},
	{"api.cerebras.ai", OpenAI, "cerebras"},
	{"api.writer.com", OpenAI, "writer"},
	{"*.snowflakecomputing.com", OpenAI, "snowflake"},
	{"*.cloud.databricks.com", OpenAI, "databricks"},
	{"*.azuredatabricks.net", OpenAI, "databricks"},
	{"api.githubcopilot.com", OpenAI, "github_copilot"},
	{"*.githubcopilot.com", OpenAI, "github_copilot"},
	{"models.github.ai", OpenAI, "github"},
	{"router.huggingface.co", OpenAI, "huggingface"},
	{"dashscope.aliyuncs.com", OpenAI, "alibaba"},
	{"dashscope-intl.aliyuncs.com", OpenAI, "alibaba"},
	{"dashscope-us.aliyuncs.com", OpenAI, "alibaba"},
	{"api.voyageai.com", OpenAI, "voyage"},
	{"api.jina.ai", OpenAI, "jina_ai"},
	{"integrate.api.nvidia.com", OpenAI, "nvidia"},
	{"api.sambanova.ai", OpenAI, "sambanova"},
	{"api.deepinfra.com", OpenAI, "deepinfra"},
	{"api.minimax.io", OpenAI, "minimax"},
	{"api.z.ai", OpenAI, "zai"},
	{"open.bigmodel.cn", OpenAI, "zai"},
	{"api.cohere.com", Cohere, "cohere"},
	{"api.cohere.com", OpenAI, "cohere"},
	{"api.cohere.ai", Cohere, "cohere"},
	{"api.cohere.ai", OpenAI, "cohere"},
	{"generativelanguage.googleapis.com", OpenAI, "gcp.gemini"},
	{"generativelanguage.googleapis.com", Gemini, "gcp.gemini"},
	{"*.googleapis.com", OpenAI, "gcp.vertex_ai"},
	{"*.googleapis.com", Gemini, ""},
	{"ollama.com", OpenAI, "ollama"},
	{"ollama.com", Ollama, "ollama"},
	{"bedrock-runtime.*.amazonaws.com", OpenAI, "aws.bedrock"},
	{"bedrock-mantle.*.api.aws", OpenAI, "aws.bedrock"},
	{"bedrock-mantle.*.api.aws", Anthropic, "aws.bedrock"},
}

// stores are the public servers of stores, searches and rerankers.
var stores = []host{
	{"*.pinecone.io", Pinecone, "pinecone"},
	{"*.pinecone.io", Rerank, "pinecone"},
	{"*.qdrant.io", Qdrant, "qdrant"},
	{"*.trychroma.com", Chroma, "chroma"},
	{"*.zillizcloud.com", Milvus, "milvus"},
	{"*.weaviate.cloud", Weaviate, "weaviate"},
	{"*.weaviate.network", Weaviate, "weaviate"},
	{"*.search.windows.net", AzureSearch, "azure.ai.search"},
	{"*.vdb.vertexai.goog", VertexSearch, "gcp.vertex_ai"},
	{"*.googleapis.com", VertexSearch, ""},
	{"*.typesense.net", Typesense, "typesense"},
	{"*.meilisearch.io", Meilisearch, "meilisearch"},
	{"api.tavily.com", Tavily, "tavily"},
	{"api.exa.ai", Exa, "exa"},
	{"api.search.brave.com", Brave, "brave"},
	{"api.cohere.com", Rerank, "cohere"},
	{"api.cohere.ai", Rerank, "cohere"},
	{"api.voyageai.com", Rerank, "voyage"},
	{"api.jina.ai", Rerank, "jina_ai"},
	{"api.together.xyz", Rerank, "together_ai"},
	{"api.together.ai", Rerank, "together_ai"},
	{"bedrock-agent-runtime.*.amazonaws.com", Bedrock, "aws.bedrock"},
	{"bedrock-agent-runtime.*.amazonaws.com", Rerank, "aws.bedrock"},
	{"bedrock-agent-runtime.*.api.aws", Bedrock, "aws.bedrock"},
	{"bedrock-agent-runtime.*.api.aws", Rerank, "aws.bedrock"},
}

// maybeSearch reports whether calls of stores have such an end of their path.
func maybeSearch(last string) bool {
	switch last {
	case "search", "query", "rerank", "reranking", "batch", "groups", "recommend", "discover", "hybrid_search", "advanced_search",
		"graphql", "_search", "_msearch", "search.post.search", "multi_search", "multi-search", "findSimilar", "context",
		"retrieve", "retrieveAndGenerate", "retrieveAndGenerateStream":
		return true
	}
	return strings.IndexByte(last, ':') >= 0
}

// maybeCall reports whether calls of models have such an end of their path.
func maybeCall(last string) bool {
	switch last {
	case "completions", "responses", "compact", "cancel", "embeddings", "messages", "chat", "generate", "embed", "interactions",
		"converse", "converse-stream", "invoke", "invoke-with-response-stream":
		return true
	}
	return strings.IndexByte(last, ':') >= 0
}

// recognise says what call a request is, if it is one. It allocates nothing.
func (t *tracing) recognise(r *http.Request) (route, bool) {
	if r.URL == nil {
		return route{}, false
	}
	path := r.URL.Path
	tail := path[strings.LastIndexByte(path, '/')+1:]
	for i := range t.searches {
		if found, ok := t.searches[i].route(r); ok {
			return found, true
		}
	}
	retrieves := r.Method == http.MethodGet && tail != "" && strings.HasSuffix(path[:len(path)-len(tail)], "/responses/")
	search := !retrieves && maybeSearch(tail) && (r.Method == http.MethodPost || r.Method == http.MethodGet)
	if !retrieves && !search && (r.Method != http.MethodPost || !maybeCall(tail)) {
		return route{}, false
	}
	address := r.URL.Host
	for which, list := range [3][]host{t.hosts, hosts, stores} {
		if which == 2 && !search {
			break
		}
		known := false
		for i := range list {
			h := &list[i]
			if !h.is(address) {
				continue
			}
			known = true
			if retrieves && h.api != OpenAI {
				continue
			}
			if found, ok := apis[h.api](r, tail, true); ok {
				found.inHouse = which == 0 && h.api > Cohere
				if h.provider != "" {
					found.provider = h.provider
				}
				// Mistral tells the usage unasked, and refuses fields that it does not know.
				found.usageAsk = found.usageAsk && found.provider != "mistral_ai"
				return found, true
			}
		}
		if known && which == 0 {
			return route{}, false // the caller knows better what the host speaks
		}
	}
	for api, recognise := range apis {
		if recognise == nil || retrieves && API(api) != OpenAI || !search && API(api) > Cohere {
			continue
		}
		if found, ok := recognise(r, tail, false); ok {
			found.inHouse = API(api) > Cohere
			return found, true
		}
	}
	return route{}, false
}

// is reports whether the host of a URL is meant.
func (h *host) is(address string) bool {
	name := h.name
	if !strings.Contains(strings.TrimSuffix(name, "]"), ":") || strings.HasSuffix(name, "]") {
		if i := strings.LastIndexByte(address, ':'); i >= 0 && !strings.HasSuffix(address, "]") {
			address = address[:i]
		}
	}
	head, tail, wild := strings.Cut(name, "*")
	if !wild {
		return strings.EqualFold(address, name)
	}
	return len(address) > len(head)+len(tail) && strings.EqualFold(address[:len(head)], head) && strings.EqualFold(address[len(address)-len(tail):], tail)
}
