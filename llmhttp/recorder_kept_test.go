package llmhttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// TestCallsOfBefore replays what earlier versions recorded: an answer, a stream in
// pieces, bytes that are no text, and an error. The folder is kept for as long as two
// versions later. It is written anew with -llmhttp.record, when the format changes.
func TestCallsOfBefore(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), "a stream"):
			w.Header().Set("Content-Type", "text/event-stream")
			for _, piece := range []string{"data: {\"x\":", "1}\n\n", "data: [DONE]\n\n"} {
				_, _ = io.WriteString(w, piece)
				w.(http.Flusher).Flush()
			}
		case strings.Contains(string(body), "bytes"):
			_, _ = w.Write([]byte{0xff, 0xfe, 0})
		case strings.Contains(string(body), "too many"):
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"said":"ünï"}`)
		}
	}))
	defer server.Close()
	client := &http.Client{Transport: llmhttp.Replay("testdata/calls1")}
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		asks       string
		status     int
		kind, body string
		retry      string
	}{
		{"an answer", 200, "application/json", `{"said":"ünï"}`, ""},
		{"a stream", 200, "text/event-stream", "data: {\"x\":1}\n\ndata: [DONE]\n\n", ""},
		{"bytes", 200, "application/octet-stream", "\xff\xfe\x00", ""},
		{"too many", 429, "", "", "7"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/chat/completions", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"`+c.asks+`"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer sk-0123456789abcdef0123456789")
		res, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", c.asks, err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != c.status || res.Header.Get("Content-Type") != c.kind || string(body) != c.body || res.Header.Get("Retry-After") != c.retry {
			t.Errorf("%s: %d %q %v %v", c.asks, res.StatusCode, body, res.Header, err)
		}
	}
	files, err := os.ReadDir("testdata/calls1")
	if err != nil || len(files) != 4 {
		t.Errorf("%d files, %v", len(files), err)
	}
}
