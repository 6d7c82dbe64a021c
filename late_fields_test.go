package sessionspan_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestProjectOfLaterSpans changes the project and source of a session: spans that
// start afterwards carry the new ones, ours and those of other tracers, and those
// that ran already keep what they said.
func TestProjectOfLaterSpans(t *testing.T) {
	recorder := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(recorder))
	defer func() { _ = provider.Shutdown(t.Context()) }()
	p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
	ctx, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithProject("pro"), sessionspan.WithSource("sou"))
	_, before := sessionspan.StartEvent(ctx, sessionspan.Tool, "before")
	s.SetProject("project") // what a limit of the provider would leave of it is the old one
	s.SetSource("source")
	s.SetProject("")
	_, after := sessionspan.StartEvent(ctx, sessionspan.Tool, "after")
	_, foreign := provider.Tracer("foreign").Start(ctx, "foreign", genAISpan)
	_, c := p.Tracer.ContinueSession(t.Context(), s.ID())
	c.SetSource("last source")
	_, last := sessionspan.StartEvent(ctx, sessionspan.Tool, "last")
	foreign.End()
	for _, e := range []*sessionspan.Event{before, after, last} {
		e.End()
	}
	s.End()
	got := p.Session("s")
	if got.Project.Or("") != "project" || got.Source.Or("") != "last source" {
		t.Errorf("%+v", got.SessionStartRequest)
	}
	for name, want := range map[string][2]string{
		"before": {"pro", "sou"}, "after": {"project", "source"}, "foreign": {"project", "source"}, "last": {"project", "last source"},
	} {
		if e := got.Event(name); e.Project.Or("") != want[0] || e.Source.Or("") != want[1] {
			t.Errorf("%s: project %q, source %q; want %q", name, e.Project.Or(""), e.Source.Or(""), want)
		}
	}
	for _, span := range recorder.GetSpans() {
		if span.Name == "after" && !slices.Contains(span.Attributes, attribute.String(honeyhive.AttrProject, "project")) {
			t.Errorf("the span says %v", span.Attributes)
		}
	}
	if reports := p.Reports(); len(reports) != 0 {
		t.Errorf("reports %v", reports)
	}
}

// TestTextsAfterTheEnd sets what the API does not change on a session and an event
// that have ended, and on a session that another process holds: nothing is lost.
func TestTextsAfterTheEnd(t *testing.T) {
	server := newAPI(t)
	var reports errorList
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithAPIURL(server.URL), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(reports.add))
	ctx, s := tracer.StartSession(t.Context(), "s")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.End()
	_, c := tracer.ContinueSession(t.Context(), seedSession)
	for _, h := range []*sessionspan.Session{s, c} {
		h.SetName("name")
		h.SetProject("project")
		h.SetSource("source")
		h.SetError("error")
		h.SetMessages(sessionspan.Message{Role: "user", Content: "hi"})
	}
	e.SetName("name")
	e.SetQuery("q")
	e.RecordError(io.EOF)
	flush(t, tracer)
	for id, want := range map[string][]string{
		s.ID():      {`{"session_name":"name"}`, `{"project":"project"}`, `{"source":"source"}`, `{"error":"error"}`, `{"inputs":{"chat_history":[{"role":"user","content":"hi"}]}}`},
		seedSession: {`{"session_name":"name"}`, `{"project":"project"}`, `{"source":"source"}`, `{"error":"error"}`, `{"inputs":{"chat_history":[{"role":"user","content":"hi"}]}}`},
		e.ID():      {`{"event_name":"name"}`, `{"inputs":{"query":"q"}}`, `{"error":"EOF"}`},
	} {
		var got []string
		for _, body := range server.bodies("PUT", "/events") {
			var u honeyhive.Update
			if err := u.UnmarshalJSON([]byte(body)); err != nil {
				t.Fatal(err)
			}
			if u.EventID.Or("") == id {
				got = append(got, u.Metadata.String())
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("metadata of the updates of %s: %q, want %q", id, got, want)
		}
	}
	if starts := server.bodies("POST", "/session/start"); len(starts) != 1 || !strings.Contains(starts[0], `"project":"p"`) {
		t.Errorf("sessions %q", starts)
	}
	if text := reports.text(); text != "" {
		t.Errorf("reports %s", text)
	}
	// An event that starts after its session was given another project has it.
	_, late := sessionspan.StartEvent(ctx, sessionspan.Tool, "late")
	late.End()
	flush(t, tracer)
	if events := server.events(t); len(events) != 2 || events[0].Project.Or("") != "p" || events[1].Project.Or("") != "project" || events[1].Source.Or("") != "source" {
		t.Errorf("%+v", events)
	}
}

// TestInputsAfterTheEndMerge sets inputs more than once after the end: since the
// server replaces them as a whole, each update holds all of them.
func TestInputsAfterTheEndMerge(t *testing.T) {
	p := sessiontest.New(t)
	_, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{"a": 0}))
	s.End()
	s.SetInputs(map[string]any{"a": 1, "b": 1})
	s.SetInputs(map[string]any{"b": 2, "c": 2})
	got := p.Session("s")
	if v, _ := got.Metadata.Get("inputs"); string(v) != `{"a":1,"b":2,"c":2}` {
		t.Errorf("metadata %s", got.Metadata)
	}
	if err := p.Tracer.Update(t.Context(), s.ID(), sessionspan.WithInputs(map[string]any{"x": 1}), sessionspan.WithInputs(map[string]any{"y": 1})); err != nil {
		t.Error(err)
	}
	if v, _ := p.Session("s").Metadata.Get("inputs"); string(v) != `{"x":1,"y":1}` {
		t.Errorf("metadata %s", v)
	}
}

// TestDeepValues holds the documented limits of nesting.
func TestDeepValues(t *testing.T) {
	nested := func(levels int) json.RawMessage {
		return json.RawMessage(strings.Repeat("[", levels) + strings.Repeat("]", levels))
	}
	deep := any("bottom")
	for range 100 {
		deep = []any{deep}
	}
	p := sessiontest.New(t)
	_, s := p.Tracer.StartSession(t.Context(), "s")
	s.SetInputs(map[string]any{"fits": nested(60), "deeper": nested(61)})
	if reports := p.Reports(); len(reports) != 0 {
		t.Errorf("reports %v", reports)
	}
	s.SetOutputs(map[string]any{"raw": nested(65)})
	s.SetMetadata(map[string]any{"value": deep, "beside": 1})
	if reports := p.Reports(); len(reports) != 2 {
		t.Errorf("reports %v", reports)
	}
	s.End()
	got := p.Session("s")
	deeper := strings.Repeat("[", 60) + `"[]"` + strings.Repeat("]", 60)
	if text := got.Inputs.String(); text != `{"deeper":`+deeper+`,"fits":`+string(nested(60))+`}` {
		t.Errorf("inputs %s", text)
	}
	if text := got.Outputs.String(); text != `{"raw":"`+string(nested(65))+`"}` {
		t.Errorf("outputs %s", text)
	}
	if text := got.Metadata.String(); !strings.HasPrefix(text, `{"beside":1,"value":[[`) || !strings.Contains(text, "nested deeper than 64 levels") {
		t.Errorf("metadata %s", text)
	}
}

// TestChildrenOfAContinuedSession names children of a session that another process
// holds: the list is sent, without the events of this process.
func TestChildrenOfAContinuedSession(t *testing.T) {
	const other = "5b9dd5e5-4c07-4ab0-b5bb-1d3b0a7a5f6e"
	server := newAPI(t)
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithAPIURL(server.URL), sessionspan.WithProject("p"))
	ctx, s := tracer.ContinueSession(t.Context(), seedSession)
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.AddChildren(seedChild)
	flush(t, tracer)
	s.AddChildren(other)
	flush(t, tracer)
	want := []string{
		`{"event_id":"` + seedSession + `","children_ids":["` + seedChild + `"]}`,
		`{"event_id":"` + seedSession + `","children_ids":["` + seedChild + `","` + other + `"]}`,
	}
	if puts := server.bodies("PUT", "/events"); !slices.Equal(puts, want) {
		t.Errorf("updates %q, want %q", puts, want)
	}
	// The same on the session of a request that was taken before there was a tracer.
	unbound := sessionspan.SessionFromContext(fromElsewhere(t.Context()))
	sessionspan.SetDefault(tracer)
	defer sessionspan.SetDefault(nil)
	unbound.AddChildren(other)
	flush(t, tracer)
	if puts := server.bodies("PUT", "/events"); len(puts) != 3 || puts[2] != `{"event_id":"`+seedSession+`","children_ids":["`+other+`"]}` {
		t.Errorf("updates %q", puts)
	}
}

// TestChildrenAfterTheEndGoNowhere reports children for which there is no update.
func TestChildrenAfterTheEndGoNowhere(t *testing.T) {
	var reports errorList
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(reports.add),
		sessionspan.WithSpanExporter(tracetest.NewInMemoryExporter()))
	_, s := tracer.StartSession(t.Context(), "s")
	s.End()
	s.AddChildren(seedChild)
	if !strings.Contains(reports.text(), exporter.ErrNoUpdates.Error()) {
		t.Errorf("reports %q", reports.text())
	}
	_, e := tracer.StartEvent(t.Context(), sessionspan.Tool, "outside")
	e.End()
	e.AddChildren(seedChild)
	if !strings.Contains(reports.text(), "changed after its end") {
		t.Errorf("reports %q", reports.text())
	}
}

// TestZeroEndTime sets a zero end: before the end that is the time of End, after
// it nothing.
func TestZeroEndTime(t *testing.T) {
	server := newAPI(t)
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithAPIURL(server.URL), sessionspan.WithProject("p"))
	ctx, s := tracer.StartSession(t.Context(), "s")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	_, c := tracer.ContinueSession(t.Context(), seedSession)
	e.SetEndTime(time.UnixMilli(1))
	e.SetEndTime(time.Time{})
	e.End()
	s.End()
	e.SetEndTime(time.Time{})
	s.SetEndTime(time.Time{})
	c.SetEndTime(time.Time{})
	if err := tracer.Update(t.Context(), seedSession, sessionspan.WithEndTime(time.Time{})); err == nil || !strings.Contains(err.Error(), "nothing is to be changed") {
		t.Errorf("error %v", err)
	}
	if err := tracer.Update(t.Context(), seedSession, sessionspan.WithError("")); err == nil {
		t.Error("an empty error is an update")
	}
	flush(t, tracer)
	if puts := server.bodies("PUT", "/events"); len(puts) != 0 {
		t.Errorf("updates %q", puts)
	}
	if events := server.events(t); len(events) != 1 || time.Since(time.UnixMilli(int64(events[0].EndTime.Or(0)))) > time.Hour {
		t.Errorf("%+v", events)
	}
}

// TestUpdateAfterShutdown loses nothing without a word.
func TestUpdateAfterShutdown(t *testing.T) {
	p := sessiontest.New(t)
	if err := p.Tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := p.Tracer.Update(t.Context(), seedSession, sessionspan.WithFeedback(1))
	if err == nil || !strings.Contains(err.Error(), "the tracer was shut down") {
		t.Errorf("error %v", err)
	}
}

// TestUnfitNumbers sets numbers that do not go into a payload as they are: that is
// reported, and what goes is kept.
func TestUnfitNumbers(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Retriever, "e")
	e.SetDocuments(sessionspan.Document{ID: "a", Score: math.NaN()}, sessionspan.Document{ID: "b", Score: 0.5})
	if err := errors.Join(p.Reports()...); err == nil || !strings.Contains(err.Error(), "NaN is no JSON number") {
		t.Errorf("reports %v", p.Reports())
	}
	reports := len(p.Reports())
	e.SetUsage(sessionspan.Usage{InputTokens: math.MaxInt64, OutputTokens: 1})
	if rest := p.Reports()[reports:]; len(rest) != 1 || !strings.Contains(rest[0].Error(), "total_tokens") {
		t.Errorf("reports %v", rest)
	}
	e.End()
	s.SetUsage(sessionspan.Usage{InputTokens: math.MinInt64, OutputTokens: -1})
	s.End()
	got := p.Session("s")
	got.Event("e").AssertOutputs(`{"documents":[{"id":"a","score":"NaN"},{"id":"b","score":0.5}]}`)
	if text := got.Event("e").Metadata.String(); text != `{"prompt_tokens":9223372036854775807,"completion_tokens":1,"operation_name":"retrieval","event_kind":"retriever"}` {
		t.Errorf("metadata %s", text)
	}
	// Counts below zero are not known, so the session has those of its event.
	if n, _ := got.Metadata.Get("prompt_tokens"); string(n) != "9223372036854775807" {
		t.Errorf("metadata %s", got.Metadata)
	}
}

// TestUnknownUsage sets counts of which some are not known: they are left out.
func TestUnknownUsage(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	for name, u := range map[string]sessionspan.Usage{
		`{"completion_tokens":3}`: {InputTokens: -1, OutputTokens: 3},
		`{"prompt_tokens":4}`:     {InputTokens: 4, OutputTokens: -1, CacheReadTokens: -1, CacheWriteTokens: -1, ReasoningTokens: -1},
		`{"prompt_tokens":4,"completion_tokens":0,"total_tokens":9}`: {InputTokens: 4, TotalTokens: 9, Known: sessionspan.OutputCount},
	} {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Chain, name)
		e.SetUsage(u)
		e.End()
	}
	s.End()
	got := p.Session("s")
	for _, e := range got.Events {
		if text := e.Metadata.String(); text != e.EventName.Or("") {
			t.Errorf("%s: metadata %s", e.EventName.Or(""), text)
		}
	}
	if text := got.Metadata.String(); text != `{"prompt_tokens":8,"completion_tokens":3,"total_tokens":16}` {
		t.Errorf("metadata %s", text)
	}
}
