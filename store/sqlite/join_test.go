package sqlite

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/storetest"
)

const joinEvents = 20_000

func joinID(kind string, n int) honeyhive.UUID {
	return honeyhive.SessionID("join", fmt.Sprint(kind, n))
}

// joinTrace writes the events of a trace that names no session yet: agents with the
// sums of their calls, below others, below one.
func joinTrace(t testing.TB, s *Store, events int) (writes []store.Write) {
	t.Helper()
	trace := joinID("trace", 0)
	writes = append(writes, store.Write{Join: &store.Join{From: trace, To: trace, Trace: trace, Span: joinID("event", 0)}, At: benchStart})
	for n := range events {
		kind, tokens, parent := honeyhive.TypeModel, 1, joinID("event", 1+n/100)
		switch {
		case n == 0:
			kind, tokens, parent = honeyhive.TypeChain, events, trace
		case n <= events/100:
			kind, tokens, parent = honeyhive.TypeChain, 100, joinID("event", 0)
		}
		e := new(honeyhive.Event)
		text := fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":%q,"event_name":"e","config":{"model":"m"},"start_time":%d,"end_time":%d,"metadata":{"prompt_tokens":%d}}`,
			joinID("event", n), trace, parent, kind, benchStart.UnixMilli()+int64(n), benchStart.UnixMilli()+int64(n)+5, tokens)
		if err := e.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		writes = append(writes, store.Write{Event: e, Trace: trace, At: benchStart.Add(time.Duration(n))})
	}
	for i := 0; i < len(writes); i += 2000 {
		holdWrite(t, s, writes[i:min(i+2000, len(writes))]...)
	}
	return writes
}

// joinTo makes a write that joins the trace to a session that is named by a text.
func joinTo(n int) store.Write {
	trace := joinID("trace", 0)
	return store.Write{At: benchStart.Add(time.Duration(n+1) * time.Hour), Join: &store.Join{
		From: trace, To: joinID("named", n), Trace: trace, Text: fmt.Sprint("named ", n), Span: joinID("event", 0), Start: float64(n)}}
}

// TestJoinIsNoRewrite joins a session with many events to another one, and takes it
// back by a second strong name: no transaction writes more than a few rows, whatever
// the number of events. Feedback follows, and deletion leaves nothing.
func TestJoinIsNoRewrite(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	events := int64(400)
	if testing.Short() {
		events = 100
	}
	writes := joinTrace(t, s, int(events))
	step := func(w store.Write) {
		t.Helper()
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		var before, after int64
		count := func(n *int64) {
			bare(t, s, func(w *writer) error { return w.scan(`SELECT total_changes()`, nil, n) })
		}
		count(&before)
		holdWrite(t, s, w)
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if count(&after); after-before > 60 {
			t.Errorf("%d rows were changed", after-before)
		}
		writes = append(writes, w)
		storetest.Check(t, s, writes)
	}
	rating := func(id honeyhive.UUID, n int) store.Write {
		u := new(honeyhive.Update)
		if err := u.UnmarshalJSON([]byte(fmt.Sprintf(`{"event_id":%q,"feedback":{"rating":%d}}`, id, n))); err != nil {
			t.Fatal(err)
		}
		return store.Write{Update: u, At: benchStart.Add(time.Duration(n) * time.Minute), MustExist: true}
	}
	trace := joinID("trace", 0)
	step(rating(trace, 4)) // before the join
	step(joinTo(1))
	named, err := s.Session(t.Context(), joinID("named", 1))
	if err != nil || named.Events != events || named.Rating.Or(0) != 4 || named.TokensIn.Or(0) != events || named.Name != "named 1" {
		t.Errorf("after the join: %+v, %v", named.SessionRow, err)
	}
	step(rating(trace, 5)) // and after it
	step(joinTo(2))
	if back, err := s.Session(t.Context(), trace); err != nil || back.ID != trace || back.Events != events || back.Rating.Or(0) != 5 {
		t.Errorf("after it was taken back: %+v, %v", back.SessionRow, err)
	}
	if _, err := s.Session(t.Context(), joinID("named", 1)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the first name: %v", err)
	}
	if err := s.Delete(t.Context(), trace); err != nil {
		t.Fatal(err)
	}
	swept(t, s)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"record", "event", "session", "home", "joined", "edge", "stale", "unindexed", "doomed"} {
		var n int
		if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows are left in %s, %v", n, table, err)
		}
	}
}

// BenchmarkJoin joins a session of 20,000 events with sums at three levels to another
// one while others write, and prints what a small write waits for at most, and how long
// it takes until the totals are right.
func BenchmarkJoin(b *testing.B) {
	for b.Loop() {
		s := openIn(b, b.TempDir()).(*Store)
		joinTrace(b, s, joinEvents)
		begin := time.Now()
		if err := s.Sync(b.Context()); err != nil {
			b.Fatal(err)
		}
		counted := time.Since(begin)
		done := make(chan time.Duration)
		stop := make(chan struct{})
		go func() {
			longest := time.Duration(0)
			for n := 0; ; n++ {
				select {
				case <-stop:
					done <- longest
					return
				default:
				}
				begin := time.Now()
				holdWrite(b, s, holdEvent(b, n, map[string]any{"n": n}))
				longest = max(longest, time.Since(begin))
			}
		}()
		begin = time.Now()
		for n := 1; n <= 2; n++ { // to a name, and back
			holdWrite(b, s, joinTo(n))
		}
		joined := time.Since(begin)
		for stale := true; stale; {
			row, err := s.Session(b.Context(), joinID("trace", 0))
			if err != nil || row.Events != joinEvents {
				b.Fatalf("%+v, %v", row.SessionRow, err)
			}
			stale = row.Stale
		}
		right := time.Since(begin)
		close(stop)
		longest := <-done
		b.ReportMetric(float64(counted.Milliseconds()), "ms/count")
		b.ReportMetric(float64(joined.Milliseconds()), "ms/join")
		b.ReportMetric(float64(right.Milliseconds()), "ms/right")
		b.ReportMetric(float64(longest.Milliseconds()), "ms/longest-wait")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
