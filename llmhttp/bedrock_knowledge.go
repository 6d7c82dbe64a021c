package llmhttp

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Knowledge bases of Amazon Bedrock: Retrieve, and RetrieveAndGenerate with its stream,
// see https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Agents_for_Amazon_Bedrock_Runtime.html.
// The latter is one event: what was retrieved are its documents, as far as the answer
// cites them, and the answer stands beside them.

var bedrockHit = []place{
	{path: "score", role: asScore}, {path: "content/text", role: asContent}, {path: "content/row", role: asNote, name: "row"},
	{path: "metadata", role: asFields}, {path: "location", role: asNote, name: "location"},
	{path: "metadata/x-amz-bedrock-kb-chunk-id", role: asID}, {path: "location/s3Location/uri", role: asID}, {path: "location/webLocation/url", role: asID},
}

var bedrockRetrieve = &service{
	asks: []place{
		{path: "retrievalQuery/text", role: asQuery},
		{path: "retrievalConfiguration/vectorSearchConfiguration/numberOfResults", role: asTopK},
		{path: "retrievalConfiguration/vectorSearchConfiguration/filter", role: asFilter},
		{path: "retrievalConfiguration/vectorSearchConfiguration/overrideSearchType", role: asParam, name: "search_type"},
	},
	answers: []place{{path: "retrievalResults", role: asHits}, {path: "guardrailAction", role: asNote, name: "guardrail_action"}},
	hit:     bedrockHit,
}

const (
	bedrockBase   = "retrieveAndGenerateConfiguration/knowledgeBaseConfiguration/"
	bedrockVector = bedrockBase + "retrievalConfiguration/vectorSearchConfiguration/"
)

var bedrockGenerate = &bedrockAnswer{service{
	asks: []place{
		{path: "input/text", role: asQuery}, {path: bedrockBase + "knowledgeBaseId", role: asCollection}, {path: bedrockBase + "modelArn", role: asModel},
		{path: "retrieveAndGenerateConfiguration/externalSourcesConfiguration/modelArn", role: asModel},
		{path: bedrockVector + "numberOfResults", role: asTopK}, {path: bedrockVector + "filter", role: asFilter},
		{path: bedrockVector + "overrideSearchType", role: asParam, name: "search_type"},
	},
	answers: []place{{path: "guardrailAction", role: asNote, name: "guardrail_action"}},
	hit:     bedrockHit,
}}

// bedrockKnowledgeRoute recognises calls by their paths, which leave no doubt.
func bedrockKnowledgeRoute(r *http.Request, last string) (route, bool) {
	found := retrievalRoute("aws.bedrock", "", bedrockGenerate)
	switch last {
	case "retrieve":
		name, ok := between(r.URL.Path, "/knowledgebases/", "/retrieve")
		found.format, found.collection = bedrockRetrieve, name
		return found, ok
	case "retrieveAndGenerate":
	case "retrieveAndGenerateStream":
		found.stream = true
	default:
		return route{}, false
	}
	return found, true
}

// bedrockAnswer are calls that answer from what they found.
type bedrockAnswer struct{ service }

func (*bedrockAnswer) unterminated() {}

func (s *bedrockAnswer) answer(x *exchange, body string) {
	s.service.answer(x, body)
	if output := get(body, "output", "text"); rawjson.KindOf(output) == rawjson.String {
		x.whole(x.choice(0), []part{{kind: partText, text: strings.Clone(text(output))}})
	}
	if list := get(body, "citations"); rawjson.KindOf(list) == rawjson.Array {
		f := x.found()
		for c := range x.elements(list) {
			s.cited(x, f, c)
		}
		f.shown = true
	}
}

// cited takes the documents that a citation names, each once.
func (s *bedrockAnswer) cited(x *exchange, f *finding, citation string) {
	for ref := range x.elements(get(citation, "retrievedReferences")) {
		x.hit(&s.service, ref)
		key := f.hit.id + f.hit.content
		switch {
		case slices.Contains(f.taken, key):
		case len(ref)+len(key) > x.room || len(f.taken) >= mostQueries:
			x.cut = true
		default:
			x.room -= len(ref) + len(key)
			f.taken = append(f.taken, strings.Clone(key))
			x.document(-1)
		}
	}
	f.hit.reset()
	f.shown = true
}

// chunk reads an event of a stream: a piece of the answer, what it cites, or what a
// guardrail did.
func (s *bedrockAnswer) chunk(x *exchange, event, data string) {
	f := x.found()
	switch event {
	case "output":
		if t := get(data, "text"); t != "" {
			x.add(x.piece(x.choice(0), partText, 0), text(t))
		}
	case "citation":
		x.changes += 2 // not an event that is like the one before
		citation := get(data, "citation")
		if citation == "" {
			citation = data
		}
		s.cited(x, f, citation)
	case "guardrail":
		x.changes += 2
		x.metadata.json("guardrail_action", strings.Clone(get(data, "action")))
	}
}
