package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// A secret is a word by chance. The index writes words in lower case, and leaves out
// what a word has in common with the beginning of the one before.
func secret() string {
	b := make([]byte, 24)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[rand.IntN(26)]
	}
	return string(b)
}

// found returns which words are in the files of a store, in upper or lower case, whole
// or but for their beginnings, and in which file.
func found(t *testing.T, dir string, words map[string]string) (list []string) {
	t.Helper()
	for _, name := range []string{"sessions.db", "sessions.db-wal", "sessions.db-shm", "sessions.db-lock"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		content = bytes.ToUpper(content)
		for what, word := range words {
			if bytes.Contains(content, []byte(word[8:])) {
				list = append(list, what+" in "+name)
			}
		}
	}
	return list
}

// TestScrub deletes sessions among others, with secrets in all that a store keeps, and
// looks for them in the bytes of its files.
func TestScrub(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir).(*Store)
	defer func() { _ = s.Close() }()
	words := make(map[string]string)
	word := func(what string) string {
		words[what] = secret()
		return words[what]
	}
	object := func(key, what string, more int) honeyhive.Object {
		o, err := honeyhive.ObjectOf(map[string]any{key: strings.Repeat("much ", more) + word(what) + strings.Repeat(" more", more)})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	kept := secret()
	id := func(i int) honeyhive.UUID { return honeyhive.SessionID("scrub", fmt.Sprint(i)) }
	gone, joined, waits := id(1), id(2), id(3)
	write := func(batch ...store.Write) {
		t.Helper()
		holdWrite(t, s, batch...)
	}
	some := func(id honeyhive.UUID) honeyhive.Optional[string] { return honeyhive.Some(id.String()) }
	write(store.Write{Session: &honeyhive.SessionStartRequest{
		SessionID: some(gone), SessionName: honeyhive.Some(word("name")), Project: honeyhive.Some(word("project")), Source: honeyhive.Some(word("source")),
		Inputs: object("q", "question", 0), UserProperties: object("user_id", "user", 0), Error: honeyhive.Some(word("error")),
	}})
	write(store.Write{Update: &honeyhive.Update{EventID: some(gone), Metadata: object(word("key"), "replaced", 0)}})
	write(store.Write{Update: &honeyhive.Update{EventID: some(waits), Metadata: object("k", "update that waits", 0)}})
	event := func(i int, session honeyhive.UUID, inputs honeyhive.Object) store.Write {
		return store.Write{Event: &honeyhive.Event{EventID: some(id(100 + i)), SessionID: some(session), EventType: honeyhive.Some(honeyhive.TypeModel), Inputs: inputs, Duration: honeyhive.Some(1.0)}}
	}
	for i := range 200 {
		batch := []store.Write{event(1000+i, id(10+i%20), honeyhive.Value(fmt.Sprintf(`{"text":"ordinary words %d %s"}`, i, kept)).Object())}
		if i%20 == 0 {
			batch = append(batch, event(i, gone, object("text", fmt.Sprint("event ", i), 200)))
		}
		write(batch...)
	}
	write(event(50, gone, object("text", "large event", 300_000)))
	write(store.Write{Update: &honeyhive.Update{EventID: some(id(150)), Outputs: object("text", "large update", 300_000)}})
	write(store.Write{Update: &honeyhive.Update{EventID: some(id(150)), Outputs: object("text", "second large update", 300_000)}})
	write(
		store.Write{Join: &store.Join{From: joined, To: gone, Trace: joined, Name: word("title"), Text: word("strong name"), Project: word("project of a join")}},
		store.Write{Edge: &store.Edge{Span: id(500), Parent: id(160), Trace: joined, Step: event(500, joined, object("text", "step", 0)).Event}},
		event(60, joined, object("text", "joined event", 0)),
	)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(found(t, dir, words)); n < len(words) {
		t.Fatalf("only %d of %d secrets are in the files: nothing was tested", n, len(words))
	}
	if err := s.Delete(t.Context(), gone, waits); err != nil {
		t.Fatal(err)
	}
	// A read that runs still sees all of it, and is not disturbed.
	rows, err := s.read.QueryContext(t.Context(), `SELECT pk FROM record UNION ALL SELECT pk FROM record`)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := s.Scrub(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("while a read needs the log: %v", err)
	}
	n := 1
	for rows.Next() {
		n++
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || n < 400 {
		t.Errorf("the read got %d rows, %v", n, err)
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := found(t, dir, words); left != nil {
		t.Errorf("%d secrets are left: %v", len(left), left)
	}
	if len(found(t, dir, map[string]string{"kept": kept})) == 0 {
		t.Error("what was not deleted is not found either")
	}
	page, err := s.Sessions(t.Context(), store.SessionQuery{Filter: store.Filter{Text: kept}, Limit: 50})
	if err != nil || len(page.Sessions) != 20 {
		t.Errorf("the search finds %d sessions, %v", len(page.Sessions), err)
	}
	checkTables(t, s)
	if err := s.Scrub(t.Context()); err != nil { // nothing is left to do
		t.Error(err)
	}
}

// TestLogAfterDeletion waits until the log is cut, which nobody asks for.
func TestLogAfterDeletion(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir).(*Store)
	defer func() { _ = s.Close() }()
	text := secret()
	for i := range 3 {
		holdWrite(t, s, holdEvent(t, i, map[string]any{"text": text + strings.Repeat(" words", 1000)}))
	}
	if err := s.Delete(t.Context(), honeyhive.SessionID("hold", "session")); err != nil {
		t.Fatal(err)
	}
	for size := int64(1); size > 0; {
		var err error
		if size, err = s.w.log.size(); err != nil {
			t.Fatal(err)
		}
		if err := s.pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLogOfAKilledProcess opens a store that was killed after a deletion, before its log
// was cut.
func TestLogOfAKilledProcess(t *testing.T) {
	from, dir := t.TempDir(), t.TempDir()
	s := openIn(t, from).(*Store)
	defer func() { _ = s.Close() }()
	bare(t, s, func(w *writer) error { w.committed = nil; return nil }) // there are no checkpoints
	text := secret()
	holdWrite(t, s, holdEvent(t, 0, map[string]any{"text": strings.Repeat(text, 1000)}))
	if err := s.Delete(t.Context(), honeyhive.SessionID("hold", "session")); err != nil {
		t.Fatal(err)
	}
	swept(t, s)
	bare(t, s, func(*writer) error {
		for _, name := range []string{"sessions.db", "sessions.db-wal"} {
			content, err := os.ReadFile(filepath.Join(from, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), content, 0o600)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if found(t, dir, map[string]string{"text": text}) == nil {
		t.Fatal("the text is not in the log: nothing was tested")
	}
	killed := openIn(t, dir).(*Store)
	defer func() { _ = killed.Close() }()
	for left := []string{""}; left != nil; left = found(t, dir, map[string]string{"text": text}) {
		if err := killed.pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}
