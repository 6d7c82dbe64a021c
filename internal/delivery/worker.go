package delivery

import (
	"context"
	"slices"
	"time"
)

// worker owns the state of an engine that is ordered. Only its goroutine
// touches it.
type worker struct {
	*Engine
	groups groups
	// heldBytes are the bytes that groups hold without an opener on its way.
	heldBytes int64
	// What is ready to be sent.
	openers, updates, members []*Record
	memberBytes               int64
	retries                   []retry

	// pending counts the records of an id that are not delivered yet; changes
	// of that id wait for them.
	pending map[[16]byte]int
	changes map[[16]byte][]*Record
	latest  map[[16]byte]*Record // of an id, the change that waits and absorbs earlier ones

	inFlight  int
	results   chan sent
	failures  int       // in a row
	notBefore time.Time // no send starts earlier
	asked     bool      // the destination asked for that time
	lastGood  time.Time // when something was delivered last
	movedAt   time.Time // when a batch was sent or came back last

	epoch       uint64
	outstanding tally // accepted and not done
	held        tally // of them, held for their group
	flushes     []*flush
	ending      bool
	timer       *time.Timer

	disk disk // what the spool has for us; unused without one

	// taken and freed are changes of the budget, in bytes, which settleBudget applies
	// once in each turn of the worker: every End of a span wants the lock of the
	// budget too.
	taken, freed int64

	unaccepted []any // of the inbox, what was not taken over yet
	spare      []any // the memory of unaccepted, which the inbox gets back
	steps      []any // of acceptSome
	buffers    *buffers
	scratch    []byte // for a body while it is encoded

	calls      guard   // the code of the destination
	reporting  guard   // the error handler
	unreturned *Record // is with code of the destination that does not return
}

// retry is a batch that is sent again.
type retry struct {
	batch []*Record
	due   time.Time
}

// sent is a batch that came back.
type sent struct {
	batch    []*Record
	result   Result
	failures int // in a row when it was sent
}

func newWorker(e *Engine) *worker {
	w := &worker{
		Engine:  e,
		groups:  newGroups(),
		pending: make(map[[16]byte]int),
		changes: make(map[[16]byte][]*Record),
		latest:  make(map[[16]byte]*Record),
		results: make(chan sent, e.cfg.InFlight),
		timer:   time.NewTimer(time.Hour),
		buffers: newBuffers(&e.cfg),
		calls:   guard{Engine: e}, reporting: guard{Engine: e},
	}
	if e.spool != nil {
		w.disk.own = &source{log: e.spool.log, direct: make(map[uint64]struct{}), opened: make(map[[16]byte]bool)}
		w.disk.kept = make(chan error, 1)
		w.disk.found = make(chan found)
		w.disk.stop = make(chan struct{})
	}
	return w
}

func (w *worker) run() {
	defer close(w.stopped)
	defer w.leaveDisk()
	defer w.timer.Stop()
	for {
		select {
		case <-w.abort:
			w.abandonAll()
			return
		default:
		}
		behind := w.enough()
		if !behind {
			w.accept()
		}
		now := time.Now()
		w.tendDisk(now)
		w.announceDue(now)
		w.dispatch(now)
		w.settleBudget()
		w.endFlushes()
		if len(w.outstanding)+len(w.unaccepted) == 0 {
			w.buffers.drop()
		}
		if w.ending && w.idle() {
			return
		}
		wait := w.nextDue(now)
		// The signal is for the inbox, so it must not be used up by who does not
		// look into it next.
		signal, more := w.signal, chan struct{}(nil)
		if w.enough() {
			signal, wait = nil, min(wait, progress)
		} else if behind || len(w.unaccepted) > 0 {
			signal, more = nil, ready
		}
		w.timer.Reset(wait)
		select {
		case <-more:
		case <-signal:
		case <-w.pressed:
		case s := <-w.results:
			w.came(s)
		case found := <-w.disk.found:
			w.adopt(found)
		case err := <-w.disk.kept:
			w.disk.busy = false
			w.spoolFailed(err)
			w.countOthers()
		case <-w.timer.C:
		case <-w.abort:
		}
	}
}

// idle reports whether nothing is left to do.
func (w *worker) idle() bool {
	if w.disk.seeking {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.inbox)+len(w.unaccepted) == 0 && w.inFlight == 0 && len(w.outstanding) == 0
}

// ready is always ready.
var ready = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// take makes a record part of the current epoch.
func (w *worker) take(r *Record) {
	r.epoch = w.epoch
	w.outstanding.add(r.epoch, 1)
}

// made takes over a record that a destination made, rather than its user.
func (w *worker) made(r *Record) {
	r.created = time.Now()
	w.account.add(r)
	w.take(r)
	w.charge(r)
}

// follower takes over the record that goes with another, or returns nil.
func (w *worker) follower(r *Record) *Record {
	next := r.Follow
	if r.Follow = nil; next != nil {
		w.made(next)
	}
	return next
}

// follow sends the record that goes with another on its way.
func (w *worker) follow(r *Record) {
	if next := w.follower(r); next != nil {
		w.enter(next)
	}
}

// route puts an encoded record where it waits or is ready.
func (w *worker) route(r *Record) {
	switch r.Kind {
	case Single:
		w.ready(r)
	case Opener:
		g := w.groups.ended(r.Group)
		if g.announced == nil {
			r.Value = nil // only Amend needs it, and nothing was announced
			w.charge(r)
			w.openInTurn(g, r)
			return
		}
		amended := false
		if err := w.guarded(func() error { amended = w.dest.Amend(r, g.announced); return nil }); err != nil {
			w.broken(r, err)
			w.forget(g)
			return
		}
		if !amended {
			r.Value = nil
			w.charge(r)
			w.openInTurn(g, r)
			return
		}
		r.pooled = false // it has another body
		r.Kind = Update
		w.charge(r)
		r.covers, g.announcement = g.announcement, kept{}
		w.route(r)
		w.follow(r)
		w.forget(g)
	default: // Member, Update
		if r.Kind == Member {
			w.await(r)
		}
		if g := w.groups.holder(r); g != nil {
			w.hold(g, r)
			return
		}
		w.ready(r)
	}
}

// await makes changes of a record wait for it.
func (w *worker) await(r *Record) {
	if r.ID != [16]byte{} {
		w.pending[r.ID]++
	}
}

// ready makes a record ready to be sent. An update waits for earlier records of
// its id.
func (w *worker) ready(r *Record) {
	switch r.Kind {
	case Opener:
		w.await(r)
		w.openers = append(w.openers, r)
	case Update:
		latest, ok := r.Value.(*Latest)
		if earlier := w.latest[r.ID]; ok && earlier != nil {
			delete(w.latest, r.ID)
			if earlier != r {
				w.absorb(r, earlier)
			}
		}
		if w.waits(r, r.ID) || ok && w.waits(r, latest.After) {
			return
		}
		w.await(r)
		w.updates = append(w.updates, r)
	default:
		w.members = append(w.members, r)
		w.memberBytes += r.size
	}
}

// waits makes an update wait for a record, unless that is delivered, and reports
// whether it does.
func (w *worker) waits(r *Record, id [16]byte) bool {
	if id == [16]byte{} || w.pending[id] == 0 {
		return false
	}
	w.changes[id] = append(w.changes[id], r)
	if isLatest(r) {
		w.latest[r.ID] = r
	}
	return true
}

func isLatest(r *Record) bool {
	_, ok := r.Value.(*Latest)
	return ok
}

// absorb lets an update say what an earlier one does that waits.
func (w *worker) absorb(r, earlier *Record) {
	for _, id := range [...][16]byte{earlier.ID, earlier.Value.(*Latest).After} {
		if list := slices.DeleteFunc(w.changes[id], func(other *Record) bool { return other == earlier }); len(list) > 0 {
			w.changes[id] = list
		} else {
			delete(w.changes, id)
		}
	}
	r.Value.(*Latest).Absorb(earlier)
	w.charge(r)
	w.account.absorb(r, earlier)
	w.outstanding.add(r.epoch, -1)
	r.epoch = min(r.epoch, earlier.epoch) // a flush waits for it now
	w.outstanding.add(r.epoch, 1)
	if r.kept.log != nil { // where r stands without what it has absorbed
		r.covers, earlier.kept = earlier.kept, kept{}
	}
	w.letGo(earlier)
}

// finish takes a record out of the account and lets go what waited for it.
func (w *worker) finish(r *Record, why Reason) {
	w.account.done(r, why, w.setAside(r, why))
	w.settled(r)
}

// settled lets go of a record that is out of the account, and of what waited for it.
func (w *worker) settled(r *Record) {
	w.letGo(r)
	if r.Kind == Opener {
		if g := w.groups.get(r.Group); g != nil && g.opening {
			w.opened(g, r)
		}
	}
	if w.pending[r.ID] == 0 {
		return
	}
	if w.pending[r.ID]--; w.pending[r.ID] > 0 {
		return
	}
	delete(w.pending, r.ID)
	for w.pending[r.ID] == 0 && len(w.changes[r.ID]) > 0 { // one at a time, of those that change it
		waiting := w.changes[r.ID]
		if len(waiting) == 1 {
			delete(w.changes, r.ID)
		} else {
			w.changes[r.ID] = waiting[1:]
		}
		w.ready(waiting[0])
	}
}

// letGo frees what a record takes that is out of the account.
func (w *worker) letGo(r *Record) {
	r.kept.done()
	r.covers.done()
	if w.spool != nil && r.kept.log == w.spool.log {
		delete(w.disk.own.direct, r.kept.seq)
	}
	w.freed += r.size
	w.outstanding.add(r.epoch, -1)
	w.recycle(r)
}

// dispatch starts as many sends as it may.
func (w *worker) dispatch(now time.Time) {
	for w.inFlight < w.cfg.InFlight && !now.Before(w.notBefore) {
		if w.failures > 0 && w.inFlight > 0 {
			return // one try at a time finds out whether it works again
		}
		batch := w.next(now)
		if batch == nil {
			return
		}
		w.send(batch)
	}
}

// next takes the batch to send now, or nil.
func (w *worker) next(now time.Time) []*Record {
	if i := w.dueRetry(now); i >= 0 {
		batch := w.retries[i].batch
		w.retries = slices.Delete(w.retries, i, i+1)
		w.account.again(len(batch))
		return batch
	}
	if len(w.openers) > 0 {
		return pop(&w.openers)
	}
	if len(w.updates) > 0 {
		return pop(&w.updates)
	}
	if len(w.members) > 0 && !now.Before(w.membersDue()) {
		return w.nextMembers()
	}
	return nil
}

func pop(list *[]*Record) []*Record {
	r := (*list)[0]
	(*list)[0] = nil
	*list = (*list)[1:]
	return []*Record{r}
}

// membersDue returns when the next batch of members should go.
func (w *worker) membersDue() time.Time {
	full := len(w.members) >= w.cfg.MaxBatch || w.memberBytes >= w.cfg.MaxBatchBytes
	if full || w.ending || len(w.flushes) > 0 {
		return time.Time{}
	}
	return w.members[0].created.Add(w.cfg.Linger)
}

func (w *worker) nextMembers() []*Record {
	n, bytes := 0, int64(0)
	for n < len(w.members) && n < w.cfg.MaxBatch && (n == 0 || bytes+w.members[n].size <= w.cfg.MaxBatchBytes) {
		bytes += w.members[n].size
		n++
	}
	batch := slices.Clone(w.members[:n])
	clear(w.members[:n])
	w.members = w.members[n:]
	w.memberBytes -= bytes
	return batch
}

// dueRetry returns the index of the retry that has been due longest, or -1.
func (w *worker) dueRetry(now time.Time) int {
	best := -1
	for i := range w.retries {
		if !now.Before(w.retries[i].due) && (best < 0 || w.retries[i].due.Before(w.retries[best].due)) {
			best = i
		}
	}
	return best
}

func (w *worker) send(batch []*Record) {
	w.inFlight++
	w.movedAt = time.Now()
	w.health.asked(w.movedAt)
	failures := w.failures
	go func() {
		ctx, cancel := context.WithTimeout(w.ctx, w.cfg.Timeout)
		defer cancel()
		result := Result{Outcome: Bad, Err: errEnded}
		defer func() { w.results <- sent{batch, result, failures} }() // has room for every sender
		defer recovered(&result.Err)
		result = w.dest.Send(ctx, batch)
	}()
}

// nextDue returns how long the worker may sleep.
func (w *worker) nextDue(now time.Time) time.Duration {
	const long = time.Hour
	due := now.Add(long)
	earlier := func(t time.Time) {
		if t.Before(due) {
			due = t
		}
	}
	if w.inFlight < w.cfg.InFlight && (w.failures == 0 || w.inFlight == 0) {
		if len(w.members) > 0 {
			earlier(w.membersDue())
		}
		for i := range w.retries {
			earlier(w.retries[i].due)
		}
		if len(w.openers)+len(w.updates) > 0 {
			earlier(now)
		}
		if due.Before(w.notBefore) {
			due = w.notBefore
		}
	}
	if t, ok := w.groups.nextDue(w.cfg.AnnounceAfter); ok {
		earlier(t)
	}
	if t, ok := w.diskDue(now); ok {
		earlier(t)
	}
	return max(0, due.Sub(now))
}
