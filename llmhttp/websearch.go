package llmhttp

import (
	"net/http"
	"net/url"
	"strings"
)

// Searches of the web: Tavily (https://docs.tavily.com/documentation/api-reference), Exa
// (https://docs.exa.ai/reference/search) and Brave
// (https://api-dashboard.search.brave.com/app/documentation). A document is a page; its
// id is its address.

var tavily = &service{
	asks: []place{
		{path: "query", role: asQuery}, {path: "max_results", role: asTopK}, {path: "include_domains", role: asFilter}, {path: "exclude_domains", role: asParam, name: "exclude_domains"},
		{path: "search_depth", role: asParam, name: "search_depth"}, {path: "topic", role: asParam, name: "topic"}, {path: "time_range", role: asParam, name: "time_range"},
	},
	answers: []place{
		{path: "results", role: asHits}, {path: "answer", role: asOutput, name: "answer"}, {path: "images", role: asOutput, name: "images"},
		{path: "request_id", role: asResponseID}, {path: "usage/credits", role: asNote, name: "credits"},
	},
	hit: []place{
		{path: "url", role: asID}, {path: "score", role: asScore}, {path: "content", role: asContent}, {path: "title", role: asNote, name: "title"},
		{path: "raw_content", role: asNote, name: "raw_content"}, {path: "published_date", role: asNote, name: "published_date"},
	},
}

func tavilyRoute(r *http.Request, last string, known bool) (route, bool) {
	return retrievalRoute("tavily", "", tavily), known && last == "search" && r.Method == http.MethodPost
}

var exa = &service{
	asks: []place{
		{path: "query", role: asQuery}, {path: "url", role: asPoint}, {path: "numResults", role: asTopK}, {path: "num_results", role: asTopK},
		{path: "includeDomains", role: asFilter}, {path: "excludeDomains", role: asParam, name: "exclude_domains"},
		{path: "type", role: asParam, name: "type"}, {path: "category", role: asParam, name: "category"},
	},
	answers: []place{
		{path: "results", role: asHits}, {path: "context", role: asOutput, name: "context"}, {path: "requestId", role: asResponseID},
		{path: "costDollars/total", role: asCost}, {path: "resolvedSearchType", role: asNote, name: "search_type"},
	},
	hit: []place{
		{path: "url", role: asID}, {path: "id", role: asID}, {path: "score", role: asScore},
		{path: "text", role: asContent}, {path: "highlights", role: asContent}, {path: "summary", role: asContent},
		{path: "title", role: asNote, name: "title"}, {path: "publishedDate", role: asNote, name: "published_date"}, {path: "author", role: asNote, name: "author"},
	},
}

func exaRoute(r *http.Request, last string, known bool) (route, bool) {
	return retrievalRoute("exa", "", exa), known && (last == "search" || last == "findSimilar") && r.Method == http.MethodPost
}

type braveSearch struct{ service }

var brave = &braveSearch{service{
	asks: []place{
		{path: "q", role: asQuery}, {path: "count", role: asTopK}, {path: "freshness", role: asParam, name: "freshness"}, {path: "goggles", role: asFilter},
		{path: "country", role: asParam, name: "country"}, {path: "search_lang", role: asParam, name: "search_lang"},
	},
	answers: []place{
		{path: "web/results", role: asGroup}, {path: "news/results", role: asGroup}, {path: "results", role: asGroup}, {path: "grounding/generic", role: asGroup},
	},
	hit: []place{
		{path: "url", role: asID}, {path: "title", role: asNote, name: "title"}, {path: "description", role: asContent}, {path: "snippets", role: asContent},
		{path: "extra_snippets", role: asNote, name: "extra_snippets"}, {path: "age", role: asNote, name: "age"}, {path: "page_age", role: asNote, name: "page_age"},
		{path: "language", role: asNote, name: "language"},
	},
}}

func braveRoute(r *http.Request, last string, known bool) (route, bool) {
	is := strings.HasSuffix(r.URL.Path, "/web/search") || strings.HasSuffix(r.URL.Path, "/news/search") || strings.HasSuffix(r.URL.Path, "/llm/context")
	return retrievalRoute("brave", "", brave), known && is && last != ""
}

func (s *braveSearch) address(x *exchange, u *url.URL) { x.askURL(s.asks, u) }
