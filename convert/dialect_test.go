package convert_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
)

// golden converts spans and compares their records with a file.
func golden(t *testing.T, file string, cases []dialectCase) {
	t.Helper()
	var b strings.Builder
	b.WriteString("{")
	for i, tt := range cases {
		rec := convert.Convert(tt.span)
		t.Run(tt.name, func(t *testing.T) { valid(t, &rec) })
		if i > 0 {
			b.WriteString(",")
		}
		name, err := json.Marshal(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(name)
		b.WriteString(":")
		b.Write(payload(&rec))
	}
	b.WriteString("}")
	compareGolden(t, file, indented(t, []byte(b.String()))+"\n")
}

type dialectCase struct {
	name string
	span *convert.Span
}

func TestGenAI(t *testing.T) {
	chat := newSpan(
		"gen_ai.operation.name", "chat",
		"gen_ai.provider.name", "openai",
		"gen_ai.request.model", "gpt-4o",
		"gen_ai.response.model", "gpt-4o-2024-08-06",
		"gen_ai.response.id", "chatcmpl-1",
		"gen_ai.response.finish_reasons", []string{"tool_call"},
		"gen_ai.response.time_to_first_chunk", 0.25,
		"gen_ai.request.temperature", 0.5,
		"gen_ai.request.max_tokens", 100,
		"gen_ai.request.stop_sequences", []string{"END"},
		"gen_ai.request.stream", true,
		"gen_ai.request.reasoning.level", "low",
		"gen_ai.output.type", "text",
		"openai.request.service_tier", "auto",
		"openai.response.service_tier", "default",
		"openai.response.system_fingerprint", "fp_1",
		"openai.api.type", "chat_completions",
		"gen_ai.usage.input_tokens", 12,
		"gen_ai.usage.output_tokens", 34,
		"gen_ai.usage.cache_read.input_tokens", 5,
		"gen_ai.usage.cache_write.input_tokens", 6,
		"gen_ai.usage.reasoning.output_tokens", 7,
		"gen_ai.usage.audio.input_tokens", 8,
		"gen_ai.conversation.id", "thread 7",
		"gen_ai.conversation.compacted", true,
		"gen_ai.system_instructions", `[{"type":"text","content":"Be brief."},{"type":"text","content":"Be kind."}]`,
		"gen_ai.input.messages", `[
			{"role":"user","name":"ada","parts":[{"type":"text","content":"Weather in Paris?"},{"type":"uri","modality":"image","uri":"https://img.example/1.png"}]},
			{"role":"assistant","parts":[{"type":"reasoning","content":"Call the tool."},{"type":"tool_call","id":"call_1","name":"weather","arguments":{"city":"Paris"}}]},
			{"role":"tool","parts":[{"type":"tool_call_response","id":"call_1","response":{"temperature":21}},{"type":"tool_call_response","id":"call_2","result":"none"}]}
		]`,
		"gen_ai.output.messages", `[{"role":"assistant","finish_reason":"tool_call","parts":[{"type":"text","content":"Wait."},{"type":"tool_call","id":"call_3","name":"weather","arguments":"{\"city\":\"Rome\"}"}]}]`,
		"gen_ai.tool.definitions", `[{"type":"function","name":"weather"}]`,
		"server.address", "api.openai.com",
		"user.id", "u-1",
	)
	structured := newSpan(
		"gen_ai.operation.name", "generate_content",
		"gen_ai.system", "gcp.gemini",
		"gen_ai.input.messages", attribute.SliceValue(attribute.MapValue(
			attribute.String("role", "user"),
			attribute.Slice("parts", attribute.MapValue(attribute.String("type", "text"), attribute.String("content", "Hi"))),
		)),
		"gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"One"}],"finish_reason":"stop"},{"role":"assistant","parts":[{"type":"text","content":"Two"}],"finish_reason":"length"}]`,
	)
	evaluated := newSpan("gen_ai.operation.name", "chat")
	evaluated.Events = []convert.Event{
		{Name: "gen_ai.evaluation.result", Attributes: attributes(
			"gen_ai.evaluation.name", "relevance", "gen_ai.evaluation.score.value", 0.75,
			"gen_ai.evaluation.score.label", "relevant", "gen_ai.evaluation.explanation", "It answers.")},
		{Name: "gen_ai.evaluation.result", Attributes: attributes("gen_ai.evaluation.score.value", 1)},
		{Name: "gen_ai.evaluation.result", Attributes: attributes("gen_ai.evaluation.name", "relevance", "gen_ai.evaluation.score.value", 0.5)},
		{Name: "gen_ai.evaluation.result", Time: time.UnixMilli(5), Attributes: attributes("gen_ai.evaluation.name", "broken", "error.type", "timeout")},
	}
	early := newSpan("gen_ai.system", "cohere", "gen_ai.usage.prompt_tokens", 3, "gen_ai.usage.completion_tokens", 4, "gen_ai.usage.total_tokens", 8)
	early.Events = []convert.Event{
		{Name: "gen_ai.content.prompt", Attributes: attributes("gen_ai.prompt", "Say hi")},
		{Name: "gen_ai.content.completion", Attributes: attributes("gen_ai.completion", "hi")},
	}
	failed := newSpan("gen_ai.operation.name", "chat", "error.type", "rate_limit")
	failed.Failed = true
	golden(t, "genai.json", []dialectCase{
		{"chat", chat},
		{"structured values, two choices", structured},
		{"embeddings", newSpan("gen_ai.operation.name", "embeddings", "gen_ai.request.model", "e5", "gen_ai.embeddings.dimension.count", 512,
			"gen_ai.request.encoding_formats", []string{"float"}, "gen_ai.usage.input_tokens", 9)},
		{"retrieval", newSpan("gen_ai.operation.name", "retrieval", "gen_ai.data_source.id", "kb", "gen_ai.request.top_k", 2, "gen_ai.retrieval.query.text", "capital?",
			"gen_ai.retrieval.documents", `[{"id":"d1","score":0.9,"content":"Paris"},{"id":"d2","score":0.5}]`)},
		{"tool with objects", newSpan("gen_ai.operation.name", "execute_tool", "gen_ai.tool.name", "weather", "gen_ai.tool.call.id", "call_1", "gen_ai.tool.type", "function",
			"gen_ai.tool.description", "Tells the weather", "gen_ai.tool.call.arguments", `{"city":"Paris"}`, "gen_ai.tool.call.result", `{"temperature":21}`)},
		{"tool with text", newSpan("gen_ai.operation.name", "execute_tool", "gen_ai.tool.call.arguments", "Paris", "gen_ai.tool.call.result", "sunny")},
		{"agent", newSpan("gen_ai.operation.name", "invoke_agent", "gen_ai.agent.name", "planner", "gen_ai.agent.id", "a1", "gen_ai.workflow.name", "trip")},
		{"prompt from a library", newSpan("gen_ai.operation.name", "text_completion", "gen_ai.prompt.name", "greet", "gen_ai.prompt.version", "2",
			"gen_ai.prompt.variable.user.name", "Ada", "gen_ai.prompt", "Hello Ada", "gen_ai.completion", `["Hi"]`)},
		{"memory searched", newSpan("gen_ai.operation.name", "search_memory", "gen_ai.memory.store.id", "m1", "gen_ai.memory.query.text", "tastes", "gen_ai.memory.record.count", 1,
			"gen_ai.memory.records", `[{"id":"r1","content":"tea"}]`)},
		{"memory written", newSpan("gen_ai.operation.name", "create_memory", "gen_ai.memory.records", `[{"content":"tea"}]`)},
		{"unknown operation", newSpan("gen_ai.operation.name", "dream")},
		{"evaluations", evaluated},
		{"names of early versions", early},
		{"error type", failed},
	})
}

func TestOpenInference(t *testing.T) {
	llm := newSpan(
		"openinference.span.kind", "LLM",
		"llm.provider", "azure",
		"llm.system", "openai",
		"llm.model_name", "gpt-4o-2024-08-06",
		"llm.request.model_name", "gpt-4o",
		"llm.response.model_name", "gpt-4o-2024-08-06",
		"llm.invocation_parameters", `{"model":"gpt-4o","temperature":0.5,"max_tokens":null}`,
		"llm.finish_reason", "stop",
		"llm.input_messages.0.message.role", "system",
		"llm.input_messages.0.message.content", "Be brief.",
		"llm.input_messages.1.message.role", "user",
		"llm.input_messages.1.message.contents.0.message_content.type", "text",
		"llm.input_messages.1.message.contents.0.message_content.text", "What is this?",
		"llm.input_messages.1.message.contents.1.message_content.type", "image",
		"llm.input_messages.1.message.contents.1.message_content.image.image.url", "https://img.example/1.png",
		"llm.input_messages.1.message.contents.2.message_content.type", "audio",
		"llm.input_messages.1.message.contents.2.message_content.audio.audio.url", "data:audio/wav;base64,AAAA",
		"llm.input_messages.1.message.contents.2.message_content.audio.audio.mime_type", "audio/wav",
		"llm.input_messages.2.message.role", "assistant",
		"llm.input_messages.2.message.contents.0.message_content.type", "reasoning",
		"llm.input_messages.2.message.contents.0.message_content.text", "A cat?",
		"llm.input_messages.2.message.contents.0.message_content.signature", "c2ln",
		"llm.input_messages.2.message.contents.1.message_content.type", "tool_use",
		"llm.input_messages.2.message.contents.1.tool_call.id", "call_0",
		"llm.input_messages.2.message.contents.1.tool_call.function.name", "zoom",
		"llm.input_messages.2.message.contents.1.tool_call.function.arguments", `{"factor":2}`,
		"llm.input_messages.3.message.role", "tool",
		"llm.input_messages.3.message.name", "zoom",
		"llm.input_messages.3.message.tool_call_id", "call_0",
		"llm.input_messages.3.message.content", `{"found":"cat"}`,
		"llm.input_messages.10.message.role", "user",
		"llm.input_messages.10.message.content", "And now?",
		"llm.output_messages.0.message.role", "assistant",
		"llm.output_messages.0.message.content", "A cat.",
		"llm.output_messages.0.message.tool_calls.0.tool_call.id", "call_1",
		"llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "save",
		"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments", `{"name": "cat"}`,
		"llm.output_messages.0.message.tool_calls.1.tool_call.function.name", "done",
		"llm.output_messages.0.message.tool_calls.1.tool_call.reasoning_signature", "c2ln",
		"input.value", `{"messages":[{"role":"system","content":"Be brief."}],"model":"gpt-4o"}`,
		"input.mime_type", "application/json",
		"output.value", `{"choices":[{"message":{"role":"assistant","content":"A cat."}}],"id":"x"}`,
		"output.mime_type", "application/json",
		"llm.tools.0.tool.json_schema", `{"type":"function","function":{"name":"save"}}`,
		"llm.tools.0.tool.name", "save",
		"llm.tools.1.tool.name", "done",
		"llm.tools.1.tool.description", "Ends it",
		"llm.token_count.prompt", 20,
		"llm.token_count.completion", 10,
		"llm.token_count.total", 31,
		"llm.token_count.prompt_details.cache_read", 1,
		"llm.token_count.prompt_details.cache_write", 2,
		"llm.token_count.prompt_details.audio", 3,
		"llm.token_count.completion_details.audio", 4,
		"llm.token_count.completion_details.reasoning", 5,
		"llm.token_count.completion_details.video", 6,
		"llm.cost.total", 0.0066,
		"llm.cost.prompt", 0.0021,
		"llm.cost.prompt_details.cache_read", 0.0003,
		"llm.prompt_template.template", "What is {thing}?",
		"llm.prompt_template.variables", `{"thing":"this"}`,
		"llm.prompt_template.version", "v1",
		"prompt.vendor", "phoenix",
		"prompt.id", "p1",
		"metadata", `{"release":"r9","n":9007199254740993}`,
		"tag.tags", []string{"a", "b"},
		"session.id", "chat 9",
		"user.id", "u-1",
	)
	judged := newSpan(
		"openinference.span.kind", "EVALUATOR",
		"evaluations.0.evaluation.name", "relevance",
		"evaluations.0.evaluation.score", 0.95,
		"evaluations.0.evaluation.label", "relevant",
		"evaluations.0.evaluation.annotator_kind", "LLM",
		"evaluations.0.evaluation.metadata", `{"rubric":"2"}`,
		"annotations.0.annotation.name", "helpful",
		"annotations.0.annotation.score", 1,
		"annotations.0.annotation.explanation", "Thanks!",
		"annotations.0.annotation.annotator_kind", "HUMAN",
		"annotations.1.annotation.label", "nameless",
		"session.evaluations.0.evaluation.name", "coherence",
		"session.evaluations.0.evaluation.score", 0.5,
	)
	raised := newSpan("openinference.span.kind", "CHAIN", "exception.type", "ValueError", "exception.message", "no such thing", "exception.escaped", true)
	raised.Failed = true
	golden(t, "openinference.json", []dialectCase{
		{"llm", llm},
		{"llm with text beside the messages", newSpan("openinference.span.kind", "LLM",
			"llm.input_messages.0.message.role", "user", "llm.input_messages.0.message.content", "Hi", "input.value", "Hi",
			"llm.output_messages.0.message.role", "assistant", "llm.output_messages.0.message.content", "Hello", "output.value", "Hello, and more", "output.mime_type", "text/plain")},
		{"llm with two choices and old function calls", newSpan("openinference.span.kind", "LLM",
			"llm.output_messages.0.message.role", "assistant", "llm.output_messages.0.message.function_call_name", "add",
			"llm.output_messages.0.message.function_call_arguments_json", `{"x":2}`,
			"llm.output_messages.1.message.role", "assistant", "llm.output_messages.1.message.content", "two")},
		{"completions", newSpan("openinference.span.kind", "LLM", "llm.prompts.0.prompt.text", "def fib(n):", "llm.choices.0.completion.text", " + fib(n-2)", "llm.choices.1.completion.text", " pass",
			"input.value", `{"prompt":"def fib(n):","model":"m"}`)},
		{"retriever", newSpan("openinference.span.kind", "RETRIEVER", "input.value", "capital of France?",
			"retrieval.documents.0.document.id", 1, "retrieval.documents.0.document.content", `{"not":"parsed"}`, "retrieval.documents.0.document.score", 0.98,
			"retrieval.documents.0.document.metadata", `{"page":3}`, "retrieval.documents.0.document.vector", []float64{1, 2},
			"retrieval.documents.1.document.content", "Paris", "retrieval.documents.1.other", "kept")},
		{"reranker", newSpan("openinference.span.kind", "RERANKER", "reranker.query", "capital?", "reranker.model_name", "ce", "reranker.top_k", 1, "input.value", "capital?",
			"reranker.input_documents.0.document.content", "Rome", "reranker.input_documents.1.document.content", "Paris",
			"reranker.output_documents.0.document.content", "Paris", "reranker.output_documents.0.document.score", 0.9)},
		{"embedding", newSpan("openinference.span.kind", "EMBEDDING", "embedding.model_name", "e5", "embedding.invocation_parameters", `{"encoding_format":"float"}`,
			"embedding.embeddings.0.embedding.text", "hello", "embedding.embeddings.0.embedding.vector", []float64{0.1, 0.2},
			"embedding.embeddings.1.embedding.vector", []float64{0.3}, "llm.token_count.prompt", 2,
			"input.value", `{"input":"hello"}`, "output.value", `{"data":[{"embedding":[0.1,0.2]}]}`)},
		{"tool", newSpan("openinference.span.kind", "TOOL", "tool.name", "weather", "tool.id", "call_1", "tool.description", "Tells", "tool.parameters", `{"city":"str"}`,
			"input.value", `{"city":"Paris"}`, "input.mime_type", "application/json", "output.value", `"sunny"`, "output.mime_type", "application/json")},
		{"agent", newSpan("openinference.span.kind", "agent", "agent.name", "planner", "graph.node.id", "n1", "graph.node.parent_id", "n0", "input.value", "[1,2]", "output.value", "{oops")},
		{"chain with text that looks like JSON", newSpan("openinference.span.kind", "CHAIN", "input.value", `{"a":1}`, "input.mime_type", "text/plain", "output.value", "12", "output.mime_type", "application/json")},
		{"guardrail", newSpan("openinference.span.kind", "GUARDRAIL")},
		{"prompt", newSpan("openinference.span.kind", "PROMPT")},
		{"unknown kind", newSpan("openinference.span.kind", "DREAM")},
		{"voice", newSpan("openinference.span.kind", "LLM", "input.audio.url", "data:audio/wav;base64,AA", "input.audio.transcript", "Hi", "output.audio.transcript", "Hello")},
		{"judgements", judged},
		{"exception in attributes", raised},
		{"parts that make no sense", newSpan("llm.input_messages.0", "text", "llm.input_messages.x.message.role", "user", "llm.input_messages.1.message.tool_calls.first", 1,
			"llm.input_messages.1.message.contents", "none", "llm.input_messages.1.message.weight", 3, "llm.tools.0.x", 1)},
		{"parts with more than their dialect says", newSpan(
			"llm.input_messages.0.message.role.x", 1, "llm.input_messages.0.message.content.0.text", "deep", "llm.input_messages.0.extra", true, "llm.input_messages.0", "itself",
			"llm.input_messages.1.message.content", "a", "llm.input_messages.1.message.content.more", "b",
			"llm.input_messages.2.message.tool_calls.0.tool_call.function.strict", true, "llm.input_messages.2.message.tool_calls.0.index", 0, "llm.input_messages.2.message.tool_calls.1.x", 1,
			"llm.input_messages.3.message.contents.0.message_content.type", "image", "llm.input_messages.3.message.contents.0.message_content.image", "https://img.example/1.png",
			"llm.input_messages.3.message.contents.1.message_content.type", "video", "llm.input_messages.3.message.contents.1.message_content.video.length", 2,
			"llm.input_messages.3.message.contents.2.message_content.text", "no type", "llm.input_messages.3.message.contents.3.x", 1,
			"llm.input_messages.3.message.contents.4.message_content.type", "hologram", "llm.input_messages.3.message.contents.4.message_content.data", "x",
			"llm.input_messages.4.message.contents.0.tool_call.id", "c", "llm.input_messages.4.message.contents.0.message_content.type", "tool_use", "llm.input_messages.4.message.contents.0.message_content.id", "m",
			"llm.prompts.0.prompt.id", "no text", "llm.choices.0.completion", "no text",
			"llm.tools.0.tool.name", "f", "llm.tools.0.tool.strict", true, "llm.tools.0.tool.json_schema", "{}")},
	})
}

func TestTraceloop(t *testing.T) {
	chat := newSpan(
		"llm.request.type", "chat",
		"gen_ai.system", "Anthropic",
		"gen_ai.request.model", "claude",
		"llm.top_k", 40,
		"llm.is_streaming", true,
		"llm.chat.stop_sequences", []string{"END"},
		"llm.frequency_penalty", 0.5,
		"llm.presence_penalty", 0.25,
		"llm.headers", `{"x":"y"}`,
		"llm.user", "u-1",
		"llm.request.reasoning_effort", "low",
		"gen_ai.request.structured_output_schema", `{"type":"object"}`,
		"gen_ai.openai.api_base", "https://api.example",
		"gen_ai.openai.system_fingerprint", "fp",
		"gen_ai.prompt.0.role", "system",
		"gen_ai.prompt.0.content", "Be brief.",
		"gen_ai.prompt.1.role", "user",
		"gen_ai.prompt.1.content", `[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"https://img.example/1.png"}}]`,
		"gen_ai.prompt.2.role", "assistant",
		"gen_ai.prompt.2.tool_calls.0.id", "call_0",
		"gen_ai.prompt.2.tool_calls.0.name", "zoom",
		"gen_ai.prompt.2.tool_calls.0.arguments", `{"factor": 2}`,
		"gen_ai.prompt.3.role", "tool",
		"gen_ai.prompt.3.tool_call_id", "call_0",
		"gen_ai.prompt.3.content", `{"found":"cat"}`,
		"gen_ai.prompt.4.role", "user",
		"gen_ai.prompt.4.content", "[1,2]",
		"gen_ai.prompt.prompt_filter_results", `[{"index":0}]`,
		"gen_ai.completion.0.role", "assistant",
		"gen_ai.completion.0.content", `[{"type":"thinking","thinking":"A cat?","signature":"c2ln"},{"type":"text","text":"A cat."},{"type":"tool_use","id":"call_1","name":"save","input":{"name":"cat"}}]`,
		"gen_ai.completion.0.finish_reason", "tool_calls",
		"gen_ai.completion.0.content_filter_results", `{"hate":false}`,
		"llm.usage.total_tokens", 33,
		"gen_ai.usage.prompt_tokens", 20,
		"gen_ai.usage.completion_tokens", 13,
		"gen_ai.usage.cache_read_input_tokens", 1,
		"gen_ai.usage.cache_creation_input_tokens", 2,
		"gen_ai.response.stop_reason", "tool_calls",
		"llm.request.functions.0.name", "save",
		"llm.request.functions.0.description", "Saves",
		"llm.request.functions.0.parameters", `{"type":"object"}`,
		"traceloop.workflow.name", "vision",
		"traceloop.entity.path", "a.b",
		"traceloop.association.properties.session_id", sessionUUID,
		"traceloop.association.properties.user_id", "u-2",
		"traceloop.association.properties.chat.id", "c-3",
	)
	search := newSpan("db.system", "chroma", "db.vector.query.top_k", 2, "traceloop.span.kind", "tool", "traceloop.entity.name", "lookup")
	search.Events = []convert.Event{
		{Name: "db.query.embeddings", Time: time.UnixMilli(7), Attributes: attributes("db.query.embeddings.vector", []float64{1})},
		{Name: "db.query.result", Attributes: attributes("db.query.result.id", "d1", "db.query.result.distance", 0.1, "db.query.result.document", "Paris", "db.query.result.metadata", `{"page":1}`)},
		{Name: "db.search.result", Attributes: attributes("db.search.result.id", 2, "db.search.result.score", 0.9)},
	}
	golden(t, "traceloop.json", []dialectCase{
		{"chat", chat},
		{"function calls", newSpan("llm.request.type", "chat", "gen_ai.completion.0.function_call.name", "add", "gen_ai.completion.0.function_call.arguments", `{"x":1}`,
			"gen_ai.completion.1.tool_calls", `[{"id":"c","type":"function","function":{"name":"sub","arguments":"{\"y\":2}"}}]`, "gen_ai.completion.1.refusal", "no")},
		{"completion of a prompt", newSpan("llm.request.type", "completion", "gen_ai.prompt.0.user", "Say hi", "gen_ai.completion.0.content", "hi")},
		{"first names", newSpan("llm.vendor", "Cohere", "llm.request.type", "chat", "llm.request.model", "command", "llm.response.model", "command-r", "llm.temperature", 0.1, "llm.top_p", 1,
			"llm.request.max_tokens", 5, "llm.prompts.0.role", "user", "llm.prompts.0.content", "Hi", "llm.completions.0.role", "assistant", "llm.completions.0.content", "Hello",
			"llm.usage.prompt_tokens", 1, "llm.usage.completion_tokens", 2, "llm.response.finish_reason", "stop")},
		{"parts with more than the dialect says", newSpan("gen_ai.prompt.0", "bare", "gen_ai.prompt.0.weight", 1, "gen_ai.prompt.1.content.0.type", "deep", "gen_ai.prompt.x.role", "user",
			"gen_ai.completion.0.tool_calls", "none", "gen_ai.completion.0.function_call", "g", "llm.request.functions.0.type", "custom", "llm.request.functions.0.strict", true)},
		{"rerank", newSpan("llm.request.type", "rerank")},
		{"embedding", newSpan("llm.request.type", "embedding", "gen_ai.prompt.0.content", "hello")},
		{"unknown type", newSpan("llm.request.type", "unknown", "traceloop.span.kind", "workflow")},
		{"workflow", newSpan("traceloop.span.kind", "workflow", "traceloop.entity.name", "joke", "traceloop.entity.version", 2,
			"traceloop.entity.input", `{"args":["joke"],"kwargs":{"subject":"otel"}}`, "traceloop.entity.output", `"why did the span cross the road"`)},
		{"task", newSpan("traceloop.span.kind", "task", "traceloop.entity.input", `{"cut":"sho`, "traceloop.entity.output", `[1,2]`)},
		{"agent", newSpan("traceloop.span.kind", "agent")},
		{"tool", search},
		{"prompt from the registry", newSpan("traceloop.prompt.key", "greet", "traceloop.prompt.version", 3, "traceloop.prompt.template", "Hello {{name}}", "traceloop.prompt.template_variables", `{"name":"Ada"}`)},
		{"tools in attributes", newSpan("gen_ai.tool.definitions.0.name", "save", "gen_ai.tool.definitions.0.parameters", `{"type":"object"}`)},
		{"association properties as one", newSpan("traceloop.association.properties", `{"chat":"c"}`, "llm.watsonx.decoding_method", "greedy")},
	})
}

// TestOneShape writes one conversation in three dialects: the records agree.
func TestOneShape(t *testing.T) {
	genAI := newSpan(
		"gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"Hi"}]},
			{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"f","arguments":{"x":1}}]},
			{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":"done"}]}]`,
		"gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"Bye"},{"type":"tool_call","id":"c2","name":"g","arguments":{}}]}]`,
	)
	openInference := newSpan(
		"llm.input_messages.0.message.role", "user", "llm.input_messages.0.message.content", "Hi",
		"llm.input_messages.1.message.role", "assistant", "llm.input_messages.1.message.tool_calls.0.tool_call.id", "c1",
		"llm.input_messages.1.message.tool_calls.0.tool_call.function.name", "f", "llm.input_messages.1.message.tool_calls.0.tool_call.function.arguments", `{"x":1}`,
		"llm.input_messages.2.message.role", "tool", "llm.input_messages.2.message.tool_call_id", "c1", "llm.input_messages.2.message.content", "done",
		"llm.output_messages.0.message.role", "assistant", "llm.output_messages.0.message.content", "Bye", "llm.output_messages.0.message.tool_calls.0.tool_call.id", "c2",
		"llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "g", "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments", `{}`,
	)
	traceloop := newSpan(
		"gen_ai.prompt.0.role", "user", "gen_ai.prompt.0.content", "Hi",
		"gen_ai.prompt.1.role", "assistant", "gen_ai.prompt.1.tool_calls.0.id", "c1", "gen_ai.prompt.1.tool_calls.0.name", "f", "gen_ai.prompt.1.tool_calls.0.arguments", `{"x":1}`,
		"gen_ai.prompt.2.role", "tool", "gen_ai.prompt.2.tool_call_id", "c1", "gen_ai.prompt.2.content", "done",
		"gen_ai.completion.0.role", "assistant", "gen_ai.completion.0.content", "Bye", "gen_ai.completion.0.tool_calls.0.id", "c2",
		"gen_ai.completion.0.tool_calls.0.name", "g", "gen_ai.completion.0.tool_calls.0.arguments", "{}",
	)
	want := convert.Convert(genAI).Buckets
	const history = `{"chat_history":[{"role":"user","content":"Hi"},` +
		`{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":{"x":1}}}]},` +
		`{"role":"tool","tool_call_id":"c1","content":"done"}]}`
	if got := want[convert.Inputs].JSONText(); got != history {
		t.Errorf("GenAI: %s", got)
	}
	for name, s := range map[string]*convert.Span{"OpenInference": openInference, "Traceloop": traceloop} {
		if d := cmp.Diff(want, convert.Convert(s).Buckets); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
