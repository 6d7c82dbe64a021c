package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/query"
)

// version3 opens a copy of a file that the third version wrote: an agent with the sum
// of its calls, two instrumentations of one call, times that go backwards, sums at
// three levels, feedback, and an update that waits.
func version3(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sessions.db")
	unpackFile(t, filepath.Join("testdata", "version3.db.gz"), path)
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s, path
}

func version3ID(kind, n int) honeyhive.UUID {
	id, err := honeyhive.ParseUUID(fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n))
	if err != nil {
		panic(err)
	}
	return id
}

// TestVersion3 has the sessions of a file computed anew while it answers, and goes on
// where it was when the store is opened again.
func TestVersion3(t *testing.T) {
	s, path := version3(t)
	look := func() {
		t.Helper()
		for n, want := range map[int]struct {
			in, out, calls int64
			cost           float64
		}{1: {300, 30, 2, 0.03}, 2: {100, 10, 1, 0.01}, 4: {40000, 4000, 400, 4}, 5: {7, 3, 1, 0.5}} {
			got, err := s.Session(t.Context(), version3ID(1, n))
			if err != nil || got.TokensIn.Or(0) != want.in || got.TokensOut.Or(0) != want.out || got.Calls != want.calls || got.Cost.Or(0) != want.cost {
				t.Errorf("session %d: %+v, %d calls, %v, want %+v", n, got.Measures, got.Calls, err, want)
			}
		}
		skewed, err := s.Session(t.Context(), version3ID(1, 3))
		if err != nil || !skewed.Backwards || !skewed.Duration.IsZero() || skewed.Payload.Duration.Or(0) != -5000 {
			t.Errorf("the session that goes backwards: %+v, %v", skewed.Measures, err)
		}
		for n, backwards := range map[int]bool{20: true, 21: true, 22: false} {
			e, err := s.Event(t.Context(), version3ID(2, n))
			if err != nil || e.Backwards != backwards || e.Duration.IsZero() != backwards {
				t.Errorf("event %d: %+v, %v", n, e.Measures, err)
			}
		}
		models, err := s.Aggregate(t.Context(), store.Filter{}, store.Grouping{By: store.ByModel})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range models {
			// Of n there are 400 calls, and one without tokens; of m two, one that is
			// counted below another, and one.
			want := map[string][3]int64{"m": {4, 407, 43}, "n": {401, 40000, 4000}}[m.Key]
			if got := [3]int64{m.Total.Count, m.Total.TokensIn, m.Total.TokensOut}; got != want {
				t.Errorf("model %s: %v, want %v", m.Key, got, want)
			}
		}
		q, err := query.Parse(`event(model:n tokens>0) -event(model:none)`)
		if err != nil {
			t.Fatal(err)
		}
		found, err := s.Sessions(t.Context(), store.SessionQuery{Filter: store.Filter{Query: q}})
		if err != nil || len(found.Sessions) != 1 || found.Sessions[0].ID != version3ID(1, 4) || found.Unindexed != 0 {
			t.Errorf("a query finds %d sessions, %v", len(found.Sessions), err)
		}
		kinds, err := s.Aggregate(t.Context(), store.Filter{}, store.Grouping{By: store.ByKind})
		if err != nil {
			t.Fatal(err)
		}
		var events int64
		for _, k := range kinds {
			if events += k.Total.Count; k.Key == "" {
				t.Errorf("%d events have no kind", k.Total.Count)
			}
		}
		if info, err := s.Info(t.Context()); err != nil || events != info.Events {
			t.Errorf("of %d events %d are of a kind, %v", info.Events, events, err)
		}
		total, err := s.Aggregate(t.Context(), store.Filter{}, store.Grouping{})
		if err != nil || total[0].Total.TokensIn != 40407 || total[0].Total.Duration.P50 < 0 {
			t.Errorf("in total: %+v, %v", total, err)
		}
		checkTables(t, s)
	}
	info, err := s.Info(t.Context())
	if err != nil || info.Sessions != 5 || info.Waiting != 1 || info.Events != 430 { // it answers from the start
		t.Errorf("%+v, %v", info, err)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	look()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// As if the process had been killed before anything was computed.
	execute(t, path, `INSERT INTO stale SELECT pk FROM session`, `UPDATE session SET tokens_in = 1, calls = 0, counted = NULL`)
	if s, err = Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Info(t.Context()); err != nil || info.Stale != 0 {
		t.Errorf("%+v, %v", info, err)
	}
	look()
}
