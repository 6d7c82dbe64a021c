package delivery

import (
	"sync"
	"time"
)

// budget bounds the bytes that a destination holds, wherever they are: in the
// inbox, held for their session, in a batch or in flight.
type budget struct {
	mu      sync.Mutex
	limit   int64
	used    int64
	waiters []chan struct{} // in the order in which they came
	freed   uint64          // how often bytes became free
	stalled bool            // somebody waited in vain, and nothing was freed since he began
}

// acquire takes n bytes. Where they are not free it waits at most the given
// time, and reports whether it got them. More than the limit is never given.
// Once a wait was in vain nobody waits until something is freed: a stuck
// destination costs its callers one wait, not one for each record.
func (b *budget) acquire(n int64, wait time.Duration) bool {
	b.mu.Lock()
	if n > b.limit {
		b.mu.Unlock()
		return false
	}
	if len(b.waiters) == 0 && b.used+n <= b.limit {
		b.used += n
		b.mu.Unlock()
		return true
	}
	if wait <= 0 || b.stalled {
		b.mu.Unlock()
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	turn := make(chan struct{}, 1)
	freed := b.freed
	b.waiters = append(b.waiters, turn)
	for {
		b.mu.Unlock()
		timedOut := false
		select {
		case <-turn:
		case <-timer.C:
			timedOut = true
		}
		b.mu.Lock()
		// Only the first in the line may take, so that a large record is not
		// passed over for ever.
		if b.waiters[0] == turn && b.used+n <= b.limit {
			b.used += n
			b.leave(turn)
			b.mu.Unlock()
			return true
		}
		if timedOut {
			b.stalled = b.freed == freed
			b.leave(turn)
			b.mu.Unlock()
			return false
		}
	}
}

// stall notes that somebody has waited in vain elsewhere.
func (b *budget) stall() {
	b.mu.Lock()
	b.stalled = true
	b.mu.Unlock()
}

// leave takes a waiter out of the line and wakes the first of the others. The
// lock is held.
func (b *budget) leave(turn chan struct{}) {
	for i, w := range b.waiters {
		if w == turn {
			b.waiters = append(b.waiters[:i], b.waiters[i+1:]...)
			break
		}
	}
	b.wake()
}

func (b *budget) wake() {
	if len(b.waiters) > 0 {
		select {
		case b.waiters[0] <- struct{}{}:
		default:
		}
	}
}

// settle corrects what is taken, which may lift it over the limit for a while:
// what was accepted is kept.
func (b *budget) settle(taken, freed int64) {
	b.mu.Lock()
	b.used += taken - freed
	if freed > 0 {
		b.freed++
		b.stalled = false
		b.wake()
	}
	b.mu.Unlock()
}

// inUse returns the bytes that are taken.
func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}
