package local

import (
	"context"
	"time"

	"github.com/sessionspan/sessionspan/store"
)

// pruneEvery is how often the age of sessions is looked at.
const pruneEvery = 10 * time.Minute

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
// is to be looked at. A store that could not be made as small as that, since reads
// still need what was deleted, must first grow some more.
func (s *Server) outgrows(ctx context.Context, most int64) {
	ctx, cancel := context.WithTimeout(ctx, pruneEvery)
	defer cancel()
	if most == 0 {
		<-ctx.Done()
		return
	}
	var err error
	for first := true; err == nil; first = false {
		var seq, size int64
		if seq, err = s.store.Seq(ctx); err != nil {
			break
		}
		if size, err = s.store.Size(ctx); err != nil {
			break
		}
		if size > most && !first {
			return
		}
		if size > most {
			most = size + spare(most)
		}
		err = s.store.WaitChange(ctx, seq)
	}
	if err != nil { // which the next Prune tells of
		<-ctx.Done()
	}
}
