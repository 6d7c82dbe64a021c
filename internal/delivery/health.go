package delivery

import (
	"fmt"
	"sync"
	"time"
)

// health is what is known of a destination that does not take its records, for the
// errors that count what waits and what was dropped.
type health struct {
	mu      sync.Mutex
	trouble error     // what went wrong last, while something waits for it
	silence time.Time // since when requests on their way have had no answer; zero for none
	drop    error     // why a record was dropped last, where there is more to say than the reason
}

// asked notes that a request was sent.
func (h *health) asked(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.silence.IsZero() {
		h.silence = now
	}
}

// answered notes that a request came back, with others still on their way.
func (h *health) answered(now time.Time, others int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silence = now
	if others == 0 {
		h.silence = time.Time{}
	}
}

func (h *health) failed(err error) {
	h.mu.Lock()
	h.trouble = err
	h.mu.Unlock()
}

func (h *health) recovered() { h.failed(nil) }

// dropped notes why a record was dropped.
func (h *health) dropped(err error) {
	h.mu.Lock()
	h.drop = err
	h.mu.Unlock()
}

// lastDrop adds to an error that counts dropped records why the last one was, and
// forgets it.
func (h *health) lastDrop(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	drop := h.drop
	if h.drop = nil; drop == nil {
		return err
	}
	return fmt.Errorf("%w, the last one because: %w", err, drop)
}

// because adds to an error what went wrong last, if anything did.
func (h *health) because(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.trouble != nil:
		return fmt.Errorf("%w; the last error: %w", err, h.trouble)
	case !h.silence.IsZero():
		return fmt.Errorf("%w; a request has had no answer for %s", err, time.Since(h.silence).Round(time.Millisecond))
	}
	return err
}
