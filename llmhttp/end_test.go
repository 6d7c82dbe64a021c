package llmhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// half is a stream that is not over.
var half = data(`{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}`, `{"choices":[{"index":0,"delta":{"content":"hal"}}]}`, `{"choices":[{"index":0,"delta":{"content":"f"}}]}`)

// open starts a call and returns its answer, of which text was read.
func open(t *testing.T, l *lab, ctx context.Context, text string) *http.Response { //nolint:revive // the lab comes first
	t.Helper()
	resp, err := l.client.Do(l.request("/v1/chat/completions", ask).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	if b := make([]byte, len(text)); text != "" {
		if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != text {
			t.Fatalf("%v: %q", err, b)
		}
	}
	return resp
}

// expiring is a context whose deadline passes when its test says so.
type expiring struct {
	context.Context
	over chan struct{}
}

func (e *expiring) Done() <-chan struct{} { return e.over }

func (e *expiring) Err() error {
	select {
	case <-e.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func (l *lab) ended() int { return len(l.recorder.GetSpans()) }

func TestEnds(t *testing.T) {
	const broken = `{"role":"assistant","content":"half","finish_reason":"error"}`
	t.Run("terminator, neither read on nor closed", func(t *testing.T) {
		l := newLab(t, hang(chatStream...))
		ctx, cancel := context.WithCancel(l.ctx)
		resp := open(t, l, ctx, strings.Join(chatStream, ""))
		if l.ended() != 1 {
			t.Error("the event did not end with the protocol")
		}
		cancel()
		_ = resp.Body.Close()
		e := l.only()
		e.AssertOutputs(chatStreamOutputs)
		if e.Error.Or("") != "" {
			t.Error(e.Error)
		}
	})
	t.Run("closed early", func(t *testing.T) {
		l := newLab(t, hang(half...))
		resp := open(t, l, l.ctx, strings.Join(half, ""))
		_ = resp.Body.Close()
		_ = resp.Body.Close()
		e := l.only()
		e.AssertOutputs(`{"role":"assistant","content":"half"}`)
		metadata(t, e, map[string]string{"stream_end": `"closed"`})
		if e.Error.Or("") != "" {
			t.Error(e.Error)
		}
	})
	t.Run("cancelled, never read again", func(t *testing.T) {
		l := newLab(t, hang(half...))
		ctx, cancel := context.WithCancel(l.ctx)
		resp := open(t, l, ctx, strings.Join(half, ""))
		cancel()
		soon(t, "the end", func() bool { return l.ended() == 1 })
		_ = resp.Body.Close()
		e := l.only()
		e.AssertOutputs(broken)
		if e.Error.Or("") != "context canceled" {
			t.Error(e.Error)
		}
		check(t, l.attributes("chat m"), map[string]any{"error.type": "canceled", "gen_ai.response.finish_reasons": []string{"error"}})
	})
	t.Run("timeout while reading", func(t *testing.T) {
		l := newLab(t, hang(half...))
		ctx := &expiring{Context: l.ctx, over: make(chan struct{})}
		resp := open(t, l, ctx, strings.Join(half, ""))
		close(ctx.over)
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		_ = resp.Body.Close()
		l.only().AssertOutputs(broken)
		check(t, l.attributes("chat m"), map[string]any{"error.type": "timeout"})
	})
	t.Run("broken connection", func(t *testing.T) {
		l := newLab(t, snap(half...))
		resp := open(t, l, l.ctx, "")
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("no error")
		}
		_ = resp.Body.Close()
		e := l.only()
		e.AssertOutputs(broken)
		if e.Error.Or("") == "" {
			t.Error("no error")
		}
	})
	t.Run("end of file without the terminator", func(t *testing.T) {
		l := newLab(t, stream(half...))
		resp := open(t, l, l.ctx, "")
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		e := l.only()
		e.AssertOutputs(broken)
		check(t, l.attributes("chat m"), map[string]any{"error.type": "stream_interrupted"})
	})
	t.Run("end of file, all choices ended", func(t *testing.T) {
		l := newLab(t, stream(chatStream[:len(chatStream)-1]...))
		resp := open(t, l, l.ctx, "")
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		e := l.only()
		e.AssertOutputs(chatStreamOutputs)
		if e.Error.Or("") != "" {
			t.Error(e.Error)
		}
	})
	t.Run("no connection", func(t *testing.T) {
		l := newLab(t, nil)
		r := l.request("/v1/chat/completions", ask)
		r.URL.Host = "127.0.0.1:1"
		if _, err := l.client.Do(r); err == nil {
			t.Error("no error")
		}
		if e := l.only(); !strings.Contains(e.Error.Or(""), "refused") {
			t.Error(e.Error)
		}
	})
	t.Run("length known, not read to the end of file", func(t *testing.T) {
		l := newLab(t, whole(200, chatAnswer))
		resp := open(t, l, l.ctx, chatAnswer)
		if l.ended() != 1 {
			t.Error("the event did not end with the last byte")
		}
		_ = resp.Body.Close()
		if e := l.only(); e.Error.Or("") != "" || len(e.Outputs.String()) < 10 {
			t.Error(e.Error, e.Outputs)
		}
	})
	t.Run("error, closed unread", func(t *testing.T) {
		l := newLab(t, whole(429, `{"error":{"message":"slow","code":"c"}}`))
		_ = open(t, l, l.ctx, "").Body.Close()
		if e := l.only(); e.Error.Or("") != "429 c: slow" {
			t.Error(e.Error)
		}
	})
	t.Run("error that does not come, closed unread", func(t *testing.T) {
		l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		})
		start := time.Now()
		_ = open(t, l, l.ctx, "").Body.Close()
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("Close took %v", d)
		}
		if e := l.only(); e.Error.Or("") != "503 Service Unavailable" {
			t.Error(e.Error)
		}
	})
	t.Run("no body", func(t *testing.T) {
		l := newLab(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		if _, err := l.post("/v1/chat/completions", ask); err != nil {
			t.Fatal(err)
		}
		metadata(t, l.only(), map[string]string{"http.response.status_code": "204"})
	})
}
