package convert

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// traceloop is the dialect of Traceloop's OpenLLMetry, with the names that its
// releases had before they followed the GenAI conventions: llm.* at first, then
// gen_ai.* with messages taken apart into attributes. Where its names became
// those of the conventions, they stand in the table of GenAI.
var traceloop = dialect{
	name:     "Traceloop",
	base:     rankTraceloop,
	prefixes: []string{"traceloop.", "llm."},
	identity: []string{"traceloop.association.properties", "traceloop.workflow.name", "traceloop.entity.path"},
	rules: []rule{
		set("llm.request.type", "event_type, metadata.operation_name", func(r *reader, v attribute.Value, from rank) {
			r.is(requestKinds[str(v)], from)
			r.buckets[Metadata].putValue("operation_name", v, from)
		}),
		set("traceloop.span.kind", "event_type, metadata.span_kind", func(r *reader, v attribute.Value, from rank) {
			r.traceloop.kind = str(v)
			r.is(entityKinds[str(v)], from)
			if r.traceloop.kind != "" {
				r.hint(hintStep)
			}
			r.buckets[Metadata].putValue("span_kind", v, from)
		}),
		set("traceloop.entity.name", "metadata.entity_name, metadata.tool_name", func(r *reader, v attribute.Value, from rank) {
			r.traceloop.name = plain(v)
			r.buckets[Metadata].putValue("entity_name", v, from)
		}),
		each("traceloop.entity.", Metadata, "entity_"),
		to("traceloop.workflow.name", Metadata, "workflow_name"),
		to("traceloop.correlation.id", Metadata, "correlation_id"),
		set("traceloop.entity.input", "inputs.*, inputs.input", func(r *reader, v attribute.Value, _ rank) { r.traceloop.input = v }),
		set("traceloop.entity.output", "outputs.*, outputs.result", func(r *reader, v attribute.Value, _ rank) { r.traceloop.output = v }),
		session("traceloop.association.properties.session_id"),
		to("traceloop.association.properties.user_id", UserProperties, "user_id"),
		// HoneyHive's SDK for JavaScript is one of Traceloop's.
		setText("traceloop.association.properties.project", "project", func(r *reader) *ranked { return &r.project }),
		setText("traceloop.association.properties.source", "source", func(r *reader) *ranked { return &r.source }),
		setText("traceloop.association.properties.session_name", "session_name", func(r *reader) *ranked { return &r.sessionName }),
		keys("traceloop.association.properties.", Metadata),
		spread("traceloop.association.properties", Metadata, "association_properties"),

		to("llm.vendor", Config, "provider"),
		modelName("llm.request.model"),
		responseModel("llm.response.model"),
		to("llm.temperature", Config, "temperature"),
		to("llm.top_p", Config, "top_p"),
		to("llm.top_k", Config, "top_k"),
		to("gen_ai.top_k", Config, "top_k"),
		to("llm.frequency_penalty", Config, "frequency_penalty"),
		to("gen_ai.frequency_penalty", Config, "frequency_penalty"),
		to("llm.presence_penalty", Config, "presence_penalty"),
		to("gen_ai.presence_penalty", Config, "presence_penalty"),
		to("llm.chat.stop_sequences", Config, "stop_sequences"),
		to("llm.is_streaming", Config, "stream"),
		to("gen_ai.is_streaming", Config, "stream"),
		toJSON("gen_ai.request.structured_output_schema", Config, "structured_output_schema"),
		toJSON("llm.request.structured_output_schema", Config, "structured_output_schema"),
		indexed("llm.request.functions.", "config.tools"),
		indexed("gen_ai.tool.definitions.", "config.tools"),
		each("llm.request.", Config, ""),
		each("llm.watsonx.", Config, ""),
		to("llm.openai.api_base", Config, "api_base"),
		to("gen_ai.openai.api_base", Config, "api_base"),
		to("llm.openai.api_version", Config, "api_version"),
		to("gen_ai.openai.api_version", Config, "api_version"),
		to("llm.openai.api_type", Config, "api_type"),
		to("gen_ai.openai.api_type", Config, "api_type"),
		to("traceloop.prompt.key", Config, "prompt_name"),
		each("traceloop.prompt.", Config, "prompt_"),
		to("db.vector.query.top_k", Config, "top_k"),

		indexed("gen_ai.prompt.", "inputs.chat_history"),
		indexed("gen_ai.completion.", "outputs"),
		indexed("llm.completions.", "outputs"),
		spread("traceloop.prompt.template_variables", Inputs, "prompt_variables"),

		tokens("llm.usage.prompt_tokens", "prompt_tokens", promptTokens),
		tokens("llm.usage.completion_tokens", "completion_tokens", completionTokens),
		to("llm.usage.total_tokens", Metadata, "total_tokens"),
		to("gen_ai.usage.cache_read_input_tokens", Metadata, "cache_read_input_tokens"),
		to("llm.usage.cache_read_input_tokens", Metadata, "cache_read_input_tokens"),
		to("gen_ai.usage.cache_creation_input_tokens", Metadata, "cache_write_input_tokens"),
		to("llm.usage.cache_creation_input_tokens", Metadata, "cache_write_input_tokens"),
		each("llm.usage.", Metadata, ""),
		finishReasons("llm.response.finish_reason"),
		finishReasons("gen_ai.response.finish_reason"),
		finishReasons("llm.response.stop_reason"),
		finishReasons("gen_ai.response.stop_reason"),
		each("llm.response.", Metadata, "response_"),
		to("gen_ai.openai.system_fingerprint", Metadata, "system_fingerprint"),
		to("llm.openai.system_fingerprint", Metadata, "system_fingerprint"),
		toJSON("llm.headers", Metadata, "headers"),
		toJSON("gen_ai.headers", Metadata, "headers"),
		to("llm.agent.name", Metadata, "agent_name"),
		to("llm.user", UserProperties, "user_id"),
		to("gen_ai.user", UserProperties, "user_id"),
	},
	finish: (*reader).finishTraceloop,
	events: map[string]eventReader{
		"db.query.result":  (*reader).searchResult,
		"db.search.result": (*reader).searchResult,

		"llm.content.completion.chunk": (*reader).firstTokenEvent,
	},
}

// requestKinds are the kinds of llm.request.type.
var requestKinds = map[string]string{
	"chat":       honeyhive.TypeModel,
	"completion": honeyhive.TypeModel,
	"embedding":  kindEmbedding,
	"rerank":     kindReranker,
}

// entityKinds are the kinds of traceloop.span.kind.
var entityKinds = map[string]string{
	"workflow": honeyhive.TypeChain,
	"task":     honeyhive.TypeChain,
	"agent":    kindAgent,
	"tool":     honeyhive.TypeTool,
}

// traceloopParts are the attributes that speak together.
type traceloopParts struct {
	kind, name    string
	input, output attribute.Value
	found         []string // results of a search, as JSON
}

func (r *reader) finishTraceloop(from rank) {
	p := &r.traceloop
	if p.kind == "tool" && p.name != "" {
		r.buckets[Metadata].put("tool_name", p.name, from)
	}
	functions := append(r.elements("llm.request.functions.", ""), r.elements("gen_ai.tool.definitions.", "")...)
	r.buckets[Config].putElements("tools", functions, from, functionDefinition)

	// llm.prompts is OpenInference's as well, which has taken what it knows.
	prompts := append(r.elements("gen_ai.prompt.", ""), r.elements("llm.prompts.", "")...)
	completions := append(r.elements("gen_ai.completion.", ""), r.elements("llm.completions.", "")...)
	r.putMessages(Inputs, from, prompts, func(t *tree) []string { return traceloopMessage(t, "user") })
	r.putMessages(Outputs, from, completions, func(t *tree) []string { return traceloopMessage(t, "assistant") })

	if p.input.Type() != attribute.EMPTY {
		r.putValue(Inputs, Inputs.Wrap(), typedText(p.input, "json"), rankValue+1)
	}
	if p.output.Type() != attribute.EMPTY {
		r.putValue(Outputs, Outputs.Wrap(), typedText(p.output, "json"), rankValue+1)
	}
	if len(p.found) > 0 {
		r.is(kindRetriever, rankHint)
		r.buckets[Outputs].putGroup(from, []string{"documents"}, func(*bucketReader) []member {
			return []member{{key: "documents", text: list(p.found)}}
		})
	}
}

// traceloopMessage returns the messages that one becomes. A prompt that is no
// chat message stands under "user", or is the element itself.
func traceloopMessage(t *tree, role string) []string {
	d := draft{
		role:             cmp.Or(t.str("role"), role),
		toolCallIDJSON:   t.plain("tool_call_id"),
		finishReasonJSON: t.plain("finish_reason"),
	}
	if t.full {
		traceloopContent(&d, t.leaf)
	}
	for _, name := range []string{"user", "content"} {
		if content, ok := t.value(name); ok {
			traceloopContent(&d, content)
		}
	}
	if calls := t.at("tool_calls"); calls != nil && !calls.split() && rawjson.KindOf(calls.json()) == rawjson.Array {
		for call := range rawjson.Elements(t.structured("tool_calls")) {
			d.called(call)
		}
	}
	if call := t.structured("function_call"); call != "" {
		d.called(call)
	}
	d.others = append(d.others, t.others()...)
	return d.messages()
}

// traceloopContent adds content: text, or the JSON of a list of parts.
func traceloopContent(d *draft, v attribute.Value) {
	text := structured(v)
	isParts := rawjson.KindOf(text) == rawjson.Array && text != "[]"
	for part := range rawjson.Elements(text) {
		isParts = isParts && fieldsOf(part).first("type") != ""
	}
	if !isParts {
		d.text(str(v))
		return
	}
	for part := range rawjson.Elements(text) {
		d.part(part)
	}
}

// functionDefinition returns a tool that a model was offered, as the GenAI
// conventions have it.
func functionDefinition(t *tree) string {
	kind := cmp.Or(t.plain("type"), `"function"`)
	known := []pair{{"type", kind}, {"name", t.plain("name")}, {"description", t.plain("description")}, {"parameters", t.structured("parameters")}}
	return object(append(known, t.others()...)...)
}

// searchResult reads a hit of a search in a vector store.
func (r *reader) searchResult(e *Event, _ rank) bool {
	if len(e.Attributes) == 0 {
		return false
	}
	var id, score, content, metadata string
	var others bucketReader
	for _, kv := range e.Attributes {
		name := strings.TrimPrefix(valid(string(kv.Key)), e.Name+".")
		switch name {
		case "id":
			id = plain(kv.Value)
		case "score":
			score = plain(kv.Value)
		case "document":
			content = plain(kv.Value)
		case "metadata":
			metadata = structured(kv.Value)
		default:
			others.putValue(name, kv.Value, rankRest)
		}
	}
	hit := []pair{{"id", id}, {"score", score}, {"content", content}, {"metadata", metadata}}
	for i := range others.members {
		hit = append(hit, pair{others.members[i].key, others.members[i].json()})
	}
	r.traceloop.found = append(r.traceloop.found, object(hit...))
	return true
}
