package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/internal/delivery"
)

// item is what tests put: a record in words.
type item struct {
	kind      delivery.Kind
	group, id byte
	text      string
	elsewhere bool
	fail      error // of Encode
	panics    bool
	latest    bool // of which, among updates of one id, the last says all
	after     byte // what such a one waits for besides
}

// call is a send that a destination saw.
type call struct {
	at   time.Duration // since the start of the test
	kind delivery.Kind
	text []string
}

// destination records what it is sent and answers as answer says.
type destination struct {
	start  time.Time
	answer func(n int, batch []string) delivery.Result // n counts calls from 0; nil delivers
	delay  time.Duration

	mu    sync.Mutex
	calls []call
	taken []string // texts of the calls that were delivered
}

func (d *destination) took(texts []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken = append(d.taken, texts...)
}

func newDestination() *destination { return &destination{start: time.Now()} }

func (d *destination) Encode(r *delivery.Record) error {
	it := r.Value.(item)
	if it.panics {
		panic("encode " + it.text)
	}
	r.Kind, r.Elsewhere = it.kind, it.elsewhere
	r.Group[0], r.ID[0] = it.group, it.id
	r.Body = []byte(it.text)
	if it.latest {
		r.Value = &delivery.Latest{After: group(it.after), Absorb: func(earlier *delivery.Record) {
			r.Body = fmt.Appendf(r.Body, " for %s", earlier.Body)
		}}
	}
	return it.fail
}

func (d *destination) Send(ctx context.Context, batch []*delivery.Record) delivery.Result {
	if d.delay > 0 {
		select {
		case <-time.After(d.delay):
		case <-ctx.Done():
			return delivery.Result{Outcome: delivery.Retry, Err: ctx.Err()}
		}
	}
	texts := texts(batch)
	d.mu.Lock()
	n := len(d.calls)
	d.calls = append(d.calls, call{time.Since(d.start), batch[0].Kind, texts})
	d.mu.Unlock()
	d.mu.Lock()
	answer := d.answer
	d.mu.Unlock()
	if answer == nil {
		d.took(texts)
		return delivery.Result{}
	}
	result := answer(n, texts)
	if result.Outcome == delivery.Delivered && len(result.Again) == 0 {
		d.took(texts)
	}
	for i, t := range texts { // "again" is marked by text
		if result.Err != nil && strings.Contains(result.Err.Error(), "again "+t) {
			result.Again = append(result.Again, batch[i])
		}
	}
	return result
}

func texts(batch []*delivery.Record) []string {
	var out []string
	for _, r := range batch {
		out = append(out, string(r.Body))
	}
	return out
}

func (d *destination) Announce(group [16]byte, live any, held []*delivery.Record) (*delivery.Record, any) {
	text := fmt.Sprintf("announce %d live=%v held=%d", group[0], live, len(held))
	if live == "panic" {
		panic(text)
	}
	if live == "nothing" {
		return nil, nil
	}
	return &delivery.Record{ID: group, Body: []byte(text)}, text
}

func (d *destination) Amend(r *delivery.Record, announced any) bool {
	r.Body = fmt.Append(r.Body, " amends ", announced)
	return true
}

func (d *destination) Abandon(group [16]byte, live, announced any) *delivery.Record {
	r := &delivery.Record{Kind: delivery.Opener, ID: group, Body: fmt.Appendf(nil, "abandon %d live=%v", group[0], live)}
	if announced != nil {
		r.Kind = delivery.Update
	}
	return r
}

// sent returns the texts of all calls, in order.
func (d *destination) sent() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, c := range d.calls {
		out = append(out, c.text...)
	}
	return out
}

func (d *destination) seen() []call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// engine makes an engine that is closed with the test, and checks its account.
func engine(t *testing.T, cfg delivery.Config, d delivery.Destination) *delivery.Engine {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "test"
	}
	e := delivery.New(cfg, d)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		_ = e.Close(ctx)
		checkAccount(t, e)
		if s := e.Stats(); s.Waiting != 0 || s.WaitingBytes != 0 {
			t.Errorf("after Close %d records wait with %d bytes", s.Waiting, s.WaitingBytes)
		}
	})
	return e
}

func checkAccount(t *testing.T, e *delivery.Engine) {
	t.Helper()
	s := e.Stats()
	sum := s.Delivered + s.Waiting + s.WaitingOnDisk + s.SetAside
	for _, n := range s.Dropped {
		sum += n
	}
	if s.Created+s.Adopted != sum {
		t.Errorf("the account does not add up: %+v", s)
	}
}

func put(e *delivery.Engine, items ...item) {
	for _, it := range items {
		e.Put(it, int64(len(it.text))+64)
	}
}

func session(group byte, text string) item {
	return item{kind: delivery.Opener, group: group, id: group, text: text}
}

func event(group, id byte, text string) item {
	return item{kind: delivery.Member, group: group, id: id, text: text}
}

func update(group, id byte, text string) item {
	return item{kind: delivery.Update, group: group, id: id, text: text}
}

func group(g byte) (id [16]byte) { id[0] = g; return id }

func flush(t *testing.T, e *delivery.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := e.Flush(ctx); err != nil {
		t.Errorf("flush: %v", err)
	}
}

func wantSent(t *testing.T, d *destination, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, d.sent()); diff != "" {
		t.Error(diff)
	}
}

func TestSessionBeforeItsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.delay = time.Second
		e := engine(t, delivery.Config{}, d)
		e.Open(group(1), "s")
		put(e, event(1, 11, "a"), event(1, 12, "b"))
		time.Sleep(5 * time.Second)
		wantSent(t, d)
		put(e, session(1, "S"), event(1, 13, "c"))
		time.Sleep(500 * time.Millisecond)
		put(e, event(1, 14, "d"))
		flush(t, e)
		wantSent(t, d, "S", "a", "b", "c", "d")
		put(e, event(1, 15, "late"))
		flush(t, e)
		wantSent(t, d, "S", "a", "b", "c", "d", "late")
	})
}

func TestUnknownSessionIsHeldThenAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		e := engine(t, delivery.Config{}, d)
		put(e, event(1, 11, "a"), item{kind: delivery.Member, group: 2, id: 21, text: "elsewhere", elsewhere: true})
		time.Sleep(29 * time.Second)
		wantSent(t, d, "elsewhere")
		time.Sleep(2 * time.Second)
		wantSent(t, d, "elsewhere", "announce 1 live=<nil> held=1", "a")
		put(e, session(1, "S"))
		flush(t, e)
		wantSent(t, d, "elsewhere", "announce 1 live=<nil> held=1", "a", "S amends announce 1 live=<nil> held=1")
	})
}

func TestOpenSessionIsAnnounced(t *testing.T) {
	for _, tc := range []struct {
		name string
		live string
		want []string
	}{
		{"known", "root", []string{"announce 1 live=root held=1", "a", "b", "S amends announce 1 live=root held=1"}},
		{"nothing to say", "nothing", []string{"a", "b", "S"}},
		{"panic", "panic", []string{"a", "b", "S"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDestination()
				e := engine(t, delivery.Config{}, d)
				e.Open(group(1), tc.live)
				time.Sleep(time.Minute) // no event yet, so nothing to announce
				wantSent(t, d)
				put(e, event(1, 11, "a"))
				time.Sleep(time.Second)
				put(e, event(1, 12, "b"))
				time.Sleep(time.Second)
				wantSent(t, d, tc.want[:len(tc.want)-1]...)
				put(e, session(1, "S"))
				flush(t, e)
				wantSent(t, d, tc.want...)
			})
		})
	}
}

func TestLiveSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		e := engine(t, delivery.Config{Live: true}, d)
		e.Open(group(1), "root")
		synctest.Wait()
		wantSent(t, d, "announce 1 live=root held=0")
	})
}

func TestFlushAnnounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		e := engine(t, delivery.Config{}, d)
		e.Open(group(1), "root")
		e.Open(group(2), "quiet")
		put(e, event(1, 11, "a"))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := e.Sync(ctx); err != nil {
			t.Errorf("Sync must not wait for held records: %v", err)
		}
		wantSent(t, d)
		flush(t, e)
		wantSent(t, d, "announce 1 live=root held=1", "a")
		if time.Since(d.start) > time.Second {
			t.Errorf("flush took %s", time.Since(d.start))
		}
	})
}

// TestPressure fills half of the queue with events of open sessions: the oldest
// is announced, so that its events can go.
func TestPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		e := engine(t, delivery.Config{MaxBytes: 64 << 10}, d)
		e.Open(group(1), "old")
		e.Open(group(2), "new")
		big := strings.Repeat("x", 4<<10)
		for i := range byte(8) {
			put(e, event(1+i%2, 10+i, big))
			synctest.Wait()
		}
		time.Sleep(time.Second)
		if sent := d.sent(); len(sent) == 0 || sent[0] != "announce 1 live=old held=4" || slices.ContainsFunc(sent, func(s string) bool { return strings.HasPrefix(s, "announce 2") }) {
			t.Errorf("sent %.40q", sent)
		}
	})
}

func TestUpdateWaitsForItsRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.delay = time.Second
		e := engine(t, delivery.Config{Linger: 3 * time.Second}, d)
		e.Open(group(1), "s")
		put(e, event(1, 11, "a"), update(1, 11, "u1"), update(1, 1, "us"), update(9, 11, "u2"))
		time.Sleep(time.Second)
		put(e, session(1, "S"), update(1, 11, "u3"), update(7, 7, "other"))
		flush(t, e)
		sent := d.sent()
		for _, order := range [][2]string{{"S", "a"}, {"S", "us"}, {"a", "u2"}, {"u2", "u1"}, {"u1", "u3"}} {
			if slices.Index(sent, order[0]) > slices.Index(sent, order[1]) {
				t.Errorf("%s came before %s: %q", order[1], order[0], sent)
			}
		}
		if len(sent) != 7 {
			t.Errorf("sent %q", sent)
		}
	})
}

func TestUpdateIsTriedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		var known atomic.Bool
		d.answer = func(_ int, batch []string) delivery.Result {
			if batch[0] == "never" || batch[0] == "later" && !known.Load() {
				return delivery.Result{Outcome: delivery.NotYet, Err: errors.New("status 404")}
			}
			return delivery.Result{}
		}
		var reports []error
		e := engine(t, delivery.Config{Handle: func(err error) { reports = append(reports, err) }}, d)
		put(e, update(1, 1, "never"), update(2, 2, "later"), session(3, "S"))
		time.Sleep(time.Second)
		if !slices.Contains(d.sent(), "S") {
			t.Error("an update that waits holds up others")
		}
		time.Sleep(8 * time.Minute)
		known.Store(true)
		time.Sleep(time.Minute)
		if s := e.Stats(); s.Waiting != 1 || s.Delivered != 2 {
			t.Errorf("%+v", s)
		}
		time.Sleep(3 * time.Minute)
		if s := e.Stats(); s.Dropped[delivery.Refused] != 1 || s.Retried == 0 {
			t.Errorf("%+v", s)
		}
		if len(reports) != 1 || !strings.Contains(reports[0].Error(), "status 404") {
			t.Errorf("reports %v", reports)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.answer = func(n int, _ []string) delivery.Result {
			if n == 0 {
				return delivery.Result{Outcome: delivery.Retry, RetryAfter: 20 * time.Second, Err: errors.New("status 429")}
			}
			return delivery.Result{}
		}
		e := engine(t, delivery.Config{}, d)
		put(e, session(1, "S"))
		synctest.Wait()
		put(e, session(2, "T"))
		flush(t, e) // does not hurry what the server asked for
		calls := d.seen()
		if len(calls) != 3 || calls[1].at < 20*time.Second || calls[2].at < 20*time.Second {
			t.Errorf("calls %v", calls)
		}
	})
}

// TestOutage lets a destination fail for a minute: nothing is lost, no more than
// one try is under way at a time, and the back-off grows and is forgotten.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.delay = 10 * time.Millisecond
		d.answer = func(int, []string) delivery.Result {
			if time.Since(d.start) < time.Minute {
				return delivery.Result{Outcome: delivery.Retry, Err: errors.New("connection refused")}
			}
			return delivery.Result{}
		}
		var reports int
		e := engine(t, delivery.Config{Handle: func(error) { reports++ }}, d)
		for i := range byte(100) {
			put(e, session(i+1, fmt.Sprint("S", i)))
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(2 * time.Minute)
		if s := e.Stats(); s.Delivered != 100 || s.Retried == 0 {
			t.Errorf("%+v", s)
		}
		failed := 0
		for _, c := range d.seen() {
			if c.at < time.Minute {
				failed++
			}
		}
		if failed < 4 || failed > 40 {
			t.Errorf("%d tries in a minute of outage", failed)
		}
		if reports < 1 || reports > 2 {
			t.Errorf("%d reports", reports)
		}
	})
}

// TestFailuresTogetherCountOnce lets eight sends fail at the same moment: the
// next try must not wait as after eight failures in a row.
func TestFailuresTogetherCountOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.delay = time.Second
		d.answer = func(n int, _ []string) delivery.Result {
			if n < 8 {
				return delivery.Result{Outcome: delivery.Retry, Err: errors.New("reset")}
			}
			return delivery.Result{}
		}
		e := engine(t, delivery.Config{}, d)
		for i := range byte(8) {
			put(e, session(i+1, fmt.Sprint(i)))
		}
		time.Sleep(10 * time.Second)
		if calls := d.seen(); len(calls) != 16 || calls[8].at > 3*time.Second {
			t.Errorf("%d calls: %v", len(calls), calls)
		}
	})
}

func TestBlockedKeepsRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		var rightKey atomic.Bool
		d.answer = func(int, []string) delivery.Result {
			if !rightKey.Load() {
				return delivery.Result{Outcome: delivery.Blocked, Err: errors.New("status 401")}
			}
			return delivery.Result{}
		}
		var reports []error
		e := engine(t, delivery.Config{Handle: func(err error) { reports = append(reports, err) }}, d)
		put(e, session(1, "S"), event(1, 11, "a"))
		time.Sleep(time.Hour)
		rightKey.Store(true)
		time.Sleep(time.Minute)
		if s := e.Stats(); s.Delivered != 2 {
			t.Errorf("%+v", s)
		}
		if len(reports) < 30 || len(reports) > 61 {
			t.Errorf("%d reports in an hour, want one a minute at the most", len(reports))
		}
	})
}

func TestBadRecordAlone(t *testing.T) {
	for _, tc := range []struct {
		name    string
		outcome delivery.Outcome
		why     delivery.Reason
	}{
		{"refused", delivery.Bad, delivery.Refused},
		{"too large", delivery.Large, delivery.TooLarge},
		{"failing", delivery.Suspect, delivery.Refused},
		{"panic", 255, delivery.Refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDestination()
				d.answer = func(_ int, batch []string) delivery.Result {
					if !slices.Contains(batch, "bad") {
						return delivery.Result{}
					}
					if tc.outcome == 255 {
						panic("send")
					}
					return delivery.Result{Outcome: tc.outcome, Err: errors.New("no")}
				}
				e := engine(t, delivery.Config{}, d)
				put(e, session(1, "S"))
				for i := range byte(20) {
					text := fmt.Sprint("e", i)
					if i == 13 {
						text = "bad"
					}
					put(e, event(1, 10+i, text))
				}
				for i := range 100 {
					put(e, item{text: fmt.Sprint("other", i)})
					time.Sleep(20 * time.Second)
				}
				s := e.Stats()
				if s.Dropped[tc.why] != 1 || s.Delivered != 120 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestPartialSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.answer = func(_ int, batch []string) delivery.Result {
			switch {
			case slices.Contains(batch, "never"):
				return delivery.Result{Err: errors.New("again never, again b")}
			case slices.Contains(batch, "x"):
				return delivery.Result{Err: errors.New("two are gone"), Refused: 2}
			}
			return delivery.Result{}
		}
		e := engine(t, delivery.Config{}, d)
		put(e, item{text: "a"}, item{text: "b"}, item{text: "never"})
		time.Sleep(5 * time.Minute)
		if s := e.Stats(); s.Delivered != 2 || s.Dropped[delivery.Refused] != 1 {
			t.Errorf("%+v", s)
		}
		if n := count(d.sent(), "a"); n != 1 {
			t.Errorf("a was taken and is sent %d times", n)
		}
		if n := count(d.sent(), "b"); n != 2 {
			t.Errorf("b is sent %d times", n)
		}
		put(e, item{text: "x"}, item{text: "y"}, item{text: "z"})
		time.Sleep(time.Second)
		if s := e.Stats(); s.Delivered != 3 || s.Dropped[delivery.Refused] != 3 {
			t.Errorf("%+v", s)
		}
	})
}

func count(list []string, s string) int {
	n := 0
	for _, x := range list {
		if x == s {
			n++
		}
	}
	return n
}

func TestQueueFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.delay = time.Hour // a stuck server
		var reports int
		e := engine(t, delivery.Config{MaxBytes: 10_000, Timeout: 2 * time.Hour, Handle: func(error) { reports++ }}, d)
		accepted := 0
		for range 200 {
			if e.Put(item{text: "x"}, 1000) {
				accepted++
			}
			synctest.Wait()
			if s := e.Stats(); s.WaitingBytes > 10_000 {
				t.Fatalf("%d bytes are held", s.WaitingBytes)
			}
		}
		checkAccount(t, e)
		if waited := time.Since(d.start); waited != 100*time.Millisecond {
			t.Errorf("the callers waited %s in all, want one wait of 100ms", waited)
		}
		s := e.Stats()
		if accepted != int(s.Waiting) || s.Dropped[delivery.QueueFull] != int64(200-accepted) || accepted < 9 {
			t.Errorf("%d accepted, %+v", accepted, s)
		}
		if reports != 1 {
			t.Errorf("%d reports", reports)
		}
		if e.Put(item{text: "huge"}, 10_001) {
			t.Error("a record larger than the queue was accepted, which was full")
		}
		time.Sleep(2 * time.Hour) // it comes back
		if !e.Put(item{text: "x"}, 1000) {
			t.Error("not accepted although there is room")
		}
		if err := e.Flush(t.Context()); err == nil {
			t.Error("Flush does not tell of the drops")
		}
		if !e.Put(item{text: "huge"}, 1<<40) {
			t.Error("a record larger than the queue was not accepted though there is room")
		}
	})
}

func TestPutWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.delay = 50 * time.Millisecond
		e := engine(t, delivery.Config{MaxBytes: 1000, Linger: time.Millisecond}, d)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { e.Put(item{text: "x"}, 900) })
		}
		wg.Wait()
		flushed := e.Flush(t.Context())
		s := e.Stats()
		if s.Delivered < 2 || s.Delivered+s.Dropped[delivery.QueueFull] != 20 {
			t.Errorf("%+v", s)
		}
		if flushed == nil {
			t.Error("Flush must tell of the drops")
		}
		if err := e.Flush(t.Context()); err != nil {
			t.Errorf("told twice: %v", err)
		}
	})
}

func TestNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.delay = time.Second
		e := engine(t, delivery.Config{MaxBytes: 1000, MaxWait: -1}, d)
		put(e, item{text: strings.Repeat("x", 900)}, item{text: strings.Repeat("y", 900)})
		if time.Since(d.start) != 0 {
			t.Error("Put waited")
		}
	})
}

func TestFlushOfADeadServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.answer = func(int, []string) delivery.Result {
			return delivery.Result{Outcome: delivery.Retry, Err: errors.New("refused")}
		}
		e := engine(t, delivery.Config{Name: "hh"}, d)
		put(e, session(1, "S"), event(1, 11, "a"))
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		err := e.Flush(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "hh: 2 records wait in memory, the oldest for 3s") {
			t.Errorf("error %v", err)
		}
		ctx, cancel = context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err = e.Close(ctx)
		if err == nil || !strings.Contains(err.Error(), "2 records were left in memory") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if s := e.Stats(); s.Dropped[delivery.Closed] != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.delay = time.Second
		e := engine(t, delivery.Config{}, d)
		e.Open(group(1), "open")
		e.Open(group(2), "announced")
		put(e, event(1, 11, "a"), event(2, 21, "b"), event(3, 31, "unknown"))
		flushCtx, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		go func() { _ = e.Flush(flushCtx) }()
		time.Sleep(time.Second / 4)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := e.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if e.Put(item{text: "x"}, 1) || e.Stats().Dropped[delivery.Closed] != 1 {
			t.Error("accepted after Close")
		}
		if err := e.Flush(t.Context()); err == nil {
			t.Error("the flush does not tell of the drop")
		}
		sent := d.sent()
		for _, want := range []string{"abandon 1 live=open", "abandon 2 live=announced", "a", "b", "unknown"} {
			if !slices.Contains(sent, want) {
				t.Errorf("%q is missing in %q", want, sent)
			}
		}
	})
}

func TestCloseOfAnIdleEngine(t *testing.T) {
	e := delivery.New(delivery.Config{}, newDestination())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := errors.Join(e.Flush(ctx), e.Close(ctx), e.Close(ctx)); err != nil {
		t.Error(err)
	}
}

func TestStuckSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := newDestination()
		d.answer = func(int, []string) delivery.Result { <-release; return delivery.Result{} } // deaf to its context
		e := delivery.New(delivery.Config{Name: "test", InFlight: 1}, d)
		put(e, item{text: "x"})
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := e.Close(ctx)
		if err == nil || !strings.Contains(err.Error(), "1 sends did not return") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(d.start); took > 4*time.Second {
			t.Errorf("Close took %s", took)
		}
		close(release)
		synctest.Wait()
	})
}

func TestEncodeFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		e := engine(t, delivery.Config{Handle: func(error) { panic("handler") }}, d)
		put(e, item{text: "a"}, item{text: "bad", fail: errors.New("no")}, item{text: "worse", panics: true}, item{text: "b"})
		if err := e.Flush(t.Context()); err == nil {
			t.Error("the flush does not tell of the drops")
		}
		wantSent(t, d, "a", "b")
		if s := e.Stats(); s.Dropped[delivery.Broken] != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		e := engine(t, delivery.Config{MaxBatch: 10, MaxBatchBytes: 10_000, Linger: time.Second}, d)
		for i := range 25 {
			put(e, item{text: fmt.Sprint(i)})
		}
		synctest.Wait()
		if calls := d.seen(); len(calls) != 2 {
			t.Errorf("%d full batches, want 2 at once", len(calls))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if calls := d.seen(); len(calls) != 3 || len(calls[2].text) != 5 {
			t.Errorf("%d batches", len(calls))
		}
		for range 5 {
			put(e, item{text: strings.Repeat("x", 4000)})
		}
		put(e, item{text: strings.Repeat("x", 20_000)}) // larger than a batch: alone
		flush(t, e)
		for _, c := range d.seen()[3:] {
			total := 0
			for _, s := range c.text {
				total += len(s)
			}
			if total > 10_000 && len(c.text) > 1 {
				t.Errorf("a batch of %d bytes", total)
			}
		}
	})
}

// TestSameSessionTwice starts a session again under its id while it runs and
// after its end.
func TestSameSessionTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		e := engine(t, delivery.Config{}, d)
		e.Open(group(1), "first")
		e.Open(group(1), "second")
		put(e, event(1, 11, "a"), session(1, "S1"), event(1, 12, "b"), session(1, "S2"))
		flush(t, e)
		e.Open(group(1), "third")
		put(e, event(1, 13, "c"))
		flush(t, e)
		put(e, session(1, "S3"))
		flush(t, e)
		if sent := d.sent(); len(sent) != 6 || sent[0] != "S1" || sent[len(sent)-1] != "S3" {
			t.Errorf("sent %q", sent)
		}
	})
}

func TestOldestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.delay = 10 * time.Second
		e := engine(t, delivery.Config{InFlight: 1}, d)
		put(e, session(1, "S"))
		time.Sleep(5 * time.Second)
		put(e, session(2, "T"))
		time.Sleep(3 * time.Second)
		if age := e.Stats().OldestAge; age != 8*time.Second {
			t.Errorf("oldest is %s", age)
		}
		time.Sleep(4 * time.Second)
		if age := e.Stats().OldestAge; age != 7*time.Second {
			t.Errorf("oldest is %s", age)
		}
	})
}

func TestManyGoroutines(t *testing.T) {
	d := newDestination()
	e := engine(t, delivery.Config{MaxWait: -1}, d)
	var wg sync.WaitGroup
	for g := range 50 {
		wg.Go(func() {
			for i := range 50 {
				e.Open(group(byte(g)), "live")
				put(e, event(byte(g), byte(i+1), "e"), update(byte(g), byte(i+1), "u"), session(byte(g), "S"))
				switch i {
				case 20:
					_ = e.Flush(t.Context())
				case 30:
					_ = e.Sync(t.Context())
				}
				checkAccount(t, e)
			}
		})
	}
	wg.Wait()
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
	// A session that is announced at a flush is one record more.
	if s := e.Stats(); s.Delivered < 7500 || s.Delivered != s.Created {
		t.Errorf("%+v", s)
	}
}
