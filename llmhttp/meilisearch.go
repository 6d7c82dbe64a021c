package llmhttp

import (
	"net/http"
	"net/url"
	"strings"
)

// Meilisearch: https://www.meilisearch.com/docs/reference/api/search. Documents have a
// score where the request asks for it.

type meiliSearch struct{ service }

var meilisearch = &meiliSearch{service{
	asks: []place{
		{path: "q", role: asQuery}, {path: "vector", role: asQuery}, {path: "filter", role: asFilter}, {path: "limit", role: asTopK}, {path: "hitsPerPage", role: asTopK},
		{path: "hybrid/embedder", role: asParam, name: "embedder"}, {path: "hybrid/semanticRatio", role: asParam, name: "semantic_ratio"},
		{path: "queries/indexUid", role: asCollection}, {path: "queries/q", role: asQuery}, {path: "queries/vector", role: asQuery},
		{path: "queries/filter", role: asFilter}, {path: "queries/limit", role: asTopK}, {path: "federation/limit", role: asTopK},
	},
	answers: []place{{path: "hits", role: asHits}, {path: "results/hits", role: asHits}},
	hit: []place{
		{path: "_rankingScore", role: asScore}, {path: "_semanticScore", role: asScore}, {path: "_vectors"}, {path: "_formatted"}, {path: "_matchesPosition"},
		{path: "_rankingScoreDetails"}, {path: "_federation", role: asNote, name: "_federation"},
	},
	loose: true,
}}

// meiliRoute recognises searches by their paths together with the names of what they
// ask.
func meiliRoute(r *http.Request, last string, known bool) (route, bool) {
	if last == "multi-search" && r.Method == http.MethodPost {
		found := retrievalRoute("meilisearch", "", meilisearch)
		found.tell = func(_ *route, body []byte) bool { return has(body, `"queries"`) && has(body, `"indexUid"`) }
		return found, true
	}
	name, ok := between(r.URL.Path, "/indexes/", "/search")
	found := retrievalRoute("meilisearch", name, meilisearch)
	switch {
	case !ok:
	case r.Method == http.MethodGet:
		ok = strings.Contains("&"+r.URL.RawQuery, "&q=") || strings.Contains("&"+r.URL.RawQuery, "&vector=")
	case r.Method != http.MethodPost:
		ok = false
	case !known:
		found.tell = func(_ *route, body []byte) bool { return has(body, `"q"`, `"vector"`, `"hybrid"`) }
	}
	return found, ok
}

func (s *meiliSearch) address(x *exchange, u *url.URL) { x.askURL(s.asks, u) }
