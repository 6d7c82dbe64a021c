package local

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// pruner is a store that is as large as a test says.
type pruner struct {
	store.Store

	size    atomic.Int64
	leaves  int64 // the size after the next Prune
	changes chan struct{}
	calls   chan store.Retention
}

func (p *pruner) Prune(_ context.Context, r store.Retention) (store.Pruned, error) {
	p.calls <- r
	p.size.Store(p.leaves)
	return store.Pruned{Sessions: 1}, nil
}

func (p *pruner) Size(context.Context) (int64, error) { return p.size.Load(), nil }

func (p *pruner) Seq(context.Context) (int64, error) { return 0, nil }

func (p *pruner) WaitChange(ctx context.Context, _ int64) error {
	select {
	case <-p.changes:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retains starts what deletes old sessions from a store.
func retains(t *testing.T, r store.Retention) (*Server, *pruner) {
	t.Helper()
	p := &pruner{calls: make(chan store.Retention), changes: make(chan struct{})}
	c, err := newConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{log: c.log, store: p, stop: make(chan struct{})}
	s.work.Go(func() { s.retain(r) })
	return s, p
}

// TestRetentionByAge cleans up at once and every ten minutes.
func TestRetentionByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := store.Retention{MaxAge: time.Hour}
		s, p := retains(t, want)
		begin := time.Now()
		for range 3 {
			if got := <-p.calls; got != want {
				t.Errorf("%+v", got)
			}
		}
		if took := time.Since(begin); took != 2*pruneEvery {
			t.Errorf("three times in %v", took)
		}
		close(s.stop)
		s.work.Wait()
	})
}

// TestRetentionBySize cleans up as soon as the store has outgrown its size, and not
// before.
func TestRetentionBySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 1 << 20
		s, p := retains(t, store.Retention{MaxBytes: most})
		begin := time.Now()
		next := func(when time.Duration, what string) {
			t.Helper()
			if got, want := <-p.calls, (store.Retention{MaxBytes: most - most/16}); got != want {
				t.Errorf("%s: %+v", what, got)
			}
			if took := time.Since(begin); took != when {
				t.Errorf("%s: after %v, want %v", what, took, when)
			}
			synctest.Wait()
		}
		grow := func(size int64) {
			p.size.Store(size)
			p.changes <- struct{}{}
			synctest.Wait()
		}
		next(0, "at the start")
		grow(most)
		p.leaves = most + 1 // reads need what was deleted
		grow(most + 1)
		next(0, "past the size")
		p.leaves = most
		next(pruneRest, "past the size still")
		p.size.Store(most + 1) // of which no change tells
		next(pruneRest+lookEvery, "past the size without a change")
		next(pruneRest+lookEvery+pruneEvery, "after some time")
		close(s.stop)
		s.work.Wait()
	})
}

// TestRetentionHolds writes more than the size, of sessions each newer than the one
// before: after each write the files come to be no larger than that.
func TestRetentionHolds(t *testing.T) {
	const most = 4 << 20
	s := start(t, WithRetention(0, most))
	inputs := honeyhive.Value(`{"text":"` + strings.Repeat("words of a prompt ", 30_000) + `"}`).Object()
	var ids []honeyhive.UUID
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := range 24 { // of half a megabyte
		ids = append(ids, honeyhive.NewUUID())
		at := float64(time.Now().Add(time.Duration(i-1000) * time.Second).UnixMilli())
		w := store.Write{Session: &honeyhive.SessionStartRequest{
			SessionID: honeyhive.Some(ids[i].String()), Inputs: inputs, StartTime: honeyhive.Some(at), EndTime: honeyhive.Some(at),
		}}
		if err := s.store.Write(t.Context(), []store.Write{w}); err != nil {
			t.Fatal(err)
		}
		for {
			size, err := s.store.Size(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if size <= most {
				break
			}
			<-tick.C // what makes it smaller is under way, or else the test hangs
		}
	}
	if _, err := s.store.Session(t.Context(), ids[len(ids)-1]); err != nil {
		t.Errorf("the newest session: %v", err)
	}
	if _, err := s.store.Session(t.Context(), ids[0]); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the oldest session: %v", err)
	}
}
