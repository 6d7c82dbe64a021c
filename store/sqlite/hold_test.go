package sqlite

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// BenchmarkHold prints how long the slowest of the small writes waits, one after
// the other, while something large is done, and how long that takes. Run it by
//
//	go test -run '^$' -bench Hold -benchtime 1x ./store/sqlite
func BenchmarkHold(b *testing.B) {
	for _, c := range []struct {
		name    string
		prepare func(b *testing.B, s *Store)
		run     func(b *testing.B, s *Store)
	}{
		{"nothing else", func(*testing.B, *Store) {}, func(*testing.B, *Store) { time.Sleep(2 * time.Second) }},
		{"record of 16 MiB", func(*testing.B, *Store) {}, func(b *testing.B, s *Store) {
			for i := range 4 {
				holdWrite(b, s, holdEvent(b, i, map[string]any{"text": strings.Repeat("some words ", 16<<20/11)}))
			}
		}},
		{"update of 15 MiB", func(b *testing.B, s *Store) {
			holdWrite(b, s, holdEvent(b, 0, map[string]any{"text": strings.Repeat("some words ", 15<<20/11)}))
			holdIndexed(b, s)
		}, holdUpdates},
		{"32 updates of 30 MiB at once", func(b *testing.B, s *Store) {
			holdWrite(b, s, holdEvent(b, 0, map[string]any{"text": strings.Repeat("some words ", 30<<20/11)}))
			holdIndexed(b, s)
		}, func(b *testing.B, s *Store) {
			var all sync.WaitGroup
			for i := range 32 {
				all.Go(func() { holdWrite(b, s, holdUpdate(0, fmt.Sprint("k", i))) })
			}
			all.Wait()
		}},
		{"update of 95,000 keys", func(b *testing.B, s *Store) {
			keys := make(map[string]any)
			for i := range 95_000 {
				keys[fmt.Sprint("key", i)] = i
			}
			holdWrite(b, s, holdEvent(b, 0, keys))
			holdIndexed(b, s)
		}, holdUpdates},
		{"batch of 20,000 events", func(*testing.B, *Store) {}, func(b *testing.B, s *Store) {
			batch := make([]store.Write, 20_000)
			for i := range batch {
				batch[i] = benchEvent(b, 1, i)
			}
			holdWrite(b, s, batch...)
		}},
		{"index of many numbers", func(*testing.B, *Store) {}, func(b *testing.B, s *Store) {
			for i := range 4 {
				list := make([]int, 200_000)
				for k := range list {
					list[k] = i*len(list) + k
				}
				holdWrite(b, s, holdEvent(b, i, map[string]any{"list": list}))
			}
			holdIndexed(b, s)
		}},
		{"update in a session of 100,000", holdSession, func(b *testing.B, s *Store) {
			for i := range 20 {
				e := benchEvent(b, 1, 0)
				holdWrite(b, s, store.Write{Update: &honeyhive.Update{EventID: e.Event.EventID, EndTime: honeyhive.Some(3e12 - float64(i))}})
			}
		}},
		{"deletion of 100,000 events", holdSession, func(b *testing.B, s *Store) {
			if err := s.Delete(b.Context(), honeyhive.SessionID("bench", "1")); err != nil {
				b.Fatal(err)
			}
			for info, err := s.Info(b.Context()); info.Bytes > 16<<20; info, err = s.Info(b.Context()) {
				if err != nil {
					b.Fatal(err)
				}
				time.Sleep(10 * time.Millisecond)
			}
		}},
		{"retention of 100,000 events", holdSession, func(b *testing.B, s *Store) {
			if _, err := s.Prune(b.Context(), store.Retention{MaxAge: time.Hour}); err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := openIn(b, b.TempDir()).(*Store)
				c.prepare(b, s)
				b.StartTimer()
				done, all := make(chan struct{}), sync.WaitGroup{}
				var longest, total time.Duration
				n := 0
				all.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						start := time.Now()
						w := benchSession(1_000_000 + n)
						w.Session.StartTime = honeyhive.Some(float64(start.UnixMilli()))
						if err := s.Write(b.Context(), []store.Write{w}); err != nil {
							b.Error(err)
							return
						}
						wait := time.Since(start)
						longest, total, n = max(longest, wait), total+wait, n+1
						time.Sleep(time.Millisecond)
					}
				})
				c.run(b, s)
				close(done)
				all.Wait()
				b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
				b.ReportMetric(float64(total.Microseconds())/1000/float64(n), "mean-ms")
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func holdWrite(tb testing.TB, s *Store, batch ...store.Write) {
	tb.Helper()
	if err := s.Write(tb.Context(), batch); err != nil {
		tb.Fatal(err)
	}
}

// holdEvent makes an event of given inputs.
func holdEvent(tb testing.TB, i int, inputs map[string]any) store.Write {
	tb.Helper()
	o, err := honeyhive.ObjectOf(inputs)
	if err != nil {
		tb.Fatal(err)
	}
	return store.Write{Event: &honeyhive.Event{
		EventID:   honeyhive.Some(honeyhive.SessionID("hold", fmt.Sprint(i)).String()),
		SessionID: honeyhive.Some(honeyhive.SessionID("hold", "session").String()),
		EventType: honeyhive.Some(honeyhive.TypeTool), Inputs: o, Duration: honeyhive.Some(1.0),
	}}
}

func holdUpdates(b *testing.B, s *Store) {
	b.Helper()
	id := honeyhive.Some(honeyhive.SessionID("hold", "0").String())
	for i := range 10 {
		o, _ := honeyhive.ObjectOf(map[string]any{fmt.Sprint("k", i): 1})
		holdWrite(b, s, store.Write{Update: &honeyhive.Update{EventID: id, Metadata: o}})
	}
}

// holdSession fills the store with a session of 100,000 events.
func holdSession(b *testing.B, s *Store) {
	b.Helper()
	for i := 0; i < 100_000; i += 1000 {
		batch := make([]store.Write, 1000)
		for k := range batch {
			batch[k] = benchEvent(b, 1, i+k)
		}
		holdWrite(b, s, batch...)
	}
	holdIndexed(b, s)
}

func holdIndexed(tb testing.TB, s *Store) {
	tb.Helper()
	for {
		info, err := s.Info(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		if info.Unindexed == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
