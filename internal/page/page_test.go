package page_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/page"
	"github.com/sessionspan/sessionspan/internal/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// queue is the queue of a destination at an address.
type queue struct {
	pipeline.Destination // none of whose other methods are called
	address              string
	learned              func()
	live                 atomic.Int64
}

func (q *queue) Local() string         { return q.address }
func (q *queue) OnPage(learned func()) { q.learned = learned }
func (q *queue) Live()                 { q.live.Add(1) }

// serve answers /healthz like the local server, or like another one.
func serve(t *testing.T, answer string) (address string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestNone has no server that can have a page.
func TestNone(t *testing.T) {
	p := page.New([]pipeline.Destination{&queue{}}, quiet())
	if p != nil {
		t.Errorf("there are pages: %v", p)
	}
	p.Begin(honeyhive.UUID{1})
	if got := p.Wait(); got != "" {
		t.Errorf("the page is %q", got)
	}
	p.Close(t.Context())
}

// TestWait asks the servers of several queues: the one that says what it is has the
// page, is asked once, and is told to show sessions live.
func TestWait(t *testing.T) {
	other, _ := serve(t, `{"service":"other"}`)
	mine, asked := serve(t, `{"service":"sessionspan"}`)
	a, b := &queue{address: other}, &queue{address: mine}
	p := page.New([]pipeline.Destination{a, &queue{}, b}, quiet())
	defer p.Close(t.Context())
	for range 3 {
		if got := p.Wait(); got != mine {
			t.Errorf("the page is %q, not %q", got, mine)
		}
	}
	if asked.Load() != 1 || a.live.Load() != 0 || b.live.Load() != 1 {
		t.Errorf("asked %d times; live: %d, %d", asked.Load(), a.live.Load(), b.live.Load())
	}
}

// TestNotOurs asks a server that is another one, and leaves it alone then.
func TestNotOurs(t *testing.T) {
	other, asked := serve(t, `{"service":"other"}`)
	p := page.New([]pipeline.Destination{&queue{address: other}}, quiet())
	defer p.Close(t.Context())
	for range 3 {
		if got := p.Wait(); got != "" {
			t.Errorf("the page is %q", got)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times within the time that it is left alone", asked.Load())
	}
}

// TestLog logs the link of the first session alone, whichever is known first: the session
// or the page.
func TestLog(t *testing.T) {
	for name, first := range map[string]bool{"page first": true, "session first": false} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			q := &queue{address: "http://127.0.0.1:1"}
			p := page.New([]pipeline.Destination{q}, slog.New(slog.NewTextHandler(&log, nil)))
			id := honeyhive.UUID{0xab}
			if first {
				q.learned()
			}
			p.Begin(id)
			p.Begin(honeyhive.UUID{0xcd})
			if !first {
				q.learned()
			}
			p.Close(t.Context())
			if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, q.address+"/s/"+id.String()) {
				t.Errorf("logged %q", text)
			}
		})
	}
}
