package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// TestLive watches sessions come: the first one, a new one behind the button, one
// that runs and ends, and none while the list is paused.
func TestLive(t *testing.T) {
	s := start(t)
	b := newTab(t, s.URL())
	b.show("/")
	b.has("#empty", s.URL())
	tracer := newTracer(t, s.URL(), "Travel", "staging", exporter.WithLiveSessions())
	now := time.Now().Add(-time.Minute)
	answered(tracer, "first", 0, now)
	flush(t, tracer)
	b.wait(`document.querySelectorAll("#sessions tbody tr").length === 1`) // it appears by itself
	b.ready()
	b.wait(`document.getElementById("live").dataset.state === "on"`)

	eval[bool](b, `window.same = true`)
	loaded := len(b.asked("/"))
	answered(tracer, "second", 1, now.Add(time.Second))
	answered(tracer, "third", 2, now.Add(2*time.Second))
	flush(t, tracer)
	b.waitText("#new:not([hidden])", "2 new")
	b.lists("first") // nothing moves under the reader's hand
	b.waitText("#figures dd", "3")
	for _, asked := range b.asked("/")[loaded:] { // never for the list as a whole
		if !strings.Contains(asked, "/?changed=") && !strings.Contains(asked, "/?sums=only") && !strings.Contains(asked, "/api/stream") {
			t.Errorf("the open list asks for %s", asked)
		}
	}
	b.press("n")
	b.wait(`document.querySelectorAll("#sessions tbody tr").length === 3`)
	b.lists("third", "second", "first")

	ctx, running := tracer.StartSession(context.Background(), "running", sessionspan.WithInputs(map[string]any{"question": "how long?"}))
	b.waitText("#new:not([hidden])", "1 new")
	b.click("#new")
	b.waitText("#sessions tbody tr:first-child .state", "running")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "look")
	e.RecordError(io.ErrClosedPipe)
	e.End()
	running.SetOutputs(map[string]any{"answer": "not long"})
	running.End()
	flush(t, tracer)
	b.waitText("#sessions tbody tr:first-child", "not long") // the row changes in its place
	b.wait(`!document.querySelector("#sessions tbody tr:first-child .state").classList.contains("running")`)
	if !eval[bool](b, "window.same") {
		t.Error("the page was loaded anew")
	}

	b.press("p")
	b.waitText("#pause", "Go on")
	if !strings.Contains(eval[string](b, "location.search"), "paused=1") {
		t.Error("the address does not say that the list is paused")
	}
	answered(tracer, "fourth", 3, time.Now())
	flush(t, tracer)
	b.lists("running", "third", "second", "first")
	if b.count("#new:not([hidden])") != 0 {
		t.Error("a paused list tells what is new")
	}
	b.click("#pause")
	b.waitText("#new:not([hidden])", "1 new") // nothing was lost meanwhile
}

// TestLiveSession watches a session while it runs.
func TestLiveSession(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging", exporter.WithLiveSessions())
	ctx, session := tracer.StartSession(context.Background(), "running")
	flush(t, tracer)
	b := newTab(t, s.URL())
	b.show("/s/" + session.ID() + "?view=tree")
	b.has("#running", "still running")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "look around")
	e.End()
	flush(t, tracer)
	b.waitText("#rows", "look around")
	b.ready()
	session.End()
	flush(t, tracer)
	b.waitText("h1 + .state", "ok")
}

// cable is the way between the browser and the server. It can be cut.
type cable struct {
	t    *testing.T
	to   string
	addr string

	mu    sync.Mutex
	l     net.Listener
	conns map[net.Conn]bool
	work  sync.WaitGroup
}

func newCable(t *testing.T, to string) *cable {
	c := &cable{t: t, to: strings.TrimPrefix(to, "http://"), addr: "127.0.0.1:0", conns: make(map[net.Conn]bool)}
	c.join()
	t.Cleanup(func() { c.cut(); c.work.Wait() })
	return c
}

// join lets connections through, at the same address each time.
func (c *cable) join() {
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.l, c.addr = l, l.Addr().String()
	c.mu.Unlock()
	c.work.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			c.work.Go(func() { c.carry(from) })
		}
	})
}

func (c *cable) carry(from net.Conn) {
	to, err := net.Dial("tcp", c.to)
	if err != nil {
		_ = from.Close()
		return
	}
	c.mu.Lock()
	c.conns[from], c.conns[to] = true, true
	c.mu.Unlock()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
		})
	}
	both.Wait()
	c.mu.Lock()
	delete(c.conns, from)
	delete(c.conns, to)
	c.mu.Unlock()
}

// cut ends all connections and takes no new ones.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.l.Close()
	for conn := range c.conns {
		_ = conn.Close()
	}
}

// TestLiveReconnects cuts the connection, lets sessions come meanwhile, and
// expects them after it is mended.
func TestLiveReconnects(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	now := time.Now().Add(-time.Minute)
	answered(tracer, "before", 0, now)
	flush(t, tracer)
	c := newCable(t, s.URL())
	b := newTab(t, "http://"+c.addr)
	b.show("/")
	b.wait(`document.getElementById("live").dataset.state === "on"`)
	for _, name := range []string{"1 new", "2 new"} {
		c.cut()
		b.wait(`document.getElementById("live").dataset.state === "lost"`)
		answered(tracer, "meanwhile", 1, now.Add(time.Second))
		flush(t, tracer)
		c.join()
		b.wait(`document.getElementById("live").dataset.state === "on"`)
		b.waitText("#new:not([hidden])", name)
	}
	b.click("#new")
	b.wait(`document.querySelectorAll("#sessions tbody tr").length === 3`)
	b.lists("meanwhile", "meanwhile", "before")
	// That the connection was lost is what the browser says, and nothing else.
	for _, p := range b.take() {
		if !strings.Contains(p, "/api/stream") || !strings.Contains(p, "net::ERR_") {
			t.Error(p)
		}
	}
	if len(b.asked("/api/stream")) < 3 {
		t.Errorf("the streams were %q", b.asked("/api/stream"))
	}
}

// TestLiveRows changes sessions whose rows are shown: one that the filter would leave out
// by now changes in its place, and one that is deleted goes.
func TestLiveRows(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging", exporter.WithLiveSessions())
	_, ends := tracer.StartSession(context.Background(), "ends")
	_, goes := tracer.StartSession(context.Background(), "goes")
	flush(t, tracer)
	b := newTab(t, s.URL())
	b.show("/?status=running&sort=name&dir=asc")
	b.lists("ends", "goes")
	b.wait(`document.getElementById("live").dataset.state === "on"`)
	eval[bool](b, `window.same = true`)
	ends.SetOutputs(map[string]any{"answer": "at last"})
	ends.End()
	flush(t, tracer)
	b.waitText("#sessions tbody tr:first-child", "at last")
	b.waitText("#sessions tbody tr:first-child .state", "ok")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.URL()+"/v1/sessions/"+goes.ID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("delete: %d", res.StatusCode)
	}
	b.wait(`document.querySelectorAll("#sessions tbody tr").length === 1`)
	b.lists("ends")
	if !eval[bool](b, "window.same") {
		t.Error("the page was loaded anew")
	}
}
