package delivery_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/spool"
)

// faultyDisk is the disk of the machine, until it fails.
type faultyDisk struct {
	spool.FS
	fails func(op string) bool
}

type faultyFile struct {
	spool.File
	disk *faultyDisk
}

func (d *faultyDisk) check(op string) error {
	if d.fails(op) {
		return fmt.Errorf("%s: %w", op, syscall.ENOSPC)
	}
	return nil
}

func (d *faultyDisk) wrap(f spool.File, err error) (spool.File, error) {
	if err != nil {
		return nil, err
	}
	return faultyFile{f, d}, nil
}

func (d *faultyDisk) Create(name string) (spool.File, error) {
	if err := d.check("create"); err != nil {
		return nil, err
	}
	return d.wrap(d.FS.Create(name))
}

func (d *faultyDisk) Append(name string) (spool.File, error) {
	if err := d.check("create"); err != nil {
		return nil, err
	}
	return d.wrap(d.FS.Append(name))
}

func (d *faultyDisk) Open(name string) (spool.File, error) { return d.wrap(d.FS.Open(name)) }

func (d *faultyDisk) Rename(from, to string) error {
	if err := d.check("rename"); err != nil {
		return err
	}
	return d.FS.Rename(from, to)
}

func (f faultyFile) Write(p []byte) (int, error) {
	if err := f.disk.check("write"); err != nil {
		n, _ := f.File.Write(p[:len(p)/2]) // a part may have been written
		return n, err
	}
	return f.File.Write(p)
}

func (f faultyFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.disk.check("read"); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

func (f faultyFile) Sync() error {
	if err := f.disk.check("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

// TestFailingDisk has each kind of call fail, at some time or from some time on,
// while the destination is down and memory is short. Nothing panics, the account
// adds up, and what the account says is delivered has arrived.
func TestFailingDisk(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rounds := uint64(12)
	if testing.Short() {
		rounds = 3
	}
	for _, op := range []string{"write", "sync", "create", "rename", "read"} {
		for round := range rounds {
			random := rand.New(rand.NewPCG(seed, round))
			t.Run(fmt.Sprint(op, " ", round), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { failingDisk(t, op, random) })
			})
		}
	}
}

func failingDisk(t *testing.T, op string, random *rand.Rand) {
	const most = 32 << 10
	var calls atomic.Int64
	from := int64(random.IntN(40))
	until := from + int64(1+random.IntN(30))
	if random.IntN(3) == 0 {
		until = 1 << 40
	}
	disk := &faultyDisk{FS: spool.OS}
	disk.fails = func(called string) bool {
		if called != op {
			return false
		}
		n := calls.Add(1)
		return n >= from && n < until
	}
	d := newDestination()
	d.answer = down
	// The log itself must open, which writes.
	fails := disk.fails
	disk.fails = func(string) bool { return false }
	e := spooled(t, delivery.Config{MaxBytes: most, MaxWait: -1}, d, filepath.Join(t.TempDir(), "spool"), spool.Options{FS: disk, SegmentBytes: 16 << 10, SyncBytes: 4 << 10})
	disk.fails = fails
	pad := strings.Repeat("x", 500)
	for i := range 300 {
		g := byte(i/10 + 1)
		switch i % 10 {
		case 0:
			e.Open(group(g), "live")
		case 9:
			put(e, session(g, fmt.Sprint("session ", i, pad)))
		default:
			put(e, event(g, 0, fmt.Sprint("event ", i, pad)))
		}
		if random.IntN(4) == 0 {
			time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		}
		synctest.Wait()
		checkAccount(t, e)
		if s := e.Stats(); s.WaitingBytes > most*5/4 {
			t.Fatalf("%d bytes are held", s.WaitingBytes)
		}
	}
	d.fails(nil)
	_ = e.Flush(t.Context())
	checkAccount(t, e)
	s := e.Stats()
	if s.Waiting+s.WaitingOnDisk != 0 {
		t.Errorf("%+v", s)
	}
	d.mu.Lock()
	arrived := int64(len(d.taken))
	d.mu.Unlock()
	if arrived != s.Delivered {
		t.Errorf("%d records arrived, and %d were delivered", arrived, s.Delivered)
	}
	if op != "read" && s.Dropped[delivery.Unreadable] != 0 {
		t.Errorf("a disk that fails to %s loses what it has: %+v", op, s)
	}
}

// FuzzRetryAfter reads any header: the wait is never negative and never longer
// than a day.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "3", "-1", "Fri, 31 Dec 1999 23:59:59 GMT", "99999999999999999999999", "1.5", " 7 ", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"Retry-After": {value}}
		if wait := delivery.RetryAfter(h, time.Unix(946684799, 0)); wait < 0 || wait > 24*time.Hour {
			t.Errorf("%q: %s", value, wait)
		}
	})
}

// TestSlowDisk closes an engine whose disk takes seconds for each call: Close waits
// for the disk as long as its context lasts, and leaves nothing that was delivered.
func TestSlowDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		disk := &faultyDisk{FS: spool.OS, fails: func(string) bool {
			if slow.Load() {
				time.Sleep(3 * time.Second)
			}
			return false
		}}
		d := newDestination()
		e := spooled(t, delivery.Config{}, d, dir, spool.Options{FS: disk})
		slow.Store(true)
		put(e, event(1, 11, "a"), session(1, "S"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if n := logs(t, dir); n != 0 {
		t.Errorf("%d logs are left", n)
	}
}
