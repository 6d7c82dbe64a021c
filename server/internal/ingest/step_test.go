package ingest

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// ofProgram makes a span of the program itself, which speaks no dialect.
func ofProgram(id, parent byte, name string) convert.Span {
	return span(id, parent, name, attribute.Int("app.n", int(id)))
}

// TestStepsInAnyOrder makes chains of the steps of a program whose trace speaks,
// whatever comes first, however the spans are cut into requests, and whether the server
// is restarted between all of these.
func TestStepsInAnyOrder(t *testing.T) {
	session := TraceSession([16]byte{1}).String()
	for n, order := range permutations([]convert.Span{
		ofProgram(1, 0, "answer"),
		ofProgram(2, 1, "load"),
		span(3, 2, "GET"), // plumbing
		ofProgram(4, 3, "parse"),
		span(5, 4, "chat", chat),
	}) {
		for _, restarted := range []bool{false, true} {
			k := new(recorder)
			var results []Result
			for i, request := New(k), order; len(request) > 0; request = request[1:] {
				if restarted {
					i = New(k)
				}
				results = append(results, send(t, i, request[0])...)
			}
			s := k.state(t)
			one := s.Sessions[TraceSession([16]byte{1})]
			if len(s.Sessions) != 1 || one == nil || len(one.Parents) != 4 || one.Models != 1 || one.Name != "answer" {
				t.Fatalf("order %d, restarted %v: %d sessions, %+v", n, restarted, len(s.Sessions), one)
			}
			for span, want := range map[byte]string{1: session, 2: id(1), 4: id(2), 5: id(4)} {
				if in, parent := event(s, span); parent != want || in != session {
					t.Errorf("order %d, restarted %v: event %d in %s under %s", n, restarted, span, in, parent)
				}
			}
			taken := 0
			for _, r := range results {
				taken += r.Taken + r.LeftOut
			}
			if taken != 5 {
				t.Errorf("order %d, restarted %v: %+v", n, restarted, results)
			}
		}
	}
}

// TestStepsOfASession hang on the session of their trace, or on that which they name
// themselves, also where it is named after them.
func TestStepsOfASession(t *testing.T) {
	named := span(3, 1, "named", attribute.String("session.id", "other"))
	for n, order := range permutations([]convert.Span{
		ofProgram(1, 0, "answer"), named, span(4, 1, "chat", chat, attribute.String("session.id", "thread")),
	}) {
		k := new(recorder)
		send(t, New(k), order...)
		s := k.state(t)
		want := honeyhive.SessionID("", "other").String()
		if in, _ := event(s, 3); in != want {
			t.Errorf("order %d: the step is of %s", n, in)
		}
		if in, parent := event(s, 1); in == "" || parent != in {
			t.Errorf("order %d: the root in %s under %s", n, in, parent)
		}
	}
}

// TestSilentTraces of a program, a web framework and a browser make no event.
func TestSilentTraces(t *testing.T) {
	k := new(recorder)
	var spans []convert.Span
	for n := range 300 {
		s := ofProgram(byte(n%250)+1, 0, "step")
		s.Scope = []string{"shop", "next.js", "@opentelemetry/instrumentation-express", "opentelemetry.instrumentation.fastapi"}[n%4]
		s.Attributes = append(s.Attributes, attribute.String("session.id", "of a browser"))
		binary.BigEndian.PutUint64(s.SpanID[:], uint64(n)+1)
		spans = append(spans, s)
	}
	i := New(k)
	r := send(t, i, spans)
	if s := k.state(t); len(s.Sessions) != 0 || r[0] != (Result{LeftOut: 300}) {
		t.Errorf("%+v, %d sessions", r, len(s.Sessions))
	}
	// When it speaks after all, the steps of the program are events, and no others.
	send(t, i, []convert.Span{span(251, 0, "chat", chat)})
	events := 0
	for _, one := range k.state(t).Sessions {
		events += len(one.Parents)
	}
	if events != 300/4+1 {
		t.Errorf("%d events", events)
	}
}

// TestAFrameworkInASpeakingTrace leaves hundreds of its spans out, and what hangs on
// them where it belongs.
func TestAFrameworkInASpeakingTrace(t *testing.T) {
	spans := []convert.Span{ofProgram(1, 0, "answer")}
	parent := byte(1)
	for n := range 200 {
		s := ofProgram(byte(n)+2, parent, "middleware")
		s.Scope = "@opentelemetry/instrumentation-express"
		parent = byte(n) + 2
		spans = append(spans, s)
	}
	spans = append(spans, span(parent+1, parent, "chat", chat))
	k := new(recorder)
	send(t, New(k), spans)
	s := k.state(t)
	if _, above := event(s, parent+1); above != id(1) || len(s.Sessions[TraceSession([16]byte{1})].Parents) != 2 {
		t.Errorf("the call hangs on %s", above)
	}
}

// TestStepsThatAreLate are decided when their trace begins to speak between the two
// walks of their request.
func TestStepsThatAreLate(t *testing.T) {
	k := new(recorder)
	i := New(k)
	step := ofProgram(1, 0, "answer")
	visits := 0
	_, err := i.Spans(t.Context(), func(visit func(*convert.Span) error) error {
		if visits++; visits == 2 {
			send(t, i, []convert.Span{span(2, 1, "chat", chat)})
		}
		return visit(&step)
	})
	if err != nil {
		t.Fatal(err)
	}
	session := TraceSession([16]byte{1}).String()
	s := k.state(t)
	if _, p := event(s, 1); p != session {
		t.Errorf("the step hangs on %s", p)
	}
	if _, p := event(s, 2); p != id(1) {
		t.Errorf("the call hangs on %s", p)
	}
}

// TestWaitingStepsAreBounded keeps the steps of silent traces by number, bytes and age,
// and lets go of the oldest.
func TestWaitingStepsAreBounded(t *testing.T) {
	i := New(new(counter))
	clock := time.UnixMilli(1_700_000_000_000)
	i.now = func() time.Time { return clock }
	one := func(trace uint64, text string) {
		s := ofProgram(1, 0, "step")
		s.Attributes = append(s.Attributes, attribute.String("text", strings.Clone(text)))
		binary.BigEndian.PutUint64(s.TraceID[:], trace)
		send(t, i, []convert.Span{s})
	}
	held := func(trace uint64) bool {
		var id [16]byte
		binary.BigEndian.PutUint64(id[:], trace)
		return i.memory.steps.traces[TraceSession(id)] != nil
	}
	for n := range stepsMost + 10 {
		one(uint64(n)+1, "")
	}
	if w := &i.memory.steps; w.number > stepsMost || held(10) || !held(stepsMost+10) {
		t.Errorf("%d steps wait", w.number)
	}
	large := strings.Repeat("a text ", 20_000)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const more = 1_000_000
	for n := range 500 {
		one(more+uint64(n), large)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	w := &i.memory.steps
	if w.bytes > stepsBytes || held(more) || !held(more+499) {
		t.Errorf("%d bytes wait", w.bytes)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2*stepsBytes {
		t.Errorf("%d KiB are kept", grown>>10)
	}
	clock = clock.Add(stepAge + time.Minute)
	one(2*more, "")
	if w.number != 1 || len(w.traces) != 1 || !held(2*more) {
		t.Errorf("%d steps wait after %v", w.number, stepAge)
	}
}

// TestManyStepsInOneRequest holds no more of them than are remembered, by number and by
// bytes, and not none.
func TestManyStepsInOneRequest(t *testing.T) {
	for name, c := range map[string]struct {
		steps int
		text  string
	}{"number": {stepsMost + 1000, ""}, "bytes": {300, strings.Repeat("a text ", 20_000)}} {
		t.Run(name, func(t *testing.T) {
			i := New(new(counter))
			r, err := i.Spans(t.Context(), func(visit func(*convert.Span) error) error {
				for n := range c.steps {
					s := ofProgram(1, 0, "step")
					s.Attributes = append(s.Attributes, attribute.String("text", c.text))
					binary.BigEndian.PutUint64(s.SpanID[:], uint64(n)+1)
					if err := visit(&s); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil || r.LeftOut != c.steps {
				t.Errorf("%+v, %v", r, err)
			}
			if w := &i.memory.steps; w.number == 0 || w.number > stepsMost || w.bytes > stepsBytes || c.text == "" && w.number != stepsMost {
				t.Errorf("%d steps of %d bytes wait", w.number, w.bytes)
			}
		})
	}
}
