package local

import (
	"context"
	"time"

	"github.com/sessionspan/sessionspan/store"
)

const (
	// pruneEvery is how often the age of sessions is looked at.
	pruneEvery = 10 * time.Minute
	// lookEvery is how often their size is, beside each change: the index is written
	// later.
	lookEvery = time.Second
	// pruneRest is how long a store that is too large still, or again, is left alone.
	pruneRest = 100 * time.Millisecond
)

// spare is how much less than the most is left after old sessions were deleted, so
// that this is not done anew for each write.
func spare(most int64) int64 { return min(most/16, 64<<20) }

// retain deletes what is too old every ten minutes, and what is too much whenever
// the store has grown past its size. Both happen at the start.
func (s *Server) retain(r store.Retention) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.work.Go(func() {
		<-s.stop
		cancel()
	})
	most := r.MaxBytes
	r.MaxBytes -= spare(most)
	for {
		pruned, err := s.store.Prune(ctx, r)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("delete old sessions", "error", err)
		case pruned.Sessions > 0:
			s.log.Info("deleted old sessions", "sessions", pruned.Sessions, "events", pruned.Events)
		}
		if s.outgrows(ctx, most); ctx.Err() != nil {
			return
		}
	}
}

// outgrows returns when the store has outgrown a size, or when the age of sessions
// is to be looked at.
func (s *Server) outgrows(ctx context.Context, most int64) {
	ctx, cancel := context.WithTimeout(ctx, pruneEvery)
	defer cancel()
	if most == 0 {
		<-ctx.Done()
		return
	}
	for first := true; ; first = false {
		seq, err := s.store.Seq(ctx)
		var size int64
		if err == nil {
			size, err = s.store.Size(ctx)
		}
		switch {
		case err != nil: // which the next Prune tells of
			<-ctx.Done()
			return
		case size > most && !first:
			return
		case size > most: // what others wrote meanwhile, or reads still need
			rest, done := context.WithTimeout(ctx, pruneRest)
			<-rest.Done()
			done()
			continue
		}
		look, done := context.WithTimeout(ctx, lookEvery)
		_ = s.store.WaitChange(look, seq) // it may also have ended the look, or all
		done()
		if ctx.Err() != nil {
			return
		}
	}
}
