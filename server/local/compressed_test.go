package local

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/server/internal/compressed"
)

// fetch asks without what net/http does about compression by itself.
func fetch(t *testing.T, url string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return res, body
}

func gunzip(t *testing.T, body []byte) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCompressed asks for answers of each kind in both forms: they are the same, and
// smaller by far where they are compressed.
func TestCompressed(t *testing.T) {
	s := start(t)
	for i := range 30 {
		post(t, s.URL()+"/session/start", `{"session":{"project":"p","session_name":"n","source":"s","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c`+strconv.Itoa(10+i)+`","start_time":1,"inputs":{"q":"`+strings.Repeat("why ", 200)+`"}}}`)
	}
	const id = "caf77ace-3417-4da4-944d-f4a0688f3c10"
	asset := ""
	_, page := fetch(t, s.URL()+"/")
	if _, rest, ok := strings.Cut(string(page), `src="`); ok {
		asset, _, _ = strings.Cut(rest, `"`)
		asset = strings.Replace(asset, "main.mjs", "rows.mjs", 1)
	}
	for _, path := range []string{"/", "/s/" + id, "/s/" + id + "/session.jsonl", "/v1/sessions/" + id, asset, "/events?limit=30"} {
		plain, text := fetch(t, s.URL()+path)
		zipped, small := fetch(t, s.URL()+path, "Accept-Encoding", "br, gzip;q=0.8")
		if plain.StatusCode != http.StatusOK || plain.Header.Get("Content-Encoding") != "" || zipped.Header.Get("Content-Encoding") != "gzip" {
			// What is shorter than a packet stays as it is.
			if path != "/s/"+id+"/session.jsonl" && path != "/v1/sessions/"+id || len(text) >= 1400 {
				t.Errorf("%s: %d, %q, %q", path, plain.StatusCode, plain.Header.Get("Content-Encoding"), zipped.Header.Get("Content-Encoding"))
			}
			continue
		}
		if got := gunzip(t, small); got != string(text) || len(small)*2 > len(text) {
			t.Errorf("%s: %d bytes of %d, which are %d", path, len(small), len(text), len(got))
		}
		for _, r := range []*http.Response{plain, zipped} {
			if !strings.Contains(strings.Join(r.Header.Values("Vary"), ","), "Accept-Encoding") || strings.HasPrefix(r.Header.Get("ETag"), `"`) {
				t.Errorf("%s: Vary %q, ETag %q", path, r.Header.Values("Vary"), r.Header.Get("ETag"))
			}
		}
		for _, site := range []string{"cross-site", "same-site"} {
			guessed, _ := fetch(t, s.URL()+path, "Accept-Encoding", "gzip", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
			if guessed.StatusCode != http.StatusOK || guessed.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s for a page of a stranger: %d, %q", path, guessed.StatusCode, guessed.Header.Get("Content-Encoding"))
			}
		}
	}
	known, _ := fetch(t, s.URL()+asset, "Accept-Encoding", "gzip")
	for _, accept := range []string{"gzip", "identity"} {
		if again, body := fetch(t, s.URL()+asset, "Accept-Encoding", accept, "If-None-Match", known.Header.Get("ETag")); again.StatusCode != http.StatusNotModified || len(body) != 0 || again.Header.Get("ETag") != known.Header.Get("ETag") {
			t.Errorf("%s: %d, %d bytes, ETag %s", accept, again.StatusCode, len(body), again.Header.Get("ETag"))
		}
	}
	if short, _ := fetch(t, s.URL()+healthPath, "Accept-Encoding", "gzip"); short.Header.Get("Content-Encoding") != "" {
		t.Error("a short answer is compressed")
	}
}

// TestStreamIsNotCompressed reads the stream of changes as a client that takes gzip: it
// begins at once, and each change comes when it is there.
func TestStreamIsNotCompressed(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/api/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	post(t, s.URL()+"/session/start", `{"session":{"project":"p","session_name":"n","source":"s","session_id":"`+sessionID+`"}}`)
	var text strings.Builder
	for piece := make([]byte, 1024); !strings.Contains(text.String(), sessionID); {
		n, err := res.Body.Read(piece)
		text.Write(piece[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, text.String())
		}
	}
	if res.Header.Get("Content-Encoding") != "" || res.Uncompressed {
		t.Error("the stream is compressed")
	}
}

// TestBrokenOffAnswer is not taken for a whole one, compressed or not.
func TestBrokenOffAnswer(t *testing.T) {
	server := httptest.NewServer(compressed.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for range 100 {
			_, _ = io.WriteString(w, `{"a":"`+strings.Repeat("b", 1000)+`"}`)
		}
		panic(http.ErrAbortHandler)
	})))
	defer server.Close()
	for _, encoding := range []string{"gzip", "identity"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if encoding == "identity" { // net/http asks for gzip by itself
			req.Header.Set("Accept-Encoding", encoding)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			continue
		}
		if res.Uncompressed != (encoding == "gzip") {
			t.Errorf("%s: compressed: %t", encoding, res.Uncompressed)
		}
		if _, err := io.Copy(io.Discard, res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", encoding, err)
		}
		_ = res.Body.Close()
	}
}
