// Package sessiontest tests code that records sessions, in the manner of
// net/http/httptest: a tracer whose sessions stay in memory, and ways to look at
// them as a server would see them.
//
//	p := sessiontest.New(t)
//	ctx := p.Context(t.Context())
//	answer(ctx, "What is in the context?") // starts a session
//	s := p.Session("answer")
//	s.AssertTree(`
//		session answer
//		  tool retrieve
//		  model generate
//	`)
//	s.Event("retrieve").AssertOutputs(`{"documents": [{"id": "a", "score": 1}]}`)
//
// Spans go the whole way: through the tracer, the conversion and the queue, into
// JSON and out of it. What the library reports in the background, such as an option
// that a function cannot use, fails the test unless it expects that: see
// [Pipeline.ExpectReport]. A [Pipeline] is safe for concurrent use, and pipelines do
// not touch each other, so tests can run in parallel.
package sessiontest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// patience bounds how long a test waits for the pipeline.
const patience = 30 * time.Second

// A Pipeline records sessions in memory.
type Pipeline struct {
	// Tracer records into the pipeline. Give it to the code under test, or use
	// [Pipeline.Context].
	Tracer *sessionspan.Tracer

	t     testing.TB
	lines *exporter.Exporter

	mu       sync.Mutex
	out      bytes.Buffer
	reports  []error
	seen     int      // how many of them the test has read
	expected []string // texts of reports that the test expects
}

// New returns a pipeline that ends with the test. It ignores the environment.
// The project is "test" and the source "test" unless options say otherwise;
// options may add destinations. The test fails at its end for what the library
// reported and the test neither expected nor read; an error handler among the
// options takes the reports of the tracer instead.
func New(t testing.TB, options ...sessionspan.Option) *Pipeline {
	t.Helper()
	p := &Pipeline{t: t}
	lines, err := exporter.NewLines(writer{p}, exporter.WithName("sessiontest"), exporter.WithErrorHandler(p.report),
		exporter.WithLimits(exporter.Limits{QueueBytes: 1 << 30, BatchWait: time.Millisecond, AnnounceAfter: 24 * time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	p.lines = lines
	defaults := []sessionspan.Option{
		sessionspan.WithoutEnvironment(), sessionspan.WithProject("test"), sessionspan.WithSource("test"),
		sessionspan.WithErrorHandler(p.report), sessionspan.WithDestination(lines),
	}
	p.Tracer, err = sessionspan.New(append(defaults, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Tracer.Shutdown(ctx); err != nil {
			t.Errorf("sessiontest: %v", err)
		}
		p.checkReports()
	})
	return p
}

// writer takes the lines of the exporter.
type writer struct{ p *Pipeline }

func (w writer) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.p.out.Write(b)
}

func (p *Pipeline) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports = append(p.reports, err)
}

// Reports returns the errors that the library reported in the background so far.
// The test has read them then, and does not fail for them.
func (p *Pipeline) Reports() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = len(p.reports)
	return slices.Clone(p.reports)
}

// ExpectReport lets the library report errors whose text contains text, before or
// after the call. The test fails at its end if there was none.
func (p *Pipeline) ExpectReport(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, text)
}

// checkReports fails the test for reports that it did not expect, and for those
// that it expected and that did not come.
func (p *Pipeline) checkReports() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	came := make([]bool, len(p.expected))
	for i, err := range p.reports {
		known := i < p.seen
		for j, text := range p.expected {
			if strings.Contains(err.Error(), text) {
				known, came[j] = true, true
			}
		}
		if !known {
			p.t.Errorf("sessiontest: the library reported, which the test did not expect: %v", err)
		}
	}
	for j, text := range p.expected {
		if !came[j] {
			p.t.Errorf("sessiontest: the library reported nothing that contains %q; it reported %q", text, p.reports)
		}
	}
}

// Flush announces the sessions that run, as [sessionspan.Tracer.ForceFlush]
// does, so that [Pipeline.Sessions] shows them with what they hold by now.
func (p *Pipeline) Flush() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Tracer.ForceFlush(ctx); err != nil {
		p.t.Fatalf("sessiontest: %v", err)
	}
}

// Sessions returns the sessions that have ended, in the order in which they
// started, with the updates that came after applied to them. A conversation, whose
// turns were started by [sessionspan.StartTurn], is a session as soon as one of them has
// ended, with the start and the inputs of the first, the outputs of the last that has
// some, and the error of the last. Events whose
// session was not recorded here, because it runs still or belongs to another
// process, are found by [Pipeline.Orphans].
func (p *Pipeline) Sessions() []*Session {
	p.t.Helper()
	sessions, _ := p.read()
	return sessions
}

// Orphans returns the events whose session was started elsewhere.
func (p *Pipeline) Orphans() []*Event {
	p.t.Helper()
	_, orphans := p.read()
	return orphans
}

// Session returns the session with the name. It ends the test where there is
// none, or more than one.
func (p *Pipeline) Session(name string) *Session {
	p.t.Helper()
	var found []*Session
	var names []string
	for _, s := range p.Sessions() {
		names = append(names, s.SessionName.Or(""))
		if s.SessionName.Or("") == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		p.t.Fatalf("sessiontest: %d sessions named %q have ended; there are %q", len(found), name, names)
	}
	return found[0]
}

// read waits for what has ended and returns it.
func (p *Pipeline) read() (sessions []*Session, orphans []*Event) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.lines.ExportSpans(ctx, nil); err != nil { // waits, but announces nothing
		p.t.Fatalf("sessiontest: %v", err)
	}
	p.mu.Lock()
	data := bytes.Clone(p.out.Bytes())
	p.mu.Unlock()
	return p.parse(data)
}

func (p *Pipeline) parse(data []byte) (sessions []*Session, orphans []*Event) {
	byID := make(map[string]*Session)
	events := make(map[string]*Event)
	var order []*Event
	var late []func()
	for line := range bytes.Lines(data) {
		var l struct {
			Session *honeyhive.SessionStartRequest `json:"session"`
			Event   *honeyhive.Event               `json:"event"`
			Update  *honeyhive.Update              `json:"update"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			p.t.Fatalf("sessiontest: the library wrote %q: %v", line, err)
		}
		switch {
		case l.Session != nil:
			s := &Session{SessionStartRequest: *l.Session, t: p.t}
			if old := byID[l.Session.SessionID.Or("")]; old != nil {
				old.again(&s.SessionStartRequest)
				continue
			}
			byID[l.Session.SessionID.Or("")] = s
			sessions = append(sessions, s)
		case l.Event != nil:
			e := &Event{Event: *l.Event, t: p.t}
			events[l.Event.EventID.Or("")] = e
			order = append(order, e)
		case l.Update != nil:
			id := l.Update.EventID.Or("")
			if s := byID[id]; s != nil {
				s.update(l.Update)
				if l.Update.EndTime.IsZero() {
					late = append(late, func() { s.update(l.Update) }) // than any turn
				}
			} else if e := events[id]; e != nil {
				e.update(l.Update)
			}
		}
	}
	for _, e := range order {
		if s := byID[e.SessionID.Or("")]; s != nil && isTurn(e) {
			s.turn(e)
		}
	}
	for _, update := range late {
		update()
	}
	slices.SortStableFunc(sessions, func(a, b *Session) int { return cmp.Compare(a.StartTime.Or(0), b.StartTime.Or(0)) })
	return sessions, connect(byID, events, order)
}

// connect builds the trees by parent_id and returns the events without one.
func connect(sessions map[string]*Session, events map[string]*Event, order []*Event) (orphans []*Event) {
	for _, e := range order {
		parent := e.ParentID.Or("")
		switch above, s := events[parent], sessions[e.SessionID.Or("")]; {
		case above != nil && above != e:
			above.Children = append(above.Children, e)
		case s != nil:
			s.Events = append(s.Events, e)
		default:
			orphans = append(orphans, e)
		}
	}
	for _, e := range order {
		sortChildren(e.Children, e.ChildrenIDs.Or(nil))
	}
	for _, s := range sessions {
		sortChildren(s.Events, s.ChildrenIDs.Or(nil))
	}
	return orphans
}

// sortChildren puts events in the order of children_ids, others behind.
func sortChildren(events []*Event, ids []string) {
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	at := func(e *Event) int {
		if i, ok := place[e.EventID.Or("")]; ok {
			return i
		}
		return len(ids)
	}
	slices.SortStableFunc(events, func(a, b *Event) int {
		return cmp.Or(cmp.Compare(at(a), at(b)), cmp.Compare(a.StartTime.Or(0), b.StartTime.Or(0)))
	})
}

// Context returns a context whose package functions, such as
// [sessionspan.StartSession], use the pipeline's tracer.
func (p *Pipeline) Context(ctx context.Context) context.Context {
	return sessionspan.ContextWithTracer(ctx, p.Tracer)
}

// A Session is one that was recorded, as a server has it after all updates.
type Session struct {
	honeyhive.SessionStartRequest
	// Events are those directly under the session.
	Events []*Event

	t     testing.TB
	turns *turns // nil where there are none
}

// An Event is one that was recorded, as a server has it after all updates.
type Event struct {
	honeyhive.Event
	// Children are the events directly under this one.
	Children []*Event

	t testing.TB
}

func (s *Session) update(u *honeyhive.Update) {
	r := &s.SessionStartRequest
	r.Config, r.Outputs, r.Metadata = r.Config.Merge(u.Config), r.Outputs.Merge(u.Outputs), r.Metadata.Merge(u.Metadata)
	r.Metrics, r.Feedback = r.Metrics.Merge(u.Metrics), r.Feedback.Merge(u.Feedback)
	r.UserProperties = r.UserProperties.Merge(u.UserProperties)
	replace(&r.Duration, u.Duration)
	replace(&r.EndTime, u.EndTime)
	replace(&r.ChildrenIDs, u.ChildrenIDs)
}

func (e *Event) update(u *honeyhive.Update) {
	r := &e.Event
	r.Config, r.Outputs, r.Metadata = r.Config.Merge(u.Config), r.Outputs.Merge(u.Outputs), r.Metadata.Merge(u.Metadata)
	r.Metrics, r.Feedback = r.Metrics.Merge(u.Metrics), r.Feedback.Merge(u.Feedback)
	r.UserProperties = r.UserProperties.Merge(u.UserProperties)
	replace(&r.Duration, u.Duration)
	replace(&r.EndTime, u.EndTime)
	replace(&r.ChildrenIDs, u.ChildrenIDs)
}

func replace[T any](field *honeyhive.Optional[T], v honeyhive.Optional[T]) {
	if !v.IsZero() {
		*field = v
	}
}

// Event returns the event at the end of a path of names that starts under the
// session. It ends the test where there is none, or more than one.
func (s *Session) Event(path ...string) *Event {
	s.t.Helper()
	events := s.Events
	var found *Event
	for i, name := range path {
		var matches []*Event
		for _, e := range events {
			if e.EventName.Or("") == name {
				matches = append(matches, e)
			}
		}
		if len(matches) != 1 {
			s.t.Fatalf("sessiontest: %d events at %q in:\n%s", len(matches), path[:i+1], s.Tree())
		}
		found, events = matches[0], matches[0].Children
	}
	if found == nil {
		s.t.Fatal("sessiontest: Event needs the name of an event")
	}
	return found
}

// Tree returns the session and its events as indented lines, each with the type
// and the name, in the order in which they started.
func (s *Session) Tree() string {
	var b strings.Builder
	b.WriteString("session " + s.SessionName.Or("") + "\n")
	writeTree(&b, s.Events, 1)
	return b.String()
}

func writeTree(b *strings.Builder, events []*Event, depth int) {
	for _, e := range events {
		b.WriteString(strings.Repeat("  ", depth) + e.EventType.Or("") + " " + e.EventName.Or("") + "\n")
		writeTree(b, e.Children, depth+1)
	}
}

// AssertTree compares [Session.Tree] with want. Empty lines around want, and the
// indentation that all of its lines share, do not count.
func (s *Session) AssertTree(want string) {
	s.t.Helper()
	if got, want := s.Tree(), outdent(want); got != want {
		s.t.Errorf("sessiontest: the session is\n%swant\n%s", got, want)
	}
}

// outdent removes the indentation that all lines share.
func outdent(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			lines = append(lines, strings.ReplaceAll(strings.TrimRight(line, " \t\r\n"), "\t", "    "))
		}
	}
	shared := -1
	for _, l := range lines {
		if n := len(l) - len(strings.TrimLeft(l, " ")); shared < 0 || n < shared {
			shared = n
		}
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l[shared:] + "\n")
	}
	return b.String()
}

// AssertInputs compares the inputs of the session with JSON, whatever the order
// of keys.
func (s *Session) AssertInputs(want string) {
	s.t.Helper()
	assertJSON(s.t, "inputs", s.Inputs, want)
}

// AssertOutputs compares the outputs of the session with JSON, whatever the
// order of keys.
func (s *Session) AssertOutputs(want string) {
	s.t.Helper()
	assertJSON(s.t, "outputs", s.Outputs, want)
}

// AssertInputs compares the inputs of the event with JSON, whatever the order of
// keys.
func (e *Event) AssertInputs(want string) {
	e.t.Helper()
	assertJSON(e.t, "inputs", e.Inputs, want)
}

// AssertOutputs compares the outputs of the event with JSON, whatever the order
// of keys.
func (e *Event) AssertOutputs(want string) {
	e.t.Helper()
	assertJSON(e.t, "outputs", e.Outputs, want)
}

func assertJSON(t testing.TB, what string, got honeyhive.Object, want string) {
	t.Helper()
	a, b := normal(t, []byte(got.String())), normal(t, []byte(want))
	if a != b {
		t.Errorf("sessiontest: %s are\n%s\nwant\n%s", what, a, b)
	}
}

// normal returns JSON with sorted keys, indented, its numbers as they stand.
func normal(t testing.TB, data []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("sessiontest: %q is no JSON: %v", data, err)
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
