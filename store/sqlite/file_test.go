//go:build unix

package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sessionspan/sessionspan/store"
)

// TestFileModes takes the rights of others away from files that are there.
func TestFileModes(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	if err := s.Write(t.Context(), crashWrite(0, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-lock", "-wal", "-shm"} {
		name := filepath.Join(dir, "sessions.db"+end)
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		if err == nil {
			err = errors.Join(f.Close(), os.Chmod(name, 0o666))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s = openIn(t, dir)
	defer func() { _ = s.Close() }()
	if err := s.Write(t.Context(), crashWrite(0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

// TestFileRefused opens what others have, or could get, their hands on. Nothing is
// made then where a link leads to, and what is there stays as it is.
func TestFileRefused(t *testing.T) {
	const precious = "of somebody's"
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string) error
		text    string
	}{
		"a folder that all can write to": {func(_ *testing.T, dir string) error {
			for up := filepath.Dir(dir); strings.HasPrefix(up, os.TempDir()+"/"); up = filepath.Dir(up) {
				if err := os.Chmod(up, 0o755); err != nil {
					return err
				}
			}
			return os.Chmod(dir, 0o777)
		}, "chmod go-w"},
		"a folder of another user": {func(t *testing.T, dir string) error {
			if os.Geteuid() != 0 {
				t.Skip("only the superuser can give a folder away")
			}
			return os.Chown(dir, 12345, 12345)
		}, "belongs to another user"},
		"a file of another user": {func(t *testing.T, dir string) error {
			if os.Geteuid() != 0 {
				t.Skip("only the superuser can give a file away")
			}
			path := filepath.Join(dir, "x.db")
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chown(path, 12345, 12345))
		}, "belongs to another user"},
		"a link that leads nowhere": {func(_ *testing.T, dir string) error {
			return os.Symlink(filepath.Join(dir, "planted"), filepath.Join(dir, "x.db"))
		}, "a symbolic link to a file that is not there"},
		"a lock that is a link that leads nowhere": {func(_ *testing.T, dir string) error {
			return os.Symlink(filepath.Join(dir, "planted"), filepath.Join(dir, "x.db-lock"))
		}, "is a symbolic link: remove it"},
		"a lock that is a link": {func(_ *testing.T, dir string) error {
			return os.Symlink(filepath.Join(dir, "precious"), filepath.Join(dir, "x.db-lock"))
		}, "is a symbolic link: remove it"},
		"a log that is a link": {func(_ *testing.T, dir string) error {
			return os.Symlink(filepath.Join(dir, "precious"), filepath.Join(dir, "x.db-wal"))
		}, "is a symbolic link: remove it"},
		"a journal that is a link": {func(_ *testing.T, dir string) error {
			return os.Symlink(filepath.Join(dir, "precious"), filepath.Join(dir, "x.db-journal"))
		}, "is a symbolic link: remove it"},
		"a pipe": {func(_ *testing.T, dir string) error {
			return syscall.Mkfifo(filepath.Join(dir, "x.db"), 0o600)
		}, "no ordinary file"},
		"a second name": {func(_ *testing.T, dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "y.db"), nil, 0o600), os.Link(filepath.Join(dir, "y.db"), filepath.Join(dir, "x.db")))
		}, "a hard link"},
		"links in a circle": {func(_ *testing.T, dir string) error {
			return os.Symlink(filepath.Join(dir, "x.db"), filepath.Join(dir, "x.db"))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			path := filepath.Join(dir, "x.db")
			err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "precious"), []byte(precious), 0o600), c.prepare(t, dir))
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), path)
			if err == nil {
				_ = s.Close()
				t.Fatal("it opens")
			}
			if !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got the error %q", err)
			}
			if _, err := os.Lstat(filepath.Join(dir, "planted")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a file was made where a link leads to: %v", err)
			}
			if content, err := os.ReadFile(filepath.Join(dir, "precious")); err != nil || string(content) != precious {
				t.Errorf("the other file is %q, %v", content, err)
			}
		})
	}
}

// TestFileFolders opens files in folders that others may see, but not use.
func TestFileFolders(t *testing.T) {
	for name, mode := range map[string][2]fs.FileMode{
		"of one's own":                    {0o755, 0o700},
		"that others read":                {0o755, 0o755},
		"of one's own group":              {0o755, 0o775},
		"for all, in a closed one":        {0o700, 0o777},
		"for all, each for his own files": {0o755, 0o777 | fs.ModeSticky},
	} {
		t.Run(name, func(t *testing.T) {
			outer := filepath.Join(t.TempDir(), "outer")
			dir := filepath.Join(outer, "inner")
			if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, mode[1]), os.Chmod(outer, mode[0])); err != nil {
				t.Fatal(err)
			}
			if err := openIn(t, dir).Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFileNames opens a file by two names: it is in use, or refused.
func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "real")
	if err := errors.Join(os.Mkdir(folder, 0o700), os.Symlink(folder, filepath.Join(dir, "folder"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "x.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	soft, again := filepath.Join(dir, "soft.db"), filepath.Join(dir, "again.db")
	if err := errors.Join(os.Symlink(path, soft), os.Symlink(soft, again)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{soft, again, filepath.Join(dir, "folder", "x.db")} {
		if second, err := Open(t.Context(), name); !errors.Is(err, store.ErrInUse) {
			t.Errorf("%s: got the error %v", name, err)
			if err == nil {
				_ = second.Close()
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// By a link the same file is used, with its log and its lock beside it.
	if s, err = Open(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), crashWrite(0, 0, 0)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{soft + "-lock", soft + "-wal", again + "-lock", again + "-wal"} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("there is %s: %v", name, err)
		}
	}
	hard := filepath.Join(dir, "hard.db")
	if err := os.Link(path, hard); err != nil {
		t.Fatal(err)
	}
	if second, err := Open(t.Context(), hard); err == nil || !strings.Contains(err.Error(), "hard link") {
		t.Errorf("by a hard link: got the error %v", err)
		if err == nil {
			_ = second.Close()
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
