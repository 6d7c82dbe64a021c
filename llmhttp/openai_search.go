package llmhttp

import (
	"net/http"

	"github.com/sessionspan/sessionspan/internal/genai"
)

// The search of OpenAI's vector stores:
// https://platform.openai.com/docs/api-reference/vector-stores/search.

var vectorStoreSearch = &service{
	asks: []place{
		{path: "query", role: asQuery}, {path: "filters", role: asFilter}, {path: "max_num_results", role: asTopK},
		{path: "rewrite_query", role: asParam, name: "rewrite_query"}, {path: "ranking_options", role: asParam, name: "ranking_options"},
	},
	answers: []place{{path: "data", role: asHits}, {path: "search_query", role: asOutput, name: "search_query"}, {path: "has_more", role: asNote, name: "has_more"}},
	hit: []place{
		{path: "file_id", role: asID}, {path: "score", role: asScore}, {path: "content", role: asContent}, {path: "attributes", role: asFields},
		{path: "filename", role: asNote, name: "filename"},
	},
}

// vectorStoreRoute recognises the search of a vector store.
func vectorStoreRoute(r *http.Request, known bool) (route, bool) {
	before := "/v1/vector_stores/"
	if known {
		before = "/vector_stores/"
	}
	name, ok := between(r.URL.Path, before, "/search")
	if !ok {
		name, ok = between(r.URL.Path, "/openai/vector_stores/", "/search")
	}
	return route{format: vectorStoreSearch, provider: "openai", operation: genai.Retrieval, collection: name}, ok && r.Method == http.MethodPost
}
