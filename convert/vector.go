package convert

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// vectorDB is the dialect of searches in databases with vectors: the conventions for
// databases, on spans of a database that is made for vectors or with attributes that
// speak of them. Spans of other databases are plumbing. Documents stand in events, as
// Traceloop's instrumentations write them.
var vectorDB = dialect{
	name:      "Vector databases",
	base:      rankVector,
	sometimes: true,
	prefixes:  vectorPrefixes,
	speaks:    isOfVectors,
	rules: []rule{
		late(hold("db.operation.name", "metadata.event_kind")),
		late(hold("db.operation", "metadata.event_kind")),
		late(hold("db.collection.name", "config.collection")),
		late(hold("db.query.text", "inputs.query")),
		late(hold("db.statement", "inputs.query")),
		late(to("db.vector.query.limit", Config, "top_k")),
		late(to("db.vector.query.n_results", Config, "top_k")),
		to("db.chroma.query.n_results", Config, "top_k"),
		to("db.milvus.search.limit", Config, "top_k"),
		to("db.pinecone.query.top_k", Config, "top_k"),
		to("db.qdrant.search.limit", Config, "top_k"),
		late(each("db.vector.query.", Config, "query_")),
		each("db.vector.", Config, "vector_"),
	},
	finish: (*reader).finishVector,
}

var vectorPrefixes = []string{"db.vector.", "db.system"}

// isOfVectors reports whether an attribute with one of the prefixes is of a database
// for vectors.
func isOfVectors(kv *attribute.KeyValue) bool {
	return !strings.HasPrefix(string(kv.Key), "db.system") || slices.Contains(vectorSystems, strings.ToLower(str(kv.Value)))
}

// vectorSystems are the databases that are made for vectors, by db.system.name.
var vectorSystems = []string{
	"chroma", "chromadb", "deeplake", "lancedb", "marqo", "milvus", "pinecone", "qdrant", "turbopuffer", "vald", "vespa", "weaviate", "zilliz",
}

// searches are what operations are called that look for what is near.
var searches = []string{"query", "search", "similarity", "nearest", "hybrid", "retrieve", "recommend", "discover", "knn"}

func (r *reader) finishVector(from rank) {
	isVector := false
	for i := range r.span.Attributes {
		kv := &r.span.Attributes[i]
		isVector = isVector || hasPrefix(string(kv.Key), vectorPrefixes) && isOfVectors(kv)
	}
	if !isVector && len(r.traceloop.found) == 0 {
		return // of another database, kept by somebody's filter
	}
	var operation string
	for _, name := range []string{"db.operation", "db.operation.name"} {
		if v, ok := r.take(name); ok {
			operation = str(v)
			r.buckets[Metadata].putValue(name, v, rankRest)
		}
	}
	if isVector && slices.ContainsFunc(searches, func(s string) bool { return strings.Contains(strings.ToLower(operation), s) }) ||
		isVector && r.has("db.vector.query.") {
		r.is(kindRetriever, rankDerived)
	}
	r.putHeld(vectorPlaces, plain, from)
}

var vectorPlaces = []place{{"db.collection.name", Config, "collection"}, {"db.query.text", Inputs, "query"}, {"db.statement", Inputs, "query"}}
