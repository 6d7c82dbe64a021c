package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// TestFindAttempts takes the step from the version that knew no attempts on a file that
// has none of them yet, and on one where the step was interrupted.
func TestFindAttempts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	const many = 3*attemptsAtOnce + 7
	var batch []store.Write
	for n := range many {
		id := honeyhive.NewUUID()
		text := fmt.Sprintf(`{"project":"p","session_name":"n","source":"s","session_id":"%s","start_time":%d,"duration":1,"inputs":{"q":%d},"metadata":{"run_id":"r%d"},"metrics":{"x":%d}}`, id, 1000+n, n, n%3, n)
		switch {
		case n%50 == 0: // whose payload is a body
			text = strings.Replace(text, `"inputs":{`, `"inputs":{"text":"`+strings.Repeat("word ", partBytes/4)+`",`, 1)
		case n%10 == 9: // no attempts
			text = strings.Replace(text, `"run_id"`, `"run"`, 1)
		}
		p := new(honeyhive.SessionStartRequest)
		if err := p.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, store.Write{Session: p})
	}
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	look := func() (list []store.Attempt) {
		t.Helper()
		page, err := s.Runs(t.Context(), store.RunQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Runs {
			for a, err := range s.Attempts(t.Context(), r.ID) {
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, a)
			}
		}
		checkTables(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return list
	}
	want := look()
	if len(want) < many*8/10 || len(want) == many {
		t.Fatalf("%d of %d sessions are attempts", len(want), many)
	}
	for name, statement := range map[string]string{
		"an earlier version": `DROP TABLE attempt`,
		"interrupted":        `DELETE FROM attempt WHERE pk % 3 > 0`,
	} {
		execute(t, path, statement)
		if s, err = Open(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		bare(t, s, func(w *writer) error { return w.findAttempts(t.Context()) })
		if diff := cmp.Diff(want, look()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
