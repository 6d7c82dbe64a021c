package delivery

import (
	"maps"
	"sync"
	"time"
)

// Reason says why a record was dropped.
type Reason string

// The reasons for which records are dropped.
const (
	QueueFull Reason = "queue_full" // the destination holds as many bytes as it may
	TooLarge  Reason = "too_large"  // one record is larger than the queue or than the server takes
	Refused   Reason = "refused"    // the server will not take this record
	Broken    Reason = "broken"     // the record could not be encoded
	Closed    Reason = "closed"     // it came after Shutdown, or was left when Shutdown had to end
)

// Stats is the account of one destination. At any moment
//
//	Created = Delivered + Waiting + the sum of Dropped
type Stats struct {
	Destination  string
	Created      int64            // records that were to be delivered
	Delivered    int64            // records that the destination acknowledged
	Waiting      int64            // records in memory, in flight or waiting for their session
	WaitingBytes int64            // what the waiting records take of the byte limit
	Retried      int64            // records that were sent more than once, counted at each further try
	Dropped      map[Reason]int64 // records that are lost, by reason
	OldestAge    time.Duration    // since the oldest waiting record was created
}

// account counts records, and links those that wait in the order in which they
// were created.
type account struct {
	mu           sync.Mutex
	created      int64
	delivered    int64
	waiting      int64
	retried      int64
	dropped      map[Reason]int64
	oldest, last *Record
}

// add counts a record that waits from now on.
func (a *account) add(r *Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.created++
	a.waiting++
	r.before, r.after = a.last, nil
	if a.last != nil {
		a.last.after = r
	} else {
		a.oldest = r
	}
	a.last = r
}

// lost counts a record that was never accepted.
func (a *account) lost(why Reason) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.created++
	a.drop(why)
}

func (a *account) drop(why Reason) {
	if a.dropped == nil {
		a.dropped = make(map[Reason]int64)
	}
	a.dropped[why]++
}

// first returns the oldest record that waits, or nil.
func (a *account) first() *Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.oldest
}

// done counts a record that waits no more: delivered where why is empty,
// dropped otherwise.
func (a *account) done(r *Record, why Reason) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting--
	if why == "" {
		a.delivered++
	} else {
		a.drop(why)
	}
	if r.before != nil {
		r.before.after = r.after
	} else {
		a.oldest = r.after
	}
	if r.after != nil {
		r.after.before = r.before
	} else {
		a.last = r.before
	}
	r.before, r.after = nil, nil
}

func (a *account) again(n int) {
	a.mu.Lock()
	a.retried += int64(n)
	a.mu.Unlock()
}

func (a *account) stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Stats{Created: a.created, Delivered: a.delivered, Waiting: a.waiting, Retried: a.retried, Dropped: maps.Clone(a.dropped)}
	if a.oldest != nil {
		s.OldestAge = time.Since(a.oldest.created)
	}
	return s
}

// lostTotal returns how many records were dropped so far.
func (a *account) lostTotal() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var n int64
	for _, d := range a.dropped {
		n += d
	}
	return n
}
