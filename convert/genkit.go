package convert

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// genkit is the dialect of Genkit, for Go, JavaScript and Python. What an action took
// and gave is JSON. The source is core/tracing of its Go module, version 1.4.
var genkit = dialect{
	name:      "Genkit",
	base:      rankGenkit,
	ofSteps:   true,
	sometimes: true,
	prefixes:  []string{"genkit:"},
	rules: []rule{
		set("genkit:metadata:subtype", "event_type, metadata.event_kind, metadata.action_type", func(r *reader, v attribute.Value, from rank) {
			r.genkit.kind = cmp.Or(genkitKinds[str(v)], honeyhive.TypeChain)
			r.is(r.genkit.kind, from)
			r.buckets[Metadata].putValue("action_type", v, from)
		}),
		set("genkit:type", "event_type, metadata.genkit_type", func(r *reader, v attribute.Value, from rank) {
			r.buckets[Metadata].putValue("genkit_type", v, from)
		}),
		hold("genkit:name", "metadata.action_name, metadata.tool_name, config.model"),
		hold("genkit:input", "inputs.*"),
		hold("genkit:output", "outputs.*"),
		session("genkit:sessionId"),
		to("genkit:threadName", Metadata, "thread_name"),
		to("genkit:path", Metadata, "path"),
		to("genkit:isRoot", Metadata, "is_root"),
		set("genkit:state", "metadata.state, error", func(r *reader, v attribute.Value, from rank) {
			r.genkit.failed = str(v) == "error"
			r.buckets[Metadata].putValue("state", v, from)
		}),
		to("genkit:isFailureSource", Metadata, "is_failure_source"),
		each("genkit:metadata:", Metadata, ""),
	},
	finish: (*reader).finishGenkit,
}

// genkitKinds are the kinds of the subtype of an action.
var genkitKinds = map[string]string{
	"model":            honeyhive.TypeModel,
	"background-model": honeyhive.TypeModel,
	"tool":             honeyhive.TypeTool,
	"tool.v2":          honeyhive.TypeTool,
	"dynamic-tool":     honeyhive.TypeTool,
	"retriever":        kindRetriever,
	"indexer":          honeyhive.TypeTool,
	"embedder":         kindEmbedding,
	"reranker":         kindReranker,
	"evaluator":        kindEvaluator,
	"agent":            kindAgent,
	"resource":         honeyhive.TypeTool,
}

type genkitParts struct {
	kind   string
	failed bool
}

func (r *reader) finishGenkit(from rank) {
	if r.genkit.failed && !r.span.Failed {
		r.err.put("error", rankDerived)
	}
	if v, ok := r.take("genkit:name"); ok {
		r.genkitName(v, from)
	}
	// A text of JSON is a text there, not what it holds.
	r.putInput(r.takeTyped("genkit:input"), from)
	output := r.takeTyped("genkit:output")
	if embeddings := fieldsOf(output).first("embeddings"); r.genkit.kind == kindEmbedding && rawjson.KindOf(embeddings) == rawjson.Array {
		var vectors []string
		for e := range rawjson.Elements(embeddings) {
			vectors = append(vectors, cmp.Or(fieldsOf(e).first("embedding"), e))
		}
		r.buckets[Outputs].put("embeddings", list(vectors), from)
		return
	}
	r.putOutput(output, from)
}

// genkitName reads the name of an action, which is that of the model or the tool.
func (r *reader) genkitName(v attribute.Value, from rank) {
	switch r.genkit.kind {
	case honeyhive.TypeModel, kindEmbedding:
		r.buckets[Config].putValue("model", v, from)
		if provider, _, ok := strings.Cut(str(v), "/"); ok {
			r.buckets[Config].put("provider", quoted(provider), from)
		}
	case honeyhive.TypeTool:
		r.buckets[Metadata].putValue("tool_name", v, from)
	default:
		r.buckets[Metadata].putValue("action_name", v, from)
	}
}
