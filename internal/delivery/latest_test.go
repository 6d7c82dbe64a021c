package delivery_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/spool"
)

// latest is an update of a session of which the last says all, once an event has come.
func latest(session, event byte, text string) item {
	return item{kind: delivery.Update, group: session, id: session, text: text, latest: true, after: event}
}

// TestLatest has runs of one session, each a group of its own, whose updates wait: for
// all that opens the session, and for an event each. The last update is sent.
func TestLatest(t *testing.T) {
	for _, onDisk := range []bool{false, true} {
		t.Run(fmt.Sprintf("on disk %t", onDisk), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDestination()
				d.answer = down
				var e *delivery.Engine
				if onDisk {
					e = spooled(t, delivery.Config{}, d, filepath.Join(t.TempDir(), "spool"), spool.Options{})
				} else {
					e = engine(t, delivery.Config{}, d)
				}
				for n := byte(1); n <= 3; n++ {
					opener := session(20+n, fmt.Sprint("S", n))
					opener.id = 1
					put(e, opener, event(20+n, 10+n, fmt.Sprint("e", n)), latest(1, 10+n, fmt.Sprint("u", n)))
				}
				other := update(1, 1, "another")
				put(e, other)
				time.Sleep(time.Minute)
				if s := e.Stats(); s.Created != 10 || s.Waiting != 10 {
					t.Errorf("while it is down: %+v", s)
				}
				early := make(chan error, 1)
				go func() { early <- e.Flush(context.Background()) }() // whose updates are absorbed by a later one
				synctest.Wait()
				put(e, latest(1, 13, "u4"))
				d.fails(func(n int, batch []string) delivery.Result {
					if strings.HasPrefix(batch[0], "u") {
						return down(n, batch)
					}
					return delivery.Result{}
				})
				time.Sleep(10 * time.Minute)
				select {
				case err := <-early:
					t.Fatalf("the flush is over: %v", err)
				default:
				}
				d.fails(nil)
				if err := <-early; err != nil {
					t.Error(err)
				}
				flush(t, e)
				d.mu.Lock()
				taken := strings.Join(d.taken, ", ")
				d.mu.Unlock()
				if at := strings.Index(taken, "u4 for u3 for u2 for u1"); at < strings.Index(taken, "e3") || at < strings.Index(taken, "S1") || strings.Count(taken, "u1") != 1 || strings.Count(taken, "another") != 1 {
					t.Errorf("taken: %s", taken)
				}
				if s := e.Stats(); s.Created != 11 || s.Delivered != 11 {
					t.Errorf("at the end: %+v", s)
				}
				put(e, latest(1, 13, "u5"))
				flush(t, e)
				if sent := d.sent(); sent[len(sent)-1] != "u5" {
					t.Errorf("the next one is %q", sent[len(sent)-1])
				}
			})
		})
	}
}

// TestLatestIsNotLeftBehind: what only its own process can tell to be the last is not
// counted as kept when that gives up.
func TestLatestIsNotLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spool")
		d := newDestination()
		d.answer = down
		e := spooled(t, delivery.Config{}, d, dir, spool.Options{})
		put(e, session(1, "S"), event(1, 11, "a"), latest(1, 11, "u"))
		time.Sleep(time.Second)
		if err := closeNow(e); err == nil || !strings.Contains(err.Error(), "2 records wait in the spool") {
			t.Errorf("Close returned %v", err)
		}
		d = newDestination()
		e = spooled(t, delivery.Config{InFlight: 1}, d, dir, spool.Options{})
		time.Sleep(time.Second)
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		wantSent(t, d, "S", "a")
		if n := logs(t, dir); n != 0 {
			t.Errorf("%d logs are left", n)
		}
	})
}
