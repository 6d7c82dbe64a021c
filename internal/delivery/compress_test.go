package delivery

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decoded returns the body of a request without its compression.
func decoded(t *testing.T, r *http.Request) string {
	t.Helper()
	body := io.Reader(r.Body)
	var err error
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "gzip":
		body, err = gzip.NewReader(r.Body)
	case "zstd":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(r.Body, zstd.WithDecoderConcurrency(1)); err == nil {
			defer d.Close()
			body = d
		}
	case "":
	default:
		err = fmt.Errorf("content encoding %q", encoding)
	}
	if err != nil {
		t.Error(err)
		return ""
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// compressionServer notes the compressions that it is asked with, and answers
// with the status that answer returns.
type compressionServer struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string
	bodies []string
}

func newCompressionServer(t *testing.T, answer func(encoding string) int) *compressionServer {
	t.Helper()
	s := new(compressionServer)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		encoding, body := r.Header.Get("Content-Encoding"), decoded(t, r)
		s.mu.Lock()
		s.asked, s.bodies = append(s.asked, encoding), append(s.bodies, body)
		s.mu.Unlock()
		w.WriteHeader(answer(encoding))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestCompression(t *testing.T) {
	text := strings.Repeat("Where does the text of a test come from? ", 5000)
	for _, c := range []Compression{NoCompression, Gzip, Zstd} {
		s := newCompressionServer(t, func(string) int { return http.StatusOK })
		client, err := NewClient(ClientConfig{URL: s.URL, Compression: c})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range 20 { // with the same encoder
			head := fmt.Sprint("request ", i, ": ")
			want = append(want, head+text)
			if a := client.Do(context.Background(), http.MethodPost, "", []byte(head), []byte(text[:100]), nil, []byte(text[100:])); a.Status != http.StatusOK || !a.Released {
				t.Fatalf("%q: %+v", c, a)
			}
		}
		client.CloseIdle()
		if d := cmp.Diff(want, s.bodies); d != "" {
			t.Errorf("%q: %s", c, d)
		}
		if slices.ContainsFunc(s.asked, func(e string) bool { return e != string(c) }) {
			t.Errorf("%q: asked with %q", c, s.asked)
		}
	}
}

// TestCompressionFallsBack: a server that does not take a compression gets the
// same body again, simpler, and so from then on.
func TestCompressionFallsBack(t *testing.T) {
	for _, tt := range []struct {
		name    string
		refused map[string]int
		want    []string // of three requests
		reports int
	}{
		{"zstd refused", map[string]int{"zstd": 415}, []string{"zstd", "gzip", "gzip", "gzip"}, 1},
		{"zstd found bad", map[string]int{"zstd": 400}, []string{"zstd", "gzip", "gzip", "gzip"}, 1},
		{"all refused", map[string]int{"zstd": 415, "gzip": 400}, []string{"zstd", "gzip", "", "", ""}, 1},
		{"bodies are bad", map[string]int{"zstd": 400, "gzip": 400, "": 400}, []string{"zstd", "gzip", "", "zstd", "gzip", "", "zstd", "gzip", ""}, 0},
		{"content refused", map[string]int{"zstd": 415, "gzip": 415, "": 415}, []string{"zstd", "gzip", "", "zstd", "gzip", "", "zstd", "gzip", ""}, 0},
		{"busy", map[string]int{"zstd": 400, "gzip": 503}, []string{"zstd", "gzip", "zstd", "gzip", "zstd", "gzip"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newCompressionServer(t, func(encoding string) int {
				if status := tt.refused[encoding]; status != 0 {
					return status
				}
				return http.StatusOK
			})
			client, err := NewClient(ClientConfig{URL: s.URL, Compression: Zstd})
			if err != nil {
				t.Fatal(err)
			}
			var reports []string
			client.Report = func(_ string, err error) { reports = append(reports, err.Error()) }
			for range 3 {
				client.Do(context.Background(), http.MethodPost, "", []byte("body"))
			}
			client.CloseIdle()
			if d := cmp.Diff(tt.want, s.asked); d != "" {
				t.Error(d)
			}
			if len(reports) != tt.reports {
				t.Errorf("reports %q", reports)
			}
			if slices.ContainsFunc(s.bodies, func(b string) bool { return b != "body" }) {
				t.Errorf("bodies %q", s.bodies)
			}
		})
	}
}

// TestCompressionProven: where a compressed body was taken, a bad one is bad.
func TestCompressionProven(t *testing.T) {
	var s *compressionServer
	s = newCompressionServer(t, func(string) int {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.asked) == 2 {
			return http.StatusBadRequest
		}
		return http.StatusOK
	})
	client, err := NewClient(ClientConfig{URL: s.URL, Compression: Gzip})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		a := client.Do(context.Background(), http.MethodPost, "", []byte("body"))
		if want := i != 1; a.taken() != want {
			t.Errorf("request %d: %d", i, a.Status)
		}
	}
	client.CloseIdle()
	if d := cmp.Diff([]string{"gzip", "gzip", "gzip"}, s.asked); d != "" {
		t.Error(d)
	}
}

// TestReleased: a body is released only where the transport has read all of it, or
// where it reads a copy.
func TestReleased(t *testing.T) {
	for _, tt := range []struct{ size, part int }{
		{smallBody, 0}, {smallBody, smallBody}, {smallBody + 1, 0}, {smallBody + 1, 10}, {smallBody + 1, smallBody}, {smallBody + 1, smallBody + 1},
	} {
		client, err := NewClient(ClientConfig{URL: "http://localhost", Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			_, _ = io.CopyN(io.Discard, r.Body, int64(tt.part))
			if tt.part == tt.size {
				_, _ = r.Body.Read(make([]byte, 1)) // as transports do
			}
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		body := bytes.Repeat([]byte("x"), tt.size)
		a := client.Do(context.Background(), http.MethodPost, "", body[:500], body[500:])
		if want := tt.size <= smallBody || tt.part == tt.size; a.Released != want {
			t.Errorf("released %t after %d of %d bytes", a.Released, tt.part, tt.size)
		}
	}
}

// TestSmallBodies: a small body leaves together with the headers, in one write.
func TestSmallBodies(t *testing.T) {
	s := newCompressionServer(t, func(string) int { return http.StatusOK })
	var writes atomic.Int32
	transport := NewTransport(nil, nil)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return countedConn{conn, &writes}, err
	}
	client, err := NewClient(ClientConfig{URL: s.URL, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int32(3) {
		if a := client.Do(context.Background(), http.MethodPost, "", []byte("one, "), []byte("two")); !a.taken() {
			t.Fatal(a.Err)
		}
		if n := writes.Load(); n != i+1 {
			t.Errorf("%d writes for %d requests", n, i+1)
		}
	}
	client.CloseIdle()
	if d := cmp.Diff([]string{"one, two", "one, two", "one, two"}, s.bodies); d != "" {
		t.Error(d)
	}
}

type countedConn struct {
	net.Conn

	writes *atomic.Int32
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
