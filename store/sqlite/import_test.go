package sqlite

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/store"
)

const (
	lineSession = `{"session":{"project":"p","session_name":"n","source":"s","session_id":"00000000-0000-4000-8000-000000000001","inputs":{"a":9007199254740993}}}`
	lineEvent   = `{"event":{"event_id":"00000000-0000-4000-8000-000000000002","session_id":"00000000-0000-4000-8000-000000000001","event_type":"model","inputs":{},"metadata":{"cost":1e300},"start_time":-1e300,"duration":1e308}}`
	lineUpdate  = `{"update":{"event_id":"00000000-0000-4000-8000-000000000002","feedback":{"rating":-1e308},"children_ids":["x"]}}`
)

// FuzzImport imports anything. Nothing panics, and what was taken can be read:
// it comes out as lines that give the same lines once more.
func FuzzImport(f *testing.F) {
	for _, text := range []string{lineSession, lineEvent, lineUpdate} {
		f.Add([]byte(text))
		f.Add([]byte(lineUpdate + "\n" + text + "\n" + lineSession))
	}
	a, b := openIn(f, f.TempDir()).(*Store), openIn(f, f.TempDir()).(*Store)
	f.Cleanup(func() { _, _ = a.Close(), b.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = store.Import(t.Context(), a, bytes.NewReader(data))
		first := export(t, a)
		if _, err := store.Import(t.Context(), b, bytes.NewReader(first)); err != nil {
			t.Fatalf("what was exported is refused: %v\n%s", err, first)
		}
		if diff := cmp.Diff(string(first), string(export(t, b))); diff != "" {
			t.Errorf("exported once more (-first +second):\n%s", diff)
		}
		empty(t, a)
		empty(t, b)
	})
}

func export(t *testing.T, s *Store) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := store.Export(t.Context(), s, store.Filter{}, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// empty deletes all that a store holds.
func empty(t *testing.T, s *Store) {
	t.Helper()
	err := s.submit(t.Context(), &request{run: func(w *writer) error {
		for _, table := range []string{"record", "event", "session", "unindexed"} {
			if err := w.exec(fmt.Sprintf("DELETE FROM %s", table)); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
}
