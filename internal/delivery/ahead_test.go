package delivery_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionspan/sessionspan/internal/delivery"
)

// encodings counts what a destination was asked to encode, and is told of each.
type encodings struct {
	*destination
	n    atomic.Int64
	hook func(text string)
}

func (d *encodings) Encode(r *delivery.Record) error {
	d.n.Add(1)
	if d.hook != nil {
		d.hook(r.Value.(item).text)
	}
	return d.destination.Encode(r)
}

// TestEncodesAhead puts far more than fits into the batches that are on their way.
func TestEncodesAhead(t *testing.T) {
	const records, inFlight = 2000, 2
	text := strings.Repeat("x", 10<<10)
	fill := func(t *testing.T, delay time.Duration) (*delivery.Engine, *encodings) {
		d := &encodings{destination: newDestination()}
		d.delay = delay
		e := engine(t, delivery.Config{Name: "test", InFlight: inFlight, Timeout: time.Hour}, d)
		for range records {
			e.Put(item{kind: delivery.Single, text: text}, int64(len(text)))
		}
		synctest.Wait()
		// A batch for each sender, one that is ready, and what was begun beside it.
		if n := d.n.Load(); n == 0 || n > (inFlight+3)*(1<<20)/int64(len(text)) {
			t.Errorf("%d records were encoded at once", n)
		}
		return e, d
	}
	t.Run("all are delivered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e, d := fill(t, 10*time.Millisecond)
			time.Sleep(20 * time.Millisecond)
			synctest.Wait()
			if n := d.n.Load(); n >= records {
				t.Errorf("all were encoded while %d batches were sent", len(d.seen()))
			}
			flush(t, e)
			if n := len(d.sent()); n != records {
				t.Errorf("%d were sent", n)
			}
		})
	})
	t.Run("a destination that does not answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e, d := fill(t, 2*time.Minute)
			time.Sleep(time.Second)
			synctest.Wait()
			if n := d.n.Load(); n != records {
				t.Errorf("%d of %d records were encoded", n, records)
			}
			flush(t, e)
		})
	})
	t.Run("a flush does not wait for its turn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e, d := fill(t, 50*time.Millisecond)
			now, cancel := context.WithCancel(t.Context())
			cancel()
			_ = e.Flush(now)
			synctest.Wait()
			if n := d.n.Load(); n != records {
				t.Errorf("%d of %d records were encoded", n, records)
			}
			flush(t, e)
		})
	})
}

// TestNoRecordIsOverlooked puts a record while the worker takes over the last that
// it knew of, with nothing else that would wake it later.
func TestNoRecordIsOverlooked(t *testing.T) {
	for range 30 { // what wakes it is drawn
		synctest.Test(t, func(t *testing.T) {
			d := &encodings{destination: newDestination()}
			e := engine(t, delivery.Config{}, d)
			first, proceed := make(chan struct{}), make(chan struct{})
			d.hook = func(text string) {
				switch text {
				case "first":
					close(first)
					<-proceed
				case "before":
					put(e, item{kind: delivery.Single, text: "late"})
				}
			}
			no := errors.New("no")
			put(e, item{text: "first", fail: no})
			<-first
			put(e, item{text: "before", fail: no})
			now, cancel := context.WithCancel(t.Context())
			cancel()
			_ = e.Flush(now) // what follows is taken over separately
			put(e, item{text: "behind", fail: no})
			close(proceed)
			time.Sleep(time.Second)
			wantSent(t, d.destination, "late")
		})
	}
}
