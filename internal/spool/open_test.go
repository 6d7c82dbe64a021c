//go:build unix && !solaris && !aix

package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOpenRefuses(t *testing.T) {
	base := t.TempDir()
	plain := filepath.Join(base, "plain")
	check(t, os.Mkdir(plain, 0o700))
	link := filepath.Join(base, "link")
	check(t, os.Symlink(plain, link))
	open := filepath.Join(base, "open")
	check(t, os.Mkdir(open, 0o700))
	check(t, os.Chmod(open, 0o770))
	file := filepath.Join(base, "file")
	check(t, os.WriteFile(file, nil, 0o600))
	foreign := filepath.Join(base, "foreign")
	check(t, os.Mkdir(foreign, 0o700))
	tests := []struct{ dir, want string }{
		{link, "symbolic link"},
		{open, "written by other users"},
		{file, "no directory"},
	}
	if os.Geteuid() == 0 {
		check(t, os.Chown(foreign, 12345, 12345))
		tests = append(tests, struct{ dir, want string }{foreign, "another user"})
	}
	for _, tt := range tests {
		l, err := Open(tt.dir, Options{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.dir, err)
		}
		if l != nil {
			check(t, l.Close())
		}
		if _, err := Orphans(tt.dir, Options{}); err == nil {
			t.Errorf("orphans in %s", tt.dir)
		}
		if err := OpenAside(tt.dir, Options{}).Write([]byte("{}")); err == nil {
			t.Errorf("lines in %s", tt.dir)
		}
	}
	if logs, err := Orphans(filepath.Join(base, "none"), Options{}); err != nil || logs != nil {
		t.Errorf("%v, %v", logs, err)
	}
}

func TestModes(t *testing.T) {
	old := syscall.Umask(0o277)
	defer syscall.Umask(old)
	base := t.TempDir()
	check(t, os.Chmod(base, 0o755))
	dir := filepath.Join(base, "a", "b")
	l, err := Open(dir, Options{})
	check(t, err)
	defer func() { check(t, l.Close()) }()
	for _, name := range []string{filepath.Dir(dir), dir, l.Dir()} {
		info, err := os.Stat(name)
		check(t, err)
		if !hasMode(info, 0o700) {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if info, err := os.Stat(base); err != nil || !hasMode(info, 0o755) {
		t.Errorf("the directory that was there has mode %v, error %v", info.Mode(), err)
	}
}

// TestForeignFiles leaves alone what is not of a log.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir() + "/d"
	l, err := Open(dir, Options{MinFree: -1})
	check(t, err)
	check(t, l.Append(entries(1, 1, 1)))
	kill(t, l)
	other := filepath.Join(l.Dir(), "notes.txt")
	check(t, os.WriteFile(other, []byte("x"), 0o600))
	away := t.TempDir()
	check(t, os.WriteFile(filepath.Join(away, segmentName(1)), []byte("x"), 0o600))
	check(t, os.Symlink(away, filepath.Join(dir, strings.Repeat("ab", 16))))
	check(t, os.Symlink(filepath.Join(away, segmentName(1)), filepath.Join(l.Dir(), segmentName(7))))
	check(t, os.Mkdir(filepath.Join(dir, "other"), 0o700))
	wide := filepath.Join(dir, strings.Repeat("cd", 16))
	check(t, os.Mkdir(wide, 0o700))
	check(t, os.Chmod(wide, 0o777))

	logs, err := Orphans(dir, Options{})
	check(t, err)
	if len(logs) != 1 {
		t.Fatalf("%d orphans", len(logs))
	}
	logs[0].Done(1)
	check(t, logs[0].Close())
	var left []string
	check(t, filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		left = append(left, rel)
		return err
	}))
	id := filepath.Base(l.Dir())
	want := map[string]bool{
		".": true, id: true, id + "/notes.txt": true, id + "/" + segmentName(7): true,
		strings.Repeat("ab", 16): true, strings.Repeat("cd", 16): true, "other": true,
	}
	got := map[string]bool{}
	for _, name := range left {
		got[name] = true
	}
	diff(t, want, got)
	if logs, err := Orphans(dir, Options{}); err != nil || len(logs) > 0 {
		t.Errorf("%d orphans, error %v", len(logs), err)
	}
	if _, err := os.Stat(filepath.Join(away, segmentName(1))); err != nil {
		t.Error(err)
	}
}

func TestFull(t *testing.T) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m, MaxBytes: 10_000})
	check(t, err)
	n := 0
	for ; ; n++ {
		if err = l.Append(entries(n, 1, 1000)); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrFull) || n < 8 || l.Bytes() > 10_000 || l.Live() != int64(n) {
		t.Errorf("%d appended, %d bytes, error %v", n, l.Bytes(), err)
	}
	var size int
	for _, b := range m.files() {
		size += len(b)
	}
	if int64(size) != l.Bytes() {
		t.Errorf("Bytes is %d of %d", l.Bytes(), size)
	}
	for seq := range uint64(100) { // some are not known
		l.Done(seq, seq)
		l.Done(seq / 2)
	}
	if l.Live() != 0 {
		t.Errorf("%d are live", l.Live())
	}
	now := epoch
	for due := l.MaintainDue(now); !due.IsZero(); due = l.MaintainDue(now) {
		now = due
		check(t, l.Maintain(now))
	}
	if l.Bytes() > 200 {
		t.Errorf("%d bytes are left", l.Bytes())
	}
	check(t, l.Append(entries(n, 1, 1000)))
	if err := l.Append(entries(n, 1, 20_000)); !errors.Is(err, ErrFull) {
		t.Errorf("error %v", err)
	}

	m.free = 256<<20 + 5000
	l, err = Open("/d/x", Options{FS: m})
	check(t, err)
	if err := l.Append(entries(1, 1, 6000)); !errors.Is(err, ErrFull) {
		t.Errorf("error %v", err)
	}
	check(t, l.Append(entries(1, 1, 4000)))
	m.free -= 4000
	if err := l.Append(entries(1, 1, 1000)); !errors.Is(err, ErrFull) {
		t.Errorf("error %v", err)
	}
}

func TestSyncDue(t *testing.T) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m, SyncEvery: 5 * time.Second, SyncBytes: 1000})
	check(t, err)
	if due := l.SyncDue(time.Now()); !due.IsZero() {
		t.Errorf("due %v", due)
	}
	before := time.Now()
	check(t, l.Append(entries(1, 1, 10)))
	after := time.Now()
	if due := l.SyncDue(after); due.Before(before.Add(5*time.Second)) || due.After(after.Add(5*time.Second)) {
		t.Errorf("due %v after %v", due, after)
	}
	check(t, l.Append(entries(1, 1, 1000)))
	if due := l.SyncDue(after); !due.Equal(after) {
		t.Errorf("due %v", due)
	}
	check(t, l.Sync())
	if due := l.SyncDue(after); !due.IsZero() {
		t.Errorf("due %v", due)
	}
	check(t, l.Close())
	if err := l.Append(entries(1, 1, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v", err)
	}
	if _, err := l.Reader(0).Next(1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// BenchmarkAppend appends 64 entries of 2 KB at a time; BenchmarkWrite writes the
// same bytes to a file.
func BenchmarkAppend(b *testing.B) {
	for _, always := range []bool{false, true} {
		b.Run(fmt.Sprintf("always=%v", always), func(b *testing.B) {
			l, err := Open(b.TempDir()+"/d", Options{MinFree: -1, MaxBytes: 1 << 40, SyncAlways: always})
			check(b, err)
			batch := entries(1, 64, 2000)
			b.SetBytes(64 * (2000 + headerSize))
			b.ReportAllocs()
			for b.Loop() {
				check(b, l.Append(batch))
			}
			b.StopTimer()
			for _, s := range l.segments {
				l.Done(seqRange(s, l)...)
			}
			check(b, l.Close())
		})
	}
}

func seqRange(s *segment, l *Log) (seqs []uint64) {
	for _, x := range l.extents {
		for seq := x.first; x.segment == s && seq <= x.last; seq++ {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

func BenchmarkWrite(b *testing.B) {
	for _, every := range []int{16, 1} { // 2 MiB are 16 batches
		b.Run(fmt.Sprintf("sync=%d", every), func(b *testing.B) {
			f, err := os.OpenFile(b.TempDir()+"/f", os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
			check(b, err)
			batch := make([]byte, 64*(2000+headerSize))
			b.SetBytes(int64(len(batch)))
			b.ReportAllocs()
			for n := 1; b.Loop(); n++ {
				_, err := f.Write(batch)
				check(b, err)
				if n%every == 0 {
					check(b, f.Sync())
				}
			}
			check(b, f.Close())
		})
	}
}

func BenchmarkRead(b *testing.B) {
	l, err := Open(b.TempDir()+"/d", Options{MinFree: -1})
	check(b, err)
	for range 256 {
		check(b, l.Append(entries(1, 64, 2000)))
	}
	b.SetBytes(256 * 64 * 2068)
	for b.Loop() {
		for r := l.Reader(0); ; {
			got, err := r.Next(1 << 20)
			check(b, err)
			if len(got) == 0 {
				break
			}
		}
	}
	check(b, l.Close())
}

func BenchmarkDone(b *testing.B) {
	l, err := Open("/d/x", Options{FS: newMemFS(1)})
	check(b, err)
	check(b, l.Append(make([]Entry, 1<<16)))
	seq := uint64(0)
	for b.Loop() {
		seq++
		l.Done(seq % (1 << 16))
	}
}

// TestLockOfRemovedFile does not take a lock that its holder has removed.
func TestLockOfRemovedFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), lockName)
	first, err := OS.Lock(name)
	check(t, err)
	if _, err := OS.Lock(name); !errors.Is(err, ErrLocked) {
		t.Errorf("error %v", err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	check(t, err)
	defer func() { check(t, f.Close()) }()
	check(t, first.Remove())
	if err := takeLock(f, name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	second, err := OS.Lock(name)
	check(t, err)
	if err := takeLock(f, name); !errors.Is(err, ErrLocked) {
		t.Errorf("error %v", err)
	}
	check(t, second.Unlock())
}

// TestOpenAgain takes another name if the new directory is taken for an orphan.
func TestOpenAgain(t *testing.T) {
	m := newMemFS(1)
	locks := 0
	m.fail = func(op, _ string) error {
		if op == "lock" {
			if locks++; locks == 1 {
				return ErrLocked
			}
		}
		return nil
	}
	l, err := Open("/d/x", Options{FS: m})
	check(t, err)
	check(t, l.Close())
	if files := m.files(); locks != 2 || len(files) > 0 {
		t.Errorf("%d locks, files %v", locks, files)
	}
}

// TestFullSmall gives back the room of a small active segment when it is wanted.
func TestFullSmall(t *testing.T) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m, MaxBytes: 10_000})
	check(t, err)
	check(t, l.Append(entries(1, 1, 300)))
	l.Done(1)
	check(t, l.Maintain(epoch))
	if due := l.MaintainDue(epoch); !due.IsZero() {
		t.Errorf("due %v", due)
	}
	if err := l.Append(entries(2, 1, 9700)); !errors.Is(err, ErrFull) {
		t.Errorf("error %v", err)
	}
	check(t, l.Maintain(l.MaintainDue(epoch)))
	check(t, l.Append(entries(2, 1, 9700)))
}
