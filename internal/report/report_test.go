package report_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionspan/sessionspan/internal/report"
)

func TestOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		r := report.Reporter{Handle: func(err error) { got = append(got, err.Error()) }}
		for i := range 90 {
			r.Report("a", fmt.Errorf("a%d", i))
			r.Once("b", errors.New("b"))
			time.Sleep(time.Second)
		}
		r.Report("c", nil)
		want := "a0 b a60 (and 59 more like it since)"
		if s := strings.Join(got, " "); s != want {
			t.Errorf("got %q, want %q", s, want)
		}
	})
}

func TestHandlers(t *testing.T) {
	var none report.Reporter
	none.Report("a", errors.New("dropped"))
	none.Once("a", errors.New("dropped"))
	panics := report.Reporter{Handle: func(error) { panic("handler") }}
	panics.Report("a", errors.New("goes no further"))
	var mu sync.Mutex
	n := 0
	var r report.Reporter
	r.Handle = func(error) { // a handler may report itself
		mu.Lock()
		n++
		mu.Unlock()
		r.Report("b", errors.New("from the handler"))
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { r.Report("a", errors.New("x")) })
	}
	wg.Wait()
	if n != 2 {
		t.Errorf("%d reports", n)
	}
}

func TestWrappedErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sentinel := errors.New("sentinel")
		var last error
		r := report.Reporter{Handle: func(err error) { last = err }}
		r.Report("a", sentinel)
		r.Report("a", sentinel)
		time.Sleep(report.Quiet)
		r.Report("a", sentinel)
		if !errors.Is(last, sentinel) || last.Error() != "sentinel (and 1 more like it since)" {
			t.Errorf("%v", last)
		}
	})
}
