package local

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// BenchmarkOpenList prints what an open list costs while five sessions of four events a
// second come: the time of the processor, as a share of one core, beyond what the same
// sessions take without it, with that of the client that behaves as the script of the
// page does; and the bytes that it reads a second.
func BenchmarkOpenList(b *testing.B) {
	const kept, seconds, rate = 20_000, 15, 5
	for b.Loop() {
		s := start(b)
		fill(b, s, kept)
		feed := func() time.Duration {
			before := cpuTime()
			ticks := time.NewTicker(time.Second / rate)
			defer ticks.Stop()
			for range seconds * rate {
				<-ticks.C
				tell(b, s.URL())
			}
			return cpuTime() - before
		}
		without := feed()
		ctx, cancel := context.WithCancel(b.Context())
		c := &listClient{url: s.URL()}
		done := make(chan error, 1)
		go func() { done <- c.watch(ctx) }()
		with := feed()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || c.requests.Load() < seconds/2 {
			b.Errorf("the list was not followed: %d requests, %v", c.requests.Load(), err)
		}
		http.DefaultClient.CloseIdleConnections()
		b.ReportMetric(100*(with-without).Seconds()/seconds, "%core")
		b.ReportMetric(100*without.Seconds()/seconds, "%core-without")
		b.ReportMetric(float64(c.bytes.Load())/seconds, "B/s")
		b.ReportMetric(float64(c.requests.Load())/seconds, "requests/s")
	}
}

// fill writes sessions into the store of a server.
func fill(b *testing.B, s *Server, n int) {
	batch := make([]store.Write, 0, 1000)
	for i := range n {
		start := float64(time.Now().Add(-time.Duration(n-i) * time.Minute).UnixMilli())
		batch = append(batch, store.Write{Session: &honeyhive.SessionStartRequest{
			SessionID: honeyhive.Some(honeyhive.NewUUID().String()), SessionName: honeyhive.Some("trip"), Project: honeyhive.Some("p"), Source: honeyhive.Some("s"),
			StartTime: honeyhive.Some(start), EndTime: honeyhive.Some(start + float64(i%5000)),
		}})
		if len(batch) == cap(batch) || i == n-1 {
			if err := s.store.Write(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// tell sends a session with four events.
func tell(b *testing.B, server string) {
	id, start := honeyhive.NewUUID().String(), time.Now().Add(-time.Second).UnixMilli()
	post(b, server+"/session/start", fmt.Sprintf(`{"session":{"project":"p","session_name":"trip","source":"s","session_id":%q,"inputs":{"question":"Where to?"},"outputs":{"answer":"To Porto."},"start_time":%d,"end_time":%d}}`, id, start, start+900))
	var events []string
	for i := range 4 {
		events = append(events, fmt.Sprintf(`{"event_type":"model","event_name":"chat","event_id":%q,"session_id":%q,"parent_id":%q,"project":"p","source":"s","config":{"model":"gpt-4.1"},"inputs":{"messages":[{"role":"user","content":%q}]},"metadata":{"prompt_tokens":100,"completion_tokens":10},"start_time":%d,"duration":100}`,
			honeyhive.NewUUID().String(), id, id, strings.Repeat("Where to? ", 50), start+int64(i)*200))
	}
	post(b, server+"/events/batch", `{"events":[`+strings.Join(events, ",")+`]}`)
}

// listClient asks for what assets/live.mjs asks for, at the same times.
type listClient struct {
	url             string
	bytes, requests atomic.Int64
}

var (
	seqOf  = regexp.MustCompile(`data-seq="(\d+)"`)
	tookOf = regexp.MustCompile(`data-took="(\d+)"`)
)

func (c *listClient) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	c.bytes.Add(int64(len(text)))
	c.requests.Add(1)
	return string(text), err
}

// watch opens the list and follows the stream until the context ends.
func (c *listClient) watch(ctx context.Context) error {
	page, err := c.get(ctx, "/")
	if err != nil {
		return err
	}
	seq := seqOf.FindStringSubmatch(page)[1]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/api/stream?after="+seq, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	var rowsAt, sumsAt time.Time // when the server may be asked again
	next := func(text string, least time.Duration) time.Time {
		took, _ := strconv.Atoi(tookOf.FindStringSubmatch(text)[1])
		return time.Now().Add(max(least, 100*time.Duration(took)*time.Millisecond))
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		c.bytes.Add(int64(len(lines.Bytes())))
		if !strings.HasPrefix(lines.Text(), "data:") {
			continue
		}
		if time.Now().After(rowsAt) {
			text, err := c.get(ctx, "/?"+url.Values{"changed": {seq}}.Encode())
			if err != nil {
				return err
			}
			seq, rowsAt = seqOf.FindStringSubmatch(text)[1], next(text, time.Second)
		}
		if time.Now().After(sumsAt) {
			text, err := c.get(ctx, "/?sums=only")
			if err != nil {
				return err
			}
			sumsAt = next(text, 2*time.Second)
		}
	}
	return cmp.Or(lines.Err(), io.EOF)
}
