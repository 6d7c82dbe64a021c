package convert

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// openInference is the dialect of OpenInference (Arize Phoenix and others), by
// its specification of 2026. It takes lists apart into attributes with dotted
// names; input.value and output.value hold what a step took and gave as text.
// Its session.id and user.id are those of OpenTelemetry, in the table of GenAI.
var openInference = dialect{
	name:     "OpenInference",
	base:     rankOpenInference,
	prefixes: []string{"openinference.", "llm.", "retrieval.documents.", "reranker.", "embedding."},
	rules: append([]rule{
		set("openinference.span.kind", "event_type, metadata.span_kind", func(r *reader, v attribute.Value, from rank) {
			r.openInference.kind = strings.ToUpper(str(v))
			r.is(spanKinds[r.openInference.kind], from)
			if r.openInference.kind != "" {
				r.hint(hintStep)
			}
			r.buckets[Metadata].putValue("span_kind", v, from)
		}),
		to("llm.provider", Config, "provider"),
		set("llm.system", "config.system, config.provider", func(r *reader, v attribute.Value, from rank) {
			r.buckets[Config].putValue("system", v, from)
			r.buckets[Config].putValue("provider", v, from)
		}),
		modelName("llm.request.model_name"),
		modelName("llm.model_name"),
		to("embedding.model_name", Config, "model"),
		to("reranker.model_name", Config, "model"),
		responseModel("llm.response.model_name"),
		indexed("llm.tools.", "config.tools"),
		to("llm.prompt_template.template", Config, "prompt_template"),
		to("llm.prompt_template.version", Config, "prompt_version"),
		to("prompt.id", Config, "prompt_id"),
		to("prompt.url", Config, "prompt_url"),
		to("prompt.vendor", Config, "prompt_vendor"),
		to("reranker.top_k", Config, "top_k"),
		toJSON("tool.parameters", Config, "tool_parameters"),
		toJSON("tool.json_schema", Config, "tool_schema"),
		spread("llm.invocation_parameters", Config, "invocation_parameters"),
		spread("embedding.invocation_parameters", Config, "invocation_parameters"),

		indexed("llm.input_messages.", "inputs.chat_history"),
		indexed("llm.prompts.", "inputs.prompt"),
		toJSON("llm.prompts", Inputs, "prompt"),
		to("reranker.query", Inputs, "query"),
		indexed("reranker.input_documents.", "inputs.documents"),
		indexed("embedding.embeddings.", "inputs.texts, outputs.embeddings"),
		spread("llm.prompt_template.variables", Inputs, "prompt_variables"),
		set("input.value", "inputs.*, inputs.query, inputs.input", func(r *reader, v attribute.Value, _ rank) { r.openInference.input = v }),
		set("input.mime_type", "", func(r *reader, v attribute.Value, _ rank) { r.openInference.inputMIME = str(v) }),
		each("input.audio.", Inputs, "audio_"),

		indexed("llm.output_messages.", "outputs"),
		indexed("llm.choices.", "outputs.completion"),
		indexed("retrieval.documents.", "outputs.documents"),
		indexed("reranker.output_documents.", "outputs.documents"),
		toJSON("llm.function_call", Outputs, "function_call"),
		set("output.value", "outputs.*, outputs.result", func(r *reader, v attribute.Value, _ rank) { r.openInference.output = v }),
		set("output.mime_type", "", func(r *reader, v attribute.Value, _ rank) { r.openInference.outputMIME = str(v) }),
		each("output.audio.", Outputs, "audio_"),

		tokens("llm.token_count.prompt", "prompt_tokens", promptTokens),
		tokens("llm.token_count.completion", "completion_tokens", completionTokens),
		to("llm.token_count.total", Metadata, "total_tokens"),
		to("llm.token_count.prompt_details.cache_read", Metadata, "cache_read_input_tokens"),
		to("llm.token_count.prompt_details.cache_input", Metadata, "cache_read_input_tokens"),
		to("llm.token_count.prompt_details.cache_write", Metadata, "cache_write_input_tokens"),
		to("llm.token_count.prompt_details.audio", Metadata, "audio_input_tokens"),
		to("llm.token_count.completion_details.audio", Metadata, "audio_output_tokens"),
		to("llm.token_count.completion_details.reasoning", Metadata, "reasoning_tokens"),
		each("llm.token_count.", Metadata, "token_count_"),
		to("llm.cost.total", Metadata, "cost"),
		each("llm.cost.", Metadata, "cost_"),
		finishReasons("llm.finish_reason"),

		to("tool.name", Metadata, "tool_name"),
		to("tool.id", Metadata, "tool_call_id"),
		to("tool.description", Metadata, "tool_description"),
		to("agent.name", Metadata, "agent_name"),
		each("graph.node.", Metadata, "graph_node_"),
		tags("tag.tags"),
		spread("metadata", Metadata, "metadata"),
		{attribute: exceptionPrefix, field: "error, metadata.exception", readBelow: func(r *reader, rest string, v attribute.Value, _ rank) {
			r.exceptionAttrs = append(r.exceptionAttrs, attribute.KeyValue{Key: attribute.Key(exceptionPrefix + rest), Value: v})
		}},

		indexed("annotations.", "metrics.*, feedback.*"),
		indexed("evaluations.", "metrics.*, feedback.*"),
		indexed("trace.annotations.", "metadata.trace_annotations"),
		indexed("trace.evaluations.", "metadata.trace_evaluations"),
		indexed("session.annotations.", "metadata.session_annotations"),
		indexed("session.evaluations.", "metadata.session_evaluations"),
	}, about("metadata.")...),
	finish: (*reader).finishOpenInference,
	events: map[string]eventReader{"First Token Stream Event": (*reader).firstTokenEvent},
}

// spanKinds are the kinds of openinference.span.kind.
var spanKinds = map[string]string{
	"LLM":       honeyhive.TypeModel,
	"CHAIN":     honeyhive.TypeChain,
	"AGENT":     kindAgent,
	"TOOL":      honeyhive.TypeTool,
	"RETRIEVER": kindRetriever,
	"EMBEDDING": kindEmbedding,
	"RERANKER":  kindReranker,
	"GUARDRAIL": kindGuardrail,
	"EVALUATOR": kindEvaluator,
	"PROMPT":    honeyhive.TypeTool,
}

// openInferenceParts are the attributes that speak together.
type openInferenceParts struct {
	kind                  string
	input, output         attribute.Value
	inputMIME, outputMIME string
}

func (r *reader) finishOpenInference(from rank) {
	p := &r.openInference
	r.buckets[Config].putElements("tools", r.elements("llm.tools.", "tool"), from, toolDefinition)

	r.putMessages(Inputs, from, r.elements("llm.input_messages.", "message"), openInferenceMessage)
	r.putMessages(Outputs, from, r.elements("llm.output_messages.", "message"), openInferenceMessage)
	r.buckets[Inputs].putTexts("prompt", r.elements("llm.prompts.", "prompt"), from)
	r.buckets[Outputs].putTexts("completion", r.elements("llm.choices.", "completion"), from)

	r.buckets[Outputs].putElements("documents", r.elements("retrieval.documents.", "document"), from, document)
	r.buckets[Inputs].putElements("documents", r.elements("reranker.input_documents.", "document"), from, document)
	r.buckets[Outputs].putElements("documents", r.elements("reranker.output_documents.", "document"), from, document)
	embeddings := r.elements("embedding.embeddings.", "embedding")
	r.buckets[Inputs].putField("texts", embeddings, "text", from)
	r.buckets[Outputs].putField("embeddings", embeddings, "vector", from)

	if p.input.Type() != attribute.EMPTY {
		key := Inputs.Wrap()
		if p.kind == "RETRIEVER" || p.kind == "RERANKER" {
			key = "query"
		}
		r.putValue(Inputs, key, typedText(p.input, p.inputMIME), rankValue)
	}
	if p.output.Type() != attribute.EMPTY {
		r.putValue(Outputs, Outputs.Wrap(), typedText(p.output, p.outputMIME), rankValue)
	}

	r.judgements(r.elements("annotations.", "annotation"), "annotation", from)
	r.judgements(r.elements("evaluations.", "evaluation"), "evaluation", from)
	for _, prefix := range []string{"trace.annotations.", "trace.evaluations.", "session.annotations.", "session.evaluations."} {
		if t := r.below(prefix); t != nil {
			t.taken = true
			r.buckets[Metadata].put(strings.ReplaceAll(strings.TrimSuffix(prefix, "."), ".", "_"), t.json(), from)
		}
	}
}

// typedText returns what input.value or output.value holds: JSON where the type
// says so, or where it says nothing and the text is a JSON object.
func typedText(v attribute.Value, mime string) string {
	if v.Type() != attribute.STRING {
		return plain(v)
	}
	if strings.Contains(strings.ToLower(mime), "json") {
		if text, err := rawjson.Parse(v.AsString()); err == nil {
			return text
		}
	}
	if mime == "" {
		if text, ok := embedded(v.AsString()); ok && rawjson.KindOf(text) == rawjson.Object {
			return text
		}
	}
	return plain(v)
}

// openInferenceMessage returns the messages that one becomes.
func openInferenceMessage(m *tree) []string {
	d := draft{
		role:           m.str("role"),
		nameJSON:       m.plain("name"),
		toolCallIDJSON: m.plain("tool_call_id"),
	}
	content, hasContent := m.value("content")
	if hasContent {
		d.text(str(content))
	}
	for _, c := range m.elements("contents") {
		part := openInferencePart(c)
		if f := fieldsOf(part); hasContent && rawjson.Unquote(f.first("type")) == "text" && !f.more("type", "content") && f.first("content") == quoted(str(content)) {
			continue // some say the text in both places
		}
		d.part(part)
	}
	d.again = true
	for _, c := range m.elements("tool_calls") {
		id, name, arguments := calledFunction(c)
		d.call(id, name, arguments, callOthers(c)...)
	}
	if name := m.plain("function_call_name"); name != "" {
		d.call("", name, m.structured("function_call_arguments_json"))
	}
	d.others = m.others()
	return d.messages()
}

// calledFunction returns what names a call of a tool, as JSON.
func calledFunction(c *tree) (id, name, arguments string) {
	call := c.level("tool_call")
	function := call.level("function")
	return call.plain("id"), function.plain("name"), function.structured("arguments")
}

// callOthers returns what else stands beside and in a call of a tool.
func callOthers(c *tree) []pair {
	call := c.at("tool_call")
	return slices.Concat(call.others(), call.at("function").others(), c.others())
}

// openInferencePart returns a part of a message in the form of the GenAI
// conventions.
func openInferencePart(c *tree) string {
	content := c.level("message_content")
	kind := content.str("type")
	var part []pair
	switch {
	case c.at("tool_call") != nil:
		id, name, arguments := calledFunction(c)
		part = []pair{{"type", `"tool_call"`}, {"id", id}, {"name", name}, {"arguments", arguments}}
		return object(slices.Concat(content.others(), part, callOthers(c))...)
	case kind == "image", kind == "audio", kind == "video":
		outer := content.level(kind)
		media := outer.level(kind)
		part = []pair{{"type", `"uri"`}, {"modality", quoted(kind)}, {"uri", media.plain("url")}}
		part = slices.Concat(part, media.others(), outer.others())
	case kind != "":
		part = []pair{{"type", quoted(kind)}, {"content", content.plain("text")}}
	case content.at("text") != nil:
		part = []pair{{"type", `"text"`}, {"content", content.plain("text")}}
	}
	return object(slices.Concat(part, content.others(), c.others())...)
}

// document returns a document of a retrieval or a reranking.
func document(t *tree) string {
	known := []pair{{"id", t.plain("id")}, {"score", t.plain("score")}, {"content", t.plain("content")}, {"metadata", t.structured("metadata")}}
	return object(append(known, t.others()...)...)
}

// toolDefinition returns a tool that a model was offered: its schema, where
// that says all.
func toolDefinition(t *tree) string {
	schema, name, description := t.structured("json_schema"), t.plain("name"), t.plain("description")
	others := t.others()
	if rawjson.KindOf(schema) == rawjson.Object && len(others) == 0 {
		return schema
	}
	return object(append([]pair{{"name", name}, {"description", description}, {"json_schema", schema}}, others...)...)
}

// judgements reads what a person, a model or a program said of the output: a
// person's are feedback, the others metrics.
func (r *reader) judgements(list []*tree, otherwise string, from rank) {
	for _, t := range list {
		name, kind := cmp.Or(valid(t.str("name")), otherwise), t.str("annotator_kind")
		at := Metrics
		if kind == "HUMAN" {
			at = Feedback
		}
		if score := t.plain("score"); score != "" {
			r.buckets[at].put(name, score, from)
		}
		if kind != "" {
			r.buckets[at].put(name+"_annotator_kind", quoted(kind), from)
		}
		for _, p := range t.others() {
			r.buckets[at].put(name+"_"+p.key, p.text, from)
		}
	}
}
