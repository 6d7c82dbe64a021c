package sessionspan

import (
	"errors"
	"fmt"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/pipeline"
)

// ErrDiscarded says that a session cannot be changed since [Session.Discard] has dropped
// it.
var ErrDiscarded = errors.New("its session was discarded")

// Discard drops the session, such as one whose user takes their consent back while it
// runs: from then on nothing of it leaves the process, in no destination. What waits is
// dropped, in memory and in the spool; so is the end of the session, events and spans
// that end or start later in it, whoever made them, its turns, changes, and
// announcements. The handles go on as ever, and what is set on them goes nowhere.
//
// What is dropped counts in [Tracer.Stats] as dropped with the reason "discarded", which
// is no error of a flush. What a destination has acknowledged before stays there, as does
// what is on its way at that moment; Stats counts that as delivered. Delete it there: the
// server of this project erases a session by POST /api/erase. Of what the spool holds
// nothing is sent any more; the bytes go with their file, as soon as nothing else in that
// waits. Records that a server has refused before stay in refused.jsonl.
//
// Discard holds for this process: other services that share the session go on with their
// parts, and so does another tracer. At least the last 65,536 sessions that were discarded
// are remembered; one of the same id that is started again is dropped too. An [Update] by
// the id of the session then returns [ErrDiscarded]; of an event by its own id it is not
// known that it was of the session. On a session that was continued Discard does the same,
// and on a nil Session, or a second time, nothing.
func (s *Session) Discard() {
	r := s.recording()
	if r == nil || r.tracer == nil || r.node.Session == nil {
		return
	}
	r.tracer.discard(r.node.Session.ID)
}

// discard drops a session.
func (t *Tracer) discard(id honeyhive.UUID) {
	t.discards.Add(id) // before all else, so that nothing comes behind
	if t.tail != nil {
		t.tail.sampler.Discard(id)
	}
	for _, q := range t.queues {
		q.Discard(id)
	}
}

// ofSession is an entry of the queue that knows its session.
type ofSession interface{ InSession() [16]byte }

// countDiscarded counts a record that is not put into the queues of some destinations.
func (t *Tracer) countDiscarded(taken func(pipeline.Destination) bool) {
	for _, q := range t.queues {
		if taken(q) {
			q.Discarded(&pipeline.Session{}, 1)
		}
	}
}

// updateDiscarded counts a change of a session that was discarded, and returns the error
// that says so; else nil.
func (t *Tracer) updateDiscarded(target honeyhive.UUID, of ...[16]byte) error {
	if !t.discards.Has(of...) {
		return nil
	}
	t.countDiscarded(func(q pipeline.Destination) bool { return !q.TakesSpans() })
	return fmt.Errorf("sessionspan: update %s: %w", target, ErrDiscarded)
}
