package convert_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
)

// of returns a span of a scope.
func of(scope string, nameValues ...any) *convert.Span {
	s := newSpan(nameValues...)
	s.Scope, s.Kind = scope, convert.Internal
	return s
}

// texts is a list as OTLP has it; the SDK has a list of strings.
func texts(list ...string) attribute.Value {
	var values []attribute.Value
	for _, s := range list {
		values = append(values, attribute.StringValue(s))
	}
	return attribute.SliceValue(values...)
}

func event(name string, nameValues ...any) convert.Event {
	return convert.Event{Name: name, Time: time.UnixMilli(1712025499900), Attributes: attributes(nameValues...)}
}

func withEvents(s *convert.Span, events ...convert.Event) *convert.Span {
	s.Events = events
	return s
}

func TestVercel(t *testing.T) {
	call := []any{
		"ai.operationId", "ai.streamText.doStream", "operation.name", "ai.streamText.doStream answer", "ai.telemetry.functionId", "answer",
		"ai.telemetry.metadata.threadId", "t-1", "ai.telemetry.metadata.user_id", "u-1", "ai.telemetry.metadata.plan", "pro",
		"ai.model.id", "claude", "ai.model.provider", "anthropic.messages", "ai.settings.maxRetries", 2, "ai.settings.topP", 0.5,
		"ai.prompt.format", "messages",
		"ai.prompt.messages", `[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Weather?"},{"type":"image","image":"AAAA"}]},
			{"role":"assistant","content":[{"type":"reasoning","text":"Ask."},{"type":"tool-call","toolCallId":"c0","toolName":"weather","args":{"city":"Rome"}}]},
			{"role":"tool","content":[{"type":"tool-result","toolCallId":"c0","toolName":"weather","output":{"type":"json","value":{"t":25}}}]}]`,
		"ai.prompt.tools", texts(`{"type":"function","name":"weather","inputSchema":{"type":"object"}}`), "ai.prompt.toolChoice", `{"type":"auto"}`,
		"ai.response.text", "25 degrees.", "ai.response.reasoning", "It said so.", "ai.response.toolCalls", `[{"toolCallType":"function","toolCallId":"c1","toolName":"done","args":"{\"ok\":true}"}]`,
		"ai.response.finishReason", "stop", "ai.response.msToFirstChunk", 151.5, "ai.response.msToFinish", 700, "ai.response.id", "r1", "ai.response.model", "claude-x",
		"ai.response.timestamp", "2026-01-01T00:00:00Z", "ai.response.avgOutputTokensPerSecond", 12.5,
		"ai.usage.promptTokens", 1, "ai.usage.completionTokens", 2, "ai.usage.inputTokenDetails.cacheReadTokens", 3, "ai.usage.outputTokenDetails.reasoningTokens", 4, "ai.usage.outputTokenDetails.textTokens", 5,
		"gen_ai.system", "anthropic.messages", "gen_ai.request.model", "claude", "gen_ai.usage.input_tokens", 31, "gen_ai.usage.output_tokens", 9,
	}
	golden(t, "vercel.json", []dialectCase{
		{"call", of("ai", call...)},
		{"function with a prompt", of("ai", "ai.operationId", "ai.generateText", "ai.prompt", `{"system":"Be brief.","prompt":"Weather?"}`, "ai.response.text", "21", "ai.usage.inputTokens", 5, "ai.usage.outputTokens", 1)},
		{"function with messages", of("ai", "ai.operationId", "ai.streamText", "ai.prompt", `{"system":"Be brief.","messages":[{"role":"user","content":"Weather?"}]}`, "ai.response.text", "21")},
		{"object", of("ai", "ai.operationId", "ai.generateObject", "ai.schema", `{"type":"object"}`, "ai.schema.name", "city", "ai.prompt", `{"prompt":"Where?"}`, "ai.response.object", `{"city":"Oslo"}`, "ai.settings.output", "object")},
		{"tool", of("ai", "ai.operationId", "ai.toolCall", "ai.toolCall.name", "weather", "ai.toolCall.id", "c1", "ai.toolCall.args", `{"city":"Oslo"}`, "ai.toolCall.result", `{"t":21}`)},
		{"tool with texts", of("ai", "ai.operationId", "ai.toolCall", "ai.toolCall.name", "echo", "ai.toolCall.input", `"Hi"`, "ai.toolCall.output", `"Yo"`)},
		{"embedding of one", of("ai", "ai.operationId", "ai.embed", "ai.value", `"Oslo"`, "ai.embedding", `[0.5,1]`, "ai.usage.tokens", 2)},
		{"embeddings", of("ai", "ai.operationId", "ai.embedMany.doEmbed", "ai.values", []string{`"a"`, `"b"`}, "ai.embeddings", texts(`[1]`, `[2]`), "ai.usage.tokens", 4)},
		{"rerank", of("ai", "ai.operationId", "ai.rerank", "ai.documents", []string{`"a"`})},
		{"no operation", of("ai", "ai.prompt", "Weather?", "ai.response.text", "21")},
		{"version 7", of("gen_ai", "gen_ai.operation.name", "agent_step", "ai.settings.context.sessionId", "s-7", "ai.settings.context.userId", "ann", "ai.settings.context.tenant", "t", "ai.usage.outputTokenDetails.reasoningTokens", 8)},
		{"answer of an agent of version 7", of("gen_ai", "gen_ai.operation.name", "invoke_agent", "gen_ai.output.messages",
			`[{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"w","arguments":{}},{"type":"tool_call_response","id":"c1","response":{"t":21}},{"type":"text","content":"21 degrees."}],"finish_reason":"stop"}]`)},
		{"names of version 3", of("ai", "ai.operationId", "ai.generateText", "ai.result.text", "21", "ai.finishReason", "stop", "ai.result.toolCalls", `[{"toolCallId":"c","toolName":"f","args":{}}]`)},
		{"first chunk as an event", withEvents(of("ai", "ai.operationId", "ai.streamText.doStream"), event("ai.stream.firstChunk", "ai.response.msToFirstChunk", 68.5))},
		{"tags and a session", of("ai", "ai.operationId", "ai.generateText", "ai.telemetry.metadata.tags", texts("a", "b"), "ai.telemetry.metadata.sessionId", "s", "ai.telemetry.metadata.threadId", "t")},
	})
}

func TestLangfuse(t *testing.T) {
	golden(t, "langfuse.json", []dialectCase{
		{"generation", of("langfuse-sdk", "langfuse.observation.type", "generation", "langfuse.trace.name", "answer", "langfuse.environment", "staging", "langfuse.release", "r1", "langfuse.version", "v2",
			"langfuse.session.id", "lf-1", "langfuse.user.id", "ann", "langfuse.trace.tags", []string{"beta"}, "langfuse.trace.metadata.plan", "pro",
			"langfuse.observation.input", `[{"role":"user","content":"Capital?"}]`, "langfuse.observation.output", `{"role":"assistant","content":"Oslo.","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]}`,
			"langfuse.observation.model.name", "gpt", "langfuse.observation.model.parameters", `{"temperature":0.2}`, "langfuse.observation.usage_details", `{"input":19,"output":5,"total":36,"input_cached_tokens":12}`,
			"langfuse.observation.cost_details", `{"input":0.001,"output":0.002}`, "langfuse.observation.completion_start_time", `"2024-04-02T02:38:19.862Z"`,
			"langfuse.observation.prompt.name", "qa", "langfuse.observation.prompt.version", 3, "langfuse.observation.metadata.k", "v", "langfuse.observation.metadata", `{"m":1}`)},
		{"input has the cached tokens", of("langfuse-sdk", "langfuse.observation.type", "generation", "langfuse.observation.usage_details", `{"input":31,"output":5,"total":36,"input_cached_tokens":12}`)},
		{"usage of Anthropic", of("langfuse-sdk", "langfuse.observation.type", "generation", "langfuse.observation.usage_details", `{"input":3,"output":5,"cache_read_input_tokens":7,"cache_creation_input_tokens":9}`)},
		{"usage of OpenAI", of("langfuse-sdk", "langfuse.observation.type", "generation", "langfuse.observation.usage_details", `{"prompt_tokens":31,"completion_tokens":5,"total_tokens":36,"prompt_tokens_details":{"cached_tokens":12},"completion_tokens_details":{"reasoning_tokens":2}}`)},
		{"texts", of("langfuse-sdk", "langfuse.observation.type", "generation", "langfuse.observation.input", "Capital?", "langfuse.observation.output", "Oslo.")},
		{"texts of JSON", of("langfuse-sdk", "langfuse.observation.type", "generation", "langfuse.observation.input", `"Capital?"`, "langfuse.observation.output", `"Oslo."`)},
		{"request and response", of("langfuse-sdk", "langfuse.observation.type", "generation", "langfuse.observation.input", `{"messages":[{"role":"user","content":"Hi"}],"tools":[{"name":"f"}]}`,
			"langfuse.observation.output", `{"id":"x","model":"gpt-x","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Yo"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`)},
		{"span", of("langfuse-sdk", "langfuse.observation.type", "span", "langfuse.observation.input", `{"question":"Capital?"}`, "langfuse.observation.output", "42")},
		{"agent with messages", of("langfuse-sdk", "langfuse.observation.type", "agent", "langfuse.observation.input", `[{"role":"user","content":"Hi"}]`, "langfuse.observation.output", `[{"role":"assistant","content":"Yo"}]`)},
		{"retriever", of("langfuse-sdk", "langfuse.observation.type", "retriever", "langfuse.observation.input", `{"query":"capital","k":2}`, "langfuse.observation.output", `[{"page_content":"Oslo","metadata":{"page":1}},"Bergen"]`)},
		{"embedding", of("langfuse-sdk", "langfuse.observation.type", "embedding", "langfuse.observation.input", `["a","b"]`, "langfuse.observation.model.name", "e5")},
		{"guardrail", of("langfuse-sdk", "langfuse.observation.type", "guardrail", "langfuse.observation.output", "true")},
		{"evaluator", of("langfuse-sdk", "langfuse.observation.type", "evaluator")},
		{"event", of("langfuse-sdk", "langfuse.observation.type", "event", "langfuse.observation.input", `{"a":1}`)},
		{"no type", of("langfuse-sdk", "langfuse.observation.input", `{"a":1}`)},
		{"error", of("langfuse-sdk", "langfuse.observation.type", "tool", "langfuse.observation.level", "ERROR", "langfuse.observation.status_message", "gave up")},
		{"error without a message", of("langfuse-sdk", "langfuse.observation.type", "tool", "langfuse.observation.level", "ERROR")},
		{"warning", of("langfuse-sdk", "langfuse.observation.type", "tool", "langfuse.observation.level", "WARNING", "langfuse.observation.status_message", "slow")},
		{"trace", of("langfuse-sdk", "langfuse.trace.name", "t", "langfuse.trace.input", `{"q":1}`, "langfuse.trace.output", `"A"`, "langfuse.trace.metadata", `{"plan":"pro"}`, "langfuse.trace.public", true)},
		{"time that is before the start", of("langfuse-sdk", "langfuse.observation.type", "generation", "langfuse.observation.completion_start_time", "1999-01-01T00:00:00Z")},
	})
}

func TestLangSmith(t *testing.T) {
	failed := withEvents(of("langsmith", "langsmith.span.kind", "tool", "gen_ai.prompt", `{"input":"x"}`), event("exception", "exception.message", "boom", "exception.type", "E"))
	golden(t, "langsmith.json", []dialectCase{
		{"llm", of("langsmith", "langsmith.span.kind", "llm", "gen_ai.operation.name", "chat", "langsmith.trace.session_name", "my project", "langsmith.metadata.session_id", "ls-1", "langsmith.metadata.user_id", "ann",
			"langsmith.metadata.ls_provider", "openai", "langsmith.metadata.ls_model_name", "gpt", "langsmith.metadata.revision", "r", "langsmith.span.tags", "a, b",
			"gen_ai.prompt", `{"messages":[[{"lc":1,"type":"constructor","id":["langchain_core","messages","SystemMessage"],"kwargs":{"content":"Be brief."}},{"lc":1,"type":"constructor","id":["langchain_core","messages","HumanMessage"],"kwargs":{"content":[{"type":"text","text":"Hi"}]}}]]}`,
			"gen_ai.completion", `{"generations":[[{"text":"","message":{"lc":1,"type":"constructor","id":["langchain_core","messages","AIMessageChunk"],"kwargs":{"content":"Yo","tool_calls":[{"name":"f","args":{"x":1},"id":"c1","type":"tool_call"}]}}}]],"llm_output":{"model":"gpt"}}`,
			"gen_ai.usage.input_tokens", 3, "gen_ai.usage.output_tokens", 2, "gen_ai.usage.input_token_details", `{"cache_read":1,"audio":0}`, "gen_ai.usage.output_token_details", `{"reasoning":1}`)},
		{"llm with the request of a provider", of("langsmith", "langsmith.span.kind", "llm", "gen_ai.prompt", `{"model":"m","temperature":0.3,"messages":[{"role":"user","content":"Hi"}]}`,
			"gen_ai.completion", `{"id":"x","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Yo"}}]}`)},
		{"chain", of("langsmith", "langsmith.span.kind", "chain", "gen_ai.operation.name", "chain", "gen_ai.prompt", `{"question":"Why?"}`, "gen_ai.completion", `{"output":"Because."}`, "langsmith.metadata.thread_id", "t-1")},
		{"retriever", of("langsmith", "langsmith.span.kind", "retriever", "gen_ai.operation.name", "embeddings", "gen_ai.prompt", `{"query":"capital"}`, "gen_ai.completion", `{"documents":[{"page_content":"Oslo","metadata":{"p":1},"type":"Document"}]}`)},
		{"tool", of("langsmith", "langsmith.span.kind", "tool", "gen_ai.operation.name", "execute_tool", "gen_ai.prompt", `{"input":"{\"city\":\"Oslo\"}"}`, "gen_ai.completion", `{"output":{"t":21}}`)},
		{"exception with status OK", failed},
		{"unknown kind", of("langsmith", "langsmith.span.kind", "dream")},
		{"no kind of theirs", newSpan("gen_ai.prompt", "Say hi", "gen_ai.completion", "hi")},
		{"a request without their kind", newSpan("gen_ai.prompt", `{"messages":[{"role":"user","content":"Hi"}],"top_p":1}`, "gen_ai.completion", `{"choices":[{"message":{"role":"assistant","content":"Yo"}}]}`)},
	})
}

func TestMastra(t *testing.T) {
	golden(t, "mastra.json", []dialectCase{
		{"agent", of("@mastra/otel", "gen_ai.operation.name", "invoke_agent", "mastra.span.type", "agent_run", "mastra.agent_run.input", `[{"role":"user","content":"Weather?"}]`, "mastra.agent_run.output", `{"text":"21"}`,
			"mastra.metadata.sessionId", "ms-1", "mastra.metadata.threadId", "th", "mastra.metadata.resourceId", "ann", "mastra.metadata.runId", "r", "mastra.tags", `["beta"]`, "mastra.agent_run.max_steps", 5, "gen_ai.conversation.id", "th")},
		{"call", of("@mastra/otel", "gen_ai.operation.name", "chat", "mastra.span.type", "model_generation", "mastra.completion_start_time", "2024-04-02T02:38:19.862Z",
			"gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]`, "gen_ai.response.finish_reasons", `["stop"]`)},
		{"run of a model", of("@mastra/otel", "gen_ai.operation.name", "model_generation", "mastra.span.type", "model_generation", "mastra.model_generation.input", `{"messages":[{"role":"user","content":"Hi"}]}`, "mastra.model_generation.output", `{"text":"Yo"}`, "gen_ai.usage.input_tokens", 1)},
		{"step that calls a tool", of("@mastra/otel", "gen_ai.operation.name", "agent_step", "mastra.span.type", "model_step", "mastra.model_step.output", `{"text":"","toolCalls":[{"toolCallId":"c","toolName":"weather","args":{"city":"Oslo"}}],"steps":1}`)},
		{"step that answers", of("@mastra/otel", "gen_ai.operation.name", "agent_step", "mastra.span.type", "model_step", "mastra.model_step.output", `{"text":"21","toolCalls":[]}`)},
		{"chunk", of("@mastra/otel", "gen_ai.operation.name", "model_chunk", "mastra.span.type", "model_chunk", "mastra.model_chunk.output", `{"text":"Yo"}`)},
		{"workflow", of("@mastra/otel", "gen_ai.operation.name", "invoke_workflow", "mastra.span.type", "workflow_run", "mastra.workflow_run.input", "Weather?", "mastra.workflow_run.output", "21")},
		{"tool", of("@mastra/otel", "gen_ai.operation.name", "execute_tool", "mastra.span.type", "tool_call", "gen_ai.tool.call.arguments", `{"a":1}`, "gen_ai.tool.call.result", `"x"`)},
		{"embedding", of("@mastra/otel", "gen_ai.operation.name", "embeddings", "mastra.span.type", "rag_embedding", "mastra.rag_embedding.input", `["a"]`, "mastra.rag_embedding.mode", "query")},
		{"scorer", of("@mastra/otel", "gen_ai.operation.name", "scorer_run", "mastra.span.type", "scorer_run")},
		{"inference without messages", of("@mastra/otel", "mastra.span.type", "model_inference", "mastra.model_inference.input", `{"messages":[{"role":"user","content":"Hi"}]}`, "mastra.model_inference.output", `{"text":"Yo","toolCalls":[{"type":"tool-call","payload":{"toolCallId":"c","toolName":"f","args":{"x":1}}}],"reasoning":[],"finishReason":"stop"}`)},
	})
}

func TestGenkit(t *testing.T) {
	golden(t, "genkit.json", []dialectCase{
		{"flow", of("genkit-tracer", "genkit:type", "action", "genkit:metadata:subtype", "flow", "genkit:name", "answer", "genkit:isRoot", true, "genkit:input", `"Weather?"`, "genkit:output", `"21 degrees."`, "genkit:state", "success", "genkit:path", "/{answer,t:flow}", "genkit:sessionId", "gk-1")},
		{"model", of("genkit-tracer", "genkit:type", "action", "genkit:metadata:subtype", "model", "genkit:name", "googleai/gemini",
			"genkit:input", `{"config":{"temperature":0.2},"tools":[{"name":"weather"}],"messages":[{"role":"system","content":[{"text":"Be brief."}]},{"role":"user","content":[{"text":"Weather?"},{"media":{"url":"https://img.example/1.png"}}]},{"role":"tool","content":[{"toolResponse":{"name":"weather","ref":"c0","output":{"t":1}}}]}]}`,
			"genkit:output", `{"finishReason":"stop","latencyMs":5,"message":{"role":"model","content":[{"reasoning":"Hm."},{"text":"21"},{"toolRequest":{"name":"weather","ref":"c1","input":{"city":"Oslo"}}}]},"usage":{"inputTokens":31,"outputTokens":9,"totalTokens":40,"cachedContentTokens":5,"thoughtsTokens":2,"inputCharacters":7}}`)},
		{"retriever", of("genkit-tracer", "genkit:metadata:subtype", "retriever", "genkit:name", "docs", "genkit:input", `{"query":{"content":[{"text":"Weather?"}]},"options":{"k":3}}`, "genkit:output", `{"documents":[{"content":[{"text":"Oslo"}],"metadata":{"id":"d1"}}]}`)},
		{"embedder", of("genkit-tracer", "genkit:metadata:subtype", "embedder", "genkit:name", "googleai/e", "genkit:input", `{"input":[{"content":[{"text":"a"}]},{"content":[{"text":"b"}]}]}`, "genkit:output", `{"embeddings":[{"embedding":[1,2]},{"embedding":[3]}]}`)},
		{"tool", of("genkit-tracer", "genkit:metadata:subtype", "tool.v2", "genkit:name", "weather", "genkit:input", `{"city":"Oslo"}`, "genkit:output", `{"output":"21"}`)},
		{"step of a flow", of("genkit-tracer", "genkit:type", "flowStep", "genkit:name", "load", "genkit:output", `[1,2]`)},
		{"state of an error", of("genkit-tracer", "genkit:metadata:subtype", "tool", "genkit:name", "weather", "genkit:state", "error")},
		{"values that are no JSON", of("genkit-tracer", "genkit:metadata:subtype", "util", "genkit:input", "{oops", "genkit:output", "")},
	})
}

func TestPydantic(t *testing.T) {
	golden(t, "pydantic.json", []dialectCase{
		{"agent of version 2", of("pydantic-ai", "gen_ai.operation.name", "invoke_agent", "gen_ai.agent.name", "a", "agent_name", "a", "model_name", "gpt", "pydantic_ai.all_messages",
			`[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"Hi"}]},{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"w","arguments":"{}"}]},{"role":"user","parts":[{"type":"tool_call_response","id":"c1","name":"w","result":21}]},{"role":"assistant","parts":[{"type":"text","content":"Yo"}]}]`,
			"final_result", "Yo", "logfire.msg", "a run", "gen_ai.aggregated_usage.input_tokens", 5)},
		{"structured result", of("pydantic-ai", "agent_name", "a", "pydantic_ai.all_messages", `[{"role":"user","parts":[{"type":"text","content":"Hi"}]},{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"final_result","arguments":{"city":"Oslo"}}]}]`, "final_result", `{"city":"Oslo"}`)},
		{"agent of version 1", of("pydantic-ai", "agent_name", "a", "model_name", "gpt", "all_messages_events", `[{"event.name":"gen_ai.user.message","role":"user","content":"Hi","gen_ai.message.index":0},{"event.name":"gen_ai.assistant.message","role":"assistant","content":"Yo"}]`, "final_result", "Yo", "gen_ai.usage.input_tokens", 5)},
		{"call of version 1", of("pydantic-ai", "gen_ai.operation.name", "chat", "gen_ai.request.model", "gpt", "model_request_parameters", `{"function_tools":[]}`, "events",
			`[{"event.name":"gen_ai.system.message","content":"Be brief."},{"event.name":"gen_ai.user.message","content":"Hi"},{"event.name":"gen_ai.tool.message","id":"c0","name":"w","content":"21"},{"event.name":"gen_ai.choice","index":0,"message":{"role":"assistant","content":"Yo","tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":"{\"a\":1}"}}]}}]`,
			"gen_ai.usage.details.reasoning_tokens", 4)},
		{"tool", of("pydantic-ai", "gen_ai.tool.name", "w", "gen_ai.tool.call.id", "c1", "tool_arguments", `{"city":"Oslo"}`, "tool_response", `{"t":21}`)},
		{"tool with texts", of("pydantic-ai", "gen_ai.tool.name", "w", "tool_arguments", "Oslo", "tool_response", "21 degrees")},
		{"Logfire's client of OpenAI", of("logfire.openai", "logfire.msg", "Chat Completion with 'gpt'", "gen_ai.request.model", "gpt", "gen_ai.system", "openai", "request_data", `{"messages":[{"role":"user","content":"Hi"}],"model":"gpt","stream":false}`,
			"response_data", `{"message":{"role":"assistant","content":"Yo"},"usage":{"prompt_tokens":3,"completion_tokens":2}}`, "logfire.tags", []string{"LLM"})},
		{"step with Logfire", of("app", "logfire.msg", "load documents", "logfire.span_type", "span")},
		{"plain names of somebody else", of("app", "events", `[{"event.name":"gen_ai.user.message","content":"Hi"}]`, "final_result", "x", "tool_arguments", `{"a":1}`, "agent_name", "n")},
	})
}

func TestLiveKit(t *testing.T) {
	golden(t, "livekit.json", []dialectCase{
		{"session", of("livekit-agents", "lk.room_name", "r1", "lk.job_id", "j1", "lk.session_options", `{"a":1}`)},
		{"turn", of("livekit-agents", "lk.speech_id", "s1", "lk.pii.user_input", "Weather?", "lk.pii.instructions", "Be brief.", "lk.pii.response.text", "21", "lk.interrupted", false)},
		{"turn before 2026", of("livekit-agents", "lk.user_input", "Weather?", "lk.response.text", "21", "lk.response.function_calls", `[{"name":"w","arguments":"{}","call_id":"c1"}]`)},
		{"node", of("livekit-agents", "lk.pii.chat_ctx", `{"items":[{"type":"message","role":"user","content":["Hi"]},{"type":"function_call","call_id":"c","name":"w","arguments":"{\"a\":1}"},{"type":"function_call_output","call_id":"c","output":"21","name":"w","is_error":false}]}`,
			"lk.function_tools", []string{"w"}, "lk.pii.response.text", "Yo", "lk.response.ttft", 0.25)},
		{"request", of("livekit-agents", "gen_ai.request.model", "gpt", "gen_ai.usage.input_tokens", 5, "lk.llm_metrics", `{"ttft":0.25,"prompt_tokens":5,"completion_tokens":2,"type":"llm_metrics"}`)},
		{"metrics alone", of("livekit-agents", "lk.llm_metrics", `{"ttft":-1,"prompt_tokens":5,"completion_tokens":2}`)},
		{"tool", of("livekit-agents", "lk.function_tool.id", "c1", "lk.function_tool.name", "w", "lk.pii.function_tool.arguments", `{"city":"Oslo"}`, "lk.pii.function_tool.output", "21", "lk.function_tool.is_error", false)},
		{"tool that failed", of("livekit-agents", "lk.function_tool.name", "w", "lk.function_tool.arguments", `{}`, "lk.function_tool.output", "no weather", "lk.function_tool.is_error", true)},
		{"speech", of("livekit-agents", "lk.pii.input_text", "21 degrees", "lk.tts_metrics", `{"ttfb":0.1}`)},
		{"transcript", of("livekit-agents", "lk.pii.user_transcript", "Weather?", "lk.transcript_confidence", 0.9)},
	})
}

func TestMLflow(t *testing.T) {
	golden(t, "mlflow.json", []dialectCase{
		{"chat model", of("mlflow", "mlflow.spanType", `"CHAT_MODEL"`, "mlflow.spanInputs", `{"messages":[{"role":"user","content":"Hi"}],"model":"gpt","temperature":0.1}`,
			"mlflow.spanOutputs", `{"id":"x","model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant","content":"Yo"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`,
			"mlflow.chat.tokenUsage", `{"input_tokens":3,"output_tokens":2,"total_tokens":5,"cache_read_input_tokens":1}`, "mlflow.llm.cost", `{"input_cost":0.1,"output_cost":0.2,"total_cost":0.3}`,
			"mlflow.llm.model", `"gpt"`, "mlflow.llm.provider", `"openai"`, "mlflow.trace.session", `"ml-1"`, "mlflow.trace.user", `"ann"`, "mlflow.traceRequestId", `"tr-1"`, "mlflow.spanFunctionName", `"create"`,
			"mlflow.chat.tools", `[{"type":"function","function":{"name":"f"}}]`)},
		{"type without quotes", of("mlflow", "mlflow.spanType", "LLM", "mlflow.spanInputs", "Hi", "mlflow.spanOutputs", "Yo", "mlflow.trace.session", "ml-2")},
		{"chain", of("mlflow", "mlflow.spanType", `"CHAIN"`, "mlflow.spanInputs", `{"q":"Why?"}`, "mlflow.spanOutputs", `"Because."`)},
		{"retriever", of("mlflow", "mlflow.spanType", `"RETRIEVER"`, "mlflow.spanInputs", `{"query":"capital"}`, "mlflow.spanOutputs", `[{"page_content":"Oslo","metadata":{"doc_uri":"a"},"id":"1"}]`)},
		{"agent", of("mlflow", "mlflow.spanType", `"AGENT"`, "mlflow.spanInputs", `{"x":1}`)},
		{"embedding", of("mlflow", "mlflow.spanType", `"EMBEDDING"`, "mlflow.spanInputs", `{"input":"hello","model":"e"}`)},
		{"unknown", of("mlflow", "mlflow.spanType", `"UNKNOWN"`, "mlflow.spanInputs", `{}`)},
		{"custom type", of("mlflow", "mlflow.spanType", `"ROUTER"`)},
		{"messages of a chat", of("mlflow", "mlflow.spanType", `"CHAT_MODEL"`, "mlflow.chat.messages", `[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"}]`)},
	})
}

func TestMCP(t *testing.T) {
	golden(t, "mcp.json", []dialectCase{
		{"call", of("mcp", "mcp.method.name", "tools/call", "mcp.session.id", "m1", "gen_ai.tool.name", "weather", "gen_ai.operation.name", "execute_tool", "gen_ai.tool.call.arguments", `{"city":"Oslo"}`, "gen_ai.tool.call.result", `{"content":[{"type":"text","text":"21"}]}`)},
		{"read", of("mcp", "mcp.method.name", "resources/read", "mcp.resource.uri", "file:///a.md", "mcp.protocol.version", "2025-06-18", "rpc.response.status_code", "0")},
		{"initialize", of("mcp", "mcp.method.name", "initialize")},
		{"prompt", of("mcp", "mcp.method.name", "prompts/get", "gen_ai.prompt.name", "greet")},
		{"other names", of("mcp-go", "mcp.method", "tools/call", "mcp.tool.name", "weather")},
	})
}

func TestVectorDatabases(t *testing.T) {
	golden(t, "vector.json", []dialectCase{
		{"search", of("app", "db.system.name", "qdrant", "db.collection.name", "docs", "db.operation.name", "query", "db.vector.query.top_k", 3)},
		{"of any database", of("app", "db.system", "postgresql", "db.vector.query.top_k", 3, "db.query.text", "SELECT …")},
		{"write", of("app", "db.system", "Pinecone", "db.operation", "upsert")},
		{"documents in events", withEvents(of("app", "traceloop.workflow.name", "rag", "db.system", "chroma", "db.operation", "query"),
			event("db.query.embeddings", "db.query.embeddings.vector", []float64{1}),
			event("db.query.result", "db.query.result.id", "d1", "db.query.result.score", 0.9, "db.query.result.document", "Oslo", "db.query.result.metadata", `{"source":"a.md"}`))},
		{"plain database, kept by a filter", of("app", "db.system", "postgresql", "db.operation", "SELECT", "db.statement", "SELECT 1", "db.collection.name", "t")},
	})
}

func TestAgents(t *testing.T) {
	golden(t, "agents.json", []dialectCase{
		{"agent of Strands", withEvents(of("strands.telemetry.tracer", "gen_ai.operation.name", "invoke_agent", "gen_ai.agent.name", "a", "gen_ai.agent.tools", `["w"]`, "system_prompt", "Be brief.", "gen_ai.usage.input_tokens", 5),
			event("gen_ai.user.message", "content", `[{"text":"Weather?"}]`), event("gen_ai.choice", "message", "21 degrees.\n", "finish_reason", "end_turn"))},
		{"loop of Strands", of("strands.telemetry.tracer", "gen_ai.operation.name", "execute_event_loop_cycle", "event_loop.cycle_id", "c", "event_loop.parent_cycle_id", "p", "gen_ai.usage.input_tokens", 5)},
		{"call of Strands", withEvents(of("strands.telemetry.tracer", "gen_ai.operation.name", "chat", "gen_ai.request.model", "m", "gen_ai.server.time_to_first_token", 120, "gen_ai.server.request.duration", 700),
			event("gen_ai.user.message", "content", `[{"text":"Weather?"}]`),
			event("gen_ai.assistant.message", "content", `[{"toolUse":{"name":"w","toolUseId":"c1","input":{"city":"Oslo"}}}]`),
			event("gen_ai.tool.message", "content", `[{"toolResult":{"toolUseId":"c1","status":"success","content":[{"text":"21"}]}}]`),
			event("gen_ai.choice", "finish_reason", "end_turn", "message", `[{"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"s"}}},{"text":"21 degrees."}]`))},
		{"tool of Strands", withEvents(of("strands.telemetry.tracer", "gen_ai.operation.name", "execute_tool", "gen_ai.tool.name", "w", "tool.status", "success"),
			event("gen_ai.tool.message", "role", "tool", "content", `{"city":"Oslo"}`, "id", "c1"), event("gen_ai.choice", "message", `[{"text":"21"}]`, "id", "c1"))},
		{"tool of Strands, newer", withEvents(of("strands.telemetry.tracer", "gen_ai.operation.name", "execute_tool", "gen_ai.tool.name", "w"),
			event("gen_ai.client.inference.operation.details", "gen_ai.input.messages", `[{"role":"tool","parts":[{"type":"tool_call","name":"w","id":"c1","arguments":{"city":"Oslo"}}]}]`),
			event("gen_ai.client.inference.operation.details", "gen_ai.output.messages", `[{"role":"tool","parts":[{"type":"tool_call_response","id":"c1","response":{"t":21}}]}]`))},
		{"task of CrewAI", of("opentelemetry.instrumentation.crewai", "crewai.task.description", "Find out", "crewai.agent.role", "Researcher", "crewai.task.tools", "[]")},
		{"OpenLIT", of("openlit", "gen_ai.operation.name", "chat", "gen_ai.request.model", "m", "gen_ai.environment", "staging", "gen_ai.application_name", "shop", "gen_ai.usage.cost", 0.5, "gen_ai.request.is_stream", true, "gen_ai.server.ttft", 0.2,
			"gen_ai.system_instructions", `[{"type":"text","content":"Be brief."}]`, "gen_ai.input.messages", `[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"Hi"}]}]`)},
		{"handoff", of("agents", "gen_ai.operation.name", "handoff", "gen_ai.handoff.from_agent", "a", "gen_ai.handoff.to_agent", "b")},
		{"guardrail", of("agents", "gen_ai.operation.name", "guardrail", "gen_ai.guardrail.name", "g", "gen_ai.guardrail.triggered", true)},
		{"call of ADK", of("gcp.vertex.agent", "gen_ai.operation.name", "call_llm", "gen_ai.request.model", "gemini", "gcp.vertex.agent.session_id", "adk-1", "gcp.vertex.agent.invocation_id", "i",
			"gcp.vertex.agent.llm_request", `{"model":"gemini","config":{"temperature":0.1},"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"function_call":{"name":"w","args":{"a":1}}}]}]}`,
			"gcp.vertex.agent.llm_response", `{"content":{"role":"model","parts":[{"text":"Yo"}]},"usage_metadata":{"prompt_token_count":3,"candidates_token_count":2}}`)},
		{"tool of ADK", of("gcp.vertex.agent", "gen_ai.operation.name", "execute_tool", "gen_ai.tool.name", "w", "gcp.vertex.agent.tool_call_args", `{"a":1}`, "gcp.vertex.agent.tool_response", `{"t":21}`, "gcp.vertex.agent.llm_request", "{}")},
	})
}

// TestMessageEvents reads messages that stand in events of the span.
func TestMessageEvents(t *testing.T) {
	evaluated := of("app", "gen_ai.operation.name", "chat", "gen_ai.response.id", "r1")
	golden(t, "message_events.json", []dialectCase{
		{"conventions up to 1.36", withEvents(of("app", "gen_ai.operation.name", "chat"),
			event("gen_ai.system.message", "content", "Be brief.", "gen_ai.system", "openai"), event("gen_ai.user.message", "content", "Weather?", "role", "user"),
			event("gen_ai.assistant.message", "tool_calls", `[{"id":"c1","type":"function","function":{"name":"w","arguments":"{\"city\":\"Oslo\"}"}}]`),
			event("gen_ai.tool.message", "id", "c1", "content", "21"),
			event("gen_ai.choice", "index", 0, "finish_reason", "stop", "message", `{"role":"assistant","content":"21 degrees."}`))},
		{"two choices", withEvents(of("app", "gen_ai.operation.name", "chat"),
			event("gen_ai.choice", "index", 0, "finish_reason", "stop", "message", `{"content":"a"}`), event("gen_ai.choice", "index", 1, "finish_reason", "stop", "content", "b"))},
		{"content as one", withEvents(of("app", "gen_ai.operation.name", "chat"),
			event("gen_ai.user.message", "gen_ai.event.content", `{"role":"user","content":"Hi"}`),
			event("gen_ai.choice", "gen_ai.event.content", `{"message":{"content":"Yo","tool_calls":[]},"finish_reason":"stop","index":0}`))},
		{"structured", withEvents(of("app", "gen_ai.operation.name", "chat"),
			event("gen_ai.user.message", "content", attribute.SliceValue(attribute.MapValue(attribute.String("type", "text"), attribute.String("text", "Hi")))))},
		{"attributes count more", withEvents(of("app", "gen_ai.operation.name", "chat", "gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"first"}]}]`),
			event("gen_ai.user.message", "content", "second"))},
		{"details", withEvents(of("app", "gen_ai.operation.name", "chat"), event("gen_ai.client.inference.operation.details", "gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]`, "gen_ai.system_instructions", `[{"type":"text","content":"Be brief."}]`,
			"gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"Yo"}],"finish_reason":"stop"}]`, "custom", 1))},
		{"evaluation of the span", withEvents(evaluated, event("gen_ai.evaluation.result", "gen_ai.evaluation.name", "relevance", "gen_ai.evaluation.score.value", 0.8, "gen_ai.evaluation.score.label", "pass", "gen_ai.response.id", "r1"))},
		{"evaluation that is a span", of("app", "gen_ai.evaluation.name", "faithful", "gen_ai.evaluation.score.value", 0.5, "gen_ai.evaluation.explanation", "on topic")},
		{"name of an evaluation alone", of("app", "gen_ai.evaluation.name", "faithful")},
		{"events without attributes", withEvents(of("app"), event("gen_ai.user.message"), event("gen_ai.choice"), event("gen_ai.tool.message"), event("db.query.result"))},
	})
}
