package llmhttp

import (
	"net/http"
	"strings"
)

// Searches of Google Cloud: Vertex AI Search
// (https://cloud.google.com/generative-ai-app-builder/docs/reference/rest), its ranking
// API, Vector Search and the RAG Engine of Vertex AI
// (https://cloud.google.com/vertex-ai/docs/reference/rest). The score of the RAG Engine
// is a similarity or a distance, as its database has it, so it stands in the metadata.

var vertexSearch = &service{
	asks: []place{
		{path: "query", role: asQuery}, {path: "pageSize", role: asTopK}, {path: "filter", role: asFilter},
		{path: "embeddingSpec/embeddingVectors/vector", role: asQuery},
		{path: "dataStoreSpecs/dataStore", role: asCollection}, {path: "rankingExpression", role: asParam, name: "ranking_expression"},
	},
	answers: []place{
		{path: "results", role: asHits}, {path: "summary/summaryText", role: asOutput, name: "answer"},
		{path: "totalSize", role: asNote, name: "total"}, {path: "attributionToken"},
	},
	hit: []place{
		{path: "chunk/id", role: asID}, {path: "document/id", role: asID}, {path: "id", role: asID},
		{path: "modelScores/relevance_score/values", role: asScore}, {path: "chunk/relevanceScore", role: asScore}, {path: "chunk/content", role: asContent},
		{path: "document/structData", role: asFields}, {path: "document/derivedStructData", role: asFields}, {path: "chunk/documentMetadata", role: asFields},
		{path: "document/name", role: asNote, name: "name"}, {path: "chunk/name", role: asNote, name: "name"}, {path: "rankSignals", role: asNote, name: "rank_signals"},
	},
}

var vertexNeighbors = &service{
	asks: []place{
		{path: "queries/datapoint/featureVector", role: asQuery}, {path: "queries/datapoint/feature_vector", role: asQuery},
		{path: "queries/datapoint/sparseEmbedding", role: asQuery}, {path: "queries/datapoint/datapointId", role: asPoint}, {path: "queries/datapoint/datapoint_id", role: asPoint},
		{path: "queries/datapoint/restricts", role: asFilter}, {path: "queries/datapoint/numericRestricts", role: asFilter},
		{path: "queries/neighborCount", role: asTopK}, {path: "queries/neighbor_count", role: asTopK},
		{path: "deployedIndexId", role: asParam, name: "deployed_index"}, {path: "deployed_index_id", role: asParam, name: "deployed_index"},
	},
	answers: []place{{path: "nearestNeighbors/neighbors", role: asHits}},
	hit: []place{
		{path: "datapoint/datapointId", role: asID}, {path: "distance", role: asDistance}, {path: "sparseDistance", role: asNote, name: "sparse_distance"},
		{path: "datapoint/embeddingMetadata", role: asFields}, {path: "datapoint/restricts", role: asNote, name: "restricts"},
		{path: "datapoint/crowdingTag", role: asNote, name: "crowding_tag"},
	},
}

var vertexContexts = &service{
	asks: []place{
		{path: "query/text", role: asQuery},
		{path: "query/ragRetrievalConfig/topK", role: asTopK}, {path: "query/rag_retrieval_config/top_k", role: asTopK},
		{path: "query/similarityTopK", role: asTopK}, {path: "query/similarity_top_k", role: asTopK},
		{path: "query/ragRetrievalConfig/filter", role: asFilter}, {path: "query/rag_retrieval_config/filter", role: asFilter},
		{path: "vertexRagStore/ragResources/ragCorpus", role: asCollection}, {path: "vertex_rag_store/rag_resources/rag_corpus", role: asCollection},
		{path: "vertexRagStore/ragCorpora", role: asCollection}, {path: "vertex_rag_store/rag_corpora", role: asCollection},
	},
	answers: []place{{path: "contexts/contexts", role: asHits}},
	hit: []place{
		{path: "sourceUri", role: asID}, {path: "text", role: asContent}, {path: "chunk/text", role: asContent}, {path: "distance", role: asDistance},
		{path: "score", role: asNote, name: "score"}, {path: "sourceDisplayName", role: asNote, name: "title"}, {path: "chunk/pageSpan", role: asNote, name: "page_span"},
	},
}

// vertexRoute recognises searches by the ends of their paths, which leave no doubt.
func vertexRoute(r *http.Request, last string, _ bool) (route, bool) {
	name, verb, ok := strings.Cut(last, ":")
	if !ok || r.Method != http.MethodPost {
		return route{}, false
	}
	path := r.URL.Path
	found := retrievalRoute("gcp.vertex_ai", "", nil)
	switch {
	case (verb == "search" || verb == "searchLite") && strings.Contains(path, "/servingConfigs/"):
		found.format, found.provider = vertexSearch, "gcp.discovery_engine"
		for _, of := range [...]string{"/engines/", "/dataStores/"} {
			if _, rest, ok := strings.Cut(path, of); ok && found.collection == "" {
				found.collection, _, _ = strings.Cut(rest, "/")
			}
		}
	case verb == "rank" && strings.Contains(path, "/rankingConfigs/"):
		found = rerankRoute("gcp.discovery_engine")
	case verb == "findNeighbors" && strings.Contains(path, "/indexEndpoints/"):
		found.format, found.collection = vertexNeighbors, name
	case verb == "retrieveContexts" && strings.Contains(path, "/locations/"):
		found.format = vertexContexts
	default:
		return route{}, false
	}
	return found, true
}
