package llmhttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

const ask = `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`

// TestNoDelay checks that the client gets each piece before the next is sent, and
// that the time to the first token is that of the first content.
func TestNoDelay(t *testing.T) {
	next := make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, p := range append(half, data(`[DONE]`)...) {
			_, _ = io.WriteString(w, p)
			w.(http.Flusher).Flush()
			<-next
		}
	})
	start := time.Now()
	resp := open(t, l, l.ctx, half[0])
	opened := time.Now() // no content yet
	soon(t, "time to pass", func() bool { return time.Since(opened) > 2*opened.Sub(start) })
	released := time.Now()
	next <- struct{}{}
	b := make([]byte, len(half[1]))
	_, _ = io.ReadFull(resp.Body, b)
	content := time.Since(start)
	next <- struct{}{}
	next <- struct{}{}
	close(next)
	_, _ = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	l.end()
	got, _ := l.attributes("chat m")["gen_ai.response.time_to_first_chunk"].(float64)
	if least := released.Sub(opened); got < least.Seconds() || got > content.Seconds() {
		t.Errorf("time to first token %v: it was sent after at least %v, and the client had it after %v", got, least, content)
	}
}

func TestNoSecrets(t *testing.T) {
	l := newLab(t, whole(401, `{"error":{"message":"bad","code":"c"}}`))
	r := l.request("/v1/chat/completions?key=sk-secret", chatRequest)
	r.Header.Set("X-Api-Key", "sk-secret")
	r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	r.Header.Set("Tracestate", "a=b")
	r.Header.Set("Baggage", "user=ann")
	resp, err := l.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if r.Header.Get("Traceparent") == "" {
		t.Error("the caller's request was changed")
	}
	for _, h := range []string{"Traceparent", "Tracestate", "Baggage"} {
		if v := l.head[0].Get(h); v != "" {
			t.Errorf("%s went to the provider: %s", h, v)
		}
	}
	if l.head[0].Get("X-Api-Key") == "" || l.head[0].Get("Authorization") == "" {
		t.Error("the key did not go to the provider")
	}
	// Middleware may see errors of a client, which name the URL.
	m := llmhttp.Middleware()
	_, _ = m(l.request("/v1/chat/completions?key=sk-secret", chatRequest), func(r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("wrapped: %w", &url.Error{Op: "Post", URL: r.URL.String(), Err: errors.New("down")})
	})
	l.end()
	for _, span := range l.recorder.GetSpans() {
		if s := fmt.Sprintf("%v %v %v", attributesOf(span.Attributes), span.Events, span.Status); strings.Contains(s, "sk-secret") {
			t.Errorf("a key is in the span: %s", s)
		}
	}
}

// TestBodies sends bodies of all kinds.
func TestBodies(t *testing.T) {
	for name, set := range map[string]func(r *http.Request){
		"with GetBody":   func(*http.Request) {},
		"without":        func(r *http.Request) { r.GetBody = nil },
		"unknown length": func(r *http.Request) { r.GetBody, r.ContentLength = nil, -1 },
	} {
		t.Run(name, func(t *testing.T) {
			var length int64
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				length = r.ContentLength
				whole(200, chatAnswer)(w, r)
			})
			r := l.request("/v1/chat/completions", chatRequest)
			set(r)
			body, want := r.Body, r.ContentLength
			resp, err := l.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if l.got[0] != chatRequest || length != want || r.Body != body {
				t.Errorf("the server got %d bytes: %q", length, l.got[0])
			}
			if e := l.only(); e.EventName.Or("") != "chat gpt-x" || !strings.Contains(e.Inputs.String(), "be brief") {
				t.Errorf("%v %v", e.EventName, e.Inputs)
			}
		})
	}
	t.Run("nil", func(t *testing.T) {
		l := newLab(t, whole(400, `{}`))
		r := l.request("/v1/chat/completions", "")
		r.Body, r.GetBody = nil, nil
		resp, err := l.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		l.only()
	})
	t.Run("no JSON", func(t *testing.T) {
		l := newLab(t, whole(200, `no`))
		if got, err := l.post("/v1/chat/completions", "\x00{"); got != "no" || err != nil {
			t.Error(got, err)
		}
		if e := l.only(); e.EventName.Or("") != "chat" {
			t.Error(e.EventName)
		}
	})
}

func TestLargeMedia(t *testing.T) {
	image := strings.Repeat("QUJD", 3<<20)
	body := `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + image + `"}}]}]}`
	l := newLab(t, whole(200, chatAnswer))
	if _, err := l.post("/v1/chat/completions", body); err != nil || l.got[0] != body {
		t.Fatal(err, len(l.got[0]))
	}
	e := l.only()
	if s := e.Inputs.String(); len(s) > 1000 || !strings.Contains(s, `"size":9437184`) || !strings.Contains(s, `"image/png"`) {
		t.Errorf("%.1000s", s)
	}
}

func TestIncludeUsage(t *testing.T) {
	const asks, asked = ` {"model":"m","stream":true}`, ` {"stream_options":{"include_usage":true},"model":"m","stream":true}`
	for name, c := range map[string]struct {
		body, want string
		set        func(r *http.Request)
		options    []llmhttp.Option
	}{
		"stream":          {body: asks, want: asked},
		"length given":    {body: asks, want: asked, set: func(r *http.Request) { r.Header.Set("Content-Length", "28") }},
		"whole":           {body: `{"stream":false,"model":"m"}`},
		"says so":         {body: `{"stream":true,"stream_options":{"include_usage":false},"model":"m"}`},
		"not JSON":        {body: `not json`},
		"without GetBody": {body: asks, set: func(r *http.Request) { r.GetBody = nil }},
		"compressed":      {body: asks, set: func(r *http.Request) { r.Header.Set("Content-Encoding", "x") }},
		"signed":          {body: asks, set: func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a") }},
		"digested":        {body: asks, set: func(r *http.Request) { r.Header.Set("Content-Digest", "sha-256=:a:") }},
		"mistral":         {body: asks, options: []llmhttp.Option{llmhttp.WithHost("127.0.0.1", llmhttp.OpenAI, "mistral_ai")}},
		"responses":       {body: asks, set: func(r *http.Request) { r.URL.Path = "/v1/responses" }},
	} {
		t.Run(name, func(t *testing.T) {
			var length int64
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				length = r.ContentLength
				stream(chatStream...)(w, r)
			}, append(c.options, llmhttp.WithIncludeUsage())...)
			r := l.request("/v1/chat/completions", c.body)
			if c.set != nil {
				c.set(r)
			}
			resp, err := l.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			want := c.want
			if want == "" {
				want = c.body
			}
			if l.got[0] != want || length != int64(len(want)) || r.ContentLength != int64(len(c.body)) {
				t.Errorf("the server got %d bytes %s, want %s", length, l.got[0], want)
			}
			l.end()
		})
	}
}

// TestIncludeUsageAgain checks that a transport which sends a changed request once
// more, as it does on a connection that broke, sends the same.
func TestIncludeUsageAgain(t *testing.T) {
	l := newLab(t, nil)
	_, _ = llmhttp.Middleware(llmhttp.WithIncludeUsage())(l.request("/v1/chat/completions", ask), func(r *http.Request) (*http.Response, error) {
		first, _ := io.ReadAll(r.Body)
		body, err := r.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		second, _ := io.ReadAll(body)
		if string(first) != string(second) || !strings.Contains(string(first), "include_usage") || r.ContentLength != int64(len(first)) {
			t.Errorf("%s, then %s", first, second)
		}
		return nil, errors.New("down")
	})
	l.end()
}

func TestOptions(t *testing.T) {
	l := newLab(t, whole(200, `{}`),
		llmhttp.WithName(func(c llmhttp.Call) string {
			if c.Model == "panics" {
				panic("no name")
			}
			return c.Provider + "/" + c.Model
		}),
		llmhttp.WithFilter(func(r *http.Request) bool { return r.Header.Get("X-Skip") == "" }),
		llmhttp.WithHost("127.0.0.1", llmhttp.OpenAI, "vllm"), llmhttp.WithHost("x", 99, ""), llmhttp.WithoutContent(), nil)
	_, _ = l.post("/proxy/responses", `{"model":"m","input":"secret words"}`)
	_, _ = l.post("/proxy/responses", `{"model":"panics"}`)
	_, _ = l.post("/proxy/responses", `{"model":"skipped"}`, "X-Skip", "1")
	events := l.end()
	if len(events) != 2 || events[0].EventName.Or("") != "vllm/m" || events[1].EventName.Or("") != "chat panics" {
		t.Fatalf("%v", events)
	}
	for _, span := range l.recorder.GetSpans() {
		if s := fmt.Sprint(attributesOf(span.Attributes)); strings.Contains(s, "secret words") {
			t.Error(s)
		}
	}
}

func TestGzip(t *testing.T) {
	for name, pieces := range map[string][]string{"stream": chatStream, "whole": {chatAnswer}} {
		t.Run(name, func(t *testing.T) {
			var sent bytes.Buffer
			l := newLab(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				w.Header().Set("Content-Type", map[string]string{"stream": "text/event-stream", "whole": "application/json"}[name])
				z := gzip.NewWriter(io.MultiWriter(w, &sent))
				for _, p := range pieces {
					_, _ = io.WriteString(z, p)
					_ = z.Flush()
					w.(http.Flusher).Flush()
				}
				_ = z.Close()
			})
			got, err := l.post("/v1/chat/completions", ask, "Accept-Encoding", "gzip")
			if err != nil || got != sent.String() {
				t.Fatal(err)
			}
			e := l.only()
			if !strings.Contains(e.Outputs.String(), `"finish_reason":"tool_calls"`) || e.Error.Or("") != "" {
				t.Errorf("%v %v", e.Outputs, e.Error)
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		l := newLab(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "\x00\x01")
		})
		_, _ = l.post("/v1/chat/completions", ask, "Accept-Encoding", "br")
		metadata(t, l.only(), map[string]string{"content_encoding": `"br"`})
	})
}

func TestHugeLines(t *testing.T) {
	long := strings.Repeat("é", 100<<10)
	pieces := data(`{"choices":[{"index":0,"delta":{"content":"`+long+`"}}]}`, `{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}`, `[DONE]`)
	l := newLab(t, stream(pieces...))
	got, err := l.post("/v1/chat/completions", ask)
	if err != nil || got != strings.Join(pieces, "") {
		t.Fatal(err)
	}
	l.only().AssertOutputs(`{"role":"assistant","content":"` + long + `x","finish_reason":"stop"}`)

	l = newLab(t, stream(pieces...), llmhttp.WithLimit(1<<10))
	_, _ = l.post("/v1/chat/completions", ask)
	e := l.only()
	e.AssertOutputs(`{"role":"assistant","content":"x","finish_reason":"stop"}`)
	metadata(t, e, map[string]string{"chunks_skipped": "1"})
}

type idler struct {
	http.RoundTripper
	closed bool
}

func (i *idler) CloseIdleConnections() { i.closed = true }

func TestCloseIdleConnections(t *testing.T) {
	base := new(idler)
	(&http.Client{Transport: llmhttp.Transport(base)}).CloseIdleConnections()
	if !base.closed {
		t.Error("the client's call did not reach the base")
	}
	(&http.Client{Transport: llmhttp.Transport(roundTrip(nil))}).CloseIdleConnections()
}

func TestPanicOfBase(t *testing.T) {
	l := newLab(t, nil)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = llmhttp.Middleware()(l.request("/v1/chat/completions", ask), func(*http.Request) (*http.Response, error) { panic("base") })
	}()
	if e := l.only(); e.Error.Or("") == "" {
		t.Error("no error")
	}
}

func TestNotRecognised(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	want := &http.Response{StatusCode: 200, Body: http.NoBody}
	var seen *http.Request
	tr := llmhttp.Transport(roundTrip(func(r *http.Request) (*http.Response, error) { seen = r; return want, nil }))
	for _, c := range []struct{ method, url string }{
		{http.MethodGet, "https://api.openai.com/v1/chat/completions"}, {http.MethodPost, "https://api.openai.com/v1/files"},
		{http.MethodPost, "https://example.com/v1/messages"}, {http.MethodPost, "https://example.com/api/chat"}, {http.MethodPost, "https://example.com/responses"},
		{http.MethodPost, "https://example.com/a:b"}, {http.MethodPost, "https://example.com"},
	} {
		r := httptest.NewRequestWithContext(ctx, c.method, c.url, strings.NewReader("{}"))
		resp, err := tr.RoundTrip(r)
		if resp != want || err != nil || seen != r || resp.Body != http.NoBody {
			t.Errorf("%s %s was touched", c.method, c.url)
		}
		if n := testing.AllocsPerRun(100, func() { resp, _ = tr.RoundTrip(r) }); n != 0 && !raceEnabled {
			t.Errorf("%s %s: %v allocations", c.method, c.url, n)
		}
	}
	s.End()
	if n := len(p.Session("s").Events); n != 0 {
		t.Errorf("%d events", n)
	}
	if _, err := tr.RoundTrip(nil); err == nil {
		t.Error("no error for a nil request")
	}
}

func BenchmarkNotRecognised(b *testing.B) {
	want := &http.Response{StatusCode: 200, Body: http.NoBody}
	tr := llmhttp.Transport(roundTrip(func(*http.Request) (*http.Response, error) { return want, nil }))
	r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "https://api.openai.com/v1/files", http.NoBody)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = tr.RoundTrip(r)
	}
}

// TestNoSession checks that calls outside of any session, and without a tracer,
// pass.
func TestNoSession(t *testing.T) {
	p := sessiontest.New(t)
	p.ExpectReport("was started outside a session")
	tr := llmhttp.Transport(roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(chatAnswer))}, nil
	}), llmhttp.WithTracer(p.Tracer))
	for _, ctx := range []context.Context{t.Context(), p.Context(t.Context()), sessionspan.ContextWithTracer(t.Context(), nil)} {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(chatRequest))
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != chatAnswer {
			t.Errorf("%q", b)
		}
		_ = resp.Body.Close()
	}
}
