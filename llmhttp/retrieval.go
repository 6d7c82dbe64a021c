package llmhttp

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/secret"
)

// This file reads calls of stores, searches and rerankers. A service is a file of its
// own: a route, which recognises its requests, and tables, which say where in its JSON
// stands what is recorded. What no table can say is a few lines of code around them.

// A service is a format that its tables read.
type service struct {
	asks    []place // of a request
	answers []place // of an answer
	hit     []place // of a document in an answer
	// loose says that a document has its fields beside its id and score, not in a
	// member of their own.
	loose bool
}

// A place says what stands at a path: the names of members with slashes between them.
// Lists on the way count as nothing: each of their elements is looked at. Of several
// places of one role the first counts, where the role has one value.
type place struct {
	path string
	role role
	name string // under which it is kept, where the role does not say it
}

// A role is what a value is for.
type role uint8

const (
	_ role = iota // known, and not kept

	// Of a request.
	asQuery      // texts, vectors, or objects that hold such
	asPoint      // ids of documents whose neighbours are looked for; vectors, too
	asFilter     // which documents count
	asTopK       // how many are asked for
	asCollection // where is searched
	asModel      // that ranks or answers
	asRanked     // documents that are to be ranked
	asParam      // kept in the configuration

	// Of an answer.
	asHits   // a list of documents, or one such list for each query
	asGroup  // a list of documents that is one of several of a query
	asOutput // kept in the outputs: content
	asNote   // kept in the metadata: of the answer, or of a document
	asTokens // counts of tokens
	asError  // what went wrong
	asResponseID
	asResponseModel
	asCost // in USD

	// Of a document.
	asID
	asScore
	asDistance // of the document from the query: the less the nearer
	asContent
	asFields   // an object of the document's own fields
	asDocument // the document as it was sent to be ranked: a text, or an object
	asIndex    // of the document, among those that were to be ranked
)

// find calls f with each value of an object that stands at one of the places, and
// with those at none, whose place is -1: of the object itself, and of objects inside of
// it that hold some. Of a value that stands at a place, what is inside of it is looked at
// as well.
func find(json string, places []place, f func(at int, key, value string)) {
	findAt(json, "", places, f)
}

func findAt(json, path string, places []place, f func(at int, key, value string)) {
	if rawjson.KindOf(json) == rawjson.Array {
		for e := range rawjson.Elements(json) {
			findAt(e, path, places, f)
		}
		return
	}
	for k, v := range rawjson.Members(json) {
		if v == "null" {
			continue
		}
		at, inside := -1, false
		for i := range places {
			rest, ok := strings.CutPrefix(places[i].path, path)
			if !ok {
				continue
			}
			if rest, ok = strings.CutPrefix(rest, k); !ok {
				continue
			}
			switch {
			case rest == "" && at < 0:
				at = i
			case rest != "" && rest[0] == '/':
				inside = true
			}
		}
		if inside = inside && !plainValue(v); at >= 0 || !inside {
			f(at, k, v)
		}
		if inside {
			findAt(v, path+k+"/", places, f)
		}
	}
}

// A finding is a search: what is asked for, as far as it was read.
type finding struct {
	queries []string // JSON strings
	vectors []string // JSON objects with their size and hash
	points  []string // JSON
	filters []string // JSON
	topK    string   // a JSON number
	topKAt  int      // its place, and one
	// collections are their names.
	collections []string
	ranked      []string // JSON
	aliases     []string // under which the answer has its lists, where the request says so

	documents []byte // JSON, without its end
	buffer    *[]byte
	count     int64
	lists     []string
	hit       hit
	shown     bool // there is a list of documents, be it empty
	taken     []string
	distances bool // some document has one, and
	scores    bool // some document has a score
}

// mostQueries bounds how many queries, vectors and filters of a request are kept.
const mostQueries = 1 << 10

func (x *exchange) found() *finding {
	if x.finding == nil {
		x.finding = &finding{}
		if x.collection != "" {
			x.finding.collections = append(x.finding.collections, x.collection)
		}
	}
	return x.finding
}

func (s *service) request(x *exchange, body string) { x.ask(s.asks, body) }

// ask reads a request.
func (x *exchange) ask(places []place, body string) {
	f := x.found()
	find(body, places, func(at int, _, v string) {
		if at < 0 {
			return
		}
		switch p := &places[at]; p.role {
		case asQuery:
			f.query(v, 0)
		case asPoint:
			f.point(v)
		case asFilter:
			f.filter(v)
		case asTopK:
			f.most(v, at)
		case asCollection:
			f.collection(v)
		case asModel:
			x.asked = word(v)
		case asRanked:
			if rawjson.KindOf(v) == rawjson.Object { // one of a list
				v = "[" + v + "]"
			}
			for d := range x.elements(v) {
				f.ranked = append(f.ranked, d)
			}
		case asParam:
			if !x.blind || plainValue(v) {
				x.config.json(p.name, v)
			}
		default:
		}
	})
}

// queryMembers are the members of objects that say what is searched for.
var queryMembers = []place{
	{path: "text"}, {path: "query"}, {path: "q"}, {path: "input"}, {path: "inputs"}, {path: "concepts"}, {path: "content"},
	{path: "vector"}, {path: "vectors"}, {path: "values"}, {path: "nearest"}, {path: "embedding"}, {path: "target"}, {path: "dense"},
	{path: "$knn"}, {path: "$rrf"}, {path: "$sum"}, {path: "$mul"}, {path: "rank"}, {path: "ranks"},
}

// deepestQuery is how deep a query is looked for inside of a value.
const deepestQuery = 8

// query reads what is searched for.
func (f *finding) query(v string, depth int) {
	switch rawjson.KindOf(v) {
	case rawjson.String:
		f.queries = keepOnce(f.queries, v)
	case rawjson.Array:
		if isVector(v) {
			f.vectors = keepOnce(f.vectors, vectorOf(v))
			return
		}
		for e := range rawjson.Elements(v) {
			if depth < deepestQuery {
				f.query(e, depth+1)
			}
		}
	case rawjson.Object:
		if isSparse(v) {
			f.vectors = keepOnce(f.vectors, sparseOf(v))
			return
		}
		find(v, queryMembers, func(at int, _, inner string) {
			if at >= 0 && depth < deepestQuery {
				f.query(inner, depth+1)
			}
		})
	default:
	}
}

// point reads ids of documents that stand for their vectors, and vectors.
func (f *finding) point(v string) {
	switch rawjson.KindOf(v) {
	case rawjson.String, rawjson.Number:
		f.points = keepOnce(f.points, v)
	case rawjson.Array:
		if isVector(v) && strings.ContainsAny(v, ".eE-") { // ids are whole numbers
			f.query(v, 0)
			return
		}
		for e := range rawjson.Elements(v) {
			if rawjson.KindOf(e) == rawjson.Array {
				f.query(e, 0)
			} else {
				f.point(e)
			}
		}
	default:
		f.query(v, 0)
	}
}

// keepOnce adds a value to a list that does not have it.
func keepOnce(list []string, v string) []string {
	if v == "" || v == `""` || len(list) >= mostQueries {
		return list
	}
	if slices.Contains(list[max(0, len(list)-8):], v) { // hybrid searches repeat themselves
		return list
	}
	return append(list, v)
}

func (f *finding) filter(v string) {
	switch v {
	case "{}", "[]", `""`:
	default:
		f.filters = keepOnce(f.filters, v)
	}
}

// most takes how many documents are asked for: of several numbers that of the first
// place.
func (f *finding) most(v string, at int) {
	if rawjson.KindOf(v) == rawjson.Number && (f.topKAt == 0 || at < f.topKAt-1) {
		f.topK, f.topKAt = v, at+1
	}
}

func (f *finding) collection(v string) {
	if rawjson.KindOf(v) == rawjson.Array {
		for e := range rawjson.Elements(v) {
			f.collection(e)
		}
		return
	}
	if name := word(v); name != "" {
		f.collections = keepOnce(f.collections, name)
	}
}

// recordFinding records what a search asks for. viewed says that somebody reads the
// attributes of the span.
func (x *exchange) recordFinding(viewed bool) {
	f := x.finding
	if f == nil {
		return
	}
	if len(f.collections) == 1 {
		x.config.text("collection", f.collections[0])
		if viewed {
			x.attributes = append(x.attributes, genai.DataSourceID.String(f.collections[0]))
		}
	} else if len(f.collections) > 1 {
		x.config.json("collections", string(appendTexts(nil, f.collections)))
	}
	if f.topK != "" {
		x.config.json("top_k", f.topK)
		x.attributes = append(x.attributes, genai.RetrievalTopK.Int64(number(f.topK)))
	}
	if len(f.ranked) > 0 {
		x.config.count("documents", int64(len(f.ranked)))
	}
	if x.blind {
		return
	}
	if len(f.queries) == 1 {
		x.said = append(x.said, genai.RetrievalQuery.String(word(f.queries[0])))
	}
	several := func(one, many string, list []string) {
		switch len(list) {
		case 0:
		case 1:
			x.inputs.json(one, list[0])
		default:
			x.inputs.json(many, "["+strings.Join(list, ",")+"]")
		}
	}
	several("query", "queries", f.queries)
	several("vector", "vectors", f.vectors)
	several("near", "near", f.points)
	several("filter", "filters", f.filters)
	if len(f.ranked) > 0 {
		x.inputs.json("documents", f.rankedDocuments())
	}
}

// answer reads what was found.
func (s *service) answer(x *exchange, body string) {
	if rawjson.KindOf(body) == rawjson.Array { // the list itself
		body = `{"":` + body + `}`
	}
	f := x.found()
	find(body, s.answers, func(at int, _, v string) {
		if at < 0 {
			return
		}
		switch p := &s.answers[at]; p.role {
		case asHits:
			if rawjson.KindOf(v) == rawjson.Array {
				f.list(v)
			}
		case asGroup:
			if rawjson.KindOf(v) == rawjson.Array {
				x.hits(s, v, -1)
			}
		default:
			x.told(p, v)
		}
	})
	for i, list := range f.lists {
		if len(f.lists) == 1 {
			i = -1
		}
		x.hits(s, list, i)
	}
	f.lists = nil
}

// told keeps what an answer says beside its documents.
func (x *exchange) told(p *place, v string) {
	switch p.role {
	case asOutput:
		if !x.blind && filledValue(v) {
			x.outputs.json(p.name, strings.Clone(v))
		}
	case asNote:
		x.metadata.json(p.name, strings.Clone(v))
	case asTokens:
		x.usage.read(v, rankTokens)
	case asResponseID:
		x.id = word(v)
	case asResponseModel:
		x.model = word(v)
	case asCost:
		if rawjson.KindOf(v) == rawjson.Number {
			x.cost, x.priced = float(v), true
		}
	case asError:
		if x.problem == nil {
			x.failWith(v)
		}
	default:
	}
}

// learnSearch keeps the credentials that stand in the body of a search, as older clients
// send them. What is asked for is content, and has words such as key in its filters.
func (x *exchange) learnSearch(body string) {
	for k, v := range rawjson.Members(body) {
		if held(k) || secret.Named(k) && holds(v) {
			x.learn(v)
		}
	}
}

// filledValue reports whether there is anything in a value.
func filledValue(v string) bool { return v != `""` && v != "[]" && v != "{}" }

// rankTokens are the counts of rerankers, and of stores that make embeddings.
var rankTokens = []tokenField{
	{"total_tokens", tokensTotal}, {"prompt_tokens", tokensInput}, {"completion_tokens", tokensOutput},
	{"input_tokens", tokensInput}, {"output_tokens", tokensOutput}, {"embed_total_tokens", tokensInput},
}

// list adds a list of documents, or one such list for each query.
func (f *finding) list(v string) {
	if strings.HasPrefix(v, "[[") {
		for inner := range rawjson.Elements(v) {
			if len(f.lists) < mostQueries {
				f.lists = append(f.lists, inner)
			}
		}
		return
	}
	if len(f.lists) < mostQueries {
		f.lists = append(f.lists, v)
	}
}

func (s *service) chunk(*exchange, string, string) {}

// An addressed format reads the address of a request, too.
type addressed interface {
	address(x *exchange, u *url.URL)
}

// A rewritten format has requests that are no JSON, of which it makes some.
type rewritten interface{ rewrite(text string) string }

// has reports whether JSON holds one of the members somewhere. No text can hold one
// with its quotes: there they would be escaped.
func has(body []byte, members ...string) bool {
	for _, m := range members {
		if bytes.Contains(body, []byte(m)) {
			return true
		}
	}
	return false
}

// between returns the one element of a path that stands between two of its parts, of
// which the second ends it, and reports whether it is such a path.
func between(path, before, after string) (element string, ok bool) {
	path, ok = strings.CutSuffix(path, after)
	i := strings.LastIndex(path, before)
	if !ok || i < 0 {
		return "", false
	}
	element = path[i+len(before):]
	return element, element != "" && !strings.Contains(element, "/")
}

// retrievalRoute returns the route of a search.
func retrievalRoute(provider, collection string, f format) route {
	return route{format: f, provider: provider, operation: genai.Retrieval, collection: collection}
}
