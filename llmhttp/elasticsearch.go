package llmhttp

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Elasticsearch and OpenSearch: _search and _msearch, see
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-search and
// https://docs.opensearch.org/latest/api-reference/search-apis/search. A search is a
// retrieval where it asks for what is near or relevant: by vectors, by a model, by
// words. Lists of records by terms, dates and aggregations are none.

type elasticSearch struct{ service }

// elasticMulti are requests with several searches, one to two lines.
type elasticMulti struct{ elasticSearch }

var (
	elasticTables = service{
		answers: []place{
			{path: "hits/hits", role: asHits}, {path: "responses/hits/hits", role: asHits},
			{path: "timed_out", role: asNote, name: "timed_out"}, {path: "_shards/failed", role: asNote, name: "failed_shards"},
		},
		hit: []place{
			{path: "_id", role: asID}, {path: "_score", role: asScore}, {path: "_source", role: asFields}, {path: "fields", role: asFields},
			{path: "_index", role: asNote, name: "_index"}, {path: "highlight", role: asNote, name: "highlight"},
		},
	}
	elastic      = &elasticSearch{elasticTables}
	elasticMulty = &elasticMulti{elasticSearch{elasticTables}}
)

// elasticRoute recognises searches by the end of their path and by their body.
func elasticRoute(r *http.Request, last string, _ bool) (route, bool) {
	if last != "_search" && last != "_msearch" || r.Method != http.MethodPost && r.Method != http.MethodGet {
		return route{}, false
	}
	index := strings.Trim(strings.TrimSuffix(r.URL.Path, last), "/")
	if strings.Contains(index, "/") {
		index = index[strings.LastIndexByte(index, '/')+1:]
	}
	found := retrievalRoute("elasticsearch", index, elastic)
	if host := strings.ToLower(r.URL.Hostname()); strings.HasSuffix(host, ".es.amazonaws.com") || strings.HasSuffix(host, ".aoss.amazonaws.com") {
		found.provider = "opensearch"
	}
	if last == "_msearch" {
		found.format = elasticMulty
	}
	found.tell = func(_ *route, body []byte) bool {
		text := string(body)
		if last == "_msearch" {
			text = elasticMulty.rewrite(text)
		}
		json, err := rawjson.Parse(text)
		return err == nil && asksElastic(json, 0)
	}
	return found, true
}

// elasticClauses are clauses that rank documents by what is asked.
var elasticClauses = [...]string{
	"knn", "retriever", "neural", "neural_sparse", "semantic", "sparse_vector", "text_expansion", "hybrid", "query_vector", "sub_searches",
	"match", "multi_match", "match_phrase", "match_phrase_prefix", "match_bool_prefix", "query_string", "simple_query_string", "combined_fields", "more_like_this",
}

// elasticOthers are parts of a search that rank nothing, by filters, by exact values or
// at all.
var elasticOthers = [...]string{
	"filter", "must_not", "post_filter", "aggs", "aggregations", "_source", "fields", "highlight", "sort", "script_fields", "rescore", "pit", "ext",
	"term", "terms", "terms_set", "range", "exists", "ids", "prefix", "wildcard", "regexp", "match_all", "match_none", "script",
}

// deepestClause is how deep clauses are looked for.
const deepestClause = 24

// asksElastic reports whether a search asks for what is near or relevant, and for
// documents.
func asksElastic(json string, depth int) bool {
	if depth == 0 && get(json, "size") == "0" || depth > deepestClause {
		return false
	}
	if rawjson.KindOf(json) == rawjson.Array {
		for e := range rawjson.Elements(json) {
			if asksElastic(e, max(depth, 1)+1) {
				return true
			}
		}
		return false
	}
	for k, v := range rawjson.Members(json) {
		switch {
		case slices.Contains(elasticClauses[:], k):
			return true
		case slices.Contains(elasticOthers[:], k):
		case !plainValue(v) && asksElastic(v, depth+1):
			return true
		}
	}
	return false
}

func (s *elasticSearch) request(x *exchange, body string) {
	f := x.found()
	f.most(get(body, "size"), 0)
	f.clause(x, "", body, 0)
}

// clause reads a part of a search: the query, vectors and filters in it.
func (f *finding) clause(x *exchange, name, v string, depth int) {
	if depth > deepestClause {
		return
	}
	if rawjson.KindOf(v) == rawjson.Array && !isVector(v) {
		for e := range rawjson.Elements(v) {
			f.clause(x, name, e, depth+1)
		}
		return
	}
	switch name {
	case "filter", "post_filter", "must_not":
		f.filter(v)
		return
	case "script": // whose parameters may have a vector
		v = get(v, "params")
	case "query_vector", "vector", "queryVector":
		f.query(v, 0)
		return
	case "query", "query_text", "model_text", "inference_text", "like":
		if rawjson.KindOf(v) == rawjson.String {
			f.query(v, 0)
			return
		}
	case "match", "match_phrase", "match_phrase_prefix", "match_bool_prefix":
		for _, inner := range rawjson.Members(v) { // of fields
			if rawjson.KindOf(inner) == rawjson.Object {
				inner = get(inner, "query")
			}
			f.query(inner, 0)
		}
		return
	case "k":
		f.most(v, 1)
		return
	default:
		if slices.Contains(elasticOthers[:], name) {
			return
		}
	}
	for k, inner := range rawjson.Members(v) {
		f.clause(x, k, inner, depth+1)
	}
}

// answer reads the documents, and errors, which say in reason what others call a
// message.
func (s *elasticSearch) answer(x *exchange, body string) {
	if x.elasticError(get(body, "error")) {
		return
	}
	for inner := range rawjson.Elements(get(body, "responses")) {
		if x.elasticError(get(inner, "error")) {
			break
		}
	}
	s.service.answer(x, body)
	x.elasticNotes()
}

// elasticError keeps an error that has a reason, and reports whether it is one: the
// reason of its first cause.
func (x *exchange) elasticError(e string) bool {
	message := text(get(e, "reason"))
	for cause := range rawjson.Elements(get(e, "root_cause")) {
		if reason := text(get(cause, "reason")); reason != "" {
			message = reason
		}
		break
	}
	if message != "" {
		x.fail(text(get(e, "type")), message)
	}
	return message != ""
}

// elasticNotes leaves out of the metadata that all is well.
func (x *exchange) elasticNotes() {
	for i := range x.metadata {
		if m := &x.metadata[i]; m.key == "timed_out" && m.value == "false" || m.key == "failed_shards" && m.value == "0" {
			m.value = ""
		}
	}
}

// rewrite makes an object of the lines of a request with several searches.
func (s *elasticMulti) rewrite(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > mostListed {
		return text
	}
	return `{"lines":[` + strings.Join(lines, ",") + `]}`
}

func (s *elasticMulti) request(x *exchange, body string) {
	f := x.found()
	number := 0
	for line := range x.elements(get(body, "lines")) {
		if number++; number%2 == 0 {
			s.elasticSearch.request(x, line)
			continue
		}
		f.collection(get(line, "index"))
	}
}
