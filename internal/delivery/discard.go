package delivery

import (
	"slices"
)

// A session that is discarded while it runs is dropped wherever it is: what is not
// encoded yet, when its turn comes; what is held or waits, at once; what comes back
// because it could not be delivered, or is read back from the spool, when it does. What
// the destination has acknowledged stays there.

// InSession is a value that belongs to a session.
type InSession interface{ InSession() [16]byte }

// sessionOf returns the session of a value, zero for none.
func sessionOf(value any) [16]byte {
	if v, ok := value.(InSession); ok {
		return v.InSession()
	}
	return [16]byte{}
}

// discard is the message that a session is discarded.
type discard struct{ session [16]byte }

// Discard drops what waits of a session, and what is put of it from then on. What is
// dropped counts as [Discarded], which is no error of a flush.
func (e *Engine) Discard(session [16]byte) {
	e.discards.Add(session)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed && e.started {
		e.press(discard{session})
	}
}

// Discarded counts records that were held, and others that never were, as discarded.
func (e *Engine) Discarded(b Batch, others int64) {
	e.account.unhold(int64(len(b.Records)), Discarded)
	e.account.lostSome(others, Discarded)
	e.forgetDrafts(b)
}

// discarded reports whether a record is of a session that was discarded.
func (e *Engine) discarded(r *Record) bool { return e.discards.Has(r.session, r.Group) }

// discard drops what waits of a session.
func (w *worker) discard(session [16]byte) {
	w.pressing.Add(-1)
	var gone []*Record
	for _, g := range w.groups.inOrder() {
		of := func(r *Record) bool { return r.session == session }
		if g.id != session && sessionOf(g.live) != session && !slices.ContainsFunc(g.held, of) && !slices.ContainsFunc(g.next, of) {
			continue
		}
		w.discards.Add(g.id) // it may be a turn of the session
		gone = append(gone, w.discardGroup(g)...)
	}
	take := func(list []*Record) (left []*Record) {
		for _, r := range list {
			if w.discarded(r) {
				gone = append(gone, r)
			} else {
				left = append(left, r)
			}
		}
		return left
	}
	w.openers, w.updates, w.members = take(w.openers), take(w.updates), take(w.members)
	w.memberBytes = 0
	for _, r := range w.members {
		w.memberBytes += r.size
	}
	for i := range w.retries {
		w.retries[i].batch = take(w.retries[i].batch)
	}
	w.retries = slices.DeleteFunc(w.retries, func(r retry) bool { return len(r.batch) == 0 })
	for id, list := range w.changes {
		left := slices.DeleteFunc(list, func(r *Record) bool {
			if !w.discarded(r) {
				return false
			}
			if w.latest[r.ID] == r {
				delete(w.latest, r.ID)
			}
			w.dropWaiting(r)
			return true
		})
		if w.changes[id] = left; len(left) == 0 {
			delete(w.changes, id)
		}
	}
	for _, r := range gone {
		w.finish(r, Discarded)
	}
	if w.spool != nil {
		w.spool.log.Seal() // so that its file goes as soon as nothing else in it waits
	}
}

// discardGroup empties a group, and returns the records that others may wait for.
func (w *worker) discardGroup(g *group) (gone []*Record) {
	if !g.opening {
		w.heldBytes -= g.heldBytes
	}
	held := slices.Concat(g.held, g.next)
	for _, r := range g.held {
		w.groupsHeld(r, -1)
	}
	g.held, g.heldBytes, g.next, g.live = nil, 0, nil, nil
	for _, r := range held {
		if r.Kind == Update {
			w.dropWaiting(r)
			continue
		}
		if r.Kind == Opener {
			w.await(r) // as if it were on its way
		}
		gone = append(gone, r)
	}
	g.announcement.done()
	for _, k := range g.begun {
		k.done()
	}
	g.announcement, g.begun, g.roots = kept{}, nil, 0
	if !g.opening {
		w.groups.remove(g)
	}
	return gone
}

// dropWaiting drops a record that is not on its way, so that nothing waits for it.
func (w *worker) dropWaiting(r *Record) {
	w.account.done(r, Discarded, false)
	w.letGo(r)
}

// withoutDiscarded drops those records of a batch that were discarded while it was on
// its way, and returns the others.
func (w *worker) withoutDiscarded(batch []*Record) []*Record {
	if !slices.ContainsFunc(batch, w.discarded) {
		return batch
	}
	var left []*Record
	for _, r := range batch {
		if w.discarded(r) {
			w.finish(r, Discarded)
		} else {
			left = append(left, r)
		}
	}
	return left
}
