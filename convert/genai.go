package convert

import (
	"strconv"
	"strings"

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
	// The main agent is an attribute of the process, too.
	identity: []string{"gen_ai.conversation.id", "gen_ai.main_agent."},
	rules: []rule{
		set(operationName, "event_type, metadata.operation_name", (*reader).setOperation),
		to("gen_ai.provider.name", Config, "provider"),
		to("gen_ai.system", Config, "provider"),
		modelName("gen_ai.request.model"),
		responseModel("gen_ai.response.model"),
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
		to("gen_ai.request.is_stream", Config, "stream"),
		each("gen_ai.request.", Config, ""),

		set("gen_ai.input.messages", "inputs.chat_history", func(r *reader, v attribute.Value, _ rank) { r.genAI.input = v }),
		set("gen_ai.system_instructions", "inputs.chat_history", func(r *reader, v attribute.Value, _ rank) { r.genAI.system = v }),
		set("gen_ai.output.messages", "outputs", func(r *reader, v attribute.Value, _ rank) { r.genAI.output = v }),
		hold("gen_ai.prompt", "inputs.prompt, inputs.chat_history"),
		hold("gen_ai.completion", "outputs.completion, outputs"),
		keys("gen_ai.prompt.variable.", Inputs),

		hinting(hintTool, to("gen_ai.tool.name", Metadata, "tool_name")),
		hinting(hintTool, to("gen_ai.tool.call.id", Metadata, "tool_call_id")),
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
		hinting(hintUsage, to("gen_ai.usage.total_tokens", Metadata, "total_tokens")),
		to("gen_ai.usage.cache_read.input_tokens", Metadata, "cache_read_input_tokens"),
		to("gen_ai.usage.cache_write.input_tokens", Metadata, "cache_write_input_tokens"),
		to("gen_ai.usage.cache_creation.input_tokens", Metadata, "cache_write_input_tokens"),
		to("gen_ai.usage.reasoning.output_tokens", Metadata, "reasoning_tokens"),
		to("gen_ai.usage.input_cached_tokens", Metadata, "cache_read_input_tokens"),
		to("gen_ai.usage.cache_write_input_tokens", Metadata, "cache_write_input_tokens"),
		set("gen_ai.usage.input_token_details", "metadata.*_tokens", (*reader).usageDetails),
		set("gen_ai.usage.output_token_details", "metadata.*_tokens", (*reader).usageDetails),
		each("gen_ai.usage.", Metadata, ""),
		tokens("gen_ai.aggregated_usage.input_tokens", "prompt_tokens", promptTokens),
		tokens("gen_ai.aggregated_usage.output_tokens", "completion_tokens", completionTokens),
		to("gen_ai.aggregated_usage.cache_read.input_tokens", Metadata, "cache_read_input_tokens"),
		each("gen_ai.aggregated_usage.", Metadata, ""),

		firstToken("gen_ai.response.time_to_first_chunk", seconds),
		firstToken("gen_ai.response.time_to_first_token", seconds),
		firstToken("gen_ai.client.operation.time_to_first_chunk", seconds),
		firstToken("gen_ai.client.inference.time_to_first_chunk", seconds),
		set("gen_ai.server.time_to_first_token", "metadata."+firstTokenKey, func(r *reader, v attribute.Value, from rank) {
			unit := seconds
			if strings.HasPrefix(r.span.Scope, strandsScope) {
				unit = 1
			}
			r.firstToken(v, unit, from)
		}),
		firstToken("gen_ai.server.ttft", seconds),
		finishReasons("gen_ai.response.finish_reasons"),
		to("openai.response.service_tier", Metadata, "response_service_tier"),
		to("gen_ai.openai.response.service_tier", Metadata, "response_service_tier"),
		to("openai.response.system_fingerprint", Metadata, "system_fingerprint"),
		to("gen_ai.openai.response.system_fingerprint", Metadata, "system_fingerprint"),
		to("openai.api.type", Metadata, "api_type"),
		each("gen_ai.response.", Metadata, "response_"),
		hinting(hintAgent, to("gen_ai.agent.name", Metadata, "agent_name")),
		each("gen_ai.agent.", Metadata, "agent_"),
		set("gen_ai.workflow.name", "metadata.agent_name, metadata.workflow_name", func(r *reader, v attribute.Value, from rank) {
			r.buckets[Metadata].putValue("agent_name", v, from) // its name since v0.1.0
			r.buckets[Metadata].putValue("workflow_name", v, from)
		}),
		each("gen_ai.main_agent.", Metadata, "main_agent_"),
		to("gen_ai.conversation.compacted", Metadata, "conversation_compacted"),

		late(hold("gen_ai.evaluation.name", "metrics")),
		late(hold("gen_ai.evaluation.score.value", "metrics.*")),
		late(hold("gen_ai.evaluation.score.label", "metrics.*_label")),
		late(hold("gen_ai.evaluation.explanation", "metrics.*_explanation")),

		session("session.id"),
		set("gen_ai.conversation.id", "session_id, metadata.conversation_id", func(r *reader, v attribute.Value, from rank) {
			r.sessionID.put(str(v), from+rankThread)
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

		"gen_ai.client.inference.operation.details": (*reader).contentEvent,

		"gen_ai.system.message":    (*reader).messageEvent,
		"gen_ai.user.message":      (*reader).messageEvent,
		"gen_ai.assistant.message": (*reader).messageEvent,
		"gen_ai.tool.message":      (*reader).messageEvent,
		"gen_ai.choice":            (*reader).messageEvent,
	},
}

const seconds = 1000.0 // in milliseconds

// operationKinds are the kinds of gen_ai.operation.name: those of the conventions, and
// what instrumentations write beside these.
var operationKinds = map[string]string{
	"chat":             honeyhive.TypeModel,
	"text_completion":  honeyhive.TypeModel,
	"generate_content": honeyhive.TypeModel,
	"fetch_response":   honeyhive.TypeModel,
	"embeddings":       kindEmbedding,
	"retrieval":        kindRetriever,
	"execute_tool":     honeyhive.TypeTool,
	"search_memory":    honeyhive.TypeTool,
	"create_memory":    honeyhive.TypeTool,
	"update_memory":    honeyhive.TypeTool,
	"upsert_memory":    honeyhive.TypeTool,
	"delete_memory":    honeyhive.TypeTool,

	"create_memory_store": honeyhive.TypeTool,
	"delete_memory_store": honeyhive.TypeTool,

	"create_agent":    kindAgent,
	"invoke_agent":    kindAgent,
	"invoke_workflow": honeyhive.TypeChain,
	"plan":            honeyhive.TypeChain,

	"call_llm":         honeyhive.TypeModel,
	"completion":       honeyhive.TypeModel,
	"responses":        honeyhive.TypeModel,
	"message":          honeyhive.TypeModel,
	"messages":         honeyhive.TypeModel,
	"generate":         honeyhive.TypeModel,
	"image_generation": honeyhive.TypeModel,
	"image":            honeyhive.TypeModel,
	"audio":            honeyhive.TypeModel,
	"speech":           honeyhive.TypeModel,
	"transcription":    honeyhive.TypeModel,
	"embedding":        kindEmbedding,
	"embed":            kindEmbedding,
	"retrieve":         kindRetriever,
	"vectordb":         kindRetriever,
	"rerank":           kindReranker,
	"tool":             honeyhive.TypeTool,
	"agent":            kindAgent,
	"guardrail":        kindGuardrail,
	"evaluate":         kindEvaluator,
	"evaluation":       kindEvaluator,
}

// genAIParts are the attributes that speak together.
type genAIParts struct {
	operation                      string
	input, output, system, records attribute.Value

	given, answers []string // messages that stood in events of the span
}

func (r *reader) setOperation(v attribute.Value, from rank) {
	r.genAI.operation = str(v)
	r.is(operationKinds[str(v)], from)
	if str(v) != "" {
		r.hint(hintStep)
	}
	r.buckets[Metadata].putValue("operation_name", v, from)
}

func (r *reader) finishGenAI(from rank) {
	p := &r.genAI
	if p.operation == "execute_tool" && r.toolMessages(from.last()) {
		p.input, p.output, p.given, p.answers = attribute.Value{}, attribute.Value{}, nil, nil
	}
	r.putChat(p.given, from.last())
	r.putAnswer(p.answers, from.last())
	r.finishPrompts(from.last())
	r.finishEvaluation(from)
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
	return set(name, "metadata."+key+", event_type", func(r *reader, v attribute.Value, from rank) {
		r.hint(hintUsage)
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

// contentEvent reads the events that carry what a model was sent and gave, as if their
// GenAI attributes were the span's. An event with more stays in the metadata as well.
func (r *reader) contentEvent(e *Event, _ rank) bool {
	complete := true
	for _, kv := range e.Attributes {
		if strings.HasPrefix(string(kv.Key), "gen_ai.") {
			r.attribute(kv)
		} else if kv.Key != "event.name" {
			complete = false
		}
	}
	return complete
}
