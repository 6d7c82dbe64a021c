package convert_test

import (
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// BenchmarkConvert converts the event of a call of a model, with 2 KB in and
// 2 KB out, as each dialect writes it.
func BenchmarkConvert(b *testing.B) {
	text := strings.Repeat("What is in the context? ", 2048/24)
	inputs := `{"chat_history":[{"role":"system","content":"Answer."},{"role":"user","content":"` + text + `"}]}`
	outputs := `{"role":"assistant","content":"` + text + `"}`
	own := newSpan(
		honeyhive.AttrSessionID, sessionUUID, honeyhive.AttrSessionAutoCreate, true, honeyhive.AttrProject, "project", honeyhive.AttrSource, "bench",
		honeyhive.AttrEventType, "model", honeyhive.AttrParentID, sessionUUID,
		honeyhive.AttrConfig, `{"model":"gpt-4o","temperature":0.5}`, honeyhive.AttrInputs, inputs, honeyhive.AttrOutputs, outputs,
		honeyhive.AttrMetadata, `{"prompt_tokens":500,"completion_tokens":500,"total_tokens":1000}`,
	)
	rec := convert.Convert(own)
	known := *own
	known.Attributes, known.Known = nil, &rec
	genAI := newSpan(
		"gen_ai.operation.name", "chat", "gen_ai.provider.name", "openai", "gen_ai.request.model", "gpt-4o", "gen_ai.request.temperature", 0.5,
		"gen_ai.usage.input_tokens", 500, "gen_ai.usage.output_tokens", 500, "gen_ai.conversation.id", sessionUUID,
		"gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"`+text+`"}]}]`,
		"gen_ai.output.messages", `[{"role":"assistant","finish_reason":"stop","parts":[{"type":"text","content":"`+text+`"}]}]`,
	)
	openInference := newSpan(
		"openinference.span.kind", "LLM", "llm.provider", "openai", "llm.model_name", "gpt-4o", "llm.invocation_parameters", `{"temperature":0.5}`,
		"llm.token_count.prompt", 500, "llm.token_count.completion", 500, "session.id", sessionUUID,
		"llm.input_messages.0.message.role", "user", "llm.input_messages.0.message.content", text,
		"llm.output_messages.0.message.role", "assistant", "llm.output_messages.0.message.content", text,
		"input.value", `{"messages":[{"role":"user","content":"`+text+`"}]}`, "input.mime_type", "application/json",
	)
	for _, bb := range []struct {
		name string
		span *convert.Span
	}{{"own", own}, {"known", &known}, {"GenAI", genAI}, {"OpenInference", openInference}} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				convert.Convert(bb.span)
			}
		})
	}
}
