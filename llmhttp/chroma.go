package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Chroma, versions 1 and 2 of its API: https://docs.trychroma.com/reference/api. Its
// answers are columns: a list for each query of lists of ids, documents, metadata and
// distances. The scores of its Search API are distances, too: the least is the best
// (https://docs.trychroma.com/cloud/search-api/ranking).

type chromaQuery struct{ service }

var (
	chroma = &chromaQuery{service{asks: []place{
		{path: "query_embeddings", role: asQuery}, {path: "query_texts", role: asQuery},
		{path: "where", role: asFilter}, {path: "where_document", role: asFilter}, {path: "n_results", role: asTopK},
	}}}
	chromaSearch = &chromaQuery{service{asks: []place{
		{path: "searches/rank", role: asQuery}, {path: "searches/filter", role: asFilter}, {path: "searches/where", role: asFilter},
		{path: "searches/limit/limit", role: asTopK}, {path: "searches/limit", role: asTopK},
	}}}
)

// chromaRoute recognises queries: by their paths, which leave no doubt in version 2; in
// version 1 the body tells.
func chromaRoute(r *http.Request, last string, known bool) (route, bool) {
	path := r.URL.Path
	name, ok := between(path, "/collections/", "/"+last)
	if !ok || r.Method != http.MethodPost {
		return route{}, false
	}
	found := retrievalRoute("chroma", name, chroma)
	switch two := strings.Contains(path, "/databases/") && strings.Contains(path, "/tenants/"); {
	case last == "search" && two:
		found.format = chromaSearch
	case last == "query" && (two || known && strings.Contains(path, "/api/v")):
	case last == "query" && strings.Contains(path, "/api/v1/collections/"):
		found.tell = func(_ *route, body []byte) bool { return has(body, `"query_embeddings"`, `"query_texts"`) }
	default:
		return route{}, false
	}
	return found, true
}

// chromaColumns are what the columns of an answer hold.
var chromaColumns = [...]place{
	{path: "ids", role: asID}, {path: "documents", role: asContent}, {path: "metadatas", role: asFields},
	{path: "distances", role: asDistance}, {path: "scores", role: asDistance}, {path: "uris", role: asNote, name: "uri"},
}

func (s *chromaQuery) answer(x *exchange, body string) {
	var columns [len(chromaColumns)][]string // of each, the lists for the queries
	for k, v := range rawjson.Members(body) {
		for i := range chromaColumns {
			if chromaColumns[i].path == k {
				columns[i] = columns[i][:0]
				for list := range rawjson.Elements(v) {
					if len(columns[i]) < mostQueries {
						columns[i] = append(columns[i], list)
					}
				}
			}
		}
	}
	if get(body, "ids") == "" {
		return
	}
	for query := range columns[0] {
		x.chromaRows(&columns, query)
	}
	x.found().shown = true
}

// chromaRows reads the rows of a query.
func (x *exchange) chromaRows(columns *[len(chromaColumns)][]string, query int) {
	var cells [len(chromaColumns)][]string
	for i := range columns {
		if query >= len(columns[i]) {
			continue
		}
		for e := range rawjson.Elements(columns[i][query]) {
			if i > 0 && len(cells[i]) >= len(cells[0]) || len(cells[i]) > mostListed {
				break
			}
			cells[i] = append(cells[i], e)
		}
	}
	h := &x.found().hit
	of := query
	if len(columns[0]) == 1 {
		of = -1
	}
	row := 0
	for range x.elements(columns[0][query]) {
		h.reset()
		for i := range cells {
			if row < len(cells[i]) && cells[i][row] != "null" {
				h.take(&chromaColumns[i], i, cells[i][row])
			}
		}
		row++
		x.document(of)
	}
}
