package tail

import (
	"container/list"
	"context"
	"slices"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// unit is a session, a turn of one, or the part that this process has of one, until it is
// decided and has gone where it goes. The lock of the sampler guards it.
type unit struct {
	group, session honeyhive.UUID
	rooted         bool                  // its root ran here
	roots          int                   // that run
	running        map[tree.Key]struct{} // what else it waits for, where the root is elsewhere

	bad        bool // there is a reason to keep it
	start, end time.Time

	opens  []span.Source // roots that the destinations were not told of
	drafts [][]pipeline.Draft
	held   []*pipeline.Held
	bytes  int64
	place  *list.Element // in the line
	kept   bool          // it is on its way
	early  bool          // likewise, though it is not known how it ends
}

// overhead is about what it takes to hold something, besides the thing itself.
const overhead = 320

func (s *Sampler) add(group, session honeyhive.UUID) *unit {
	u := &unit{group: group, session: session, running: make(map[tree.Key]struct{})}
	s.units[group] = u
	if group != session {
		s.turns[session] = u
	}
	return u
}

// remove lets go of a unit.
func (s *Sampler) remove(u *unit) {
	delete(s.units, u.group)
	if s.turns[u.session] == u {
		delete(s.turns, u.session)
	}
}

// decided returns what was decided of a group that is on its way no more, if anything
// was. A session of which a part was kept is kept.
func (s *Sampler) decided(group, session honeyhive.UUID) (kept, known bool) {
	if kept, known = s.groups.get(group); known {
		return kept, true
	}
	if group != session {
		if kept, _ = s.groups.get(session); kept {
			return true, true
		}
	}
	if s.closed || InShare(session, s.Share) {
		return true, true
	}
	return false, false
}

// ended notes what a span that has ended says of its unit.
func (s *Sampler) ended(u *unit, sp *Span) {
	delete(u.running, sp.Key)
	if sp.Root {
		u.roots = max(0, u.roots-1)
		u.bad = u.bad || s.SlowerThan > 0 && sp.Took > s.SlowerThan
	}
	u.bad = u.bad || sp.Bad
	if u.start.IsZero() || sp.Start.Before(u.start) {
		u.start = sp.Start
	}
	if sp.End.After(u.end) {
		u.end = sp.End
	}
	if sp.Above != (tree.Key{}) && !u.kept {
		u.running[sp.Above] = struct{}{}
		if !slices.Contains(s.anchors[sp.Above], u) {
			s.anchors[sp.Above] = append(s.anchors[sp.Above], u)
			s.anchored.Store(int64(len(s.anchors)))
		}
	}
}

// hold keeps something with its unit, unless no destination takes it. What is going to be
// decided at once needs no place in a spool.
func (s *Sampler) hold(u *unit, h *pipeline.Held) {
	if !slices.ContainsFunc(s.To, h.Taken) {
		return
	}
	draft := !u.kept && !u.bad && u.waits()
	for i, d := range s.To {
		h.Drafts = note(h.Drafts, i, len(s.To), d.Hold(h, draft))
	}
	u.held = append(u.held, h)
	if h.Event != (honeyhive.UUID{}) {
		s.events[h.Event] = u
	}
	n := h.Size + overhead
	u.bytes += n
	s.bytes += n
	if u.kept {
		s.leaving += n
	} else if u.place == nil {
		u.place = s.line.PushBack(u)
	}
}

// waits reports whether the unit has not ended.
func (u *unit) waits() bool { return u.roots > 0 || !u.rooted && len(u.running) > 0 }

// settle decides a unit if that can be done, and adds it to those that are to be
// released where it is kept.
func (s *Sampler) settle(release []*unit, u *unit) []*unit {
	switch {
	case u.kept || s.units[u.group] != u: // decided before
	case u.bad:
		return s.keep(release, u)
	case u.waits():
	case !u.rooted && s.SlowerThan > 0 && u.end.Sub(u.start) > s.SlowerThan:
		return s.keep(release, u)
	default:
		s.leave(u)
	}
	return release
}

// keep sends a unit on its way.
func (s *Sampler) keep(release []*unit, u *unit) []*unit {
	u.kept = true
	s.leaving += u.bytes
	s.outOfLine(u)
	return append(release, u)
}

// keepEarly is keep for a unit of which it is not known how it ends.
func (s *Sampler) keepEarly(release []*unit, u *unit) []*unit {
	u.early = true
	s.early.Add(1)
	return s.keep(release, u)
}

func (s *Sampler) outOfLine(u *unit) {
	if u.place != nil {
		s.line.Remove(u.place)
		u.place = nil
	}
}

// shed keeps the oldest units where what is undecided takes too much memory.
func (s *Sampler) shed(release []*unit) []*unit {
	for s.bytes-s.leaving > s.MaxBytes && s.line.Len() > 0 {
		release = s.keepEarly(release, s.line.Front().Value.(*unit))
	}
	return release
}

// leave drops a unit, in every destination.
func (s *Sampler) leave(u *unit) {
	b := s.take(u)
	for i, d := range s.To {
		d.LeaveOut(at(b, i), 0)
	}
	for _, h := range b.Held {
		if h.Event != (honeyhive.UUID{}) {
			s.left.add(h.Event, false)
		}
	}
	if u.rooted { // else the next part may end otherwise
		s.groups.add(u.group, false)
	}
	s.bytes -= sizeOf(b)
	s.outOfLine(u)
	s.remove(u)
}

// drop drops a unit, in every destination, whose session was discarded.
func (s *Sampler) drop(u *unit) {
	b := s.take(u)
	for i, d := range s.To {
		d.Discarded(at(b, i), 0)
	}
	s.bytes -= sizeOf(b)
	s.outOfLine(u)
	s.remove(u)
}

// leaveOut counts something that comes after its session was left out.
func (s *Sampler) leaveOut(h *pipeline.Held) {
	for _, d := range s.To {
		if h.Taken(d) {
			d.LeaveOut(&pipeline.Session{}, 1)
		}
	}
}

// take takes what a unit holds.
func (s *Sampler) take(u *unit) *pipeline.Session {
	b := &pipeline.Session{ID: u.group, Roots: u.opens, Drafts: u.drafts, Held: u.held, Ended: u.rooted && u.roots == 0}
	u.opens, u.drafts, u.held, u.bytes = nil, nil, nil, 0
	for _, h := range b.Held {
		if h.Event != (honeyhive.UUID{}) {
			delete(s.events, h.Event)
		}
	}
	return b
}

// sizeOf returns what hold counted of a batch.
func sizeOf(b *pipeline.Session) (n int64) {
	for _, h := range b.Held {
		n += h.Size + overhead
	}
	return n
}

// at returns a batch for one of the destinations.
func at(b *pipeline.Session, i int) *pipeline.Session {
	one := *b
	one.At = i
	return &one
}

// release hands units to the destinations, for a caller who has waited for them since a
// time: those without room are waited for at the end, all of them together.
func (s *Sampler) release(since time.Time, units []*unit) {
	if slices.ContainsFunc(units, func(u *unit) bool { return u.early }) {
		s.Early()
	}
	s.drain(units, func(batches []*pipeline.Session) {
		for _, b := range batches {
			var full []int
			for i, d := range s.To {
				if !d.TryRelease(at(b, i)) {
					full = append(full, i)
				}
			}
			for _, i := range full {
				s.To[i].Release(context.Background(), since, at(b, i))
			}
		}
	})
}

// drain gives what units hold to a function that hands it on, until they hold nothing
// more: what comes for a unit meanwhile goes behind what it had.
func (s *Sampler) drain(units []*unit, give func([]*pipeline.Session)) {
	for {
		var batches []*pipeline.Session
		s.mu.Lock()
		units = slices.DeleteFunc(units, func(u *unit) bool {
			if len(u.held)+len(u.opens) == 0 {
				s.remove(u)
				s.groups.add(u.group, true)
				if u.session != u.group {
					s.groups.add(u.session, true)
				}
				return true
			}
			batches = append(batches, s.take(u))
			return false
		})
		s.mu.Unlock()
		if len(units) == 0 {
			return
		}
		give(batches)
		s.mu.Lock()
		for _, b := range batches {
			s.bytes -= sizeOf(b)
			s.leaving -= sizeOf(b)
		}
		s.mu.Unlock()
	}
}
