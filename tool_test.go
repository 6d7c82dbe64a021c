package sessionspan_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestToolCallAsInput gives Do calls of every form: the id and the name of the tool
// are in the metadata and on the span, the arguments are the inputs.
func TestToolCallAsInput(t *testing.T) {
	cyclic := new(sessionspan.ToolCall)
	cyclic.ID, cyclic.Arguments = "c", cyclic
	long := strings.Repeat("é", 1<<16)
	for name, tc := range map[string]struct {
		call     sessionspan.ToolCall
		inputs   string
		id, tool string
		report   string
	}{
		"map":          {call: sessionspan.ToolCall{ID: "1", Name: "f", Arguments: map[string]any{"x": 1}}, inputs: `{"x":1}`, id: "1", tool: "f"},
		"text":         {call: sessionspan.ToolCall{ID: "2", Name: "f", Arguments: `{"city": "Oslo", "n": 9007199254740993}`}, inputs: `{"city":"Oslo","n":9007199254740993}`, id: "2", tool: "f"},
		"raw":          {call: sessionspan.ToolCall{ID: "3", Arguments: json.RawMessage(`{"a":[1]}`)}, inputs: `{"a":[1]}`, id: "3"},
		"list":         {call: sessionspan.ToolCall{ID: "4", Arguments: `[1, 2]`}, inputs: `{"input":[1,2]}`, id: "4"},
		"not JSON":     {call: sessionspan.ToolCall{ID: "5", Arguments: `{"city": "Os`}, inputs: `{"input":"{\"city\": \"Os"}`, id: "5"},
		"nothing":      {call: sessionspan.ToolCall{ID: "6", Name: "f"}, inputs: `{}`, id: "6", tool: "f"},
		"empty text":   {call: sessionspan.ToolCall{ID: "7", Arguments: ""}, inputs: `{}`, id: "7"},
		"null":         {call: sessionspan.ToolCall{ID: "8", Arguments: "null"}, inputs: `{}`, id: "8"},
		"no id":        {call: sessionspan.ToolCall{Name: "f", Arguments: "{}"}, inputs: `{}`, tool: "f"},
		"zero":         {inputs: `{}`},
		"broken UTF-8": {call: sessionspan.ToolCall{ID: "a\xff", Name: "f\xff"}, inputs: `{}`, id: "a\uFFFD", tool: "f\uFFFD"},
		"long":         {call: sessionspan.ToolCall{ID: long}, inputs: `{}`, id: long},
		"cyclic":       {call: *cyclic, inputs: `{"id":"c","arguments":{"id":"c","arguments":"!CYCLE"}}`, id: "c", report: "set inputs"},
		"channel":      {call: sessionspan.ToolCall{ID: "9", Arguments: make(chan int)}, inputs: `{"input":"!ERROR: type chan int has no JSON form"}`, id: "9", report: "set inputs"},
	} {
		for _, way := range []string{"value", "pointer"} {
			t.Run(name+", "+way, func(t *testing.T) {
				spans := tracetest.NewInMemoryExporter()
				provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
				defer func() { _ = provider.Shutdown(t.Context()) }()
				p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
				if tc.report != "" {
					p.ExpectReport(tc.report)
				}
				ctx, s := p.Tracer.StartSession(t.Context(), "s")
				var err error
				if way == "value" {
					_, err = sessionspan.Do(ctx, sessionspan.Tool, "run", tc.call, func(context.Context, sessionspan.ToolCall) (string, error) { return "done", nil })
				} else {
					_, err = sessionspan.Do(ctx, sessionspan.Tool, "run", &tc.call, func(context.Context, *sessionspan.ToolCall) (string, error) { return "done", nil })
				}
				s.End()
				e := p.Session("s").Event("run")
				if name != "cyclic" {
					e.AssertInputs(tc.inputs)
				}
				e.AssertOutputs(`{"result":"done"}`)
				for key, want := range map[string]string{"tool_call_id": tc.id, "tool_name": tc.tool} {
					var got string
					if v, ok := e.Metadata.Get(key); ok != (want != "") || ok && (json.Unmarshal(v, &got) != nil || got != want) {
						t.Errorf("metadata.%s is %.100s, want %.100q", key, v, want)
					}
				}
				onSpan := map[attribute.Key]string{}
				for _, kv := range spans.GetSpans()[0].Attributes {
					onSpan[kv.Key] = strings.ToValidUTF8(kv.Value.String(), "\uFFFD")
				}
				if onSpan["gen_ai.tool.call.id"] != tc.id || onSpan["gen_ai.tool.name"] != tc.tool || err != nil {
					t.Errorf("the span says %.100q and %.100q, error %v", onSpan["gen_ai.tool.call.id"], onSpan["gen_ai.tool.name"], err)
				}
			})
		}
	}
}

// TestWithToolCallID names the call by the option, wherever events take options, and
// where sessions and updates do not.
func TestWithToolCallID(t *testing.T) {
	p := sessiontest.New(t)
	p.ExpectReport("StartSession: WithToolCallID is no option of it, but of StartEvent and of Event.End: it is ignored")
	p.ExpectReport("Session.End: WithToolCallID is no option of it")
	ctx, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithToolCallID("session"))
	id := sessionspan.WithToolCallID
	_, start := sessionspan.StartEvent(ctx, sessionspan.Tool, "start", id("1"), id(""))
	start.End()
	_, end := sessionspan.StartEvent(ctx, sessionspan.Agent, "end")
	end.End(id("2"))
	_, endErr := sessionspan.StartEvent(ctx, sessionspan.Tool, "end err", id("first"))
	endErr.EndErr(nil, id("3"))
	_, err := sessionspan.Do(ctx, sessionspan.Tool, "do", "in", func(context.Context, string) (int, error) { return 0, errors.New("away") }, id("4"))
	_, late := sessionspan.StartEvent(ctx, sessionspan.Tool, "late")
	late.End()
	late.SetInputs(sessionspan.ToolCall{ID: "5", Name: "f", Arguments: `{"x":1}`})
	if err == nil {
		t.Error("Do has no error")
	}
	if err := p.Tracer.Update(ctx, start.ID(), id("6")); err == nil || !strings.Contains(err.Error(), "WithToolCallID cannot be updated") {
		t.Errorf("Update: %v", err)
	}
	s.End(id("session"))
	got := p.Session("s")
	if got.Metadata.Has("tool_call_id") {
		t.Errorf("the session has %s", got.Metadata)
	}
	for name, want := range map[string]string{"start": `"1"`, "end": `"2"`, "end err": `"3"`, "do": `"4"`, "late": `"5"`} {
		if v, _ := got.Event(name).Metadata.Get("tool_call_id"); string(v) != want {
			t.Errorf("%s: %s, want %s", name, v, want)
		}
	}
	if v, _ := got.Event("late").Metadata.Get("inputs"); string(v) != `{"x":1}` {
		t.Errorf("inputs after the end: %s", v)
	}
}
