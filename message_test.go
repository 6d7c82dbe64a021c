package sessionspan_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestHelpers sets chat messages, documents and usage, and looks at the payload
// and at the GenAI attributes beside it.
func TestHelpers(t *testing.T) {
	recorder := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(recorder))
	defer func() { _ = provider.Shutdown(t.Context()) }()
	p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
	p.ExpectReport("NaN is no JSON number")
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	_, r := sessionspan.StartEvent(ctx, sessionspan.Retriever, "retrieve", sessionspan.WithQuery("q"), sessionspan.WithTopK(0), sessionspan.WithTopK(3))
	r.SetDocuments(
		sessionspan.Document{ID: "a", Score: 0.5, Content: "text", Metadata: map[string]any{"page": 3}},
		sessionspan.Document{Score: math.NaN()})
	r.End()
	_, m := sessionspan.StartEvent(ctx, sessionspan.Model, "generate", sessionspan.WithModel("openai", "gpt-x"),
		sessionspan.WithMessages(
			sessionspan.Message{Role: "system", Content: "be \"brief\""},
			sessionspan.Message{Role: "user", Name: "ann", Content: "hi"},
			sessionspan.Message{Role: "assistant", ToolCalls: []sessionspan.ToolCall{{ID: "1", Name: "f", Arguments: map[string]any{"x": 1}}}},
			sessionspan.Message{Role: "tool", ToolCallID: "1", Content: "42"}))
	m.SetReply(
		sessionspan.Message{Role: "assistant", Content: "hello", Reasoning: "hm", FinishReason: "stop"},
		sessionspan.Message{Role: "assistant", FinishReason: "length"})
	m.SetUsage(sessionspan.Usage{InputTokens: 10, OutputTokens: 5, CacheReadTokens: 4, CacheWriteTokens: 3, ReasoningTokens: 2})
	m.End()
	s.SetMessages(sessionspan.Message{Role: "user", Content: "hi"})
	s.SetReply(sessionspan.Message{Role: "assistant", Content: "hello"})
	s.SetReply()
	s.SetUsage(sessionspan.Usage{InputTokens: 10, OutputTokens: 5, TotalTokens: 16})
	s.End()

	got := p.Session("s")
	retrieve, generate := got.Event("retrieve"), got.Event("generate")
	retrieve.AssertInputs(`{"query":"q"}`)
	retrieve.AssertOutputs(`{"documents":[{"id":"a","score":0.5,"content":"text","metadata":{"page":3}},{"score":"NaN"}]}`)
	if diff := cmp.Diff(`{"top_k":3}`, retrieve.Config.String()); diff != "" {
		t.Error(diff)
	}
	generate.AssertInputs(`{"chat_history":[
		{"role":"system","content":"be \"brief\""},
		{"role":"user","name":"ann","content":"hi"},
		{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":{"x":1}}}]},
		{"role":"tool","tool_call_id":"1","content":"42"}]}`)
	generate.AssertOutputs(`{"role":"assistant","content":"hello","reasoning":"hm","finish_reason":"stop","choices":[
		{"role":"assistant","content":"hello","reasoning":"hm","finish_reason":"stop"},
		{"role":"assistant","content":"","finish_reason":"length"}]}`)
	if diff := cmp.Diff(`{"provider":"openai","model":"gpt-x"}`, generate.Config.String()); diff != "" {
		t.Error(diff)
	}
	for key, want := range map[string]string{
		"prompt_tokens": "10", "completion_tokens": "5", "total_tokens": "15", "cache_read_input_tokens": "4", "cache_write_input_tokens": "3",
		"reasoning_tokens": "2", "operation_name": `"chat"`, "finish_reasons": `["stop","length"]`,
	} {
		if v, _ := generate.Metadata.Get(key); string(v) != want {
			t.Errorf("metadata.%s is %s, want %s", key, v, want)
		}
	}
	got.AssertInputs(`{"chat_history":[{"role":"user","content":"hi"}]}`)
	got.AssertOutputs(`{"role":"assistant","content":"hello"}`)
	if v, _ := got.Metadata.Get("total_tokens"); string(v) != "16" {
		t.Errorf("total_tokens %s", v)
	}

	attrs := map[string]map[string]attribute.Value{}
	for _, span := range recorder.GetSpans() {
		attrs[span.Name] = map[string]attribute.Value{}
		for _, kv := range span.Attributes {
			attrs[span.Name][string(kv.Key)] = kv.Value
		}
	}
	for _, tc := range []struct{ span, key, want string }{
		{"retrieve", "gen_ai.operation.name", "retrieval"},
		{"retrieve", "gen_ai.retrieval.query.text", "q"},
		{"retrieve", "gen_ai.retrieval.top_k", "3"},
		{"retrieve", "gen_ai.retrieval.documents", `[{"id":"a","score":0.5,"content":"text","metadata":{"page":3}},{"score":"NaN"}]`},
		{"generate", "gen_ai.operation.name", "chat"},
		{"generate", "gen_ai.provider.name", "openai"},
		{"generate", "gen_ai.request.model", "gpt-x"},
		{"generate", "gen_ai.input.messages", `[{"role":"system","parts":[{"type":"text","content":"be \"brief\""}]},{"role":"user","name":"ann","parts":[{"type":"text","content":"hi"}]},{"role":"assistant","parts":[{"type":"tool_call","id":"1","name":"f","arguments":{"x":1}}]},{"role":"tool","parts":[{"type":"tool_call_response","id":"1","response":"42"}]}]`},
		{"generate", "gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"reasoning","content":"hm"},{"type":"text","content":"hello"}],"finish_reason":"stop"},{"role":"assistant","parts":[],"finish_reason":"length"}]`},
		{"generate", "gen_ai.usage.input_tokens", "10"},
		{"generate", "gen_ai.usage.output_tokens", "5"},
		{"generate", "gen_ai.usage.cache_read.input_tokens", "4"},
		{"generate", "gen_ai.response.finish_reasons", `["stop","length"]`},
		{"generate", "honeyhive_event_type", "model"},
		{"s", "honeyhive_event_type", "session"},
		{"s", "session.id", s.ID()},
	} {
		if got := attrs[tc.span][tc.key].String(); got != tc.want {
			t.Errorf("%s: %s is %s, want %s", tc.span, tc.key, got, tc.want)
		}
	}
}

// TestKinds looks at what each kind is on the wire.
func TestKinds(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	for _, tc := range []struct {
		kind            sessionspan.Kind
		want, operation string
	}{
		{sessionspan.Model, "model", `"chat"`},
		{sessionspan.Tool, "tool", `"execute_tool"`},
		{sessionspan.Chain, "chain", ``},
		{sessionspan.Retriever, "tool", `"retrieval"`},
		{sessionspan.Reranker, "tool", `"rerank"`},
		{sessionspan.Embedding, "tool", `"embeddings"`},
		{sessionspan.Agent, "chain", `"invoke_agent"`},
	} {
		_, e := sessionspan.StartEvent(ctx, tc.kind, string(tc.kind))
		e.End()
		defer func() {
			ev := p.Session("s").Event(string(tc.kind))
			if operation, _ := ev.Metadata.Get("operation_name"); ev.EventType.Or("") != tc.want || string(operation) != tc.operation {
				t.Errorf("%s is %s, %s", tc.kind, ev.EventType.Or(""), operation)
			}
		}()
	}
	s.End()
}
