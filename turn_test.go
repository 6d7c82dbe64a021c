package sessionspan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/await"
	"github.com/sessionspan/sessionspan/sessiontest"
)

var atNoon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// members returns the fields of an object, sorted.
func members(t *testing.T, text string) string {
	t.Helper()
	var o map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return strings.Join(slices.Sorted(maps.Keys(o)), " ")
}

// TestTurnRequests looks at what a server of the HTTP API is sent of a turn.
func TestTurnRequests(t *testing.T) {
	for name, v1 := range map[string]bool{"classic": false, "v1": true} {
		t.Run(name, func(t *testing.T) {
			server := newAPI(t)
			tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithSource("s"),
				sessionspan.WithRelease("r0"), sessionspan.WithTags("beta"), sessionspan.WithHTTP(exporter.HTTPConfig{URL: server.URL, V1: v1}))
			ctx, turn := tracer.StartTurn(t.Context(), "user-42", "chat", sessionspan.WithInputs(map[string]any{"question": "Where is Lima?"}),
				sessionspan.WithUserProperties(map[string]any{"user_id": "u1"}), sessionspan.WithMetadata(map[string]any{"release": "r1"}),
				sessionspan.WithConfig(map[string]any{"temperature": 0}), sessionspan.WithStartTime(atNoon))
			_, call := sessionspan.StartEvent(ctx, sessionspan.Model, "answer")
			call.SetUsage(sessionspan.Usage{InputTokens: 7, OutputTokens: 3})
			call.SetCost(0.5, "EUR")
			call.End()
			turn.SetOutputs(map[string]any{"answer": "In Peru."})
			turn.SetMetrics(map[string]any{"helpful": 1})
			turn.End(sessionspan.WithEndTime(atNoon.Add(1500 * time.Millisecond)))
			flush(t, tracer)

			var routes []string
			var update request
			for _, r := range server.seen() {
				routes = append(routes, r.method+" "+r.path)
				update = r
			}
			id := honeyhive.SessionID("p", "user-42").String()
			if got := turn.Session().ID(); got != id {
				t.Errorf("the session is %s", got)
			}
			batch, put := "/events/batch", "/events"
			if v1 {
				batch, put = "/v1/events/batch", "/v1/events/"+id
			}
			if want := []string{"POST /v1/sessions", "POST " + batch, "PUT " + put}; !slices.Equal(routes, want) {
				t.Fatalf("requests %q, want %q", routes, want)
			}
			post := server.seen()[0].body
			if got, want := members(t, post), "inputs metadata session_id session_name source start_time user_properties"; got != want {
				t.Errorf("the post has %s, want %s", got, want)
			}
			var s honeyhive.SessionStartRequest
			if err := json.Unmarshal([]byte(post), &s); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]string{id, "chat", "s", `{"question":"Where is Lima?"}`, `{"original_session_id":"user-42","release":"r1","tags":["beta"],"project":"p"}`, `{"user_id":"u1"}`, fmt.Sprint(float64(atNoon.UnixMilli()))},
				[]string{s.SessionID.Or(""), s.SessionName.Or(""), s.Source.Or(""), s.Inputs.String(), s.Metadata.String(), s.UserProperties.String(), fmt.Sprint(s.StartTime.Or(0))}); d != "" {
				t.Errorf("the post (- want, + got): %s", d)
			}
			if got, want := members(t, update.body), "end_time event_id outputs"; got != want {
				t.Errorf("the put has %s, want %s", got, want)
			}
			var u honeyhive.Update
			if err := json.Unmarshal([]byte(update.body), &u); err != nil {
				t.Fatal(err)
			}
			if u.EventID.Or("") != id || u.Outputs.String() != `{"answer":"In Peru."}` || u.EndTime.Or(0) != float64(atNoon.UnixMilli()+1500) {
				t.Errorf("the put is %s", update.body)
			}
			var events struct{ Events []honeyhive.Event }
			if err := json.Unmarshal([]byte(server.seen()[1].body), &events); err != nil {
				t.Fatal(err)
			}
			byName := make(map[string]honeyhive.Event)
			for _, e := range events.Events {
				byName[e.EventName.Or("")] = e
			}
			chat, answer := byName["chat"], byName["answer"]
			if chat.EventID.Or("") != turn.ID() || chat.ParentID.Or("") != id || chat.EventType.Or("") != "chain" || answer.ParentID.Or("") != turn.ID() || len(events.Events) != 2 {
				t.Errorf("the events are %s", server.seen()[1].body)
			}
			for key, want := range map[string]string{"event_kind": `"turn"`, "prompt_tokens": "7", "completion_tokens": "3", "total_tokens": "10", "release": `"r1"`, "cost": "0.5", "cost_currency": `"EUR"`} {
				if got, _ := chat.Metadata.Get(key); string(got) != want {
					t.Errorf("%s of the turn is %s, want %s", key, got, want)
				}
			}
			if chat.Duration.Or(0) != 1500 || chat.Config.String() != `{"temperature":0}` || chat.Metrics.String() != `{"helpful":1}` {
				t.Errorf("the turn is %s", chat.AppendJSON(nil))
			}
		})
	}
}

// hive is a session as a server of the HTTP API keeps it: of posts the first counts, of
// puts each, merged by key.
type hive struct {
	inputs, outputs string
	start, end      float64
	puts, posts     int
}

// read makes of JSON lines the sessions that such a server has.
func readHive(t testing.TB, lines string) map[string]*hive {
	sessions := make(map[string]*hive)
	outputs := make(map[string]honeyhive.Object)
	for line := range strings.Lines(lines) {
		var l struct {
			Session *honeyhive.SessionStartRequest `json:"session"`
			Update  *honeyhive.Update              `json:"update"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch {
		case l.Session != nil:
			id := l.Session.SessionID.Or("")
			if sessions[id] == nil {
				sessions[id] = &hive{inputs: l.Session.Inputs.String(), start: l.Session.StartTime.Or(0)}
			}
			sessions[id].posts++
		case l.Update != nil:
			id := l.Update.EventID.Or("")
			s := sessions[id]
			if s == nil {
				t.Fatalf("an update comes before its session: %s", line)
			}
			s.puts++
			s.end = l.Update.EndTime.Or(s.end)
			outputs[id] = outputs[id].Merge(l.Update.Outputs)
			if !outputs[id].IsEmpty() {
				s.outputs = outputs[id].String()
			}
		}
	}
	return sessions
}

// TestTurnPuts has turns of one process that overlap, in any order, and may say nothing:
// what the session comes to is the outputs of the one that started last and has some,
// and the greatest end, however many puts say that.
func TestTurnPuts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var out lockedBuffer
		tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(&out))
		if err != nil {
			rt.Fatal(err)
		}
		type said struct {
			start, end int
			answer     bool
		}
		turns := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) said {
			start := rapid.IntRange(0, 40).Draw(rt, "start")
			return said{start, start + rapid.IntRange(1, 40).Draw(rt, "takes"), rapid.IntRange(0, 3).Draw(rt, "answer") > 0}
		}), 1, 12).Draw(rt, "turns")
		flushed := rapid.SliceOfN(rapid.Bool(), len(turns), len(turns)).Draw(rt, "flushed")
		last, end := -1, 0
		for i, turn := range turns {
			_, e := tracer.StartTurn(context.Background(), "c", "chat", sessionspan.WithStartTime(atNoon.Add(time.Duration(turn.start)*time.Second)))
			if turn.answer {
				e.SetOutputs(map[string]any{"answer": i})
				if last < 0 || turn.start >= turns[last].start {
					last = i
				}
			}
			end = max(end, turn.end)
			e.End(sessionspan.WithEndTime(atNoon.Add(time.Duration(turn.end) * time.Second)))
			if flushed[i] {
				if err := tracer.ForceFlush(context.Background()); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if err := tracer.Shutdown(context.Background()); err != nil {
			rt.Fatal(err)
		}
		s := readHive(t, out.String())[honeyhive.SessionID("p", "c").String()]
		want := ""
		if last >= 0 {
			want = fmt.Sprintf(`{"answer":%d}`, last)
		}
		if s == nil || s.posts != len(turns) || s.outputs != want || s.end != float64(atNoon.Add(time.Duration(end)*time.Second).UnixMilli()) {
			rt.Fatalf("%+v of %+v, want %s and the end %d", s, turns, want, end)
		}
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestTurnsCoalesce has turns that end while the server is away: they wait for it, and
// one put says what the session has come to by then.
func TestTurnsCoalesce(t *testing.T) {
	const turns = 20
	var out lockedBuffer
	var mu sync.Mutex
	away := true
	writer := writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if away {
			return 0, errors.New("away")
		}
		return out.Write(p)
	})
	e, err := exporter.NewLines(writer, exporter.WithErrorHandler(nil))
	if err != nil {
		t.Fatal(err)
	}
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(nil), sessionspan.WithDestination(e))
	for i := range turns {
		_, turn := tracer.StartTurn(t.Context(), "c", "chat", sessionspan.WithStartTime(atNoon.Add(time.Duration(i)*time.Minute)))
		if i != turns-1 { // the last one says nothing
			turn.SetOutputs(map[string]any{"answer": i})
		}
		turn.End(sessionspan.WithEndTime(atNoon.Add(time.Duration(i)*time.Minute + time.Second)))
	}
	_ = await.Until(t, func() bool { return e.Stats().Waiting == 3*turns }, tracer.ForceFlush)
	mu.Lock()
	away = false
	mu.Unlock()
	flush(t, tracer)
	s := readHive(t, out.String())[honeyhive.SessionID("p", "c").String()]
	end := float64(atNoon.Add((turns-1)*time.Minute + time.Second).UnixMilli())
	if s.puts != 1 || s.posts != turns || s.outputs != fmt.Sprintf(`{"answer":%d}`, turns-2) || s.end != end {
		t.Errorf("%+v", s)
	}
	stats := e.Stats()
	if stats.Created != stats.Delivered || stats.Delivered != 3*turns {
		t.Errorf("the account is %+v", stats)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestTurnThatRuns shows a turn before its end: by a flush with what is known, and by
// Shutdown as incomplete, without a put.
func TestTurnThatRuns(t *testing.T) {
	var out lockedBuffer
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(&out))
	if err != nil {
		t.Fatal(err)
	}
	ctx, turn := tracer.StartTurn(t.Context(), "c", "chat", sessionspan.WithInputs(map[string]any{"question": "?"}))
	_, step := sessionspan.StartEvent(ctx, sessionspan.Tool, "step")
	step.End()
	turn.Session().SetFeedback(map[string]any{"rating": 1})
	flush(t, tracer)
	if text := out.String(); !strings.HasPrefix(text, `{"session":`) || strings.Count(text, `{"session":`) != 1 || strings.Count(text, `{"event":`) != 1 || strings.Count(text, `{"update":`) != 1 {
		t.Errorf("a flush wrote %s", text)
	}
	turn.SetOutputs(map[string]any{"answer": "half"})
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d lines: %s", len(lines), out.String())
	}
	var l struct{ Event honeyhive.Event }
	if err := json.Unmarshal([]byte(lines[4]), &l); err != nil {
		t.Fatal(err)
	}
	incomplete, _ := l.Event.Metadata.Get(exporter.MetadataIncomplete)
	if l.Event.EventID.Or("") != turn.ID() || string(incomplete) != "true" || l.Event.Outputs.String() != `{"answer":"half"}` || !l.Event.EndTime.IsZero() || !l.Event.Duration.IsZero() {
		t.Errorf("the turn is %s", lines[4])
	}
	turn.End() // too late, and no harm
}

// TestTurnPlaces: where a turn stands, and who else is told of its session.
func TestTurnPlaces(t *testing.T) {
	p := sessiontest.New(t)
	ctx := p.Context(t.Context())

	// Through another service and back to the session.
	service := httptest.NewServer(sessionspan.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, found := sessionspan.StartEvent(p.Context(r.Context()), sessionspan.Retriever, "search")
		found.End()
	})))
	defer service.Close()
	turnCtx, turn := sessionspan.StartTurn(ctx, "talk", "ask", sessionspan.WithInputs(map[string]any{"question": "1"}))
	if sessionspan.SessionFromContext(turnCtx).ID() != turn.Session().ID() || sessionspan.EventFromContext(turnCtx) != turn {
		t.Error("the context names another place")
	}
	client := &http.Client{Transport: sessionspan.Transport(nil, strings.TrimPrefix(service.URL, "http://"))}
	req, err := http.NewRequestWithContext(turnCtx, http.MethodGet, service.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	client.CloseIdleConnections()
	turn.SetOutputs(map[string]any{"answer": "one"})
	turn.End()

	// The same by a function, which fails.
	failed := errors.New("overloaded")
	_, err = sessionspan.RunTurn(ctx, "talk", "ask", map[string]any{"question": "2"}, func(ctx context.Context, _ map[string]any) (string, error) {
		_, step := sessionspan.StartEvent(ctx, sessionspan.Tool, "step")
		step.End()
		return "", failed
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	func() { // and one that panics
		defer func() { _ = recover() }()
		_, _ = sessionspan.RunTurn(ctx, "talk", "", 3, func(context.Context, int) (string, error) { panic("broken") })
	}()
	s := p.Session("ask")
	s.AssertTree(`
		session ask
		  chain ask
		    tool search
		  chain ask
		    tool step
		  chain turn
	`)
	s.AssertInputs(`{"question":"1"}`)
	s.AssertOutputs(`{"answer":"one"}`)
	if s.Error.Or("") != "panic: broken" || s.Events[1].Error.Or("") != "overloaded" || s.Events[2].Inputs.String() != `{"input":3}` {
		t.Errorf("errors: %q, %q of %s", s.Error.Or(""), s.Events[1].Error.Or(""), s.Events[2].AppendJSON(nil))
	}
	if err := sessionspan.Update(ctx, "talk", sessionspan.WithFeedback(map[string]any{"rating": 5})); err != nil {
		t.Error(err)
	}
	if got := p.Session("ask").Feedback.String(); got != `{"rating":5}` {
		t.Errorf("feedback is %s", got)
	}

	// In the session itself, where this process holds it.
	held, session := sessionspan.StartSession(ctx, "held", sessionspan.WithSessionID("held"))
	_, inside := sessionspan.StartTurn(ctx, "held", "inside", sessionspan.WithInputs(map[string]any{"question": "4"}), sessionspan.WithSource("ignored"))
	inside.End()
	_, nested := sessionspan.StartTurn(held, "held", "nested")
	nested.End()
	session.SetOutputs(map[string]any{"answer": "own"})
	session.End()
	h := p.Session("held")
	h.AssertTree(`
		session held
		  chain inside
		  chain nested
	`)
	h.AssertOutputs(`{"answer":"own"}`)
	if ids, _ := h.ChildrenIDs.Get(); len(ids) != 2 || h.Events[0].Metadata.Has("event_kind") {
		t.Errorf("children %v, %s", ids, h.Events[0].AppendJSON(nil))
	}

	// A turn without a conversation is recorded all the same.
	p.ExpectReport("the id of the session is empty")
	_, alone := sessionspan.StartTurn(ctx, "", "alone")
	alone.End()
	p.Session("alone").AssertTree("session alone\n  chain alone")
	p.ExpectReport("StartTurn: WithSessionID is no option of it")
	_, misplaced := sessionspan.StartTurn(ctx, "misplaced", "misplaced", sessionspan.WithSessionID("x"))
	misplaced.End()
}

// TestTurnUnsampled: what the sampler leaves out is sent nowhere, also by others.
func TestTurnUnsampled(t *testing.T) {
	server := newAPI(t)
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithHTTP(exporter.HTTPConfig{URL: server.URL}),
		sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sessionspan.SessionSampler(sdktrace.NeverSample())))))
	ctx, turn := tracer.StartTurn(t.Context(), "c", "chat", sessionspan.WithInputs(map[string]any{"question": "?"}))
	_, step := sessionspan.StartEvent(ctx, sessionspan.Tool, "step")
	step.End()
	turn.Session().SetFeedback(map[string]any{"rating": 1})
	header := http.Header{}
	sessionspan.Inject(ctx, propagation.HeaderCarrier(header))
	turn.End()
	flush(t, tracer)
	if turn.IsRecording() || turn.Session().IsRecording() || len(server.seen()) != 0 {
		t.Errorf("recorded: %v", server.seen())
	}
	if want := "honeyhive.session_id=" + honeyhive.SessionID("p", "c").String() + ",honeyhive.session_sampled=0"; header.Get("Baggage") != want {
		t.Errorf("the header is %q, want %q", header.Get("Baggage"), want)
	}

	// A caller that is trusted has decided it.
	for name, provider := range map[string][]sessionspan.Option{"own": nil, "another": {sessionspan.WithTracerProvider(sdktrace.NewTracerProvider())}} {
		all := newTracer(t, append(provider, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithHTTP(exporter.HTTPConfig{URL: server.URL}))...)
		called := sessionspan.Extract(t.Context(), propagation.HeaderCarrier(header), sessionspan.WithTrustedCallers())
		ctx, turn := all.StartTurn(called, "c", "chat")
		_, step := sessionspan.StartEvent(ctx, sessionspan.Tool, "step")
		step.End()
		turn.End()
		flush(t, all)
		if len(server.seen()) != 0 {
			t.Errorf("%s: recorded: %v", name, server.seen())
		}
	}
}

// TestTurnWithoutTracer: without a tracer, and with one that has ended, a turn does
// nothing but name its session to others.
func TestTurnWithoutTracer(t *testing.T) {
	ended, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if err := ended.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, tracer := range map[string]*sessionspan.Tracer{"nil": nil, "zero": new(sessionspan.Tracer), "ended": ended} {
		ctx, turn := tracer.StartTurn(nil, "caf77ace-3417-4da4-944d-f4a0688f3c23", "", sessionspan.WithInputs(1)) //nolint:staticcheck // nil is allowed
		_, step := sessionspan.StartEvent(ctx, sessionspan.Tool, "step")
		step.End()
		turn.SetOutputs(2)
		turn.Session().SetFeedback(3)
		if turn.IsRecording() || turn.Session().ID() != "caf77ace-3417-4da4-944d-f4a0688f3c23" {
			t.Errorf("%s: records %s", name, turn.Session().ID())
		}
		turn.End()
	}
}

// TestTurnForgotten lets go of the events of a turn that never ends.
func TestTurnForgotten(t *testing.T) {
	var out lockedBuffer
	e, err := exporter.NewLines(&out, exporter.WithErrorHandler(nil))
	if err != nil {
		t.Fatal(err)
	}
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(nil),
		sessionspan.WithDestination(e), sessionspan.WithOpenSpans(sessionspan.OpenSpans{Age: time.Nanosecond}))
	ctx, turn := tracer.StartTurn(t.Context(), "c", "chat")
	_, step := sessionspan.StartEvent(ctx, sessionspan.Tool, "step")
	step.End()
	for tracer.ForgottenSpans() == 0 {
		_, other := tracer.StartTurn(t.Context(), "other", "other")
		other.End()
	}
	flush(t, tracer)
	if !strings.Contains(out.String(), `"step"`) {
		t.Errorf("the step is missing: %s", out.String())
	}
	turn.End()
	flush(t, tracer)
	if !strings.Contains(out.String(), `{"event":{"event_id":"`+turn.ID()) {
		t.Errorf("the turn is missing: %s", out.String())
	}
}

// TestTurnRedacted: nothing leaves that a redactor took out, by any of the records of a
// turn.
func TestTurnRedacted(t *testing.T) {
	var out lockedBuffer
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(&out),
		sessionspan.WithDefaults(exporter.WithRedactor(func(_, text string) string { return strings.ReplaceAll(text, "secret", "[x]") })))
	_, turn := tracer.StartTurn(t.Context(), "the secret talk", "secret name", sessionspan.WithInputs(map[string]any{"question": "a secret"}),
		sessionspan.WithUserProperties(map[string]any{"mail": "secret"}))
	turn.SetOutputs(map[string]any{"answer": "the secret"})
	turn.SetError("secret")
	turn.End()
	flush(t, tracer)
	if text := out.String(); strings.Contains(text, "secret") || strings.Count(text, "[x]") < 8 {
		t.Errorf("written: %s", text)
	}
}

// TestStartedTwice: who starts one session twice is told, once, and nothing of either is
// lost.
func TestStartedTwice(t *testing.T) {
	for _, overlap := range []bool{false, true} {
		for _, announced := range []bool{false, true} {
			t.Run(fmt.Sprintf("overlap %t, announced %t", overlap, announced), func(t *testing.T) {
				var out lockedBuffer
				var reports errorList
				tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(&out), sessionspan.WithErrorHandler(reports.add))
				begin := func(n int) (func(), string) {
					ctx, s := tracer.StartSession(t.Context(), fmt.Sprint("run ", n), sessionspan.WithSessionID("twice"), sessionspan.WithStartTime(atNoon.Add(time.Duration(n)*time.Second)),
						sessionspan.WithInputs(map[string]any{"question": n}))
					_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, fmt.Sprint("step ", n))
					e.End()
					if announced {
						flush(t, tracer)
					}
					return func() {
						s.SetOutputs(map[string]any{fmt.Sprint("answer ", n): n})
						s.End()
					}, s.ID()
				}
				end1, id := begin(1)
				if !overlap {
					end1()
				}
				end2, _ := begin(2)
				if overlap {
					end1()
				}
				end2()
				end3, _ := begin(3)
				end3()
				flush(t, tracer)
				if n := strings.Count(reports.text(), "was started twice"); n != 1 || !strings.Contains(reports.text(), id) {
					t.Errorf("reported %d times: %s", n, reports.text())
				}
				text := out.String()
				for n := 1; n <= 3; n++ {
					start := fmt.Sprintf(`"start_time":%d`, atNoon.Add(time.Duration(n)*time.Second).UnixMilli())
					if !slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool { return strings.HasPrefix(line, `{"session":`) && strings.Contains(line, start) }) {
						t.Errorf("no record of the session has %s in %s", start, text)
					}
					for _, want := range []string{fmt.Sprintf(`"question":%d`, n), fmt.Sprintf(`"answer %d":%d`, n, n), fmt.Sprintf(`"step %d"`, n)} {
						if !strings.Contains(text, want) {
							t.Errorf("%s is missing in %s", want, text)
						}
					}
				}
			})
		}
	}
}

// TestTurnThatIsLost: where the event of a turn cannot be encoded, what ran in it is
// delivered under the session all the same.
func TestTurnThatIsLost(t *testing.T) {
	var out lockedBuffer
	e, err := exporter.NewLines(&out, exporter.WithErrorHandler(nil), exporter.WithRedactor(func(_, text string) string {
		if text == "lost" {
			runtime.Goexit()
		}
		return text
	}))
	if err != nil {
		t.Fatal(err)
	}
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(nil), sessionspan.WithSessionName("desk"), sessionspan.WithDestination(e))
	ctx, turn := tracer.StartTurn(t.Context(), "c", "lost")
	_, step := sessionspan.StartEvent(ctx, sessionspan.Tool, "step")
	step.End()
	turn.End()
	err = tracer.ForceFlush(t.Context())
	if err == nil || !strings.Contains(err.Error(), "1 records were dropped") {
		t.Errorf("flush: %v", err)
	}
	id := honeyhive.SessionID("p", "c").String()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], `{"session":{"project":"p","session_name":"desk"`) || !strings.Contains(lines[0], `"session_id":"`+id+`"`) ||
		!strings.Contains(lines[1], `"session_id":"`+id+`"`) || !strings.Contains(lines[1], `"parent_id":"`+turn.ID()+`"`) {
		t.Errorf("written: %s", out.String())
	}
}
