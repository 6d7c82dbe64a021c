package delivery

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// singleTries is how often a record is sent alone after the destination took
// others of its batch and not this one. suspectTries is how often a batch is
// sent that the destination fails on while it takes others.
const (
	singleTries  = 5
	suspectTries = 8
)

// came deals with a batch that was sent.
func (w *worker) came(s sent) {
	w.inFlight--
	now := time.Now()
	w.movedAt = now
	w.health.answered(now, w.inFlight)
	if s.result.Err != nil {
		w.health.failed(s.result.Err)
	}
	if !s.result.Released {
		for _, r := range s.batch {
			r.pooled = false // somebody may read it still
		}
	}
	switch s.result.Outcome {
	case Delivered:
		w.recovered(now)
		w.lastGood = now
		w.delivered(s)
		for _, r := range s.result.Again {
			w.alone(r, s.result.Err, now)
		}
	case Retry, Blocked:
		w.failed(s, now)
	case Suspect:
		w.suspect(s, now)
	case NotYet:
		w.recovered(now)
		w.notYet(s, now)
	case Bad, Large:
		w.recovered(now)
		w.split(s, now)
	}
	if len(w.retries) == 0 {
		w.health.recovered() // nothing waits because of an error
	}
}

// delivered settles what a batch delivered. Of records that were refused only
// their number is known, so the last ones stand for them.
func (w *worker) delivered(s sent) {
	left := s.result.Refused
	if left == 0 && len(s.result.Again) == 0 {
		w.account.delivered(s.batch)
		for _, r := range slices.Backward(s.batch) {
			w.settled(r)
		}
		return
	}
	if left > 0 {
		w.health.dropped(s.result.Err)
		w.report("refused", fmt.Errorf("%s: %d records were dropped: %w", w.cfg.Name, left, s.result.Err))
	}
	for _, r := range slices.Backward(s.batch) {
		switch {
		case slices.Contains(s.result.Again, r):
		case left > 0:
			left--
			w.finish(r, Refused)
		default:
			w.finish(r, "")
		}
	}
}

// recovered notes that the destination answers. A time that it asked for stands,
// though other requests were on their way.
func (w *worker) recovered(now time.Time) {
	w.failures = 0
	if !w.asked || !now.Before(w.notBefore) {
		w.notBefore, w.asked = time.Time{}, false
	}
}

// failed keeps a batch for later, and everything else with it.
func (w *worker) failed(s sent, now time.Time) {
	if s.failures == w.failures { // not one of several that failed together
		w.failures++
	}
	wait := backoff(w.failures)
	if s.result.RetryAfter > 0 {
		wait = s.result.RetryAfter + wait/10 // not all clients at the same moment
		w.asked = true
	}
	if t := now.Add(wait); t.After(w.notBefore) {
		w.notBefore = t
	}
	w.again(s.batch, now)
	kind, verb := "retry", "delivery fails and is tried again"
	if s.result.Outcome == Blocked {
		kind, verb = "blocked", "delivery is refused; records are kept and it is tried again"
	}
	w.report(kind, fmt.Errorf("%s: %s: %w", w.cfg.Name, verb, s.result.Err))
}

// suspect keeps a batch for later. One that fails again and again while others
// are delivered is at fault itself.
func (w *worker) suspect(s sent, now time.Time) {
	first := s.batch[0]
	if first.tries >= suspectTries && w.lastGood.UnixNano() > first.since {
		s.result.Outcome = Bad
		w.split(s, now)
		return
	}
	w.again(s.batch, now.Add(max(backoff(first.tries+1), s.result.RetryAfter)))
	w.report("retry", fmt.Errorf("%s: delivery fails and is tried again: %w", w.cfg.Name, s.result.Err))
}

func (w *worker) again(batch []*Record, due time.Time) {
	if batch = w.withoutDiscarded(batch); len(batch) == 0 {
		return
	}
	for _, r := range batch {
		if r.tries++; r.since == 0 {
			r.since = time.Now().UnixNano()
		}
	}
	w.retries = append(w.retries, retry{batch, due})
}

// notYet keeps a change whose target is not there yet.
func (w *worker) notYet(s sent, now time.Time) {
	var rest []*Record
	for _, r := range s.batch {
		if r.since == 0 || now.UnixNano()-r.since < int64(w.cfg.UpdateFor) {
			rest = append(rest, r)
			continue
		}
		w.refuse(r, Refused, s.result.Err)
	}
	if len(rest) > 0 {
		w.again(rest, now.Add(backoff(rest[0].tries+1)))
	}
}

// alone sends a record by itself, a few times.
func (w *worker) alone(r *Record, err error, now time.Time) {
	if r.tries >= singleTries {
		w.refuse(r, Refused, err)
		return
	}
	w.again([]*Record{r}, now.Add(backoff(r.tries+1)))
}

// split sends the halves of a batch by themselves, until the record at fault is
// alone.
func (w *worker) split(s sent, now time.Time) {
	if n := len(s.batch); n > 1 {
		w.again(s.batch[:n/2:n/2], now)
		w.again(s.batch[n/2:], now)
		return
	}
	why := Refused
	if s.result.Outcome == Large {
		why = TooLarge
	}
	w.refuse(s.batch[0], why, s.result.Err)
}

// refuse drops a record that the destination does not take.
func (w *worker) refuse(r *Record, why Reason, err error) {
	if w.discarded(r) { // nothing of it is kept
		w.finish(r, Discarded)
		return
	}
	r.refusal = err
	w.health.dropped(err)
	w.report("refused", fmt.Errorf("%s: a record was refused: %w", w.cfg.Name, err))
	w.finish(r, why)
}

// beginFlush starts a new epoch; the flush is over when the earlier ones are.
func (w *worker) beginFlush(f *flush) {
	f.epoch = w.epoch
	w.epoch++
	w.flushes = append(w.flushes, f)
	if f.announce {
		w.announceHeld()
	}
	w.hurry()
}

// announceHeld announces every group that holds something.
func (w *worker) announceHeld() {
	for _, g := range w.groups.inOrder() {
		if len(g.held) > 0 {
			w.announce(g)
		}
	}
}

// hurry ends a wait that was our own idea.
func (w *worker) hurry() {
	if !w.asked {
		w.notBefore = time.Time{}
	}
}

// endFlushes ends the flushes whose records are all done.
func (w *worker) endFlushes() {
	if len(w.flushes) == 0 || w.disk.seeking {
		return // what is found is older than the flush
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flushes = slices.DeleteFunc(w.flushes, func(f *flush) bool {
		if f.abandoned {
			return true
		}
		open := 0
		for _, c := range w.outstanding {
			if c.epoch <= f.epoch {
				open += c.n
				if !f.announce {
					open -= w.held.of(c.epoch)
				}
			}
		}
		if open == 0 {
			close(f.done)
		}
		return open == 0
	})
}

// beginEnd makes what is open known as incomplete, and sends all.
func (w *worker) beginEnd() {
	w.ending = true
	w.hurry()
	for _, g := range w.groups.inOrder() {
		if g.roots <= g.unread {
			if len(g.held) > 0 {
				w.announce(g)
			}
			continue
		}
		announced := g.announced
		if w.spool != nil {
			announced = nil // whole, as the next program needs it if the announcement does not arrive
		}
		live := g.live
		r, err := guarded(&w.calls, func() (*Record, error) { return w.dest.Abandon(g.id, live, announced), nil })
		if errors.Is(err, errStuck) {
			return
		}
		if err != nil {
			w.report("announce", fmt.Errorf("%s: abandon session: %w", w.cfg.Name, err))
		}
		if r == nil {
			w.announce(g)
			continue
		}
		r.Group = g.id
		g.roots = g.unread
		if r.Kind == Opener {
			g.roots++ // until it has come
		} else {
			r.covers, g.announcement = g.announcement, kept{}
		}
		w.made(r)
		w.enter(r)
		for _, k := range g.begun {
			if r.kept.log != nil {
				k.done()
			}
		}
		w.follow(r)
	}
}

// abandonAll leaves what is left to the spool, or drops it, when Close gives up.
func (w *worker) abandonAll() {
	w.cancel()
	if w.spool != nil {
		w.acceptAll() // so that the spool has it too
	}
	deadline := time.NewTimer(max(0, time.Until(w.deadline)) + leastGrace)
	defer deadline.Stop()
	for w.inFlight > 0 {
		select {
		case s := <-w.results:
			w.inFlight--
			if s.result.Outcome == Delivered {
				w.health.answered(time.Now(), w.inFlight)
			}
			for _, r := range s.batch {
				r.pooled = false
			}
			if s.result.Outcome == Delivered {
				w.delivered(s)
			}
			continue
		case <-deadline.C:
			w.stuck = w.inFlight
		}
		break
	}
	// What is left is what the account still links.
	for r := w.account.first(); r != nil; r = w.account.first() {
		switch {
		case r == w.unreturned: // somebody may write to its fields
			w.leave(r)
		case r.kept.log != nil && isLatest(r):
			r.kept.done() // nobody would send it
			w.account.withdraw(r)
		case r.kept.log != nil:
			w.account.spill(r)
		case r.Kind == Opener && w.groups.onDisk(r.Group):
			w.account.withdraw(r) // an announcement; the spool has the session itself
		default:
			w.leave(r)
		}
		w.freed += r.size
	}
	w.settleBudget()
	w.mu.Lock()
	for _, message := range slices.Concat(w.unaccepted, w.inbox) {
		if f, ok := message.(*flush); ok {
			w.flushes = append(w.flushes, f)
		}
	}
	for _, f := range w.flushes {
		if !f.abandoned {
			f.failed = true
			close(f.done)
		}
	}
	w.mu.Unlock()
	if w.calls.stuck {
		w.silent = append(w.silent, "code that encodes records, such as a redactor,")
	}
	if w.reporting.stuck {
		w.silent = append(w.silent, "the error handler")
	}
	if w.left > 0 {
		w.report("drop "+string(Closed), fmt.Errorf("%s: %d records were left in memory at the end", w.cfg.Name, w.left))
	}
}

// leave counts a record that is left when the engine ends.
func (w *worker) leave(r *Record) {
	w.left += int(r.counts())
	w.account.done(r, Closed, false)
}
