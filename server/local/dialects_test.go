package local

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// spanOf is a span of another ecosystem as a test records it.
type spanOf struct {
	scope, name string
	kind        trace.SpanKind
	attributes  []attribute.KeyValue
	event       string // with the attributes below
	below       []attribute.KeyValue
	failure     string
}

func text(pairs ...string) (kvs []attribute.KeyValue) {
	for i := 0; i < len(pairs); i += 2 {
		kvs = append(kvs, attribute.String(pairs[i], pairs[i+1]))
	}
	return kvs
}

// ecosystems are spans of each dialect, and those that are none of any.
var ecosystems = []spanOf{
	{scope: "ai", name: "ai.generateText", attributes: text("ai.operationId", "ai.generateText", "ai.prompt", `{"prompt":"Weather?"}`, "ai.response.text", "21")},
	{scope: "ai", name: "ai.generateText.doGenerate", attributes: append(text("ai.operationId", "ai.generateText.doGenerate", "ai.prompt.messages", `[{"role":"user","content":[{"type":"text","text":"Weather?"}]}]`,
		"gen_ai.request.model", "m"), attribute.Int("gen_ai.usage.input_tokens", 3), attribute.StringSlice("ai.prompt.tools", []string{`{"name":"w"}`}), attribute.Float64("ai.response.msToFirstChunk", 1.5))},
	{scope: "langfuse-sdk", name: "retrieve", attributes: append(text("langfuse.observation.type", "retriever", "langfuse.observation.input", "capital", "langfuse.observation.output", `[{"content":"Oslo"}]`,
		"langfuse.environment", "staging"), attribute.StringSlice("langfuse.trace.tags", []string{"a"}))},
	{scope: "langsmith", name: "ChatOpenAI", attributes: text("langsmith.span.kind", "llm", "gen_ai.prompt", `{"messages":[{"role":"user","content":"Hi"}]}`, "gen_ai.completion", `{"choices":[{"message":{"role":"assistant","content":"Yo"}}]}`)},
	{scope: "@mastra/otel", name: "agent", attributes: text("mastra.span.type", "agent_run", "mastra.agent_run.input", "Weather?", "gen_ai.operation.name", "invoke_agent")},
	{scope: "genkit-tracer", name: "fake/echo", attributes: text("genkit:metadata:subtype", "model", "genkit:name", "fake/echo", "genkit:input", `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`)},
	{scope: "genkit-tracer", name: "weather", attributes: text("genkit:metadata:subtype", "tool", "genkit:state", "error"), failure: "no weather"},
	{scope: "pydantic-ai", name: "running tool", attributes: text("gen_ai.tool.name", "w", "tool_arguments", `{"city":"Oslo"}`, "tool_response", "21")},
	{scope: "livekit-agents", name: "agent_turn", attributes: text("lk.pii.user_input", "Weather?", "lk.response.text", "21")},
	{scope: "mlflow", name: "parse", attributes: text("mlflow.spanType", `"PARSER"`, "mlflow.spanInputs", `{"x":1}`)},
	{scope: "mcp", name: "resources/read", kind: trace.SpanKindClient, attributes: text("mcp.method.name", "resources/read", "mcp.resource.uri", "file:///a")},
	{scope: "app", name: "search", kind: trace.SpanKindClient, attributes: append(text("db.system.name", "qdrant", "db.operation.name", "query"), attribute.Int("db.vector.query.top_k", 3))},
	{scope: "app", name: "qdrant.query", kind: trace.SpanKindClient, attributes: text("traceloop.workflow.name", "rag"), event: "db.query.result", below: text("db.query.result.document", "Oslo")},
	{scope: "strands.telemetry.tracer", name: "chat", attributes: text("gen_ai.operation.name", "chat"), event: "gen_ai.user.message", below: text("content", `[{"text":"Hi"}]`)},
	{scope: "app", name: "evaluated", attributes: text("gen_ai.operation.name", "chat"), event: "gen_ai.evaluation.result", below: text("gen_ai.evaluation.name", "ok", "gen_ai.evaluation.score.label", "pass")},
	{scope: "app", name: "load documents", attributes: text("app.source", "disk")},
	{scope: "app", name: "one without anything"},
	{scope: "app", name: "GET", kind: trace.SpanKindClient, attributes: text("http.request.method", "GET")},
	{scope: "app", name: "SELECT", kind: trace.SpanKindClient, attributes: text("db.system", "postgresql")},
	{scope: "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp", name: "handler"},
	{scope: "next.js", name: "render", attributes: text("next.span_type", "AppRender")},
}

// leftOut are those that are no events.
var leftOut = map[string]bool{"GET": true, "SELECT": true, "handler": true, "render": true}

// record records the spans, one below the other in pairs.
func record(ctx context.Context, provider trace.TracerProvider) {
	start := time.UnixMilli(1_790_000_000_000)
	for i, s := range ecosystems {
		at := start.Add(time.Duration(i) * time.Second)
		options := []trace.SpanStartOption{trace.WithSpanKind(s.kind), trace.WithTimestamp(at)}
		if s.kind == trace.SpanKindClient { // which is plumbing until it says what it is
			options = append(options, trace.WithAttributes(s.attributes...))
		}
		ctx, span := provider.Tracer(s.scope).Start(ctx, s.name, options...)
		_, child := provider.Tracer("app").Start(ctx, "below "+s.name, trace.WithTimestamp(at), trace.WithAttributes(attribute.String("gen_ai.operation.name", "execute_tool")))
		if s.event == "" || s.kind != trace.SpanKindClient {
			child.End(trace.WithTimestamp(at.Add(time.Millisecond)))
		}
		span.SetAttributes(s.attributes...) // as most instrumentations do: when they know
		if s.event != "" {
			span.AddEvent(s.event, trace.WithAttributes(s.below...), trace.WithTimestamp(at))
		}
		if s.failure != "" {
			span.SetStatus(codes.Error, s.failure)
		}
		span.End(trace.WithTimestamp(at.Add(2 * time.Millisecond)))
		child.End(trace.WithTimestamp(at.Add(time.Millisecond))) // nothing where it has ended
	}
}

// TestDialectsWhicheverWay records spans of every ecosystem as foreign spans on the
// provider of the library: the records are the same by HTTP, by OTLP, and from an
// exporter that knows nothing of sessions.
func TestDialectsWhicheverWay(t *testing.T) {
	byHTTP, byOTLP, alone := start(t), start(t), start(t)
	tracer, err := sessionspan.New(sessionspan.WithProject("p"), sessionspan.WithSource("s"), sessionspan.WithoutEnvironment(),
		sessionspan.WithHTTP(exporter.HTTPConfig{URL: byHTTP.URL()}), sessionspan.WithOTLP(exporter.OTLPConfig{URL: byOTLP.URL() + "/v1/traces"}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, session := sessionspan.StartSession(sessionspan.ContextWithTracer(t.Context(), tracer), "all of them", sessionspan.WithSessionID(sessionID))
	record(ctx, tracer.TracerProvider())
	session.End()
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := content(t, byHTTP)
	if d := cmp.Diff(want, content(t, byOTLP)); d != "" {
		t.Errorf("(- HTTP, + OTLP): %s", d)
	}
	events := said(t, want)
	for _, s := range ecosystems {
		if _, ok := events[s.name]; ok == leftOut[s.name] {
			t.Errorf("%s: an event: %v", s.name, ok)
		}
		parent := events["below "+s.name].parent
		if wantParent := s.name; leftOut[s.name] {
			if parent != "" {
				t.Errorf("what is below %s hangs on %s", s.name, parent)
			}
		} else if parent != wantParent {
			t.Errorf("what is below %s hangs on %q", s.name, parent)
		}
	}

	otlp, err := exporter.NewOTLP(exporter.OTLPConfig{URL: alone.URL() + "/v1/traces"})
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(otlp))
	ctx, root := provider.Tracer("app").Start(t.Context(), "all of them")
	record(ctx, provider)
	root.End()
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := said(t, content(t, alone))
	delete(got, "all of them") // the session there, a step here
	for name, e := range got {
		if e.parent == "all of them" {
			e.parent = ""
			got[name] = e
		}
	}
	if d := cmp.Diff(events, got, cmp.AllowUnexported(saidOf{})); d != "" {
		t.Errorf("(- library, + another exporter): %s", d)
	}
}

// saidOf is what an event says, but for ids and what only the library knows.
type saidOf struct{ parent, text string }

// said returns the events by their names. The library has a project and a source.
func said(t *testing.T, all map[string]string) map[string]saidOf {
	t.Helper()
	names, events := make(map[string]string), make(map[string]map[string]any)
	for id, text := range all {
		var e map[string]any
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		if name, ok := e["event_name"].(string); ok {
			names[id], events[name] = name, e
		}
	}
	out := make(map[string]saidOf)
	for name, e := range events {
		parent := names[fmt.Sprint(e["parent_id"])]
		for _, key := range []string{"event_id", "session_id", "parent_id", "children_ids", "project", "source"} {
			delete(e, key)
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = saidOf{parent, string(text)}
	}
	return out
}
