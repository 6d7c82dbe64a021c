package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Milvus and Zilliz Cloud, by their REST API:
// https://milvus.io/api-reference/restful/v2.4.x/v2/Vector%20(v2)/Search.md. What is
// called a distance there is one by the metrics L2, HAMMING and JACCARD; by IP and
// COSINE the greatest is the nearest. The metadata names the metric where the request
// does.

type milvusSearch struct{ service }

var milvus = &milvusSearch{service{
	asks: []place{
		{path: "collectionName", role: asCollection}, {path: "dbName", role: asParam, name: "database"},
		{path: "data", role: asQuery}, {path: "vector", role: asQuery}, {path: "search/data", role: asQuery}, {path: "search/vector", role: asQuery},
		{path: "filter", role: asFilter}, {path: "search/filter", role: asFilter},
		{path: "limit", role: asTopK}, {path: "search/limit", role: asTopK},
		{path: "searchParams/metricType", role: asParam, name: "metric"}, {path: "searchParams/metric_type", role: asParam, name: "metric"},
		{path: "search/searchParams/metricType", role: asParam, name: "metric"}, {path: "search/metricType", role: asParam, name: "metric"},
		{path: "rerank/strategy", role: asParam, name: "rerank_strategy"},
	},
	answers: []place{{path: "data", role: asHits}},
	hit:     []place{{path: "distance", role: asDistance}, {path: "score", role: asScore}},
	loose:   true,
}}

// milvusRoute recognises searches by their paths, which leave no doubt.
func milvusRoute(r *http.Request, last string, _ bool) (route, bool) {
	path := r.URL.Path
	is := r.Method == http.MethodPost && (strings.HasSuffix(path, "/v2/vectordb/entities/search") || strings.HasSuffix(path, "/v2/vectordb/entities/hybrid_search") ||
		strings.HasSuffix(path, "/v2/vectordb/entities/advanced_search") || strings.HasSuffix(path, "/v1/vector/search"))
	return retrievalRoute("milvus", "", milvus), is && last != ""
}

func (s *milvusSearch) request(x *exchange, body string) {
	x.ask(s.asks, body)
	for i := range x.config {
		if m := &x.config[i]; m.key == "metric" {
			x.metadata.json("metric", strings.Clone(m.value))
		}
	}
}

// answer reads the documents, those of several queries in one list, and errors, which
// have a status of 200.
func (s *milvusSearch) answer(x *exchange, body string) {
	if code := get(body, "code"); rawjson.KindOf(code) == rawjson.Number && code != "0" && code != "200" {
		x.failWith(body)
		return
	}
	data := get(body, "data")
	if tops := get(body, "topks"); isVector(tops) && rawjson.KindOf(data) == rawjson.Array {
		body = `{"data":` + split(data, tops) + `}`
	}
	s.service.answer(x, body)
}

// split returns a list as lists of the given lengths.
func split(list, lengths string) string {
	var left []int64
	for n := range rawjson.Elements(lengths) {
		left = append(left, number(n))
	}
	b := []byte("[[")
	for e := range rawjson.Elements(list) {
		for len(left) > 1 && left[0] <= 0 {
			left = left[1:]
			b = append(b, "],["...)
		}
		left[0]--
		b = append(comma(b), e...)
	}
	return string(append(b, "]]"...))
}
