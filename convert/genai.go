package convert

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// genAI is the dialect of the OpenTelemetry semantic conventions for generative
// AI: version 1.41, the last one in the core repository, what the repository of
// its own (semantic-conventions-genai, v0.1.0 and its main branch of November 2026)
// added since, and the deprecated names that instrumentations still write.
var genAI = dialect{
	name:     "OpenTelemetry GenAI",
	base:     rankGenAI,
	prefixes: []string{"gen_ai."},
	identity: []string{"gen_ai.main_agent."}, // which is an attribute of the process, too
	rules: []rule{
		set(operationName, "event_type, metadata.operation_name", (*reader).setOperation),
		to("gen_ai.provider.name", Config, "provider"),
		to("gen_ai.system", Config, "provider"),
		to("gen_ai.request.model", Config, "model"),
		set("gen_ai.response.model", "metadata.response_model, config.model", func(r *reader, v attribute.Value, from rank) {
			r.buckets[Metadata].putValue("response_model", v, from)
			r.buckets[Config].putValue("model", v, from)
		}),
		to("gen_ai.output.type", Config, "output_type"),
		to("gen_ai.embeddings.dimension.count", Config, "dimensions"),
		toJSON("gen_ai.tool.definitions", Config, "tools"),
		to("gen_ai.prompt.name", Config, "prompt_name"),
		to("gen_ai.prompt.version", Config, "prompt_version"),
		to("gen_ai.data_source.id", Config, "data_source_id"),
		to("openai.request.service_tier", Config, "service_tier"),
		to("gen_ai.openai.request.service_tier", Config, "service_tier"),
		to("aws.bedrock.guardrail.id", Config, "guardrail_id"),
		to("aws.bedrock.knowledge_base.id", Config, "knowledge_base_id"),
		to("gen_ai.retrieval.top_k", Config, "top_k"),
		each("gen_ai.request.", Config, ""),

		set("gen_ai.input.messages", "inputs.chat_history", func(r *reader, v attribute.Value, _ rank) { r.genAI.input = v }),
		set("gen_ai.system_instructions", "inputs.chat_history", func(r *reader, v attribute.Value, _ rank) { r.genAI.system = v }),
		set("gen_ai.output.messages", "outputs", func(r *reader, v attribute.Value, _ rank) { r.genAI.output = v }),
		toJSON("gen_ai.prompt", Inputs, "prompt"),
		toJSON("gen_ai.completion", Outputs, "completion"),
		keys("gen_ai.prompt.variable.", Inputs),

		to("gen_ai.tool.name", Metadata, "tool_name"),
		to("gen_ai.tool.call.id", Metadata, "tool_call_id"),
		to("gen_ai.tool.type", Metadata, "tool_type"),
		to("gen_ai.tool.description", Metadata, "tool_description"),
		spread("gen_ai.tool.call.arguments", Inputs, "arguments"),
		spread("gen_ai.tool.call.result", Outputs, "result"),
		to("gen_ai.retrieval.query.text", Inputs, "query"),
		toJSON("gen_ai.retrieval.documents", Outputs, "documents"),
		to("gen_ai.memory.query.text", Inputs, "query"),
		set("gen_ai.memory.records", "inputs.records, outputs.records", func(r *reader, v attribute.Value, _ rank) { r.genAI.records = v }),
		each("gen_ai.memory.", Metadata, "memory_"),

		tokens("gen_ai.usage.input_tokens", "prompt_tokens", promptTokens),
		tokens("gen_ai.usage.prompt_tokens", "prompt_tokens", promptTokens),
		tokens("gen_ai.usage.output_tokens", "completion_tokens", completionTokens),
		tokens("gen_ai.usage.completion_tokens", "completion_tokens", completionTokens),
		to("gen_ai.usage.total_tokens", Metadata, "total_tokens"),
		to("gen_ai.usage.cache_read.input_tokens", Metadata, "cache_read_input_tokens"),
		to("gen_ai.usage.cache_write.input_tokens", Metadata, "cache_write_input_tokens"),
		to("gen_ai.usage.cache_creation.input_tokens", Metadata, "cache_write_input_tokens"),
		to("gen_ai.usage.reasoning.output_tokens", Metadata, "reasoning_tokens"),
		each("gen_ai.usage.", Metadata, ""),

		set("gen_ai.response.time_to_first_chunk", "metadata.time_to_first_chunk_ms", func(r *reader, v attribute.Value, from rank) {
			if seconds, ok := finite(v); ok {
				v = attribute.Float64Value(seconds * 1000)
			}
			r.buckets[Metadata].putValue("time_to_first_chunk_ms", v, from)
		}),
		to("gen_ai.response.finish_reasons", Metadata, "finish_reasons"),
		to("openai.response.service_tier", Metadata, "response_service_tier"),
		to("gen_ai.openai.response.service_tier", Metadata, "response_service_tier"),
		to("openai.response.system_fingerprint", Metadata, "system_fingerprint"),
		to("gen_ai.openai.response.system_fingerprint", Metadata, "system_fingerprint"),
		to("openai.api.type", Metadata, "api_type"),
		each("gen_ai.response.", Metadata, "response_"),
		each("gen_ai.agent.", Metadata, "agent_"),
		set("gen_ai.workflow.name", "metadata.agent_name, metadata.workflow_name", func(r *reader, v attribute.Value, from rank) {
			r.buckets[Metadata].putValue("agent_name", v, from) // its name since v0.1.0
			r.buckets[Metadata].putValue("workflow_name", v, from)
		}),
		each("gen_ai.main_agent.", Metadata, "main_agent_"),
		to("gen_ai.conversation.compacted", Metadata, "conversation_compacted"),

		setText("session.id", "session_id", func(r *reader) *ranked { return &r.sessionID }),
		set("gen_ai.conversation.id", "session_id, metadata.conversation_id", func(r *reader, v attribute.Value, from rank) {
			r.sessionID.put(str(v), from)
			r.buckets[Metadata].putValue("conversation_id", v, from)
		}),
		to("user.id", UserProperties, "user_id"),
		to("enduser.id", UserProperties, "user_id"),
		to("enduser.pseudo.id", UserProperties, "user_id"),
		to("user.name", UserProperties, "user_name"),
		to("user.full_name", UserProperties, "user_full_name"),
		to("user.email", UserProperties, "user_email"),
		setText("error.type", "error, metadata.error_type", func(r *reader) *ranked { return &r.errType }),
	},
	finish: (*reader).finishGenAI,
	events: map[string]eventReader{
		"gen_ai.evaluation.result":  (*reader).evaluation,
		"gen_ai.content.prompt":     (*reader).contentEvent,
		"gen_ai.content.completion": (*reader).contentEvent,
	},
}

// operationTypes are the event types of gen_ai.operation.name.
var operationTypes = map[string]string{
	"chat":             honeyhive.TypeModel,
	"text_completion":  honeyhive.TypeModel,
	"generate_content": honeyhive.TypeModel,
	"fetch_response":   honeyhive.TypeModel,
	"embeddings":       honeyhive.TypeTool,
	"retrieval":        honeyhive.TypeTool,
	"execute_tool":     honeyhive.TypeTool,
	"search_memory":    honeyhive.TypeTool,
	"create_memory":    honeyhive.TypeTool,
	"update_memory":    honeyhive.TypeTool,
	"upsert_memory":    honeyhive.TypeTool,
	"delete_memory":    honeyhive.TypeTool,

	"create_memory_store": honeyhive.TypeTool,
	"delete_memory_store": honeyhive.TypeTool,

	"create_agent":    honeyhive.TypeChain,
	"invoke_agent":    honeyhive.TypeChain,
	"invoke_workflow": honeyhive.TypeChain,
	"plan":            honeyhive.TypeChain,
}

// genAIParts are the attributes that speak together.
type genAIParts struct {
	operation                      string
	input, output, system, records attribute.Value
}

func (r *reader) setOperation(v attribute.Value, from rank) {
	r.genAI.operation = str(v)
	r.eventType.put(operationTypes[str(v)], from)
	r.buckets[Metadata].putValue("operation_name", v, from)
}

func (r *reader) finishGenAI(from rank) {
	p := &r.genAI
	if p.input.Type() != attribute.EMPTY || p.system.Type() != attribute.EMPTY {
		r.buckets[Inputs].putGroup(from, []string{"chat_history"}, func(*bucketReader) []member {
			return []member{{key: "chat_history", text: chatHistory(p.system, p.input)}}
		})
	}
	if p.output.Type() != attribute.EMPTY {
		r.buckets[Outputs].putGroup(from, outputMarks, func(*bucketReader) []member { return outputMembers(chatMessages(structured(p.output))) })
	}
	if p.records.Type() != attribute.EMPTY {
		at := Inputs
		if p.operation == "search_memory" {
			at = Outputs
		}
		r.buckets[at].put("records", structured(p.records), from)
	}
	if r.promptTokens.set && r.completionTokens.set {
		prompt, completion := r.promptTokens, r.completionTokens
		r.buckets[Metadata].putGroup(rankDerived, totalMarks, func(*bucketReader) []member {
			if total, ok := sum(prompt, completion); ok {
				return []member{{key: "total_tokens", text: total}}
			}
			return nil
		})
	}
}

var totalMarks = []string{"total_tokens"}

// tokens puts a count into the metadata, and keeps it for the sum.
func tokens(name, key string, at func(*reader) *ranked) rule {
	return set(name, "metadata."+key, func(r *reader, v attribute.Value, from rank) {
		r.buckets[Metadata].putValue(key, v, from)
		if v.Type() == attribute.INT64 {
			at(r).put(plain(v), from)
		}
	})
}

func promptTokens(r *reader) *ranked     { return &r.promptTokens }
func completionTokens(r *reader) *ranked { return &r.completionTokens }

// sum adds two counts, unless one is missing, negative or too large.
func sum(a, b ranked) (string, bool) {
	x, xErr := strconv.ParseInt(a.text, 10, 64)
	y, yErr := strconv.ParseInt(b.text, 10, 64)
	return strconv.FormatInt(x+y, 10), xErr == nil && yErr == nil && x >= 0 && y >= 0 && x+y >= 0
}

// contentEvent reads the events of early versions that carry a prompt or a
// completion, as if their attributes were the span's.
func (r *reader) contentEvent(e *Event, _ rank) bool {
	for _, kv := range e.Attributes {
		r.attribute(kv)
	}
	return true
}

// evaluation reads the result of an evaluation of the span.
func (r *reader) evaluation(e *Event, from rank) bool {
	name := "evaluation"
	var values []pair
	complete := true
	for _, kv := range e.Attributes {
		switch kv.Key {
		case "gen_ai.evaluation.name":
			if s := str(kv.Value); s != "" {
				name = s
			}
		case "gen_ai.evaluation.score.value":
			values = append(values, pair{"", plain(kv.Value)})
		case "gen_ai.evaluation.score.label":
			values = append(values, pair{"_label", plain(kv.Value)})
		case "gen_ai.evaluation.explanation":
			values = append(values, pair{"_explanation", plain(kv.Value)})
		default:
			complete = false
		}
	}
	metrics := &r.buckets[Metrics]
	for _, v := range values {
		if metrics.place(valid(name)+v.key) >= 0 {
			return false // of two results with one name, the first counts
		}
	}
	for _, v := range values {
		metrics.put(valid(name)+v.key, v.text, from)
	}
	return complete && len(values) > 0
}
