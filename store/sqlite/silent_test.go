package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// TestSilentTraces forgets what traces without events have left, after a while and not
// before, and nothing of others.
func TestSilentTraces(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	root := func(trace honeyhive.UUID) store.Write {
		return store.Write{Session: &honeyhive.SessionStartRequest{SessionID: honeyhive.Some(trace.String()), SessionName: honeyhive.Some("GET /")}, Trace: trace}
	}
	step := &honeyhive.Event{EventName: honeyhive.Some("step")}
	var writes []store.Write
	for n := range 250 {
		trace := joinID("silent", n/5)
		writes = append(writes, store.Write{Edge: &store.Edge{Span: joinID("edge", n), Trace: trace, Step: step}}, root(trace),
			store.Write{Join: &store.Join{From: trace, To: joinID("browser", n/5), Trace: trace, Text: fmt.Sprint("b", n), Span: joinID("edge", n)}})
	}
	speaks := joinID("speaks", 0)
	event := &honeyhive.Event{EventID: honeyhive.Some(joinID("event", 0).String()), SessionID: honeyhive.Some(speaks.String()), ParentID: honeyhive.Some(joinID("edge", 1000).String()), EventType: honeyhive.Some(honeyhive.TypeModel)}
	writes = append(writes, root(speaks), store.Write{Edge: &store.Edge{Span: joinID("edge", 1000), Trace: speaks, Step: step}},
		store.Write{Join: &store.Join{From: speaks, To: speaks, Trace: speaks, Span: joinID("event", 0)}}, store.Write{Event: event, Trace: speaks})
	holdWrite(t, s, writes...)
	rows := func() (n [4]int) {
		err := s.read.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM edge), (SELECT count(*) FROM joined), (SELECT count(*) FROM home), (SELECT count(*) FROM record)`).Scan(&n[0], &n[1], &n[2], &n[3])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	steps := func() (n int) {
		for _, err := range s.Steps(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	before := rows()
	sweep := func(now time.Time) {
		for more := true; more; {
			bare(t, s, func(w *writer) error {
				return w.transaction(func(w *writer) (err error) { more, err = w.sweepSilent(now, newBudget()); return err })
			})
		}
	}
	sweep(time.Now().Add(silentTime - time.Minute))
	if after := rows(); after != before {
		t.Errorf("of %v rows %v are left before the time", before, after)
	}
	if n := steps(); n != 251 {
		t.Errorf("%d steps are left before the time", n)
	}
	sweep(time.Now().Add(silentTime + time.Minute))
	if after, want := rows(), [4]int{1, 1, 1, 2}; after != want {
		t.Errorf("%v rows are left, want %v", after, want)
	}
	if n := steps(); n != 0 {
		t.Errorf("%d steps are left", n)
	}
	if e, err := s.Event(t.Context(), joinID("event", 0)); err != nil || e.Parent != speaks {
		t.Errorf("the event that speaks hangs on %s, %v", e.Parent, err)
	}
}
