package delivery

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Code of a destination may be code of its users: a redactor, a writer, a foreign
// exporter, an error handler. The worker runs such code on goroutines of their
// own. Code that panics or ends its goroutine (runtime.Goexit) costs the record
// that it was called for, and the worker goes on. Code that does not return is
// waited for, since no other record may overtake that record, until Close gives up.

var (
	errEnded = errors.New("the code that was called ended its goroutine")
	errStuck = errors.New("the code that was called does not return")
)

// grace is how long, after Close has given up, the worker waits for senders whose
// context was cancelled and for code of users; spoolGrace is that time where what
// is encoded in it reaches a spool. diskGrace is how long the worker waits for the
// spool to close. leastGrace is what a call gets when that time is over.
const (
	grace      = 500 * time.Millisecond
	spoolGrace = 2 * time.Second
	diskGrace  = time.Second
	leastGrace = 100 * time.Millisecond
)

// guard runs one kind of foreign code. Only the worker uses it.
type guard struct {
	*Engine
	stuck bool // a call did not return, and may still use what it was given
}

// guarded calls f on a goroutine of its own, and returns what f does. A panic, and
// the end of that goroutine, are errors. After a call that had not returned when
// Close gave up there is no other: guarded returns errStuck at once.
func guarded[T any](g *guard, f func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	if g.stuck {
		return outcome{}.value, errStuck
	}
	done := make(chan outcome, 1)
	go func() {
		o := outcome{err: errEnded}
		defer func() { done <- o }()
		defer recovered(&o.err)
		o.value, o.err = f()
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-g.abort:
	}
	last := time.NewTimer(max(0, time.Until(g.deadline)) + leastGrace)
	defer last.Stop()
	select {
	case o := <-done:
		return o.value, o.err
	case <-last.C:
		g.stuck = true
		return outcome{}.value, errStuck
	}
}

// recovered, which is to be deferred, makes an error of a panic.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic: %v", r)
	}
}

// guarded calls code of the destination that returns an error alone.
func (w *worker) guarded(f func() error) error {
	_, err := guarded(&w.calls, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

// report passes an error to the handler of the user.
func (w *worker) report(kind string, err error) {
	_, _ = guarded(&w.reporting, func() (struct{}, error) { w.reports.Report(kind, err); return struct{}{}, nil })
}

// spoolFailed reports an error of the spool, if it is one.
func (w *worker) spoolFailed(err error) {
	if err != nil {
		w.report("spool", w.ofSpool(err))
	}
}

// gaveUp reports whether Close waits no more, and encoding would be in vain: where
// there is a spool, records are encoded for it until grace is over.
func (w *worker) gaveUp() bool {
	select {
	case <-w.abort:
		return w.spool == nil || !time.Now().Before(w.deadline)
	default:
		return false
	}
}

// encoding fills in the records of a piece of the inbox, one after the other. The
// goroutine that calls the destination works on it, and the worker when that
// goroutine is done. One that is left behind touches nothing any more.
type encoding struct {
	*worker
	inbox  []any
	n      int // messages that are done
	bytes  int
	until  time.Time
	ended  bool              // the piece, or the time for it
	failed map[*Record]error // records that could not be encoded

	mu        sync.Mutex
	current   *Record // with the destination
	abandoned bool    // the worker has given it up
}

// encodeFor is how long records are encoded before those that are go on their way,
// so that a slow redactor does not hold up what it is done with.
const encodeFor = 50 * time.Millisecond

// encodeSome encodes records of the inbox, up to the first flush, to about
// acceptBytes or for encodeFor. encodeSome returns how many messages it took.
func (w *worker) encodeSome(inbox []any) (n int, failed map[*Record]error) {
	e := &encoding{worker: w, inbox: inbox, until: time.Now().Add(encodeFor)}
	for !e.ended {
		switch _, err := guarded(&w.calls, e.run); {
		case err == nil:
		case errors.Is(err, errStuck):
			e.leave()
			return e.n, e.failed
		default:
			e.settle(err)
		}
	}
	return e.n, e.failed
}

func (e *encoding) run() (struct{}, error) {
	for e.next() {
		if !e.settle(e.encode()) {
			break
		}
	}
	return struct{}{}, nil
}

// next finds the next record, and reports whether there is one.
func (e *encoding) next() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for !e.abandoned && e.n < len(e.inbox) && e.bytes < acceptBytes && (e.n == 0 || time.Now().Before(e.until)) && !e.gaveUp() {
		switch m := e.inbox[e.n].(type) {
		case *Record:
			if m.session = sessionOf(m.Value); e.discarded(m) {
				break // it is dropped as it is
			}
			e.current = m
			m.Body, m.buffers = e.scratch[:0], e.buffers
			return true
		case *Draft:
			if v := m.take(); v != nil {
				e.current = &m.Record
				m.Value, m.Body, m.buffers = v, e.scratch[:0], e.buffers
				return true
			}
		case *flush, closing: // what comes after it is none of its business
			e.n++
			e.ended = true
			return false
		}
		e.n++
	}
	e.ended = true
	return false
}

func (e *encoding) encode() (err error) {
	defer recovered(&err)
	return e.dest.Encode(e.current)
}

// settle takes the record back from the destination, and reports whether the
// worker still wants it.
func (e *encoding) settle(err error) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.abandoned {
		return false
	}
	r := e.current
	e.current, r.buffers = nil, nil
	e.settleBody(r)
	e.bytes += len(r.Body)
	e.n++
	if err != nil {
		r.Follow = nil
		if e.failed == nil {
			e.failed = make(map[*Record]error)
		}
		e.failed[r] = err
	}
	return true
}

// leave gives up the record that is with the destination, and the memory that the
// destination may still write to.
func (e *encoding) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.abandoned = true
	e.unreturned, e.scratch = e.current, nil
	e.buffers = newBuffers(&e.cfg)
}
