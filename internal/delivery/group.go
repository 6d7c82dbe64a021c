package delivery

import (
	"cmp"
	"container/list"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// group is a session on its way: its members are held until its opener was
// acknowledged.
type group struct {
	id        [16]byte
	live      any  // what Open was given; nil for a group known by its members alone
	roots     int  // openers that are still to come
	rooted    bool // an opener has come, rather than an announcement alone
	since     time.Time
	order     uint64    // which one it was
	overdue   bool      // it may be announced as soon as it holds something
	opening   bool      // an opener is on its way
	opened    bool      // an opener was acknowledged
	announced any       // what the announcement held; nil where there was none
	next      []*Record // openers of the same session started again, in turn
	held      []*Record
	heldBytes int64
	young     *list.Element // in groups.young; nil when overdue
	postponed *list.Element // in groups.postponed, or nil

	begun        []kept // on disk, what ends a root if the process is killed; one for each
	announcement kept   // on disk, what was announced
	stored       bool   // the spool has the opener itself
	unread       int    // openers that are on disk alone
}

// groups are the sessions that are not done. The id of a session that is done is kept for
// a while, so that late members need not wait.
type groups struct {
	byID map[[16]byte]*group
	// young are the groups in the order in which they began, until they are
	// overdue.
	young *list.List
	// postponed are the groups to announce when there is room for what announces
	// them.
	postponed *list.List
	// done holds the groups that were opened and have ended, and of those whose
	// root was never seen what was announced of them.
	done      map[[16]byte]any
	doneOrder [][16]byte // the newest last
	began     uint64     // how many there were
}

// mostDone bounds the groups that are remembered. A late member of a group that was
// forgotten waits like a member whose group is unknown, and is then sent.
const mostDone = 1 << 16

func newGroups() groups {
	return groups{byID: make(map[[16]byte]*group), young: list.New(), postponed: list.New(), done: make(map[[16]byte]any)}
}

// onDisk reports whether the spool can make the opener of the group anew.
func (g *group) onDisk() bool {
	return g.stored || slices.ContainsFunc(g.begun, func(k kept) bool { return k.log != nil })
}

// onDisk reports whether the spool can make the opener of a group anew.
func (g *groups) onDisk(id [16]byte) bool {
	gr := g.byID[id]
	return gr != nil && gr.onDisk()
}

func (g *groups) get(id [16]byte) *group { return g.byID[id] }

func (g *groups) add(id [16]byte) *group {
	g.began++
	gr := &group{id: id, since: time.Now(), order: g.began}
	g.byID[id] = gr
	gr.young = g.young.PushBack(gr)
	return gr
}

// inOrder returns the groups in the order in which they began.
func (g *groups) inOrder() []*group {
	return slices.SortedFunc(maps.Values(g.byID), func(a, b *group) int { return cmp.Compare(a.order, b.order) })
}

func (g *groups) remove(gr *group) {
	delete(g.byID, gr.id)
	g.overdue(gr)
	g.announceNow(gr)
}

// overdue takes a group off the list of the young.
func (g *groups) overdue(gr *group) {
	if gr.young != nil {
		g.young.Remove(gr.young)
		gr.young = nil
	}
}

// open notes that a group has begun.
func (g *groups) open(id [16]byte, live any) *group {
	gr := g.byID[id]
	if gr == nil {
		gr = g.add(id)
		gr.announced, gr.opened = g.done[id] // opened: a session that is started once more
	}
	gr.live = live
	gr.roots++
	return gr
}

// ended notes that the opener of a group has come.
func (g *groups) ended(id [16]byte) *group {
	gr := g.byID[id]
	if gr == nil {
		gr = g.add(id)
		gr.announced, gr.opened = g.done[id]
	}
	gr.live, gr.rooted = nil, true
	gr.roots = max(0, gr.roots-1)
	return gr
}

// announceNow takes a group off those whose announcement waits for room.
func (g *groups) announceNow(gr *group) {
	if gr.postponed != nil {
		g.postponed.Remove(gr.postponed)
		gr.postponed = nil
	}
}

// holder returns the group that must hold a record, or nil where it may go.
func (g *groups) holder(r *Record) *group {
	gr := g.byID[r.Group]
	_, done := g.done[r.Group]
	switch {
	case r.Group == [16]byte{}, gr != nil && gr.opened, gr == nil && (r.Elsewhere || r.Kind == Update || done):
		return nil
	case gr == nil:
		return g.add(r.Group)
	}
	return gr
}

// forget drops a group whose opener was acknowledged and will not come again,
// and reports whether it did.
func (g *groups) forget(gr *group) bool {
	if !gr.opened || gr.roots > 0 || gr.opening {
		return false
	}
	g.remove(gr)
	_, known := g.done[gr.id]
	g.done[gr.id] = nil
	if !gr.rooted {
		g.done[gr.id] = gr.announced
	}
	if known {
		return true
	}
	g.doneOrder = append(g.doneOrder, gr.id)
	if len(g.doneOrder) > mostDone {
		delete(g.done, g.doneOrder[0])
		g.doneOrder = g.doneOrder[1:]
	}
	return true
}

// nextDue returns when the next group is to be announced if it holds something.
func (g *groups) nextDue(after time.Duration) (time.Time, bool) {
	if front := g.young.Front(); front != nil {
		return front.Value.(*group).since.Add(after), true
	}
	return time.Time{}, false
}

// hold keeps a record until its group is open.
func (w *worker) hold(g *group, r *Record) {
	g.held = append(g.held, r)
	g.heldBytes += r.size
	if !g.opening {
		w.heldBytes += r.size
	}
	w.groupsHeld(r, 1)
	if g.overdue || w.ending || w.flushing(r.epoch) {
		w.announce(g)
	}
}

// gone lets go of a group whose opener was dropped: the queue was full, or the opener
// could not be encoded. Events that wait for the opener are sent all the same, under
// an announcement that says what is known of the session. An opener that is broken
// would be so as an announcement too, which is then made of what the events say.
func (w *worker) gone(m gone) {
	g := w.groups.get(m.group)
	if g == nil {
		return
	}
	g.roots = max(0, g.roots-1)
	if len(g.begun) > 0 {
		g.begun[0].done()
		g.begun = g.begun[1:]
	}
	if g.roots > 0 {
		return
	}
	if m.broken || w.full() {
		g.live = nil // what the queue had no room for is not sent in another form
	}
	if len(g.held) > 0 {
		w.announce(g)
	}
	// No opener is left that what was announced could be compared with.
	g.live, g.rooted = nil, true
	switch {
	case g.opened:
		w.forget(g)
	case !g.opening && len(g.held) == 0:
		w.groups.remove(g)
	}
}

// flushing reports whether a flush waits for records of an epoch.
func (w *worker) flushing(epoch uint64) bool {
	return slices.ContainsFunc(w.flushes, func(f *flush) bool { return f.announce && epoch <= f.epoch })
}

func (w *worker) groupsHeld(r *Record, n int) {
	w.held.add(r.epoch, n)
}

// opening notes that the opener of a group is on its way.
func (w *worker) opening(g *group) {
	if !g.opening {
		g.opening = true
		w.heldBytes -= g.heldBytes
	}
}

// openInTurn sends the opener of a group, after one that is on its way.
func (w *worker) openInTurn(g *group, r *Record) {
	if g.opening {
		g.next = append(g.next, r)
		return
	}
	w.opening(g)
	w.ready(r)
}

// opened notes that the opener of a group was delivered, or refused, after which the
// events of the group are sent all the same.
func (w *worker) opened(g *group, opener *Record) {
	w.release(g)
	w.keepAnnouncement(g, opener)
	if len(g.next) == 0 {
		w.forget(g)
		return
	}
	next := g.next[0]
	g.next = g.next[1:]
	w.opening(g)
	w.ready(next)
}

// forget drops a group that is done, in memory and on disk.
func (w *worker) forget(g *group) {
	if !w.groups.forget(g) {
		return
	}
	g.announcement.done()
	for _, k := range g.begun {
		k.done()
	}
}

// release sends what a group held.
func (w *worker) release(g *group) {
	w.opening(g)
	g.opened, g.opening = true, false
	held := g.held
	g.held, g.heldBytes = nil, 0
	for _, r := range held {
		w.groupsHeld(r, -1)
		w.ready(r)
	}
}

// announceDue announces the groups that have held something for long enough,
// and under memory pressure the oldest that do.
func (w *worker) announceDue(now time.Time) {
	for w.groups.postponed.Len() > 0 && !w.full() {
		g := w.groups.postponed.Front().Value.(*group)
		w.groups.announceNow(g)
		w.announce(g)
	}
	for {
		due, ok := w.groups.nextDue(w.cfg.AnnounceAfter)
		if !ok || now.Before(due) {
			break
		}
		g := w.groups.young.Front().Value.(*group)
		w.groups.overdue(g)
		g.overdue = true
		if len(g.held) > 0 {
			w.announce(g)
		}
	}
	for e := w.groups.young.Front(); e != nil && w.heldBytes > w.cfg.MaxBytes/2; {
		g := e.Value.(*group)
		e = e.Next() // announcing may take the group off the list
		if len(g.held) > 0 {
			w.announce(g)
		}
	}
}

// full reports whether an announcement, for which nobody asks the queue, must
// wait for room: the queue is full, or would leave records to the spool, and
// something is on its way that makes room when it is delivered.
func (w *worker) full() bool {
	most := w.cfg.MaxBytes
	if w.spool != nil {
		most = w.refillBelow() // the rest is for those who call, whom the spool makes no room
	}
	return !w.ending && w.inUse() >= most &&
		w.inFlight+len(w.retries)+len(w.openers)+len(w.updates)+len(w.members) > 0
}

// announce sends the opener of a group that has not ended, when there is room.
func (w *worker) announce(g *group) {
	if g.opening || g.opened || g.postponed != nil {
		return
	}
	if w.full() {
		g.postponed = w.groups.postponed.PushBack(g)
		return
	}
	type announcement struct {
		record *Record
		of     any
	}
	live, held := g.live, g.held
	a, err := guarded(&w.calls, func() (a announcement, err error) {
		a.record, a.of = w.dest.Announce(g.id, live, held)
		return a, nil
	})
	if errors.Is(err, errStuck) {
		return
	}
	r := a.record
	g.announced = a.of
	if err != nil || r == nil {
		if err != nil {
			w.report("announce", fmt.Errorf("%s: announce session: %w", w.cfg.Name, err))
		}
		w.release(g) // better without their session than not at all
		w.forget(g)
		return
	}
	r.Kind, r.Group = Opener, g.id
	if w.spool == nil {
		r.Value = nil // only the spool needs it
	}
	w.opening(g)
	w.made(r)
	w.ready(r)
	w.follow(r)
}
