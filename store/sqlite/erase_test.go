package sqlite

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// erasure is a store with secrets in each place that it keeps anything in.
type erasure struct {
	*testing.T
	s     *Store
	dir   string
	words map[string]string
}

func newErasure(t *testing.T) *erasure {
	t.Helper()
	e := &erasure{T: t, dir: t.TempDir(), words: make(map[string]string)}
	e.s = openIn(t, e.dir).(*Store)
	t.Cleanup(func() { _ = e.s.Close() })
	return e
}

func eraseID(parts ...any) honeyhive.UUID { return honeyhive.SessionID("erase", fmt.Sprint(parts...)) }

func some(id honeyhive.UUID) honeyhive.Optional[string] { return honeyhive.Some(id.String()) }

// object makes an object with a secret, whose name says what it is of.
func (e *erasure) object(key, what string, more int) honeyhive.Object {
	e.Helper()
	e.words[what] = secret()
	o, err := honeyhive.ObjectOf(map[string]any{key: strings.Repeat("much ", more) + e.words[what] + strings.Repeat(" more", more)})
	if err != nil {
		e.Fatal(err)
	}
	return o
}

// session returns the writes of a session of a user: its record, events, large and small, a
// trace that is part of it, with a step, updates.
func (e *erasure) session(user string, n int) []store.Write {
	e.Helper()
	what := func(part string) string { return fmt.Sprint(user, n, part) }
	id, trace := eraseID(user, n), eraseID(user, n, "trace")
	large := 0
	if n == 0 {
		large = 300_000 // a text of several parts
	}
	e.words[what("user")] = user
	event := func(i any, session honeyhive.UUID, inputs honeyhive.Object) *honeyhive.Event {
		return &honeyhive.Event{EventID: some(eraseID(user, n, "event", i)), SessionID: some(session), EventType: honeyhive.Some(honeyhive.TypeModel), Inputs: inputs, Duration: honeyhive.Some(1.0)}
	}
	who, err := honeyhive.ObjectOf(map[string]any{"user_id": user})
	if err != nil {
		e.Fatal(err)
	}
	writes := []store.Write{
		{Session: &honeyhive.SessionStartRequest{SessionID: some(id), Project: honeyhive.Some("p"), Inputs: e.object("q", what("question"), 0), UserProperties: who, Metadata: e.object("run_id", what("run"), 0)}},
		{Update: &honeyhive.Update{EventID: some(id), Feedback: e.object("comment", what("comment"), 0)}},
		{Event: event("small", id, e.object("text", what("small"), 10))},
		{Event: event("large", id, e.object("text", what("large"), large))},
		{Update: &honeyhive.Update{EventID: some(eraseID(user, n, "event", "small")), Outputs: e.object("text", what("update"), 0)}},
		{Join: &store.Join{From: trace, To: id, Trace: trace, Text: "text", Span: eraseID(user, n, "span")}},
		{Edge: &store.Edge{Span: eraseID(user, n, "span"), Trace: trace, Step: event("step", trace, e.object("text", what("step"), 0))}},
		{Event: event("joined", trace, e.object("text", what("joined"), 0)), Trace: trace},
	}
	for i := range writes {
		writes[i].At = benchStart.Add(1)
	}
	return writes
}

func (e *erasure) erase(s store.Subject) store.Erased {
	e.Helper()
	done, err := e.s.Erase(e.Context(), s)
	if err != nil {
		e.Fatal(err)
	}
	return done
}

// left returns the secrets of a user that are in the files.
func (e *erasure) left(user string) []string {
	e.Helper()
	words := make(map[string]string)
	for what, word := range e.words {
		if strings.HasPrefix(what, user) {
			words[what] = word
		}
	}
	return found(e.T, e.dir, words)
}

// TestEraseUser leaves nothing of a user in the bytes of the files, all of another one,
// and takes nothing again of what was erased, in whatever order it comes, also after a
// restart.
func TestEraseUser(t *testing.T) {
	e := newErasure(t)
	ann, bob := secret(), secret()
	var anns, bobs []store.Write
	for n := range 3 {
		for _, w := range e.session(ann, n) {
			holdWrite(t, e.s, w)
			anns = append(anns, w)
		}
		holdWrite(t, e.s, e.session(bob, n)...)
	}
	waiting, err := honeyhive.ObjectOf(map[string]any{"user_id": ann})
	if err != nil {
		t.Fatal(err)
	}
	holdWrite(t, e.s, store.Write{Update: &honeyhive.Update{EventID: some(eraseID("nobody")), UserProperties: waiting}})
	if err := e.s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{ann, bob} {
		if n := len(e.left(user)); n < 3*9 {
			t.Fatalf("only %d secrets are in the files: nothing was tested", n)
		}
	}
	total := func() store.Summary {
		t.Helper()
		list, err := e.s.Aggregate(t.Context(), store.Filter{}, store.Grouping{})
		if err != nil || len(list) != 1 {
			t.Fatalf("%v %v", list, err)
		}
		return list[0].Total
	}
	if done := e.erase(store.Subject{User: ann, Project: "other"}); done != (store.Erased{}) {
		t.Errorf("of another project: %+v", done)
	}
	if done, want := e.erase(store.Subject{User: ann, Project: "p"}), (store.Erased{Sessions: 3, Events: 9}); done != want {
		t.Errorf("%+v, want %+v", done, want)
	}
	if done, want := e.erase(store.Subject{User: ann}), (store.Erased{Updates: 1}); done != want {
		t.Errorf("the rest: %+v, want %+v", done, want)
	}
	check := func(when string) {
		t.Helper()
		if left := e.left(ann); left != nil {
			t.Errorf("%s: %d secrets are left: %v", when, len(left), left)
		}
		if n := len(e.left(bob)); n < 3*9 {
			t.Errorf("%s: of another user %d secrets are left", when, n)
		}
		if sum := total(); sum.Count != 3 || sum.Events != 9 {
			t.Errorf("%s: %d sessions with %d events", when, sum.Count, sum.Events)
		}
		page, err := e.s.Sessions(t.Context(), store.SessionQuery{Filter: store.Filter{User: ann}})
		if err != nil || len(page.Sessions) != 0 {
			t.Errorf("%s: %d sessions, %v", when, len(page.Sessions), err)
		}
	}
	check("erased")
	// What comes late, or again, is answered as if it were stored.
	for i := range anns {
		w := anns[len(anns)-1-i]
		w.At = benchStart.Add(5)
		holdWrite(t, e.s, w)
	}
	if err := e.s.Scrub(t.Context()); err != nil { // the log, and texts that nobody took
		t.Fatal(err)
	}
	check("late")
	if err := e.s.Close(); err != nil {
		t.Fatal(err)
	}
	e.s = openIn(t, e.dir).(*Store)
	holdWrite(t, e.s, anns...)
	holdWrite(t, e.s, bobs...)
	if err := e.s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after a restart")
	checkTables(t, e.s)
	// Another session of the user is one like any other.
	holdWrite(t, e.s, e.session(ann, 7)...)
	if sum := total(); sum.Count != 4 {
		t.Errorf("a new session of the user: %d", sum.Count)
	}
	if done := e.erase(store.Subject{Session: eraseID(ann, 7, "trace")}); done.Sessions != 1 || done.Events != 3 {
		t.Errorf("by the id of a part: %+v", done)
	}
	check("by a session")
}

// TestEraseWhileItComes erases a user whose sessions are being written: what is left is
// nothing, or a session that began later.
func TestEraseWhileItComes(t *testing.T) {
	e := newErasure(t)
	ann := secret()
	writes := make([][]store.Write, 8)
	for n := range writes {
		writes[n] = e.session(ann, n+1)
	}
	var group sync.WaitGroup
	started := make(chan struct{}, len(writes))
	for n := range writes {
		group.Go(func() {
			for range 3 {
				for _, w := range writes[n] {
					if err := e.s.Write(t.Context(), []store.Write{w}); err != nil {
						t.Error(err)
					}
				}
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	<-started
	e.erase(store.Subject{User: ann})
	group.Wait()
	e.erase(store.Subject{User: ann})
	for n := range writes { // what came first may have been an event, of a session that had no user yet
		for _, id := range []honeyhive.UUID{eraseID(ann, n+1), eraseID(ann, n+1, "trace")} {
			if err := e.s.eraseSession(t.Context(), id, new(store.Erased)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := e.s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := e.left(ann); left != nil {
		t.Errorf("%d secrets are left: %v", len(left), left)
	}
}

// TestEraseErrors asks for nothing, for both, and of a store that is closed.
func TestEraseErrors(t *testing.T) {
	e := newErasure(t)
	for _, s := range []store.Subject{{}, {User: "a", Session: eraseID("a")}, {Project: "p"}} {
		if _, err := e.s.Erase(t.Context(), s); err == nil {
			t.Errorf("%+v", s)
		}
	}
	if done := e.erase(store.Subject{User: "nobody"}); done != (store.Erased{}) {
		t.Errorf("%+v", done)
	}
	if done := e.erase(store.Subject{Session: eraseID("none")}); done != (store.Erased{}) {
		t.Errorf("%+v", done)
	}
	_ = e.s.Close()
	if _, err := e.s.Erase(t.Context(), store.Subject{User: "a"}); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
}
