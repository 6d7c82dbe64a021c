package sessiontest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipeline is code under test: it knows nothing of the pipeline it runs in.
func pipeline(ctx context.Context) {
	ctx, s := sessionspan.StartSession(ctx, "answer", sessionspan.WithInputs(map[string]any{"q": "x"}))
	defer s.End()
	_, r := sessionspan.StartEvent(ctx, sessionspan.Retriever, "retrieve")
	r.SetDocuments(sessionspan.Document{ID: "a", Score: 1})
	r.End()
	ctx, c := sessionspan.StartEvent(ctx, sessionspan.Chain, "generate")
	_, m := sessionspan.StartEvent(ctx, sessionspan.Model, "llm")
	m.End()
	c.End()
	s.SetOutputs(map[string]any{"a": 1, "b": 9007199254740993})
}

func TestPipeline(t *testing.T) {
	t.Setenv("HH_API_KEY", "not used")
	p := sessiontest.New(t)
	pipeline(p.Context(t.Context()))
	s := p.Session("answer")
	s.AssertTree(`
		session answer
		  tool retrieve
		  chain generate
		    model llm
	`)
	s.AssertInputs(`{"q":"x"}`)
	s.AssertOutputs(`{ "b": 9007199254740993, "a": 1 }`)
	s.Event("retrieve").AssertOutputs(`{"documents": [{"id": "a", "score": 1}]}`)
	s.Event("generate", "llm").AssertInputs(`{}`)
	if s.Project.Or("") != "test" || len(p.Orphans()) != 0 || len(p.Reports()) != 0 {
		t.Errorf("%+v %v", s.SessionStartRequest, p.Reports())
	}
}

func TestRunningSession(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "runs", sessionspan.WithInputs(map[string]any{"q": 1}))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	if n := len(p.Sessions()); n != 0 {
		t.Errorf("%d sessions have ended", n)
	}
	p.Flush()
	got := p.Session("runs")
	if len(got.Events) != 1 || !got.EndTime.IsZero() {
		t.Errorf("%s", got.Tree())
	}
	s.SetOutputs(map[string]any{"done": true})
	s.End()
	got = p.Session("runs")
	got.AssertOutputs(`{"done":true}`)
	if got.EndTime.IsZero() || len(got.ChildrenIDs.Or(nil)) != 1 {
		t.Error("the end did not arrive")
	}
}

func TestReports(t *testing.T) {
	p := sessiontest.New(t)
	_, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(make(chan int)))
	s.End()
	if r := p.Reports(); len(r) != 1 || !strings.Contains(r[0].Error(), "chan int") {
		t.Errorf("%v", r)
	}
}

// TestReportsFail ends tests with reports that they expected, read, or did not.
func TestReportsFail(t *testing.T) {
	chans := func(p *sessiontest.Pipeline) {
		_, s := p.Tracer.StartSession(context.Background(), "s", sessionspan.WithInputs(make(chan int)))
		s.End(sessionspan.WithSessionID("x"))
	}
	for name, tc := range map[string]struct {
		f    func(*sessiontest.Pipeline)
		want []string // parts of the failures
	}{
		"nothing":           {func(*sessiontest.Pipeline) {}, nil},
		"unexpected":        {chans, []string{"chan int", "Session.End: WithSessionID"}},
		"one is expected":   {func(p *sessiontest.Pipeline) { p.ExpectReport("chan int"); chans(p) }, []string{"Session.End: WithSessionID"}},
		"both are expected": {func(p *sessiontest.Pipeline) { p.ExpectReport("chan int"); chans(p); p.ExpectReport("WithSessionID") }, nil},
		"expected twice": {func(p *sessiontest.Pipeline) {
			p.ExpectReport("chan")
			p.ExpectReport("int")
			p.ExpectReport("With")
			chans(p)
		}, nil},
		"read":                 {func(p *sessiontest.Pipeline) { chans(p); _ = p.Reports() }, nil},
		"read too early":       {func(p *sessiontest.Pipeline) { _ = p.Reports(); chans(p) }, []string{"chan int", "Session.End: WithSessionID"}},
		"expected in vain":     {func(p *sessiontest.Pipeline) { p.ExpectReport("a storm") }, []string{`reported nothing that contains "a storm"`}},
		"another was expected": {func(p *sessiontest.Pipeline) { p.ExpectReport("a storm"); chans(p); _ = p.Reports() }, []string{`"a storm"`}},
		"of a destination": {func(p *sessiontest.Pipeline) {
			_, s := p.Tracer.StartSession(context.Background(), "s")
			s.End()
			if err := p.Tracer.Shutdown(context.Background()); err != nil {
				panic(err)
			}
			s.SetFeedback(1)
		}, []string{"1 records were dropped", "did not expect: sessiontest: a record was dropped"}},
	} {
		t.Run(name, func(t *testing.T) {
			apart := &failing{TB: t}
			p := sessiontest.New(apart)
			tc.f(p)
			for _, f := range apart.cleanups {
				f()
			}
			if len(apart.messages) != len(tc.want) {
				t.Errorf("failed with %q", apart.messages)
			}
			all := strings.Join(apart.messages, "\n")
			for _, want := range tc.want {
				if !strings.Contains(all, want) {
					t.Errorf("failed with %q, want %q", all, want)
				}
			}
		})
	}
}

// failing is a testing.TB that keeps what a test would fail with.
type failing struct {
	testing.TB
	messages []string
	cleanups []func()
}

func (f *failing) Cleanup(end func()) { f.cleanups = append(f.cleanups, end) }

func (*failing) Helper() {}

func (f *failing) Errorf(format string, args ...any) {
	f.messages = append(f.messages, fmt.Sprintf(format, args...))
}

func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

func (f *failing) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }

// failure runs f with a test that fails apart, and returns its messages.
func failure(t *testing.T, f func(p *sessiontest.Pipeline)) string {
	t.Helper()
	apart := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := sessiontest.New(apart)
		pipeline(p.Context(context.Background()))
		f(p)
	}()
	<-done
	for _, end := range apart.cleanups {
		end()
	}
	return strings.Join(apart.messages, "\n")
}

// TestAssertionsFail makes each assertion fail and looks at what it says.
func TestAssertionsFail(t *testing.T) {
	for name, tc := range map[string]struct {
		f    func(*sessiontest.Pipeline)
		want string
	}{
		"no session":  {func(p *sessiontest.Pipeline) { p.Session("other") }, `0 sessions named "other" have ended; there are ["answer"]`},
		"two":         {func(p *sessiontest.Pipeline) { pipeline(p.Context(context.Background())); p.Session("answer") }, `2 sessions named "answer"`},
		"no event":    {func(p *sessiontest.Pipeline) { p.Session("answer").Event("generate", "x") }, `0 events at ["generate" "x"] in`},
		"empty path":  {func(p *sessiontest.Pipeline) { p.Session("answer").Event() }, "needs the name"},
		"tree":        {func(p *sessiontest.Pipeline) { p.Session("answer").AssertTree("session answer") }, "tool retrieve"},
		"inputs":      {func(p *sessiontest.Pipeline) { p.Session("answer").AssertInputs(`{"q":"y"}`) }, `"q": "x"`},
		"number":      {func(p *sessiontest.Pipeline) { p.Session("answer").AssertOutputs(`{"a":1,"b":9007199254740992}`) }, "9007199254740993"},
		"event":       {func(p *sessiontest.Pipeline) { p.Session("answer").Event("retrieve").AssertOutputs(`{}`) }, "documents"},
		"event input": {func(p *sessiontest.Pipeline) { p.Session("answer").Event("retrieve").AssertInputs(`{"x":1}`) }, "want"},
		"no JSON":     {func(p *sessiontest.Pipeline) { p.Session("answer").AssertInputs(`{`) }, "is no JSON"},
		"bad option":  {func(*sessiontest.Pipeline) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := failure(t, tc.f)
			if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("said %q, want %q", got, tc.want)
			}
		})
	}
	apart := &failing{TB: t}
	done := make(chan struct{})
	go func() { defer close(done); sessiontest.New(apart, sessionspan.WithWriter(nil)) }()
	<-done
	if len(apart.messages) != 1 || !strings.Contains(apart.messages[0], "the writer is nil") {
		t.Errorf("said %q", apart.messages)
	}
}
