package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Rerankers: Cohere (https://docs.cohere.com/reference/rerank), Voyage
// (https://docs.voyageai.com/reference/reranker-api), Jina (https://api.jina.ai/redoc),
// Together (https://docs.together.ai/reference/rerank), Pinecone
// (https://docs.pinecone.io/reference/api/latest/inference/rerank), Vertex AI, Bedrock
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Rerank.html),
// and the servers that have one of these APIs: vLLM, Infinity, LiteLLM, Text Embeddings
// Inference, NVIDIA's NIM. They differ in names alone. What an answer says by its place
// among the documents of the request is recorded with that document.

var reranker = &service{
	asks: []place{
		{path: "query", role: asQuery}, {path: "queries/textQuery", role: asQuery},
		{path: "documents", role: asRanked}, {path: "texts", role: asRanked}, {path: "passages", role: asRanked}, {path: "records", role: asRanked},
		{path: "sources/inlineDocumentSource", role: asRanked},
		{path: "model", role: asModel}, {path: "rerankingConfiguration/bedrockRerankingConfiguration/modelConfiguration/modelArn", role: asModel},
		{path: "top_n", role: asTopK}, {path: "top_k", role: asTopK}, {path: "topN", role: asTopK},
		{path: "rerankingConfiguration/bedrockRerankingConfiguration/numberOfResults", role: asTopK},
		{path: "rank_fields", role: asParam, name: "rank_fields"}, {path: "max_chunks_per_doc", role: asParam, name: "max_chunks_per_doc"},
		{path: "max_tokens_per_doc", role: asParam, name: "max_tokens_per_doc"}, {path: "truncation", role: asParam, name: "truncation"},
		{path: "truncate", role: asParam, name: "truncate"}, {path: "return_documents", role: asParam, name: "return_documents"},
	},
	answers: []place{
		{path: "results", role: asHits}, {path: "data", role: asHits}, {path: "rankings", role: asHits}, {path: "records", role: asHits}, {path: "", role: asHits},
		{path: "id", role: asResponseID}, {path: "model", role: asResponseModel},
		{path: "usage/rerank_units", role: asNote, name: "rerank_units"}, {path: "usage", role: asTokens},
		{path: "meta/billed_units", role: asNote, name: "billed_units"}, {path: "meta/tokens", role: asTokens},
	},
	hit: []place{
		{path: "index", role: asIndex}, {path: "id", role: asID},
		{path: "relevance_score", role: asScore}, {path: "relevanceScore", role: asScore}, {path: "score", role: asScore}, {path: "logit", role: asScore},
		{path: "document", role: asDocument}, {path: "text", role: asContent}, {path: "content", role: asContent}, {path: "title", role: asNote, name: "title"},
	},
}

func rerankRoute(provider string) route {
	return route{format: reranker, provider: provider, operation: genai.Rerank}
}

// rerankRoute recognises a reranker by the end of its path, and, where its host is not
// known, by its body: a query and documents.
func rerankAPIRoute(r *http.Request, last string, known bool) (route, bool) {
	if r.Method != http.MethodPost || last != "rerank" && last != "reranking" {
		return route{}, false
	}
	found := rerankRoute("rerank")
	if strings.Contains(r.URL.Hostname(), "bedrock-agent-runtime") {
		found.provider = "aws.bedrock"
		return found, true
	}
	if !known {
		found.tell = tellsRerank
	}
	return found, true
}

func tellsRerank(found *route, body []byte) bool {
	if has(body, `"rerankingConfiguration"`) && has(body, `"sources"`) {
		found.provider = "aws.bedrock"
		return true
	}
	return has(body, `"query"`) && has(body, `"documents"`, `"texts"`, `"passages"`)
}

// rankedDocuments returns the documents that are to be ranked, as a list.
func (f *finding) rankedDocuments() string {
	b := []byte{'['}
	for _, d := range f.ranked {
		f.hit.reset()
		f.hit.given(d)
		b = f.hit.append(comma(b))
	}
	return string(append(b, ']'))
}

// given takes a document of a request.
func (h *hit) given(v string) {
	if inner := get(v, "textDocument"); inner != "" { // Bedrock
		v = inner
	} else if inner := get(v, "jsonDocument"); inner != "" {
		v = inner
	}
	switch c := contentOf(v); {
	case rawjson.KindOf(v) == rawjson.Object && v != "{}":
		h.fields = append(h.fields, v)
	case c != "" && h.content == "":
		h.content, h.at[2] = c, 1
	}
}

// rank adds to the hit what the request says of its document, which the answer often
// names by its place alone.
func (f *finding) rank() {
	h := &f.hit
	if i := number(h.index); i >= 0 && i < int64(len(f.ranked)) {
		h.given(f.ranked[i])
	}
	h.notes = append(h.notes, field{key: "index", value: h.index})
}
