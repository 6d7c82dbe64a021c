package convert

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// This file says of which kind an event is. HoneyHive has three types of events;
// what people and conventions name beside these is kept in metadata.event_kind.

// The kinds that are no types.
const (
	kindRetriever = "retriever"
	kindEmbedding = "embedding"
	kindReranker  = "reranker"
	kindAgent     = "agent"
	kindGuardrail = "guardrail"
	kindEvaluator = "evaluator"
	// KindTurn is a turn of a conversation: the session is made of its turns.
	KindTurn = "turn"
)

// kindTypes are the types of the kinds.
var kindTypes = map[string]string{
	honeyhive.TypeModel: honeyhive.TypeModel,
	honeyhive.TypeTool:  honeyhive.TypeTool,
	honeyhive.TypeChain: honeyhive.TypeChain,
	kindRetriever:       honeyhive.TypeTool,
	kindEmbedding:       honeyhive.TypeTool,
	kindReranker:        honeyhive.TypeTool,
	kindAgent:           honeyhive.TypeChain,
	kindGuardrail:       honeyhive.TypeTool,
	kindEvaluator:       honeyhive.TypeTool,
	KindTurn:            honeyhive.TypeChain,
}

// is says of which kind the span is; an empty kind says nothing.
func (r *reader) is(kind string, from rank) {
	if kind == "" {
		return
	}
	r.kind.put(kind, from)
	r.eventType.put(kindTypes[kind], from)
}

// turn says that the span is a turn of a conversation, which is a chain unless the
// span says another type.
func (r *reader) turn(from rank) {
	r.kind.put(KindTurn, from)
	r.hint(hintStep)
}

// kindOf is a rule for an attribute that says of which kind a span is, by the words
// of its dialect. Any other word stands for a step of a pipeline.
func kindOf(name string, words map[string]string, key string) rule {
	return set(name, "event_type, metadata.event_kind, metadata."+key, func(r *reader, v attribute.Value, from rank) {
		r.buckets[Metadata].putValue(key, v, from)
		if word := str(v); word != "" {
			r.is(words[strings.ToLower(word)], from)
			r.hint(hintStep)
		}
	})
}

// What a span must be where nothing says what it is, the surest first.
const (
	hintStep  rank = rankHint + iota // it is of a kind that nobody knows
	hintTool                         // it names a tool
	hintModel                        // it names a model
	hintAgent                        // it names an agent
	hintUsage                        // it used tokens
)

var hintTypes = map[rank]string{
	hintStep: honeyhive.TypeChain, hintTool: honeyhive.TypeTool, hintModel: honeyhive.TypeModel, hintAgent: honeyhive.TypeChain, hintUsage: honeyhive.TypeModel,
}

func (r *reader) hint(what rank) { r.eventType.put(hintTypes[what], what) }

// hinting adds to a rule what the span must be that has the attribute.
func hinting(what rank, rl rule) rule {
	read := rl.read
	rl.field += ", event_type"
	rl.read = func(r *reader, v attribute.Value, from rank) {
		read(r, v, from)
		r.hint(what)
	}
	return rl
}

// typeOf returns the type of the event, and its kind where that says more.
func (r *reader) typeOf() (eventType, kind string) {
	eventType = cmp.Or(r.eventType.text, r.otherwise())
	if kind = r.kind.text; kind == eventType || kindTypes[kind] != eventType {
		kind = ""
	}
	return eventType, kind
}

// otherwise returns the type of a span that says nothing of it. A step of the program
// itself is a chain, and so is one of a framework of pipelines. HoneyHive takes a span
// for a tool that speaks of it without a type, and so it is with the others.
func (r *reader) otherwise() string {
	s := r.span
	spoken, ofSteps := spokenBy(s)
	if ofSteps || !spoken && roleOf(s) == Step && !speaksHoneyHive(s.Attributes) && !r.known.speaks() {
		return honeyhive.TypeChain
	}
	return honeyhive.TypeTool
}
