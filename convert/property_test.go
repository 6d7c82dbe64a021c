package convert_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/convert"
)

// anyJSON draws a value as encoding/json would decode it.
func anyJSON() *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.String().AsAny(), rapid.Float64Range(-1e9, 1e9).AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil),
		rapid.Int64().AsAny(), rapid.SampledFrom([]any{`{"a":1}`, `["x"]`, "\xff", "null"}),
	)
	var value *rapid.Generator[any]
	level := scalar
	for range 3 {
		below := level
		value = rapid.OneOf(
			below,
			rapid.MapOfN(rapid.String(), below, 0, 4).AsAny(),
			rapid.SliceOfN(below, 0, 4).AsAny(),
		)
		level = value
	}
	return value
}

// TestOrder: the order of attributes says where a key stands, and nothing else.
func TestOrder(t *testing.T) {
	// One attribute for each way to say something; names that land on the same
	// key by dots and underscores alone are not among them.
	all := []any{
		"honeyhive_event_type", "model", "honeyhive_inputs", `{"a":1,"query":2}`, "honeyhive_inputs.b.0", "x", "honeyhive_inputs.b.1", "y", "honeyhive_config.model", "own", "honeyhive_error", "e",
		"gen_ai.operation.name", "chat", "gen_ai.request.model", "m", "gen_ai.response.model", "n", "gen_ai.input.messages", `[{"role":"user","content":"Hi"}]`, "gen_ai.output.messages", "Hello",
		"gen_ai.usage.input_tokens", 1, "gen_ai.usage.output_tokens", 2, "gen_ai.prompt.variable.a.b", 1, "session.id", "s", "gen_ai.conversation.id", "c", "error.type", "t",
		"openinference.span.kind", "CHAIN", "llm.model_name", "o", "llm.input_messages.0.message.content", "Ho", "llm.invocation_parameters", `{"model":"p","top_p":1}`,
		"input.value", `{"query":3,"c":4}`, "input.mime_type", "application/json", "output.value", "out", "metadata", `{"m":1}`, "llm.token_count.prompt", 3, "llm.prompts.0.content", "old",
		"traceloop.span.kind", "tool", "traceloop.entity.name", "f", "traceloop.entity.input", `{"query":5,"d":6}`, "gen_ai.prompt.0.content", "Hu", "gen_ai.completion.0.content", "Ha",
		"traceloop.association.properties.session_id", "u", "llm.request.functions.0.name", "g", "foreign", 1, "exception.message", "x", "m", 2,
		"ai.operationId", "ai.embed", "ai.prompt", `{"prompt":"p"}`, "ai.values", `["v"]`, "ai.response.text", "r", "ai.usage.tokens", 4, "ai.telemetry.metadata.sessionId", "v", "ai.settings.context.threadId", "w",
		"langfuse.observation.type", "agent", "langfuse.observation.input", "lf", "langfuse.observation.level", "ERROR", "langfuse.observation.status_message", "lf failed", "langfuse.trace.name", "lf trace", "langfuse.observation.usage_details", `{"input":1,"output":2}`,
		"langsmith.span.kind", "retriever", "langsmith.metadata.session_id", "ls", "langsmith.span.tags", "x,y", "gen_ai.prompt", `{"q":1}`, "gen_ai.completion", "done", "gen_ai.tool.name", "tool", "gen_ai.agent.name", "agent",
		"mastra.span.type", "agent_run", "mastra.agent_run.input", "mi", "mastra.metadata.threadId", "mt", "genkit:metadata:subtype", "model", "genkit:name", "g/m", "genkit:input", `"gi"`, "genkit:state", "error",
		"pydantic_ai.all_messages", `[{"role":"user","content":"pm"},{"role":"assistant","content":"pa"}]`, "final_result", "pf", "lk.user_input", "lu", "lk.pii.response.text", "lr", "lk.function_tool.is_error", true,
		"mlflow.spanType", `"TOOL"`, "mlflow.spanInputs", `{"mf":1}`, "mlflow.trace.session", `"ms"`, "mcp.method.name", "tools/call", "db.system", "qdrant", "db.operation", "query", "db.query.text", "dq", "crewai.agent.role", "cr", "system_prompt", "sp",
	}
	base := attributes(all...)
	rapid.Check(t, func(t *rapid.T) {
		kvs := slices.Clone(base)
		kvs = kvs[:rapid.IntRange(0, len(kvs)).Draw(t, "n")]
		s := newSpan()
		s.Attributes = kvs
		want := convert.Convert(s)
		s.Attributes = rapid.Permutation(kvs).Draw(t, "order")
		got := convert.Convert(s)
		if d := cmp.Diff(decodedBuckets(t, want), decodedBuckets(t, got)); d != "" {
			t.Error(d)
		}
		want.Buckets, got.Buckets = convert.Buckets{}, convert.Buckets{}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

func decodedBuckets(t *rapid.T, rec convert.Record) map[string]any {
	decoded := make(map[string]any)
	for _, b := range convert.AllBuckets() {
		var v map[string]any
		if err := rec.Buckets[b].Decode(&v); err != nil {
			t.Fatal(err)
		}
		decoded[b.Field()] = v
	}
	return decoded
}

// TestNothingIsLost: whatever nobody names stands in the metadata.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.MapOfN(rapid.StringMatching(`(x|app|http)[.a-z_]{1,10}`), rapid.String(), 0, 50).Draw(t, "attributes")
		s := newSpan()
		for _, k := range slices.Sorted(maps.Keys(given)) {
			s.Attributes = append(s.Attributes, attribute.String(k, given[k]))
		}
		got := map[string]string{}
		if err := convert.Convert(s).Buckets[convert.Metadata].Decode(&got); err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(given)
		if err != nil {
			t.Fatal(err)
		}
		var clean map[string]string // with U+FFFD for what is no UTF-8
		if err := json.Unmarshal(want, &clean); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(clean, got); d != "" {
			t.Error(d)
		}
	})
}
