package convert_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/convert"
)

// identityOf returns what Identify must return.
func identityOf(s *convert.Span) convert.Identity {
	rec := convert.Convert(s)
	return convert.Identity{SessionID: rec.SessionID, EventID: rec.EventID, Name: rec.Name, Type: rec.Type, Error: rec.Error}
}

// TestIdentify: the identity of a span is that of its record.
func TestIdentify(t *testing.T) {
	all := attributes(
		"honeyhive.session_id", sessionUUID, "honeyhive.session_id", "user-42", "honeyhive_session_id", "other", "session.id", "s", "gen_ai.conversation.id", "c",
		"traceloop.association.properties.session_id", "u", "honeyhive.project", "p", "honeyhive_project", "q", "honeyhive.session_name", "talk",
		"honeyhive_event_id", childUUID, "honeyhive_event_id", "no id", "honeyhive_event_name", "answer", "honeyhive.event_name", "dotted", "honeyhive_event_name", "a\xff",
		"honeyhive_event_type", "model", "honeyhive_event_type", "session", "honeyhive_event_type", "", "honeyhive.event_type", "Chain", "honeyhive_event_type", "generation",
		"gen_ai.operation.name", "chat", "openinference.span.kind", "CHAIN", "traceloop.span.kind", "workflow", "llm.request.type", "completion",
		"honeyhive_error", "went wrong", "error.type", "timeout", "exception.message", "x", "honeyhive_inputs", `{"a":1}`, "foreign", 1,
		"ai.operationId", "ai.toolCall", "ai.telemetry.metadata.sessionId", "v", "ai.settings.context.threadId", "w", "langfuse.observation.type", "generation", "langfuse.observation.input", "{}", "langfuse.trace.name", "trace", "langfuse.session.id", "lf",
		"langfuse.observation.level", "ERROR", "langsmith.span.kind", "dream", "langsmith.trace.session_name", "project", "mastra.span.type", "agent_run", "mastra.x", 1, "genkit:type", "action", "genkit:metadata:subtype", "model", "genkit:state", "error",
		"lk.job_id", "j", "lk.user_input", "x", "lk.function_tool.name", "f", "lk.function_tool.is_error", true, "mlflow.spanType", `"UNKNOWN"`, "mlflow.trace.session", `"m"`, "mcp.method.name", "tools/list", "crewai.task.description", "d",
		"gen_ai.request.model", "m", "gen_ai.usage.input_tokens", 1, "gen_ai.tool.name", "t", "gen_ai.agent.name", "a", "gen_ai.operation.name", "dream", "gen_ai.evaluation.name", "e", "db.system", "qdrant", "db.vector.query.top_k", 1,
		"db.operation.name", "search", "db.operation", "insert", "db.statement", "q", "gen_ai.evaluation.score.value", 0.5, "gen_ai.guardrail.name", "g", "retrieval.documents.0.document.id", "d", "event_loop.cycle_id", "c",
		"http.route", "/", "logfire.msg", "m", "pydantic_ai.all_messages", "[]", "agent_name", "n", "honeyhive.left_out", true,
	)
	all = append(all, attribute.KeyValue{Key: "honeyhive.session_id"}, attribute.KeyValue{Key: "honeyhive_error"})
	var listed []attribute.KeyValue
	for _, m := range convert.Tables() {
		name := m.Attribute
		if strings.HasSuffix(name, ".") || strings.HasSuffix(name, ":") {
			name += "0.x"
		}
		listed = append(listed, attributes(name, "search", name, `[{"role":"user","content":"q"}]`, name, `{"a":1}`, name, 1)...)
	}
	names := []string{"", "exception", "gen_ai.content.prompt", "gen_ai.evaluation.result", "gen_ai.user.message", "db.query.result", "foreign"}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) []attribute.KeyValue {
			return rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(all), rapid.SampledFrom(listed)), 0, 8).Draw(t, label)
		}
		s := newSpan()
		s.Name = rapid.SampledFrom([]string{"span", "", "\xff"}).Draw(t, "name")
		s.Attributes = draw("attributes")
		s.Failed = rapid.Bool().Draw(t, "failed")
		s.Kind = rapid.SampledFrom([]convert.Kind{convert.Unspecified, convert.Internal, convert.Client}).Draw(t, "kind")
		s.Scope = rapid.SampledFrom([]string{"", "app", "pydantic-ai", "next.js", "strands.telemetry"}).Draw(t, "scope")
		s.Status = rapid.SampledFrom([]string{"", "broken"}).Draw(t, "status")
		s.Project = rapid.SampledFrom([]string{"", "default"}).Draw(t, "project")
		if name := rapid.SampledFrom(names).Draw(t, "event"); name != "" {
			s.Events = append(s.Events, convert.Event{Name: name, Attributes: draw("of the event")})
		}
		if rapid.Bool().Draw(t, "something is known") {
			s.Known = drawKnown(t)
		}
		before := slices.Clone(s.Attributes)
		if d := cmp.Diff(identityOf(s), convert.Identify(s)); d != "" {
			t.Error(d)
		}
		if !slices.Equal(before, s.Attributes) {
			t.Error("the attributes were changed")
		}
	})
}

// FuzzIdentify is TestIdentify on any span.
func FuzzIdentify(f *testing.F) {
	for _, m := range convert.Tables() {
		f.Add([]byte("\nspan\n" + m.Attribute + "=tsession\n" + m.Attribute + "=i\x07\n" + m.Attribute + "=e"))
	}
	f.Add([]byte("e\n\nhoneyhive_error=e!event=gen_ai.content.prompt\nhoneyhive.session_id=tuser\nhoneyhive_event_type=ttool\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := fuzzReader{data}
		s := r.span()
		if d := cmp.Diff(identityOf(s), convert.Identify(s)); d != "" {
			t.Error(d)
		}
	})
}

// BenchmarkIdentify is to be read beside that of the whole conversion.
func BenchmarkIdentify(b *testing.B) {
	s := newSpan(
		"honeyhive.session_id", sessionUUID, "honeyhive.project", "project", "honeyhive.source", "bench", "honeyhive_event_type", "model",
		"honeyhive_parent_id", sessionUUID, "honeyhive_config", `{"model":"gpt-4o"}`, "honeyhive_inputs", `{"a":1}`, "honeyhive_outputs", `{"b":2}`,
		"gen_ai.operation.name", "chat", "gen_ai.provider.name", "openai", "gen_ai.request.model", "gpt-4o", "gen_ai.request.temperature", 0.5,
	)
	b.Run("identify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			convert.Identify(s)
		}
	})
	b.Run("convert", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			convert.Convert(s)
		}
	})
}
