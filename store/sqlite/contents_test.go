package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// largeInputs are inputs of about n bytes, of each kind.
var largeInputs = map[string]func(n int) string{
	"one text":    func(n int) string { return `{"text":"` + strings.Repeat("some words ", n/11) + `"}` },
	"one list":    func(n int) string { return `{"list":[0` + strings.Repeat(",1234567890123", n/14) + `]}` },
	"many texts":  func(n int) string { return objectOf(n, 3000) },
	"large texts": func(n int) string { return objectOf(n, 80_000) },
}

// objectOf has values of some size.
func objectOf(n, size int) string {
	var b strings.Builder
	b.WriteString(`{"first":1`)
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `,"key %d":"%s"`, i, strings.Repeat(fmt.Sprint(i%7), size))
	}
	return b.String() + "}"
}

// TestBytesOfSmallUpdates counts what small updates of large records add to the log: it
// does not grow with the record, whatever that is made of, and the record is right.
func TestBytesOfSmallUpdates(t *testing.T) {
	for name, inputs := range largeInputs {
		t.Run(name, func(t *testing.T) {
			s := openIn(t, t.TempDir()).(*Store)
			defer func() { _ = s.Close() }()
			bare(t, s, func(w *writer) error { w.committed = nil; return nil }) // there are no checkpoints
			wrote := make([][]int64, 2)
			sizes := []int{2 << 20, 8 << 20}
			if testing.Short() {
				sizes[1] = 4 << 20
			}
			for i, size := range sizes {
				want := honeyhive.Value(inputs(size)).Object()
				w := holdEvent(t, i, nil)
				w.Event.Inputs = want
				id := w.Event.EventID
				holdWrite(t, s, w)
				holdIndexed(t, s)
				for n, update := range []*honeyhive.Update{
					{EventID: id, Metadata: honeyhive.Value(`{"reviewed":true}`).Object()},
					{EventID: id, Metadata: honeyhive.Value(`{"reviewed":false,"by":"somebody"}`).Object()},
					{EventID: id, EndTime: honeyhive.Some(1772323200000.0), Metrics: honeyhive.Value(`{"score":0.5}`).Object()},
					{EventID: id, Feedback: honeyhive.Value(`{"rating":1}`).Object()},
				} {
					var before int64
					bare(t, s, func(w *writer) error { // the index, which has other bounds, waits meanwhile
						before, w.copying, w.logged = w.written, true, logBytes+logSlack+1
						return nil
					})
					holdWrite(t, s, store.Write{Update: update})
					bare(t, s, func(w *writer) error {
						wrote[i] = append(wrote[i], w.written-before)
						w.copying = false
						return nil
					})
					t.Logf("%d bytes: update %d wrote %d", size, n, wrote[i][n])
				}
				swept(t, s)
				got, err := s.Event(t.Context(), parse(t, id))
				if err != nil || got.Payload.Inputs != want || got.Payload.Metadata.JSONText() != `{"reviewed":false,"by":"somebody"}` ||
					got.Payload.EndTime.Or(0) != 1772323200000 || got.Payload.Feedback.JSONText() != `{"rating":1}` {
					t.Errorf("the record is %d bytes of inputs, %s, %v", len(got.Payload.Inputs.JSONText()), got.Payload.Metadata.JSONText(), err)
				}
			}
			for n, small := range wrote[0] {
				if large := wrote[1][n]; large > 1<<20 || large > small+small/2 {
					t.Errorf("update %d wrote %d bytes of a record of 2 MiB, and %d of one of 8", n, small, large)
				}
			}
			if err := s.Delete(t.Context(), honeyhive.SessionID("hold", "session")); err != nil {
				t.Fatal(err)
			}
			swept(t, s)
			bare(t, s, func(w *writer) error {
				var parts int
				if err := w.scan(`SELECT count(*) FROM body`, nil, &parts); err != nil || parts != 0 {
					t.Errorf("%d parts are left, %v", parts, err)
				}
				return nil
			})
		})
	}
}

// TestVersion7 opens a file with a text whose parts are all its own, and one that a
// process left unfinished.
func TestVersion7(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir).(*Store)
	w := holdEvent(t, 0, nil)
	inputs := make(map[string]any)
	for i := range 30_000 {
		inputs[fmt.Sprint(i)] = strings.Repeat(fmt.Sprint(i), 20)
	}
	w.Event.Inputs = holdEvent(t, 0, inputs).Event.Inputs
	holdWrite(t, s, w)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, filepath.Join(dir, "sessions.db"), fmt.Sprintf(`DELETE FROM body WHERE key & %d = %d`, fallbackPart, contentsPart),
		`DROP TABLE unused`, `CREATE TABLE loose (body INTEGER PRIMARY KEY)`, `INSERT INTO loose VALUES (77)`,
		`INSERT INTO body VALUES ((77 << 12) + 1, 'left'), ((77 << 12) + 4095, 'over')`, `PRAGMA user_version = 7`)
	s = openIn(t, dir).(*Store)
	defer func() { _ = s.Close() }()
	swept(t, s)
	id := parse(t, w.Event.EventID)
	for range 2 {
		got, err := s.Event(t.Context(), id)
		if err != nil || got.Payload.Inputs != w.Event.Inputs {
			t.Errorf("%d bytes of inputs, %v", len(got.Payload.Inputs.JSONText()), err)
		}
		holdWrite(t, s, store.Write{Update: &honeyhive.Update{EventID: w.Event.EventID, Metadata: honeyhive.Value(`{"a":1}`).Object()}})
	}
	swept(t, s)
	bare(t, s, func(w *writer) error {
		var strangers int
		if err := w.scan(`SELECT count(*) FROM body WHERE key >> 12 = 77`, nil, &strangers); err != nil || strangers != 0 {
			t.Errorf("%d parts are left of what was not finished, %v", strangers, err)
		}
		return nil
	})
	if err := s.Delete(t.Context(), parse(t, w.Event.SessionID)); err != nil {
		t.Fatal(err)
	}
	swept(t, s)
	if _, err := s.Event(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
