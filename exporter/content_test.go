package exporter_test

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// The names of attributes whose texts are names, ids and types, which stay.
var labels = []string{
	"gen_ai.request.model", "gen_ai.response.model", "gen_ai.provider.name", "gen_ai.operation.name", "gen_ai.tool.name", "gen_ai.tool.call.id", "gen_ai.agent.name",
	"gen_ai.prompt.name", "gen_ai.prompt.version", "llm.prompt_template.version", "traceloop.prompt.key", "user.id", "error.type", "exception.type",
	"http.request.method", "http.route", "server.address", "db.system.name", "db.collection.name", "llm.model_name", "ai.model.id", "langfuse.trace.tags",
	"honeyhive_metadata.response_model", "honeyhive_config.model", "gen_ai.response.id",
}

// The names of attributes that stay where they are numbers.
var numbers = []string{
	"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.request.temperature", "gen_ai.request.max_tokens", "gen_ai.request.top_k", "llm.token_count.prompt",
	"llm.cost.total", "http.response.status_code", "server.port", "gen_ai.response.time_to_first_chunk", "ai.usage.promptTokens", "honeyhive_duration",
	"honeyhive_metadata.prompt_tokens", "honeyhive_metrics.relevance", "honeyhive_feedback.rating", "http.response.body.size",
}

// The names of attributes with content that no table of the conversion has.
var others = []string{
	"gen_ai.event.content", "message.content", "tool_calls", "message", "content", "ai.prompt", "ai.response.text", "langfuse.observation.input", "mcp.request.argument.q",
	"mcp.anything", "tool.json_schema", "tool.description", "llm.invocation_parameters", "llm.headers", "db.query.parameter.0", "db.operation.parameter.x", "url.full", "url.query",
	"url.path", "http.url", "http.target", "error.message", "exception.message", "exception.stacktrace", "gen_ai.evaluation.explanation", "annotations.0.annotation.explanation",
	"gen_ai.tool.definitions", "gen_ai.agent.description", "gen_ai.tool.description", "db.query.text", "db.statement", "http.request.header.authorization",
	"custom.attribute", "a", "x.y.z", "honeyhive_config.tools", "honeyhive_config.response_format", "honeyhive_config.template", "honeyhive_config.stop_sequences",
	"honeyhive_metadata.note", "honeyhive_user_properties.name", "honeyhive_feedback.comment", "user.email", "user.name", "enduser.name", "rpc.request.metadata.x",
	"gen_ai.request.stop_sequences", "metadata", "metadata.note", "langfuse.observation.metadata.x", "gen_ai.prompt.0.content", "llm.input_messages.0.message.content",
	"process.command_line", "process.command_args",
}

// canaries returns attributes with a canary in each: under every name of the tables, and
// below it, and under those of lists, but where a label may stand.
func canaries() (list []attribute.KeyValue) {
	var names []string
	for _, m := range convert.Tables() {
		name := strings.TrimRight(m.Attribute, ".:")
		names = append(names, name, name+".0", name+".0.content", name+".text", name+"."+canary)
	}
	names = append(append(names, others...), numbers...)
	slices.Sort(names)
	for n, name := range slices.Compact(names) {
		key := attribute.Key(name)
		long := strings.Repeat("so it is said ", 20) + canary // no label
		switch n % 6 {
		case 0:
			list = append(list, key.String(`{"a":{"`+canary+`":"`+long+`"},"b":["`+canary+`"]}`+"\n"))
		case 1:
			list = append(list, key.StringSlice([]string{"x", long}))
		case 2:
			list = append(list, attribute.ByteSlice(name, []byte(long)))
		case 3:
			list = append(list, attribute.Slice(name, attribute.StringValue(long), attribute.IntValue(1)))
		case 4:
			list = append(list, attribute.Map(name, attribute.String(canary, long), attribute.String("b", canary)))
		default:
			list = append(list, key.String(long))
		}
	}
	return append(list, attribute.Int(canary, 1), attribute.String("k "+canary, "v"))
}

// identities are attributes whose whole text names something.
var identities = func() map[attribute.Key]bool {
	m := make(map[attribute.Key]bool)
	for _, row := range convert.Tables() {
		for field := range strings.SplitSeq(row.Field, ", ") {
			switch field {
			case "session_id", "session_name", "event_name", "project", "source":
				m[attribute.Key(row.Attribute)] = true
			}
		}
	}
	return m
}()

// full returns a span with canaries everywhere, and with what stays.
func full() sdktrace.ReadOnlySpan {
	content := slices.DeleteFunc(canaries(), func(kv attribute.KeyValue) bool {
		return identities[kv.Key] || slices.Contains(numbers, string(kv.Key))
	})
	attributes := slices.Clone(content)
	for _, name := range labels {
		attributes = append(attributes, attribute.String(name, "label"))
	}
	for _, name := range numbers {
		attributes = append(attributes, attribute.Int(name, 7))
	}
	id := func(n byte) trace.SpanContext {
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{n}, SpanID: trace.SpanID{n}})
	}
	return tracetest.SpanStub{
		Name: "chat", SpanContext: id(1), Parent: id(1), StartTime: time.UnixMilli(1e12), EndTime: time.UnixMilli(1e12 + 5),
		Attributes: append(attributes, attribute.String("honeyhive.session_id", "session"), attribute.String("honeyhive.project", "p")),
		Events: []sdktrace.Event{
			{Name: "exception", Attributes: content, Time: time.UnixMilli(1e12 + 1)}, {Name: "say " + canary, Attributes: content}, {Name: "gen_ai.choice", Attributes: content},
		},
		Links:    []sdktrace.Link{{SpanContext: id(2), Attributes: content}},
		Status:   sdktrace.Status{Code: codes.Error, Description: canary},
		Resource: resource.NewSchemaless(append(content, attribute.String("service.name", "label"))...),
		InstrumentationScope: instrumentation.Scope{
			Name: "scope", Attributes: attribute.NewSet(content...),
		},
	}.Snapshot()
}

// TestAllowList shows a span with canaries in every attribute, event, link and bucket to
// destinations without content, of each kind: no canary leaves, and what is known to be no
// content does.
func TestAllowList(t *testing.T) {
	salt := []byte("0123456789abcdef")
	for name, option := range map[string]exporter.Option{"none": exporter.WithoutContent(), "hashed": exporter.WithHashedContent(salt)} {
		t.Run(name, func(t *testing.T) {
			var out buffer
			var kept keeper
			api, v1, col, perKey := newServer(t, ok), newServer(t, ok), newServer(t, accept), newServer(t, accept)
			all := make(gathered)
			var made []*exporter.Exporter
			add := func(e *exporter.Exporter, err error) {
				if err != nil {
					t.Fatal(err)
				}
				made = append(made, e)
			}
			add(exporter.NewLines(&out, option))
			add(newHTTP(exporter.HTTPConfig{URL: api.URL}, option))
			add(newHTTP(exporter.HTTPConfig{URL: v1.URL, V1: true}, option))
			add(newOTLP(exporter.OTLPConfig{URL: col.URL}, option))
			add(newOTLP(exporter.OTLPConfig{URL: perKey.URL, BucketKeys: true}, option))
			add(exporter.Wrap(&kept, option))
			for _, e := range made {
				if err := e.ExportSpans(t.Context(), []sdktrace.ReadOnlySpan{full()}); err != nil {
					t.Fatal(err)
				}
				if err := e.Shutdown(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for line := range strings.Lines(out.String()) {
				all.json(t, []byte(line))
			}
			for _, s := range []*server{api, v1} {
				for _, r := range s.seen() {
					all.json(t, r.body)
				}
			}
			for _, s := range []*server{col, perKey} {
				for _, r := range s.seen() {
					all.otlp(t, r.body)
				}
			}
			all.span(kept.spans[0])
			for text := range all {
				if strings.Contains(text, canary) {
					t.Errorf("a canary got through: %.200q", text)
				}
			}
			got := make(map[string]string)
			for _, kv := range kept.spans[0].Attributes() {
				got[string(kv.Key)] = kv.Value.String()
			}
			for _, name := range labels {
				if got[name] != "label" {
					t.Errorf("%s is %q: it is no content", name, got[name])
				}
			}
			for _, name := range numbers {
				if got[name] != "7" {
					t.Errorf("%s is %q: it is no content", name, got[name])
				}
			}
			if got["honeyhive_metadata.inputs_bytes"] == "" || got["honeyhive_metadata.outputs_bytes"] == "" {
				t.Error("the sizes are missing")
			}
			s := kept.spans[0]
			if s.Name() != "chat" || s.Status().Code != codes.Error || len(s.Events()) != 3 || s.Events()[0].Name != "exception" || s.Events()[1].Name != "event" ||
				len(s.Links()) != 1 || s.Links()[0].SpanContext.TraceID() != (trace.TraceID{2}) || s.InstrumentationScope().Name != "scope" {
				t.Errorf("structure is missing: %+v", s)
			}
			if v, _ := s.Resource().Set().Value("service.name"); v.AsString() != "label" {
				t.Error("the resource is missing")
			}
			for _, want := range []string{`"prompt_tokens":7`, `"model":"label"`, `"relevance":7`, `"rating":7`, map[string]string{"none": `"error":"label"`}[name]} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%s is missing in %s", want, out.String())
				}
			}
		})
	}
}

// TestAllowListOpen sees that the same span, with content let in, has its canaries.
func TestAllowListOpen(t *testing.T) {
	var kept keeper
	e, err := exporter.Wrap(&kept, exporter.WithoutContent(), exporter.WithContent())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.ExportSpans(t.Context(), []sdktrace.ReadOnlySpan{full()}); err != nil {
		t.Fatal(err)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := len(kept.spans[0].Attributes()), len(full().Attributes()); got != want {
		t.Errorf("%d of %d attributes", got, want)
	}
}

// exported returns what lines of a session's events hold, with options.
func exported(t *testing.T, use func(*sessionspan.Tracer), options ...exporter.Option) string {
	t.Helper()
	var out buffer
	e, err := exporter.NewLines(&out, options...)
	tracer := tracerFor(t, e, err)
	use(tracer)
	flush(t, tracer)
	return out.String()
}

// TestHashedContent joins what is the same: the same salt gives the same hashes, on every
// machine and in whichever field, and another salt gives others.
func TestHashedContent(t *testing.T) {
	salt := []byte("0123456789abcdef")
	say := func(tracer *sessionspan.Tracer) {
		ctx, s := tracer.StartSession(t0, "s", sessionspan.WithInputs(map[string]any{"question": "where is Ann?", "n": 12345678901234567, "value": true, "secret key": nil}))
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "m", sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: "where is Ann?"}))
		e.SetUsage(sessionspan.Usage{InputTokens: 3})
		e.End()
		s.SetOutputs(map[string]any{"answer": "where is Ann?", "output": `{"question":"where is Ann?"}`})
		s.End()
	}
	first, second := exported(t, say, exporter.WithHashedContent(salt)), exported(t, say, exporter.WithHashedContent(salt))
	sessions, events, _ := lines(t, first)
	again, _, _ := lines(t, second)
	inputs, outputs := sessions[0].Inputs, sessions[0].Outputs
	mark := func(o honeyhive.Object, key string) string {
		v, _ := o.Get(key)
		return strings.Trim(string(v), `"`)
	}
	said := mark(inputs, "question")
	if !strings.HasPrefix(said, "[hashed:") || len(said) != len("[hashed:]")+32 {
		t.Fatalf("%q is no hash", said)
	}
	if mark(outputs, "answer") != said || !strings.Contains(outputs.JSONText(), said) || !strings.Contains(events[0].Inputs.String(), said) || mark(again[0].Inputs, "question") != said {
		t.Errorf("the same text has several hashes:\n%s", first)
	}
	if strings.Contains(first, "Ann") || strings.Contains(first, "12345678901234567") || strings.Contains(first, "secret key") || !strings.Contains(first, `"role":"user"`) ||
		!strings.Contains(first, `"value":true`) || !strings.Contains(first, `"prompt_tokens":3`) {
		t.Errorf("%s", first)
	}
	if other := exported(t, say, exporter.WithHashedContent([]byte("another salt of some"))); strings.Contains(other, said) {
		t.Error("another salt gives the same hash")
	}
	if _, err := exporter.NewLines(new(buffer), exporter.WithHashedContent([]byte("short"))); err == nil {
		t.Error("a short salt was taken")
	}
}

// TestContentByKind keeps some kinds and not others.
func TestContentByKind(t *testing.T) {
	say := func(tracer *sessionspan.Tracer) {
		_, s := tracer.StartSession(t0, "s", sessionspan.WithInputs(map[string]any{"q": "IN"}), sessionspan.WithConfig(map[string]any{"template": "CFG", "model": "m"}),
			sessionspan.WithMetadata(map[string]any{"note": "META"}), sessionspan.WithUserProperties(map[string]any{"name": "USER"}))
		s.SetOutputs(map[string]any{"a": "OUT"})
		s.SetError("ERR")
		s.End()
		s.SetFeedback(map[string]any{"comment": "FEED", "rating": 2})
		s.SetInputs(map[string]any{"late": "LATEIN"})
		s.SetError("LATEERR")
	}
	for _, c := range []struct {
		options []exporter.Option
		out, in []string // what stays out
	}{
		{[]exporter.Option{exporter.WithoutContent(exporter.ContentInputs)}, []string{"IN", "LATEIN"}, []string{"OUT", "ERR", "CFG", "META", "USER", "FEED", "LATEERR"}},
		{[]exporter.Option{exporter.WithoutContent(exporter.ContentOutputs, exporter.ContentErrors)}, []string{"OUT", "ERR", "LATEERR"}, []string{"IN", "CFG", "META", "USER", "FEED", "LATEIN"}},
		{[]exporter.Option{exporter.WithoutContent(exporter.ContentNotes)}, []string{"META", "USER", "FEED"}, []string{"IN", "OUT", "ERR", "CFG", "LATEIN", "LATEERR"}},
		{[]exporter.Option{exporter.WithoutContent(), exporter.WithContent(exporter.ContentConfig)}, []string{"IN", "OUT", "ERR", "META", "USER", "FEED"}, []string{"CFG"}},
	} {
		got := exported(t, say, c.options...)
		for _, text := range c.out {
			if strings.Contains(got, `"`+text+`"`) {
				t.Errorf("%s got through: %s", text, got)
			}
		}
		for _, text := range append(c.in, `rating":2`, `"model":"m`) {
			if !strings.Contains(got, text) {
				t.Errorf("%s stayed out: %s", text, got)
			}
		}
	}
	if _, err := exporter.NewLines(new(buffer), exporter.WithoutContent(99)); err == nil {
		t.Error("a kind that there is not was taken")
	}
}

// TestAllowedAttributes lets in what the user names, and what is below a family.
func TestAllowedAttributes(t *testing.T) {
	var kept keeper
	e, err := exporter.Wrap(&kept, exporter.WithoutContent(), exporter.WithAllowedAttributes("tenant", "app."))
	tracer := tracerFor(t, e, err)
	_, s := tracer.TracerProvider().Tracer("x").Start(t0, "s", trace.WithAttributes(attribute.String("tenant", "a"), attribute.String("app.b.c", "b"), attribute.String("application", "c"), attribute.String("tenant.x", "d")))
	s.End()
	_, s = tracer.TracerProvider().Tracer("x").Start(sessionspan.ContextWithoutContent(t0), "s", trace.WithAttributes(attribute.String("tenant", "a"), attribute.String("other", canary)))
	s.End()
	flush(t, tracer)
	var got []string
	for _, s := range kept.spans {
		for _, kv := range s.Attributes() {
			got = append(got, string(kv.Key))
		}
	}
	if want := []string{"tenant", "app.b.c", "tenant", "honeyhive.without_content"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := exporter.NewLines(new(buffer), exporter.WithAllowedAttributes("")); err == nil {
		t.Error("an empty name was taken")
	}
}

// TestSpoolOfAnOlderProcess writes a spool without a gate, and delivers it with one.
func TestSpoolOfAnOlderProcess(t *testing.T) {
	dir := t.TempDir()
	api, col := new(server), new(server)
	soon := exporter.WithLimits(exporter.Limits{UpdateFor: time.Minute})
	options := func(name string, more ...exporter.Option) []exporter.Option {
		return append([]exporter.Option{exporter.WithSpool(filepath.Join(dir, name)), exporter.WithName(name), exporter.WithErrorHandler(nil), soon}, more...)
	}
	var online atomic.Bool
	gate := func(to *server) *server {
		return newServer(t, func(n int, w http.ResponseWriter, r request) {
			if !online.Load() {
				away(n, w, r)
				return
			}
			to.mu.Lock()
			to.requests = append(to.requests, r)
			to.mu.Unlock()
			if strings.HasSuffix(r.path, "/v1/traces") {
				accept(n, w, r)
			} else {
				ok(n, w, r)
			}
		})
	}
	apiGate, colGate := gate(api), gate(col)
	make2 := func(more ...exporter.Option) (*sessionspan.Tracer, *exporter.Exporter, *exporter.Exporter) {
		a, err := newHTTP(exporter.HTTPConfig{URL: apiGate.URL}, options("api", more...)...)
		if err != nil {
			t.Fatal(err)
		}
		o, err := newOTLP(exporter.OTLPConfig{URL: colGate.URL}, options("otlp", more...)...)
		return tracerFor(t, o, err, sessionspan.WithDestination(a)), a, o
	}
	tracer, a, o := make2()
	s := spill(tracer, canary)
	s.SetOutputs(map[string]any{"late": canary})
	_, turn := tracer.StartTurn(t0, "conversation", "turn", sessionspan.WithInputs(map[string]any{"q": canary}))
	turn.SetOutputs(canary)
	turn.End()
	_, cut := tracer.StartTurn(t0, "conversation", "turn", sessionspan.WithInputs(map[string]any{"q": canary}))
	_ = cut
	_, open := tracer.StartSession(t0, "open", sessionspan.WithInputs(map[string]any{"q": canary}))
	_ = open
	_ = shutdownSoon(t, tracer, a, o)

	online.Store(true)
	tracer, a, o = make2(exporter.WithoutContent())
	waitFor(t, func() bool {
		return a.Stats().Adopted > 0 && a.Stats().Waiting == 0 && o.Stats().Adopted > 0 && o.Stats().Waiting == 0
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := tracer.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	sessions, events, updates := 0, 0, 0
	for _, r := range api.seen() {
		if rest := spanNames.ReplaceAllString(string(r.body), ""); strings.Contains(rest, canary) {
			t.Errorf("content got through: %s %s\n%s", r.method, r.path, rest)
		}
		var body struct {
			Session json.RawMessage
			Events  []json.RawMessage
		}
		_ = json.Unmarshal(r.body, &body)
		events += len(body.Events)
		switch {
		case body.Session != nil || r.path == "/v1/sessions":
			sessions++
		case r.method == "PUT":
			updates++
		}
	}
	spans := 0
	for _, r := range col.seen() {
		spans++
		if rest := spanNames.ReplaceAllString(string(r.body), ""); strings.Contains(rest, canary) {
			t.Errorf("content got to the collector: %q", rest)
		}
	}
	if sessions < 3 || events < 3 || updates < 1 || spans == 0 {
		t.Errorf("%d sessions, %d events, %d updates, %d requests with spans", sessions, events, updates, spans)
	}
	if !strings.Contains(string(api.seen()[0].body), "_bytes") {
		t.Errorf("no size in %s", api.seen()[0].body)
	}
}
