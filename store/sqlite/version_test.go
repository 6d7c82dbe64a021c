package sqlite

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// TestVersion1 opens a file that the first version wrote, without bounds on numbers:
// sessions and events with times, durations, ratings and costs near the largest
// float, and sums that had gone round at 64 bits.
func TestVersion1(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	unpackFile(t, filepath.Join("testdata", "version1.db.gz"), path)
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	kept := func(kind, n int) honeyhive.UUID {
		id, err := honeyhive.ParseUUID(fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	look := func() {
		t.Helper()
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		for by, want := range map[store.By]int64{store.ByNone: 26, store.ByModel: 46} {
			series, err := s.Aggregate(t.Context(), store.Filter{}, store.Grouping{By: by, Buckets: 20})
			if err != nil || len(series) != 1 || len(series[0].Points) != 20 {
				t.Fatalf("by %q: %d series, %v", by, len(series), err)
			}
			total := series[0].Total
			if total.Count != want || !(total.Cost >= 0 && total.Cost < 1e12) || total.TokensIn < 0 || !(total.Duration.Max <= 1e15 && total.FirstToken.Max <= 1e15) {
				t.Errorf("by %q: %+v", by, total)
			}
		}
		for _, order := range []store.Sort{store.SortStart, store.SortChange, store.SortDuration, store.SortTokens, store.SortCost, store.SortErrors, store.SortName} {
			seen := 0
			for q := (store.SessionQuery{Sort: order, Limit: 3}); ; {
				page, err := s.Sessions(t.Context(), q)
				if err != nil {
					t.Fatalf("by %s: %v", order, err)
				}
				for _, row := range page.Sessions {
					seen++
					for what, v := range map[string]honeyhive.Optional[float64]{"start": row.Start, "end": row.End, "duration": row.Duration, "first token": row.FirstToken, "rating": row.Rating, "cost": row.Cost} {
						if n := v.Or(0); !(n >= -1e15 && n <= 1e15) {
							t.Errorf("%s has the %s %v", row.ID, what, n)
						}
					}
					for e, err := range s.EventBodies(t.Context(), row.ID, store.EventQuery{}) {
						if err != nil || !(e.Start.Or(0) >= -1e15 && e.Start.Or(0) <= 1e15 && e.Duration.Or(0) <= 1e15 && e.Rating.Or(0) <= 1e9 && e.FirstToken.Or(0) <= 1e15) {
							t.Errorf("%v: %+v", err, e.EventRow)
						}
					}
				}
				if q.After = page.Next; q.After == "" {
					break
				}
			}
			if seen != 26 {
				t.Errorf("by %s there are %d sessions", order, seen)
			}
		}
		page, err := s.Sessions(t.Context(), store.SessionQuery{Sort: store.SortDuration, Limit: 1})
		if err != nil || page.Sessions[0].Duration.IsZero() {
			t.Errorf("the longest session has no duration, %v", err)
		}
	}
	look()
	session := func(n int) store.Session {
		got, err := s.Session(t.Context(), kept(1, n))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := session(10); got.Payload.Duration.Or(0) != 1.7e308 || !got.Duration.IsZero() {
		t.Errorf("what was sent is %v, what is known %v", got.Payload.Duration, got.Duration)
	}
	if got := session(50); !got.Cost.IsZero() || got.TokensIn.Or(0) != 120 {
		t.Errorf("12 events of 1e9 cost %v, with %v tokens", got.Cost, got.TokensIn)
	}
	want := store.Measures{
		Start: honeyhive.Some(1769932801000.0), End: honeyhive.Some(1769932802060.0), Duration: honeyhive.Some(1060.0),
		Cost: honeyhive.Some(1.0), FirstToken: honeyhive.Some(7.0), Rating: honeyhive.Some(4.0), Feedback: true,
	}
	if got := session(52); got.Measures != want {
		t.Errorf("among ordinary events: %+v, want %+v", got.Measures, want)
	}
	checkTables(t, s)
	// Once more, with a change of what was made anew.
	if err := s.Write(t.Context(), []store.Write{{Update: &honeyhive.Update{EventID: honeyhive.Some(kept(2, 401).String()), EndTime: honeyhive.Some(1769932803000.0)}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	look()
	want.End, want.Duration = honeyhive.Some(1769932803000.0), honeyhive.Some(2000.0)
	if got := session(52); got.Measures != want {
		t.Errorf("after a change: %+v, want %+v", got.Measures, want)
	}
}

// TestVersion2 opens a file whose step from the second version to the third was
// interrupted.
func TestVersion2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	unpackFile(t, filepath.Join("testdata", "version1.db.gz"), path)
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, path, `DROP INDEX session_moment`, `DROP INDEX event_group`, `ALTER TABLE event DROP COLUMN name`, `ALTER TABLE event DROP COLUMN kind`, `ALTER TABLE event DROP COLUMN failure`, `ALTER TABLE event DROP COLUMN prompt`,
		`PRAGMA user_version = 2`, `DROP TABLE joined`, `DROP TABLE home`, `DROP TABLE edge`, `DROP TABLE silent`, `DROP TABLE stale`, `DROP TABLE unused`, `CREATE TABLE loose (body INTEGER PRIMARY KEY)`,
		`ALTER TABLE session DROP COLUMN calls`, `ALTER TABLE session DROP COLUMN rootless`, `ALTER TABLE session DROP COLUMN backwards`, `ALTER TABLE session DROP COLUMN counted`,
		`ALTER TABLE session DROP COLUMN derived`, `ALTER TABLE session DROP COLUMN costs`,
		`UPDATE session SET duration = 1.7e308, cost = -5 WHERE rowid % 2 = 0`)
	if s, err = Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var left, version int
	err = s.read.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM session WHERE duration > 1e15 OR cost < 0), (SELECT user_version FROM pragma_user_version)`).Scan(&left, &version)
	if err != nil || left > 0 || version != len(migrations) {
		t.Errorf("%d sessions are out of bounds in version %d, %v", left, version, err)
	}
}

func unpackFile(t *testing.T, from, to string) {
	t.Helper()
	f, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
