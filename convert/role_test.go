package convert_test

import (
	"testing"

	"github.com/sessionspan/sessionspan/convert"
)

// TestRoleOf tells events, steps and plumbing.
func TestRoleOf(t *testing.T) {
	span := func(kind convert.Kind, scope string, nameValues ...any) *convert.Span {
		s := newSpan(nameValues...)
		s.Kind, s.Scope = kind, scope
		return s
	}
	for name, tc := range map[string]struct {
		span *convert.Span
		want convert.Role
	}{
		"a step":                       {span(convert.Internal, "app", "x", 1), convert.Step},
		"a step of no kind":            {span(convert.Unspecified, ""), convert.Step},
		"a step that names a session":  {span(convert.Internal, "app", "session.id", "s"), convert.Step},
		"a step with Logfire":          {span(convert.Internal, "logfire", "logfire.msg", "m", "logfire.span_type", "span"), convert.Step},
		"a method with an annotation":  {span(convert.Internal, "io.opentelemetry.opentelemetry-instrumentation-annotations-1.16"), convert.Step},
		"named like a framework":       {span(convert.Internal, "express-shop"), convert.Step},
		"named like another framework": {span(convert.Internal, "fastapi_rag"), convert.Step},
		"a kind that nobody knows":     {span(convert.Kind(77), "app"), convert.Plumbing},
		"a client":                     {span(convert.Client, "app"), convert.Plumbing},
		"a server":                     {span(convert.Server, "app"), convert.Plumbing},
		"a producer":                   {span(convert.Producer, "app"), convert.Plumbing},
		"a consumer":                   {span(convert.Consumer, "app"), convert.Plumbing},
		"an internal request":          {span(convert.Internal, "app", "http.request.method", "GET"), convert.Plumbing},
		"an internal query":            {span(convert.Internal, "app", "db.system", "postgresql"), convert.Plumbing},
		"an internal message":          {span(convert.Internal, "app", "messaging.system", "kafka"), convert.Plumbing},
		"an internal call":             {span(convert.Internal, "app", "rpc.method", "m"), convert.Plumbing},
		"express":                      {span(convert.Internal, "@opentelemetry/instrumentation-express", "express.type", "middleware"), convert.Plumbing},
		"FastAPI":                      {span(convert.Internal, "opentelemetry.instrumentation.fastapi", "asgi.event.type", "http.response.body"), convert.Plumbing},
		"Next.js":                      {span(convert.Internal, "next.js", "next.span_type", "AppRender.getBodyResult"), convert.Plumbing},
		"Next.js by its attributes":    {span(convert.Internal, "", "next.span_type", "x"), convert.Plumbing},
		"otelhttp":                     {span(convert.Internal, "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"), convert.Plumbing},
		"Spring":                       {span(convert.Internal, "io.opentelemetry.spring-webmvc-6.0"), convert.Plumbing},
		"Rails":                        {span(convert.Internal, "OpenTelemetry::Instrumentation::Rails"), convert.Plumbing},
		".NET":                         {span(convert.Internal, "Microsoft.AspNetCore.Hosting"), convert.Plumbing},
		"Phoenix":                      {span(convert.Internal, "opentelemetry_phoenix"), convert.Plumbing},
		"a line of a log":              {span(convert.Internal, "logfire", "logfire.span_type", "log"), convert.Plumbing},
		"a placeholder":                {span(convert.Internal, "pydantic-ai", "logfire.span_type", "pending_span", "gen_ai.request.model", "m"), convert.Plumbing},
		"what a filter has left out":   {span(convert.Internal, "app", "honeyhive.left_out", true, "gen_ai.request.model", "m"), convert.Plumbing},
		"values that are missing":      {span(convert.Client, "app", "http.request.method", "GET", "gen_ai.request.model", nil, "openinference.span.kind", nil, "llm.model_name", nil), convert.Plumbing},
		"identity on a request":        {span(convert.Client, "app", "http.request.method", "GET", "gen_ai.conversation.id", "c", "langfuse.trace.name", "t", "langfuse.environment", "e"), convert.Plumbing},
		"a call":                       {span(convert.Client, "app", "gen_ai.operation.name", "chat", "http.request.method", "POST"), convert.Speaking},
		"a database for vectors":       {span(convert.Client, "app", "db.system.name", "Qdrant"), convert.Speaking},
		"vectors in a database":        {span(convert.Client, "app", "db.system", "postgresql", "db.vector.query.top_k", 3), convert.Speaking},
		"documents in events":          {withEvents(span(convert.Client, "app", "db.system", "postgresql"), event("db.query.result", "db.query.result.id", "d")), convert.Speaking},
		"messages in events":           {withEvents(span(convert.Internal, "app"), event("gen_ai.user.message", "content", "Hi")), convert.Speaking},
		"an exception":                 {withEvents(span(convert.Internal, "app"), event("exception", "exception.message", "no")), convert.Step},
	} {
		if got := convert.RoleOf(tc.span); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// TestKinds tells what an event is where its attributes do not say it outright.
func TestKinds(t *testing.T) {
	for name, tc := range map[string]struct {
		given               []any
		eventType, wantKind string
	}{
		"a model without an operation":       {[]any{"gen_ai.system", "openai", "gen_ai.request.model", "m"}, "model", ""},
		"the model that answered":            {[]any{"gen_ai.response.model", "m"}, "model", ""},
		"tokens alone":                       {[]any{"gen_ai.usage.output_tokens", 3}, "model", ""},
		"tokens in a sum":                    {[]any{"gen_ai.usage.total_tokens", 3}, "model", ""},
		"a model of OpenInference":           {[]any{"llm.model_name", "m"}, "model", ""},
		"tokens of OpenInference":            {[]any{"llm.token_count.prompt", 1}, "model", ""},
		"a model of Traceloop":               {[]any{"llm.request.model", "m"}, "model", ""},
		"a model of embeddings":              {[]any{"embedding.model_name", "m"}, "tool", ""},
		"a tool with a model":                {[]any{"gen_ai.tool.name", "t", "gen_ai.request.model", "m"}, "tool", ""},
		"an agent with tokens":               {[]any{"gen_ai.agent.name", "a", "gen_ai.usage.input_tokens", 3}, "chain", ""},
		"an agent's call":                    {[]any{"gen_ai.agent.name", "a", "gen_ai.request.model", "m"}, "model", ""},
		"an unknown operation":               {[]any{"gen_ai.operation.name", "agent_step", "gen_ai.usage.input_tokens", 3}, "chain", ""},
		"an unknown operation with a model":  {[]any{"gen_ai.operation.name", "workflow", "gen_ai.request.model", "m"}, "chain", ""},
		"an operation without a value":       {[]any{"gen_ai.operation.name", nil, "gen_ai.request.model", "m"}, "model", ""},
		"an unknown kind of OpenInference":   {[]any{"openinference.span.kind", "UNKNOWN"}, "chain", ""},
		"a session of Traceloop":             {[]any{"traceloop.span.kind", "session"}, "chain", ""},
		"an unknown request of Traceloop":    {[]any{"llm.request.type", "unknown", "llm.usage.total_tokens", 1, "gen_ai.request.model", "m"}, "model", ""},
		"a retriever":                        {[]any{"gen_ai.operation.name", "retrieval"}, "tool", "retriever"},
		"embeddings":                         {[]any{"gen_ai.operation.name", "embeddings", "gen_ai.request.model", "m"}, "tool", "embedding"},
		"an agent":                           {[]any{"gen_ai.operation.name", "invoke_agent"}, "chain", "agent"},
		"a reranker of OpenInference":        {[]any{"openinference.span.kind", "reranker"}, "tool", "reranker"},
		"a guardrail":                        {[]any{"openinference.span.kind", "GUARDRAIL"}, "tool", "guardrail"},
		"an evaluator":                       {[]any{"openinference.span.kind", "EVALUATOR"}, "tool", "evaluator"},
		"an agent of Traceloop":              {[]any{"traceloop.span.kind", "agent"}, "chain", "agent"},
		"a kind in HoneyHive's words":        {[]any{"honeyhive_event_type", "retriever"}, "tool", "retriever"},
		"LangSmith before the operation":     {[]any{"gen_ai.operation.name", "embeddings", "langsmith.span.kind", "retriever"}, "tool", "retriever"},
		"the type of HoneyHive has no such":  {[]any{"honeyhive_event_type", "model", "gen_ai.operation.name", "retrieval"}, "model", ""},
		"the type of HoneyHive has it":       {[]any{"honeyhive_event_type", "tool", "gen_ai.operation.name", "retrieval"}, "tool", "retriever"},
		"nothing but what others do not say": {[]any{"gen_ai.tool.description", "d"}, "tool", ""},
	} {
		rec := convert.Convert(newSpan(tc.given...))
		if rec.Type != tc.eventType || rec.Kind != tc.wantKind {
			t.Errorf("%s: %s, %q, want %s, %q", name, rec.Type, rec.Kind, tc.eventType, tc.wantKind)
		}
		kind, _ := rec.Buckets[convert.Metadata].Get("event_kind")
		if text := string(kind); tc.wantKind == "" && text != "" || tc.wantKind != "" && text != `"`+tc.wantKind+`"` {
			t.Errorf("%s: metadata.event_kind is %s", name, text)
		}
	}
}

// TestSessionNames: what names a session goes before what names a conversation,
// whichever dialect says it.
func TestSessionNames(t *testing.T) {
	for name, tc := range map[string]struct {
		given    []any
		text     string
		isThread bool
	}{
		"a session":                      {[]any{"session.id", "s"}, "s", false},
		"a conversation":                 {[]any{"gen_ai.conversation.id", "c"}, "c", true},
		"both":                           {[]any{"gen_ai.conversation.id", "c", "langfuse.session.id", "s"}, "s", false},
		"a session of a later dialect":   {[]any{"gen_ai.conversation.id", "c", "mlflow.trace.session", `"s"`}, "s", false},
		"a thread of an earlier dialect": {[]any{"langsmith.metadata.thread_id", "t", "mastra.metadata.sessionId", "s"}, "s", false},
		"a thread":                       {[]any{"ai.telemetry.metadata.threadId", "t"}, "t", true},
		"a number":                       {[]any{"session.id", 42}, "42", false},
		"a connection":                   {[]any{"mcp.session.id", "m"}, "", false},
		"a project of LangSmith":         {[]any{"langsmith.trace.session_id", "p"}, "", false},
		"a UUID":                         {[]any{"session.id", sessionUUID}, "", false},
	} {
		rec := convert.Convert(newSpan(tc.given...))
		if rec.SessionText != tc.text || rec.SessionIsThread != tc.isThread {
			t.Errorf("%s: %q, %v, want %q, %v", name, rec.SessionText, rec.SessionIsThread, tc.text, tc.isThread)
		}
	}
}
