package sessionspan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// everything sets whatever can be set on sessions and events.
func everything(tracer *sessionspan.Tracer) {
	ctx, s := tracer.StartSession(context.Background(), "chat session", sessionspan.WithSessionID("user-42"),
		sessionspan.WithInputs(map[string]any{"q": "x"}), sessionspan.WithProject("p2"))
	s.SetName("chat") // the start of the old name
	s.SetSource("test")
	s.Span().SetAttributes(attribute.String("own", "1"))
	cctx, chain := sessionspan.StartEvent(ctx, sessionspan.Chain, "chain")
	chain.Span().SetAttributes(attribute.String(honeyhive.AttrSource, "other"), attribute.String("mine", "a"), attribute.String("honeyhive_error", "not this"))
	chain.SetAttributes(attribute.String("mine", "b"), attribute.String("gen_ai.operation.name", "plan"))
	_, model := sessionspan.StartEvent(cctx, sessionspan.Model, "model", sessionspan.WithModel("openai", "gpt"),
		sessionspan.WithEventID("0e2f0d1c-5a55-4a0b-9f6b-7d4d35b5a1aa"),
		sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: "hello"}))
	model.SetConfig(json.RawMessage(` {"temperature": 0.5, "model": "gpt-2"} `))
	model.SetInputs(json.RawMessage(`[1, 2]`))
	model.SetOutputs(json.RawMessage(`{"broken":`))
	model.SetFeedback(map[string]any{"short": "x", "long": strings.Repeat("\"\n", 300), "list": []string{strings.Repeat("a", 300)}})
	model.SetUserProperties([]any{strings.Repeat("\\", 300)})
	model.SetMetadata(json.RawMessage(`null`))
	model.SetReply(sessionspan.Message{Role: "assistant", Content: "hi", FinishReason: "stop"})
	model.SetUsage(sessionspan.Usage{InputTokens: 3, OutputTokens: 4, ReasoningTokens: 1})
	for i := range 40 {
		model.SetMetrics(map[string]any{fmt.Sprint("m", i%7): i})
	}
	model.SetDuration(1500 * time.Millisecond)
	model.RecordError(errors.New("no"))
	model.End()
	_, tool := sessionspan.StartEvent(cctx, sessionspan.Tool, "tool")
	tool.AddChildren("5a6f0d1c-5a55-4a0b-9f6b-7d4d35b5a1aa")
	tool.End(sessionspan.WithEndTime(time.Now().Add(time.Second)))
	_, past := sessionspan.StartEvent(cctx, sessionspan.Tool, "past", sessionspan.WithInputs(map[string]any{"a": 1}))
	past.SetError("set")
	past.Span().SetAttributes(attribute.String("honeyhive_inputs", `{"b":2}`))
	past.Span().End()
	chain.SetError("failed")
	chain.End()
	s.End(sessionspan.WithOutputs(map[string]any{"a": "y"}))
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// attributesOf lists spans with their attributes, ids replaced by numbers.
func attributesOf(spans tracetest.SpanStubs) []string {
	var list []string
	seen := make(map[string]string)
	for _, s := range spans {
		list = append(list, "span "+s.Name+" "+s.Status.Description)
		first := len(list)
		for _, kv := range s.Attributes {
			list = append(list, fmt.Sprintf("%s=%s", kv.Key, uuids.ReplaceAllStringFunc(kv.Value.String(), func(id string) string {
				if seen[id] == "" {
					seen[id] = fmt.Sprint("id ", len(seen))
				}
				return seen[id]
			})))
		}
		slices.Sort(list[first:])
	}
	return list
}

// TestDestinationsOfEitherProvider holds what destinations get on a provider that New
// made against what they get on one of the user's, where attributes are written to
// the spans.
func TestDestinationsOfEitherProvider(t *testing.T) {
	for _, options := range [][]sessionspan.Option{nil, {sessionspan.WithContentOffSpans()}} {
		var lists [2][]string
		for i := range lists {
			exported := tracetest.NewInMemoryExporter()
			all := append(slices.Clip(options), sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(nil),
				sessionspan.WithSpanExporter(exported))
			if i == 1 {
				all = append(all, sessionspan.WithTracerProvider(sdktrace.NewTracerProvider()))
			}
			tracer := newTracer(t, all...)
			everything(tracer)
			flush(t, tracer)
			lists[i] = attributesOf(exported.GetSpans())
		}
		if diff := cmp.Diff(lists[1], lists[0]); diff != "" {
			t.Error(diff)
		}
		if text := strings.Join(lists[0], "\n"); !strings.Contains(text, `honeyhive_outputs={"result":"{\"broken\":",`) || !strings.Contains(text, `"model":"gpt-2"`) || !strings.Contains(text, honeyhive.AttrSource+"=other") {
			t.Error(text)
		}
	}
}

// TestOtherProcessors registers a processor on each kind of provider: on one of the
// user's it sees all that destinations get, but for what they derive, on one that New
// made the spans without what was set on them.
func TestOtherProcessors(t *testing.T) {
	for _, users := range []bool{true, false} {
		recorder := tracetest.NewSpanRecorder()
		options := []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithSpanExporter(tracetest.NewInMemoryExporter())}
		if users {
			options = append(options, sessionspan.WithTracerProvider(sdktrace.NewTracerProvider()))
		}
		tracer := newTracer(t, options...)
		tracer.TracerProvider().(*sdktrace.TracerProvider).RegisterSpanProcessor(recorder)
		ctx, s := tracer.StartSession(t.Context(), "s", sessionspan.WithSessionID("x"), sessionspan.WithInputs(map[string]any{"a": 1}))
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e", sessionspan.WithModel("openai", "gpt"))
		e.Span().SetAttributes(attribute.String("mine", "x"))
		e.SetError("failed")
		e.End()
		s.End()
		ended := recorder.Ended()
		if len(ended) != 2 || ended[0].Name() != "e" || ended[0].Status().Description != "failed" || !slices.Contains(ended[0].Attributes(), attribute.String("mine", "x")) {
			t.Fatalf("got %+v", ended)
		}
		for i, want := range [][]string{
			{"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "honeyhive.project", "honeyhive.session_auto_create", "honeyhive.session_id", "honeyhive.source",
				"honeyhive_config", "honeyhive_error", "honeyhive_event_type", "honeyhive_parent_id", "mine", "session.id"},
			{"honeyhive.project", "honeyhive.session_auto_create", "honeyhive.session_id", "honeyhive.session_name", "honeyhive.source",
				"honeyhive_children_ids", "honeyhive_event_type", "honeyhive_inputs", "honeyhive_metadata", "session.id"},
		} {
			if !users {
				want = want[:0:0]
				if i == 0 {
					want = []string{"mine"}
				}
			}
			var keys []string
			for _, kv := range ended[i].Attributes() {
				keys = append(keys, string(kv.Key))
			}
			slices.Sort(keys)
			if diff := cmp.Diff(want, keys, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the user's provider: %v: %s", users, diff)
			}
		}
	}
}

// TestReportsOfRawJSON sets more from the handler of errors, which is called when
// raw JSON is found to be none.
func TestReportsOfRawJSON(t *testing.T) {
	api := newAPI(t)
	var e *sessionspan.Event
	var reports errorList
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithHTTP(exporter.HTTPConfig{URL: api.URL, Key: "k"}),
		sessionspan.WithErrorHandler(func(err error) {
			reports.add(err)
			e.SetFeedback(map[string]any{"told": true})
		}))
	ctx, s := tracer.StartSession(t.Context(), "s")
	_, e = sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	for i := range 40 {
		e.SetMetadata(json.RawMessage(fmt.Sprintf(`{"k%d":`, i)))
	}
	e.End()
	s.End()
	flush(t, tracer)
	if text := reports.text(); !strings.Contains(text, "set metadata: ") {
		t.Errorf("reported: %s", text)
	}
	events := api.events(t)
	if len(events) != 1 || events[0].Metadata.String() != `{"value":"{\"k39\":","operation_name":"execute_tool"}` || events[0].Feedback.String() != `{"told":true}` {
		t.Errorf("got %+v", events)
	}
}

// TestAttributesInOrder sets attributes around a helper that sets the same: the
// later counts.
func TestAttributesInOrder(t *testing.T) {
	for _, users := range []bool{false, true} {
		exported := tracetest.NewInMemoryExporter()
		options := []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(exported)}
		if users {
			options = append(options, sessionspan.WithTracerProvider(sdktrace.NewTracerProvider()))
		}
		tracer := newTracer(t, options...)
		ctx, s := tracer.StartSession(t.Context(), "s")
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
		provider, model, tokens := attribute.Key("gen_ai.provider.name"), attribute.Key("gen_ai.request.model"), attribute.Key("gen_ai.usage.input_tokens")
		e.SetAttributes(provider.String("before"), tokens.Int(1))
		e.SetModel("openai", "gpt")
		e.SetAttributes(model.String("after"))
		e.SetUsage(sessionspan.Usage{InputTokens: 2})
		e.End()
		s.End()
		flush(t, tracer)
		set := attribute.NewSet(exported.GetSpans()[0].Attributes...)
		for want, key := range map[string]attribute.Key{"openai": provider, "after": model, "2": tokens} {
			if v, _ := set.Value(key); v.String() != want {
				t.Errorf("the user's provider: %v: %s is %s, want %s", users, key, v, want)
			}
		}
		config, _ := set.Value("honeyhive_config")
		if config.AsString() != `{"provider":"openai","model":"gpt"}` {
			t.Errorf("config %s", config)
		}
	}
}

// TestSessionKeepsNoOther starts a session under the span of one that is over.
func TestSessionKeepsNoOther(t *testing.T) {
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithWriter(io.Discard))
	gone := make(chan struct{})
	ctx := func() context.Context {
		_, s := tracer.StartSession(t.Context(), "first")
		runtime.AddCleanup(s, func(gone chan struct{}) { close(gone) }, gone)
		s.End()
		return trace.ContextWithSpan(t.Context(), s.Span())
	}
	_, second := tracer.StartSession(ctx(), "second")
	flush(t, tracer)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		runtime.GC()
		select {
		case <-gone:
			second.End()
			return
		default:
		}
		if time.Now().After(end) {
			t.Fatal("the first session is kept")
		}
	}
}
