package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/local"
)

// page waits for the line that says where the session can be seen.
type page struct {
	mu    sync.Mutex
	text  strings.Builder
	found chan string
}

var link = regexp.MustCompile(`Open (http://\S+)\n`)

func (p *page) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := link.MatchString(p.text.String())
	p.text.Write(text)
	if m := link.FindStringSubmatch(p.text.String()); m != nil && !before {
		p.found <- m[1]
	}
	return len(text), nil
}

// stored asks a server for the session that a link shows.
func stored(t *testing.T, link string) honeyhive.Event {
	t.Helper()
	base, id, _ := strings.Cut(link, "/s/")
	res, err := http.Get(base + "/session/" + id)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = res.Body.Close() }()
	var e honeyhive.Event
	if err := json.NewDecoder(res.Body).Decode(&e); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", res.Status, err)
	}
	return e
}

// TestOwnServer starts a server, which shows the session until the program is
// told to end.
func TestOwnServer(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &page{found: make(chan string, 1)}
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-server", "127.0.0.1:0", "-docs", library(t), "Where does an otter live?"}, out, io.Discard)
	}()
	select {
	case at := <-out.found:
		if e := stored(t, at); e.Inputs.String() != `{"question":"Where does an otter live?"}` || e.EventType.Or("") != "session" {
			t.Errorf("%s", e.AppendJSON(nil))
		}
	case err := <-done:
		t.Fatalf("it ended: %v\n%s", err, out.text.String())
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestRunningServer uses the one that runs, and ends at once.
func TestRunningServer(t *testing.T) {
	s, err := local.Start(t.Context(), local.WithAddress("127.0.0.1:0"), local.WithFile(filepath.Join(t.TempDir(), "s.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	out := &page{found: make(chan string, 1)}
	if err := run(t.Context(), []string{"-server", strings.TrimPrefix(s.URL(), "http://"), "-docs", library(t), "What is a heron?"}, out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if e := stored(t, <-out.found); e.Inputs.String() != `{"question":"What is a heron?"}` {
		t.Errorf("%s", e.AppendJSON(nil))
	}
}
