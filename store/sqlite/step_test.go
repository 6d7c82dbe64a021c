package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// bare runs a function on the writer's goroutine, in no transaction.
func bare(t testing.TB, s *Store, f func(w *writer) error) {
	t.Helper()
	if err := s.submit(t.Context(), &request{bare: true, run: f}); err != nil {
		t.Fatal(err)
	}
}

// logged counts what each transaction writes: the pages that it adds to the log, and
// those that the disk may not have, which the next one waits for.
type logged struct{ last, largest, dirty int64 }

func logAll(t testing.TB, s *Store) *logged {
	t.Helper()
	l := new(logged)
	bare(t, s, func(w *writer) error {
		w.committed = func() { // there are no checkpoints, so the log only grows
			size, _ := w.log.size()
			l.largest = max(l.largest, size-l.last)
			l.last = size
			l.dirty = max(l.dirty, w.dirty)
		}
		var err error
		l.last, err = w.log.size()
		return err
	})
	return l
}

// TestStepBytes does what is large, and counts what each of its transactions writes:
// so much is what another write waits for.
func TestStepBytes(t *testing.T) {
	const most = 5 << 19
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	l := logAll(t, s)
	step := func(what string, f func()) {
		t.Helper()
		bare(t, s, func(*writer) error { l.largest, l.dirty = 0, 0; return nil })
		f()
		holdIndexed(t, s)
		bare(t, s, func(*writer) error {
			if t.Logf("%s: up to %d bytes in a transaction", what, l.largest); l.largest > most || l.largest == 0 {
				t.Errorf("%s: a transaction writes %d bytes, more than %d", what, l.largest, most)
			}
			if most := int64(syncBytes + most); l.dirty > most {
				t.Errorf("%s: up to %d bytes wait for the disk, more than %d", what, l.dirty, most)
			}
			return nil
		})
	}
	text := strings.Repeat("some words ", 3<<20/11)
	step("a record of 3 MiB", func() { holdWrite(t, s, holdEvent(t, 0, map[string]any{"text": text})) })
	metadata := honeyhive.Value(`{"a":1}`).Object()
	small := store.Write{Update: &honeyhive.Update{EventID: holdEvent(t, 0, nil).Event.EventID, Metadata: metadata}}
	step("a small update of it", func() { holdWrite(t, s, small) })
	step("a large update of it", func() {
		holdWrite(t, s, store.Write{Update: &honeyhive.Update{EventID: small.Update.EventID, Outputs: honeyhive.Value(`{"text":"` + text + `"}`).Object()}})
	})
	step("a batch", func() {
		batch := make([]store.Write, 600)
		for i := range batch {
			batch[i] = holdEvent(t, 1+i, map[string]any{"n": i, "text": text[:2000]})
		}
		holdWrite(t, s, batch...)
	})
	step("updates of records of 200 KiB", func() {
		var batch []store.Write
		for i := range 8 {
			holdWrite(t, s, holdEvent(t, 5000+i, map[string]any{"text": text[:200<<10]}))
			w := holdEvent(t, 5000+i, nil)
			batch = append(batch, store.Write{Update: &honeyhive.Update{EventID: w.Event.EventID, Metadata: metadata}})
		}
		holdWrite(t, s, batch...)
	})
	step("deletion", func() {
		if err := s.Delete(t.Context(), honeyhive.SessionID("hold", "session")); err != nil {
			t.Fatal(err)
		}
		swept(t, s)
	})
	step("scrubbing", func() {
		if err := s.Scrub(t.Context()); err != nil {
			t.Fatal(err)
		}
		bare(t, s, func(w *writer) (err error) { l.last, err = w.log.size(); return err })
		holdWrite(t, s, holdEvent(t, 1, nil))
	})
	step("retention", func() {
		holdWrite(t, s, holdEvent(t, 0, map[string]any{"text": text}))
		if _, err := s.Prune(t.Context(), store.Retention{MaxBytes: 1}); err != nil {
			t.Fatal(err)
		}
	})
}

// swept waits until all that was deleted is swept.
func swept(t testing.TB, s *Store) {
	t.Helper()
	for left := 1; left > 0; {
		bare(t, s, func(w *writer) error {
			return w.scan(`SELECT (SELECT count(*) FROM doomed) + (SELECT count(*) FROM unused)`, nil, &left)
		})
	}
}

// TestSweep counts what each step of a deletion deletes, and opens the store again
// after some: what is left is swept then, and nobody saw it.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir).(*Store)
	const events = 350
	batch := make([]store.Write, events)
	for i := range batch {
		batch[i] = holdEvent(t, i, map[string]any{"n": i})
	}
	large := holdEvent(t, events, map[string]any{"text": strings.Repeat("x", 12<<20)})
	holdWrite(t, s, slices.Concat(batch, []store.Write{large})...)
	session := honeyhive.SessionID("hold", "session")
	count := func(w *writer) (n, bytes int64) {
		if err := w.scan(`SELECT (SELECT count(*) FROM record), (SELECT ifnull(sum(length(part)), 0) FROM body)`, nil, &n, &bytes); err != nil {
			t.Fatal(err)
		}
		return n, bytes
	}
	bare(t, s, func(w *writer) error {
		err := w.transaction(func(w *writer) error { _, err := w.doom(session, newBudget()); return err })
		rows, bytes := count(w)
		for range 2 { // then the process ends
			err = errors.Join(err, w.transaction(func(w *writer) error { _, err := w.sweep(newBudget()); return err }))
			nowRows, nowBytes := count(w)
			if gone := rows - nowRows; gone == 0 || gone > sweepRows {
				t.Errorf("a step deletes %d records", gone)
			}
			if gone := bytes - nowBytes; gone > sweepBytes+partBytes {
				t.Errorf("a step deletes %d bytes", gone)
			}
			rows, bytes = nowRows, nowBytes
		}
		w.garbage.Store(false) // nothing sweeps until the store is opened again
		return err
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, dir).(*Store)
	defer func() { _ = s.Close() }()
	if _, err := s.Session(t.Context(), session); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session: %v", err)
	}
	if _, err := s.Event(t.Context(), parse(t, large.Event.EventID)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an event: %v", err)
	}
	// One comes again before its turn.
	holdWrite(t, s, store.Write{Event: &honeyhive.Event{EventID: large.Event.EventID, SessionID: large.Event.SessionID, EventType: honeyhive.Some(honeyhive.TypeTool)}})
	swept(t, s)
	if got, err := s.Event(t.Context(), parse(t, large.Event.EventID)); err != nil || got.Payload.Inputs.Len() != 0 {
		t.Errorf("the event that came again: %v, %v", got.EventRow, err)
	}
	bare(t, s, func(w *writer) error {
		if rows, bytes := count(w); rows != 2 || bytes != 0 {
			t.Errorf("%d records and %d bytes of texts are left", rows, bytes)
		}
		return nil
	})
	checkTables(t, s)
}

// TestBudget ends a step that takes long, but not before it did anything.
func TestBudget(t *testing.T) {
	b := newBudget()
	b.end = time.Now()
	if !b.left() {
		t.Error("nothing is left of a budget of which nothing was spent")
	}
	if b.spend(1, 0); b.left() {
		t.Error("a step that took long goes on")
	}
}

// TestUnsynced leaves the next transactions as durable as they were, whether or not one
// that does not wait for the disk fails.
func TestUnsynced(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	bare(t, s, func(w *writer) error {
		synchronous := func() (mode int) {
			if err := w.conn.QueryRowContext(t.Context(), `PRAGMA synchronous`).Scan(&mode); err != nil {
				t.Fatal(err)
			}
			return mode
		}
		for _, want := range []error{nil, errors.New("it failed")} {
			during := 0
			err := w.unsynced(func(*writer) error { during = synchronous(); return want })
			if !errors.Is(err, want) || during != 1 || synchronous() != 2 {
				t.Errorf("%v; synchronous is %d meanwhile and %d afterwards", err, during, synchronous())
			}
		}
		return nil
	})
}

// TestAbandoned ends a write of a large record in its midst: what was written of it
// is swept, also after a kill.
func TestAbandoned(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir).(*Store)
	text := []byte(`{"inputs":"` + strings.Repeat("x", 3*partBytes-100) + `"}`)
	if _, _, err := s.stage(t.Context(), text, record.Session, make(knownParts)); err != nil {
		t.Fatal(err)
	}
	left := func() (n int) {
		bare(t, s, func(w *writer) error { return w.scan(`SELECT count(*) FROM body`, nil, &n) })
		return n
	}
	staged := left()
	bare(t, s, func(w *writer) error {
		return w.transaction(func(w *writer) error { _, err := w.sweep(newBudget()); return err })
	})
	if n := left(); n != staged || n < 3 {
		t.Errorf("%d parts are there while they are written, of %d", n, staged)
	}
	if err := s.Close(); err != nil { // as after a kill: nobody abandons it
		t.Fatal(err)
	}
	s = openIn(t, dir).(*Store)
	defer func() { _ = s.Close() }()
	swept(t, s)
	if n := left(); n != 0 {
		t.Errorf("%d parts are left after a restart", n)
	}
	column, _, err := s.stage(t.Context(), text, record.Session, make(knownParts))
	if err != nil {
		t.Fatal(err)
	}
	s.abandon(column)
	swept(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.stage(ctx, text, record.Session, make(knownParts)); !errors.Is(err, context.Canceled) {
		t.Errorf("got the error %v", err)
	}
	swept(t, s)
	if n := left(); n != 0 {
		t.Errorf("%d parts are left", n)
	}
}

// TestNoWords writes a large record in which the search finds nothing.
func TestNoWords(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	list := make([]any, 300_000)
	e := holdEvent(t, 0, map[string]any{"nothing": list})
	holdWrite(t, s, e)
	holdIndexed(t, s)
	if got, err := s.Event(t.Context(), parse(t, e.Event.EventID)); err != nil || got.Payload.Inputs != e.Event.Inputs {
		t.Errorf("%+v, %v", got.EventRow, err)
	}
}

// TestGroupSuffersNot writes with others in one transaction, of which one fails: the
// others do not.
func TestGroupSuffersNot(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	holdWrite(t, s, holdEvent(t, 0, nil))
	bare(t, s, func(w *writer) error { return w.exec(`UPDATE record SET layers = x'00' WHERE kind = 2`) })
	results := make([]error, 3)
	bare(t, s, func(w *writer) error {
		var group []*request
		for i := range results {
			write := holdEvent(t, i, map[string]any{"n": i})
			in, err := record.Read(&write, benchStart)
			if err != nil {
				return err
			}
			group = append(group, &request{writes: []record.Incoming{in}, result: make(chan error, 1)})
		}
		w.write(group)
		for i, r := range group {
			results[i] = <-r.result
		}
		return nil
	})
	if !errors.Is(results[0], store.ErrCorrupt) || results[1] != nil || results[2] != nil {
		t.Errorf("got the errors %v", results)
	}
}

// TestCloseEndsReads closes a store while a read runs that would take for ever, and
// while writes wait.
func TestCloseEndsReads(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	const forever = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n`
	running, ended := make(chan struct{}), make(chan error, 2)
	go func() {
		ctx, done, err := s.reading(t.Context())
		if err != nil {
			ended <- err
			return
		}
		defer done()
		close(running)
		var n int64
		ended <- s.failed(ctx, "read", s.read.QueryRowContext(ctx, forever).Scan(&n))
	}()
	<-running
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, store.ErrClosed) {
		t.Errorf("the read ends with %v", err)
	}
}

// TestContextEndsWrite ends the context of writes while the writer is held.
func TestContextEndsWrite(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	held, free := make(chan struct{}), make(chan struct{})
	holding := make(chan error, 1)
	go func() {
		holding <- s.submit(t.Context(), &request{bare: true, run: func(*writer) error { close(held); <-free; return nil }})
	}()
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error)
	for _, write := range []store.Write{
		holdEvent(t, 1, nil), holdEvent(t, 2, map[string]any{"text": strings.Repeat("x", 2*partBytes)}), holdEvent(t, 3, map[string]any{"text": strings.Repeat("x", 2*partBytes)}),
	} {
		go func() { results <- s.Write(ctx, []store.Write{write}) }()
	}
	cancel()
	for range 3 {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("got the error %v", err)
		}
	}
	close(free)
	if err := <-holding; err != nil {
		t.Error(err)
	}
	swept(t, s)
	for i := range 4 {
		holdWrite(t, s, holdEvent(t, i, map[string]any{"again": fmt.Sprint(i)}))
	}
}
