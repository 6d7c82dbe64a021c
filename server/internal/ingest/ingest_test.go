package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/sqlite"
	"github.com/sessionspan/sessionspan/store/storetest"
)

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

// recorder is a store that notes what is written to it.
type recorder struct {
	store.Store

	writes []store.Write
	refuse func(store.Write) error
	err    error
}

func (k *recorder) Write(ctx context.Context, batch []store.Write) error {
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
	k.writes = append(k.writes, batch...)
	if k.Store != nil {
		return k.Store.Write(ctx, batch)
	}
	return nil
}

// Speaks and Steps say what follows from the writes, as a store does.
func (k *recorder) Speaks(_ context.Context, trace honeyhive.UUID) (bool, error) {
	return slices.ContainsFunc(k.writes, func(w store.Write) bool { return w.Join != nil && w.Join.Trace == trace && w.Join.Speaks }), k.err
}

func (k *recorder) Steps(context.Context) iter.Seq2[store.Edge, error] {
	return func(yield func(store.Edge, error) bool) {
		for _, w := range k.writes {
			if w.Edge == nil || w.Edge.Step == nil || slices.ContainsFunc(k.writes, func(o store.Write) bool { return o.Event != nil && o.Event.EventID.Or("") == w.Edge.Span.String() }) {
				continue
			}
			if !yield(*w.Edge, nil) {
				return
			}
		}
	}
}

// state is what the store comes to.
func (k *recorder) state(t interface{ Fatal(args ...any) }) *storetest.State {
	s, err := storetest.StateOf(k.writes)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// event returns the session and the parent of an event.
func event(s *storetest.State, span byte) (session, parent string) {
	id := honeyhive.EventID([16]byte{1}, [8]byte{span})
	for session, one := range s.Sessions {
		if parent, ok := one.Parents[id]; ok {
			return session.String(), parent.String()
		}
	}
	return "", ""
}

var start = float64(1_700_000_000_000)

// TestTraceIsSession shows a trace that names no session as one, in whatever
// order its spans come.
func TestTraceIsSession(t *testing.T) {
	session := TraceSession([16]byte{1})
	for n, order := range permutations([]convert.Span{
		span(1, 0, "POST /ask", attribute.String("http.request.method", "POST")),
		span(2, 1, "middleware"),
		span(3, 2, "chat m", chat, attribute.String("input.value", "Why?"), attribute.String("user.id", "ann")),
		span(4, 3, "SELECT"),
		span(5, 4, "execute_tool t", attribute.String("gen_ai.operation.name", "execute_tool")),
	}) {
		k := new(recorder)
		send(t, New(k), order...)
		s := k.state(t)
		one := s.Sessions[session]
		if len(s.Sessions) != 1 || one == nil || len(one.Parents) != 2 {
			t.Fatalf("order %d: %d sessions", n, len(s.Sessions))
		}
		if one.Name != "POST /ask" || one.Start != start || one.End != start+1000 || one.Status != store.StatusOK || one.Question != "Why?" || one.User != "ann" || one.Rootless {
			t.Errorf("order %d: session %+v", n, one)
		}
		for span, want := range map[byte]string{3: session.String(), 5: id(3)} {
			if _, parent := event(s, span); parent != want {
				t.Errorf("order %d: event %d hangs on %s", n, span, parent)
			}
		}
	}
}

// TestRootThatNeverComes leaves a session that says so, with the name, the question
// and the answer of its topmost event.
func TestRootThatNeverComes(t *testing.T) {
	k := new(recorder)
	send(t, New(k), []convert.Span{
		span(2, 1, "answer", attribute.String("openinference.span.kind", "AGENT"), attribute.String("input.value", "Why?"), attribute.String("output.value", "Because.")),
		span(3, 2, "chat", chat, attribute.String("input.value", "a part of it")),
	})
	s := k.state(t).Sessions[TraceSession([16]byte{1})]
	if s == nil || s.Name != "answer" || s.Question != "Why?" || s.Answer != "Because." || s.Status != store.StatusRunning || !s.Rootless {
		t.Errorf("%+v", s)
	}
}

// TestRootThatIsAnEvent gives the session what the root holds.
func TestRootThatIsAnEvent(t *testing.T) {
	k := new(recorder)
	root := span(1, 0, "invoke_agent a", attribute.String("openinference.span.kind", "AGENT"),
		attribute.String("input.value", "Why?"), attribute.String("output.value", "Because."), attribute.String("user.id", "ann"))
	root.Failed, root.Status = true, "out of luck"
	r := send(t, New(k), []convert.Span{span(2, 1, "chat", chat)}, []convert.Span{root})
	session := TraceSession([16]byte{1})
	state := k.state(t)
	s := state.Sessions[session]
	if s.Name != "invoke_agent a" || s.Question != "Why?" || s.Answer != "Because." || s.User != "ann" || s.Error != "out of luck" {
		t.Errorf("%+v", s)
	}
	if _, p := event(state, 1); p != session.String() {
		t.Errorf("the root hangs on %s", p)
	}
	if _, p := event(state, 2); p != id(1) {
		t.Errorf("the call hangs on %s", p)
	}
	if r[0].Taken != 1 || r[1].Taken != 1 || r[0].LeftOut+r[1].LeftOut != 0 {
		t.Errorf("%+v", r)
	}
}

// TestPlainTraces are taken and show up nowhere.
func TestPlainTraces(t *testing.T) {
	k := new(recorder)
	r := send(t, New(k), []convert.Span{span(1, 0, "GET /"), span(2, 1, "SELECT")})
	if s := k.state(t); len(s.Sessions) != 0 || r[0] != (Result{LeftOut: 2}) {
		t.Errorf("%+v, %d sessions", r, len(s.Sessions))
	}
}

// TestNames puts names of all kinds on spans of a trace, whose parents are before
// them, and sees which session each is of, in any order.
func TestNames(t *testing.T) {
	strong := func(v string) attribute.KeyValue { return attribute.String("session.id", v) }
	weak := func(v string) attribute.KeyValue { return attribute.String("gen_ai.conversation.id", v) }
	const uuid = "caf77ace-3417-4da4-944d-f4a0688f3c23"
	named := func(v string) string { return honeyhive.SessionID("", v).String() }
	trace := TraceSession([16]byte{1}).String()
	for name, c := range map[string]struct {
		spans [][]attribute.KeyValue // of a root, its child, and so on
		want  []string               // the session of each; "" for a span that is no event
	}{
		"none":                            {[][]attribute.KeyValue{{chat}, {chat}}, []string{trace, trace}},
		"on the root alone":               {[][]attribute.KeyValue{{chat, strong("a")}, {chat}, {chat}}, []string{named("a"), named("a"), named("a")}},
		"on a plain root alone":           {[][]attribute.KeyValue{{strong("a"), attribute.String("http.request.method", "GET")}, {chat}}, []string{"", named("a")}},
		"on a span in the middle":         {[][]attribute.KeyValue{{chat}, {chat, strong("a")}, {chat}}, []string{named("a"), named("a"), named("a")}},
		"on the last":                     {[][]attribute.KeyValue{{chat}, {}, {chat, strong(uuid)}}, []string{uuid, "", uuid}},
		"strong before weak":              {[][]attribute.KeyValue{{chat, weak("w")}, {chat, strong("a")}, {chat}}, []string{named("a"), named("a"), named("a")}},
		"strong and weak on one span":     {[][]attribute.KeyValue{{chat, weak("w"), strong("a")}, {chat}}, []string{named("a"), named("a")}},
		"the topmost of weak ones":        {[][]attribute.KeyValue{{chat}, {chat, weak("z")}, {chat, weak("b")}}, []string{named("z"), named("z"), named("z")}},
		"below spans that are left out":   {[][]attribute.KeyValue{{}, {}, {chat, weak("z")}, {}, {chat, weak("b")}}, []string{"", "", named("z"), "", named("z")}},
		"two strong ones":                 {[][]attribute.KeyValue{{chat}, {chat, strong("a")}, {chat, strong("b")}}, []string{trace, named("a"), named("b")}},
		"two strong ones on all":          {[][]attribute.KeyValue{{chat, strong("a")}, {chat, strong("b")}}, []string{named("a"), named("b")}},
		"a number":                        {[][]attribute.KeyValue{{chat, attribute.Int("session.id", 42)}, {chat}}, []string{named("42"), named("42")}},
		"a strong one that is no event's": {[][]attribute.KeyValue{{chat}, {strong("a"), attribute.String("http.request.method", "GET")}, {chat}}, []string{named("a"), "", named("a")}},
	} {
		var spans []convert.Span
		for n, attributes := range c.spans {
			spans = append(spans, span(byte(n+1), byte(n), name, attributes...))
		}
		for n, order := range permutations(spans) {
			k := new(recorder)
			send(t, New(k), order...)
			s := k.state(t)
			shown := make(map[string]bool)
			for span, want := range c.want {
				if want != "" {
					shown[want] = true
				}
				if got, _ := event(s, byte(span+1)); got != want {
					t.Errorf("%s, order %d: span %d is of %s, want %s", name, n, span+1, got, want)
				}
			}
			if len(s.Sessions) != len(shown) {
				t.Errorf("%s, order %d: %d sessions, want %d", name, n, len(s.Sessions), len(shown))
			}
		}
	}
}

// TestTwoServices gives one session of what two services name by the same text, under
// the project of the topmost.
func TestTwoServices(t *testing.T) {
	for _, key := range []string{"session.id", "gen_ai.conversation.id"} {
		root, below := span(1, 0, "gateway", chat, attribute.String(key, "thread-8")), span(2, 1, "rag", chat, attribute.String(key, "thread-8"))
		root.Project, below.Project = "z-gateway", "a-rag"
		below.Start = root.Start.Add(-time.Second) // by a clock that is behind
		for n, order := range permutations([]convert.Span{root, below}) {
			k := new(recorder)
			send(t, New(k), order...)
			s := k.state(t)
			one := s.Sessions[honeyhive.SessionID("z-gateway", "thread-8")]
			if len(s.Sessions) != 1 || one == nil || one.Project != "z-gateway" || one.Name != "thread-8" || len(one.Parents) != 2 {
				t.Errorf("%s, order %d: %v", key, n, s.Sessions)
			}
		}
	}
}

// TestConversation is a session over several traces, named by a text.
func TestConversation(t *testing.T) {
	k := new(recorder)
	conversation := attribute.String("gen_ai.conversation.id", "thread-7")
	first := []convert.Span{span(1, 0, "invoke_agent", chat, conversation), span(2, 1, "execute_tool", attribute.String("gen_ai.operation.name", "execute_tool"))}
	second := span(3, 0, "invoke_agent", chat, conversation)
	second.TraceID = [16]byte{2}
	send(t, New(k), first, []convert.Span{second})
	s := k.state(t)
	one := s.Sessions[honeyhive.SessionID("", "thread-7")]
	if len(s.Sessions) != 1 || one == nil || len(one.Parents) != 3 || one.Name != "thread-7" || one.Start != start || one.End != start+3000 {
		t.Fatalf("%v", s.Sessions)
	}
}

// TestHoneyHiveSessions are ended by whoever started them, and made only where
// the span says so.
func TestHoneyHiveSessions(t *testing.T) {
	const session = "caf77ace-3417-4da4-944d-f4a0688f3c23"
	own := attribute.String("honeyhive.session_id", session)
	for name, c := range map[string]struct {
		more []attribute.KeyValue
		want store.Status
	}{
		"made":   {[]attribute.KeyValue{attribute.Bool("honeyhive.session_auto_create", true), attribute.String("honeyhive.session_name", "n"), attribute.String("honeyhive.project", "p")}, store.StatusRunning},
		"orphan": {nil, store.StatusOrphan},
		"denied": {[]attribute.KeyValue{attribute.Bool("honeyhive.session_auto_create", false)}, store.StatusOrphan},
	} {
		k := new(recorder)
		send(t, New(k), []convert.Span{span(1, 0, "GET /"), span(2, 1, "step", append(c.more, own, attribute.String("honeyhive_event_type", "chain"))...)})
		s := k.state(t)
		if len(s.Sessions) != 1 {
			t.Fatalf("%s: %v", name, s.Sessions)
		}
		if got, parent := event(s, 2); got != session || parent != session {
			t.Errorf("%s: in %s under %s", name, got, parent)
		}
		id, _ := honeyhive.ParseUUID(session)
		if one := s.Sessions[id]; one.Status != c.want || name == "made" && (one.Name != "n" || one.Project != "p") {
			t.Errorf("%s: %+v", name, one)
		}
	}
}

// TestSessionRoot is a session by its span; what hangs on the span, or names no
// session in its trace, is of that.
func TestSessionRoot(t *testing.T) {
	const session = "caf77ace-3417-4da4-944d-f4a0688f3c23"
	own := attribute.String("honeyhive.session_id", session)
	root := span(2, 1, "answer", own, attribute.String("honeyhive_event_type", "session"), attribute.String("honeyhive_inputs", `{"question":"Why?"}`))
	for n, order := range permutations([]convert.Span{span(1, 0, "POST /"), root, span(3, 2, "chat", chat, own), span(4, 2, "chat", chat)}) {
		k := new(recorder)
		send(t, New(k), order...)
		state := k.state(t)
		id, _ := honeyhive.ParseUUID(session)
		s := state.Sessions[id]
		if len(state.Sessions) != 1 || s == nil || s.Question != "Why?" || s.End != start+2000 || s.Name != "answer" {
			t.Errorf("order %d: %+v", n, s)
		}
		for _, span := range []byte{3, 4} {
			if got, parent := event(state, span); got != session || parent != session {
				t.Errorf("order %d: event %d in %s under %s", n, span, got, parent)
			}
		}
	}
}

// TestRefused keeps what the store takes.
func TestRefused(t *testing.T) {
	k := new(recorder)
	k.refuse = func(w store.Write) error {
		if w.Event != nil && w.Event.EventName.Or("") == "bad" {
			return errors.New("no")
		}
		return nil
	}
	r := send(t, New(k), []convert.Span{span(1, 0, "good", chat), span(2, 1, "bad", chat), span(3, 1, "plain")})
	if s := k.state(t).Sessions[TraceSession([16]byte{1})]; r[0] != (Result{Taken: 1, LeftOut: 1, Rejected: 1, Problem: "no"}) || len(s.Parents) != 1 {
		t.Errorf("%+v", r)
	}
	k.err = errors.New("disk full")
	if _, err := New(k).Spans(t.Context(), walk([]convert.Span{span(1, 0, "good", chat)})); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Error(err)
	}
}

// TestCircles end.
func TestCircles(t *testing.T) {
	k := new(recorder)
	send(t, New(k), []convert.Span{span(1, 2, "plain"), span(2, 1, "plain"), span(3, 1, "chat", chat), span(4, 4, "chat", chat)})
	if s := k.state(t).Sessions[TraceSession([16]byte{1})]; s == nil || len(s.Parents) != 2 {
		t.Error(s)
	}
}

// TestAnyOrder sends the spans of traces of any kind in two orders, cut into requests
// at random and repeated, to two servers of which one is restarted: they come to the
// same. The second is a store, which comes to what the reference does.
func TestAnyOrder(t *testing.T) {
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		kept, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), fmt.Sprint(run)))
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = kept.Close() }()
		spans := drawSpans(rt)
		var states [2]*storetest.State
		var last *recorder
		for n := range states {
			k := new(recorder)
			if n == 1 {
				k.Store = kept
			}
			i := New(k)
			order := rapid.Permutation(append(slices.Clone(spans), rapid.SliceOfN(rapid.SampledFrom(spans), 0, 3).Draw(rt, "again")...)).Draw(rt, "order")
			for len(order) > 0 {
				n := rapid.IntRange(1, len(order)).Draw(rt, "request")
				if _, err := i.Spans(t.Context(), walk(order[:n])); err != nil {
					rt.Fatal(err)
				}
				if order = order[n:]; rapid.Bool().Draw(rt, "restart") {
					i = New(k)
				}
			}
			states[n], last = k.state(rt), k
		}
		if diff := cmp.Diff(states[0], states[1], cmpopts.EquateNaNs()); diff != "" {
			rt.Errorf("two orders (-one +other):\n%s", diff)
		}
		storetest.Check(rt, kept, last.writes)
	})
}

func drawSpans(rt *rapid.T) []convert.Span {
	run := rapid.IntRange(0, 99).Draw(rt, "ids") // their order decides between what is alike
	var spans []convert.Span
	for trace := range rapid.IntRange(1, 2).Draw(rt, "traces") {
		for n := range rapid.IntRange(1, 7).Draw(rt, "spans") {
			s := span(byte(n+1), byte(rapid.IntRange(0, 8).Draw(rt, "parent")), fmt.Sprint("span ", n))
			s.Kind = convert.Server
			binary.BigEndian.PutUint32(s.TraceID[8:], uint32(run))
			s.TraceID[1] = byte(trace)
			s.Start = s.Start.Add(time.Duration(rapid.IntRange(0, 2).Draw(rt, "start")) * time.Second)
			s.Project = rapid.SampledFrom([]string{"p", "q"}).Draw(rt, "project")
			switch rapid.IntRange(0, 4).Draw(rt, "kind") {
			case 0:
			case 1:
				s.Attributes = append(s.Attributes, attribute.String("openinference.span.kind", "AGENT"), attribute.Int("llm.token_count.prompt", rapid.IntRange(0, 9).Draw(rt, "tokens")),
					attribute.String("input.value", fmt.Sprint("q", n)), attribute.String("user.id", fmt.Sprint("u", n)))
			case 2:
				s.Attributes = append(s.Attributes, attribute.String("honeyhive_event_type", "session"), attribute.String("session.id", fmt.Sprint("root ", run, " ", trace, " ", n)))
				spans = append(spans, s) // of two records of one session that differ the one wins that was received last
				continue
			default:
				s.Attributes = append(s.Attributes, chat, attribute.String("gen_ai.request.model", fmt.Sprint("model ", run)), attribute.Int("gen_ai.usage.input_tokens", rapid.IntRange(0, 9).Draw(rt, "tokens")))
			}
			switch rapid.IntRange(0, 6).Draw(rt, "name") {
			case 0:
				s.Attributes = append(s.Attributes, attribute.String("session.id", fmt.Sprint("strong ", run, rapid.IntRange(0, 1).Draw(rt, "which"))))
			case 1:
				s.Attributes = append(s.Attributes, attribute.String("gen_ai.conversation.id", fmt.Sprint("weak ", run, rapid.IntRange(0, 1).Draw(rt, "which"))))
			case 2:
				s.Attributes = append(s.Attributes, attribute.String("honeyhive.session_id", honeyhive.SessionID("own", fmt.Sprint(run)).String()))
			}
			spans = append(spans, s)
		}
	}
	return spans
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

func (*counter) Speaks(context.Context, honeyhive.UUID) (bool, error) { return false, nil }

func (*counter) Steps(context.Context) iter.Seq2[store.Edge, error] {
	return func(func(store.Edge, error) bool) {}
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
