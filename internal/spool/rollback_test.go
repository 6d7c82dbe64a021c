package spool

import (
	"bytes"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestFailedAppend leaves nothing of an Append that failed: what could not be cut
// off is done, and its numbers are not used again.
func TestFailedAppend(t *testing.T) {
	m := newMemFS(1)
	o := Options{FS: m, SegmentBytes: 1000}
	l, err := Open("/d/x", o)
	check(t, err)
	first := entries(1, 2, 100)
	check(t, l.Append(first))
	m.fail = func(op, name string) error {
		// The first segment takes its part, and keeps it.
		if op == "truncate" || (op == "create" && !strings.HasSuffix(name, segmentName(1))) {
			return errNoSpace
		}
		return nil
	}
	if err := l.Append(entries(3, 9, 100)); err == nil {
		t.Fatal("no error")
	}
	m.fail = nil
	next := entries(20, 2, 100)
	check(t, l.Append(next))
	want := slices.Concat(first, next)
	if next[0].Seq != 6 {
		t.Errorf("the next number is %d", next[0].Seq)
	}
	r := l.Reader(0)
	got, errs := readAll(t, r, 1<<20)
	diff(t, want, got)
	if records, bytes := r.Lost(); records != 0 || bytes != 0 || len(errs) > 0 {
		t.Errorf("%d records and %d bytes are lost, errors %v", records, bytes, errs)
	}
	check(t, l.Maintain(epoch))
	m.kill()
	logs, err := Orphans("/d/x", o)
	check(t, err)
	diff(t, want, mustRead(t, logs[0]))
}

// TestFailedAppendThenSync does not write what was taken back to another segment.
func TestFailedAppendThenSync(t *testing.T) {
	m := newMemFS(1)
	o := Options{FS: m, SegmentBytes: 1000}
	l, err := Open("/d/x", o)
	check(t, err)
	first := entries(1, 2, 100)
	check(t, l.Append(first))
	fail := "create"
	m.fail = func(op, _ string) error {
		if op == fail {
			fail = ""
			return syscall.EIO
		}
		return nil
	}
	if err := l.Append(entries(3, 9, 100)); err == nil {
		t.Fatal("no error")
	}
	fail = "sync"
	check(t, l.Sync())
	m.kill()
	logs, err := Orphans("/d/x", o)
	check(t, err)
	diff(t, first, mustRead(t, logs[0]))
}

// TestCopies keeps both segments that hold an entry until it is done: which of
// them is durable is not known.
func TestCopies(t *testing.T) {
	m := newMemFS(1)
	o := Options{FS: m}
	l, err := Open("/d/x", o)
	check(t, err)
	check(t, l.Append(entries(1, 2, 100)))
	check(t, l.Sync())
	batch := entries(3, 2, 100)
	check(t, l.Append(batch))
	m.fail = func(op, name string) error {
		if op == "sync" || (op == "remove" && strings.HasSuffix(name, segmentName(2))) {
			return syscall.EIO
		}
		return nil
	}
	if err := l.Sync(); err == nil { // the second segment is written, but not durable
		t.Fatal("no error")
	}
	m.fail = nil
	m.kill()
	logs, err := Orphans("/d/x", o)
	check(t, err)
	diff(t, 2, len(logs[0].segments))
	logs[0].Done(1, 2)
	check(t, logs[0].Maintain(epoch))
	diff(t, 2, len(logs[0].segments))
	diff(t, batch, mustRead(t, logs[0]))
	logs[0].Done(3, 4)
	check(t, logs[0].Maintain(epoch.Add(2e9)))
	diff(t, 0, len(logs[0].segments))
}

// TestChunkEnd finds a record whose magic stands on both sides of a chunk's end.
func TestChunkEnd(t *testing.T) {
	for cut := range 6 {
		data := bytes.Repeat([]byte{0xf5, 'x'}, chunkSize/2)
		data = data[:chunkSize-cut]
		data = appendRecord(data, 1, &Entry{Body: []byte("body")}, 1)
		sc := scanner{src: bytes.NewReader(data), seed: 1, size: int64(len(data))}
		e, ok, err := sc.next()
		if err != nil || !ok || string(e.Body) != "body" {
			t.Errorf("cut %d: %v, %v, %q", cut, ok, err, e.Body)
		}
	}
}
