package convert

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// vercel is the dialect of the Vercel AI SDK, versions 3 to 7: of 7 the attributes
// that its GenAI spans have besides. Calls of the provider carry GenAI attributes as
// well, which count more. The source is its documentation, ai-sdk-core/telemetry.
var vercel = dialect{
	name:      "Vercel AI SDK",
	base:      rankVercel,
	ofSteps:   true,
	sometimes: true,
	prefixes:  []string{"ai."},
	identity:  []string{"ai.settings.context.", "ai.telemetry.metadata."},
	rules: slices.Concat([]rule{
		set("ai.operationId", "event_type, metadata.event_kind, metadata.operation_id", func(r *reader, v attribute.Value, from rank) {
			r.is(vercelKind(str(v)), from)
			r.buckets[Metadata].putValue("operation_id", v, from)
		}),
		to("ai.telemetry.functionId", Metadata, "function_id"),
		to("ai.model.id", Config, "model"),
		to("ai.model.provider", Config, "provider"),
		hold("ai.prompt", "inputs.*, inputs.chat_history"),
		hold("ai.prompt.messages", "inputs.chat_history"),
		hold("ai.prompt.format", ""),
		hold("ai.prompt.tools", "config.tools"),
		toJSON("ai.prompt.toolChoice", Config, "tool_choice"),
		hold("ai.value", "inputs.texts"),
		hold("ai.values", "inputs.texts"),
		hold("ai.documents", "inputs.documents"),
		to("ai.query", Inputs, "query"),
		toJSON("ai.schema", Config, "schema"),
		to("ai.schema.name", Config, "schema_name"),
		to("ai.schema.description", Config, "schema_description"),

		hold("ai.response.text", "outputs.content"),
		hold("ai.result.text", "outputs.content"),
		hold("ai.response.object", "outputs.content"),
		hold("ai.result.object", "outputs.content"),
		hold("ai.response.reasoning", "outputs.reasoning"),
		hold("ai.response.toolCalls", "outputs.tool_calls"),
		hold("ai.result.toolCalls", "outputs.tool_calls"),
		hold("ai.embedding", "outputs.embeddings"),
		hold("ai.embeddings", "outputs.embeddings"),
		hold("ai.ranking", "outputs.ranking"),
		finishReasons("ai.response.finishReason"),
		finishReasons("ai.finishReason"),
		to("ai.response.model", Metadata, "response_model"),
		firstToken("ai.response.msToFirstChunk", 1),
		firstToken("ai.response.msToFirstToken", 1),
		firstToken("ai.stream.msToFirstChunk", 1),
		snake("ai.response.", Metadata, "response_"),

		to("ai.toolCall.name", Metadata, "tool_name"),
		to("ai.toolCall.id", Metadata, "tool_call_id"),
		spreadTyped("ai.toolCall.args", Inputs, "arguments"),
		spreadTyped("ai.toolCall.input", Inputs, "arguments"),
		spreadTyped("ai.toolCall.result", Outputs, "result"),
		spreadTyped("ai.toolCall.output", Outputs, "result"),

		tokens("ai.usage.inputTokens", "prompt_tokens", promptTokens),
		tokens("ai.usage.promptTokens", "prompt_tokens", promptTokens),
		tokens("ai.usage.tokens", "prompt_tokens", promptTokens),
		tokens("ai.usage.outputTokens", "completion_tokens", completionTokens),
		tokens("ai.usage.completionTokens", "completion_tokens", completionTokens),
		to("ai.usage.totalTokens", Metadata, "total_tokens"),
		to("ai.usage.inputTokenDetails.cacheReadTokens", Metadata, "cache_read_input_tokens"),
		to("ai.usage.cachedInputTokens", Metadata, "cache_read_input_tokens"),
		to("ai.usage.inputTokenDetails.cacheWriteTokens", Metadata, "cache_write_input_tokens"),
		to("ai.usage.outputTokenDetails.reasoningTokens", Metadata, "reasoning_tokens"),
		to("ai.usage.reasoningTokens", Metadata, "reasoning_tokens"),
		snake("ai.usage.", Metadata, "usage_"),
	}, about("ai.telemetry.metadata."), about("ai.settings.context."), []rule{snake("ai.settings.", Config, "")}),
	finish: (*reader).finishVercel,
	events: map[string]eventReader{"ai.stream.firstChunk": (*reader).vercelFirstChunk},
}

// vercelKind returns the kind of an ai.operationId.
func vercelKind(operation string) string {
	_, rest, ok := strings.Cut(operation, "ai.")
	switch {
	case !ok:
		return ""
	case strings.HasSuffix(rest, ".doGenerate"), strings.HasSuffix(rest, ".doStream"):
		return honeyhive.TypeModel
	case strings.HasPrefix(rest, "toolCall"), strings.HasPrefix(rest, "executeTool"):
		return honeyhive.TypeTool
	case strings.HasPrefix(rest, "embed"):
		return kindEmbedding
	case strings.HasPrefix(rest, "rerank"):
		return kindReranker
	}
	return honeyhive.TypeChain
}

func (r *reader) finishVercel(from rank) {
	if len(r.held) == 0 {
		return
	}
	r.vercelPrompt(from)
	r.vercelAnswer(from)
	r.take("ai.prompt.format")
	r.putHeld(vercelLists, listed, from)
	r.putHeld(vercelValues, func(v attribute.Value) string { return list([]string{typed(v)}) }, from)
}

// vercelLists are lists whose elements are JSON texts, vercelValues one such element.
var (
	vercelLists = []place{
		{"ai.prompt.tools", Config, "tools"}, {"ai.values", Inputs, "texts"}, {"ai.documents", Inputs, "documents"},
		{"ai.embeddings", Outputs, "embeddings"}, {"ai.ranking", Outputs, "ranking"},
	}
	vercelValues = []place{{"ai.value", Inputs, "texts"}, {"ai.embedding", Outputs, "embeddings"}}
)

// vercelPrompt reads the messages of a call, and what a function of the SDK was given:
// an object with instructions and a prompt, or messages.
func (r *reader) vercelPrompt(from rank) {
	if v, ok := r.take("ai.prompt.messages"); ok {
		r.putChat(chatMessages(structured(v)), from)
	}
	v, ok := r.take("ai.prompt")
	if !ok {
		return
	}
	text := structured(v)
	if req, ok := readRequest(text); ok {
		r.putChat(req.messages, from.last())
		for _, p := range req.rest {
			r.buckets[Inputs].put(p.key, p.text, from)
		}
		return
	}
	r.buckets[Inputs].putObject("prompt", text, from)
}

// vercelAnswer makes one message of the parts of an answer.
func (r *reader) vercelAnswer(from rank) {
	d := draft{role: "assistant"}
	for _, name := range []string{"ai.response.object", "ai.result.object", "ai.result.text", "ai.response.text"} {
		if v, ok := r.take(name); ok && str(v) != "" {
			d.content = []contentPart{{text: str(v)}}
		}
	}
	if v, ok := r.take("ai.response.reasoning"); ok && str(v) != "" {
		text := structured(v)
		if rawjson.KindOf(text) == rawjson.Array {
			for part := range rawjson.Elements(text) {
				d.reason(part, fieldsOf(part))
			}
		} else {
			d.reasoning = append(d.reasoning, str(v))
		}
	}
	for _, name := range []string{"ai.response.toolCalls", "ai.result.toolCalls"} {
		if v, ok := r.take(name); ok {
			for call := range rawjson.Elements(listed(v)) {
				d.called(call)
			}
		}
	}
	if len(d.content)+len(d.reasoning)+len(d.details)+len(d.calls)+len(d.others) > 0 {
		r.putAnswer(d.messages(), from)
	}
}

// vercelFirstChunk reads the event of the first part of an answer.
func (r *reader) vercelFirstChunk(e *Event, from rank) bool {
	known := false
	for _, kv := range e.Attributes {
		if kv.Key == "ai.response.msToFirstChunk" || kv.Key == "ai.stream.msToFirstChunk" {
			r.firstToken(kv.Value, 1, from.last())
			known = true
		}
	}
	if !known && !e.Time.IsZero() && !r.span.Start.IsZero() && !e.Time.Before(r.span.Start) {
		r.firstToken(attribute.Float64Value(Milliseconds(e.Time.Sub(r.span.Start))), 1, from.last())
	}
	return len(e.Attributes) == 0 || known && len(e.Attributes) == 1
}
