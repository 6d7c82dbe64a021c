package llmhttp

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Weaviate, by GraphQL: https://weaviate.io/developers/weaviate/api/graphql. Of what
// stands in _additional, distances are such, a certainty is a score between 0 and 1
// that is made of a distance, and a score is one of words or of a hybrid search.

type weaviateSearch struct{ service }

var weaviate = &weaviateSearch{service{
	hit: []place{
		{path: "_additional/id", role: asID}, {path: "_additional/score", role: asScore}, {path: "_additional/certainty", role: asScore},
		{path: "_additional/distance", role: asDistance}, {path: "_additional/rerank/score", role: asNote, name: "rerank_score"},
		{path: "_additional/explainScore", role: asNote, name: "explain_score"}, {path: "_additional/generate", role: asNote, name: "generate"},
		{path: "_additional/answer", role: asNote, name: "answer"}, {path: "_additional/vector"}, {path: "_additional/vectors"},
	},
	loose: true,
}}

// nearArguments are the arguments that search, of those that a class has.
var nearArguments = [...]string{"nearText", "nearVector", "nearObject", "nearImage", "nearAudio", "nearVideo", "nearDepth", "nearIMU", "nearThermal", "hybrid", "bm25", "ask"}

// weaviateRoute recognises searches by their path and by the query.
func weaviateRoute(r *http.Request, last string, _ bool) (route, bool) {
	if last != "graphql" || r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/v1/graphql") {
		return route{}, false
	}
	found := retrievalRoute("weaviate", "", weaviate)
	found.tell = func(_ *route, body []byte) bool {
		if !has(body, "Get") || !has(body, "near", "hybrid", "bm25", "ask") {
			return false
		}
		json, err := rawjson.Parse(string(body))
		return err == nil && len(searchesOf(json)) > 0
	}
	return found, true
}

// searchesOf returns the classes that a request searches.
func searchesOf(body string) (classes []gqlField) {
	for _, f := range gqlFields(text(get(body, "query")), get(body, "variables")) {
		if f.name != "Get" {
			continue
		}
		for _, class := range f.inner {
			for _, name := range nearArguments {
				if get(class.arguments, name) != "" {
					classes = append(classes, class)
					break
				}
			}
		}
	}
	return classes
}

func (s *weaviateSearch) request(x *exchange, body string) {
	f := x.found()
	for _, class := range searchesOf(body) {
		f.collections = keepOnce(f.collections, strings.Clone(class.name))
		f.aliases = keepOnce(f.aliases, strings.Clone(class.alias))
		for k, v := range rawjson.Members(class.arguments) {
			switch k {
			case "limit":
				f.most(v, 0)
			case "where":
				f.filter(v)
			case "tenant":
				x.config.json("tenant", v)
			case "nearObject":
				f.point(get(v, "id"))
				f.point(get(v, "beacon"))
			case "ask":
				f.query(get(v, "question"), 0)
			case "hybrid":
				x.config.json("alpha", get(v, "alpha"))
				f.near(v)
			default:
				if slices.Contains(nearArguments[:], k) {
					f.near(v)
				}
			}
		}
	}
}

// near reads what is near to be found: concepts, a query, a vector, several of them by
// name, or an image, which is not kept.
func (f *finding) near(v string) {
	for k, inner := range rawjson.Members(v) {
		switch k {
		case "concepts", "query", "vector":
			f.query(inner, 0)
		case "vectorPerTarget", "searches", "nearText", "nearVector":
			if rawjson.KindOf(inner) == rawjson.Array {
				for e := range rawjson.Elements(inner) {
					f.near(e)
				}
				continue
			}
			for name, named := range rawjson.Members(inner) {
				if slices.Contains([]string{"concepts", "query", "vector"}, name) || k == "vectorPerTarget" {
					f.query(named, 0)
				}
			}
		}
	}
}

// answer reads the documents of each class, and errors, which have a status of 200.
func (s *weaviateSearch) answer(x *exchange, body string) {
	if e := filled(get(body, "errors")); e != "" {
		x.failWith(e)
	}
	f := x.found()
	number := -1
	for name, list := range rawjson.Members(get(body, "data", "Get")) {
		if rawjson.KindOf(list) != rawjson.Array || len(f.aliases) > 0 && !slices.Contains(f.aliases, name) {
			continue
		}
		if len(f.aliases) > 1 {
			number++
		}
		x.hits(&s.service, list, number)
	}
}
