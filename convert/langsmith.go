package convert

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// langSmith is the dialect of LangSmith's SDKs on OpenTelemetry. They write what a
// step took and gave as gen_ai.prompt and gen_ai.completion, in JSON, and
// gen_ai.operation.name beside a kind of their own, which says more. The session in
// their names is a project.
var langSmith = dialect{
	name:      "LangSmith",
	base:      rankLangSmith,
	ofSteps:   true,
	sometimes: true,
	prefixes:  []string{"langsmith.span.kind", "langsmith.request.", "langsmith.usage"},
	rules: append([]rule{
		set("langsmith.span.kind", "event_type, metadata.event_kind, metadata.run_type", func(r *reader, v attribute.Value, from rank) {
			r.langSmith.speaks = true
			r.buckets[Metadata].putValue("run_type", v, from)
			r.is(runKinds[strings.ToLower(str(v))], from)
			r.hint(hintStep)
		}),
		setText("langsmith.trace.session_name", "project", func(r *reader) *ranked { return &r.project }),
		to("langsmith.trace.session_id", Metadata, "langsmith_project_id"),
		set("langsmith.trace.name", "metadata.trace_name", func(r *reader, v attribute.Value, from rank) { r.buckets[Metadata].putValue("trace_name", v, from) }),
		tags("langsmith.span.tags"),
		to("langsmith.request.streaming", Config, "stream"),
		toJSON("langsmith.request.headers", Metadata, "request_headers"),
		to("langsmith.metadata.ls_model_name", Config, "model"),
		to("langsmith.metadata.ls_provider", Config, "provider"),
		to("langsmith.metadata.ls_temperature", Config, "temperature"),
		to("langsmith.metadata.ls_max_tokens", Config, "max_tokens"),
		toJSON("langsmith.metadata.ls_stop", Config, "stop_sequences"),
		set("langsmith.usage_metadata", "metadata.*_tokens", (*reader).usageDetails),
		spread("langsmith.metadata", Metadata, "metadata"),
	}, about("langsmith.metadata.")...),
	finish: (*reader).finishLangSmith,
	events: map[string]eventReader{"new_token": (*reader).firstTokenEvent},
}

// runKinds are the kinds of langsmith.span.kind.
var runKinds = map[string]string{
	"llm":       honeyhive.TypeModel,
	"chain":     honeyhive.TypeChain,
	"prompt":    honeyhive.TypeChain,
	"parser":    honeyhive.TypeChain,
	"tool":      honeyhive.TypeTool,
	"retriever": kindRetriever,
	"embedding": kindEmbedding,
	"agent":     kindAgent,
}

type langSmithParts struct{ speaks bool }

// finishLangSmith takes an exception for a failure: they leave the status as it is.
func (r *reader) finishLangSmith(from rank) {
	if !r.langSmith.speaks || r.exception == nil || r.span.Failed {
		return
	}
	for _, kv := range r.exception.Attributes {
		if kv.Key == exceptionPrefix+"message" && kv.Value.Type() == attribute.STRING {
			r.err.put(kv.Value.AsString(), from)
			return
		}
	}
	r.err.put("error", from)
}
