package sqlite

import (
	"context"
	"time"
)

// What is deleted is written over with zeros where it stood (secure_delete). Three
// places know more: the index keeps the words of what is deleted until it merges the
// segments that have them; pages that were freed by earlier versions are as they were;
// and the log has pages as they were before. The log is cut by itself when nothing is
// left to do; Scrub does the rest.

// scrubPause is how often Scrub looks whether reads need the log no longer.
const scrubPause = 20 * time.Millisecond

// Scrub implements [store.Store].
func (s *Store) Scrub(ctx context.Context) error {
	return s.failed(ctx, "scrub", s.scrub(ctx))
}

func (s *Store) scrub(ctx context.Context) error {
	s.w.garbage.Store(true) // also where the last sweep ended with an error
	err := s.inSteps(ctx, func(w *writer) (more bool, err error) {
		done, err := w.sweepForAWhile()
		return !done, err
	})
	if err != nil {
		return err
	}
	// All that the index has becomes one segment, from which what is deleted is left out.
	first := true
	err = s.inSteps(ctx, func(w *writer) (more bool, err error) {
		err = w.unsynced(func(w *writer) error { return w.merge(first) })
		first = false
		return w.unmerged.Load(), err
	})
	if err != nil {
		return err
	}
	if err := s.vacuum(ctx, 0); err != nil {
		return err
	}
	for {
		size, err := s.w.log.size()
		if err != nil || size == 0 {
			return err
		}
		if err := s.pause(ctx, scrubPause); err != nil {
			return err
		}
		if err := s.emptyLog(ctx); err != nil {
			return err
		}
	}
}

// inSteps runs a function on the writer, between other requests, until there is no more
// to do. It waits while the log is copied that the function adds to.
func (s *Store) inSteps(ctx context.Context, f func(*writer) (more bool, err error)) error {
	for more, full := true, false; more; {
		err := s.submit(ctx, &request{bare: true, run: func(w *writer) (err error) {
			if full = w.full(); !full {
				more, err = f(w)
			}
			return err
		}})
		if err == nil && full {
			err = s.pause(ctx, prunePause)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
