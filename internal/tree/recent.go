package tree

import (
	"sync"

	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Started remembers the ids that sessions were started with, the newest mostStarted of
// them, to tell who starts one twice. Its methods are safe for concurrent use.
type Started struct {
	mu    sync.Mutex
	said  map[honeyhive.UUID]bool // whether it was told of an id already
	order []honeyhive.UUID        // a ring, once it is full
	next  int
}

const mostStarted = 16 << 10

// Note notes that a session was started, and reports whether that is to be told: it was
// not the first time, but the first that was not.
func (s *Started) Note(id honeyhive.UUID) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	said, known := s.said[id]
	switch {
	case known:
		s.said[id] = true
	case s.said == nil:
		s.said = map[honeyhive.UUID]bool{id: false}
		s.order = append(s.order, id)
	case len(s.order) < mostStarted:
		s.said[id] = false
		s.order = append(s.order, id)
	default:
		delete(s.said, s.order[s.next])
		s.said[id], s.order[s.next] = false, id
		s.next = (s.next + 1) % mostStarted
	}
	return known && !said
}

// Recent is a set of the traces that were added last, in two halves of which the older is
// dropped when the newer is full. Its methods are safe for concurrent use.
type Recent struct {
	mu           sync.Mutex
	newer, older map[trace.TraceID]struct{}
}

// mostTraces is how many traces a half has, 16 bytes each.
const mostTraces = 4096

// Add adds a trace.
func (r *Recent) Add(id trace.TraceID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.newer == nil || len(r.newer) >= mostTraces {
		r.older, r.newer = r.newer, make(map[trace.TraceID]struct{})
	}
	r.newer[id] = struct{}{}
}

// Has reports whether a trace was added, and is not forgotten.
func (r *Recent) Has(id trace.TraceID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, newer := r.newer[id]
	_, older := r.older[id]
	return newer || older
}
