package llmhttp

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
)

// A RetrievalFormat says where a search or a reranker, such as one in your own house,
// has in its JSON what is recorded. Each is the names of members with dots between them,
// "data.items"; lists on the way count as nothing. What is empty is not recorded.
type RetrievalFormat struct {
	Provider string // as gen_ai.provider.name; empty, it is "retrieval"
	Rerank   bool   // it orders documents that it is sent

	// Of the request.
	Query      string // a text, a vector, of which size and hash are kept, or a list of them
	Filter     string
	TopK       string
	Collection string
	Model      string
	Ranked     string // the documents that are to be ordered: texts or objects

	// Of the answer. Documents is the list; "" is the answer itself, where that is one.
	Documents string

	// Of a document. Where Content is empty it is looked for under the usual names, and so
	// is ID. Fields is an object with the document's own fields, for the metadata; empty,
	// they are all members that are none of the others.
	ID, Score, Distance, Content, Fields, Index string
}

// A search is what [WithRetrieval] says.
type search struct {
	host    host
	path    []string
	service *service
	found   route
}

// WithRetrieval records the calls to a search or a reranker that package llmhttp does
// not know: POST to a path of a host. The host is a name as [WithHost] has it, and ""
// for any. The path is its end: "/search" is of any path that ends so; "*" stands for
// one element, "/spaces/*/search". It wins over what is known. A server that speaks a
// known API on a host of its own needs [WithHost] instead, or nothing. A path without
// elements is ignored.
func WithRetrieval(hostName, path string, f RetrievalFormat) Option {
	return optionFunc(func(c *tracing) {
		s := search{host: host{name: strings.ToLower(strings.TrimSpace(hostName))}, path: elementsOf(path), service: f.service()}
		if len(s.path) == 0 {
			return
		}
		s.found = route{format: s.service, provider: f.Provider, operation: genai.Retrieval, inHouse: true}
		if f.Rerank {
			s.found.operation = genai.Rerank
		}
		if f.Provider == "" {
			s.found.provider = s.found.operation
		}
		c.searches = append(c.searches, s)
	})
}

// elementsOf returns the elements of a path.
func elementsOf(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
}

// route returns the route of a request that is meant.
func (s *search) route(r *http.Request) (route, bool) {
	if r.Method != http.MethodPost || s.host.name != "" && !s.host.is(r.URL.Host) {
		return route{}, false
	}
	path := r.URL.Path
	for _, element := range slices.Backward(s.path) {
		at := strings.LastIndexByte(path, '/')
		if at < 0 || element != "*" && path[at+1:] != element || at+1 == len(path) {
			return route{}, false
		}
		path = path[:at]
	}
	return s.found, true
}

// service returns the tables that the format stands for.
func (f *RetrievalFormat) service() *service {
	s := &service{loose: f.Fields == ""}
	add := func(list *[]place, path string, as role) {
		if path != "" {
			*list = append(*list, place{path: strings.ReplaceAll(path, ".", "/"), role: as})
		}
	}
	add(&s.asks, f.Query, asQuery)
	add(&s.asks, f.Filter, asFilter)
	add(&s.asks, f.TopK, asTopK)
	add(&s.asks, f.Collection, asCollection)
	add(&s.asks, f.Model, asModel)
	add(&s.asks, f.Ranked, asRanked)
	s.answers = append(s.answers, place{path: strings.ReplaceAll(f.Documents, ".", "/"), role: asHits})
	add(&s.hit, f.ID, asID)
	add(&s.hit, f.Score, asScore)
	add(&s.hit, f.Distance, asDistance)
	add(&s.hit, f.Content, asContent)
	add(&s.hit, f.Fields, asFields)
	add(&s.hit, f.Index, asIndex)
	return s
}
