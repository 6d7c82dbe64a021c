package sqlite

import (
	"errors"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// TestRestartLog begins the log anew: what is written then goes to its beginning, so
// that the file is neither cut nor grows. One that a read made long is cut.
func TestRestartLog(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	bare(t, s, func(w *writer) error { w.committed = nil; return nil }) // there are no other checkpoints
	size := func() (file, logged int64) {
		bare(t, s, func(w *writer) (err error) { file, err = w.log.size(); logged = w.logged; return err })
		return file, logged
	}
	text := strings.Repeat("x", 200<<10)
	events := 0
	write := func(n int) {
		for range n {
			events++
			holdWrite(t, s, holdEvent(t, events, map[string]any{"text": text}))
		}
		holdIndexed(t, s)
	}
	restart := func() {
		if err := s.restartLog(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	write(10)
	restart()
	long, logged := size()
	if long < int64(len(text)) || logged != 0 {
		t.Errorf("the log has %d bytes, of which %d are to be copied", long, logged)
	}
	write(2)
	if file, logged := size(); file != long || logged < 2*int64(len(text)) || logged > long {
		t.Errorf("the log has %d bytes, which were %d; %d are to be copied", file, long, logged)
	}

	// A read sees the store as it was, for which the log must stay.
	rows, err := s.read.QueryContext(t.Context(), `SELECT pk FROM record UNION ALL SELECT pk FROM record`)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	_, before := size()
	for before <= mostLog {
		write(10)
		restart()
		_, now := size()
		if now <= before {
			t.Fatalf("the log was begun anew during a read: %d bytes, then %d", before, now)
		}
		before = now
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	restart()
	if file, logged := size(); file != 0 || logged != 0 {
		t.Errorf("a long log still has %d bytes, of which %d are to be copied", file, logged)
	}
}

// TestCut cuts a log that is to be cut when nothing else is left to do, or when that
// takes too long, and not in between.
func TestCut(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	holdWrite(t, s, holdEvent(t, 0, nil))
	holdIndexed(t, s)
	for _, c := range []struct{ cut, untidy, now, want bool }{
		{false, false, false, false}, {false, false, true, false}, {true, true, false, false}, {true, false, false, true}, {true, true, true, true},
	} {
		holdWrite(t, s, holdEvent(t, 1, nil))
		holdIndexed(t, s)
		bare(t, s, func(w *writer) error {
			w.committed = nil // there are no other checkpoints
			w.cut.Store(c.cut)
			w.unmerged.Store(c.untidy)
			if err := w.endCopy(c.now); err != nil {
				return err
			}
			size, err := w.log.size()
			if got := size == 0; got != c.want || w.logged != 0 || c.want && w.cut.Load() {
				t.Errorf("%+v: the log has %d bytes, of which %d are to be copied", c, size, w.logged)
			}
			return err
		})
	}
}

// TestFull holds that deletion and the index wait while a long log is copied.
func TestFull(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	holdWrite(t, s, holdEvent(t, 0, nil))
	holdIndexed(t, s)
	bare(t, s, func(w *writer) error {
		w.committed = nil // there are no other checkpoints
		w.copying, w.logged = true, logBytes+logSlack+1
		return nil
	})
	if err := s.Delete(t.Context(), honeyhive.SessionID("hold", "session")); err != nil {
		t.Fatal(err)
	}
	for range 100 { // with moments between in which nothing waits
		bare(t, s, func(w *writer) error {
			var doomed int
			if err := w.scan(`SELECT count(*) FROM doomed`, nil, &doomed); err != nil || doomed != 1 {
				t.Errorf("%d sessions are yet to be swept, %v", doomed, err)
			}
			return nil
		})
	}
	if err := s.restartLog(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	swept(t, s)
}
