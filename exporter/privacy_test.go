package exporter_test

import (
	"errors"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

const canary = "CANARY-4f2c"

// spanNames are names of spans with a canary, which are the program's.
var spanNames = regexp.MustCompile(`[sef] ` + canary)

// spill puts a text wherever a user can put one.
func spill(tracer *sessionspan.Tracer, text string) *sessionspan.Session {
	ctx, s := tracer.StartSession(t0, "s "+text, sessionspan.WithInputs(map[string]any{"q": text, "deep": []any{map[string]any{"x": text}}}))
	ctx, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e "+text, sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: text}),
		sessionspan.WithQuery(text))
	e.SetReply(sessionspan.Message{Role: "assistant", Content: text, ToolCalls: []sessionspan.ToolCall{{ID: "1", Name: "f", Arguments: map[string]any{"a": text}}}})
	e.SetDocuments(sessionspan.Document{ID: "d", Content: text})
	e.RecordError(errors.New(text))
	e.SetUsage(sessionspan.Usage{InputTokens: 1, OutputTokens: 2})
	_, f := tracer.TracerProvider().Tracer("plain").Start(ctx, "f "+text, trace.WithAttributes(
		attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.prompt.0.content", text), attribute.String("llm.input_messages.0.message.content", text),
		attribute.StringSlice("traceloop.entity.input", []string{text}), attribute.Map("gen_ai.input.messages", attribute.String("k", text)),
		attribute.Slice("gen_ai.output.messages", attribute.StringValue(text)), attribute.ByteSlice("input.value", []byte(text))),
		trace.WithLinks(trace.Link{SpanContext: s.Span().SpanContext(), Attributes: []attribute.KeyValue{attribute.String("input.value", text)}}))
	f.AddEvent("gen_ai.content.prompt", trace.WithAttributes(attribute.String("gen_ai.prompt", text)))
	f.End()
	e.End()
	s.SetOutputs(text)
	s.End()
	return s
}

// TestWithoutContent keeps what is said away from one destination and not from
// the other. Names of spans are the program's, and are not looked at here.
func TestWithoutContent(t *testing.T) {
	var open, closed buffer
	srv := newServer(t, accept)
	all, err := exporter.NewLines(&open)
	if err != nil {
		t.Fatal(err)
	}
	col, err := newOTLP(exporter.OTLPConfig{URL: srv.URL}, exporter.WithoutContent())
	if err != nil {
		t.Fatal(err)
	}
	e, err := exporter.NewLines(&closed, exporter.WithoutContent())
	tracer := tracerFor(t, e, err, sessionspan.WithDestination(all), sessionspan.WithDestination(col))
	s := spill(tracer, canary)
	flush(t, tracer)
	s.SetOutputs(map[string]any{"late": canary})
	s.SetFeedback(map[string]any{"rating": 1})
	flush(t, tracer)
	if rest := spanNames.ReplaceAllString(closed.String(), ""); strings.Contains(rest, canary) {
		t.Errorf("content got through:\n%s", rest)
	}
	for _, r := range srv.seen() {
		if rest := spanNames.ReplaceAllString(string(r.body), ""); strings.Contains(rest, canary) {
			t.Errorf("content got to the collector: %q", rest)
		}
	}
	for _, want := range []string{`"prompt_tokens":1`, `"error":"*errors.errorString"`, `"event_type":"model"`, `"rating":1`} {
		if !strings.Contains(closed.String(), want) {
			t.Errorf("%s is missing in\n%s", want, closed.String())
		}
	}
	if n := strings.Count(open.String(), canary); n < 15 {
		t.Errorf("the other destination got %d of the texts:\n%s", n, open.String())
	}
}

// TestRedactor replaces a secret everywhere.
func TestRedactor(t *testing.T) {
	var out buffer
	srv := newServer(t, accept)
	var keys atomic.Int64
	redact := exporter.WithRedactor(func(key, text string) string {
		if strings.HasPrefix(key, "honeyhive_inputs.") {
			keys.Add(1)
		}
		return strings.ReplaceAll(text, canary, "[secret]")
	})
	col, err := newOTLP(exporter.OTLPConfig{URL: srv.URL}, redact)
	if err != nil {
		t.Fatal(err)
	}
	e, err := exporter.NewLines(&out, redact, exporter.WithRedactor(nil))
	tracer := tracerFor(t, e, err, sessionspan.WithDestination(col))
	s := spill(tracer, canary)
	flush(t, tracer)
	s.SetFeedback(map[string]any{"comment": canary})
	flush(t, tracer)
	if strings.Contains(out.String(), canary) || strings.Count(out.String(), "[secret]") < 15 {
		t.Errorf("%s", out.String())
	}
	for _, r := range srv.seen() {
		if strings.Contains(string(r.body), canary) {
			t.Errorf("the collector got %q", r.body)
		}
	}
	if keys.Load() == 0 {
		t.Error("the redactor was not told where the text stands")
	}
	if !strings.Contains(out.String(), s.ID()) {
		t.Error("the id is redacted")
	}
}

// TestRedactorThatPanics lets nothing through.
func TestRedactorThatPanics(t *testing.T) {
	var out buffer
	e, err := exporter.NewLines(&out, exporter.WithRedactor(func(_, text string) string {
		if strings.Contains(text, canary) {
			panic("redact")
		}
		return text
	}))
	tracer := tracerFor(t, e, err)
	spill(tracer, canary)
	flush(t, tracer)
	if strings.Contains(out.String(), canary) || !strings.Contains(out.String(), "[redaction failed]") {
		t.Errorf("%s", out.String())
	}
	if s := e.Stats(); s.Delivered != 3 {
		t.Errorf("%+v", s)
	}
}

// TestLateContent sets inputs and errors when only an update can carry them.
func TestLateContent(t *testing.T) {
	var b buffer
	e, err := exporter.NewLines(&b, exporter.WithoutContent())
	tracer := tracerFor(t, e, err)
	_, s := tracer.StartSession(t.Context(), "s")
	s.End()
	s.SetInputs(map[string]any{"q": canary})
	s.SetOutputs(map[string]any{"a": canary})
	s.SetMessages(sessionspan.Message{Role: "user", Content: canary})
	s.SetError(canary)
	s.RecordError(errors.New(canary))
	if err := tracer.Update(t.Context(), s.ID(), sessionspan.WithError(canary), sessionspan.WithInputs(canary),
		sessionspan.WithFeedback(map[string]any{"rating": 1})); err != nil {
		t.Error(err)
	}
	flush(t, tracer)
	if text := b.String(); strings.Contains(text, canary) || !strings.Contains(text, "rating") {
		t.Errorf("%s", text)
	}
}

// TestRedactedIdentity names a session by an address.
func TestRedactedIdentity(t *testing.T) {
	const address = "alice@example.com"
	redact := exporter.WithRedactor(func(_, text string) string { return strings.ReplaceAll(text, address, "[address]") })
	srv := newServer(t, accept)
	col, err := newOTLP(exporter.OTLPConfig{URL: srv.URL}, redact)
	if err != nil {
		t.Fatal(err)
	}
	var b buffer
	e, err := exporter.NewLines(&b, redact)
	tracer := tracerFor(t, e, err, sessionspan.WithDestination(col))
	plain := tracer.TracerProvider().Tracer("plain")
	ctx, root := plain.Start(t.Context(), "root", trace.WithAttributes(
		attribute.String("honeyhive_event_type", "session"), attribute.String("honeyhive.session_id", address),
		attribute.String("honeyhive.project", "p"), attribute.StringSlice("honeyhive_children_ids", []string{address})))
	_, child := plain.Start(ctx, "child", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat")))
	child.End()
	root.End()
	_, ours := tracer.StartSession(t.Context(), "ours", sessionspan.WithSessionID(address))
	ours.End()
	flush(t, tracer)
	sessions, events, _ := lines(t, b.String())
	id := honeyhive.SessionID("p", address).String()
	if len(sessions) != 2 || len(events) != 1 || sessions[0].SessionID.Or("") != id || sessions[1].SessionID.Or("") != id || events[0].SessionID.Or("") != id {
		t.Errorf("%s", b.String())
	}
	if strings.Contains(b.String(), address) || !strings.Contains(b.String(), `"original_session_id":"[address]"`) {
		t.Errorf("%s", b.String())
	}
	for _, r := range srv.seen() {
		if strings.Contains(string(r.body), address) || !strings.Contains(string(r.body), id) {
			t.Errorf("the collector got %q", r.body)
		}
	}
}
