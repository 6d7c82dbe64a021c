package llmhttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestBoundedMemory passes a long stream through with a small limit.
func TestBoundedMemory(t *testing.T) {
	chunk := data(`{"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("a", 1000) + `"}}]}`)[0]
	const chunks = 50_000
	body := io.MultiReader(newRepeat(chunk, chunks), strings.NewReader("data: [DONE]\n\n"))
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	base := roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(body)}, nil
	})
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1/v1/chat/completions", strings.NewReader(ask))
	resp, err := llmhttp.Transport(base, llmhttp.WithLimit(64<<10)).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	var most uint64
	var m runtime.MemStats
	b := make([]byte, 32<<10)
	for i := 0; ; i++ {
		if _, err := resp.Body.Read(b); err != nil {
			break
		}
		if i%100 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	_ = resp.Body.Close()
	s.End()
	if most > 16<<20 {
		t.Errorf("%d bytes in use", most)
	}
	e := p.Session("s").Event("chat") // nobody read the request
	metadata(t, e, map[string]string{"answer_truncated": "true"})
	if n := len(e.Outputs.String()); n < 64<<10 || n > 65<<10 {
		t.Errorf("%d bytes of output", n)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// repeat reads a text many times over.
type repeat struct {
	text string
	rest string
	n    int
}

func newRepeat(text string, n int) *repeat { return &repeat{text: text, n: n} }

func (r *repeat) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.n--
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestConcurrent(t *testing.T) {
	l := newLab(t, stream(chatStream...))
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(l.ctx)
			defer cancel()
			resp, err := l.client.Do(l.request("/v1/chat/completions", ask).WithContext(ctx))
			if err != nil {
				t.Error(err)
				return
			}
			go cancel() // races with the reading, and with Close
			_, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		})
	}
	wg.Wait()
	soon(t, "the end of all", func() bool { return l.ended() == 1000 })
	if n := len(l.end()); n != 1000 {
		t.Errorf("%d events", n)
	}
}

// TestNoGoroutines checks that streams which run, and those that nobody reads to
// the end or closes, have no goroutine of ours.
func TestNoGoroutines(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	tr := llmhttp.Transport(roundTrip(func(*http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader(strings.Join(half, "")), forever{})
		return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(body)}, nil
	}))
	ctx, cancel := context.WithCancel(ctx)
	before := runtime.NumGoroutine()
	for range 1000 {
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(ask))
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadFull(resp.Body, make([]byte, len(strings.Join(half, ""))))
	}
	if n := runtime.NumGoroutine(); n > before+10 {
		t.Errorf("%d goroutines more for 1,000 streams", n-before)
	}
	cancel()
	soon(t, "the end of all", func() bool { return p.Tracer.Stats()[0].Created >= 1000 })
	s.End()
	if n := len(p.Session("s").Events); n != 1000 {
		t.Errorf("%d events", n)
	}
	soon(t, "the end of the goroutines", func() bool { return runtime.NumGoroutine() <= before+10 })
}

// forever is a body of which no more comes.
type forever struct{}

func (forever) Read([]byte) (int, error) { return 0, nil }
