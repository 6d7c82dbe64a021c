package delivery_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/spool"
)

// undecided is a group that somebody decides about.
type undecided struct {
	e     *delivery.Engine
	batch delivery.Batch
	texts []string
}

func hold(e *delivery.Engine, g byte) *undecided {
	u := &undecided{e: e, batch: delivery.Batch{Group: group(g), Begun: []any{"live"}}}
	u.batch.Drafts = []*delivery.Draft{e.HoldOpen(group(g), "live")}
	return u
}

func (u *undecided) add(it item, draft bool) {
	size := int64(len(it.text)) + 64
	u.batch.Records = append(u.batch.Records, delivery.Undecided{Value: it, Size: size, Draft: u.e.Hold(it, draft)})
	u.texts = append(u.texts, it.text)
}

// TestUndecidedAmongWhatMemoryCannotHold decides groups in any order while the destination
// is down, and records of others wait on disk before and behind them. All that is kept is
// sent once, and nothing else.
func TestUndecidedAmongWhatMemoryCannotHold(t *testing.T) {
	for _, disk := range []bool{false, true} {
		t.Run(fmt.Sprint("spool ", disk), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDestination()
				d.answer = down
				cfg := delivery.Config{MaxBytes: 1 << 30}
				var e *delivery.Engine
				if disk {
					cfg.MaxBytes = 64 << 10
					e = spooled(t, cfg, d, filepath.Join(t.TempDir(), "spool"), spool.Options{SegmentBytes: 64 << 10})
				} else {
					e = engine(t, cfg, d)
				}
				random := rand.New(rand.NewPCG(1, 2))
				pad := strings.Repeat("x", 500)
				var want []string
				var out int64
				var open []*undecided
				for i := range 200 {
					g := byte(i + 1)
					u := hold(e, g)
					for n := range 3 {
						u.add(event(g, byte(n+1), fmt.Sprintf("%d.%d %s", i, n, pad)), true)
						it := item{kind: delivery.Single, text: fmt.Sprintf("single %d.%d %s", i, n, pad)}
						want = append(want, it.text)
						e.Put(it, int64(len(it.text))+64)
					}
					open = append(open, u)
					if random.IntN(3) == 0 {
						synctest.Wait()
					}
					for len(open) > 10 {
						at := random.IntN(len(open))
						u := open[at]
						open = slices.Delete(open, at, at+1)
						if random.IntN(2) == 0 {
							u.add(session(u.batch.Group[0], fmt.Sprintf("session %d %s", u.batch.Group[0], pad)), false)
							if !e.TryRelease(u.batch) {
								e.Release(t.Context(), time.Now(), u.batch)
							}
							want = append(want, u.texts...)
						} else {
							e.LeaveOut(u.batch, 1)
							out += int64(len(u.batch.Records)) + 1
						}
						checkAccount(t, e)
					}
				}
				s := e.Stats()
				if s.Undecided != int64(3*len(open)) || s.Dropped[delivery.SampledOut] != out || disk && s.WaitingOnDisk == 0 {
					t.Errorf("%+v; want %d undecided, %d out", s, 3*len(open), out)
				}
				d.fails(nil)
				flush(t, e) // which is no error for what is undecided or sampled out
				if s := e.Stats(); s.Undecided != int64(3*len(open)) || s.Waiting != s.Undecided {
					t.Errorf("%+v", s)
				}
				for _, u := range open {
					e.LeaveOut(u.batch, 0)
				}
				checkAccount(t, e)
				got := d.sent()
				got = slices.DeleteFunc(got, func(text string) bool { return strings.HasPrefix(text, "announce") })
				times := make(map[string]int)
				for _, text := range d.taken {
					text, _, _ = strings.Cut(text, " amends ")
					times[text]++
				}
				for _, text := range want {
					if times[text] != 1 {
						t.Fatalf("%.20q was taken %d times", text, times[text])
					}
					delete(times, text)
				}
				for text := range times {
					if !strings.HasPrefix(text, "announce") {
						t.Errorf("%.20q was taken", text)
					}
				}
				if len(got) == 0 {
					t.Error("nothing was sent")
				}
			})
		})
	}
}

// TestUndecidedAfterAKill kills a process at any moment. The next one sends what was kept
// and what was undecided, each record once, with the sessions that had not ended as
// incomplete; and nothing that was left out.
func TestUndecidedAfterAKill(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			dir := filepath.Join(t.TempDir(), "spool")
			d := newDestination()
			d.answer = down
			e := spooled(t, delivery.Config{MaxBytes: 1 << 20}, d, dir, spool.Options{})
			var want []string
			var open []*undecided
			for i := range 1 + random.IntN(20) {
				g := byte(i + 1)
				u := hold(e, g)
				for n := range random.IntN(4) {
					u.add(event(g, byte(n+1), fmt.Sprintf("%d.%d", i, n)), true)
				}
				switch random.IntN(3) {
				case 0:
					open = append(open, u)
				case 1:
					e.LeaveOut(u.batch, 0)
				default:
					u.add(session(g, fmt.Sprint("session ", i)), false)
					if !e.TryRelease(u.batch) {
						t.Fatal("there is no room")
					}
					want = append(want, u.texts...)
				}
				if random.IntN(2) == 0 {
					synctest.Wait()
				}
			}
			for _, u := range open {
				want = append(append(want, u.texts...), fmt.Sprintf("incomplete abandon %d live=live", u.batch.Group[0]))
			}
			synctest.Wait()
			if random.IntN(2) == 0 {
				time.Sleep(2 * time.Second) // a checkpoint is written
			}
			next := newDestination()
			after := spooled(t, delivery.Config{}, next, killed(t, dir), spool.Options{})
			if err := after.Close(context.Background()); err != nil {
				t.Error(err)
			}
			got := next.sent()
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("seed %d: %s", seed, diff)
			}
			if s := after.Stats(); s.Adopted != int64(len(want)) || s.Delivered != s.Adopted {
				t.Errorf("seed %d: %+v, want %d", seed, s, len(want))
			}
			for _, u := range open {
				e.LeaveOut(u.batch, 0)
			}
		})
	}
}

// TestUndecidedWithoutRoom releases batches to a queue that is full: a batch is taken over
// whole or not at all, after the usual wait or when the context of a patient caller ends.
func TestUndecidedWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		d.answer = down
		e := engine(t, delivery.Config{MaxBytes: 10_000}, d)
		e.Put(item{kind: delivery.Single, text: strings.Repeat("x", 6000)}, 6000)
		synctest.Wait()
		batch := func(g byte, sizes ...int64) delivery.Batch {
			b := delivery.Batch{Group: group(g), Begun: []any{"live"}}
			for _, n := range sizes {
				it := item{kind: delivery.Single, text: strings.Repeat("y", int(n))}
				b.Records = append(b.Records, delivery.Undecided{Value: it, Size: n, Draft: e.Hold(it, true)})
			}
			return b
		}
		if b := batch(1, 2000, 2000, 2000); e.TryRelease(b) {
			t.Error("there was room")
		} else {
			before := time.Now()
			e.Release(t.Context(), before, b)
			if wait := time.Since(before); wait != 100*time.Millisecond {
				t.Errorf("it waited for %s", wait)
			}
		}
		if s := e.Stats(); s.Dropped[delivery.QueueFull] != 3 || s.Undecided != 0 {
			t.Errorf("%+v", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		before := time.Now()
		e.Release(ctx, time.Time{}, batch(2, 2000, 2000, 2000))
		if wait := time.Since(before); wait != time.Second {
			t.Errorf("it waited for %s", wait)
		}
		if s := e.Stats(); s.Dropped[delivery.QueueFull] != 6 || s.Undecided != 0 {
			t.Errorf("%+v", s)
		}
		checkAccount(t, e)
		go func() {
			time.Sleep(time.Minute)
			d.fails(nil)
		}()
		e.Release(t.Context(), time.Time{}, batch(3, 2000, 2000, 2000))
		e.Release(t.Context(), time.Time{}, batch(4, 8000, 8000, 8000)) // more than the queue, in pieces
		_ = e.Flush(t.Context())                                        // which tells of the drops
		if s := e.Stats(); s.Dropped[delivery.QueueFull] != 6 || s.Delivered < 7 || s.Undecided != 0 {
			t.Errorf("%+v", s)
		}
		late := batch(5, 10)
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
		e.Release(t.Context(), time.Now(), late)
		if s := e.Stats(); s.Dropped[delivery.Closed] != 1 || s.Undecided != 0 {
			t.Errorf("%+v", s)
		}
		checkAccount(t, e)
	})
}

// TestUndecidedMakesRoom releases batches of groups that are open, whose records would stay
// until the groups end, to a queue that has no room for two of them: a patient caller has
// the groups announced.
func TestUndecidedMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDestination()
		e := engine(t, delivery.Config{MaxBytes: 10_000, AnnounceAfter: 24 * time.Hour}, d)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var want []string
		for g, size := range []int{4000, 7000, 4000} {
			u := hold(e, byte(g+1))
			u.add(event(byte(g+1), 1, strings.Repeat("x", size)), true)
			e.Release(ctx, time.Time{}, u.batch)
			want = append(want, u.texts...)
			synctest.Wait()
		}
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
		got := slices.DeleteFunc(d.sent(), func(text string) bool { return text[0] != 'x' })
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || ctx.Err() != nil {
			t.Errorf("%d records were sent, want %d; %v", len(got), len(want), ctx.Err())
		}
	})
}

// TestUndecidedLeavesNothing decides groups at once, or after a while, and delivers what is
// kept: the spool then holds nothing for a next process.
func TestUndecidedLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spool")
		d := newDestination()
		e := spooled(t, delivery.Config{}, d, dir, spool.Options{})
		random := rand.New(rand.NewPCG(4, 5))
		for i := range 100 {
			u := hold(e, byte(i+1))
			for n := range random.IntN(3) {
				u.add(event(byte(i+1), byte(n+1), fmt.Sprintf("%d.%d", i, n)), true)
				if random.IntN(3) == 0 {
					synctest.Wait()
				}
			}
			if random.IntN(3) == 0 {
				e.LeaveOut(u.batch, 0)
				continue
			}
			u.add(session(byte(i+1), fmt.Sprint("session ", i)), false)
			if !e.TryRelease(u.batch) {
				t.Fatal("there is no room")
			}
		}
		flush(t, e)
		time.Sleep(2 * time.Second) // a checkpoint is written
		next := newDestination()
		after := spooled(t, delivery.Config{}, next, killed(t, dir), spool.Options{})
		if err := after.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if s := after.Stats(); s.Adopted != 0 || len(next.sent()) > 0 {
			t.Errorf("%+v; %q was sent", s, next.sent())
		}
	})
}
