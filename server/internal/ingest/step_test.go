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
// whatever comes first and however the spans are cut into requests.
func TestStepsInAnyOrder(t *testing.T) {
	session := TraceSession([16]byte{1}).String()
	for n, order := range permutations([]convert.Span{
		ofProgram(1, 0, "answer"),
		ofProgram(2, 1, "load"),
		span(3, 2, "GET"), // plumbing
		ofProgram(4, 3, "parse"),
		span(5, 4, "chat", chat),
	}) {
		k := newTaker()
		results := send(t, New(k), order...)
		if len(k.sessions) != 1 || len(k.events) != 4 {
			t.Fatalf("order %d: %d sessions, %d events", n, len(k.sessions), len(k.events))
		}
		if name := k.sessions[session].SessionName.Or(""); name != "answer" {
			t.Errorf("order %d: the session is called %q", n, name)
		}
		for event, want := range map[string][2]string{
			id(1): {session, "chain"}, id(2): {id(1), "chain"}, id(4): {id(2), "chain"}, id(5): {id(4), "model"},
		} {
			e := k.events[event]
			if e.ParentID.Or("") != want[0] || e.EventType.Or("") != want[1] || e.SessionID.Or("") != session || e.EndTime.IsZero() || e.EventName.Or("") == "" {
				t.Errorf("order %d: event %s", n, e.AppendJSON(nil))
			}
		}
		taken := 0
		for _, r := range results {
			taken += r.Taken + r.LeftOut
		}
		if taken != 5 {
			t.Errorf("order %d: %+v", n, results)
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
		k := newTaker()
		send(t, New(k), order...)
		want := honeyhive.SessionID("", "other").String()
		if e := k.events[id(3)]; e.SessionID.Or("") != want || e.EventType.Or("") != "chain" {
			t.Errorf("order %d: %s", n, e.AppendJSON(nil))
		}
		if _, ok := k.sessions[want]; !ok {
			t.Errorf("order %d: nobody has announced the session that a step names", n)
		}
		if len(k.events) != 3 {
			t.Errorf("order %d: %d events", n, len(k.events))
		}
	}
}

// TestSilentTraces of a program, a web framework and a browser make no event.
func TestSilentTraces(t *testing.T) {
	k := newTaker()
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
	if len(k.sessions)+len(k.events) != 0 || r[0] != (Result{LeftOut: 300}) {
		t.Errorf("%+v, %d sessions, %d events", r, len(k.sessions), len(k.events))
	}
	// When it speaks after all, the steps of the program are events, and no others.
	send(t, i, []convert.Span{span(251, 0, "chat", chat)})
	if len(k.events) != 300/4+1 {
		t.Errorf("%d events", len(k.events))
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
	k := newTaker()
	send(t, New(k), spans)
	if len(k.events) != 2 || k.events[id(parent+1)].ParentID.Or("") != id(1) {
		t.Errorf("%d events, %v", len(k.events), k.events[id(parent+1)].ParentID)
	}
}

// TestStepsThatAreLate are decided when their trace begins to speak between the two
// walks of their request.
func TestStepsThatAreLate(t *testing.T) {
	k := newTaker()
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
	if e := k.events[id(1)]; e.ParentID.Or("") != session || e.EventType.Or("") != "chain" {
		t.Errorf("%s", e.AppendJSON(nil))
	}
	if p := k.events[id(2)].ParentID.Or(""); p != id(1) {
		t.Errorf("the call hangs on %s", p)
	}
}

// TestWaitingStepsAreBounded keeps the steps of silent traces by number, bytes and age,
// and lets go of the oldest.
func TestWaitingStepsAreBounded(t *testing.T) {
	i := New(newTaker())
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
		return i.memory.steps.traces[id] != nil
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
	// What was given up does not come between an event and what it hangs on.
	late := span(2, 1, "chat", chat)
	binary.BigEndian.PutUint64(late.TraceID[:], more+499)
	k := newTaker()
	i.store = k
	send(t, i, []convert.Span{late})
	for _, e := range k.events {
		if e.ParentID != e.SessionID {
			t.Errorf("%s", e.AppendJSON(nil))
		}
	}
	if len(k.events) != 1 {
		t.Errorf("%d events", len(k.events))
	}
}
