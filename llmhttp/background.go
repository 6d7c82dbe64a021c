package llmhttp

import (
	"container/list"
	"net/http"
	"strings"
	"sync"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/internal/genai"
)

// This file joins answers that are made in the background to the calls that asked
// for them. Such a call is answered at once, with the id of a response that is
// queued, and its event ends. The answer comes to whoever asks for the response by
// its id, later, maybe in another request of the session, with another client:
// https://platform.openai.com/docs/guides/background. So the events of responses
// that are not over are remembered in the process, by host and id, the newest of
// them, and the answer changes the event after its end. An answer whose event is
// not remembered, as where another process asked for it, is an event of its own.

// backgroundRun says how far a response is.
type backgroundRun struct {
	status     string // in the words of the API; empty where it says none
	background bool   // it was asked for so
}

// pending reports whether the response is not over.
func (r *backgroundRun) pending() bool { return r.status == "queued" || r.status == "in_progress" }

// over reports whether the response is over.
func (r *backgroundRun) over() bool { return r.status != "" && !r.pending() }

// A pendingKey names a response.
type pendingKey struct{ host, id string }

// Bounds of what is remembered: the number of responses, and about how many bytes
// their events hold.
const (
	mostPending      = 1 << 10
	mostPendingBytes = 32 << 20
)

// pendingEvents are the responses of a process that were asked for in the
// background, the oldest first.
type pendingEvents struct {
	mu    sync.Mutex
	known map[pendingKey]*list.Element
	order list.List // of pendingEvent
	bytes int64
}

// A pendingEvent is one of them. event is nil once the answer is recorded.
type pendingEvent struct {
	key   pendingKey
	event *sessionspan.Event
	bytes int64
}

var pending pendingEvents

// put remembers the event of a response, nil for one whose answer is recorded.
func (p *pendingEvents) put(key pendingKey, event *sessionspan.Event, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = make(map[pendingKey]*list.Element)
	}
	if old := p.known[key]; old != nil {
		p.remove(old)
	}
	bytes += int64(len(key.host) + len(key.id) + 256)
	p.known[key] = p.order.PushBack(pendingEvent{key, event, bytes})
	p.bytes += bytes
	for p.order.Len() > mostPending || p.bytes > mostPendingBytes {
		p.remove(p.order.Front())
	}
}

func (p *pendingEvents) remove(e *list.Element) {
	old := p.order.Remove(e).(pendingEvent)
	delete(p.known, old.key)
	p.bytes -= old.bytes
}

// take returns the event of a response whose answer is about to be recorded, and
// whether the response is known. It gives each event once.
func (p *pendingEvents) take(key pendingKey) (event *sessionspan.Event, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.known[key]
	if e == nil {
		return nil, false
	}
	entry := e.Value.(pendingEvent)
	event = entry.event
	p.bytes -= entry.bytes
	entry.event, entry.bytes = nil, int64(len(key.host)+len(key.id)+256)
	p.bytes += entry.bytes
	e.Value = entry
	return event, true
}

// eventBytes is about what an event holds, beside the request.
const eventBytes = 4 << 10

// remember keeps the event of a call whose response is not over.
func (c *call) remember() {
	run := c.x.run
	if c.event == nil || c.x.id == "" || !run.pending() && (!run.background || !run.over()) {
		return
	}
	key := pendingKey{strings.ToLower(c.request.URL.Host), c.x.id}
	if run.over() {
		pending.put(key, nil, 0)
		return
	}
	bytes := c.request.ContentLength
	if bytes < 0 {
		bytes = int64(c.t.limit)
	}
	pending.put(key, c.event, min(bytes, int64(c.t.limit))+eventBytes)
}

// adopt gives the call that brought the answer of a response the event that the
// answer belongs to. It returns false where nothing is to be recorded: the
// response is not over, or was recorded before, or could not be had.
func (c *call) adopt() bool {
	x := c.x
	if c.status >= http.StatusBadRequest || x.id == "" || !x.run.over() {
		return false
	}
	key := pendingKey{strings.ToLower(c.request.URL.Host), x.id}
	event, known := pending.take(key)
	if known {
		c.event = event
		return event != nil
	}
	if !x.run.background { // its own call has the answer
		return false
	}
	pending.put(key, nil, 0)
	ctx, at := c.request.Context(), sessionspan.WithStartTime(c.started)
	if c.t.tracer != nil {
		_, c.event = c.t.tracer.StartEvent(ctx, sessionspan.Model, x.operation, at)
	} else {
		_, c.event = sessionspan.StartEvent(ctx, sessionspan.Model, x.operation, at)
	}
	if !c.event.IsRecording() && !c.event.IsMeasured() {
		c.event = nil
		return false
	}
	c.span = c.event.Span()
	c.exports = !x.blind && c.event.ExportsSpan()
	x.asked = x.model
	c.event.SetName(c.name())
	c.event.SetConfig(map[string]any{"provider": x.provider, "model": x.model})
	c.event.SetAttributes(c.appendAddress(append(x.attributes[:0:0],
		genai.ProviderName.String(x.provider), genai.OperationName.String(x.operation), genai.RequestModel.String(x.model)))...)
	return true
}

// retrievedResponse are calls for a response by its id, and those that cancel
// one.
type retrievedResponse struct{ responses }

func (retrievedResponse) request(*exchange, string) {}
