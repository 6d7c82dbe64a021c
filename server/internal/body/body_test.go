package body

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/sessionspan/sessionspan/server/internal/reject"
)

const mib = 1 << 20

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, text []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	return z.EncodeAll(text, nil)
}

func request(encoding string, body io.Reader) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.ContentLength = -1
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	return r
}

func TestRead(t *testing.T) {
	text := bytes.Repeat([]byte("a span, "), 100_000)
	r := NewReader(mib, 4*mib)
	for range 3 { // with decoders from the pool as well
		for encoding, body := range map[string][]byte{"": text, "identity": text, "gzip": gzipped(t, text), "GZIP": gzipped(t, text), "zstd": zstandard(t, text)} {
			b, err := r.Read(request(encoding, bytes.NewReader(body)))
			if err != nil {
				t.Fatalf("%q: %v", encoding, err)
			}
			if !bytes.Equal(b.Bytes, text) {
				t.Errorf("%q: got %d bytes", encoding, len(b.Bytes))
			}
			if held := r.held.Load(); held < int64(len(text)) {
				t.Errorf("%q: %d bytes are held", encoding, held)
			}
			b.Release()
			b.Release()
		}
	}
	if held := r.held.Load(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
}

func TestLimitIsIncluded(t *testing.T) {
	r := NewReader(100_000, mib)
	b, err := r.Read(request("", bytes.NewReader(make([]byte, 100_000))))
	if err != nil || len(b.Bytes) != 100_000 {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	bomb := bytes.Repeat([]byte{0}, 8*mib)
	short := gzipped(t, []byte("hello"))
	for name, c := range map[string]struct {
		encoding string
		body     io.Reader
		status   int
		reason   string
	}{
		"too large":           {"", bytes.NewReader(bomb), http.StatusRequestEntityTooLarge, "larger than 1 MiB"},
		"gzip bomb":           {"gzip", bytes.NewReader(gzipped(t, bomb)), http.StatusRequestEntityTooLarge, "after decompression"},
		"zstd bomb":           {"zstd", bytes.NewReader(zstandard(t, bomb)), http.StatusRequestEntityTooLarge, "after decompression"},
		"empty gzip for ever": {"gzip", endless(gzipped(t, nil)), http.StatusBadRequest, "larger than what it holds"},
		"empty zstd for ever": {"zstd", endless([]byte("\x50\x2a\x4d\x18\x04\x00\x00\x00skip")), http.StatusBadRequest, "larger than what it holds"},
		"no gzip":             {"gzip", strings.NewReader("hello, this is text"), http.StatusBadRequest, "decompress gzip: "},
		"cut gzip":            {"gzip", bytes.NewReader(short[:len(short)-3]), http.StatusBadRequest, "decompress gzip: "},
		"no zstd":             {"zstd", strings.NewReader("hello, this is text"), http.StatusBadRequest, "decompress zstd: "},
		"unknown":             {"br", strings.NewReader("x"), http.StatusUnsupportedMediaType, `"br" is none of`},
		"twice":               {"gzip, gzip", strings.NewReader("x"), http.StatusUnsupportedMediaType, "is none of"},
		"breaks off":          {"", iotest.ErrReader(errors.New("i/o timeout")), http.StatusRequestTimeout, "i/o timeout"},
		"gzip breaks off":     {"gzip", io.MultiReader(bytes.NewReader(short[:12]), iotest.ErrReader(io.ErrUnexpectedEOF)), http.StatusRequestTimeout, "did not come to its end"},
	} {
		r := NewReader(mib, 4*mib)
		_, err := r.Read(request(c.encoding, c.body))
		var reason *reject.Error
		if !errors.As(err, &reason) || reason.Status != c.status || !strings.Contains(reason.Reason, c.reason) {
			t.Errorf("%s: %v", name, err)
		}
		if held := r.held.Load(); held != 0 {
			t.Errorf("%s: %d bytes are still held", name, held)
		}
	}
}

// endless repeats a part of a compressed body that holds nothing.
func endless(part []byte) io.Reader {
	at := 0
	return readerFunc(func(p []byte) (int, error) {
		n := 0
		for n < len(p) {
			k := copy(p[n:], part[at:])
			n, at = n+k, (at+k)%len(part)
		}
		return n, nil
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestContentLength refuses before it reads.
func TestContentLength(t *testing.T) {
	r := NewReader(mib, 4*mib)
	req := request("", iotest.ErrReader(errors.New("was read")))
	req.ContentLength = 1 << 30
	if _, err := r.Read(req); reject.As(err).Status != http.StatusRequestEntityTooLarge {
		t.Error(err)
	}
}

// TestTotal turns a request down while others hold all that there is.
func TestTotal(t *testing.T) {
	r := NewReader(2*mib, 2*mib)
	first, err := r.Read(request("", bytes.NewReader(make([]byte, mib+mib/2))))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Read(request("", bytes.NewReader(make([]byte, mib/2+1))))
	if reject.As(err).Status != http.StatusServiceUnavailable {
		t.Errorf("%v", err)
	}
	first.Release()
	if _, err := r.Read(request("", bytes.NewReader(make([]byte, mib/2+1)))); err != nil {
		t.Error(err)
	}
}

// TestWhatComesCounts takes from the budget what has come of bodies, not what was
// announced, and leaves room for small ones where large ones do not come to their
// end.
func TestWhatComesCounts(t *testing.T) {
	r := NewReader(32*mib, 64*mib)
	var wait sync.WaitGroup
	defer wait.Wait()
	for range 20 {
		h := &half{left: 17 * mib, stuck: make(chan struct{}), end: make(chan struct{})}
		defer close(h.end)
		wait.Go(func() {
			req := request("", h)
			req.ContentLength = 30 * mib
			_, err := r.Read(req)
			if status := reject.As(err).Status; status != http.StatusRequestTimeout && status != http.StatusServiceUnavailable {
				t.Errorf("%v", err)
			}
			h.once.Do(func() { close(h.stuck) })
		})
		<-h.stuck
	}
	if held := r.held.Load(); held < 3*17*mib || held > 64*mib {
		t.Errorf("%d MiB are held", held/mib)
	}
	b, err := r.Read(request("", bytes.NewReader(make([]byte, mib/2))))
	if err != nil {
		t.Fatalf("a small body: %v", err)
	}
	b.Release()
}

// half is a body that stops after a while.
type half struct {
	left       int
	once       sync.Once
	stuck, end chan struct{}
}

func (h *half) Read(p []byte) (int, error) {
	if h.left == 0 {
		h.once.Do(func() { close(h.stuck) })
		<-h.end
		return 0, io.ErrUnexpectedEOF
	}
	n := min(len(p), h.left)
	h.left -= n
	return n, nil
}

// TestWorkWaits lets a large request wait whose work has no room, until the others are
// through or its client has left, and small ones pass by, as far as they have room.
func TestWorkWaits(t *testing.T) {
	r := NewReader(4*mib, 16*mib)
	read := func(ctx context.Context, size int) (*Body, error) {
		return r.Read(request("", bytes.NewReader(make([]byte, size))).WithContext(ctx))
	}
	first, err := read(t.Context(), 3*mib)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	left, came := make(chan error), make(chan error)
	go func() {
		_, err := read(ctx, 2*mib)
		left <- err
	}()
	leave()
	if err := <-left; reject.As(err).Status != http.StatusServiceUnavailable {
		t.Errorf("the client has left: %v", err)
	}
	go func() {
		b, err := read(t.Context(), 2*mib)
		if err == nil {
			b.Release()
		}
		came <- err
	}()
	var small []*Body
	for range 2 {
		b, err := read(t.Context(), mib)
		if err != nil {
			t.Fatalf("a small one: %v", err)
		}
		small = append(small, b)
	}
	if r.small.TryAcquire(1) {
		t.Error("small ones have room without end")
	}
	first.Release()
	if err := <-came; err != nil {
		t.Errorf("there is room: %v", err)
	}
	for _, b := range small {
		b.Release()
	}
}

// FuzzRead never reads more than the limit, and keeps account.
func FuzzRead(f *testing.F) {
	f.Add("gzip", gzipped(f, []byte("hello")))
	f.Add("zstd", zstandard(f, []byte("hello")))
	f.Add("", []byte("hello"))
	r := NewReader(1000, mib)
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		req.Header["Content-Encoding"] = []string{encoding}
		b, err := r.Read(req)
		if err == nil {
			if len(b.Bytes) > 1000 {
				t.Errorf("read %d bytes", len(b.Bytes))
			}
			b.Release()
		}
		if held := r.held.Load(); held != 0 {
			t.Errorf("%d bytes are still held", held)
		}
	})
}
