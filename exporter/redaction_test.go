package exporter_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/samples"
	"github.com/sessionspan/sessionspan/redact"
)

// spillAll puts a text wherever anybody can put one: the user of the library, other
// instrumentations of the program, and who calls it.
func spillAll(tracer *sessionspan.Tracer, text string) {
	fields := []sessionspan.FieldOption{
		sessionspan.WithInputs(map[string]any{text: 1, "deep": []any{map[string]any{"x": text, text: nil}}}), sessionspan.WithConfig(map[string]any{"a": text}),
		sessionspan.WithMetadata(map[string]any{text: text}), sessionspan.WithUserProperties(map[string]any{"id": text}),
	}
	ctx, s := tracer.StartSession(t0, "s "+text, append(fields, sessionspan.WithProject("p "+text), sessionspan.WithSource(text), sessionspan.WithTags(text), sessionspan.WithRelease(text))...)
	s.SetMetrics(map[string]any{text: 1})
	s.SetFeedback(map[string]any{"comment": text})
	ctx, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e "+text, sessionspan.WithMessages(sessionspan.Message{Role: text, Content: text}), sessionspan.WithQuery(text))
	e.SetReply(sessionspan.Message{Role: "assistant", Content: text, ToolCalls: []sessionspan.ToolCall{{ID: text, Name: text, Arguments: map[string]any{"a": text, text: 1}}}})
	e.SetDocuments(sessionspan.Document{ID: text, Content: text})
	e.RecordError(errors.New(text))
	e.SetAttributes(attribute.String(text, text))
	attributes := []attribute.KeyValue{
		attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.prompt.0.content", text), attribute.String("gen_ai.tool.name", text),
		attribute.String("gen_ai.conversation.id", text), attribute.String("user.id", text), attribute.String("url.full", text), attribute.String(text, "a"), attribute.Int("b "+text, 1),
		attribute.StringSlice("traceloop.entity.input", []string{text}), attribute.Map("gen_ai.input.messages", attribute.String(text, text)),
		attribute.Slice("gen_ai.output.messages", attribute.StringValue(text)), attribute.ByteSlice("input.value", []byte(text)),
		attribute.String("honeyhive_event_type", text), attribute.String("honeyhive_event_id", text), attribute.String("honeyhive_children_ids", text),
		attribute.String("honeyhive.session_auto_create", text), attribute.String("honeyhive_duration", text), attribute.String("honeyhive_config", samples.JSON(map[string]any{text: text})),
	}
	// A state of a trace, as far as the text may stand in one.
	state, _ := trace.TraceState{}.Insert("vendor", strings.NewReplacer(",", ";", "=", ":", "\n", " ", "\r", " ", "\t", " ").Replace(text))
	ctx = trace.ContextWithSpanContext(ctx, s.Span().SpanContext().WithTraceState(state))
	link := trace.Link{SpanContext: s.Span().SpanContext().WithTraceState(state), Attributes: []attribute.KeyValue{attribute.String("l "+text, text)}}
	_, f := tracer.TracerProvider().Tracer("scope "+text, trace.WithInstrumentationVersion(text), trace.WithInstrumentationAttributes(attribute.String(text, text))).
		Start(ctx, "f "+text, trace.WithAttributes(attributes...), trace.WithLinks(link))
	f.AddEvent("ev "+text, trace.WithAttributes(attribute.String("gen_ai.prompt", text), attribute.String(text, text)))
	f.RecordError(errors.New(text), trace.WithStackTrace(true))
	f.SetStatus(codes.Error, text)
	f.End()
	func() {
		defer func() { _ = recover() }()
		_, p := sessionspan.StartEvent(ctx, sessionspan.Tool, "p "+text)
		defer p.End()
		panic(text)
	}()
	e.End()
	s.SetOutputs(text)
	s.SetError(text)
	s.End()
	s.SetOutputs(map[string]any{"late": text})
	s.SetInputs(map[string]any{"late": text})
	s.SetFeedback(map[string]any{text: text})
	_, turn := tracer.StartTurn(t0, text, "t "+text, sessionspan.WithInputs(map[string]any{"q": text}))
	turn.SetOutputs(text)
	turn.End()
	_, named := tracer.StartSession(t0, "", sessionspan.WithSessionID("named "+text)) // an id that the user chose
	named.End()
	_ = tracer.Update(t0, named.ID(), sessionspan.WithOutputs(text), sessionspan.WithError(text), sessionspan.WithMetadata(map[string]any{"deep": []any{text, samples.JSON(text)}}))
	_, tool := sessionspan.StartEvent(sessionspan.ContextWithSession(t0, s), sessionspan.Tool, "tool "+text,
		sessionspan.WithInputs(sessionspan.ToolCall{ID: text, Name: text, Arguments: samples.JSON(map[string]any{text: text})}), sessionspan.WithPrompt(text, text))
	tool.SetName("renamed " + text)
	tool.SetOutputs(map[string]any{"url": "https://api.test/v1?q=" + url.QueryEscape(text) + "#" + url.PathEscape(text)})
	tool.End()
	_, open := tracer.StartSession(t0, "open "+text, sessionspan.WithInputs(map[string]any{"q": text}))
	_ = open // is announced
}

// keeper is a foreign exporter that keeps what it is shown.
type keeper struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

func (k *keeper) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.spans = append(k.spans, spans...)
	return nil
}

func (k *keeper) Shutdown(context.Context) error { return nil }

// gathered are all texts of what left the program.
type gathered map[string]bool

func (g gathered) json(t *testing.T, body []byte) {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("%v in %q", err, body)
		g[string(body)] = true
		return
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			g[v] = true
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for k, e := range v {
				g[k] = true
				walk(e)
			}
		}
	}
	walk(v)
}

func (g gathered) otlp(t *testing.T, body []byte) {
	var traces tracepb.TracesData
	if err := proto.Unmarshal(body, &traces); err != nil {
		t.Errorf("%v", err)
	}
	text, err := protojson.Marshal(&traces)
	if err != nil {
		t.Errorf("%v", err)
	}
	g.json(t, text)
}

func (g gathered) attributes(kvs []attribute.KeyValue) {
	for _, kv := range kvs {
		g[string(kv.Key)], g[kv.Value.String()] = true, true
	}
}

func (g gathered) span(s sdktrace.ReadOnlySpan) {
	g[s.Name()], g[s.Status().Description] = true, true
	g.attributes(s.Attributes())
	g.attributes(s.Resource().Attributes())
	scope := s.InstrumentationScope()
	g[scope.Name], g[scope.Version] = true, true
	g.attributes(scope.Attributes.ToSlice())
	for _, e := range s.Events() {
		g[e.Name] = true
		g.attributes(e.Attributes)
	}
	for _, l := range s.Links() {
		g.attributes(l.Attributes)
	}
}

// TestRedactionOfEverything puts generated values of each kind, in several encodings, in
// every position, and looks for them in every byte that leaves the program or reaches
// the disk, by every destination.
func TestRedactionOfEverything(t *testing.T) {
	policy, err := redact.New()
	if err != nil {
		t.Fatal(err)
	}
	encodings := []samples.Encoding{samples.Encodings[1], samples.Encodings[5], samples.Encodings[6], samples.Encodings[12]}
	r := samples.Rand(5)
	for n, kind := range samples.Kinds() {
		e := encodings[n%len(encodings)]
		plain, encoded := samples.Of(r, kind), samples.Of(r, kind)
		t.Run(kind+", "+e.Name, func(t *testing.T) {
			redactionOf(t, policy, []string{plain.Text, e.Of(encoded.Text)}, []string{plain.Secret, encoded.Secret})
		})
	}
}

func redactionOf(t *testing.T, policy *redact.Policy, texts, secrets []string) {
	refuse := func(_ int, w http.ResponseWriter, _ request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"no"}`)
	}
	gone := newServer(t, away) // so that all of it stays in the files
	dir := t.TempDir()
	redaction := exporter.WithRedaction(policy)
	soon := exporter.WithLimits(exporter.Limits{UpdateFor: time.Millisecond})
	api, v1, col, perKey, refusing := newServer(t, ok), newServer(t, ok), newServer(t, accept), newServer(t, accept), newServer(t, refuse)
	var out buffer
	var kept keeper
	lines, err := exporter.NewLines(&out, redaction, exporter.WithRedaction(nil))
	var reports errorList
	options := []sessionspan.Option{sessionspan.WithErrorHandler(reports.add)}
	add := func(e *exporter.Exporter, err error) {
		if err != nil {
			t.Fatal(err)
		}
		options = append(options, sessionspan.WithDestination(e))
	}
	add(newHTTP(exporter.HTTPConfig{URL: api.URL}, redaction, exporter.WithLiveSessions()))
	add(newHTTP(exporter.HTTPConfig{URL: v1.URL, V1: true}, redaction))
	add(newHTTP(exporter.HTTPConfig{URL: refusing.URL}, redaction, exporter.WithSpool(filepath.Join(dir, "api")), exporter.WithErrorHandler(reports.add), soon))
	add(newOTLP(exporter.OTLPConfig{URL: refusing.URL}, redaction, exporter.WithSpool(filepath.Join(dir, "otlp")), exporter.WithErrorHandler(reports.add), soon))
	add(newOTLP(exporter.OTLPConfig{URL: col.URL}, redaction))
	add(newOTLP(exporter.OTLPConfig{URL: perKey.URL, BucketKeys: true}, redaction))
	add(exporter.Wrap(&kept, redaction))
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(resource.NewSchemaless(attribute.String("process.command_args", texts[0]), attribute.String(texts[1], texts[1]))))
	tracer := tracerFor(t, lines, err, append(options, sessionspan.WithTracerProvider(provider))...)
	for _, text := range texts {
		spillAll(tracer, text)
	}
	ctx, cancel := context.WithTimeout(t0, time.Minute)
	defer cancel()
	_ = tracer.ForceFlush(ctx) // some refuse
	_ = tracer.Shutdown(ctx)
	kill := spoolAll(t, texts, dir, gone, redaction, exporter.WithErrorHandler(reports.add))
	defer kill()
	all := make(gathered)
	for line := range strings.Lines(out.String()) {
		all.json(t, []byte(line))
	}
	for _, s := range []*server{api, v1, refusing} {
		for _, r := range s.seen() {
			if strings.HasSuffix(r.path, "/v1/traces") {
				all.otlp(t, r.body)
			} else {
				all.json(t, r.body)
			}
			all[r.path] = true
		}
	}
	for _, s := range []*server{col, perKey} {
		for _, r := range s.seen() {
			all.otlp(t, r.body)
		}
	}
	for _, s := range kept.spans {
		all.span(s)
	}
	if len(kept.spans) < 5 || len(api.seen()) < 5 || len(v1.seen()) < 5 || len(col.seen()) == 0 || len(perKey.seen()) == 0 || len(all) < 100 {
		t.Errorf("%d spans, %d, %d, %d and %d requests, %d texts", len(kept.spans), len(api.seen()), len(v1.seen()), len(col.seen()), len(perKey.seen()), len(all))
	}
	files := 0
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		files++
		for _, secret := range secrets {
			if strings.Contains(string(b), secret) || strings.Contains(string(b), strings.Trim(samples.JSON(secret), `"`)) || strings.Contains(string(b), url.QueryEscape(secret)) ||
				strings.Contains(string(b), samples.Percent(secret)) || strings.Contains(string(b), base64.StdEncoding.EncodeToString([]byte(secret))) {
				t.Errorf("%q is in %s", secret, name)
			}
		}
		return err
	})
	if files < 4 { // what was refused, and what waits, of both
		t.Errorf("%d files", files)
	}
	all[reports.text()] = true
	for _, secret := range secrets {
		for s := range all {
			if samples.Leaks(s, secret) {
				t.Errorf("%q left the program: %.300q", secret, s)
			}
		}
	}
}

// spoolAll has texts wait in the files of destinations that are not there.
func spoolAll(t *testing.T, texts []string, dir string, gone *server, options ...exporter.Option) (end func()) {
	t.Helper()
	a, err := newHTTP(exporter.HTTPConfig{URL: gone.URL}, append(options, exporter.WithSpool(filepath.Join(dir, "gone")))...)
	if err != nil {
		t.Fatal(err)
	}
	o, err := newOTLP(exporter.OTLPConfig{URL: gone.URL}, append(options, exporter.WithSpool(filepath.Join(dir, "gone otlp")))...)
	tracer := tracerFor(t, o, err, sessionspan.WithDestination(a))
	for _, text := range texts {
		spillAll(tracer, text)
	}
	for _, e := range []*exporter.Exporter{a, o} {
		waitFor(t, func() bool { s := e.Stats(); return s.Created > 10 && s.Spooled >= s.Created })
	}
	return func() {
		ctx, cancel := context.WithCancel(t0)
		cancel()
		_ = tracer.Shutdown(ctx)
	}
}

// TestRedactionKeepsSessionsApart names sessions by addresses, by attributes of other
// conventions, that a policy makes the same.
func TestRedactionKeepsSessionsApart(t *testing.T) {
	policy, err := redact.New()
	if err != nil {
		t.Fatal(err)
	}
	var out buffer
	e, err := exporter.NewLines(&out, exporter.WithRedaction(policy))
	tracer := tracerFor(t, e, err)
	for _, key := range []string{"gen_ai.conversation.id", "session.id", "langfuse.session.id"} {
		for _, user := range []string{"ann@example.org", "bob@example.org"} {
			_, s := tracer.TracerProvider().Tracer("x").Start(t0, "chat", trace.WithAttributes(attribute.String(key, user), attribute.String("gen_ai.operation.name", "chat")))
			s.End()
		}
	}
	flush(t, tracer)
	_, events, _ := lines(t, out.String())
	ids := make(map[string]bool)
	for _, e := range events {
		ids[e.SessionID.Or("")] = true
	}
	want := map[string]bool{honeyhive.SessionID("p", "ann@example.org").String(): true, honeyhive.SessionID("p", "bob@example.org").String(): true}
	if len(events) != 6 || len(ids) != len(want) || strings.Contains(out.String(), "@example.org") {
		t.Errorf("%d events, %v, want %v\n%s", len(events), ids, want, out.String())
	}
	for id := range want {
		if !ids[id] {
			t.Errorf("%s is missing", id)
		}
	}
}

// TestRedactionByKey applies rules to attributes of all types, to numbers, and to members
// of buckets, and leaves other values and types as they are.
func TestRedactionByKey(t *testing.T) {
	policy, err := redact.New(redact.WithKey("ssn", redact.Mask), redact.WithKey("gone", redact.Remove))
	if err != nil {
		t.Fatal(err)
	}
	var kept keeper
	e, err := exporter.Wrap(&kept, exporter.WithRedaction(policy))
	tracer := tracerFor(t, e, err)
	_, s := tracer.TracerProvider().Tracer("x").Start(t0, "s", trace.WithAttributes(
		attribute.Int("ssn", 1), attribute.Bool("a.ssn", true), attribute.Int64Slice("b.ssn", []int64{1, 2}), attribute.String("gone", "x"), attribute.Map("m", attribute.Int("ssn", 1), attribute.Int("gone", 1), attribute.Int("n", 1)),
		attribute.Int("card", 4111111111111111), attribute.Float64("f", 1.5), attribute.Int64Slice("i", []int64{7}), attribute.Bool("b", true), attribute.BoolSlice("bs", []bool{true}), attribute.Float64Slice("fs", []float64{0.5})))
	s.End()
	flush(t, tracer)
	got := make(map[string]string)
	for _, kv := range kept.spans[0].Attributes() {
		got[string(kv.Key)] = kv.Value.Type().String() + " " + kv.Value.String()
	}
	for key, want := range map[string]string{
		"ssn": "STRING [redacted:ssn]", "a.ssn": "STRING [redacted:ssn]", "b.ssn": `STRINGSLICE ["[redacted:ssn]","[redacted:ssn]"]`, "gone": "",
		"card": "STRING [redacted:card]", "f": "FLOAT64 1.5", "i": "INT64SLICE [7]", "b": "BOOL true", "bs": "BOOLSLICE [true]", "fs": "FLOAT64SLICE [0.5]",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	if m := got["m"]; strings.Contains(m, "gone") || !strings.Contains(m, "[redacted:ssn]") || !strings.Contains(m, `"n":1`) {
		t.Errorf("m is %s", m)
	}
}
