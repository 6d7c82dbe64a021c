package local

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// talk has turns of two conversations, in any order: the second one failed, the last
// says nothing, one has more outputs than those after it.
func talk(ctx context.Context, began time.Time) {
	turn := func(conversation string, n int, outputs map[string]any, err error) {
		at := began.Add(time.Duration(n) * time.Minute)
		ctx, turn := sessionspan.StartTurn(ctx, conversation, "chat", sessionspan.WithStartTime(at),
			sessionspan.WithInputs(map[string]any{"question": fmt.Sprintf("question %d", n)}), sessionspan.WithUserProperties(map[string]any{"user_id": "u1"}))
		_, call := sessionspan.StartEvent(ctx, sessionspan.Model, "answer", sessionspan.WithStartTime(at.Add(time.Second)))
		call.SetUsage(sessionspan.Usage{InputTokens: 10, OutputTokens: int64(n)})
		call.End(sessionspan.WithEndTime(at.Add(2 * time.Second)))
		if outputs != nil {
			turn.SetOutputs(outputs)
		}
		turn.EndErr(&err, sessionspan.WithEndTime(at.Add(time.Duration(10+n)*time.Second)))
	}
	answer := func(n int) map[string]any { return map[string]any{"answer": fmt.Sprintf("answer %d", n)} }
	turn("talk", 3, answer(3), nil)
	turn("talk", 1, map[string]any{"answer": "answer 1", "sources": []string{"a"}}, nil)
	turn("another", 7, answer(7), nil)
	turn("talk", 2, nil, errors.New("overloaded"))
	turn("talk", 5, nil, nil)
	turn("talk", 4, answer(4), nil)
}

// TestTurns has conversations that come by every way that there is: each is the same
// session, with what was first and last in it, and the sum of its turns.
func TestTurns(t *testing.T) {
	began := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for name, options := range map[string][]sessionspan.Option{
		"own provider": nil,
		"another":      {sessionspan.WithTracerProvider(sdktrace.NewTracerProvider())},
		"live":         {sessionspan.WithDefaults(exporter.WithLiveSessions())},
	} {
		t.Run(name, func(t *testing.T) {
			byHTTP, byV1, byOTLP, byBoth := start(t), start(t), start(t), start(t)
			v1, err := exporter.NewHTTP(exporter.HTTPConfig{URL: byV1.URL(), V1: true}, exporter.WithName("v1"))
			if err != nil {
				t.Fatal(err)
			}
			alsoHTTP, err := exporter.NewHTTP(exporter.HTTPConfig{URL: byBoth.URL()}, exporter.WithName("also by HTTP"))
			if err != nil {
				t.Fatal(err)
			}
			alsoOTLP, err := exporter.NewOTLP(exporter.OTLPConfig{URL: byBoth.URL() + "/v1/traces"}, exporter.WithName("also by OTLP"))
			if err != nil {
				t.Fatal(err)
			}
			tracer, err := sessionspan.New(append(options, sessionspan.WithProject("p"), sessionspan.WithSource("s"), sessionspan.WithoutEnvironment(),
				sessionspan.WithErrorHandler(func(err error) { t.Error(err) }),
				sessionspan.WithHTTP(exporter.HTTPConfig{URL: byHTTP.URL()}), sessionspan.WithOTLP(exporter.OTLPConfig{URL: byOTLP.URL() + "/v1/traces"}),
				sessionspan.WithDestination(v1), sessionspan.WithDestination(alsoHTTP), sessionspan.WithDestination(alsoOTLP))...)
			if err != nil {
				t.Fatal(err)
			}
			talk(sessionspan.ContextWithTracer(t.Context(), tracer), began)
			if err := tracer.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			for way, s := range map[string]*Server{"HTTP": byHTTP, "HTTP, v1": byV1, "OTLP": byOTLP, "HTTP and OTLP": byBoth} {
				checkTalk(t, way, s, began)
			}
			want, both := content(t, byHTTP), content(t, byBoth)
			for id, text := range both {
				both[id] = traceID.ReplaceAllString(text, "") // which the server adds to what came by OTLP
			}
			if diff := cmp.Diff(want, both); diff != "" {
				t.Errorf("(- HTTP, + both): %s", diff)
			}
		})
	}
}

var traceID = regexp.MustCompile(`\s*"trace_id": "[0-9a-f]{32}",?`)

func checkTalk(t *testing.T, way string, s *Server, began time.Time) {
	t.Helper()
	id := honeyhive.SessionID("p", "talk")
	got, err := s.store.Session(t.Context(), id)
	if err != nil {
		t.Fatalf("%s: %v", way, err)
	}
	ms := func(d time.Duration) float64 { return float64(began.Add(d).UnixMilli()) }
	original, _ := got.Payload.Metadata.Get("original_session_id")
	want := []any{
		"chat", `{"question":"question 1"}`, `{"answer":"answer 4"}`, "", ms(time.Minute), ms(5*time.Minute + 15*time.Second), 4*60_000 + 15_000.0,
		"question 1", "answer 4", store.StatusOK, int64(50), int64(15), "u1", `"talk"`, false, int64(5),
	}
	p := &got.Payload
	have := []any{
		got.Name, p.Inputs.String(), p.Outputs.String(), p.Error.Or(""), p.StartTime.Or(0), p.EndTime.Or(0), p.Duration.Or(0),
		got.Question, got.Answer, got.Status, got.TokensIn.Or(0), got.TokensOut.Or(0), got.User, string(original), p.Metadata.Has("prompt_tokens"), got.Calls,
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s (- want, + got): %s", way, diff)
	}
	var turns []string
	parents := make(map[string]bool)
	calls := 0
	for e, err := range s.store.EventBodies(t.Context(), id, store.EventQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != store.KindTurn {
			calls++
			parents[e.Parent.String()] = true
			continue
		}
		if e.Parent != id || e.Payload.EventType.Or("") != honeyhive.TypeChain {
			t.Errorf("%s: %s", way, e.Payload.AppendJSON(nil))
		}
		turns = append(turns, e.ID.String())
	}
	children, _ := p.ChildrenIDs.Get()
	inOrder := slices.Clone(children)
	slices.Sort(inOrder)
	slices.Sort(turns)
	if !slices.Equal(inOrder, turns) || len(turns) != 5 || len(parents) != 5 || calls != 5 {
		t.Errorf("%s: children %v, turns %v, %d calls below %d", way, children, turns, calls, len(parents))
	}
	last, err := s.store.Event(t.Context(), mustID(t, children[4]))
	if err != nil || last.Payload.Inputs.String() != `{"question":"question 5"}` {
		t.Errorf("%s: the last child is %s, %v", way, last.Payload.AppendJSON(nil), err)
	}
	for key, want := range map[string]string{"prompt_tokens": "10", "completion_tokens": "5", "event_kind": `"turn"`} {
		if v, _ := last.Payload.Metadata.Get(key); string(v) != want {
			t.Errorf("%s: %s of the last turn is %s", way, key, v)
		}
	}
}

func mustID(t *testing.T, text string) honeyhive.UUID {
	t.Helper()
	id, err := honeyhive.ParseUUID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
