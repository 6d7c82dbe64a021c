package sqlite

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// TestFallback asks for what a session has of a large event: it is what the event says,
// and is found without its text, unless that is of an earlier version.
func TestFallback(t *testing.T) {
	s := openIn(t, t.TempDir()).(*Store)
	defer func() { _ = s.Close() }()
	long := strings.Repeat("some words ", 2<<20/11)
	for i, c := range []struct {
		name    string
		event   honeyhive.Event
		without bool // there is no such part
	}{
		{"a question behind a text", honeyhive.Event{
			EventName: honeyhive.Some("agent"), Inputs: honeyhive.Value(`{"context":"` + long + `","question":"why?"}`).Object(),
			Outputs: honeyhive.Value(`{"answer":"therefore"}`).Object(), UserProperties: honeyhive.Value(`{"user_id":"ann"}`).Object(),
		}, false},
		{"an answer that is long", honeyhive.Event{Outputs: honeyhive.Value(`{"answer":"` + long + `"}`).Object()}, false},
		{"nothing but metadata", honeyhive.Event{Metadata: honeyhive.Value(`{"text":"` + long + `"}`).Object()}, false},
		{"a name that is long", honeyhive.Event{EventName: honeyhive.Some(long)}, true},
		{"a user that is long", honeyhive.Event{UserProperties: honeyhive.Value(`{"user_id":"` + long + `"}`).Object()}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := holdEvent(t, i, nil)
			c.event.EventID, c.event.SessionID, c.event.EventType = w.Event.EventID, w.Event.SessionID, w.Event.EventType
			holdWrite(t, s, store.Write{Event: &c.event})
			id, want := parse(t, w.Event.EventID), record.FallbackOf(&c.event, &c.event)
			check := func(wantErr error) {
				t.Helper()
				got, err := fallback(t.Context(), s.read, id)
				if !errors.Is(err, wantErr) || err == nil && !cmp.Equal(got, want) {
					t.Errorf("got %v, %v; want %v, %v", got, err, want, wantErr)
				}
			}
			check(nil)
			var b body
			change := func(query string, args ...any) {
				bare(t, s, func(w *writer) error { return w.transaction(func(w *writer) error { return w.exec(query, args...) }) })
			}
			bare(t, s, func(w *writer) error {
				var column []byte
				err := w.scan(`SELECT payload FROM record WHERE id = ?`, []any{id[:]}, &column)
				b, _ = bodyOf(column)
				return err
			})
			var broken error
			if c.without {
				broken = store.ErrCorrupt
			}
			change(`UPDATE body SET part = x'' WHERE key = ?`, b.key(wordsPart+1)) // it is not read
			check(broken)
			change(`DELETE FROM body WHERE key = ?`, b.key(fallbackPart))
			check(store.ErrCorrupt)
		})
	}
}
