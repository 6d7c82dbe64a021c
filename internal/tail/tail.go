package tail

import (
	"container/list"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// Config is the rule, and whom it is for.
type Config struct {
	Share      float64       // of the sessions that are kept whatever becomes of them
	SlowerThan time.Duration // sessions that took longer are kept; 0 for none
	MaxBytes   int64         // that what is undecided may take
	To         []pipeline.Destination
	Early      func() // is told, with no lock held, when sessions were kept early
}

// Sampler decides of sessions. Its methods are safe for concurrent use.
type Sampler struct {
	Config
	early    atomic.Int64 // sessions that were kept before their end
	anchored atomic.Int64 // spans in anchors

	mu      sync.Mutex
	units   map[honeyhive.UUID]*unit // by group, that are undecided, or on their way
	turns   map[honeyhive.UUID]*unit // of them, by session, the newest turn of each
	events  map[honeyhive.UUID]*unit // of the events that are held
	anchors map[tree.Key][]*unit     // by spans outside of sessions that they wait for
	line    list.List                // of the units that hold something and are undecided, the oldest first
	bytes   int64                    // that units hold
	leaving int64                    // of them, of those that are on their way
	groups  memory
	left    memory // the events that were left out
	closed  bool
}

// New returns a sampler.
func New(c Config) *Sampler {
	return &Sampler{
		Config: c, units: make(map[honeyhive.UUID]*unit), events: make(map[honeyhive.UUID]*unit),
		anchors: make(map[tree.Key][]*unit), turns: make(map[honeyhive.UUID]*unit),
	}
}

// Span is a span of a session that has ended.
type Span struct {
	pipeline.Held
	// Group is what is decided at once: the session, or a turn of it.
	Group, Session honeyhive.UUID
	Key            tree.Key
	Root           bool          // of the group
	Took           time.Duration // of a root
	Bad            bool          // a reason to keep the session
	Start, End     time.Time
	// Above is the topmost span that runs above one which names its session by its
	// attributes alone; the zero key where none does.
	Above tree.Key
}

// KeptEarly returns how many sessions were kept before it was known how they end.
func (s *Sampler) KeptEarly() int64 { return s.early.Load() }

// Open tells of a session, or a turn of one, that has begun.
func (s *Sampler) Open(group, session honeyhive.UUID, root span.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[group]
	if u == nil {
		if kept, known := s.decided(group, session); kept {
			for _, d := range s.To {
				d.Open(group, root)
			}
			return
		} else if known {
			s.groups.forget(group) // it is started once more, and may end otherwise
		}
		u = s.add(group, session)
	}
	u.rooted = true
	u.roots++
	var drafts []pipeline.Draft
	if u.opens = append(u.opens, root); !u.kept {
		for i, d := range s.To {
			drafts = note(drafts, i, len(s.To), d.HoldOpen(group, root))
		}
	}
	u.drafts = append(u.drafts, drafts)
}

// note puts a draft, if there is one, at the place of its destination.
func note(drafts []pipeline.Draft, i, n int, d pipeline.Draft) []pipeline.Draft {
	if d != nil && drafts == nil {
		drafts = make([]pipeline.Draft, n)
	}
	if d != nil {
		drafts[i] = d
	}
	return drafts
}

// Gone tells that the root of a session, or a turn, will not come: what there is of it is
// kept.
func (s *Sampler) Gone(group, session honeyhive.UUID) {
	var kept bool
	s.do(time.Now(), func() (release []*unit) {
		kept, _ = s.decided(group, session)
		if u := s.units[group]; u != nil {
			if kept = true; !u.kept {
				return s.keepEarly(nil, u)
			}
		}
		return nil
	})
	if kept {
		for _, d := range s.To {
			d.Gone(group)
		}
	}
}

// do calls f with the lock held, and releases what f returns.
func (s *Sampler) do(now time.Time, f func() (release []*unit)) {
	s.release(now, func() []*unit {
		s.mu.Lock()
		defer s.mu.Unlock()
		return f()
	}())
}

// Begin tells of a span that starts in a session whose root another process holds.
func (s *Sampler) Begin(session honeyhive.UUID, k tree.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[session]
	if u == nil {
		if _, known := s.decided(session, session); known {
			return
		}
		u = s.add(session, session)
	}
	u.running[k] = struct{}{}
}

// Forgot tells of a span of a session that will not end.
func (s *Sampler) Forgot(session honeyhive.UUID, k tree.Key) {
	s.do(time.Now(), func() (release []*unit) {
		if u := s.units[session]; u != nil {
			delete(u.running, k)
			return s.settle(nil, u)
		}
		return nil
	})
}

// Ended tells of a span outside of any session that has ended, or will not.
func (s *Sampler) Ended(k tree.Key) {
	if s.anchored.Load() == 0 {
		return
	}
	s.do(time.Now(), func() (release []*unit) {
		for _, u := range s.anchors[k] {
			delete(u.running, k)
			release = s.settle(release, u)
		}
		delete(s.anchors, k)
		s.anchored.Store(int64(len(s.anchors)))
		return release
	})
}

// Put takes over a span that has ended now.
func (s *Sampler) Put(now time.Time, sp *Span) {
	deliver := false
	s.do(now, func() (release []*unit) {
		u := s.units[sp.Group]
		if u == nil {
			switch kept, known := s.decided(sp.Group, sp.Session); {
			case kept:
				deliver = true
				return nil
			case known:
				s.leaveOut(&sp.Held)
				return nil
			}
			u = s.add(sp.Group, sp.Session)
		}
		s.ended(u, sp)
		s.hold(u, &sp.Held)
		return s.shed(s.settle(nil, u))
	})
	if deliver {
		pipeline.Deliver(sp.Source, now, s.To, !sp.SpansOnly)
	}
}

// Verdict is what became of an update.
type Verdict uint8

// The verdicts on updates.
const (
	Unknown Verdict = iota // nothing was decided of the session here, or that it is kept: deliver it
	Taken                  // it waits with its session
	LeftOut                // it is counted as sampled out, as its session was
)

// Update takes over a change of a session or event, whose target is given, unless that
// is Unknown. bad says that the change is a reason to keep the session. A change of a
// conversation of which turns run goes with the newest of them.
func (s *Sampler) Update(group, target honeyhive.UUID, h *pipeline.Held, bad bool) (v Verdict) {
	s.do(time.Now(), func() (release []*unit) {
		u := s.units[group]
		if u == nil {
			u = s.events[target]
		}
		if u == nil {
			u = s.turns[group]
		}
		if u == nil {
			kept, known := s.groups.get(group)
			if _, left := s.left.get(target); known && !kept || left {
				s.leaveOut(h)
				v = LeftOut
			}
			return nil
		}
		v = Taken
		u.bad = u.bad || bad
		s.hold(u, h)
		return s.shed(s.settle(nil, u))
	})
	return v
}

// Discard drops what is undecided of a session, and of its turns. It is not remembered:
// who calls it puts nothing more of the session.
func (s *Sampler) Discard(session honeyhive.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.units {
		if u.session == session && !u.kept { // one on its way has been given to the destinations, or is
			s.drop(u)
		}
	}
}

// Close keeps all that is undecided, and decides nothing any more. It waits for room in
// the destinations until ctx ends.
func (s *Sampler) Close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	var release []*unit
	for _, u := range s.units {
		if !u.kept {
			release = s.keep(release, u)
		}
	}
	s.mu.Unlock()
	s.drain(release, func(batches []*pipeline.Session) {
		var wg sync.WaitGroup
		for i, d := range s.To {
			wg.Go(func() { // so that one without room does not use up the time of the others
				for _, b := range batches {
					d.Release(ctx, time.Time{}, at(b, i))
				}
			})
		}
		wg.Wait()
	})
}
