package delivery

import "time"

// accept takes over a piece of the inbox. Batches that have come back, and records that
// can be sent, must not wait until a long inbox is encoded.
func (w *worker) accept() {
	if len(w.unaccepted) == 0 {
		if cap(w.spare) > spareMost {
			w.spare = nil
		}
		w.mu.Lock()
		w.spare, w.inbox = w.inbox, w.spare[:0]
		w.mu.Unlock()
		w.unaccepted = w.spare
	}
	if len(w.unaccepted) > 0 {
		w.unaccepted = w.unaccepted[w.acceptSome(w.unaccepted):]
	}
}

// progress is how long ago a batch may have been sent or answered for the
// destination to count as one that takes what it is sent.
const progress = 100 * time.Millisecond

// enough reports whether to stop encoding for now: a full batch waits, all senders are
// busy, and the destination takes what it is sent. A span that is not encoded takes less
// memory than its bytes, and bytes that are sent at once are still in the caches. Where
// nothing has moved for as long as progress, records are encoded all the same, since
// only then the size of a span of another tracer is exact, and the byte limit must hold.
// With a spool, and while a flush or the end waits, nothing is put off.
func (w *worker) enough() bool {
	return w.memberBytes >= w.cfg.MaxBatchBytes && w.spool == nil && w.pressing.Load() == 0 && w.failures == 0 &&
		time.Since(w.movedAt) < progress
}

// spareMost is for how many messages a slice may have grown that is used again.
const spareMost = 16 << 10

// acceptAll takes over all of the inbox, to which nothing is added any more, for as
// long as there is time.
func (w *worker) acceptAll() {
	for more := true; more && !w.calls.stuck && !w.gaveUp(); {
		w.accept()
		w.mu.Lock()
		more = len(w.unaccepted)+len(w.inbox) > 0
		w.mu.Unlock()
	}
}

// acceptBytes bounds what is encoded before it is written to the spool and sent
// on its way.
const acceptBytes = 1 << 20

// acceptSome takes over the first messages, and returns how many.
func (w *worker) acceptSome(inbox []any) int {
	n, failed := w.encodeSome(inbox)
	steps := w.steps[:0]
	for _, message := range inbox[:n] {
		if d, ok := message.(*Draft); ok && failed[&d.Record] != nil {
			d.Body = nil // the record itself says so, if it is ever to be delivered
		}
		r, ok := message.(*Record)
		if !ok {
			steps = append(steps, message)
			continue
		}
		w.take(r)
		if w.discarded(r) {
			r.Follow = nil
			w.dropWaiting(r)
			continue
		}
		if err := failed[r]; err != nil {
			w.broken(r, err)
			if r.Kind == Opener {
				steps = append(steps, gone{r.Group, true})
			}
			continue
		}
		w.charge(r)
		steps = append(steps, r)
		for next := w.follower(r); next != nil; next = w.follower(next) {
			steps = append(steps, next)
		}
	}
	clear(inbox[:n])
	w.keep(steps)
	for _, step := range steps {
		switch m := step.(type) {
		case *Record:
			if m.Kind == Opener {
				w.rootKept(m)
			}
			if !w.spill(m) {
				w.route(m)
			}
		case *open:
			if w.discards.Has(m.group, sessionOf(m.live)) {
				m.kept.done()
				continue
			}
			g := w.groups.open(m.group, m.live)
			if w.spool != nil {
				g.begun = append(g.begun, m.kept)
			}
			if w.cfg.Live && !m.ended {
				w.announce(g)
			}
		case goLive:
			w.cfg.Live = true
			for _, g := range w.groups.inOrder() {
				if g.live != nil {
					w.announce(g)
				}
			}
		case gone:
			w.gone(m)
		case discard:
			w.discard(m.session)
		case *Draft:
			w.drafted(m)
		case *decided:
			m.done()
		case *flush:
			w.pressing.Add(-1)
			w.beginFlush(m)
		case closing:
			w.pressing.Add(-1)
			w.beginEnd()
		}
	}
	clear(steps)
	w.steps = steps[:0]
	return n
}
