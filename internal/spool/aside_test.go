package spool

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	a := OpenAside(dir, Options{})
	check(t, a.Write([]byte(`{"a":1}`)))
	check(t, a.Write([]byte("{\"a\":2}\n")))
	name := filepath.Join(dir, asideName)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	check(t, err)
	_, err = f.WriteString(`{"half`)
	check(t, err)
	check(t, f.Close())
	check(t, a.Write([]byte(`{"a":3}`)))
	if err := a.Write([]byte("a\nb")); err == nil {
		t.Error("two lines were written as one")
	}
	b, err := os.ReadFile(name)
	check(t, err)
	diff(t, "{\"a\":1}\n{\"a\":2}\n{\"half\n{\"a\":3}\n", string(b))
	if info, err := os.Stat(name); err != nil || !hasMode(info, 0o600) {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}

// TestAsideRotation writes from several sides at once, as processes do.
func TestAsideRotation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	const writers, each, limit = 4, 100, 16_000
	line := func(w, n int) string {
		return fmt.Sprintf(`{"w":%d,"n":%d,"x":%q}`, w, n, strings.Repeat("x", 50))
	}
	var all sync.WaitGroup
	for w := range writers {
		a := OpenAside(dir, Options{})
		a.max = limit
		all.Go(func() {
			for n := range each {
				if err := a.Write([]byte(line(w, n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got := map[string]int{}
	for _, name := range []string{asideName, asideOldName} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		check(t, err)
		if len(b) > 2*limit { // it grows while another rotates it
			t.Errorf("%s has %d bytes", name, len(b))
		}
		for l := range bytes.Lines(b) {
			got[strings.TrimSuffix(string(l), "\n")]++
		}
	}
	// 400 lines of 75 bytes are two files: none is lost.
	for w := range writers {
		for n := range each {
			if got[line(w, n)] != 1 {
				t.Errorf("line %d of %d is there %d times", n, w, got[line(w, n)])
			}
		}
	}
	a := OpenAside(dir, Options{})
	a.max = limit
	for n := range 400 {
		check(t, a.Write([]byte(line(9, n))))
	}
	files, err := os.ReadDir(dir)
	check(t, err)
	if len(files) != 2 {
		t.Errorf("files %v", files)
	}
}

// TestAsideRotatedByAnother does not rotate a file that has just been started.
func TestAsideRotatedByAnother(t *testing.T) {
	m := newMemFS(1)
	a := OpenAside("/d/x", Options{FS: m})
	a.max = 20
	for range 3 {
		check(t, a.Write([]byte("123456789")))
	}
	check(t, a.rotate(10))
	diff(t, map[string][]byte{
		"/d/x/" + asideOldName: []byte("123456789\n123456789\n"),
		"/d/x/" + asideName:    []byte("123456789\n"),
	}, m.files())
}
