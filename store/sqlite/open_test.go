package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/store"
)

// execute runs statements on a file, behind the store's back.
func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	write := func(t *testing.T, path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string) string // returns the path
		want    error
		text    string
	}{
		"in use": {func(t *testing.T, dir string) string {
			s := openIn(t, dir)
			t.Cleanup(func() { _ = s.Close() })
			return filepath.Join(dir, "sessions.db")
		}, store.ErrInUse, "another process has it open"},
		"newer schema": {func(t *testing.T, dir string) string {
			_ = openIn(t, dir).Close()
			path := filepath.Join(dir, "sessions.db")
			execute(t, path, fmt.Sprintf(`PRAGMA user_version = %d`, len(migrations)+1))
			return path
		}, store.ErrNewerSchema, fmt.Sprintf("version %d, this program knows %d", len(migrations)+1, len(migrations))},
		"no database": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "x.db")
			write(t, path, []byte(strings.Repeat("no database at all\n", 1000)))
			return path
		}, store.ErrCorrupt, "damaged"},
		"another program's": {func(t *testing.T, dir string) string {
			path := filepath.Join(dir, "x.db")
			execute(t, path, `CREATE TABLE other (a)`)
			return path
		}, store.ErrCorrupt, "another program"},
		"damaged": {func(t *testing.T, dir string) string {
			_ = openIn(t, dir).Close()
			path := filepath.Join(dir, "sessions.db")
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 100; i < len(content); i++ { // all but the header
				content[i] = 0xa5
			}
			write(t, path, content)
			return path
		}, store.ErrCorrupt, "damaged"},
		"a file for a folder": {func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "file"), nil)
			return filepath.Join(dir, "file", "below", "sessions.db")
		}, nil, "file"},
		"a folder for a file": {func(_ *testing.T, dir string) string { return dir }, nil, "directory"},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && c.want == nil {
				c.text = "" // the system says it in other words
			}
			path := c.prepare(t, t.TempDir())
			s, err := Open(t.Context(), path)
			if err == nil {
				_ = s.Close()
				t.Fatal("it opens")
			}
			if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), path) {
				t.Errorf("got the error %q", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error %q has several lines", err)
			}
		})
	}
}

// TestOpenAgain opens a store after one that could not be opened, and after one
// that was closed.
func TestOpenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder with #?% ü")
	first := openIn(t, dir)
	if _, err := Open(t.Context(), filepath.Join(dir, "sessions.db")); !errors.Is(err, store.ErrInUse) {
		t.Errorf("got the error %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := openIn(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for _, name := range []string{"sessions.db", "sessions.db-lock", "."} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", name, info.Mode())
		}
	}
}

func TestDefaultPath(t *testing.T) {
	home := func() (string, error) { return "/home/u", nil }
	none := func() (string, error) { return "", errors.New("no home") }
	for name, c := range map[string]struct {
		system string
		env    map[string]string
		home   func() (string, error)
		want   string
	}{
		"linux":              {"linux", nil, home, "/home/u/.local/share"},
		"linux, set":         {"linux", map[string]string{"XDG_DATA_HOME": "/data"}, none, "/data"},
		"linux, relative":    {"linux", map[string]string{"XDG_DATA_HOME": "data"}, home, "/home/u/.local/share"},
		"linux without home": {"linux", nil, none, ""},
		"macOS":              {"darwin", map[string]string{"XDG_DATA_HOME": "/data"}, home, "/home/u/Library/Application Support"},
		"Windows":            {"windows", map[string]string{"LocalAppData": `C:\data`}, none, `C:\data`},
		"Windows, not set":   {"windows", nil, home, ""},
	} {
		if runtime.GOOS == "windows" && c.system != "windows" {
			continue // paths of another system
		}
		got, err := dataDir(c.system, func(k string) string { return c.env[k] }, c.home)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	if path, err := DefaultPath(); err != nil || filepath.Base(path) != "sessions.db" {
		t.Errorf("got %q, %v", path, err)
	}
}

// TestDamageLater damages a file behind its schema: to open it, or else to write to
// it, fails with an error that says so.
func TestDamageLater(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	var batch []store.Write
	for i := range 300 {
		batch = append(batch, crashWrite(0, 0, i)...)
	}
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sessions.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 5 * 8192; i < len(content); i++ { // the pages of the schema stay
		content[i] ^= 0x5a
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), path)
	if err == nil {
		err = s.Write(t.Context(), crashWrite(1, 1, 0))
		_ = s.Close()
	}
	if !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("got the error %v", err)
	}
}
