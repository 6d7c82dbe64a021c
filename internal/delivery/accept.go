package delivery

import "time"

// accept takes over some of the inbox: what has come back must not wait until a
// long one is encoded, nor what can be sent.
func (w *worker) accept() {
	if len(w.rest) == 0 {
		if cap(w.box) > boxMost {
			w.box = nil
		}
		w.mu.Lock()
		w.box, w.inbox = w.inbox, w.box[:0]
		w.mu.Unlock()
		w.rest = w.box
	}
	if len(w.rest) > 0 {
		w.rest = w.rest[w.acceptSome(w.rest):]
	}
}

// progress is how long ago a batch may have been sent or answered for the
// destination to count as one that takes what it is sent.
const progress = 100 * time.Millisecond

// enough reports whether nothing is to be taken over now: a batch is ready that no
// sender is free for, while the destination takes others. What waits in the inbox
// takes less memory than its bytes would, and those are sent while they are in the
// caches. Where nothing is taken, records are encoded, since what a span that is
// not ours really keeps is not known. A spool gets all at once, and so do flushes
// and the end.
func (w *worker) enough() bool {
	return w.memberBytes >= w.cfg.MaxBatchBytes && w.spool == nil && w.pressing.Load() == 0 && w.failures == 0 &&
		time.Since(w.movedAt) < progress
}

// boxMost is for how many messages a slice may have grown that is used again.
const boxMost = 16 << 10

// acceptAll takes over all of the inbox, to which nothing is added any more, for as
// long as there is time.
func (w *worker) acceptAll() {
	for more := true; more && !w.calls.stuck && !w.gaveUp(); {
		w.accept()
		w.mu.Lock()
		more = len(w.rest)+len(w.inbox) > 0
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
		r, ok := message.(*Record)
		if !ok {
			steps = append(steps, message)
			continue
		}
		w.take(r)
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
			g := w.groups.open(m.group, m.live)
			if w.spool != nil {
				g.begun = append(g.begun, m.kept)
			}
			if w.cfg.Live {
				w.announce(g)
			}
		case gone:
			w.gone(m)
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
