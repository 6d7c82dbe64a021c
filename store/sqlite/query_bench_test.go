package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/query"
)

// benchQueryStore is a store of 100,000 sessions with four events each.
// SESSIONSPAN_BENCH_QUERY_STORE names a folder to keep it in from run to run.
func benchQueryStore(b *testing.B) *Store {
	b.Helper()
	dir := os.Getenv("SESSIONSPAN_BENCH_QUERY_STORE")
	if dir == "" {
		dir = b.TempDir()
	}
	_, missing := os.Stat(filepath.Join(dir, "sessions.db"))
	s := openIn(b, dir).(*Store)
	b.Cleanup(func() { _ = s.Close() })
	if missing == nil {
		return s
	}
	start := time.Now()
	for i := 0; i < 100_000; i += 500 {
		var writes []store.Write
		for k := range 500 {
			writes = append(writes, benchTurn(b, i+k)...)
		}
		if err := s.Write(b.Context(), writes); err != nil {
			b.Fatal(err)
		}
	}
	written := time.Since(start)
	if err := s.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
	info, err := s.Info(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("written in %v, indexed in %v, %d bytes", written, time.Since(start), info.Bytes)
	return s
}

func benchTurn(b *testing.B, i int) []store.Write {
	b.Helper()
	id := honeyhive.SessionID("turns", fmt.Sprint(i)).String()
	event := func(n int, text string) store.Write {
		e := new(honeyhive.Event)
		if err := e.UnmarshalJSON(fmt.Appendf(nil, `{"event_id":%q,"session_id":%q,"parent_id":%q,"project":"turns","source":"prod","start_time":%d,%s}`,
			honeyhive.SessionID("turns", fmt.Sprint(i, "/", n)), id, id, benchStart.UnixMilli()+int64(i)*1000, text)); err != nil {
			b.Fatal(err)
		}
		return store.Write{Event: e}
	}
	words := fmt.Sprintf("how is part %d of machine %d taken apart and put together again, word%d, word%d", i%977, i%131, i*7919%5000, i*i%5000)
	s := new(honeyhive.SessionStartRequest)
	failed := ""
	if i%50 == 0 {
		failed = `,"error":"rate limit exceeded"`
	}
	if err := s.UnmarshalJSON(fmt.Appendf(nil, `{"session_id":%q,"project":"turns","session_name":"turn","source":"prod","start_time":%d,"duration":%d,"user_properties":{"user_id":"user %d"},
		"inputs":{"question":%q},"outputs":{"answer":"like this: %s"},"metadata":{"release":"v1.%d","region":"eu","tags":["a","b"]}%s}`,
		id, benchStart.UnixMilli()+int64(i)*1000, i*7919%10007, i%1000, words, words, i/10000, failed)); err != nil {
		b.Fatal(err)
	}
	documents := `[{"content":"one","score":0.9},{"content":"two","score":0.` + fmt.Sprint(i%90+10) + `}]`
	if i%100 == 0 {
		documents = `[]`
	}
	toolError := ""
	if i%40 == 0 {
		toolError = `,"error":"connection refused"`
	}
	return []store.Write{
		{Session: s},
		event(1, fmt.Sprintf(`"event_type":"tool","event_name":"search","duration":%d,"inputs":{"query":%q},"outputs":{"documents":%s},"metadata":{"event_kind":"retriever"}`, i%997, words, documents)),
		event(2, fmt.Sprintf(`"event_type":"model","event_name":"chat","duration":%d,"config":{"model":"gpt-4.1","provider":"openai","prompt_name":"answer","prompt_version":"%d"},"inputs":{"chat_history":[{"role":"user","content":%q}]},"outputs":{"role":"assistant","content":"like this"},"metadata":{"prompt_tokens":%d,"completion_tokens":20,"cost":0.001,"time_to_first_chunk_ms":%d}`, i%3001, i%7, words, 100+i%500, i%300)),
		event(3, fmt.Sprintf(`"event_type":"tool","event_name":"weather","duration":%d,"inputs":{"city":"Paris"},"outputs":{"temperature":%d},"metadata":{"attempt":%d,"error_type":"timeout"}%s`, i%50, i%30, i%3, toolError)),
		event(4, fmt.Sprintf(`"event_type":"chain","event_name":"format","duration":%d,"outputs":{"text":"done"}`, i%9)),
	}
}

// BenchmarkQuery asks a store of 100,000 sessions for what a query says: rare and common
// values, ranges, and both at once.
func BenchmarkQuery(b *testing.B) {
	s := benchQueryStore(b)
	for _, text := range []string{
		`status:error`, `duration>9s`, `release:v1.3`, `metadata.region:eu`, `metadata.region:us`, `kind:retriever`, `-kind:retriever`, `kind:reranker`, `event(name:weather error:*)`,
		`event(kind:model duration>2s)`, `event(duration>=0)`, `documents:0`, `score<0.15`, `metadata.attempt>=1`, `config.model:gpt*`, `"rate limit"`, `word77`, `how part`, `how*`,
		`status:error model:gpt-4.1 release:v1.8 duration>2s machine`, `(kind:model OR kind:tool) event(type:chain duration<5) -release:v1.1`,
	} {
		q, err := query.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("list/"+text, func(b *testing.B) {
			n := 0
			for b.Loop() {
				page, err := s.Sessions(b.Context(), store.SessionQuery{Filter: store.Filter{Query: q}})
				if err != nil {
					b.Fatal(err)
				}
				n = len(page.Sessions)
			}
			b.ReportMetric(float64(n), "rows")
		})
	}
	some, err := query.Parse(`release:v1.3`)
	if err != nil {
		b.Fatal(err)
	}
	events := []store.Grouping{{By: store.ByModel}, {By: store.ByEvent}, {By: store.ByKind}, {By: store.ByErrorKind}, {By: store.ByPrompt}}
	for name, run := range map[string]func() (int, error){
		"all events": func() (int, error) { l, err := s.AggregateAll(b.Context(), store.Filter{}, events); return len(l), err },
		"some events": func() (int, error) {
			l, err := s.AggregateAll(b.Context(), store.Filter{Query: some}, events)
			return len(l), err
		},
		"releases": func() (int, error) {
			l, err := s.Aggregate(b.Context(), store.Filter{}, store.Grouping{By: store.ByField("release")})
			return len(l), err
		},
		"users": func() (int, error) {
			l, err := s.Aggregate(b.Context(), store.Filter{}, store.Grouping{By: store.ByUser})
			return len(l), err
		},
		"scores": func() (int, error) {
			l, err := s.Values(b.Context(), store.ValueQuery{Field: "score", Limit: 1000})
			return len(l), err
		},
		"questions without documents": func() (int, error) {
			e, _ := query.Parse(`documents:0`)
			l, err := s.Values(b.Context(), store.ValueQuery{Field: "question", Event: e, Filter: store.Filter{Query: some}})
			return len(l), err
		},
		"complete a value": func() (int, error) { l, err := s.Complete(b.Context(), "metadata.release", "v", 0); return len(l), err },
		"complete a key":   func() (int, error) { l, err := s.Complete(b.Context(), "metadata.", "", 0); return len(l), err },
		"complete a user":  func() (int, error) { l, err := s.Complete(b.Context(), "user", "user 1", 0); return len(l), err },
	} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				var err error
				if n, err = run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "rows")
		})
	}
}
