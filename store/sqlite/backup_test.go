package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// pair is a session with an event, in one batch: a copy has both, or neither.
func pair(i int) []store.Write {
	session, event := honeyhive.NewUUID().String(), honeyhive.NewUUID().String()
	o, err := honeyhive.ObjectOf(map[string]any{"q": strings.Repeat(fmt.Sprintf("word%d ", i), 200)})
	if err != nil {
		panic(err)
	}
	return []store.Write{
		{Session: &honeyhive.SessionStartRequest{SessionID: honeyhive.Some(session), SessionName: honeyhive.Some(fmt.Sprint(i)), StartTime: honeyhive.Some(float64(i)), Inputs: o}},
		{Event: &honeyhive.Event{EventID: honeyhive.Some(event), SessionID: honeyhive.Some(session), EventType: honeyhive.Some("tool"), EventName: honeyhive.Some("t"), Inputs: o}},
	}
}

// TestBackup copies a store while others write to it. Each copy is one moment of it: it
// has all that was written before, in whole batches, opens, and can be searched.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir).(*Store)
	defer func() { _ = s.Close() }()
	var written, during atomic.Int64
	var copying atomic.Bool
	writeOne := func(ctx context.Context) error {
		n, beside := int(written.Load()), copying.Load()
		if err := s.Write(ctx, pair(n)); err != nil {
			return err
		}
		written.Add(1)
		if beside && copying.Load() {
			during.Add(1)
		}
		return nil
	}
	for range 50 {
		if err := writeOne(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := writeOne(context.WithoutCancel(ctx)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for i := range 3 {
		copied := filepath.Join(dir, fmt.Sprintf("copy %d?&#.db", i))
		least := written.Load()
		copying.Store(true)
		if err := s.Backup(t.Context(), copied); err != nil {
			t.Fatal(err)
		}
		copying.Store(false)
		if err := Check(t.Context(), copied); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(copied); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if left, _ := filepath.Glob(copied[:len(copied)-6] + "*-*"); len(left) != 0 {
			t.Errorf("files beside the copy: %q", left)
		}
		opened, err := Open(t.Context(), copied)
		if err != nil {
			t.Fatal(err)
		}
		info, err := opened.Info(t.Context())
		if err != nil || info.Sessions < least || info.Sessions != info.Events {
			t.Errorf("a copy of at least %d sessions: %+v, %v", least, info, err)
		}
		found, err := opened.Sessions(t.Context(), store.SessionQuery{Filter: store.Filter{Text: "word7"}})
		if err := errors.Join(err, opened.Sync(t.Context())); err != nil || len(found.Sessions) != 1 && info.Unindexed == 0 {
			t.Errorf("the search in a copy: %d, %v", len(found.Sessions), err)
		}
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if during.Load() == 0 {
		t.Error("nobody wrote while a copy was made")
	}
}

// TestBackupErrors: nothing is overwritten, and no part of a copy stays.
func TestBackupErrors(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir).(*Store)
	taken := filepath.Join(dir, "taken")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), taken); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if b, err := os.ReadFile(taken); err != nil || string(b) != "mine" {
		t.Errorf("the file is %q, %v", b, err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "none", "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("into no folder: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	broken := filepath.Join(dir, "broken")
	if err := s.Backup(ended, broken); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	if _, err := os.Stat(broken); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left a file: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), broken); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
}

// TestCheck finds what Open would not open, and a page that is damaged.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir).(*Store)
	for i := range 200 {
		if err := s.Write(t.Context(), pair(i)); err != nil {
			t.Fatal(err)
		}
	}
	good := filepath.Join(dir, "good.db")
	if err := errors.Join(s.Backup(t.Context(), good), s.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	damage := func(name string, change func([]byte) []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, change(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	newer := damage("newer", func(b []byte) []byte { return b })
	execute(t, newer, fmt.Sprintf(`PRAGMA user_version = %d`, len(migrations)+1))
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"good":     {good, nil},
		"none":     {filepath.Join(dir, "none"), os.ErrNotExist},
		"empty":    {damage("empty", func([]byte) []byte { return nil }), store.ErrCorrupt},
		"text":     {damage("text", func([]byte) []byte { return []byte(strings.Repeat("text ", 5000)) }), store.ErrCorrupt},
		"cut":      {damage("cut", func(b []byte) []byte { return b[:len(b)/2] }), store.ErrCorrupt},
		"a page":   {damage("page", func(b []byte) []byte { clear(b[5*8192 : 40*8192]); return b }), store.ErrCorrupt},
		"newer":    {newer, store.ErrNewerSchema},
		"a folder": {dir, store.ErrCorrupt},
	} {
		err := Check(t.Context(), c.path)
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
			if name != "a folder" || err == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
