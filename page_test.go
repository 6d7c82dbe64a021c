package sessionspan_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// pageServer answers like a server with a page, or like another one.
func pageServer(t *testing.T, health string) (url string, requests func() string) {
	t.Helper()
	var mu sync.Mutex
	var seen strings.Builder
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen.WriteString(r.Method + " " + r.URL.Path + "\n")
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, map[bool]string{true: health, false: "{}"}[r.URL.Path == "/healthz"])
	}))
	t.Cleanup(server.Close)
	return server.URL, func() string {
		mu.Lock()
		defer mu.Unlock()
		return seen.String()
	}
}

// TestURL asks for links of sessions where there is a page and where there is none:
// only what says that it is the local server is believed to be it.
func TestURL(t *testing.T) {
	const ours, others = `{"service":"sessionspan","version":"1"}`, `{"service":"another"}`
	other, _ := pageServer(t, others)
	broken, _ := pageServer(t, "<html>")
	long, _ := pageServer(t, `{"padding":"`+strings.Repeat("x", 1<<20)+`","service":"sessionspan"}`)
	down, _ := pageServer(t, ours)
	gone := httptest.NewServer(nil)
	gone.Close()
	mine, _ := pageServer(t, ours)
	http1 := sessionspan.WithAPIURL
	for name, tc := range map[string]struct {
		options []sessionspan.Option
		want    string
	}{
		"local server":          {[]sessionspan.Option{http1(mine)}, mine},
		"with a slash":          {[]sessionspan.Option{http1(mine + "/")}, mine},
		"OTLP":                  {[]sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: mine + "/v1/traces"})}, mine},
		"OTLP of HoneyHive":     {[]sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: mine + "/opentelemetry/v1/traces"})}, mine},
		"the one of several":    {[]sessionspan.Option{http1(other), sessionspan.WithOTLP(exporter.OTLPConfig{URL: mine})}, mine},
		"below a path":          {[]sessionspan.Option{http1(mine + "/proxy")}, ""},
		"OTLP below a path":     {[]sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: mine + "/proxy/v1/traces"})}, ""},
		"another server":        {[]sessionspan.Option{http1(other)}, ""},
		"no JSON":               {[]sessionspan.Option{http1(broken)}, ""},
		"a long answer":         {[]sessionspan.Option{http1(long)}, ""},
		"nobody":                {[]sessionspan.Option{http1(gone.URL)}, ""},
		"a transport":           {[]sessionspan.Option{sessionspan.WithHTTP(exporter.HTTPConfig{URL: down, Transport: http.DefaultTransport})}, ""},
		"not on this machine":   {[]sessionspan.Option{sessionspan.WithHTTP(exporter.HTTPConfig{URL: "https://api.invalid", Key: "k"})}, ""},
		"no destination":        {nil, ""},
		"a writer":              {[]sessionspan.Option{sessionspan.WithWriter(io.Discard)}, ""},
		"several, none of ours": {[]sessionspan.Option{http1(other), sessionspan.WithOTLP(exporter.OTLPConfig{URL: gone.URL})}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tracer, err := sessionspan.New(append(tc.options, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(nil), sessionspan.WithLogger(nil))...)
			if err != nil {
				t.Fatal(err)
			}
			_, s := tracer.StartSession(t.Context(), "s")
			if tc.want != "" {
				tc.want += "/s/" + s.ID()
			}
			for range 2 {
				if got := s.URL(); got != tc.want {
					t.Errorf("%q, want %q", got, tc.want)
				}
			}
			_, c := tracer.ContinueSession(t.Context(), s.ID())
			if got := c.URL(); got != tc.want {
				t.Errorf("continued: %q, want %q", got, tc.want)
			}
			s.End()
			now, cancel := context.WithCancel(t.Context())
			cancel()
			_ = tracer.Shutdown(now)
		})
	}
	var none *sessionspan.Session
	if none.URL() != "" || new(sessionspan.Session).URL() != "" {
		t.Error("a session that is none has a link")
	}
}

// TestOnlyUsualPortsAreAsked delivers sessions to servers at a usual port and at
// others: nothing is sent there but what they expect, unless a link is asked for.
func TestOnlyUsualPortsAreAsked(t *testing.T) {
	for name, usual := range map[string]bool{"usual port": true, "another port": false} {
		t.Run(name, func(t *testing.T) {
			url, requests := pageServer(t, `{"service":"sessionspan"}`)
			if usual {
				sessionspan.SetUsualPort(t, url[strings.LastIndexByte(url, ':'):])
			}
			var log bytes.Buffer
			tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithAPIURL(url), sessionspan.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			var last *sessionspan.Session
			for range 3 {
				_, last = tracer.StartSession(t.Context(), "s")
				last.End()
			}
			if err := tracer.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			asked := strings.Count(requests(), "GET /healthz")
			if want := map[bool]int{true: 1}[usual]; asked != want || strings.Count(log.String(), "\n") != want || strings.Contains(log.String(), last.ID()) {
				t.Errorf("asked %d times, log %q, requests %s", asked, &log, requests())
			}
		})
	}
}

// panickyLogs panics for each record.
type panickyLogs struct{ slog.Handler }

func (panickyLogs) Handle(context.Context, slog.Record) error { panic("of a logger") }

// TestPanicOfTheLogger logs the link by a handler that panics.
func TestPanicOfTheLogger(t *testing.T) {
	url, _ := pageServer(t, `{"service":"sessionspan"}`)
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithAPIURL(url), sessionspan.WithLogger(slog.New(panickyLogs{slog.DiscardHandler})))
	_, s := tracer.StartSession(t.Context(), "s")
	if s.URL() == "" {
		t.Error("no link")
	}
	s.End()
}
