// Package pipeline is how a tracer hands spans, sessions and updates to the
// destinations that package exporter makes: what both need of each other and
// users do not.
package pipeline

import (
	"context"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/span"
)

// Destination is the queue of an exporter. Its methods are safe for concurrent
// use, do no input or output, and do nothing on the queue of a nil exporter.
type Destination interface {
	// TakesSpans reports whether the destination wants every span, rather than
	// those of sessions alone.
	TakesSpans() bool
	// Open tells of a session that has begun: what belongs to it is held until the
	// session itself was sent. The root is shown when the session must be announced
	// before its end.
	Open(session honeyhive.UUID, root span.Source)
	// Local returns the address of a server at a loopback address that is spoken to
	// directly and may have a page, and else "".
	Local() string
	// Live has sessions announced when they start, unless an option says otherwise, to
	// a server that takes a session again when it has ended: to one with a page.
	Live()
	// OnPage has learned called, once, when the server says in an answer that it has a
	// page. It is called before the first span.
	OnPage(learned func())
	// Gone tells that the root of a session will not come.
	Gone(session honeyhive.UUID)
	// Try takes over a span of the given size that has finished now, where there is
	// room.
	Try(now time.Time, s span.Source, size int64) bool
	// Put is Try for somebody who has waited for room since a time, and goes on
	// until Limits.QueueWait has passed since then. What finds no room by then is
	// dropped and counted.
	Put(since time.Time, s span.Source, size int64)
	// Update takes over a change that build makes when it is about to be sent, on a
	// worker goroutine. Update returns exporter.ErrNoUpdates where the destination takes
	// none.
	Update(session honeyhive.UUID, build func() *honeyhive.Update) error

	// Hold counts what waits until it is decided whether its session is delivered, and
	// HoldOpen notes that such a session has begun. What they return is given back with
	// what was held. With draft set a spool has it meanwhile.
	Hold(h *Held, draft bool) Draft
	HoldOpen(session honeyhive.UUID, root span.Source) Draft
	// TryRelease takes over, whole, what was held of a session, and reports whether
	// there was room.
	TryRelease(s *Session) bool
	// Release is TryRelease for somebody who has waited for room since a time, and goes
	// on as long as Put does; with the zero time it waits until ctx ends. What finds no
	// room by then is dropped and counted.
	Release(ctx context.Context, since time.Time, s *Session)
	// LeaveOut counts what was held of a session, and others that never were, as sampled
	// out.
	LeaveOut(s *Session, others int64)
	// Discard drops what waits of a session, and what comes of it; Discarded counts what
	// was held of one, and others that never were, as that.
	Discard(session honeyhive.UUID)
	Discarded(s *Session, others int64)
}

// Held is a span or an update that waits until it is decided whether its session is
// delivered.
type Held struct {
	Source    span.Source              // nil for an update
	SpansOnly bool                     // no event: for destinations that take every span
	Build     func() *honeyhive.Update // see Destination.Update
	Target    honeyhive.UUID           // the session that Update is told
	Event     honeyhive.UUID           // of the event; zero for none
	Size      int64
	Drafts    []Draft // one for each destination; nil for none
}

// Taken reports whether a destination takes what is held.
func (h *Held) Taken(d Destination) bool {
	if h.Source == nil || h.SpansOnly {
		return d.TakesSpans() == (h.Source != nil)
	}
	return true
}

// Session is what was held of a session.
type Session struct {
	ID     honeyhive.UUID
	Roots  []span.Source // that Open is to be told
	Drafts [][]Draft     // of each root, one for each destination
	Held   []*Held       // in the order in which they came
	Ended  bool          // and the ends of all roots are among it
	At     int           // which of the destinations it is given to
}

// Draft is what a destination keeps of what is held, such as its place in a spool; nil for
// nothing.
type Draft any

// Of returns the queue of an *exporter.Exporter. Package exporter sets it.
var Of func(exporter any) Destination

// Measured returns an *Event of the root package that nothing is recorded of but
// metrics, if at all, for a Kind and a *Tracer, or else that of the context. The root
// package sets it.
var Measured func(ctx context.Context, tracer, kind any) any

// Deliver hands a span that has finished now to destinations: to all where it
// belongs to a session, else to those that take every span. Those without room
// are waited for at the end, all of them together no longer than the longest
// Limits.QueueWait.
func Deliver(s span.Source, now time.Time, to []Destination, inSession bool) {
	var size int64
	var full []Destination
	for _, d := range to {
		if !inSession && !d.TakesSpans() {
			continue
		}
		if size == 0 {
			size = s.Size()
		}
		if !d.Try(now, s, size) {
			full = append(full, d)
		}
	}
	for _, d := range full {
		d.Put(now, s, size)
	}
}

// UpdateOverhead is about what an update takes in memory besides its texts.
const UpdateOverhead = 1024

// SizeOfUpdate returns about how many bytes an update keeps in memory.
func SizeOfUpdate(u *honeyhive.Update) int64 {
	n := int64(UpdateOverhead)
	for _, o := range []honeyhive.Object{u.Config, u.Outputs, u.Metadata, u.Metrics, u.Feedback, u.UserProperties, u.Unknown} {
		n += span.TextSize(len(o.JSONText()))
	}
	return n
}
