// Package storetest tests any [store.Store] for what the interface promises.
package storetest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// An Opener opens the store that a directory stands for, and makes it where
// there is none: a second call, after Close, opens the same one again. It ends
// the test where it cannot. The tests close what they open.
type Opener func(t testing.TB, dir string) store.Store

// Run tests the stores that open opens.
func Run(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"Merge":       testMerge,
		"Fidelity":    testFidelity,
		"Batch":       testBatch,
		"Orphans":     testOrphans,
		"Waiting":     testWaiting,
		"MovedEvent":  testMovedEvent,
		"AnyOrder":    testAnyOrder,
		"Concurrent":  testConcurrent,
		"SessionRow":  testSessionRow,
		"EventRow":    testEventRow,
		"Filters":     testFilters,
		"Pages":       testPages,
		"Aggregate":   testAggregate,
		"Search":      testSearch,
		"Query":       testQuery,
		"Complete":    testComplete,
		"Events":      testEvents,
		"Changes":     testChanges,
		"Delete":      testDelete,
		"Prune":       testPrune,
		"Restart":     testRestart,
		"Lines":       testLines,
		"BrokenLines": testBrokenLines,
		"Closed":      testClosed,
		"Bounds":      testBounds,
		"TooLarge":    testTooLarge,
		"Large":       testLarge,
		"Parts":       testParts,
		"Steps":       testSteps,
		"State":       testState,
		"Turns":       testTurns,
		"TurnPuts":    testTurnPuts,
		"Traces":      testTraces,
		"Attempts":    testAttempts,
		"JoinedRuns":  testJoinedAttempts,
		"ManyRuns":    testManyAttempts,
		"Projects":    testProjects,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each opens stores of its own
			test(t, open)
		})
	}
}

// RunState tests that the state of the stores is a function of what was written.
func RunState(t *testing.T, open Opener) { testState(t, open) }

// fixture is a store for one test.
type fixture struct {
	testing.TB
	store.Store
	open Opener
	dir  string
}

func newFixture(t testing.TB, open Opener) *fixture {
	t.Helper()
	f := &fixture{TB: t, open: open, dir: t.TempDir()}
	f.Store = open(t, f.dir)
	t.Cleanup(func() { f.check(f.Close()) })
	return f
}

func (f *fixture) reopen() {
	f.Helper()
	f.check(f.Close())
	f.Store = f.open(f.TB, f.dir)
}

func (f *fixture) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) write(batch ...store.Write) {
	f.Helper()
	f.check(f.Write(f.Context(), batch))
}

func (f *fixture) session(n int) store.Session {
	f.Helper()
	s, err := f.Session(f.Context(), id(n))
	f.check(err)
	return s
}

func (f *fixture) event(n int) store.Event {
	f.Helper()
	e, err := f.Event(f.Context(), id(n))
	f.check(err)
	return e
}

func (f *fixture) info() store.Info {
	f.Helper()
	f.check(f.Sync(f.Context())) // which may change rows
	info, err := f.Info(f.Context())
	f.check(err)
	seq, err := f.Seq(f.Context())
	f.check(err)
	f.equal(seq, info.Seq, "the number of the last change")
	return info
}

func (f *fixture) equal(got, want any, what string) {
	f.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (f *fixture) is(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("got the error %v, want %v", err, want)
	}
}

// id returns the n-th of the ids that the tests use; their order is that of n.
func id(n int) honeyhive.UUID {
	u := honeyhive.UUID{6: 0x40, 8: 0x80}
	binary.BigEndian.PutUint32(u[12:], uint32(n)) //nolint:gosec // some thousands
	return u
}

// base is the time that the tests count from.
var base = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// ms returns base and n seconds, as payloads have it.
func ms(n float64) float64 { return float64(base.UnixMilli()) + 1000*n }

// at returns base and n seconds.
func at(n int) time.Time { return base.Add(time.Duration(n) * time.Second) }

// session reads a session of the given number, with project, name and source,
// from the fields that a test adds.
func session(t testing.TB, n int, fields string) *honeyhive.SessionStartRequest {
	t.Helper()
	s := new(honeyhive.SessionStartRequest)
	decode(t, s, `{"project":"p","session_name":"n","source":"test","session_id":"`+id(n).String()+`"`, fields)
	return s
}

// event reads an event of the given number, session and parent (0 is none).
func event(t testing.TB, n, session, parent int, fields string) *honeyhive.Event {
	t.Helper()
	e := new(honeyhive.Event)
	text := `{"event_id":"` + id(n).String() + `","session_id":"` + id(session).String() + `"`
	if parent != 0 {
		text += `,"parent_id":"` + id(parent).String() + `"`
	}
	decode(t, e, text, fields)
	return e
}

// update reads an update of the given number.
func update(t testing.TB, n int, fields string) *honeyhive.Update {
	t.Helper()
	u := new(honeyhive.Update)
	decode(t, u, `{"event_id":"`+id(n).String()+`"`, fields)
	return u
}

// decode reads a payload from the fields that all have and those of a test,
// which win.
func decode(t testing.TB, into json.Unmarshaler, common, fields string) {
	t.Helper()
	o, err := honeyhive.ParseObject(common + "}")
	if err != nil {
		t.Fatal(err)
	}
	more, err := honeyhive.ParseObject("{" + fields + "}")
	if err != nil {
		t.Fatal(err)
	}
	if err := into.UnmarshalJSON([]byte(o.Merge(more).String())); err != nil {
		t.Fatal(err)
	}
}

// snapshot is all that a store says of some ids, but for sequence numbers.
type snapshot struct {
	Sessions map[string]store.Session
	Events   map[string]store.Event
	Waiting  map[string]string
	Attempts map[string]store.Attempt
}

func (f *fixture) snapshot(ids ...honeyhive.UUID) snapshot {
	f.Helper()
	f.check(f.Sync(f.Context())) // what is computed in the background may lag on a busy machine
	s := snapshot{map[string]store.Session{}, map[string]store.Event{}, map[string]string{}, map[string]store.Attempt{}}
	wanted := make(map[string]bool)
	for _, id := range ids {
		wanted[id.String()] = true
		row, err := f.Session(f.Context(), id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		f.check(err)
		row.Seq = 0
		s.Sessions[id.String()] = row
		for e, err := range f.EventBodies(f.Context(), id, store.EventQuery{}) {
			f.check(err)
			one, err := f.Event(f.Context(), e.ID)
			f.check(err)
			if diff := cmp.Diff(e, one); diff != "" {
				f.Errorf("an event alone differs from that of its session:\n%s", diff)
			}
			e.Seq = 0
			s.Events[e.ID.String()] = e
		}
	}
	for u, err := range f.Waiting(f.Context()) {
		f.check(err)
		if id := u.EventID.Or(""); wanted[id] {
			s.Waiting[id] = string(u.AppendJSON(nil))
		}
	}
	for _, a := range f.attempts() {
		if wanted[a.Session.String()] {
			s.Attempts[a.Run+" "+a.Session.String()] = a
		}
	}
	return s
}

func collect[T any](f *fixture, seq func(yield func(T, error) bool)) []T {
	f.Helper()
	var list []T
	for v, err := range seq {
		f.check(err)
		list = append(list, v)
	}
	return list
}
