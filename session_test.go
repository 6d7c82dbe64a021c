package sessionspan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// setters are all ways to set a bucket, by the name of the bucket.
func setters() map[string]func(s *sessionspan.Session, e *sessionspan.Event, v any) {
	return map[string]func(*sessionspan.Session, *sessionspan.Event, any){
		"inputs":   func(s *sessionspan.Session, e *sessionspan.Event, v any) { s.SetInputs(v); e.SetInputs(v) },
		"outputs":  func(s *sessionspan.Session, e *sessionspan.Event, v any) { s.SetOutputs(v); e.SetOutputs(v) },
		"config":   func(s *sessionspan.Session, e *sessionspan.Event, v any) { s.SetConfig(v); e.SetConfig(v) },
		"metadata": func(s *sessionspan.Session, e *sessionspan.Event, v any) { s.SetMetadata(v); e.SetMetadata(v) },
		"metrics":  func(s *sessionspan.Session, e *sessionspan.Event, v any) { s.SetMetrics(v); e.SetMetrics(v) },
		"feedback": func(s *sessionspan.Session, e *sessionspan.Event, v any) { s.SetFeedback(v); e.SetFeedback(v) },
		"user_properties": func(s *sessionspan.Session, e *sessionspan.Event, v any) {
			s.SetUserProperties(v)
			e.SetUserProperties(v)
		},
	}
}

// bucket returns a bucket of a payload by its name on the wire.
func bucket(t *testing.T, payload json.Marshaler, name string) string {
	t.Helper()
	data, err := payload.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	o, err := honeyhive.ParseObject(data)
	if err != nil {
		t.Fatal(err)
	}
	v, _ := o.Get(name)
	return string(v)
}

// plainJSON returns JSON without escapes that are not needed.
func plainJSON(t *testing.T, text string) string {
	t.Helper()
	return compact(t, strings.ReplaceAll(text, `\ufffd`, "\ufffd"))
}

type (
	failingMarshaler struct{}
	panicMarshaler   struct{}
	panicError       struct{}
)

func (failingMarshaler) MarshalJSON() ([]byte, error) { return nil, errors.New("no") }
func (panicMarshaler) MarshalJSON() ([]byte, error)   { panic("boom") }
func (panicError) Error() string                      { panic("boom") }

// TestValues gives every setter values of every kind.
func TestValues(t *testing.T) {
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	var deep any = "bottom"
	for range 1000 {
		deep = []any{deep}
	}
	huge := strings.Repeat("x", 256<<10)
	for _, tc := range []struct {
		name   string
		value  any
		want   string // for the bucket; WRAP stands for the key that wraps
		report bool
	}{
		{"nil", nil, ``, false},
		{"nil map", map[string]any(nil), ``, false},
		{"nil pointer", (*struct{ A int })(nil), ``, false},
		{"empty", map[string]any{}, `{}`, false},
		{"struct", struct {
			B int `json:"b"`
			a int
		}{B: 1}, `{"b":1}`, false},
		{"raw", json.RawMessage(`{"b": 9007199254740993, "a": [ ]}`), `{"b":9007199254740993,"a":[]}`, false},
		{"raw null", json.RawMessage(`null`), ``, false},
		{"string", "text", `{"WRAP":"text"}`, false},
		{"number", 1.5, `{"WRAP":1.5}`, false},
		{"list", []int{1, 2}, `{"WRAP":[1,2]}`, false},
		{"error", io.EOF, `{"WRAP":"EOF"}`, false},
		{"raw list", json.RawMessage(`[1]`), `{"WRAP":[1]}`, false},
		{"invalid raw", json.RawMessage(`{"a":`), `{"WRAP":"{\"a\":"}`, true},
		{"invalid UTF-8", map[string]any{"a\xff": "b\xfe"}, `{"a\ufffd":"b\ufffd"}`, false},
		{"NaN", map[string]any{"n": math.NaN(), "z": 1}, `{"n":"NaN","z":1}`, true},
		{"infinite", map[string]any{"n": math.Inf(-1)}, `{"n":"-Infinity"}`, true},
		{"channel", map[string]any{"c": make(chan int), "z": 1}, `{"c":"!ERROR: type chan int has no JSON form","z":1}`, true},
		{"function alone", func() {}, `{"WRAP":"!ERROR: type func() has no JSON form"}`, true},
		{"failing marshaler", map[string]any{"m": failingMarshaler{}, "z": 1}, ``, true},
		{"panicking marshaler", map[string]any{"m": panicMarshaler{}, "z": 1}, ``, true},
		{"panicking error", map[string]any{"m": panicError{}, "z": 1}, ``, true},
		{"cyclic", map[string]any{"c": cyclic, "z": 1}, `{"c":{"self":"!ERROR: value contains itself"},"z":1}`, true},
		{"deep", map[string]any{"d": deep, "z": 1}, ``, true},
		{"huge", map[string]any{"h": huge, "z": 1}, `{"h":"` + huge + `","z":1}`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := sessiontest.New(t)
			ctx, s := p.Tracer.StartSession(t.Context(), "s")
			_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
			for name, set := range setters() {
				set(s, e, map[string]any{"before": name})
				set(s, e, tc.value)
				set(s, e, map[string]any{"after": name})
			}
			e.End()
			s.End()
			got := p.Session("s")
			for name := range setters() {
				wrap := map[string]string{"inputs": "input", "outputs": "result"}[name]
				if wrap == "" {
					wrap = "value"
				}
				for _, payload := range []json.Marshaler{got.SessionStartRequest, got.Event("e").Event} {
					text := bucket(t, payload, name)
					o, err := honeyhive.ParseObject(text)
					if err != nil {
						t.Fatalf("%s is %.100q: %v", name, text, err)
					}
					if v, _ := o.Get("before"); string(v) != `"`+name+`"` {
						t.Errorf("%s: the neighbour before is lost: %.200s", name, text)
					}
					if v, _ := o.Get("after"); string(v) != `"`+name+`"` {
						t.Errorf("%s: the neighbour after is lost: %.200s", name, text)
					}
					rest := o.Without("before").Without("after").Without("operation_name")
					if want := strings.ReplaceAll(tc.want, "WRAP", wrap); want != "" && plainJSON(t, rest.String()) != plainJSON(t, want) {
						t.Errorf("%s is %.200s, want %.200s", name, rest, want)
					}
					if v, ok := rest.Get("z"); ok && string(v) != "1" {
						t.Errorf("%s: z is %s", name, v)
					}
				}
			}
			if (len(p.Reports()) > 0) != tc.report {
				t.Errorf("reports %v, want some: %v", p.Reports(), tc.report)
			}
		})
	}
}

// TestValueMayChangeAfterwards changes what was set after it was set.
func TestValueMayChangeAfterwards(t *testing.T) {
	p := sessiontest.New(t)
	m := map[string]any{"list": []any{1, 2}}
	_, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(m))
	m["list"].([]any)[0] = "changed"
	m["more"] = true
	s.End()
	p.Session("s").AssertInputs(`{"list":[1,2]}`)
}

func TestMerge(t *testing.T) {
	p := sessiontest.New(t)
	_, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithMetadata(map[string]any{"a": 1, "b": map[string]any{"x": 1}}))
	s.SetMetadata(map[string]any{"b": map[string]any{"y": 2}, "c": nil})
	s.SetMetadata("text")
	s.End()
	if got := p.Session("s").Metadata.String(); got != `{"a":1,"b":{"y":2},"c":null,"value":"text"}` {
		t.Error(got)
	}
}

func TestEndOnce(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { e.End(sessionspan.WithOutputs("x")); s.End() })
	}
	wg.Wait()
	if stats := p.Tracer.Stats()[0]; len(p.Sessions()) != 1 || len(p.Session("s").Events) != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestEndedByTheSpan(t *testing.T) {
	p := sessiontest.New(t)
	p.ExpectReport("was ended by the End of its span")
	ctx, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithInputs("in"))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs("in"))
	e.Span().End()
	s.Span().End()
	e.End()
	s.End()
	got := p.Session("s")
	got.AssertInputs(`{"input":"in"}`)
	got.Event("e").AssertInputs(`{"input":"in"}`)
	checkTree(t, got)
}

// TestPanic lets a panic pass a deferred End of each kind.
func TestPanic(t *testing.T) {
	for _, value := range []any{"text", errors.New("an error"), panicError{}, 42} {
		p := sessiontest.New(t)
		func() {
			defer func() {
				if r := recover(); r != value {
					t.Errorf("recovered %v, want %v", r, value)
				}
			}()
			ctx, s := p.Tracer.StartSession(t.Context(), "s")
			defer s.End()
			ctx, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
			defer e.End()
			_, _ = sessionspan.Do(ctx, sessionspan.Chain, "do", "in", func(context.Context, string) (int, error) { panic(value) })
		}()
		got := p.Session("s")
		do := got.Event("e", "do")
		do.AssertInputs(`{"input":"in"}`)
		for name, text := range map[string]string{"session": got.Error.Or(""), "event": got.Event("e").Error.Or(""), "do": do.Error.Or("")} {
			if !strings.HasPrefix(text, "panic: ") {
				t.Errorf("%s: error %q", name, text)
			}
		}
		if stack, _ := do.Metadata.Get("exception"); !strings.Contains(string(stack), "TestPanic") {
			t.Errorf("the stack is not kept: %s", stack)
		}
	}
}

func TestDo(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	sentinel := errors.New("failed")
	out, err := sessionspan.Do(ctx, sessionspan.Chain, "fails", []string{"a"}, func(ctx context.Context, in []string) (map[string]int, error) {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "below")
		e.End()
		return map[string]int{"n": len(in)}, sentinel
	}, sessionspan.WithMetadata(map[string]any{"k": 1}))
	if out["n"] != 1 || !errors.Is(err, sentinel) {
		t.Errorf("Do = %v, %v", out, err)
	}
	s.End()
	got := p.Session("s").Event("fails")
	got.AssertInputs(`{"input":["a"]}`)
	if got.Error.Or("") != "failed" || !got.Outputs.IsZero() || len(got.Children) != 1 {
		t.Errorf("%+v", got.Event)
	}
}

func TestErrors(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithError("from the start"))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.RecordError(nil)
	e.RecordError(fmt.Errorf("outer: %w", io.EOF))
	e.RecordError(panicError{})
	e.RecordError(errors.New(""))
	e.SetError("")
	e.End()
	s.RecordError(io.ErrUnexpectedEOF)
	s.End(sessionspan.WithError("at the end"))
	got := p.Session("s")
	if got.Error.Or("") != "at the end" || got.Event("e").Error.Or("") != "*errors.errorString" {
		t.Errorf("errors %q, %q", got.Error.Or(""), got.Event("e").Error.Or(""))
	}
	if events := e.Span(); events == nil {
		t.Error("no span")
	}
}

func TestSessionIDs(t *testing.T) {
	p := sessiontest.New(t, sessionspan.WithProject("Simple RAG Project"))
	p.ExpectReport("session caf77ace-3417-4da4-944d-f4a0688f3c23 was started twice")
	for _, tc := range []struct{ id, want, original string }{
		{"caf77ace-3417-4da4-944d-f4a0688f3c23", "caf77ace-3417-4da4-944d-f4a0688f3c23", ""},
		{"CAF77ACE-3417-4DA4-944D-F4A0688F3C23", "caf77ace-3417-4da4-944d-f4a0688f3c23", ""},
		{"user-42", "bccc1984-916f-5aaa-923c-e16deb776a6f", `"user-42"`},
	} {
		_, s := p.Tracer.StartSession(t.Context(), tc.id, sessionspan.WithSessionID(tc.id))
		s.End()
		got := p.Session(tc.id)
		original, _ := got.Metadata.Get("original_session_id")
		if s.ID() != tc.want || s.EventID() != tc.want || got.SessionID.Or("") != tc.want || string(original) != tc.original {
			t.Errorf("%s: %s, %s, original %s", tc.id, s.ID(), got.SessionID.Or(""), original)
		}
		if tc.original == "" {
			continue // the same session as before
		}
		_, c := p.Tracer.ContinueSession(t.Context(), tc.id)
		if c.ID() != tc.want {
			t.Errorf("continued as %s", c.ID())
		}
	}
	_, a := p.Tracer.StartSession(t.Context(), "random")
	_, b := p.Tracer.StartSession(t.Context(), "random", sessionspan.WithSessionID(""))
	if _, err := honeyhive.ParseUUID(a.ID()); err != nil || a.ID() == b.ID() {
		t.Errorf("%s and %s", a.ID(), b.ID())
	}
	a.End()
	b.End()
}

func TestPerSessionFields(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithProject("other"), sessionspan.WithSource("staging"))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "")
	e.SetName("renamed")
	e.End()
	s.End()
	got := p.Session("s")
	if got.Project.Or("") != "other" || got.Source.Or("") != "staging" {
		t.Errorf("%+v", got.SessionStartRequest)
	}
	if ev := got.Event("renamed"); ev.Project.Or("") != "other" || ev.Source.Or("") != "staging" {
		t.Errorf("%+v", ev.Event)
	}
}

func TestNames(t *testing.T) {
	p := sessiontest.New(t, sessionspan.WithSessionName("by default"))
	ctx, s := p.Tracer.StartSession(t.Context(), "")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Retriever, "")
	e.End()
	_, x := sessionspan.StartEvent(ctx, sessionspan.Kind("quantum"), "x")
	x.End()
	s.End()
	p.Session("by default").AssertTree("session by default\n  tool retriever\n  tool x\n")
	if len(p.Reports()) != 1 || !strings.Contains(p.Reports()[0].Error(), `kind "quantum" is not known`) {
		t.Errorf("reports %v", p.Reports())
	}
}

func TestBadIDs(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithEventID("00f067aa0ba902b7"))
	e.AddChildren("x", seedChild)
	e.End()
	s.AddChildren("x")
	s.End()
	if c, session := p.Tracer.ContinueSession(ctx, ""); c != ctx || session != nil {
		t.Error("an empty id continues something")
	}
	got := p.Session("s")
	if err := errors.Join(got.Validate(), got.Event("e").Validate()); err != nil {
		t.Error(err)
	}
	if ids := got.Event("e").ChildrenIDs.Or(nil); len(ids) != 1 || ids[0] != seedChild {
		t.Errorf("children_ids %v", ids)
	}
	if len(p.Reports()) != 3 {
		t.Errorf("%d reports: %v", len(p.Reports()), p.Reports())
	}
}

func TestTimes(t *testing.T) {
	p := sessiontest.New(t)
	start := time.UnixMilli(1712025501605)
	ctx, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithStartTime(start))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithStartTime(start.Add(time.Second)))
	e.End(sessionspan.WithEndTime(start.Add(1500*time.Millisecond)), sessionspan.WithDuration(time.Microsecond))
	_, back := sessionspan.StartEvent(ctx, sessionspan.Tool, "back", sessionspan.WithStartTime(start))
	back.SetEndTime(start.Add(-time.Hour))
	back.End()
	s.End(sessionspan.WithEndTime(start.Add(2 * time.Second)))
	got := p.Session("s")
	for name, v := range map[string][3]float64{
		"s":    {got.StartTime.Or(0), got.EndTime.Or(0), got.Duration.Or(-1)},
		"e":    {got.Event("e").StartTime.Or(0), got.Event("e").EndTime.Or(0), got.Event("e").Duration.Or(-1)},
		"back": {got.Event("back").StartTime.Or(0), got.Event("back").EndTime.Or(0), got.Event("back").Duration.Or(-1)},
	} {
		want := map[string][3]float64{
			"s":    {1712025501605, 1712025503605, 2000},
			"e":    {1712025502605, 1712025503105, 0.001},
			"back": {1712025501605, 1712025501605 - 3_600_000, 0},
		}[name]
		if v != want {
			t.Errorf("%s: %v, want %v", name, v, want)
		}
	}
}

// TestWrongOptions gives each function each option, and looks at what is said of
// those that it cannot use: the name of the option, and of the function.
func TestWrongOptions(t *testing.T) {
	const id = "7f8de7c4-3d53-4f5a-a1a2-0a7e6e4f0001"
	options := map[string]sessionspan.FieldOption{
		"WithProject": sessionspan.WithProject("other"), "WithSource": sessionspan.WithSource("other"), "WithSessionID": sessionspan.WithSessionID(id),
		"WithEventID": sessionspan.WithEventID(id), "WithStartTime": sessionspan.WithStartTime(time.UnixMilli(1)),
		"WithEndTime": sessionspan.WithEndTime(time.Now()), "WithDuration": sessionspan.WithDuration(1), "WithError": sessionspan.WithError("e"),
		"WithModel": sessionspan.WithModel("p", "m"), "WithMessages": sessionspan.WithMessages(sessionspan.Message{}), "WithQuery": sessionspan.WithQuery("q"), "WithTopK": sessionspan.WithTopK(1),
		"WithInputs": sessionspan.WithInputs(1), "WithOutputs": sessionspan.WithOutputs(1), "WithConfig": sessionspan.WithConfig(1), "WithMetadata": sessionspan.WithMetadata(1),
		"WithMetrics": sessionspan.WithMetrics(1), "WithFeedback": sessionspan.WithFeedback(1), "WithUserProperties": sessionspan.WithUserProperties(1),
		"": {},
	}
	wrong := map[string][]string{ // by function
		"StartSession":  {"WithEventID"},
		"StartEvent":    {"WithProject", "WithSource", "WithSessionID"},
		"Session.End":   {"WithProject", "WithSource", "WithSessionID", "WithEventID", "WithStartTime"},
		"Event.End":     {"WithProject", "WithSource", "WithSessionID", "WithEventID", "WithStartTime"},
		"continued End": {"WithProject", "WithSource", "WithSessionID", "WithEventID", "WithStartTime"},
		"Update":        {"WithProject", "WithSource", "WithSessionID", "WithEventID", "WithStartTime", "WithModel", "WithMessages", "WithQuery", "WithTopK"},
		"New": {
			"WithSessionID", "WithEventID", "WithStartTime", "WithEndTime", "WithDuration", "WithError", "WithModel", "WithMessages", "WithQuery", "WithTopK",
			"WithInputs", "WithOutputs", "WithConfig", "WithMetadata", "WithMetrics", "WithFeedback", "WithUserProperties",
		},
	}
	for function, bad := range wrong {
		p := sessiontest.New(t)
		for name, o := range options {
			before := len(p.Reports())
			ctx, s := p.Tracer.StartSession(t.Context(), "s")
			_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
			var err error
			named := function
			switch function {
			case "StartSession":
				_, s = p.Tracer.StartSession(ctx, "s", o)
			case "StartEvent":
				_, e = sessionspan.StartEvent(ctx, sessionspan.Tool, "e", o)
			case "Session.End":
				s.End(o)
			case "Event.End":
				e.End(o)
			case "continued End":
				named = "Session.End"
				_, c := p.Tracer.ContinueSession(t.Context(), id)
				c.End(o)
			case "Update":
				err = p.Tracer.Update(t.Context(), id, o, sessionspan.WithFeedback(map[string]any{"rating": 1}))
				named = "update"
			case "New":
				var tracer *sessionspan.Tracer
				if tracer, err = sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil), o); err == nil {
					_ = tracer.Shutdown(t.Context())
				}
			}
			e.End()
			s.End()
			said := errors.Join(append(slices.Clone(p.Reports()[before:]), err)...)
			if !slices.Contains(bad, name) {
				if said != nil {
					t.Errorf("%s given to %s: %v", name, function, said)
				}
				continue
			}
			if said == nil || !strings.Contains(said.Error(), name) || !strings.Contains(said.Error(), named) {
				t.Errorf("%s given to %s: %v", name, function, said)
			}
		}
	}
}

// TestEmptyOrigin starts a session of a project without a name, which is that of
// the tracer.
func TestEmptyOrigin(t *testing.T) {
	p := sessiontest.New(t)
	_, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithProject(""), sessionspan.WithSource(""))
	s.End()
	if got := p.Session("s"); got.Project.Or("") != "test" || got.Source.Or("") != "test" {
		t.Errorf("%+v", got.SessionStartRequest)
	}
}

// TestEndOfAContinuedSession delivers what the options of End set.
func TestEndOfAContinuedSession(t *testing.T) {
	p := sessiontest.New(t)
	_, s := p.Tracer.StartSession(t.Context(), "s")
	s.End()
	_, again := p.Tracer.ContinueSession(t.Context(), s.ID())
	again.End(sessionspan.WithMetrics(map[string]any{"m": 1}))
	if got := p.Session("s"); got.Metrics.String() != `{"m":1}` {
		t.Errorf("%+v", got.SessionStartRequest)
	}
}

// TestConcurrentUse uses one session and one event from many goroutines, while
// they end.
func TestConcurrentUse(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	ctx, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for name, set := range setters() {
				set(s, e, map[string]any{fmt.Sprint(name, i): i})
			}
			e.SetMessages(sessionspan.Message{Role: "user", Content: "x"})
			e.SetUsage(sessionspan.Usage{InputTokens: int64(i)})
			e.SetModel("p", "m")
			e.RecordError(io.EOF)
			s.AddChildren(seedChild)
			_, c := sessionspan.StartEvent(ctx, sessionspan.Tool, "c")
			c.End()
			_ = printed("%v", s, e)
			switch i {
			case 30:
				e.End()
			case 40:
				s.End()
			case 45:
				p.Flush()
			}
		})
	}
	wg.Wait()
	got := p.Session("s")
	for name := range setters() {
		if name == "inputs" {
			continue // what comes after the end goes to the metadata
		}
		o, err := honeyhive.ParseObject(bucket(t, got.SessionStartRequest, name))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			if !o.Has(fmt.Sprint(name, i)) {
				t.Errorf("%s%d is lost", name, i)
			}
		}
	}
	if n := len(got.Event("e").Children); n != 50 {
		t.Errorf("%d children", n)
	}
}
