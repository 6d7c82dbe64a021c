package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// taker is a store that keeps what is written, each field of the latest write.
type taker struct {
	store.Store

	sessions map[string]honeyhive.SessionStartRequest
	events   map[string]honeyhive.Event
	last     time.Time
	refuse   func(store.Write) error
	err      error
}

func (k *taker) Write(_ context.Context, batch []store.Write) error {
	if k.err != nil {
		return k.err
	}
	var refused store.BatchError
	for i, w := range batch {
		if k.refuse != nil {
			if err := k.refuse(w); err != nil {
				refused.Writes = append(refused.Writes, store.WriteError{Index: i, Err: err})
			}
		}
	}
	if len(refused.Writes) > 0 {
		return &refused
	}
	for _, w := range batch {
		if w.At.Before(k.last) {
			return errors.New("the time goes back")
		}
		k.last = w.At
		k.take(w)
	}
	return nil
}

func (k *taker) take(w store.Write) {
	if w.Event != nil {
		k.events[w.Event.EventID.Or("")] = *w.Event
		return
	}
	id := w.Session.SessionID.Or("")
	s, known := k.sessions[id]
	if known && w.Session.EndTime.IsZero() && !s.EndTime.IsZero() {
		return // an announcement that comes late
	}
	merge(&s, w.Session)
	k.sessions[id] = s
}

func merge(s, p *honeyhive.SessionStartRequest) {
	for _, f := range [][2]*honeyhive.Optional[string]{
		{&s.SessionID, &p.SessionID}, {&s.SessionName, &p.SessionName}, {&s.Project, &p.Project}, {&s.Source, &p.Source}, {&s.Error, &p.Error},
	} {
		if !f[1].IsZero() {
			*f[0] = *f[1]
		}
	}
	for _, f := range [][2]*honeyhive.Optional[float64]{{&s.StartTime, &p.StartTime}, {&s.EndTime, &p.EndTime}, {&s.Duration, &p.Duration}} {
		if !f[1].IsZero() {
			*f[0] = *f[1]
		}
	}
	s.Inputs, s.Outputs, s.Metadata, s.UserProperties = s.Inputs.Merge(p.Inputs), s.Outputs.Merge(p.Outputs), s.Metadata.Merge(p.Metadata), s.UserProperties.Merge(p.UserProperties)
}

func newTaker() *taker {
	return &taker{sessions: make(map[string]honeyhive.SessionStartRequest), events: make(map[string]honeyhive.Event)}
}

// span makes a span of trace 1 with an id of one digit; a parent of 0 is none. One
// without attributes is of a request.
func span(id, parent byte, name string, attributes ...attribute.KeyValue) convert.Span {
	start := time.UnixMilli(1_700_000_000_000)
	kind := convert.Internal
	if len(attributes) == 0 {
		kind = convert.Client
	}
	return convert.Span{
		TraceID: [16]byte{1}, SpanID: [8]byte{id}, ParentSpanID: [8]byte{parent}, Name: name, Kind: kind,
		Start: start, End: start.Add(time.Duration(id) * time.Second), Attributes: attributes,
	}
}

var chat = attribute.String("gen_ai.operation.name", "chat")

func id(span byte) string { return honeyhive.EventID([16]byte{1}, [8]byte{span}).String() }

// walk visits spans in memory that it uses again.
func walk(spans []convert.Span) Walk {
	return func(visit func(*convert.Span) error) error {
		var s convert.Span
		for i := range spans {
			s = spans[i]
			if err := visit(&s); err != nil {
				return err
			}
			s = convert.Span{Name: "used again"}
		}
		return nil
	}
}

func send(t *testing.T, i *Ingester, requests ...[]convert.Span) []Result {
	t.Helper()
	var results []Result
	for _, spans := range requests {
		r, err := i.Spans(t.Context(), walk(spans))
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	return results
}

// permutations returns the spans in every order, each span in a request of its
// own, and all in one request.
func permutations(spans []convert.Span) [][][]convert.Span {
	all := [][][]convert.Span{{spans}}
	var walk func(head [][]convert.Span, rest []convert.Span)
	walk = func(head [][]convert.Span, rest []convert.Span) {
		if len(rest) == 0 {
			all = append(all, head)
			return
		}
		for n := range rest {
			next := append(append([][]convert.Span{}, head...), rest[n:n+1])
			walk(next, append(append([]convert.Span{}, rest[:n]...), rest[n+1:]...))
		}
	}
	walk(nil, spans)
	return all
}

// TestTraceIsSession shows a trace that names no session as one, in whatever
// order its spans come.
func TestTraceIsSession(t *testing.T) {
	session := TraceSession([16]byte{1}).String()
	for n, order := range permutations([]convert.Span{
		span(1, 0, "POST /ask", attribute.String("http.request.method", "POST")),
		span(2, 1, "middleware"),
		span(3, 2, "chat m", chat),
		span(4, 3, "SELECT"),
		span(5, 4, "execute_tool t", attribute.String("gen_ai.operation.name", "execute_tool")),
	}) {
		k := newTaker()
		send(t, New(k), order...)
		if len(k.sessions) != 1 || len(k.events) != 2 {
			t.Fatalf("order %d: %d sessions, %d events", n, len(k.sessions), len(k.events))
		}
		s := k.sessions[session]
		if s.SessionName.Or("") != "POST /ask" || s.Duration.Or(0) != 1000 || !strings.Contains(s.Metadata.String(), `"trace_id":"01000000000000000000000000000000"`) {
			t.Errorf("order %d: session %s", n, s.AppendJSON(nil))
		}
		for event, parent := range map[string]string{id(3): session, id(5): id(3)} {
			if e := k.events[event]; e.ParentID.Or("") != parent || e.SessionID.Or("") != session || e.EndTime.IsZero() || e.EventName.Or("") == "" {
				t.Errorf("order %d: event %s", n, e.AppendJSON(nil))
			}
		}
	}
}

// TestRootThatIsAnEvent gives the session what the root holds.
func TestRootThatIsAnEvent(t *testing.T) {
	k := newTaker()
	root := span(1, 0, "invoke_agent a", attribute.String("openinference.span.kind", "AGENT"),
		attribute.String("input.value", "Why?"), attribute.String("output.value", "Because."), attribute.String("user.id", "ann"))
	root.Failed, root.Status = true, "out of luck"
	r := send(t, New(k), []convert.Span{span(2, 1, "chat", chat)}, []convert.Span{root})
	session := TraceSession([16]byte{1}).String()
	s := k.sessions[session]
	if s.SessionName.Or("") != "invoke_agent a" || !strings.Contains(s.Inputs.String(), "Why?") || !strings.Contains(s.Outputs.String(), "Because.") || s.UserProperties.IsEmpty() || s.Error.Or("") != "out of luck" {
		t.Errorf("%s", s.AppendJSON(nil))
	}
	if p := k.events[id(1)].ParentID.Or(""); p != session {
		t.Errorf("the root hangs on %s", p)
	}
	if p := k.events[id(2)].ParentID.Or(""); p != id(1) {
		t.Errorf("the call hangs on %s", p)
	}
	if r[0].Taken != 1 || r[1].Taken != 1 || r[0].LeftOut+r[1].LeftOut != 0 {
		t.Errorf("%+v", r)
	}
}

// TestPlainTraces are taken and show up nowhere.
func TestPlainTraces(t *testing.T) {
	k := newTaker()
	r := send(t, New(k), []convert.Span{span(1, 0, "GET /"), span(2, 1, "SELECT")})
	if len(k.sessions)+len(k.events) != 0 || r[0] != (Result{LeftOut: 2}) {
		t.Errorf("%+v, %d sessions", r, len(k.sessions))
	}
}

// TestConversation is a session over several traces, named by a text.
func TestConversation(t *testing.T) {
	k := newTaker()
	i := New(k)
	conversation := attribute.String("gen_ai.conversation.id", "thread-7")
	first := []convert.Span{span(1, 0, "invoke_agent", chat, conversation), span(2, 1, "execute_tool", attribute.String("gen_ai.operation.name", "execute_tool"))}
	second := span(3, 0, "invoke_agent", chat, conversation)
	second.TraceID = [16]byte{2}
	send(t, i, first, []convert.Span{second})
	session := honeyhive.SessionID("", "thread-7").String()
	s, ok := k.sessions[session]
	if !ok || len(k.sessions) != 1 || len(k.events) != 3 {
		t.Fatalf("%v", k.sessions)
	}
	if name, _ := s.Metadata.Get("session_name"); string(name) != `"thread-7"` || !s.SessionName.IsZero() || s.EndTime.Or(0) != 1_700_000_003_000 || !s.StartTime.IsZero() {
		t.Errorf("%s", s.AppendJSON(nil))
	}
	for event, e := range k.events {
		if e.SessionID.Or("") != session {
			t.Errorf("event %s is in session %s", event, e.SessionID.Or(""))
		}
	}
}

// TestHoneyHiveSessions are ended by whoever started them, and made only where
// the span says so.
func TestHoneyHiveSessions(t *testing.T) {
	const session = "caf77ace-3417-4da4-944d-f4a0688f3c23"
	own := attribute.String("honeyhive.session_id", session)
	for name, c := range map[string]struct {
		more []attribute.KeyValue
		want int
	}{
		"made":   {[]attribute.KeyValue{attribute.Bool("honeyhive.session_auto_create", true), attribute.String("honeyhive.session_name", "n"), attribute.String("honeyhive.project", "p")}, 1},
		"orphan": {nil, 0},
		"denied": {[]attribute.KeyValue{attribute.Bool("honeyhive.session_auto_create", false)}, 0},
	} {
		k := newTaker()
		send(t, New(k), []convert.Span{span(1, 0, "GET /"), span(2, 1, "step", append(c.more, own, attribute.String("honeyhive_event_type", "chain"))...)})
		if len(k.sessions) != c.want || len(k.events) != 1 {
			t.Fatalf("%s: %v", name, k.sessions)
		}
		if e := k.events[id(2)]; e.SessionID.Or("") != session || e.ParentID.Or("") != session {
			t.Errorf("%s: %s", name, e.AppendJSON(nil))
		}
		if s := k.sessions[session]; c.want == 1 && string(s.AppendJSON(nil)) != `{"project":"p","session_name":"n","session_id":"`+session+`"}` {
			t.Errorf("%s: %s", name, s.AppendJSON(nil))
		}
	}
}

// TestSessionRoot is a session by its span; what hangs on the span without
// saying so hangs on the session.
func TestSessionRoot(t *testing.T) {
	const session = "caf77ace-3417-4da4-944d-f4a0688f3c23"
	own := attribute.String("honeyhive.session_id", session)
	root := span(2, 1, "answer", own, attribute.String("honeyhive_event_type", "session"), attribute.String("honeyhive_inputs", `{"question":"Why?"}`))
	for n, order := range permutations([]convert.Span{span(1, 0, "POST /"), root, span(3, 2, "chat", chat, own), span(4, 2, "chat", chat)}) {
		if namesNone := order[0][0].SpanID; len(order) > 1 && (namesNone == [8]byte{4} || namesNone == [8]byte{1} && order[1][0].SpanID == [8]byte{4}) {
			continue // it comes before all that name the session: it is in that of its trace
		}
		k := newTaker()
		send(t, New(k), order...)
		s := k.sessions[session]
		if s.Inputs.String() != `{"question":"Why?"}` || s.EndTime.Or(0) != 1_700_000_002_000 || s.SessionName.Or("") != "answer" {
			t.Errorf("order %d: %s", n, s.AppendJSON(nil))
		}
		for _, event := range []string{id(3), id(4)} {
			if e := k.events[event]; e.ParentID.Or("") != session {
				t.Errorf("order %d: %s", n, e.AppendJSON(nil))
			}
		}
	}
}

// TestRefused keeps what the store takes.
func TestRefused(t *testing.T) {
	k := newTaker()
	k.refuse = func(w store.Write) error {
		if w.Event != nil && w.Event.EventName.Or("") == "bad" {
			return errors.New("no")
		}
		return nil
	}
	r := send(t, New(k), []convert.Span{span(1, 0, "good", chat), span(2, 1, "bad", chat), span(3, 1, "plain")})
	if r[0] != (Result{Taken: 1, LeftOut: 1, Rejected: 1, Problem: "no"}) || len(k.events) != 1 {
		t.Errorf("%+v", r)
	}
	k.err = errors.New("disk full")
	if _, err := New(k).Spans(t.Context(), walk([]convert.Span{span(1, 0, "good", chat)})); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Error(err)
	}
}

// TestCircles end.
func TestCircles(t *testing.T) {
	k := newTaker()
	send(t, New(k), []convert.Span{span(1, 2, "plain"), span(2, 1, "plain"), span(3, 1, "chat", chat), span(4, 4, "chat", chat)})
	if len(k.events) != 2 {
		t.Error(k.events)
	}
}

// TestMemoryIsBounded forgets the oldest.
func TestMemoryIsBounded(t *testing.T) {
	r := recent[int, string]{size: 100}
	for n := range 1000 {
		r.put(n, "x", 1)
	}
	if got := len(r.newer) + len(r.older); got > 200 {
		t.Errorf("%d are remembered", got)
	}
	if _, ok := r.get(901); !ok {
		t.Error("the last hundred are not remembered")
	}
	if _, ok := r.get(1); ok {
		t.Error("the first is remembered")
	}
	r.put(1000, "heavy", 1000)
	r.put(1001, "x", 1)
	if _, ok := r.get(950); ok {
		t.Error("what is heavy does not count")
	}
}

// TestTimesThatAreNone go to the metadata of the record, whatever it is, and the
// rest of it stands.
func TestTimesThatAreNone(t *testing.T) {
	some := honeyhive.Some[float64]
	for v, number := range map[float64]string{
		1.7e308: "1.7e+308", -1.7e308: "-1.7e+308", 1.1e15: "1100000000000000", -1.1e15: "-1100000000000000",
		math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`, math.NaN(): `"NaN"`,
	} {
		metadata, _ := honeyhive.ParseObject(`{"a":1}`)
		s := &honeyhive.SessionStartRequest{StartTime: some(v), EndTime: some(5), Duration: some(v), Metadata: metadata}
		e := &honeyhive.Event{StartTime: some(1e15), EndTime: some(v), Duration: some(-1e15)}
		u := &honeyhive.Update{EndTime: some(v), Duration: some(v), Metadata: honeyhive.NullObject()}
		if _, err := Write(t.Context(), &counter{}, []store.Write{{Session: s}, {Event: e}, {Update: u}}); err != nil {
			t.Fatal(err)
		}
		if !s.StartTime.IsZero() || s.EndTime.Or(0) != 5 || !s.Duration.IsZero() || s.Metadata.String() != `{"a":1,"original_start_time":`+number+`,"original_duration":`+number+`}` {
			t.Errorf("%g: session %s", v, s.AppendJSON(nil))
		}
		if e.StartTime.Or(0) != 1e15 || !e.EndTime.IsZero() || e.Duration.Or(0) != -1e15 || e.Metadata.String() != `{"original_end_time":`+number+`}` {
			t.Errorf("%g: event %s", v, e.AppendJSON(nil))
		}
		if !u.EndTime.IsZero() || !u.Duration.IsZero() || u.Metadata.String() != `{"original_end_time":`+number+`,"original_duration":`+number+`}` {
			t.Errorf("%g: update %s", v, u.AppendJSON(nil))
		}
	}
}

// counter is a store that notes how much it is given at once.
type counter struct {
	store.Store

	calls, most, mostBytes int
	refuse                 func(batch []store.Write) *store.BatchError
}

func (k *counter) Write(_ context.Context, batch []store.Write) error {
	k.calls++
	k.most = max(k.most, len(batch))
	bytes := 0
	for _, w := range batch {
		if w.Event != nil {
			bytes += len(w.Event.AppendJSON(nil))
		}
	}
	k.mostBytes = max(k.mostBytes, bytes)
	if k.refuse != nil {
		if e := k.refuse(batch); e != nil {
			return e
		}
	}
	return nil
}

// TestPieces gives the store a request a few records at a time.
func TestPieces(t *testing.T) {
	var spans []convert.Span
	for n := range 3000 {
		s := span(1, 0, "chat", chat)
		binary.BigEndian.PutUint64(s.SpanID[:], uint64(n)+1)
		spans = append(spans, s)
	}
	k := new(counter)
	r := send(t, New(k), spans)
	if r[0].Taken != 3000 || k.most > pieceWrites || k.calls < 3000/pieceWrites {
		t.Errorf("%+v in %d writes of up to %d", r, k.calls, k.most)
	}
	spans = nil
	for n := range 40 {
		spans = append(spans, span(byte(n+1), 0, "chat", chat, attribute.String("text", strings.Repeat("x", 200_000))))
	}
	k = new(counter)
	send(t, New(k), spans)
	if k.mostBytes > pieceBytes+250_000 {
		t.Errorf("%d bytes in a write", k.mostBytes)
	}
}

// TestTooManyTraces writes nothing of a request that is about more than it may be.
func TestTooManyTraces(t *testing.T) {
	for name, change := range map[string]func(n int, s *convert.Span){
		"traces": func(n int, s *convert.Span) { binary.BigEndian.PutUint64(s.TraceID[:], uint64(n)+1) },
		"sessions": func(n int, s *convert.Span) {
			s.Attributes = append(s.Attributes, attribute.Int("gen_ai.conversation.id", n))
		},
	} {
		walk := func(spans int) Walk {
			return func(visit func(*convert.Span) error) error {
				for n := range spans {
					s := span(1, 0, "chat", chat)
					binary.BigEndian.PutUint64(s.SpanID[:], uint64(n)+1)
					change(n, &s)
					if err := visit(&s); err != nil {
						return err
					}
				}
				return nil
			}
		}
		k := new(counter)
		if _, err := New(k).Spans(t.Context(), walk(maxTraces+1)); !errors.Is(err, ErrTooMany) || k.calls > 0 {
			t.Errorf("%s: %v, %d writes", name, err, k.calls)
		}
		if r, err := New(k).Spans(t.Context(), walk(maxTraces)); err != nil || r.Taken != maxTraces {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
	}
}

// TestTheClientLeaves ends the work on its request.
func TestTheClientLeaves(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	visited := 0
	walk := func(visit func(*convert.Span) error) error {
		for {
			s := span(1, 0, "chat", chat)
			if err := visit(&s); err != nil {
				return err
			}
			if visited++; visited == 10 {
				leave()
			}
		}
	}
	if _, err := New(new(counter)).Spans(ctx, walk); !errors.Is(err, context.Canceled) || visited > 11 {
		t.Errorf("%v after %d spans", err, visited)
	}
}

// TestRefusalsEnd takes no more rounds than a few where each makes the next record
// impossible.
func TestRefusalsEnd(t *testing.T) {
	k := &counter{refuse: func([]store.Write) *store.BatchError {
		return &store.BatchError{Writes: []store.WriteError{{Index: 0, Err: errors.New("no")}}}
	}}
	refused, err := Write(t.Context(), k, make([]store.Write, 1000))
	if err != nil || len(refused) != 1000 || k.calls > maxRounds {
		t.Errorf("%v, %d refused in %d rounds", err, len(refused), k.calls)
	}
}

// TestMemoryIsBoundedInBytes remembers names of any length, of roots and of events
// that wait, within bounds.
func TestMemoryIsBoundedInBytes(t *testing.T) {
	i := New(newTaker())
	large := strings.Repeat("a name ", 3000)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for n := range 2000 {
		root := span(1, 0, strings.Clone(large), attribute.String("service.name", large))
		root.Kind, root.Failed, root.Status, root.Project = convert.Server, true, strings.Clone(large), strings.Clone(large)
		waits := span(2, 9, strings.Clone(large), chat)
		binary.BigEndian.PutUint64(root.TraceID[:], uint64(n)+1)
		binary.BigEndian.PutUint64(waits.TraceID[:], uint64(n)+1)
		b := newBatch()
		if err := errors.Join(b.look(&root), b.look(&waits)); err != nil {
			t.Fatal(err)
		}
		i.link(b)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2*(tracesBytes+aboveBytes+waitingBytes) {
		t.Errorf("%d KiB are kept", grown>>10)
	}
	runtime.KeepAlive(i)
	for _, m := range []map[honeyhive.UUID][]child{i.memory.waiting.newer, i.memory.waiting.older} {
		for _, list := range m {
			if len(list[0].name) > 0 {
				t.Fatalf("a name of %d bytes is kept", len(list[0].name))
			}
		}
	}
	weight := 0
	for _, k := range i.memory.traces.newer {
		weight += len(k.root.name) + len(k.root.err) + len(k.root.project) + traceBytes
	}
	if weight > tracesBytes+10*textBytes {
		t.Errorf("the newer half of the roots has %d bytes", weight)
	}
}
