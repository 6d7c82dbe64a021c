package evals_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/evals"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// output takes the lines of an exporter.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

// records returns the sessions by their names and the events by theirs.
func (o *output) records(t *testing.T) (sessions map[string]honeyhive.SessionStartRequest, events map[string]honeyhive.Event) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	sessions, events = make(map[string]honeyhive.SessionStartRequest), make(map[string]honeyhive.Event)
	for line := range strings.Lines(o.text.String()) {
		var l struct {
			Session *honeyhive.SessionStartRequest
			Event   *honeyhive.Event
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.Session != nil {
			sessions[l.Session.SessionName.Or("")] = *l.Session
		} else if l.Event != nil {
			events[l.Event.EventName.Or("")] = *l.Event
		}
	}
	return sessions, events
}

// kept is an exporter that keeps its spans after Shutdown.
type kept struct{ *tracetest.InMemoryExporter }

func (kept) Shutdown(context.Context) error { return nil }

func member(o honeyhive.Object, key string) string {
	v, _ := o.Get(key)
	return string(v)
}

// TestSession runs a suite whose task starts a session of its own, uses another
// tracer, and changes what it recorded; and looks at what the scorers saw and at what
// was delivered.
func TestSession(t *testing.T) {
	var out output
	var spans = tracetest.NewInMemoryExporter()
	var seen *evals.Session
	var provider trace.TracerProvider
	t.Run("suite", func(t *testing.T) {
		evals.Run(t, evals.Suite[string, answer]{
			Short: true,
			Cases: evals.Cases(evals.Case[string, answer]{Name: "one", ID: "point 1", Input: "q", Expected: answer{Text: "a"}, Metadata: map[string]any{"topic": "x"}}),
			Task: func(ctx context.Context, q string) (answer, error) {
				_, direct := sessionspan.StartEvent(ctx, sessionspan.Tool, "direct")
				provider = direct.Span().TracerProvider()
				direct.End()
				direct.SetFeedback(map[string]any{"late": true})
				ctx, s := sessionspan.StartSession(ctx, "inner", sessionspan.WithInputs(q))
				_, span := provider.Tracer("others").Start(ctx, "theirs")
				span.End()
				_, m := sessionspan.StartEvent(ctx, sessionspan.Model, "model")
				m.SetUsage(sessionspan.Usage{InputTokens: 3, OutputTokens: 4})
				m.SetMetadata(map[string]any{"cost": 0.25})
				m.End()
				s.SetOutputs("done")
				s.End()
				return answer{Text: "b"}, errors.New("the index is away")
			},
			Score: []evals.Scorer[string, answer]{
				evals.Func("judged", func(_ context.Context, r *evals.Result[string, answer]) (evals.Score, error) {
					seen = r.Session
					if r.Usage.InputTokens != 3 || r.Usage.TotalTokens != 7 || r.Cost != 0.25 || r.Attempt != 1 || r.ID != "point 1" || r.Metadata["topic"] != "x" || r.Err == nil || r.Duration <= 0 {
						t.Errorf("the result is %+v", r)
					}
					return evals.Score{Value: 0.5, Label: "half", Explanation: "fair enough"}, nil
				}),
				evals.Judge[string, answer]{Name: "fair", Criterion: "It is fair.", Ask: func(context.Context, string) (string, error) { return "", nil }}.Scorer(),
				evals.Succeeds[string, answer](),
			},
			Dataset: "set 1", Config: map[string]any{"prompt": "v2"},
			Tracing: []sessionspan.Option{sessionspan.WithWriter(&out), sessionspan.WithSpanExporter(kept{spans})},
		})
	})
	var tree []string
	for e := range seen.All() {
		tree = append(tree, e.EventName.Or(""))
	}
	if diff := cmp.Diff([]string{"direct", "theirs", "model"}, tree); diff != "" {
		t.Errorf("events (-want +got)\n%s", diff)
	}
	if len(seen.Sessions) != 1 || seen.Sessions[0].SessionName.Or("") != "inner" || seen.Sessions[0].Outputs.String() != `{"result":"done"}` ||
		seen.Outputs.String() != `{"text":"b"}` || seen.Error.Or("") != "the index is away" || member(seen.Events[0].Feedback, "late") != "true" {
		t.Errorf("the session is %+v", seen)
	}
	sessions, events := out.records(t)
	s, inner := sessions["TestSession/suite/one"], sessions["inner"]
	if s.Inputs.String() != `{"input":"q"}` || s.Feedback.String() != `{"ground_truth":{"text":"a"}}` || s.Outputs.String() != `{"text":"b"}` || s.Error.Or("") != "the index is away" ||
		s.Project.Or("") != "evals" || s.Source.Or("") != "evaluation" || s.Config.String() != `{"prompt":"v2"}` {
		t.Errorf("delivered %s", s.AppendJSON(nil))
	}
	if m := s.Metrics; member(m, "judged") != "0.5" || member(m, "fair") != "0" || member(m, "succeeds") != "false" {
		t.Errorf("metrics %s", m)
	}
	run := member(s.Metadata, "run_id")
	if m := s.Metadata; len(run) != 38 || member(m, "datapoint_id") != `"point 1"` || member(m, "dataset_id") != `"set 1"` || member(m, "topic") != `"x"` || member(m, "total_tokens") != "7" || member(m, "cost") != "0.25" || m.Has("attempt") ||
		member(m, "run_name") != `"TestSession/suite"` || member(m, "datapoint_name") != `"one"` || m.Has("baseline_run_id") {
		t.Errorf("metadata %s", m)
	}
	if m := events["direct"].Metadata; member(m, "run_id") != run || member(m, "datapoint_id") != `"point 1"` || member(m, "dataset_id") != `"set 1"` {
		t.Errorf("an event has %s", m)
	}
	for name, m := range map[string]honeyhive.Object{"inner": inner.Metadata, "model": events["model"].Metadata} {
		if m.Has("run_id") || member(m, "attempt_session_id") != `"`+s.SessionID.Or("")+`"` {
			t.Errorf("%s has %s", name, m)
		}
	}
	checkEvaluations(t, spans)
}

// checkEvaluations looks at the scores as events of the span (GenAI conventions).
func checkEvaluations(t *testing.T, spans *tracetest.InMemoryExporter) {
	t.Helper()
	got := make(map[string]string)
	for _, s := range spans.GetSpans() {
		for _, e := range s.Events {
			if e.Name != "gen_ai.evaluation.result" {
				continue
			}
			var text []string
			for _, kv := range e.Attributes[1:] {
				text = append(text, strings.TrimPrefix(string(kv.Key), "gen_ai.evaluation.")+"="+fmt.Sprint(kv.Value.AsInterface()))
			}
			got[s.Name+" "+e.Attributes[0].Value.AsString()] = strings.Join(text, " ")
		}
	}
	want := map[string]string{
		"TestSession/suite/one judged":   "score.value=0.5 score.label=half explanation=fair enough",
		"TestSession/suite/one fair":     "score.value=0 explanation=the task failed",
		"TestSession/suite/one succeeds": "score.value=0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evaluations (-want +got)\n%s", diff)
	}
}

// TestOwnProvider runs on a provider of the user's, which has a processor of its own.
func TestOwnProvider(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	evals.Run(t, evals.Suite[int, int]{
		Short: true,
		Cases: evals.Cases(evals.Case[int, int]{Input: 1}, evals.Case[int, int]{Input: 2}), Times: 2,
		Task: func(ctx context.Context, n int) (int, error) {
			_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "t")
			e.End()
			return n, nil
		},
		Score:   []evals.Scorer[int, int]{evals.Tools[int, int]("t").Must(1)},
		Tracing: []sessionspan.Option{sessionspan.WithTracerProvider(provider)},
	})
	stamped := 0
	for _, s := range spans.GetSpans() {
		for _, kv := range s.Attributes {
			if kv.Key == "honeyhive_metadata.run_id" {
				stamped++
			}
		}
	}
	if stamped != 8 {
		t.Errorf("%d spans name their run", stamped)
	}
}

// TestJudge has a judge whose question, verdict and errors are events.
func TestJudge(t *testing.T) {
	var out output
	evals.Run(t, evals.Suite[string, string]{
		Short: true,
		Cases: evals.Cases(evals.Case[string, string]{Name: "good", Input: "q", Expected: "a"}, evals.Case[string, string]{Name: "bad", Input: "q2"}),
		Task:  func(_ context.Context, q string) (string, error) { return "answer to " + q, nil },
		Score: []evals.Scorer[string, string]{evals.Judge[string, string]{Name: "fair", Criterion: "It is fair.", Ask: func(ctx context.Context, prompt string) (string, error) {
			_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "the model")
			defer e.End()
			if strings.Contains(prompt, "answer to q2") {
				return "", errors.New("overloaded")
			}
			return `{"reason":"it is","score":5}`, nil
		}}.Scorer(), evals.Bool("seen", func(r *evals.Result[string, string]) bool {
			return len(r.Session.Events) == 0 // the judge came after what is scored
		}).Must(1)},
		Tracing: []sessionspan.Option{sessionspan.WithWriter(&out)},
	})
	sessions, events := out.records(t)
	if m := sessions["TestJudge/good"].Metrics; member(m, "fair") != "1" || member(m, "fair_explanation") != `"it is"` || member(m, "fair_label") != `"5 of 5"` {
		t.Errorf("metrics %s", m)
	}
	if m := sessions["TestJudge/bad"].Metrics; m.Has("fair") || !m.Has("seen") {
		t.Errorf("metrics without a verdict %s", m)
	}
	e := events["judge fair"]
	if e.EventType.Or("") != "chain" || events["the model"].ParentID.Or("") == e.SessionID.Or("") {
		t.Errorf("the judge is %s", e.AppendJSON(nil))
	}
	if !strings.Contains(out.text.String(), `"error":"overloaded"`) || !strings.Contains(out.text.String(), "It is fair.") {
		t.Errorf("the judge's question or error is missing:\n%s", out.text.String())
	}
}

// TestUnusualValues has inputs and outputs that JSON or comparison cannot take.
func TestUnusualValues(t *testing.T) {
	type cyclic struct {
		Next *cyclic
		F    func()
	}
	loop := &cyclic{F: func() {}}
	loop.Next = loop
	evals.Run(t, evals.Suite[any, any]{
		Short: true,
		Cases: evals.Cases(evals.Case[any, any]{Name: "cyclic", Input: loop, Expected: loop}, evals.Case[any, any]{Name: "nil"}, evals.Case[any, any]{Name: "\xff/ \n", Input: make(chan int)}),
		Task:  func(_ context.Context, in any) (any, error) { return in, nil },
		Score: []evals.Scorer[any, any]{evals.Succeeds[any, any]().Must(1), evals.Exact[any, any](func(any) string { return "" }).Must(1)},
	})
}
