package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Flush announces the groups that are open and waits until all that was put
// before is delivered, or ctx ends. Flush returns an error that counts what waits,
// and what was dropped since the last Flush, and says what went wrong last.
func (e *Engine) Flush(ctx context.Context) error { return e.flush(ctx, true) }

// Sync waits like Flush, but not for records that are held for their group.
func (e *Engine) Sync(ctx context.Context) error { return e.flush(ctx, false) }

func (e *Engine) flush(ctx context.Context, announce bool) error {
	e.mu.Lock()
	if !e.started || e.closed {
		e.mu.Unlock()
		if s := e.account.stats(); s.Waiting-s.Undecided+s.WaitingOnDisk > 0 {
			return errors.Join(e.waiting(), e.lostSince())
		}
		return e.lostSince()
	}
	f := &flush{announce: announce, done: make(chan struct{})}
	e.press(f)
	e.mu.Unlock()
	select {
	case <-f.done:
		if f.failed {
			return errors.Join(e.waiting(), e.lostSince())
		}
		return e.lostSince()
	case <-ctx.Done():
		e.mu.Lock()
		f.abandoned = true
		e.mu.Unlock()
		return errors.Join(fmt.Errorf("%w: %w", e.waiting(), context.Cause(ctx)), e.lostSince())
	}
}

// waiting describes the records that are not delivered yet.
func (e *Engine) waiting() error {
	s := e.account.stats()
	where := fmt.Sprintf("%d records wait in memory", s.Waiting-s.Undecided)
	if e.spool != nil {
		where += fmt.Sprintf(" and %d more in the spool at %s", s.WaitingOnDisk, e.spool.dir)
	}
	return e.health.because(fmt.Errorf("%s: %s, the oldest for %s", e.cfg.Name, where, s.OldestAge.Round(time.Millisecond)))
}

// lostSince returns an error that counts the drops which no Flush told of yet.
func (e *Engine) lostSince() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.account.lostTotal() - e.lostSaid
	if n == 0 {
		return nil
	}
	e.lostSaid += n
	return e.health.lastDrop(fmt.Errorf("%s: %d records were dropped", e.cfg.Name, n))
}
