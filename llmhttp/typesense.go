package llmhttp

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Typesense: https://typesense.org/docs/latest/api/search.html. A search stands in the
// address; those of /multi_search in the body.

type typesenseSearch struct{ service }

var typesenseAsks = []place{
	{path: "q", role: asQuery}, {path: "filter_by", role: asFilter}, {path: "per_page", role: asTopK}, {path: "limit", role: asTopK}, {path: "collection", role: asCollection},
	{path: "query_by", role: asParam, name: "query_by"},
	{path: "searches/q", role: asQuery}, {path: "searches/filter_by", role: asFilter}, {path: "searches/per_page", role: asTopK}, {path: "searches/limit", role: asTopK},
	{path: "searches/collection", role: asCollection}, {path: "searches/query_by", role: asParam, name: "query_by"},
}

var typesense = &typesenseSearch{service{
	asks: typesenseAsks,
	answers: []place{
		{path: "hits", role: asHits}, {path: "results/hits", role: asHits}, {path: "grouped_hits/hits", role: asGroup}, {path: "conversation/answer", role: asOutput, name: "answer"},
		{path: "results/error", role: asError},
	},
	hit: []place{
		{path: "document", role: asFields}, {path: "hybrid_search_info/rank_fusion_score", role: asScore}, {path: "text_match", role: asScore},
		{path: "vector_distance", role: asDistance}, {path: "highlight", role: asNote, name: "highlight"},
	},
}}

// typesenseRoute recognises searches: the names of parameters tell, or those of members.
func typesenseRoute(r *http.Request, last string, _ bool) (route, bool) {
	if last == "multi_search" && r.Method == http.MethodPost {
		found := retrievalRoute("typesense", "", typesense)
		found.tell = func(_ *route, body []byte) bool { return has(body, `"searches"`) && has(body, `"q"`) }
		return found, true
	}
	name, ok := between(r.URL.Path, "/collections/", "/documents/search")
	if !ok || r.Method != http.MethodGet || !strings.Contains(r.URL.RawQuery, "q=") {
		return route{}, false
	}
	return retrievalRoute("typesense", name, typesense), true
}

func (s *typesenseSearch) request(x *exchange, body string) {
	x.ask(s.asks, body)
	f := x.found()
	vector(f, get(body, "vector_query"))
	for e := range rawjson.Elements(get(body, "searches")) {
		vector(f, get(e, "vector_query"))
	}
}

func (s *typesenseSearch) address(x *exchange, u *url.URL) {
	x.askURL(s.asks, u)
	vector(x.found(), quote(u.Query().Get("vector_query")))
}

// vector reads the vector of a query like "embedding:([0.1, 0.2], k: 10)".
func vector(f *finding, json string) {
	_, list, ok := strings.Cut(text(json), "[")
	list, _, closed := strings.Cut(list, "]")
	if v, err := rawjson.Parse("[" + list + "]"); ok && closed && err == nil {
		f.query(v, 0)
	}
}

// askURL reads the parameters of an address as the members of a request are read.
func (x *exchange) askURL(places []place, u *url.URL) {
	var o object
	for name, values := range u.Query() {
		for i := range places {
			if places[i].path != name || len(values) == 0 {
				continue
			}
			if _, err := rawjson.Parse(values[0]); places[i].role == asTopK && err == nil {
				o.json(name, values[0])
			} else {
				o.text(name, values[0])
			}
			break
		}
	}
	x.ask(places, string(o.bytes()))
}
