package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T, path string) *Log {
	t.Helper()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func lines(t *testing.T, l *Log) []Entry {
	t.Helper()
	var out bytes.Buffer
	if _, err := l.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	var list []Entry
	for line := range strings.Lines(out.String()) {
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		list = append(list, e)
	}
	return list
}

// TestBounds keeps the last entries, in their order, in a few files.
func TestBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path)
	l.max = 2000
	const all = 500
	for n := range all {
		if err := l.Add(&Entry{Action: Read, Caller: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
	list := lines(t, l)
	for i, e := range list {
		if e.Caller != fmt.Sprint(all-len(list)+i) || e.Time.IsZero() {
			t.Fatalf("entry %d of %d is %+v", i, len(list), e)
		}
	}
	files, _ := filepath.Glob(path + "*")
	total := int64(0)
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if total += info.Size(); info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", name, info.Mode())
		}
	}
	if len(files) != maxOlder+1 || total > (maxOlder+1)*2000 || total < maxOlder*1800 {
		t.Errorf("%d files of %d bytes, %d entries", len(files), total, len(list))
	}
	again := open(t, path)
	if err := again.Add(&Entry{Action: Read, Caller: "more"}); err != nil {
		t.Fatal(err)
	}
	if list := lines(t, again); list[len(list)-1].Caller != "more" {
		t.Error("it is not added behind the others")
	}
}

// TestTornLine goes on in a line of its own behind what a kill has left.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(`{"action":"re`), 0o644); err != nil {
		t.Fatal(err)
	}
	l := open(t, path)
	if err := l.Add(&Entry{Action: Erase, Caller: "c"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != 2 || !strings.Contains(string(text), "\n{\"time\"") {
		t.Errorf("%s %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// TestSubject can be told by who knows it, and by nobody else.
func TestSubject(t *testing.T) {
	var a, b Entry
	a.Of(User, "ann@example.com")
	b.Of(User, "ann@example.com")
	text, err := json.Marshal(&a)
	if err != nil || strings.Contains(string(text), "ann") || a.Subject == b.Subject {
		t.Errorf("%s %v", text, err)
	}
	var read Entry
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if !read.About(User, "ann@example.com") || read.About(User, "bob") || read.About(Session, "ann@example.com") || new(Entry).About("", "") {
		t.Error("it is about the wrong one")
	}
}
