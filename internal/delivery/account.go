package delivery

import (
	"container/heap"
	"maps"
	"sync"
	"time"
)

// Reason says why a record was dropped.
type Reason string

// The reasons for which records are dropped.
const (
	QueueFull  Reason = "queue_full"  // the destination holds as many bytes as it may
	TooLarge   Reason = "too_large"   // one record is larger than the server takes
	Refused    Reason = "refused"     // the server will not take this record
	Broken     Reason = "broken"      // the record could not be encoded
	Closed     Reason = "closed"      // it came after Shutdown, or was left when Shutdown had to end
	Unreadable Reason = "unreadable"  // the spool could not give it back
	SampledOut Reason = "sampled_out" // it was decided that it is not to be delivered
	Discarded  Reason = "discarded"   // its session was discarded while it ran
)

// Stats is the account of one destination. At any moment
//
//	Created + Adopted = Delivered + Waiting + WaitingOnDisk + SetAside + the sum of Dropped
type Stats struct {
	Destination   string
	Created       int64            // records of this process that were to be delivered
	Adopted       int64            // records that the spools of ended processes held
	Delivered     int64            // records that the destination acknowledged
	Waiting       int64            // records in memory, in flight or waiting for their session
	Undecided     int64            // of those that wait, the records that were held and are not decided
	WaitingBytes  int64            // what the waiting records take of the byte limit
	WaitingOnDisk int64            // records that wait in the spool alone
	SpoolBytes    int64            // what the spool takes on disk for this process, with what it adopted
	Spooled       int64            // records of this process that were written to the spool
	SetAside      int64            // records that the server refused, kept in the spool's refused.jsonl
	Retried       int64            // records that were sent more than once, counted at each further try
	Dropped       map[Reason]int64 // records that are lost, by reason
	OldestAge     time.Duration    // since the oldest record that waits was created
}

// account counts records, and knows the oldest of those that wait.
type account struct {
	mu         sync.Mutex
	s          Stats
	recent     line      // the records in memory that were not on disk alone
	back       byAge     // those that were read back
	diskOldest time.Time // when the oldest record was created that is on disk alone
}

// line links records, the oldest first. They come in order, but for a few that
// passed each other on their way.
type line struct{ oldest, newest *Record }

func (l *line) add(r *Record) {
	older := l.newest
	for older != nil && r.created.Before(older.created) {
		older = older.older
	}
	newer := l.oldest
	if older != nil {
		newer = older.newer
	}
	l.link(older, r)
	l.link(r, newer)
	r.lined = true
}

func (l *line) remove(r *Record) {
	l.link(r.older, r.newer)
	r.older, r.newer, r.lined = nil, nil, false
}

// link makes records neighbours. Where one is nil the other is at an end.
func (l *line) link(older, newer *Record) {
	if older != nil {
		older.newer = newer
	} else {
		l.oldest = newer
	}
	if newer != nil {
		newer.older = older
	} else {
		l.newest = older
	}
}

// byAge is a heap of records, the oldest first: what is read back comes in any
// order.
type byAge []*Record

func (h byAge) Len() int           { return len(h) }
func (h byAge) Less(i, j int) bool { return h[i].created.Before(h[j].created) }
func (h byAge) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push adds a record at the end.
func (h *byAge) Push(x any) {
	r := x.(*Record)
	r.place = len(*h)
	*h = append(*h, r)
}

// Pop takes the record at the end.
func (h *byAge) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return r
}

// add counts a record that waits from now on.
func (a *account) add(r *Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.s.Created++
	a.s.Waiting++
	a.recent.add(r)
}

// lost counts a record that was never accepted.
func (a *account) lost(why Reason) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.s.Created++
	a.drop(why, 1)
}

// lostSome counts records that were never accepted.
func (a *account) lostSome(n int64, why Reason) {
	if n == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.s.Created += n
	a.drop(why, n)
}

// hold counts a record that waits to be decided.
func (a *account) hold() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.s.Created++
	a.s.Waiting++
	a.s.Undecided++
}

// release makes a record that was held one that waits like any other.
func (a *account) release(r *Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.s.Undecided--
	a.recent.add(r)
}

// unhold counts records that were held and are not delivered.
func (a *account) unhold(n int64, why Reason) {
	if n == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.s.Waiting -= n
	a.s.Undecided -= n
	a.drop(why, n)
}

func (a *account) drop(why Reason, n int64) {
	if a.s.Dropped == nil {
		a.s.Dropped = make(map[Reason]int64)
	}
	a.s.Dropped[why] += n
}

// spooled counts records that were written to the spool.
func (a *account) spooled(n int) {
	a.mu.Lock()
	a.s.Spooled += int64(n)
	a.mu.Unlock()
}

// adopt counts records that were found on disk, the oldest of them created at
// that time.
func (a *account) adopt(n int64, oldest time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.s.Adopted += n
	a.s.WaitingOnDisk += n
	if n > 0 && (a.diskOldest.IsZero() || oldest.Before(a.diskOldest)) {
		a.diskOldest = oldest
	}
}

// spill moves a record from memory to disk.
func (a *account) spill(r *Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave(r)
	a.s.Waiting--
	a.s.WaitingOnDisk++
	if a.diskOldest.IsZero() || r.created.Before(a.diskOldest) {
		a.diskOldest = r.created
	}
}

// readBack moves a record from disk to memory.
func (a *account) readBack(r *Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.s.WaitingOnDisk--
	a.s.Waiting++
	heap.Push(&a.back, r)
}

// onDisk notes when the oldest record was created that is on disk alone.
func (a *account) onDisk(oldest time.Time) {
	a.mu.Lock()
	a.diskOldest = oldest
	a.mu.Unlock()
}

// unreadable counts records that the disk does not give back.
func (a *account) unreadable(n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.s.WaitingOnDisk -= n
	a.drop(Unreadable, n)
}

// leave takes a record out of those in memory. The lock is held.
func (a *account) leave(r *Record) {
	if r.lined {
		a.recent.remove(r)
	} else {
		heap.Remove(&a.back, r.place)
	}
}

// first returns the oldest record in memory, or nil.
func (a *account) first() *Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.oldest()
}

// oldest is first with the lock held.
func (a *account) oldest() *Record {
	r := a.recent.oldest
	if len(a.back) > 0 && (r == nil || a.back[0].created.Before(r.created)) {
		r = a.back[0]
	}
	return r
}

// delivered counts records that were all delivered.
func (a *account) delivered(batch []*Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var n int64
	for _, r := range batch {
		a.leave(r)
		n += r.counts()
	}
	a.s.Waiting -= n
	a.s.Delivered += n
}

// done counts a record that waits no more: delivered where why is empty, set
// aside, or dropped.
func (a *account) done(r *Record, why Reason, aside bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave(r)
	n := r.counts()
	a.s.Waiting -= n
	switch {
	case why == "":
		a.s.Delivered += n
	case aside:
		a.s.SetAside += n
	default:
		a.drop(why, n)
	}
}

// absorb makes a record stand for an earlier one too.
func (a *account) absorb(r, earlier *Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave(earlier)
	r.Value.(*Latest).absorbed += earlier.counts()
}

// counts returns how many records of the account the record stands for.
func (r *Record) counts() int64 {
	if l, ok := r.Value.(*Latest); ok {
		return 1 + l.absorbed
	}
	return 1
}

// withdraw forgets a record that we made ourselves.
func (a *account) withdraw(r *Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave(r)
	n := r.counts()
	a.s.Created -= n
	a.s.Waiting -= n
}

func (a *account) again(n int) {
	a.mu.Lock()
	a.s.Retried += int64(n)
	a.mu.Unlock()
}

func (a *account) stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.s
	s.Dropped = maps.Clone(a.s.Dropped)
	oldest := a.diskOldest
	if r := a.oldest(); r != nil && (oldest.IsZero() || r.created.Before(oldest)) {
		oldest = r.created
	}
	if !oldest.IsZero() {
		s.OldestAge = max(0, time.Since(oldest))
	}
	return s
}

// lostTotal returns how many records were dropped so far, but for those of which that
// was decided.
func (a *account) lostTotal() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var n int64
	for why, d := range a.s.Dropped {
		if why != SampledOut && why != Discarded {
			n += d
		}
	}
	return n
}
