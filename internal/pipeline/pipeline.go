// Package pipeline is how a tracer hands spans, sessions and updates to the
// destinations that package exporter makes: what both need of each other and
// users do not.
package pipeline

import (
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
}

// Of returns the queue of an *exporter.Exporter. Package exporter sets it.
var Of func(exporter any) Destination

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
