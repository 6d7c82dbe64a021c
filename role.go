package sessionspan

import (
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// This file says which spans of other tracers are events.

// keeps reports whether a span of another tracer in a session is an event. The
// session speaks, so a step of the program is one; since a span that has just started
// may turn out to be plumbing, that is left open until it is final.
func (t *Tracer) keeps(live tree.Live, final bool) bool {
	if t.filter != nil {
		defer t.guard("span filter")
		return t.filter(live.Name(), live.Attributes())
	}
	s, ok := live.(sdktrace.ReadOnlySpan)
	if !ok {
		return false
	}
	switch span.RoleOf(s) {
	case convert.Speaking:
		return true
	case convert.Step:
		return final
	}
	return false
}

// keepsOutside reports whether a span of another tracer that has ended outside of
// any session, and names one, is an event: a step of the program is where it names the
// session in the terms of a dialect, where a span above it speaks, or where one of its
// trace did not long ago.
func (t *Tracer) keepsOutside(s sdktrace.ReadOnlySpan) bool {
	if t.filter != nil {
		return t.keeps(s, true)
	}
	switch id := s.SpanContext().TraceID(); span.RoleOf(s) {
	case convert.Speaking:
		t.spoke.add(id)
		return true
	case convert.Step:
		return convert.NamesSession(s.Attributes()) || t.spoke.has(id) || t.tree.AnyAbove(tree.KeyOf(s.Parent()), func(live tree.Live) bool {
			above, ok := live.(sdktrace.ReadOnlySpan)
			return ok && span.RoleOf(above) == convert.Speaking
		})
	}
	return false
}

// untypedAs returns the type of an event whose attributes do not say what it is, so
// that whoever gets its span sees that it is an event: "" for those that do.
func untypedAs(role convert.Role) string {
	switch role {
	case convert.Step:
		return honeyhive.TypeChain
	case convert.Plumbing: // kept by the user's filter
		return honeyhive.TypeTool
	}
	return ""
}

// recentTraces are the traces that a span spoke in, outside of any session: the last
// ones, in two halves of which the older is dropped when the newer is full.
type recentTraces struct {
	mu           sync.Mutex
	newer, older map[trace.TraceID]struct{}
}

// mostTraces is how many traces a half has, 16 bytes each.
const mostTraces = 4096

func (r *recentTraces) add(id trace.TraceID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.newer == nil || len(r.newer) >= mostTraces {
		r.older, r.newer = r.newer, make(map[trace.TraceID]struct{})
	}
	r.newer[id] = struct{}{}
}

func (r *recentTraces) has(id trace.TraceID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, newer := r.newer[id]
	_, older := r.older[id]
	return newer || older
}
