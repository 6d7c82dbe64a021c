package local

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// logged is a logger whose lines a test reads.
type logged struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

func (l *logged) option() sessionspan.Option {
	return sessionspan.WithLogger(slog.New(slog.NewTextHandler(l, nil)))
}

// waitFor waits until a server has a session.
func waitFor(t *testing.T, s *Server, session *sessionspan.Session) {
	t.Helper()
	id, err := honeyhive.ParseUUID(session.ID())
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err = s.store.Session(t.Context(), id); err == nil {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
}

// TestLinkOfASession asks for the link of a session that has just started: it is that
// of the page, is logged once, and the session is there while it runs. What is set
// later is where it is of a session that was not announced.
func TestLinkOfASession(t *testing.T) {
	watched, other := start(t), start(t)
	quiet, err := exporter.NewHTTP(exporter.HTTPConfig{URL: other.URL(), Project: "p", Source: "s"}, exporter.WithoutLiveSessions())
	if err != nil {
		t.Fatal(err)
	}
	var log logged
	tracer, err := sessionspan.New(sessionspan.WithProject("p"), sessionspan.WithSource("s"), sessionspan.WithoutEnvironment(), log.option(),
		sessionspan.WithHTTP(exporter.HTTPConfig{URL: watched.URL()}), sessionspan.WithDestination(quiet), sessionspan.WithSpool(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, session := tracer.StartSession(t.Context(), "ask", sessionspan.WithInputs(map[string]any{"question": "?"}))
	_, step := sessionspan.StartEvent(ctx, sessionspan.Tool, "step")
	if url := session.URL(); url != watched.SessionURL(session.ID()) {
		t.Errorf("the link is %q, want %q", url, watched.SessionURL(session.ID()))
	}
	waitFor(t, watched, session)
	if status, html := send(t, http.MethodGet, session.URL(), "", nil); status != http.StatusOK || !strings.Contains(html, "ask") {
		t.Errorf("%d %s", status, html)
	}
	if got := content(t, other); len(got) != 0 {
		t.Errorf("a session that was not to be announced is there: %v", got)
	}
	step.End()
	session.SetInputs(map[string]any{"later": 1})
	session.SetMessages(sessionspan.Message{Role: "user", Content: "hi"})
	session.SetName("asked")
	session.SetMetrics(map[string]any{"score": 1})
	session.RecordError(errors.New("the model is away"))
	session.End()
	_, second := tracer.StartSession(t.Context(), "second")
	if url := second.URL(); url != watched.SessionURL(second.ID()) {
		t.Errorf("the link is %q", url)
	}
	second.End()
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := content(t, other)
	if diff := cmp.Diff(want, content(t, watched)); diff != "" || len(want) != 3 {
		t.Errorf("%d records (- not announced, + announced): %s", len(want), diff)
	}
	for _, s := range tracer.Stats() {
		if s.Waiting+s.WaitingOnDisk+s.SetAside != 0 || len(s.Dropped) != 0 {
			t.Errorf("%+v", s)
		}
	}
	if text := log.text(); strings.Count(text, "\n") != 1 || !strings.Contains(text, watched.SessionURL(session.ID())) {
		t.Errorf("the log has %q", text)
	}
}

// TestLinkByAnswers delivers to the server without asking for a link: its first answer
// says which server it is, by HTTP and by OTLP. Then the link is logged, and later
// sessions are there while they run.
func TestLinkByAnswers(t *testing.T) {
	for name, to := range map[string]func(*Server) sessionspan.Option{
		"HTTP": func(s *Server) sessionspan.Option { return sessionspan.WithAPIURL(s.URL() + "/") },
		"OTLP": func(s *Server) sessionspan.Option { return sessionspan.WithOTLP(exporter.OTLPConfig{URL: s.URL()}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			var log logged
			tracer, err := sessionspan.New(sessionspan.WithProject("p"), sessionspan.WithoutEnvironment(), log.option(), to(s))
			if err != nil {
				t.Fatal(err)
			}
			_, first := tracer.StartSession(t.Context(), "first")
			first.End()
			if err := tracer.ForceFlush(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, second := tracer.StartSession(t.Context(), "second")
			if name == "HTTP" {
				waitFor(t, s, second)
			}
			if url := second.URL(); url != s.SessionURL(second.ID()) {
				t.Errorf("the link is %q", url)
			}
			second.End()
			if err := tracer.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			if text := log.text(); strings.Count(text, "\n") != 1 || !strings.Contains(text, s.SessionURL(first.ID())) {
				t.Errorf("the log has %q", text)
			}
		})
	}
}
