package llmhttp

import (
	"net/http"
	"strings"
)

// Pinecone: https://docs.pinecone.io/reference/api. Whether a greater score is nearer
// the metric of the index says, which neither requests nor answers name.

var pineconeQuery = &service{
	asks: []place{
		{path: "vector", role: asQuery}, {path: "sparseVector", role: asQuery}, {path: "id", role: asPoint},
		{path: "topK", role: asTopK}, {path: "filter", role: asFilter}, {path: "namespace", role: asParam, name: "namespace"},
		// Of earlier versions, with several queries.
		{path: "queries/values", role: asQuery}, {path: "queries/topK", role: asTopK}, {path: "queries/filter", role: asFilter},
	},
	answers: []place{
		{path: "matches", role: asHits}, {path: "results/matches", role: asHits}, {path: "usage/readUnits", role: asNote, name: "read_units"},
	},
	hit: []place{{path: "id", role: asID}, {path: "score", role: asScore}, {path: "metadata", role: asFields}},
}

// pineconeRecords are searches of indexes that make embeddings themselves.
var pineconeRecords = &service{
	asks: []place{
		{path: "query/inputs", role: asQuery}, {path: "query/vector", role: asQuery}, {path: "query/id", role: asPoint},
		{path: "query/top_k", role: asTopK}, {path: "query/topK", role: asTopK}, {path: "query/filter", role: asFilter},
		{path: "rerank/model", role: asModel}, {path: "rerank/query", role: asQuery}, {path: "rerank/top_n", role: asParam, name: "top_n"},
	},
	answers: []place{
		{path: "result/hits", role: asHits},
		{path: "usage/read_units", role: asNote, name: "read_units"}, {path: "usage/rerank_units", role: asNote, name: "rerank_units"},
		{path: "usage", role: asTokens},
	},
	hit: []place{
		{path: "_id", role: asID}, {path: "id", role: asID}, {path: "_score", role: asScore}, {path: "score", role: asScore}, {path: "fields", role: asFields},
	},
}

// pineconeRoute recognises queries and searches. On hosts that are not known, those of
// Pinecone Local, a header of its clients tells, or the body.
func pineconeRoute(r *http.Request, last string, known bool) (route, bool) {
	if r.Method != http.MethodPost {
		return route{}, false
	}
	if namespace, ok := between(r.URL.Path, "/records/namespaces/", "/search"); ok {
		return retrievalRoute("pinecone", namespace, pineconeRecords), true
	}
	if last != "query" || r.URL.Path != "/query" {
		return route{}, false
	}
	found := retrievalRoute("pinecone", indexName(r.URL.Hostname(), known), pineconeQuery)
	if !known && r.Header.Get("X-Pinecone-Api-Version") == "" {
		found.tell = func(_ *route, body []byte) bool {
			return has(body, `"topK"`) && has(body, `"vector"`, `"id"`, `"sparseVector"`)
		}
	}
	return found, true
}

// indexName returns the name of an index from its host, as in
// docs-1a2b3c4.svc.us-east1-gcp.pinecone.io.
func indexName(host string, known bool) string {
	name, _, ok := strings.Cut(host, ".svc.")
	if i := strings.LastIndexByte(name, '-'); ok && known && i > 0 {
		return name[:i]
	}
	return ""
}
