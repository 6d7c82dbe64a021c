package sessionspan

import (
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

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
		t.spoke.Add(id)
		return true
	case convert.Step:
		return convert.NamesSession(s.Attributes()) || t.spoke.Has(id) || t.tree.AnyAbove(tree.KeyOf(s.Parent()), func(live tree.Live) bool {
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
