package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

var benchStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// benchEvent makes an event of 2 KB.
func benchEvent(b *testing.B, session, i int) store.Write {
	b.Helper()
	object := func(v map[string]any) honeyhive.Object {
		o, err := honeyhive.ObjectOf(v)
		if err != nil {
			b.Fatal(err)
		}
		return o
	}
	var words strings.Builder
	for n := 0; words.Len() < 1500; n++ {
		fmt.Fprintf(&words, "word%d ", (i*7919+n*n)%5000)
	}
	id := honeyhive.SessionID("bench", fmt.Sprint(session)).String()
	return store.Write{Event: &honeyhive.Event{
		EventID: honeyhive.Some(honeyhive.SessionID("bench", fmt.Sprint(session, "/", i)).String()), SessionID: honeyhive.Some(id),
		ParentID: honeyhive.Some(id), EventType: honeyhive.Some(honeyhive.TypeModel), EventName: honeyhive.Some("chat"),
		Project: honeyhive.Some("bench"), Source: honeyhive.Some("test"),
		Config: object(map[string]any{"model": "gpt-4o", "provider": "openai"}), Inputs: object(map[string]any{"text": words.String()}),
		Outputs: object(map[string]any{"role": "assistant", "content": "an answer"}), Duration: honeyhive.Some(float64(i % 977)),
		StartTime: honeyhive.Some(float64(benchStart.UnixMilli() + int64(i))),
		Metadata:  object(map[string]any{"prompt_tokens": 100 + i%50, "completion_tokens": 20, "cost": 0.001, "time_to_first_chunk_ms": i % 300}),
	}}
}

func benchSession(i int) store.Write {
	user, _ := honeyhive.ObjectOf(map[string]any{"user_id": fmt.Sprint("user ", i%1000)})
	inputs, _ := honeyhive.ObjectOf(map[string]any{"question": fmt.Sprint("what is the answer to question number ", i, " of the many that people ask")})
	s := &honeyhive.SessionStartRequest{
		Project: honeyhive.Some(fmt.Sprint("project ", i%5)), Source: honeyhive.Some([]string{"production", "staging"}[i%2]),
		SessionName: honeyhive.Some(fmt.Sprint("session ", i%100)), SessionID: honeyhive.Some(honeyhive.SessionID("bench", fmt.Sprint(i)).String()),
		StartTime: honeyhive.Some(float64(benchStart.UnixMilli() + int64(i)*1000)), Duration: honeyhive.Some(float64(i * 7919 % 10007)),
		Inputs: inputs, Outputs: inputs, UserProperties: user,
	}
	if i%50 == 0 {
		s.Error = honeyhive.Some("it failed")
	}
	return store.Write{Session: s}
}

// BenchmarkWrite writes events of 2 KB in batches of 100, from several
// goroutines at once; each batch is durable before its goroutine goes on.
func BenchmarkWrite(b *testing.B) {
	s := openIn(b, b.TempDir()).(*Store)
	const batch = 100
	ready := make([][]store.Write, 200)
	var next atomic.Int64
	b.SetParallelism(4)
	b.ReportAllocs()
	for i := range ready {
		for k := range batch {
			ready[i] = append(ready[i], benchEvent(b, i/10, i*batch+k))
		}
	}
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			n := int(next.Add(1)) - 1
			writes := make([]store.Write, batch)
			for k, w := range ready[n%len(ready)] {
				e := *w.Event // the same contents under an id of its own
				e.EventID = honeyhive.Some(honeyhive.NewUUID().String())
				writes[k].Event = &e
			}
			if err := s.Write(b.Context(), writes); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "events/s")
	info, err := s.Info(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Bytes)/float64(b.N*batch), "B/event")
	b.ReportMetric(float64(info.Unindexed)/float64(b.N*batch), "unindexed/event")
	start := time.Now()
	left := info.Unindexed
	for info.Unindexed > 0 {
		if info, err = s.Info(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(left)/time.Since(start).Seconds(), "indexed/s")
	b.ReportMetric(float64(info.Bytes)/float64(b.N*batch), "B/event-indexed")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// benchStore is a store of 100,000 sessions, one of which has 100,000 events.
// SESSIONSPAN_BENCH_STORE names a folder to keep it in from run to run.
func benchStore(b *testing.B) *Store {
	b.Helper()
	const n = 100_000
	dir := os.Getenv("SESSIONSPAN_BENCH_STORE")
	if dir == "" {
		dir = b.TempDir()
	}
	_, missing := os.Stat(filepath.Join(dir, "sessions.db"))
	s := openIn(b, dir).(*Store)
	b.Cleanup(func() { _ = s.Close() })
	if missing == nil {
		return s
	}
	for i := 0; i < n; i += 1000 {
		var writes []store.Write
		for k := range 1000 {
			writes = append(writes, benchSession(i+k), benchEvent(b, 1, i+k))
			if k%10 == 0 {
				writes = append(writes, benchEvent(b, i+k, n))
			}
		}
		if err := s.Write(b.Context(), writes); err != nil {
			b.Fatal(err)
		}
	}
	for {
		info, err := s.Info(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if info.Unindexed == 0 {
			return s
		}
	}
}

// BenchmarkRead asks a store of 100,000 sessions what a viewer asks.
func BenchmarkRead(b *testing.B) {
	s := benchStore(b)
	ctx := b.Context()
	big := honeyhive.UUID{}
	if u, err := honeyhive.ParseUUID(benchSession(1).Session.SessionID.Or("")); err == nil {
		big = u
	}
	list := func(q store.SessionQuery) func() (int, error) {
		return func() (int, error) {
			page, err := s.Sessions(ctx, q)
			return len(page.Sessions), err
		}
	}
	aggregate := func(f store.Filter, g store.Grouping) func() (int, error) {
		return func() (int, error) {
			series, err := s.Aggregate(ctx, f, g)
			return len(series), err
		}
	}
	week := store.Filter{From: benchStart.Add(10 * time.Hour), To: benchStart.Add(20 * time.Hour)}
	for _, c := range []struct {
		name string
		run  func() (int, error)
	}{
		{"list/newest", list(store.SessionQuery{})},
		{"list/errors", list(store.SessionQuery{Filter: store.Filter{Status: store.StatusError}})},
		{"list/project+user", list(store.SessionQuery{Filter: store.Filter{Project: "project 3", User: "user 3"}})},
		{"list/rare model", list(store.SessionQuery{Filter: store.Filter{Model: "none"}})},
		{"list/slow", list(store.SessionQuery{Filter: store.Filter{MinDuration: 10006 * time.Millisecond}})},
		{"list/rare feedback", list(store.SessionQuery{Filter: store.Filter{Feedback: honeyhive.Some(true)}})},
		{"list/cost and project", list(store.SessionQuery{Filter: store.Filter{Project: "project 1", MinCost: honeyhive.Some(50.0)}})},
		{"list/by duration", list(store.SessionQuery{Sort: store.SortDuration})},
		{"list/by cost, project", list(store.SessionQuery{Sort: store.SortCost, Filter: store.Filter{Project: "project 1"}})},
		{"list/word", list(store.SessionQuery{Filter: store.Filter{Text: "99999"}})},
		{"list/common word", list(store.SessionQuery{Filter: store.Filter{Text: "question"}})},
		{"aggregate/all", aggregate(store.Filter{}, store.Grouping{Buckets: 100})},
		{"aggregate/time", aggregate(week, store.Grouping{Buckets: 100})},
		{"aggregate/by source", aggregate(store.Filter{}, store.Grouping{By: store.BySource, Buckets: 50})},
		{"aggregate/by model", aggregate(store.Filter{}, store.Grouping{By: store.ByModel, Buckets: 50})},
		{"events/100000 rows", func() (int, error) {
			n := 0
			for _, err := range s.Events(ctx, big, store.EventQuery{}) {
				if err != nil {
					return n, err
				}
				n++
			}
			return n, nil
		}},
		{"session", func() (int, error) { _, err := s.Session(ctx, big); return 1, err }},
		{"info", func() (int, error) { _, err := s.Info(ctx); return 1, err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				var err error
				if n, err = c.run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "rows")
		})
	}
}
