package local

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/store"
)

// TestStartErrors says in one line what is in the way.
func TestStartErrors(t *testing.T) {
	running := start(t)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	newer := filepath.Join(dir, "newer.db")
	old, err := Start(t.Context(), WithAddress("127.0.0.1:0"), WithFile(newer))
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	setVersion(t, newer, 1_000_000)
	for name, c := range map[string]struct {
		options []Option
		is      error
		want    string
	}{
		"newer":          {[]Option{WithFile(newer)}, store.ErrNewerSchema, "use that version, or name another file"},
		"port in use":    {[]Option{WithAddress(strings.TrimPrefix(running.URL(), "http://"))}, ErrAddressInUse, "the port is in use: stop what listens there"},
		"file in use":    {[]Option{WithFile(running.File())}, store.ErrInUse, "another process has it open: end that"},
		"corrupt":        {[]Option{WithFile(file("corrupt.db", strings.Repeat("this is no database ", 1000)))}, store.ErrCorrupt, "move this one out of the way"},
		"no folder":      {[]Option{WithFile(filepath.Join(file("file", "x"), "sessions.db"))}, nil, "not a directory"},
		"a folder":       {[]Option{WithFile(dir)}, nil, "is a directory"},
		"other machines": {[]Option{WithAddress("0.0.0.0:0")}, nil, "so a token is needed"},
		"a name":         {[]Option{WithAddress("example.com:0")}, nil, "so a token is needed"},
		"all addresses":  {[]Option{WithAddress(":0")}, nil, "so a token is needed"},
		"no port":        {[]Option{WithAddress("127.0.0.1")}, nil, "it is no host:port"},
		"retention":      {[]Option{WithRetention(-1, 0)}, nil, "the retention is negative"},
	} {
		s, err := Start(t.Context(), append([]Option{WithAddress("127.0.0.1:0"), WithFile(filepath.Join(dir, "good.db"))}, c.options...)...)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: it started", name)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "start server: ") || !strings.Contains(text, c.want) || strings.Contains(text, "\n") || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// setVersion writes the version of the schema where the format of SQLite has it.
func setVersion(t *testing.T, file string, version uint32) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(binary.BigEndian.AppendUint32(nil, version), 60); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBothLoopbacks answers under either address, where the machine has both.
func TestBothLoopbacks(t *testing.T) {
	s := start(t)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.URL(), "http://"))
	addresses := []string{"127.0.0.1"}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		_ = l.Close()
		addresses = append(addresses, "::1")
	}
	for _, a := range addresses {
		url, err := Find(t.Context(), net.JoinHostPort(a, port))
		if err != nil || !strings.HasPrefix(url, "http://") {
			t.Errorf("%s: %v", a, err)
		}
	}
}

// TestFind tells our server from another.
func TestFind(t *testing.T) {
	other := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = other.Serve(l)
	}()
	if _, err := Find(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Error(err)
	}
	_ = other.Close()
	<-served
	if _, err := Find(t.Context(), l.Addr().String()); err == nil {
		t.Error("it found what is gone")
	}
}

// TestToken serves other machines those who know the token.
func TestToken(t *testing.T) {
	s := start(t, WithAddress("0.0.0.0:0"), WithToken("s3cret"))
	if status, _ := send(t, http.MethodGet, s.URL()+"/", "", nil); status != http.StatusUnauthorized {
		t.Errorf("without the token: %d", status)
	}
	if status, _ := send(t, http.MethodGet, s.URL()+"/", "", nil, "Authorization", "Bearer s3cret"); status != http.StatusOK {
		t.Errorf("with the token: %d", status)
	}
	if _, err := Find(t.Context(), strings.TrimPrefix(s.URL(), "http://")); err != nil {
		t.Error(err)
	}
}

// TestStream tells of each change once, also to who was away.
func TestStream(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	next, header := stream(ctx, t, s, "")
	if got := header.Get("Content-Type"); got != "text/event-stream" {
		t.Error(got)
	}
	post(t, s.URL()+"/session/start", `{"session":{"session_id":"`+sessionID+`"}}`)
	id, data := next()
	if data != `{"session":"`+sessionID+`","deleted":false}` {
		t.Errorf("%s %s", id, data)
	}
	cancel()
	post(t, s.URL()+"/events", `{"event":{"event_type":"tool","inputs":{},"session_id":"`+sessionID+`"}}`)
	again, stop := context.WithCancel(t.Context())
	defer stop()
	next, _ = stream(again, t, s, id)
	later, data := next()
	if later == id || !strings.Contains(data, sessionID) {
		t.Errorf("%s %s after %s", later, data, id)
	}
	if status, _ := send(t, http.MethodDelete, s.URL()+"/v1/sessions/"+sessionID, "", nil); status != http.StatusOK {
		t.Error(status)
	}
	if _, data := next(); data != `{"session":"`+sessionID+`","deleted":true}` {
		t.Error(data)
	}
}

// stream opens the stream and returns what reads its events.
func stream(ctx context.Context, t *testing.T, s *Server, after string, headers ...string) (func() (id, data string), http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/api/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	return func() (id, data string) {
		for lines.Scan() {
			if v, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = v
			}
			if v, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return id, v
			}
		}
		t.Errorf("the stream ended: %v", lines.Err())
		return "", ""
	}, res.Header
}

// TestCloseEndsStreams does not wait for pages that are open.
func TestCloseEndsStreams(t *testing.T) {
	s := start(t)
	stream(t.Context(), t, s, "")
	begin := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > closeTime {
		t.Errorf("it took %v", took)
	}
}

// BenchmarkStart is from nothing to the first answer.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := Start(b.Context(), WithAddress("127.0.0.1:0"), WithFile(filepath.Join(b.TempDir(), "s.db")))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Find(b.Context(), strings.TrimPrefix(s.URL(), "http://")); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
