package sqlite

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

func TestPack(t *testing.T) {
	full := store.Measures{
		Start: honeyhive.Some(1.5), End: honeyhive.Some(0.0), Duration: honeyhive.Some(-2.0), TokensIn: honeyhive.Some(int64(3)),
		TokensOut: honeyhive.Some(int64(4)), Cost: honeyhive.Some(0.25), FirstToken: honeyhive.Some(6.0), Rating: honeyhive.Some(-1.0), Feedback: true,
	}
	for name, row := range map[string]store.EventRow{
		"empty": {},
		"full":  {ID: honeyhive.NewUUID(), Parent: honeyhive.NewUUID(), Name: "ü", Type: "tool", Kind: "retriever", Error: "e", Model: "m", Bytes: 1 << 40, Measures: full},
		"said":  {Type: "model", Currency: "EUR", Measures: store.Measures{Cost: full.Cost}},
		"priced": {
			Type: "model", Measures: full, Provider: "openai", Model: "m", ResponseModel: "m-2", ServiceTier: "flex", Derived: honeyhive.Some(0.125), DerivedCurrency: "EUR",
			Billed: prices.Usage{Input: 1, Output: 1 << 40, CacheRead: 3, CacheWrite: 4, Reasoning: 5},
		},
		"free":     {Type: "model", Measures: full, Derived: honeyhive.Some(0.0), DerivedCurrency: "USD"},
		"unpriced": {Type: "model", Measures: full, Unpriced: true},
		"some":     {Type: "model", Measures: store.Measures{End: full.End, Cost: full.Cost}},
	} {
		packed := packRow(&row)
		got, err := unpackRow(packed, names{})
		if diff := cmp.Diff(row, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		for n := range packed {
			if _, err := unpackRow(packed[:n], names{}); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s, cut after %d bytes: %v", name, n, err)
			}
		}
	}
	for _, status := range statuses {
		for _, want := range []sample{
			{moment: 5, status: status, duration: full.FirstToken, in: full.TokensIn, cost: full.TokensOut, events: 9},
			{status: status, cost: full.TokensIn, derived: 7, unpriced: true, wrapped: true, others: []record.Amount{{Currency: "EUR", Units: 8, Derived: 9}, {Currency: "USD", Units: 1}}},
		} {
			packed := packSample(&want)
			if got, err := unpackSample(packed); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
			for n := range packed {
				if _, err := unpackSample(packed[:n]); !errors.Is(err, store.ErrCorrupt) {
					t.Errorf("a sample cut after %d bytes: %v", n, err)
				}
			}
		}
	}
	old := sample{status: store.StatusOK, duration: full.Duration} // from before it was out of bounds
	if got, err := unpackSample(packSample(&old)); err != nil || !got.duration.IsZero() {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(packRow(&store.EventRow{Name: "n"}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = unpackSample(data)
		if row, err := unpackRow(data, names{}); err == nil {
			again, err := unpackRow(packRow(&row), names{})
			if err != nil || again.Name != row.Name || again.ID != row.ID {
				t.Errorf("got %v, %v, want %v", again, err, row)
			}
		}
	})
}

// FuzzMatch looks for any text: SQLite must take what match makes of it.
func FuzzMatch(f *testing.F) {
	s := openIn(f, f.TempDir()).(*Store)
	f.Cleanup(func() { _ = s.Close() })
	for _, text := range []string{"word", `"a phrase" AND x*`, `NEAR(a b) {col}: ^x - "`, "漢字\x00\xff*"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := s.Sessions(t.Context(), store.SessionQuery{Filter: store.Filter{Text: text}}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// TestPragmas sees that the file and the writer are what durability and the
// rest rely on.
func TestPragmas(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // made, and opened again
		s := openIn(t, dir).(*Store)
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "page_size": "8192", "auto_vacuum": "2", "application_id": "1936945262",
		} {
			var got string
			bare(t, s, func(w *writer) error { // between transactions
				return w.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got)
			})
			if got != want {
				t.Errorf("%s is %s, want %s", pragma, got, want)
			}
		}
		if _, err := s.read.ExecContext(t.Context(), "DELETE FROM session"); err == nil {
			t.Error("a reader can write")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*-wal")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
