package llmhttp

import (
	"net/http"
	"strings"
)

// Qdrant, by its REST API: https://api.qdrant.tech/api-reference/search. Whether a
// greater score is nearer the metric of the collection says, which neither requests nor
// answers name; Qdrant gives the nearest first.

var qdrantAsks = []place{
	{path: "query", role: asPoint}, {path: "vector", role: asPoint}, {path: "positive", role: asPoint}, {path: "target", role: asPoint},
	{path: "filter", role: asFilter}, {path: "limit", role: asTopK}, {path: "using", role: asParam, name: "using"},
	{path: "score_threshold", role: asParam, name: "score_threshold"}, {path: "group_by", role: asParam, name: "group_by"},
	{path: "prefetch/query", role: asPoint}, {path: "prefetch/filter", role: asFilter}, {path: "prefetch/prefetch/query", role: asPoint},
	{path: "searches/query", role: asPoint}, {path: "searches/vector", role: asPoint}, {path: "searches/positive", role: asPoint},
	{path: "searches/target", role: asPoint}, {path: "searches/prefetch/query", role: asPoint},
	{path: "searches/filter", role: asFilter}, {path: "searches/limit", role: asTopK},
}

var qdrantHit = []place{
	{path: "id", role: asID}, {path: "score", role: asScore}, {path: "payload", role: asFields},
}

// qdrantService returns the tables of calls whose documents stand at a path.
func qdrantService(path string, as role) *service {
	return &service{asks: qdrantAsks, hit: qdrantHit, answers: []place{{path: path, role: as}, {path: "status/error", role: asError}}}
}

var (
	qdrantSearch = qdrantService("result", asHits)
	qdrantQuery  = qdrantService("result/points", asHits)
	qdrantGroups = qdrantService("result/groups/hits", asGroup)
)

// qdrantRoute recognises searches by their paths, /collections/NAME/points/search and
// the like, which leave no doubt.
func qdrantRoute(r *http.Request, _ string, _ bool) (route, bool) {
	i := strings.LastIndex(r.URL.Path, "/points/")
	if i < 0 || r.Method != http.MethodPost {
		return route{}, false
	}
	name, ok := between(r.URL.Path[:i], "/collections/", "")
	found := retrievalRoute("qdrant", name, nil)
	switch r.URL.Path[i+len("/points/"):] {
	case "search", "search/batch", "recommend", "recommend/batch", "discover", "discover/batch":
		found.format = qdrantSearch
	case "query", "query/batch":
		found.format = qdrantQuery
	case "search/groups", "recommend/groups", "query/groups":
		found.format = qdrantGroups
	default:
		ok = false
	}
	return found, ok
}
