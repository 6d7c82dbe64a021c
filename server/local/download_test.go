package local

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// large fills a server with a session that no buffer of a connection holds.
func large(t *testing.T, s *Server) {
	t.Helper()
	text := strings.Repeat("nobody reads it. ", 60_000)
	for n := range 8 {
		post(t, s.URL()+"/events", fmt.Sprintf(`{"event":{"event_type":"tool","event_name":"n","session_id":%q,"inputs":{"n":%d,"text":%q}}}`, sessionID, n, text))
	}
}

// open asks for something, reads the head of the answer, and no more.
func open(t *testing.T, s *Server, method, path string) (net.Conn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	_, _ = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", method, path)
	res, err := http.ReadResponse(bufio.NewReaderSize(conn, 4096), nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, res
}

// TestCloseEndsDownloads does not wait for answers that nobody reads.
func TestCloseEndsDownloads(t *testing.T) {
	s := start(t, optionFunc(func(c *config) { c.closing = 10 * time.Minute }))
	large(t, s)
	for _, path := range []string{"/s/" + sessionID + "/session.jsonl", "/v1/sessions/" + sessionID, "/v1/events?limit=7500", "/api/stream?after=0"} {
		if _, res := open(t, s, http.MethodGet, path); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	if _, res := open(t, s, http.MethodPost, "/events/export"); res.StatusCode != http.StatusOK {
		t.Errorf("export: %s", res.Status)
	}
	if err := s.Close(); err != nil { // else it waits for the ten minutes, and says so
		t.Error(err)
	}
}

// TestDownloadsAreFew turns down the one that would be too many, and takes it when
// another one has ended.
func TestDownloadsAreFew(t *testing.T) {
	for _, path := range []string{"/s/" + sessionID + "/session.jsonl", "/v1/sessions/" + sessionID} {
		s := start(t, optionFunc(func(c *config) { c.closing = 10 * time.Minute }))
		large(t, s)
		var conns []net.Conn
		for range 8 {
			conn, res := open(t, s, http.MethodGet, path)
			if res.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s", path, res.Status)
			}
			conns = append(conns, conn)
		}
		status, text := send(t, http.MethodGet, s.URL()+path, "", nil)
		if status != http.StatusServiceUnavailable || !strings.Contains(text, "8 ") {
			t.Errorf("%s: %d %.300s", path, status, text)
		}
		_ = conns[0].Close()
		for status != http.StatusOK { // it has ended when its next piece cannot be written
			status, _ = send(t, http.MethodGet, s.URL()+path, "", nil)
		}
	}
}
