package spool

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestEveryFault runs a script again and again, and each time another operation
// fails, once or from then on.
func TestEveryFault(t *testing.T) {
	for _, always := range []bool{false, true} {
		for _, errno := range []error{syscall.EIO, errNoSpace} {
			for _, once := range []bool{true, false} {
				t.Run(fmt.Sprintf("%v/always=%v/once=%v", errno, always, once), func(t *testing.T) {
					ops := map[string]bool{}
					n, stride := 0, 1
					if testing.Short() {
						stride = 5
					}
					for ; testFault(t, n, errno, always, once, ops); n += stride {
						if t.Failed() {
							t.Fatalf("operation %d", n)
						}
					}
					want := []string{
						"checkdir", "close", "create", "lock", "mkdir", "open", "read", "readdir",
						"remove", "rename", "size", "sync", "syncdir", "write",
					}
					for _, op := range want {
						if !ops[op] && stride == 1 {
							t.Errorf("%s never failed", op)
						}
					}
					if n < 100 {
						t.Errorf("only %d operations", n)
					}
				})
			}
		}
	}
}

// testFault reports whether the script is longer than n operations.
func testFault(t *testing.T, n int, errno error, always, once bool, ops map[string]bool) bool {
	m := newMemFS(uint64(n))
	o := Options{FS: m, SegmentBytes: 1000, SyncBytes: 700, SyncAlways: always}

	// A log was left behind, with damage.
	left, err := Open("/d/x", o)
	check(t, err)
	old := entries(1000, 10, 200)
	check(t, left.Append(old))
	left.Done(1)
	check(t, left.Maintain(epoch))
	m.kill()
	name := memPath(left.Dir(), segmentName(1))
	data := slices.Clone(m.files()[name])
	data[len(data)-1]++
	m.put(name, data)

	at, reached := n, false
	m.fail = func(op, _ string) error {
		at--
		if at == -1 || (at < 0 && !once) {
			ops[op] = true
			reached = true
			return errno
		}
		return nil
	}
	want := map[[16]byte]bool{} // to be read
	var own *Log
	var orphans []*Log
	now := epoch
	deliver := func(l *Log, keep int) {
		for r := l.Reader(0); ; {
			got, err := r.Next(500)
			if err == nil && len(got) == 0 {
				return
			}
			for _, e := range got {
				if l == own && !want[e.ID] {
					t.Errorf("entry %v is not to be read", e.ID)
				}
				if int(e.Seq)%5 >= keep {
					l.Done(e.Seq)
					delete(want, e.ID)
				}
			}
		}
	}
	var lockErr error
	for step := range 12 {
		if own == nil {
			if own, err = Open("/d/x", o); err != nil {
				own = nil
				continue
			}
		}
		if orphans == nil {
			orphans, lockErr = Orphans("/d/x", o)
		}
		batch := entries(step*20, 6, step*50)
		if err := own.Append(batch); err == nil {
			for _, e := range batch {
				want[e.ID] = true
			}
		} else if errors.Is(errno, errNoSpace) && !errors.Is(err, ErrFull) {
			t.Errorf("Append: %v", err)
		}
		if step%3 == 1 {
			_ = own.Sync()
			deliver(own, step%4)
			for _, l := range orphans {
				deliver(l, 3)
			}
		}
		now = now.Add(time.Minute)
		for _, l := range append(orphans, own) {
			_ = l.Maintain(now)
		}
	}
	_ = lockErr

	// All works again, and nothing is lost.
	m.fail = nil
	if own == nil {
		own, err = Open("/d/x", o)
		check(t, err)
	}
	batch := entries(900, 3, 100)
	check(t, own.Append(batch))
	for _, e := range batch {
		want[e.ID] = true
	}
	check(t, own.Sync())
	got := map[[16]byte]bool{}
	for _, e := range mustRead(t, own) {
		got[e.ID] = true
	}
	diff(t, want, got)
	if own.Live() != int64(len(want)) {
		t.Errorf("%d live, want %d", own.Live(), len(want))
	}
	check(t, own.Maintain(now.Add(time.Minute)))
	m.kill()
	logs, err := Orphans("/d/x", o)
	if !errors.Is(err, ErrDamaged) {
		check(t, err)
	}
	clear(got)
	for _, l := range logs {
		for _, e := range mustRead(t, l) {
			if e.ID[1] < 232 || e.ID[2] != 3 { // not of the log that was left
				got[e.ID] = true
			}
			l.Done(e.Seq)
		}
		check(t, l.Close())
	}
	for id := range want {
		if !got[id] {
			t.Errorf("entry %v is lost", id)
		}
	}
	for name := range m.files() {
		if !strings.HasPrefix(name, "/d/x/broken/") {
			t.Errorf("%s is left", name)
		}
	}
	return reached
}

// TestFailedSync writes records anew whose sync failed, and reads them from there.
func TestFailedSync(t *testing.T) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m})
	check(t, err)
	batch := entries(1, 10, 100)
	check(t, l.Append(batch[:4]))
	check(t, l.Sync())
	check(t, l.Append(batch[4:8]))
	l.Done(6)
	first := memPath(l.Dir(), segmentName(1))
	syncs := map[string]int{}
	m.fail = func(op, name string) error {
		if op == "sync" {
			syncs[name]++
			if name == first {
				// The system drops what it could not write.
				_, _, node, _ := m.find(name)
				clear(node.file.data[segmentHeaderSize+4*168:])
				return errInjected
			}
		}
		return nil
	}
	check(t, l.Sync())
	check(t, l.Append(batch[8:]))
	check(t, l.Sync())
	if syncs[first] != 1 {
		t.Errorf("the file whose sync failed was synced %d times", syncs[first])
	}
	want := slices.Concat(batch[:5], batch[6:])
	diff(t, want, mustRead(t, l))
	if l.Live() != 9 || !l.SyncDue(epoch).IsZero() {
		t.Errorf("%d are live, sync is due %v", l.Live(), l.SyncDue(epoch))
	}
	l.Done(1, 2, 3, 4)
	check(t, l.Maintain(epoch))
	if m.files()[first] != nil {
		t.Error("the first segment is not removed")
	}

	m.fail = nil
	c := m.crash()
	logs, err := Orphans("/d/x", Options{FS: c})
	check(t, err)
	diff(t, want[4:], mustRead(t, logs[0]))
}

// TestSyncFails keeps the records until a sync succeeds.
func TestSyncFails(t *testing.T) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m, SyncBytes: 1000, SyncEvery: time.Second})
	check(t, err)
	m.fail = func(op, _ string) error {
		if op == "sync" {
			return syscall.EIO
		}
		return nil
	}
	var want []Entry
	for n := range 100 {
		batch := entries(n, 1, 300)
		if err := l.Append(batch); err != nil {
			if !errors.Is(err, syscall.EIO) {
				t.Fatal(err)
			}
			break
		}
		want = append(want, batch...)
	}
	if len(want) != 22 { // eight times SyncBytes, and one more
		t.Errorf("%d appended", len(want))
	}
	if err := l.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Sync: %v", err)
	}
	if now := time.Now(); !l.SyncDue(now).After(now) {
		t.Error("the next sync is due at once")
	}
	diff(t, want, mustRead(t, l))
	m.fail = nil
	check(t, l.Sync())
	c := m.crash()
	logs, err := Orphans("/d/x", Options{FS: c})
	check(t, err)
	diff(t, want, mustRead(t, logs[0]))
}

// TestReadError goes on with the next segment, and loses nothing.
func TestReadError(t *testing.T) {
	testReadError(t, 1, []uint64{1, 2}, []uint64{3, 4, 5, 6})
	testReadError(t, 2, []uint64{3, 4}, []uint64{1, 2, 5, 6})
}

func testReadError(t *testing.T, number uint64, in, out []uint64) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m, SegmentBytes: 500})
	check(t, err)
	check(t, l.Append(entries(1, 6, 100)))
	unreadable := memPath(l.Dir(), segmentName(number))
	bad := func(op, name string) error {
		if op == "read" && name == unreadable {
			return syscall.EIO
		}
		return nil
	}
	m.fail = bad
	got, errs := readAll(t, l.Reader(0), 1<<20)
	diff(t, out, seqsOf(got))
	if len(errs) != 1 || !errors.Is(errs[0], syscall.EIO) {
		t.Errorf("errors %v", errs)
	}
	if l.Live() != 6 {
		t.Errorf("%d are live", l.Live())
	}

	m.kill()
	logs, err := Orphans("/d/x", Options{FS: m})
	if !errors.Is(err, syscall.EIO) || len(logs) != 1 {
		t.Fatalf("%d orphans, error %v", len(logs), err)
	}
	if got, errs = readAll(t, logs[0].Reader(0), 1<<20); len(errs) != 0 {
		t.Errorf("errors %v", errs) // what cannot be read is not known to be there
	}
	diff(t, out, seqsOf(got))
	logs[0].Done(out...)
	check(t, logs[0].Maintain(epoch))
	check(t, logs[0].Close())
	logs, err = Orphans("/d/x", Options{FS: m})
	if !errors.Is(err, syscall.EIO) || len(logs) != 0 {
		t.Fatalf("%d orphans, error %v", len(logs), err)
	}
	m.fail = nil
	logs, err = Orphans("/d/x", Options{FS: m})
	check(t, err)
	diff(t, in, seqsOf(mustRead(t, logs[0])))
}

// TestOneBadLog takes over the others.
func TestOneBadLog(t *testing.T) {
	m := newMemFS(1)
	var bad string
	for range 3 {
		l, err := Open("/d/x", Options{FS: m})
		check(t, err)
		check(t, l.Append(entries(1, 1, 1)))
		bad = memPath(l.Dir())
	}
	m.kill()
	m.fail = func(op, name string) error {
		if op == "readdir" && name == bad {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	logs, err := Orphans("/d/x", Options{FS: m})
	if len(logs) != 2 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d logs, error %v", len(logs), err)
	}
	m.fail = nil
	logs, err = Orphans("/d/x", Options{FS: m})
	if len(logs) != 1 || err != nil {
		t.Errorf("%d logs, error %v", len(logs), err)
	}
}

// TestRemovalOrder removes a segment only after the checkpoint is durable.
func TestRemovalOrder(t *testing.T) {
	m := newMemFS(1)
	l, err := Open("/d/x", Options{FS: m, SegmentBytes: 500})
	check(t, err)
	check(t, l.Append(entries(1, 6, 100)))
	var ops []string
	m.fail = func(op, name string) error {
		if op != "close" && op != "checkdir" {
			ops = append(ops, op+" "+path.Base(name))
		}
		return nil
	}
	l.Done(1, 2, 3)
	check(t, l.Maintain(epoch))
	diff(t, []string{
		"create checkpoint.tmp", "write checkpoint.tmp", "sync checkpoint.tmp", "rename checkpoint.tmp",
		"syncdir " + filepath.Base(l.Dir()), "remove " + segmentName(1),
	}, ops)
	ops = nil
	l.Done(4)
	check(t, l.Maintain(epoch.Add(999*time.Millisecond)))
	if len(ops) > 0 {
		t.Errorf("before a second: %v", ops)
	}
	due := l.MaintainDue(epoch)
	if !due.Equal(epoch.Add(time.Second)) {
		t.Errorf("due %v", due)
	}
	m.fail = func(op, _ string) error {
		if op == "rename" {
			return syscall.EIO
		}
		return nil
	}
	if err := l.Maintain(due); !errors.Is(err, syscall.EIO) || m.files()[memPath(l.Dir(), segmentName(2))] == nil {
		t.Errorf("error %v, files %v", err, slices.Sorted(maps.Keys(m.files())))
	}
	m.fail = nil
	check(t, l.Maintain(due.Add(time.Second)))
	if m.files()[memPath(l.Dir(), segmentName(2))] != nil || !l.MaintainDue(due).IsZero() {
		t.Errorf("due %v, files %v", l.MaintainDue(due), slices.Sorted(maps.Keys(m.files())))
	}
}
