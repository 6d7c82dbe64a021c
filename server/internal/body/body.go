// Package body reads the bodies of requests within bounds: of one body after
// decompression, and of all that are held at once.
package body

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// Reader reads bodies. Its limits must not change while it is in use; it may
// be used by many goroutines at once.
type Reader struct {
	// Max bounds one body in bytes, after decompression.
	Max int64
	// Total bounds all bodies that are read and not yet released, in bytes.
	Total int64

	held  atomic.Int64
	gzips sync.Pool
	zstds sync.Pool
}

// Body is what was read. It must be released when nothing refers to Bytes any
// more.
type Body struct {
	Bytes []byte

	reader *Reader
	held   int64
}

// Release gives the bytes back to the budget. More than once is once.
func (b *Body) Release() {
	b.reader.held.Add(-b.held)
	b.held = 0
}

// Read reads the body of a request, decompressed. The error is a
// [reject.Error]: 413 past the limit, 415 for an encoding that is not known,
// 400 for one that is damaged, 503 where the server holds as much as it may,
// 408 for a body that does not come.
func (r *Reader) Read(req *http.Request) (*Body, error) {
	b := &Body{reader: r}
	err := r.decode(req, b)
	if err != nil {
		b.Release()
		return nil, err
	}
	return b, nil
}

func (r *Reader) decode(req *http.Request, b *Body) error {
	if req.ContentLength > r.Max {
		return r.tooLarge()
	}
	raw := &source{from: req.Body, left: r.Max}
	encoding := strings.ToLower(strings.TrimSpace(req.Header.Get("Content-Encoding")))
	if len(req.Header.Values("Content-Encoding")) > 1 {
		encoding = strings.Join(req.Header.Values("Content-Encoding"), ", ")
	}
	var err error
	switch encoding {
	case "", "identity":
		err = b.fill(raw)
	case "gzip", "x-gzip":
		err = r.gzip(raw, b)
	case "zstd":
		err = r.zstd(raw, b)
	default:
		return reject.Errorf(http.StatusUnsupportedMediaType, "content encoding %.64q is none of gzip, zstd and identity", encoding)
	}
	var known *reject.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case raw.left < 0:
		return r.tooLarge()
	case raw.err != nil:
		return reject.Errorf(http.StatusRequestTimeout, "the body did not come to its end: %v", raw.err)
	}
	return reject.Errorf(http.StatusBadRequest, "decompress %s: %v", encoding, err)
}

func (r *Reader) tooLarge() error {
	return reject.Errorf(http.StatusRequestEntityTooLarge, "the body is larger than %d MiB after decompression: send fewer spans or events at once", r.Max>>20)
}

// source bounds the body as it came, and remembers that reading failed rather
// than the decompression.
type source struct {
	from io.Reader
	left int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, errors.New("the body is too large")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (r *Reader) gzip(raw io.Reader, b *Body) error {
	z, ok := r.gzips.Get().(*gzip.Reader)
	if !ok {
		z = new(gzip.Reader)
	}
	defer r.gzips.Put(z)
	if err := z.Reset(raw); err != nil {
		return err
	}
	return b.fill(z)
}

// maxWindow bounds what zstd keeps of what it has decompressed.
const maxWindow = 8 << 20

func (r *Reader) zstd(raw io.Reader, b *Body) error {
	z, ok := r.zstds.Get().(*zstd.Decoder)
	if !ok {
		var err error
		// One goroutine, so that decoders left to the pool need no end.
		z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
	}
	defer func() {
		if z.Reset(nil) == nil {
			r.zstds.Put(z)
		}
	}()
	if err := z.Reset(raw); err != nil {
		return err
	}
	return b.fill(z)
}

// firstRead is what a body is given room for before more is known of it.
const firstRead = 32 << 10

// fill reads all, and takes from the budget what it keeps.
func (b *Body) fill(from io.Reader) error {
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			size := min(max(firstRead, 2*int64(cap(buf))), b.reader.Max+1)
			if !b.reserve(size - b.held) {
				return reject.Errorf(http.StatusServiceUnavailable, "the server holds as many requests as it may: send this again")
			}
			grown := make([]byte, len(buf), size)
			copy(grown, buf)
			buf = grown
		}
		n, err := from.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > b.reader.Max:
			return b.reader.tooLarge()
		case errors.Is(err, io.EOF):
			b.Bytes = buf
			return nil
		case err != nil:
			return err
		}
	}
}

// reserve takes bytes from the budget of all bodies, if it has them.
func (b *Body) reserve(n int64) bool {
	if b.reader.held.Add(n) > b.reader.Total {
		b.reader.held.Add(-n)
		return false
	}
	b.held += n
	return true
}
