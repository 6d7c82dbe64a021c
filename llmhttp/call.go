package llmhttp

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/secret"
)

// A call is an event while it runs. What passes is read under its lock, on the
// goroutine of whoever reads the body.
type call struct {
	t     *tracing
	event *sessionspan.Event // nil where the client made the span
	span  trace.Span
	// measured is the event of which there are metrics alone, where the client made
	// the span.
	measured *sessionspan.Event
	request  *http.Request
	started  time.Time
	space    *workspace

	mu       sync.Mutex
	x        *exchange // of the workspace, so nil after the end
	sent     *capture  // the request
	sentAll  bool      // all of it
	asked    bool      // the request was read
	exports  bool      // attributes that hold content are worth writing, and may be
	status   int
	length   int64  // of the answer, where it is known
	seen     int64  // bytes of the answer
	head     []byte // of the answer, as long as its form is not known
	streams  bool   // the answer is a stream
	text     bool   // the answer begins as no form of an answer does
	split    parser
	events   int      // that could be read
	only     string   // JSON that may be the whole answer
	again    *repeat  // what the last events of the stream look like
	got      *capture // an answer that comes whole
	body     answerBody
	inflate  *inflater
	arrived  time.Time // of the bytes that are being read
	first    time.Time // of the first content
	newest   time.Time // of the last content
	unwatch  func() bool
	answered *http.Request // what was sent in the end, where another transport changed it
	matcher  *secret.Matcher
	broken   bool // our reading failed: what passes is not read any more
	ended    bool
	// What the headers of the answer say of it.
	contentType, encoding string
	unterminated          bool   // see endUnterminated
	usageAsked            bool   // of a stream
	reason, excerpt       string // why the answer cannot be read
	// errorType is what the headers call an error.
	errorType string
}

// A parser takes a stream apart as it is pushed through.
type parser interface {
	write(p []byte)
	end()        // there is no more
	unread() int // events that were too long
}

// guard keeps a panic of ours from the program. What is not read is not
// recorded.
func (c *call) guard() {
	if r := recover(); r != nil {
		c.broken = true
		c.t.reports.Report("panic", fmt.Errorf("llmhttp: read a call of %s: panic: %s", c.x.provider, c.hideError(fmt.Sprint(r))))
	}
}

// readRequest reads the request that was kept. The lock is held, or nobody else
// has the call.
func (c *call) readRequest() {
	if c.asked {
		return
	}
	c.asked = true
	if c.x.operation == genai.Retrieval || c.x.operation == genai.Rerank {
		c.x.found()
	}
	if f, ok := c.x.format.(addressed); ok {
		f.address(c.x, c.request.URL)
	}
	if text := c.sentText(); !c.sent.cut && text != "" {
		if f, ok := c.x.format.(rewritten); ok {
			text = f.rewrite(text)
		}
		body, err := rawjson.Parse(text)
		if err == nil && rawjson.KindOf(body) == rawjson.Object {
			c.x.format.request(c.x, body)
			c.sent.cut = c.x.endLists()
			if c.x.finding != nil {
				c.x.learnSearch(body)
			} else {
				c.x.learnBody(body)
			}
			_, counts := c.x.format.(counted)
			c.usageAsked = c.streamAsked() && (counts || get(body, "stream_options", "include_usage") == "true")
		} else {
			c.x.metadata.json("request_unreadable", "true")
		}
	}
	c.recordRequest()
	c.space.body, c.sent.b = c.sent.b, nil
}

// sentText returns the request that was kept, decompressed where gzip compressed it.
func (c *call) sentText() string {
	if !strings.EqualFold(c.request.Header.Get("Content-Encoding"), "gzip") {
		return c.sent.text()
	}
	plain := capture{limit: c.t.limit}
	z, err := gzip.NewReader(bytes.NewReader(c.sent.b))
	if err == nil {
		_, err = io.Copy(&plain, io.LimitReader(z, mostInflated))
	}
	if plain.cut {
		c.sent.cut = true
	} else if err != nil {
		return c.sent.text()
	}
	return plain.text()
}

// mostInflated bounds in bytes what is decompressed of a request.
const mostInflated = 64 << 20

// takeResponse reads the answer as the client reads it.
func (c *call) takeResponse(ctx context.Context, resp *http.Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status, c.length = resp.StatusCode, resp.ContentLength
	c.errorType, c.x.header = awsErrorType(resp.Header), resp.Header
	c.contentType, c.encoding = resp.Header.Get("Content-Type"), resp.Header.Get("Content-Encoding")
	if resp.Body == nil || resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols {
		c.end(nil, endEOF)
		return
	}
	if c.sentAll {
		c.readRequest()
	}
	c.body = answerBody{resp.Body, c}
	resp.Body = &c.body
	if ctx.Done() != nil {
		c.unwatch = context.AfterFunc(ctx, func() { c.finish(ctx.Err()) })
	}
}

// answerBody is the body of an answer that is read as it passes.
type answerBody struct {
	io.ReadCloser
	c *call
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 || err != nil {
		b.c.read(p[:n], err)
	}
	return n, err
}

// Close ends the event, unless the answer was over.
func (b *answerBody) Close() error {
	if b.c.failed() {
		b.readError()
	}
	b.c.close()
	return b.ReadCloser.Close()
}

// What is read of the body of an error that the client closes unread, as those do
// that try again, and how long Close waits for it. Nearly always it is there.
const (
	errorBytes = 64 << 10
	errorWait  = 100 * time.Millisecond
)

// readError reads an error for the event alone. Where it does not come in time,
// Close breaks off the reading.
func (b *answerBody) readError() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := make([]byte, 4<<10)
		for read := 0; read < errorBytes; {
			n, err := b.Read(p)
			if err != nil {
				return
			}
			read += n
		}
	}()
	timer := time.NewTimer(errorWait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// failed reports whether the answer is an error that was not read to its end.
func (c *call) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended && c.status >= http.StatusBadRequest
}

// read takes what the client was given.
func (c *call) read(p []byte, err error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.arrived = now
	c.seen += int64(len(p))
	if len(p) > 0 {
		c.feed(p)
	}
	switch {
	case c.x.done && c.streams:
		c.end(nil, "")
	case errors.Is(err, io.EOF) || err == nil && c.length >= 0 && c.seen >= c.length:
		c.end(nil, endEOF)
	case err != nil:
		c.end(err, "")
	}
}

func (c *call) feed(p []byte) {
	if c.broken {
		return
	}
	defer c.guard()
	if c.inflate != nil {
		c.inflate.write(p)
		return
	}
	c.take(p)
}

// frame reads a message of a binary stream.
func (c *call) frame(kind, name string, payload []byte) {
	switch {
	case c.x.done:
	case kind == "event":
		c.chunk(name, payload)
	case kind == "error":
		c.x.fail(name, string(payload))
		c.x.done = true
	default:
		if body, err := rawjson.Parse(string(payload)); err != nil || !c.x.errorIn(body) {
			c.x.fail(name, string(payload))
		}
		c.x.problem.kind = cmp.Or(name, c.x.problem.kind)
		c.x.done = true
	}
}

// chunk reads an event of the stream.
func (c *call) chunk(event string, data []byte) {
	if c.x.done {
		return
	}
	c.flushOnly()
	c.x.content = false
	if text, ok := c.again.match(event, data); ok {
		c.x.write(c.again.piece, text)
		if !c.again.framed {
			c.again.frame(event)
		}
	} else if !c.parse(event, data) {
		return
	}
	if c.x.content {
		if c.first.IsZero() {
			c.first = c.arrived
		}
		c.newest = c.arrived
	}
}

// repeats reads events of a stream that follow one another and are all as the last
// one was. It returns how long they are together, and whether the beginning of
// another such event follows, which is all that is left of p.
func (c *call) repeats(p []byte) (n int, begun bool) {
	r := c.again
	if r == nil || !r.framed || c.x.done {
		return 0, false
	}
	most := min(c.t.limit, blobFrom) // longer ones are read another way
	x, more := c.x, r.piece.more
	for keep := !x.blind && !x.spills(r.piece); ; {
		text, size := r.next(p[n:])
		if size == 0 || size >= most || keep && (len(text) > x.room || len(text) > cap(more)-len(more)) {
			break // which write makes room for, one at a time
		}
		if n += size; keep {
			x.room -= len(text)
			more = append(more, text...)
		}
	}
	if n > 0 {
		r.piece.more = more
		c.newest = c.arrived
	}
	return n, len(p)-n < most && r.begins(p[n:])
}

// parse reads an event of the stream that is not like the one before. It reports
// whether it is one.
func (c *call) parse(event string, data []byte) bool {
	x := c.x
	if string(bytes.TrimSpace(data)) == "[DONE]" {
		x.done = true
		return false
	}
	body, err := rawjson.Parse(string(data))
	switch {
	case err == nil && rawjson.KindOf(body) == rawjson.Array && x.errorIn(body):
		x.done = true
		return true
	case event == "error" && (err != nil || rawjson.KindOf(body) == rawjson.String):
		x.done = x.failText(data, body) || x.done
		return x.done
	case err != nil || rawjson.KindOf(body) != rawjson.Object:
		if len(bytes.TrimSpace(data)) > 0 { // else it only keeps the connection alive
			x.skipped++
		}
		return false
	}
	c.events++
	if event == "error" {
		x.done = x.errorIn(body) || x.failWith(body) || x.done
		return true
	}
	x.added, x.changes = nil, 0
	x.format.chunk(x, event, body)
	x.cut = x.endLists() || x.cut
	if x.changes == 0 && !x.content && !x.done && x.errorIn(body) {
		x.done = true
	}
	c.again = nil
	if x.added != nil && x.changes == 1 && len(body) == len(data) {
		c.again = newRepeat(event, body, x.text, x.added)
	}
	return true
}

// How a body ended that had not said so itself.
const (
	endEOF    = "eof"
	endClosed = "closed"
	// endUnterminated is how a stream ended in which all choices had: without what
	// should have come behind them.
	endUnterminated = "unterminated"
	// endNoUsage is how a stream ended whose usage was asked for, or is told unasked,
	// and did not come.
	endNoUsage = "no_usage"
)

func (c *call) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.request != nil && c.request.Context().Err() != nil { // closed since it was cancelled
		c.end(c.request.Context().Err(), "")
		return
	}
	c.end(nil, endClosed)
}

// finish ends the event because of an error.
func (c *call) finish(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(err, "")
}

// end records what is known and ends the event, the first time that it is
// called. The lock is held.
func (c *call) end(err error, how string) {
	if c.ended {
		return
	}
	c.ended = true
	if c.unwatch != nil {
		c.unwatch()
	}
	if c.arrived.IsZero() {
		c.arrived = time.Now()
	}
	c.readRest(how)
	func() {
		defer c.guard()
		c.record(err, how)
	}()
	c.giveSpace()
	c.asked, c.again = true, nil
	c.answered, c.matcher = nil, nil
	c.split, c.got, c.inflate, c.sent, c.request, c.head, c.only, c.x = nil, nil, nil, nil, nil, nil, "", nil
	c.event.End()
	c.measured.End()
}

// readRest reads what waited for the end.
func (c *call) readRest(how string) {
	defer c.guard()
	if c.inflate != nil {
		c.inflate.stop()
	}
	if c.sent != nil {
		c.readRequest()
	}
	if c.broken {
		return
	}
	if len(c.head) > 0 {
		c.begin(nil, true)
	}
	switch {
	case c.split != nil:
		if !c.x.done && how == endEOF {
			c.split.end()
		}
		c.x.skipped += c.split.unread()
		if list, ok := c.split.(*elements); ok && list.closed && c.events > 0 {
			c.x.done = true
		}
		if c.only != "" {
			c.streams = false
			c.readAnswer(c.only)
		}
	case c.got != nil && !c.got.cut:
		c.readAnswer(c.got.text())
	case c.got != nil:
		c.x.cut = true
	}
}
