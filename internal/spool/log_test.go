package spool

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var epoch = time.UnixMilli(1_700_000_000_123).UTC()

// entry returns an entry that is known by a number.
func entry(n, size int) Entry {
	body := bytes.Repeat([]byte(fmt.Sprintf("%d,", n)), size/2+1)[:size]
	return Entry{
		Type: byte(n), Flags: byte(n >> 8), Time: epoch.Add(time.Duration(n) * time.Millisecond),
		Group: [16]byte{1, byte(n)}, ID: [16]byte{2, byte(n), byte(n >> 8)}, Body: body,
	}
}

func entries(from, n, size int) []Entry {
	out := make([]Entry, n)
	for i := range out {
		out[i] = entry(from+i, size)
	}
	return out
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readAll reads until the end, whatever the errors.
func readAll(t testing.TB, r *Reader, maxBytes int64) (out []Entry, errs []error) {
	t.Helper()
	for range 100_000 {
		got, err := r.Next(maxBytes)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(got) == 0 {
			return out, errs
		}
		out = append(out, got...)
	}
	t.Fatal("the reader does not end")
	return nil, nil
}

func mustRead(t testing.TB, l *Log) []Entry {
	t.Helper()
	out, errs := readAll(t, l.Reader(0), 1000)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return out
}

func seqsOf(entries []Entry) []uint64 {
	out := make([]uint64, len(entries))
	for i := range entries {
		out[i] = entries[i].Seq
	}
	return out
}

func diff(t testing.TB, want, got any) {
	t.Helper()
	if reflect.DeepEqual(want, got) { // much faster
		return
	}
	if d := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); d != "" {
		t.Fatalf("(-want +got)\n%s", d)
	}
}

// kill ends a log as the end of its process does.
func kill(t testing.TB, l *Log) {
	t.Helper()
	check(t, l.lock.Unlock())
	for _, s := range l.segments {
		closeFile(s)
	}
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	l, err := Open(dir, Options{SegmentBytes: 2000, MinFree: -1})
	check(t, err)
	var want []Entry
	for n := 0; n < 100; n += 7 {
		batch := entries(n, 7, n*10)
		check(t, l.Append(batch))
		want = append(want, batch...)
	}
	big := entry(1000, 3<<20) // larger than a segment, and than a chunk
	batch := []Entry{big, entry(1001, 0)}
	batch[1].Body = []byte{}
	check(t, l.Append(batch))
	want = append(want, batch...)
	for i := range want {
		if want[i].Seq != uint64(i+1) {
			t.Fatalf("entry %d has number %d", i, want[i].Seq)
		}
		if len(want[i].Body) == 0 {
			want[i].Body = nil
		}
	}
	diff(t, want, mustRead(t, l))
	if l.Live() != int64(len(want)) {
		t.Errorf("%d are live", l.Live())
	}
	var size int64
	names, _ := filepath.Glob(filepath.Join(l.Dir(), "*"))
	for _, name := range names {
		info, err := os.Stat(name)
		check(t, err)
		size += info.Size()
		if !hasMode(info, 0o600) {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if l.Bytes() != size || len(names) < 10 {
		t.Errorf("Bytes is %d, files have %d; files %v", l.Bytes(), size, names)
	}

	kill(t, l)
	logs, err := Orphans(dir, Options{MinFree: -1})
	check(t, err)
	if len(logs) != 1 {
		t.Fatalf("%d orphans", len(logs))
	}
	o := logs[0]
	diff(t, want, mustRead(t, o))
	if err := o.Append(entries(1, 1, 1)); err == nil {
		t.Error("an orphan took an entry")
	}
	o.Done(seqsOf(want)...)
	if o.Live() != 0 {
		t.Errorf("%d are live", o.Live())
	}
	check(t, o.Close())
	check(t, o.Close())
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, error %v", left, err)
	}
}
