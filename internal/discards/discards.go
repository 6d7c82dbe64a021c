// Package discards remembers which sessions were discarded while they ran.
package discards

import (
	"sync"
	"sync/atomic"
)

// mostRemembered is how many of the newest ids a set has at least.
const mostRemembered = 1 << 16

// Set is a set of the newest ids, in two halves of which the older is dropped when the
// newer is full. The zero value is empty, and costs next to nothing to ask. Its methods
// may be called from many goroutines at once.
type Set struct {
	any          atomic.Bool
	mu           sync.RWMutex
	newer, older map[[16]byte]struct{}
}

// Add adds an id.
func (s *Set) Add(id [16]byte) {
	if id == [16]byte{} {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newer == nil || len(s.newer) >= mostRemembered {
		s.older, s.newer = s.newer, make(map[[16]byte]struct{})
	}
	s.newer[id] = struct{}{}
	s.any.Store(true)
}

// Has reports whether one of the ids is in the set.
func (s *Set) Has(ids ...[16]byte) bool {
	if !s.any.Load() {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, id := range ids {
		if _, ok := s.newer[id]; ok {
			return true
		}
		if _, ok := s.older[id]; ok {
			return true
		}
	}
	return false
}
