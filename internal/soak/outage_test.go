package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// outage is a way in which a server fails, for a while.
type outage string

// The outages.
const (
	refused     outage = "refused"           // nobody listens
	blackHole   outage = "black hole"        // requests are read and not answered
	resetInBody outage = "reset in mid-body" // half of a request is read
	truncated   outage = "truncated answer"  // half of an answer is written
	slowAnswer  outage = "slow answer"       // a byte a second
	unavailable outage = "503"
	busySeconds outage = "429 with seconds"
	busyDate    outage = "429 with a date"
)

const (
	outageFor  = 12 * time.Second
	retryAfter = 3 * time.Second // that a 429 asks for
)

var outages = []outage{refused, blackHole, resetInBody, truncated, slowAnswer, unavailable, busySeconds, busyDate}

// network is a server behind connections that it serves by hand, so that it can
// break them. Until its outage is over it fails.
type network struct {
	kind outage
	over time.Time
	slop time.Duration // that a request which was on its way may come after a 429

	mu       sync.Mutex
	take     func(request)
	conns    map[net.Conn]struct{}
	closed   bool
	notUntil time.Time // by the last Retry-After
	asked    time.Time // when that was sent
	early    []string  // requests that did not wait as long
	failed   int       // requests that failed
	serving  sync.WaitGroup
}

// dial connects over a pipe in memory.
func (n *network) dial(context.Context, string, string) (net.Conn, error) {
	if n.fails() && n.kind == refused {
		n.mu.Lock()
		n.failed++
		n.mu.Unlock()
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	n.serve(ours)
	return theirs, nil
}

func (n *network) fails() bool { return time.Now().Before(n.over) }

// serve answers the requests of a connection in a goroutine.
func (n *network) serve(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		_ = c.Close()
		return
	}
	if n.conns == nil {
		n.conns = make(map[net.Conn]struct{})
	}
	n.conns[c] = struct{}{}
	n.serving.Go(func() {
		in := bufio.NewReader(c)
		for n.one(c, in) {
		}
		_ = c.Close()
		n.mu.Lock()
		delete(n.conns, c)
		n.mu.Unlock()
	})
}

// one answers a request, or not, and reports whether the connection goes on.
func (n *network) one(c net.Conn, in *bufio.Reader) bool {
	r, err := http.ReadRequest(in)
	if err != nil {
		return false
	}
	fails := n.fails()
	n.arrived(fails)
	if fails && n.kind == resetInBody {
		_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		return false
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	if fails {
		return n.fail(c, in)
	}
	n.mu.Lock()
	n.take(request{r.Method, r.URL.Path, r.Header, body})
	n.mu.Unlock()
	contentType, text := "application/json", `{"success":true}`
	if r.URL.Path == tracesPath {
		contentType, text = "application/x-protobuf", ""
	}
	_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", contentType, len(text), text)
	return err == nil
}

// arrived notes whether a request came earlier than it should.
func (n *network) arrived(fails bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if fails {
		n.failed++
	}
	if now := time.Now(); now.After(n.asked.Add(n.slop)) && now.Before(n.notUntil) {
		n.early = append(n.early, fmt.Sprintf("%v after a 429, %v before its end", now.Sub(n.asked), n.notUntil.Sub(now)))
	}
}

// fail treats a request that was read.
func (n *network) fail(c net.Conn, in *bufio.Reader) bool {
	const text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"success\":true}"
	switch n.kind {
	case blackHole:
		_, _ = in.ReadByte() // until the client gives up
	case truncated:
		_, _ = io.WriteString(c, text[:len(text)-8])
	case slowAnswer:
		for i := range len(text) {
			if _, err := io.WriteString(c, text[i:i+1]); err != nil {
				return false
			}
			time.Sleep(time.Second)
		}
	case unavailable:
		_, err := io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		return err == nil
	case busySeconds, busyDate:
		now := time.Now()
		value, until := strconv.Itoa(int(retryAfter.Seconds())), now.Add(retryAfter)
		if n.kind == busyDate {
			until = until.Truncate(time.Second)
			value = until.UTC().Format(http.TimeFormat)
		}
		n.mu.Lock()
		n.asked, n.notUntil = now, until
		n.mu.Unlock()
		_, err := fmt.Fprintf(c, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", value)
		return err == nil
	}
	return false
}

// close ends all connections and waits for them.
func (n *network) close() {
	n.mu.Lock()
	n.closed = true
	for c := range n.conns {
		_ = c.Close()
	}
	n.mu.Unlock()
	n.serving.Wait()
}

// destination is what a test delivers to.
type destination struct {
	otlp, spool bool
	live        bool // each session is announced
}

var destinations = []destination{{}, {spool: true}, {otlp: true}, {otlp: true, spool: true}}

func (d destination) String() string {
	name := "http"
	if d.otlp {
		name = "otlp"
	}
	if d.spool {
		name += " with a spool"
	}
	return name
}

// tracer makes a tracer that delivers to a URL.
func (d destination) tracer(t testing.TB, url string, transport http.RoundTripper, limits exporter.Limits, spool ...exporter.SpoolOption) *sessionspan.Tracer {
	t.Helper()
	options := []sessionspan.Option{
		sessionspan.WithoutEnvironment(), sessionspan.WithProject("soak"),
		sessionspan.WithErrorHandler(nil), sessionspan.WithDefaults(exporter.WithLimits(limits)),
	}
	if d.otlp {
		options = append(options, sessionspan.WithOTLP(exporter.OTLPConfig{URL: url + tracesPath, Transport: transport}))
	} else {
		options = append(options, sessionspan.WithHTTP(exporter.HTTPConfig{URL: url, Transport: transport}))
	}
	if d.live {
		options = append(options, sessionspan.WithDefaults(exporter.WithLiveSessions()))
	}
	if d.spool {
		options = append(options, sessionspan.WithSpool(t.TempDir(), spool...))
	}
	tracer, err := sessionspan.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// TestOutage records while the server fails for 12 seconds, in fake time: nothing
// is lost, no call of the program waits, and no request comes earlier than the
// server allows.
func TestOutage(t *testing.T) {
	for _, kind := range outages {
		for _, d := range destinations {
			t.Run(fmt.Sprintf("%s/%s", kind, d), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testOutage(t, kind, d) })
			})
		}
	}
}

// pipeTransport connects to a network in memory.
func pipeTransport(n *network) *http.Transport {
	return &http.Transport{DialContext: n.dial, MaxIdleConnsPerHost: 8}
}

func testOutage(t *testing.T, kind outage, d destination) {
	o := newOracle()
	n := &network{kind: kind, over: time.Now().Add(outageFor), take: o.take}
	transport := pipeTransport(n)
	tracer := d.tracer(t, "http://127.0.0.1:1", transport, exporter.Limits{})
	var want ids
	slow := 0
	for time.Now().Before(n.over.Add(2 * time.Second)) {
		began := time.Now()
		want.record(tracer, 5, 200)
		if time.Since(began) > 0 {
			slow++
		}
		time.Sleep(150 * time.Millisecond)
	}
	if slow > 0 {
		t.Errorf("%d calls waited", slow)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := tracer.ForceFlush(ctx); err != nil {
		t.Errorf("flush: %v", err)
	}
	drained := time.Since(n.over)
	if err := tracer.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	transport.CloseIdleConnections()
	n.close()
	want.check(t, o, d)
	n.check(t)
	checkDelivered(t, tracer.Stats())
	t.Logf("%d requests failed, drained %v after the end", n.failed, drained)
	if drained > time.Minute {
		t.Errorf("it took %v after the end of the outage", drained)
	}
}

// check checks what the server saw.
func (n *network) check(t testing.TB) {
	t.Helper()
	if n.failed == 0 {
		t.Error("no request failed: nothing was tested")
	}
	if len(n.early) > 0 {
		t.Errorf("requests came too early: %s", strings.Join(n.early, "\n"))
	}
}

// ids are those of what was recorded.
type ids struct {
	sessions, events, spans []string
}

// record records a session with events of some bytes.
func (w *ids) record(tracer *sessionspan.Tracer, events, size int) {
	ctx, s := tracer.StartSession(context.Background(), "s", sessionspan.WithInputs(payload(size, 1)))
	w.sessions, w.spans = append(w.sessions, s.ID()), append(w.spans, s.Span().SpanContext().SpanID().String())
	for range events {
		_, e := tracer.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(payload(size, 2)))
		w.events, w.spans = append(w.events, e.ID()), append(w.spans, e.Span().SpanContext().SpanID().String())
		e.End()
	}
	s.SetOutputs(map[string]any{"done": true})
	s.End()
}

// add adds the ids of others.
func (w *ids) add(o ids) {
	w.sessions = append(w.sessions, o.sessions...)
	w.events = append(w.events, o.events...)
	w.spans = append(w.spans, o.spans...)
}

// check checks that all came, and nothing else.
func (w *ids) check(t testing.TB, o *oracle, d destination) {
	t.Helper()
	o.mu.Lock()
	lost := func(kind string, ids []string, came func(string) bool, n int) {
		missing := slices.DeleteFunc(slices.Clone(ids), came)
		if len(missing) > 0 || n != len(ids) {
			t.Errorf("%d of %d %s did not come, %d are there", len(missing), len(ids), kind, n)
		}
	}
	if d.otlp {
		lost("spans", w.spans, func(id string) bool { _, ok := o.spans[id]; return ok }, len(o.spans))
	} else {
		lost("events", w.events, func(id string) bool { _, ok := o.events[id]; return ok }, len(o.events))
		lost("sessions", w.sessions, func(id string) bool { return o.sessions[id]&finished != 0 }, len(o.sessions))
	}
	o.mu.Unlock()
	if v := o.verdict(); v != "" {
		t.Error(v)
	}
}

// checkDelivered checks accounts of tracers that delivered everything.
func checkDelivered(t testing.TB, stats []exporter.Stats) {
	t.Helper()
	for _, s := range stats {
		if s.Delivered != s.Created || s.Delivered == 0 || len(s.Dropped) > 0 {
			t.Errorf("not all was delivered: %+v", s)
		}
	}
	checkAccounts(stats, t.Errorf)
}
