package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/spool"
)

// foreign is a destination with code of users in each of its methods: misdeed
// runs where the method is the named one and what it is called for holds "bad".
type foreign struct {
	durable
	method  string
	misdeed func()
}

func (f foreign) do(method, text string) {
	if method == f.method && strings.Contains(text, "bad") {
		f.misdeed()
	}
}

func (f foreign) Encode(r *delivery.Record) error {
	f.do("Encode", r.Value.(item).text)
	r.Room(1000)
	return f.durable.Encode(r)
}

func (f foreign) Send(ctx context.Context, batch []*delivery.Record) delivery.Result {
	if slices.Contains(texts(batch), "bad") {
		f.do("Send", "bad")
	}
	return f.durable.Send(ctx, batch)
}

func (f foreign) Announce(group [16]byte, live any, held []*delivery.Record) (*delivery.Record, any) {
	f.do("Announce", fmt.Sprint(live))
	return f.durable.Announce(group, live, held)
}

func (f foreign) Amend(r *delivery.Record, announced any) bool {
	f.do("Amend", fmt.Sprint(announced))
	return f.durable.Amend(r, announced)
}

func (f foreign) Abandon(group [16]byte, live, announced any) *delivery.Record {
	f.do("Abandon", fmt.Sprint(live))
	return f.durable.Abandon(group, live, announced)
}

// deeds are what code of users may do instead of returning.
var deeds = map[string]func(){
	"panics":     func() { panic("on purpose") },
	"panics nil": func() { panic(nil) },
	"exits":      runtime.Goexit,
}

// TestForeignCodeEnds runs code of users that panics or ends its goroutine in every
// place where the engine calls it: the records beside the one at fault arrive, and
// the account is exact.
func TestForeignCodeEnds(t *testing.T) {
	for name, deed := range deeds {
		for _, method := range []string{"Encode", "Send", "Announce", "Amend", "Abandon", "handler"} {
			t.Run(name+" in "+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDestination()
					cfg := delivery.Config{Handle: func(error) {}}
					if method == "handler" {
						cfg.Handle = func(error) { deed() }
					}
					e := engine(t, cfg, foreign{durable: durable{d}, method: method, misdeed: deed})
					e.Open(group(1), "bad live")
					e.Open(group(2), "live")
					put(e, event(1, 11, "a"), event(2, 21, "b"), event(2, 22, "bad"), event(2, 23, "c"), item{text: "fails", fail: errors.New("no")}, item{text: "d"})
					_ = e.Flush(t.Context())
					put(e, session(1, "S1"), session(2, "S2"), event(2, 24, "e"))
					_ = e.Flush(t.Context())
					e.Open(group(3), "bad live")
					put(e, event(3, 31, "f"))
					if err := e.Close(t.Context()); err != nil && strings.Contains(err.Error(), "did not return") {
						t.Error(err)
					}
					for _, want := range []string{"a", "b", "c", "d", "e", "f"} {
						if !slices.Contains(d.sent(), want) {
							t.Errorf("%q is missing in %q", want, d.sent())
						}
					}
					s := e.Stats()
					if s.Waiting != 0 || s.Dropped[delivery.Closed] != 0 {
						t.Errorf("%+v", s)
					}
					if lost := s.Dropped[delivery.Broken] + s.Dropped[delivery.Refused]; lost < 1 || lost > 2 {
						t.Errorf("%d records were dropped, of which one cannot be encoded: %+v", lost, s)
					}
				})
			})
		}
	}
}

// TestForeignCodeHangs runs code of users that does not return, in every place where
// the engine calls it: Flush ends with its context, Close soon after its own; what
// was left is counted, and what hangs is named. That code may go on afterwards.
func TestForeignCodeHangs(t *testing.T) {
	for _, method := range []string{"Encode", "Send", "Announce", "Amend", "Abandon", "handler"} {
		for _, kept := range []bool{false, true} {
			t.Run(fmt.Sprint(method, " spool ", kept), func(t *testing.T) {
				release := make(chan struct{})
				hang := func() { <-release }
				var once sync.Once
				bubble := func(t *testing.T) {
					release = make(chan struct{})
					defer once.Do(func() { close(release); synctest.Wait() })
					d := newDestination()
					cfg := delivery.Config{Name: "test"}
					if method == "handler" {
						cfg.Handle = func(error) { hang() }
					}
					e := delivery.New(cfg, foreign{durable: durable{d}, method: method, misdeed: hang})
					if kept {
						if err := e.Keep(t.TempDir(), spool.Options{MinFree: -1}); err != nil {
							t.Fatal(err)
						}
					}
					e.Open(group(1), "bad live")
					put(e, event(1, 11, "a"), item{text: "b"}, item{text: "fails", fail: errors.New("no")}, item{text: "bad"}, item{text: "d"})
					start := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					_ = e.Flush(ctx)
					if took := time.Since(start); took > time.Second {
						t.Errorf("Flush took %s", took)
					}
					put(e, session(1, "S1"), item{text: "e"})
					e.Open(group(2), "bad live")
					start = time.Now()
					ctx, cancel = context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					err := e.Close(ctx)
					if took, most := time.Since(start), map[bool]time.Duration{false: 2 * time.Second, true: 5 * time.Second}[kept]; took > most {
						t.Errorf("Close took %s", took)
					}
					if err == nil || !strings.Contains(err.Error(), "did not return and still") {
						t.Errorf("Close returned %v", err)
					}
					checkAccount(t, e)
					before := e.Stats()
					if before.Waiting != 0 || before.Delivered+before.WaitingOnDisk+before.Dropped[delivery.Closed] < 5 {
						t.Errorf("%+v", before)
					}
					once.Do(func() { close(release); synctest.Wait() })
					if after := e.Stats(); after.Delivered != before.Delivered || after.Waiting != 0 || after.Created != before.Created {
						t.Errorf("%+v became %+v", before, after)
					}
				}
				synctest.Test(t, bubble)
			})
		}
	}
}

// TestSlowEncoding holds Flush and Close against code that takes its time: both end
// with their contexts, and what there was no time for is counted.
func TestSlowEncoding(t *testing.T) {
	for _, kept := range []bool{false, true} {
		t.Run(fmt.Sprint("spool ", kept), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDestination()
				e := delivery.New(delivery.Config{Name: "test"}, foreign{durable: durable{d}, method: "Encode", misdeed: func() { time.Sleep(50 * time.Millisecond) }})
				if kept {
					if err := e.Keep(t.TempDir(), spool.Options{MinFree: -1}); err != nil {
						t.Fatal(err)
					}
				}
				for i := range 200 {
					put(e, item{text: fmt.Sprint("bad ", i)})
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				start := time.Now()
				if err := e.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("Flush took %s", took)
				}
				if n := e.Stats().Delivered; n < 10 {
					t.Errorf("%d records were delivered while the others were encoded", n)
				}
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start = time.Now()
				if err := e.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "did not return") {
					t.Error(err)
				}
				if took := time.Since(start); took > 4*time.Second || !kept && took > 1500*time.Millisecond {
					t.Errorf("Close took %s", took)
				}
				checkAccount(t, e)
				// Three seconds are enough for 60 records, of which some wait for others to
				// share a request, and two more with a spool for 40.
				s, encoded := e.Stats(), int64(60)
				if kept {
					encoded = 100
				}
				if d := s.Delivered + s.WaitingOnDisk - encoded; s.Waiting != 0 || d < -6 || d > 2 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestLastError looks at the errors of Flush and Close: beside how much waits they
// say why.
func TestLastError(t *testing.T) {
	refused := errors.New("connection refused")
	for name, c := range map[string]struct {
		answer func(int, []string) delivery.Result
		delay  time.Duration
		want   string
	}{
		"retry":   {answer: func(int, []string) delivery.Result { return delivery.Result{Outcome: delivery.Retry, Err: refused} }, want: "the last error: connection refused"},
		"blocked": {answer: func(int, []string) delivery.Result { return delivery.Result{Outcome: delivery.Blocked, Err: refused} }, want: "the last error: connection refused"},
		"suspect": {answer: func(int, []string) delivery.Result { return delivery.Result{Outcome: delivery.Suspect, Err: refused} }, want: "the last error: connection refused"},
		"not yet": {answer: func(int, []string) delivery.Result { return delivery.Result{Outcome: delivery.NotYet, Err: refused} }, want: "the last error: connection refused"},
		"silence": {delay: time.Hour, want: "a request has had no answer for 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDestination()
				d.answer, d.delay = c.answer, c.delay
				e := engine(t, delivery.Config{Timeout: 2 * time.Hour}, d)
				put(e, update(1, 1, "a"))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := e.Flush(ctx); err == nil || !strings.Contains(err.Error(), "1 records wait in memory") || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Flush returned %v", err)
				}
				err := closeNow(e)
				if err == nil || !strings.Contains(err.Error(), "1 records were left in memory at the end; "+c.want) {
					t.Errorf("Close returned %v", err)
				}
				if c.answer != nil && !errors.Is(err, refused) {
					t.Errorf("%v does not wrap the error", err)
				}
			})
		})
	}
	t.Run("recovered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDestination()
			d.answer = func(n int, _ []string) delivery.Result {
				if n == 0 {
					return delivery.Result{Outcome: delivery.Retry, Err: refused}
				}
				return delivery.Result{}
			}
			e := engine(t, delivery.Config{}, d)
			put(e, item{text: "a"})
			flush(t, e)
			d.mu.Lock()
			d.delay = time.Hour
			d.mu.Unlock()
			put(e, item{text: "b"})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := e.Flush(ctx); err == nil || strings.Contains(err.Error(), "refused") {
				t.Errorf("Flush returned %v", err)
			}
		})
	})
	t.Run("dropped", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDestination()
			d.answer = func(int, []string) delivery.Result { return delivery.Result{Outcome: delivery.Bad, Err: refused} }
			e := engine(t, delivery.Config{}, d)
			put(e, item{text: "a"})
			if err := e.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "1 records were dropped, the last one because: connection refused") {
				t.Errorf("Flush returned %v", err)
			}
		})
	})
}
