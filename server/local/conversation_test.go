package local

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// serviceEnv tells a process of this test that it is a service, and where it delivers to.
const serviceEnv = "SESSIONSPAN_TEST_SERVICE"

const (
	conversationTurns = 20
	killedTurn        = 8
)

func question(n int) string { return fmt.Sprintf("question number %d?", n) }
func reply(n int) string    { return fmt.Sprintf("answer number %d.", n) }

// service answers messages of a conversation, of which it knows the id alone, until it
// is told to end or killed.
func service(where string) {
	targets := strings.Fields(where) // by HTTP, by OTLP, the server of another, the spool
	hive, err := exporter.NewHTTP(exporter.HTTPConfig{URL: targets[2]}, exporter.WithName("hive"), exporter.WithSpool(targets[3]))
	if err == nil {
		var tracer *sessionspan.Tracer
		tracer, err = sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithSource("s"), sessionspan.WithSpool(targets[3]),
			sessionspan.WithHTTP(exporter.HTTPConfig{URL: targets[0]}), sessionspan.WithOTLP(exporter.OTLPConfig{URL: targets[1] + "/v1/traces"}), sessionspan.WithDestination(hive))
		if err == nil {
			err = serve(tracer)
		}
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func serve(tracer *sessionspan.Tracer) error {
	sessionspan.SetDefault(tracer)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		verb, number, _ := strings.Cut(in.Text(), " ")
		n, _ := strconv.Atoi(number)
		switch verb {
		case "end":
			return tracer.Shutdown(ctx)
		case "answer":
			_, err := sessionspan.RunTurn(ctx, "conversation-1", "chat", map[string]any{"question": question(n)}, func(ctx context.Context, _ map[string]any) (map[string]any, error) {
				return map[string]any{"answer": ask(ctx, n)}, nil
			}, sessionspan.WithUserProperties(map[string]any{"user_id": "u-7"}))
			if err == nil {
				err = tracer.ForceFlush(ctx)
			}
			if err != nil {
				return err
			}
		case "hang":
			ctx, _ := sessionspan.StartTurn(ctx, "conversation-1", "chat", sessionspan.WithInputs(map[string]any{"question": question(n)}))
			ask(ctx, n)
			for _, s := range tracer.Stats() {
				// What has begun is written before what ended in it, and that before it is
				// delivered; an announcement that is delivered need not be.
				for s.Spooled < s.Created && s.Waiting > 0 {
					time.Sleep(time.Millisecond)
					i := slices.IndexFunc(tracer.Stats(), func(other exporter.Stats) bool { return other.Destination == s.Destination })
					s = tracer.Stats()[i]
				}
			}
		}
		fmt.Println(in.Text())
	}
	return nil
}

// ask calls a model.
func ask(ctx context.Context, n int) string {
	_, call := sessionspan.StartEvent(ctx, sessionspan.Model, "model", sessionspan.WithModel("acme", "m-1"),
		sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: question(n)}))
	defer call.End()
	call.SetReply(sessionspan.Message{Role: "assistant", Content: reply(n)})
	call.SetUsage(sessionspan.Usage{InputTokens: 100, OutputTokens: int64(n)})
	return reply(n)
}

// running is a service in a process of its own.
type running struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startService(t *testing.T, where ...string) *running {
	t.Helper()
	r := &running{t: t, cmd: exec.Command(os.Args[0])}
	r.cmd.Env = append(os.Environ(), serviceEnv+"="+strings.Join(where, " "))
	r.cmd.Stderr = os.Stderr
	var err error
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.out = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			_ = r.cmd.Process.Kill()
			_ = r.cmd.Wait()
		}
	})
	return r
}

// do tells the service what to do, and waits until it has.
func (r *running) do(what string) {
	r.t.Helper()
	if _, err := io.WriteString(r.in, what+"\n"); err != nil {
		r.t.Fatal(err)
	}
	if line, err := r.out.ReadString('\n'); strings.TrimSpace(line) != what {
		r.t.Fatalf("%s: the service says %q, %v", what, line, err)
	}
}

func (r *running) end() {
	r.t.Helper()
	_, _ = io.WriteString(r.in, "end\n")
	rest, _ := io.ReadAll(r.out)
	if err := r.cmd.Wait(); err != nil {
		r.t.Fatalf("the service ends with %v: %s", err, rest)
	}
}

// hive is a server that behaves as the contract of the HTTP API says, where that makes a
// difference to a conversation.
type hive struct {
	*httptest.Server
	t        *testing.T
	mu       sync.Mutex
	sessions map[string]*honeyhive.SessionStartRequest
	events   map[string]honeyhive.Event
	puts     []string
}

func newHive(t *testing.T) *hive {
	h := &hive{t: t, sessions: make(map[string]*honeyhive.SessionStartRequest), events: make(map[string]honeyhive.Event)}
	h.Server = httptest.NewServer(h)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return h
}

// declared are the fields that POST /v1/sessions declares.
var declared = []string{
	"session_name", "source", "session_id", "children_ids", "config", "inputs", "outputs", "duration", "user_properties", "metadata", "start_time", "end_time",
}

func (h *hive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its client was killed
	}
	read := func(v any) bool {
		if err := json.Unmarshal(body, v); err != nil {
			h.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
			return false
		}
		return true
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/sessions":
		var fields map[string]json.RawMessage
		s := new(honeyhive.SessionStartRequest)
		if !read(&fields) || !read(s) {
			return
		}
		for field := range fields {
			if !slices.Contains(declared, field) {
				h.t.Errorf("POST /v1/sessions with %s", field)
			}
		}
		if old := h.sessions[s.SessionID.Or("")]; old != nil { // idempotent
			old.Metadata, old.UserProperties = old.Metadata.Merge(s.Metadata), old.UserProperties.Merge(s.UserProperties)
		} else {
			h.sessions[s.SessionID.Or("")] = s
		}
	case "POST /events/batch":
		var batch struct{ Events []honeyhive.Event }
		if !read(&batch) {
			return
		}
		for _, e := range batch.Events {
			if h.sessions[e.SessionID.Or("")] == nil {
				h.t.Errorf("event %s comes before its session", e.EventName.Or(""))
			}
			h.events[e.EventID.Or("")] = e
		}
	case "PUT /events":
		var u honeyhive.Update
		var fields map[string]json.RawMessage
		if !read(&u) || !read(&fields) {
			return
		}
		s := h.sessions[u.EventID.Or("")]
		if s == nil || len(fields) != 3 || fields["end_time"] == nil || fields["outputs"] == nil {
			h.t.Errorf("PUT /events with %s", body)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.Outputs, s.EndTime = s.Outputs.Merge(u.Outputs), u.EndTime
		h.puts = append(h.puts, u.Outputs.String())
	default:
		h.t.Errorf("%s %s is no route of a conversation", r.Method, r.URL.Path)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, `{"success":true}`)
}

// TestConversation has a conversation of 20 turns answered by three services that know
// nothing of each other, one of which is killed in the middle of a turn.
func TestConversation(t *testing.T) {
	byHTTP, byOTLP, api := start(t), start(t), newHive(t)
	var services [3]*running
	spools := make([]string, len(services))
	for i := range services {
		spools[i] = filepath.Join(t.TempDir(), "spool"+strconv.Itoa(i))
	}
	launch := func(i int) *running { return startService(t, byHTTP.URL(), byOTLP.URL(), api.URL, spools[i]) }
	for i := range services {
		services[i] = launch(i)
	}
	for n := 1; n <= conversationTurns; n++ {
		i := n * 7 % 3
		if n == killedTurn {
			services[i].do(fmt.Sprint("hang ", n))
			if err := services[i].cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = services[i].cmd.Wait()
			services[i] = launch(i)
			continue
		}
		services[i].do(fmt.Sprint("answer ", n))
	}
	for _, s := range services {
		s.end()
	}
	id := honeyhive.SessionID("p", "conversation-1")
	checkConversation(t, "HTTP", byHTTP, id, true)
	checkConversation(t, "OTLP", byOTLP, id, false)
	api.check(id)
}

// checkConversation looks at the row, the API and the page of a server. Of the turn that
// was cut off, what is not a session by the HTTP API gets what had ended in it.
func checkConversation(t *testing.T, way string, s *Server, id honeyhive.UUID, cutOff bool) {
	t.Helper()
	if err := s.store.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := s.store.Session(t.Context(), id)
	if err != nil {
		t.Fatalf("%s: %v", way, err)
	}
	turns, sum := conversationTurns, int64(0)
	if !cutOff {
		turns--
	}
	for n := 1; n <= conversationTurns; n++ {
		sum += int64(n)
	}
	children, _ := got.Payload.ChildrenIDs.Get()
	if diff := cmp.Diff([]any{question(1), reply(20), store.StatusOK, int64(2000), sum, int64(20), turns, "u-7", "chat"},
		[]any{got.Question, got.Answer, got.Status, got.TokensIn.Or(0), got.TokensOut.Or(0), got.Calls, len(children), got.User, got.Name}); diff != "" {
		t.Errorf("%s (- want, + got): %s", way, diff)
	}

	// The API, as a tree.
	_, text := send(t, http.MethodGet, s.URL()+"/v1/sessions/"+id.String(), "", nil)
	var root struct {
		Inputs, Outputs map[string]any
		Children        []struct {
			EventID  string `json:"event_id"`
			Inputs   map[string]any
			Outputs  map[string]any
			Metadata map[string]any
			Start    float64  `json:"start_time"`
			End      *float64 `json:"end_time"`
			Children []struct {
				Outputs  map[string]any
				Metadata map[string]any
			}
		}
	}
	var answer struct{ Request json.RawMessage }
	if json.Unmarshal([]byte(text), &answer) == nil && answer.Request != nil {
		text = string(answer.Request)
	}
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		t.Fatalf("%s: %v: %.500s", way, err, text)
	}
	if root.Inputs["question"] != question(1) || root.Outputs["answer"] != reply(20) {
		t.Errorf("%s: the session holds %v and %v", way, root.Inputs, root.Outputs)
	}
	var first, last float64
	n := 0
	for _, turn := range root.Children {
		if n++; n == killedTurn && !cutOff {
			n++
		}
		if turn.Metadata["event_kind"] != "turn" {
			n-- // what ended in the turn that was cut off hangs on the session
			if cutOff {
				t.Errorf("%s: %v stands among the turns", way, turn)
			}
			continue
		}
		if first == 0 {
			first = turn.Start
		}
		incomplete := turn.Metadata["incomplete"] == true
		if turn.Inputs["question"] != question(n) || incomplete != (n == killedTurn) || incomplete != (turn.End == nil) || !incomplete && turn.Outputs["answer"] != reply(n) {
			t.Errorf("%s: turn %d is %v", way, n, turn)
		}
		if turn.End != nil {
			last = *turn.End
		}
		if len(turn.Children) != 1 || turn.Children[0].Outputs["content"] != reply(n) || turn.Children[0].Metadata["completion_tokens"] != float64(n) {
			t.Errorf("%s: below turn %d is %v", way, n, turn.Children)
		}
	}
	if n != conversationTurns || got.Start.Or(0) != first || got.End.Or(0) != last || got.Duration.Or(0) != last-first {
		t.Errorf("%s: %d turns from %v to %v, the session is from %v to %v and takes %v", way, n, first, last, got.Start, got.End, got.Duration)
	}

	// The page, as a thread.
	var page strings.Builder
	for _, from := range []string{"0", "50"} {
		_, part := send(t, http.MethodGet, s.URL()+"/s/"+id.String()+"?from="+from, "", nil)
		page.WriteString(part)
	}
	for n := 1; n <= conversationTurns; n++ {
		for _, want := range []string{question(n), reply(n)} {
			if !strings.Contains(page.String(), want) {
				t.Errorf("%s: the page does not show %q", way, want)
			}
		}
	}
	if marks := strings.Count(page.String(), `<span class="tag">incomplete</span>`); cutOff != (marks > 0) || marks > 2 {
		t.Errorf("%s: the page marks %d turns as incomplete", way, marks)
	}
	_, list := send(t, http.MethodGet, s.URL()+"/", "", nil)
	if !strings.Contains(list, question(1)) || !strings.Contains(list, reply(20)) {
		t.Errorf("%s: the list does not show the first question and the last answer", way)
	}
}

// check looks at what the server of another came to have.
func (h *hive) check(id honeyhive.UUID) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sessions[id.String()]
	if len(h.sessions) != 1 || s == nil {
		h.t.Fatalf("there are %d sessions", len(h.sessions))
	}
	if s.Inputs.String() != `{"question":"`+question(1)+`"}` || s.Outputs.String() != `{"answer":"`+reply(20)+`"}` || !s.Duration.IsZero() || s.Metadata.Has("prompt_tokens") {
		h.t.Errorf("the session is %s", s.AppendJSON(nil))
	}
	turns, calls, end := 0, 0, 0.0
	for _, e := range h.events {
		kind, _ := e.Metadata.Get("event_kind")
		if string(kind) != `"turn"` {
			calls++
			if h.events[e.ParentID.Or("")].EventID.IsZero() {
				h.t.Errorf("the turn above %s is missing", e.AppendJSON(nil))
			}
			continue
		}
		turns++
		end = max(end, e.EndTime.Or(0))
		incomplete, _ := e.Metadata.Get("incomplete")
		if isKilled := e.Inputs.String() == `{"question":"`+question(killedTurn)+`"}`; isKilled != (string(incomplete) == "true") || isKilled != e.EndTime.IsZero() || e.ParentID.Or("") != id.String() {
			h.t.Errorf("the turn is %s", e.AppendJSON(nil))
		}
	}
	if turns != conversationTurns || calls != conversationTurns || s.EndTime.Or(0) != end {
		h.t.Errorf("%d turns and %d calls, the end is %v of %v", turns, calls, s.EndTime, end)
	}
	var want []string
	for n := 1; n <= conversationTurns; n++ {
		if n != killedTurn {
			want = append(want, `{"answer":"`+reply(n)+`"}`)
		}
	}
	if diff := cmp.Diff(want, h.puts); diff != "" {
		h.t.Errorf("puts (- want, + got): %s", diff)
	}
}
