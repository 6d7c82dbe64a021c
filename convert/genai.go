package convert

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// genAI is the dialect of the OpenTelemetry semantic conventions for generative
// AI: version 1.41, the last one in the core repository, the names that the
// repository of its own (semantic-conventions-genai) added since, and the
// deprecated ones that instrumentations still write.
var genAI = dialect{
	name:     "OpenTelemetry GenAI",
	base:     rankGenAI,
	prefixes: []string{"gen_ai."},
	rules: []rule{
		set("gen_ai.operation.name", "event_type, metadata.operation_name", func(r *reader, v attribute.Value, from rank) {
			r.eventType.put(operationTypes[str(v)], from)
			r.buckets[Metadata].put("operation_name", plain(v), from)
		}),
		to("gen_ai.provider.name", Config, "provider"),
		to("gen_ai.system", Config, "provider"),
		to("gen_ai.request.model", Config, "model"),
		set("gen_ai.response.model", "metadata.response_model, config.model", func(r *reader, v attribute.Value, from rank) {
			r.buckets[Metadata].put("response_model", plain(v), from)
			r.buckets[Config].put("model", plain(v), from)
		}),
		to("gen_ai.output.type", Config, "output_type"),
		to("gen_ai.embeddings.dimension.count", Config, "dimensions"),
		toJSON("gen_ai.tool.definitions", Config, "tools"),
		to("gen_ai.prompt.name", Config, "prompt_name"),
		to("gen_ai.prompt.version", Config, "prompt_version"),
		to("gen_ai.data_source.id", Config, "data_source_id"),
		each("gen_ai.request.", Config, ""),

		set("gen_ai.input.messages", "inputs.chat_history", func(r *reader, v attribute.Value, _ rank) { r.genAI.input = v }),
		set("gen_ai.system_instructions", "inputs.chat_history", func(r *reader, v attribute.Value, _ rank) { r.genAI.system = v }),
		set("gen_ai.output.messages", "outputs", func(r *reader, v attribute.Value, _ rank) { r.genAI.output = v }),
		toJSON("gen_ai.prompt", Inputs, "prompt"),
		toJSON("gen_ai.completion", Outputs, "completion"),
		each("gen_ai.prompt.variable.", Inputs, ""),

		to("gen_ai.tool.name", Metadata, "tool_name"),
		to("gen_ai.tool.call.id", Metadata, "tool_call_id"),
		to("gen_ai.tool.type", Metadata, "tool_type"),
		to("gen_ai.tool.description", Metadata, "tool_description"),
		spread("gen_ai.tool.call.arguments", Inputs, "arguments"),
		spread("gen_ai.tool.call.result", Outputs, "result"),
		to("gen_ai.retrieval.query.text", Inputs, "query"),
		toJSON("gen_ai.retrieval.documents", Outputs, "documents"),

		set("gen_ai.usage.input_tokens", "metadata.prompt_tokens", func(r *reader, v attribute.Value, from rank) { r.tokens(&r.genAI.inputTokens, "prompt_tokens", v, from) }),
		set("gen_ai.usage.prompt_tokens", "metadata.prompt_tokens", func(r *reader, v attribute.Value, from rank) { r.tokens(&r.genAI.inputTokens, "prompt_tokens", v, from) }),
		set("gen_ai.usage.output_tokens", "metadata.completion_tokens", func(r *reader, v attribute.Value, from rank) { r.tokens(&r.genAI.outputTokens, "completion_tokens", v, from) }),
		set("gen_ai.usage.completion_tokens", "metadata.completion_tokens", func(r *reader, v attribute.Value, from rank) { r.tokens(&r.genAI.outputTokens, "completion_tokens", v, from) }),
		to("gen_ai.usage.total_tokens", Metadata, "total_tokens"),
		to("gen_ai.usage.cache_read.input_tokens", Metadata, "cache_read_input_tokens"),
		to("gen_ai.usage.cache_write.input_tokens", Metadata, "cache_write_input_tokens"),
		to("gen_ai.usage.cache_creation.input_tokens", Metadata, "cache_write_input_tokens"),
		to("gen_ai.usage.reasoning.output_tokens", Metadata, "reasoning_tokens"),
		each("gen_ai.usage.", Metadata, ""),

		set("gen_ai.response.time_to_first_chunk", "metadata.time_to_first_chunk_ms", func(r *reader, v attribute.Value, from rank) {
			if seconds, ok := finite(v); ok {
				r.buckets[Metadata].put("time_to_first_chunk_ms", plain(attribute.Float64Value(seconds*1000)), from)
			}
		}),
		to("gen_ai.response.finish_reasons", Metadata, "finish_reasons"),
		each("gen_ai.response.", Metadata, "response_"),
		each("gen_ai.agent.", Metadata, "agent_"),
		to("gen_ai.workflow.name", Metadata, "workflow_name"),

		setText("session.id", "session_id", func(r *reader) *ranked { return &r.sessionID }),
		set("gen_ai.conversation.id", "session_id, metadata.conversation_id", func(r *reader, v attribute.Value, from rank) {
			r.sessionID.put(str(v), from)
			r.buckets[Metadata].put("conversation_id", plain(v), from)
		}),
		to("user.id", UserProperties, "user_id"),
		to("enduser.id", UserProperties, "user_id"),
		setText("error.type", "error, metadata.error_type", func(r *reader) *ranked { return &r.errType }),
	},
	finish: func(r *reader, from rank) { r.genAI.finish(r, from) },
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
	"create_agent":     honeyhive.TypeChain,
	"invoke_agent":     honeyhive.TypeChain,
	"invoke_workflow":  honeyhive.TypeChain,
	"plan":             honeyhive.TypeChain,
}

// genAIParts are the attributes that speak together.
type genAIParts struct {
	input, output, system     attribute.Value
	inputTokens, outputTokens ranked
}

// tokens keeps a count for the sum.
func (r *reader) tokens(at *ranked, key string, v attribute.Value, from rank) {
	r.buckets[Metadata].put(key, plain(v), from)
	if v.Type() == attribute.INT64 {
		at.put(plain(v), from)
	}
}

func (p *genAIParts) finish(r *reader, from rank) {
	hasInput, hasSystem := p.input.Type() != attribute.EMPTY, p.system.Type() != attribute.EMPTY
	if hasInput || hasSystem {
		r.buckets[Inputs].putGroup(from, []string{"chat_history"}, func() []member {
			return []member{{key: "chat_history", text: chatHistory(p.system, p.input)}}
		})
	}
	if p.output.Type() != attribute.EMPTY {
		r.buckets[Outputs].putGroup(from, outputMarks, func() []member { return outputMembers(chatMessages(structured(p.output))) })
	}
	in, inErr := strconv.ParseInt(p.inputTokens.text, 10, 64)
	out, outErr := strconv.ParseInt(p.outputTokens.text, 10, 64)
	if inErr == nil && outErr == nil && in >= 0 && out >= 0 && in+out >= 0 {
		r.buckets[Metadata].putGroup(rankRest, []string{"total_tokens"}, func() []member {
			return []member{{key: "total_tokens", text: strconv.FormatInt(in+out, 10)}}
		})
	}
}
