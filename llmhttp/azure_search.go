package llmhttp

import (
	"net/http"
	"strings"
)

// Azure AI Search: https://learn.microsoft.com/rest/api/searchservice/documents/search-post.
// Where a semantic ranker gave the order, its score stands in the metadata, beside that
// of the search.

var azureSearch = &service{
	asks: []place{
		{path: "search", role: asQuery}, {path: "vectorQueries/vector", role: asQuery}, {path: "vectorQueries/text", role: asQuery},
		{path: "vectors/value", role: asQuery}, {path: "semanticQuery", role: asQuery},
		{path: "filter", role: asFilter}, {path: "top", role: asTopK}, {path: "vectorQueries/k", role: asTopK}, {path: "vectors/k", role: asTopK},
		{path: "queryType", role: asParam, name: "query_type"}, {path: "semanticConfiguration", role: asParam, name: "semantic_configuration"},
		{path: "scoringProfile", role: asParam, name: "scoring_profile"}, {path: "vectorFilterMode", role: asParam, name: "vector_filter_mode"},
	},
	answers: []place{{path: "value", role: asHits}, {path: "@search.answers", role: asOutput, name: "answers"}, {path: "@odata.count", role: asNote, name: "total"}},
	hit: []place{
		{path: "@search.score", role: asScore}, {path: "@search.rerankerScore", role: asNote, name: "reranker_score"},
		{path: "@search.captions", role: asNote, name: "captions"}, {path: "@search.highlights", role: asNote, name: "highlights"},
		{path: "@search.features"}, {path: "@search.documentDebugInfo"}, {path: "@search.rerankerBoostedScore", role: asNote, name: "reranker_boosted_score"},
	},
	loose: true,
}

// azureRoute recognises searches: /indexes/NAME/docs/search, and
// /indexes('NAME')/docs/search.post.search of clients made from the specification.
func azureRoute(r *http.Request, last string, _ bool) (route, bool) {
	if r.Method != http.MethodPost {
		return route{}, false
	}
	path := r.URL.Path
	name, ok := between(path, "/indexes/", "/docs/search")
	if !ok {
		name, ok = between(path, "/indexes('", "')/docs/search.post.search")
	}
	if !ok {
		name, ok = between(path, "/indexes/", "/docs/search.post.search")
	}
	if !ok && strings.HasSuffix(path, "/docs/"+last) {
		name, ok = between(path, "/indexes('", "')/docs/search")
	}
	return retrievalRoute("azure.ai.search", name, azureSearch), ok
}
