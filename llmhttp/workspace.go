package llmhttp

import (
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// A workspace is what a call needs while it runs and gives back at its end, for
// the next one. Nothing of it is kept by an event: what is recorded is copied.
type workspace struct {
	exchange         exchange
	attributes       []attribute.KeyValue
	input            []message
	arena            []part
	choices          []*choice
	config, metadata fields
	sent, got        capture
	raw              []string // what holds credentials
	body             []byte   // of a request, and then of its answer
}

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// newCall returns a call with a workspace.
func newCall(t *tracing, r *http.Request) *call {
	w := workspaces.Get().(*workspace)
	x := &w.exchange
	x.attributes, x.input, x.arena, x.choices, x.config, x.metadata = w.attributes, w.input, w.arena, w.choices, w.config, w.metadata
	return &call{t: t, request: r, started: time.Now(), space: w, x: x}
}

// giveSpace takes the workspace back. The exchange must not be used any more.
func (c *call) giveSpace() {
	w, x := c.space, c.x
	if c.event != nil {
		w.attributes = emptied(x.attributes)
	}
	w.input, w.arena, w.choices = emptied(x.input), emptied(x.arena), emptied(x.choices)
	w.config, w.metadata = emptied(x.config), emptied(x.metadata)
	if c.got != nil {
		w.body = c.got.b
	}
	if cap(w.body) > mostAhead {
		w.body = nil
	}
	w.raw = emptied(w.raw)
	w.sent, w.got, w.exchange = capture{}, capture{}, exchange{}
	c.space = nil
	workspaces.Put(w)
}

// mostKept is how many elements a list may have that is kept.
const mostKept = 256

// emptied returns a list without its elements, to be used again.
func emptied[S ~[]E, E any](list S) S {
	if cap(list) > mostKept {
		return nil
	}
	clear(list[:cap(list)])
	return list[:0]
}

// takeBody returns a buffer for a body. It is given back by the end.
func (w *workspace) takeBody() []byte {
	b := w.body[:0]
	w.body = nil
	return b
}
