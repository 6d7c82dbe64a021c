// Package body reads the bodies of requests within bounds: of one body after
// decompression, of all that are held at once, and of what they become while they
// are worked on.
package body

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/semaphore"

	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// Reader reads bodies. It may be used by many goroutines at once.
type Reader struct {
	max   int64
	total int64

	held  atomic.Int64
	small *semaphore.Weighted // what the work on small bodies may take, and on others
	large *semaphore.Weighted
	gzips sync.Pool
	zstds sync.Pool
}

// becomes is how many times its size the work on a body takes at most, beside the
// body as it came.
const becomes = 3

// NewReader returns a reader of bodies of at most maxBody bytes each, after
// decompression, and of at most total bytes that have come and are not yet
// released. An eighth of the total is kept for small bodies, so that large ones
// which do not come to their end are not in their way. The work on bodies that are not
// small takes as much as that on one of maxBody: such a one is worked on alone, and
// others wait for it, but not the small ones, whose work is bounded by itself.
func NewReader(maxBody, total int64) *Reader {
	return &Reader{
		max: maxBody, total: total,
		small: semaphore.NewWeighted(becomes * max(total/8, smallBody)), large: semaphore.NewWeighted(becomes * max(maxBody, smallBody)),
	}
}

// Body is what was read. It must be released when nothing refers to Bytes any
// more.
type Body struct {
	Bytes []byte

	reader     *Reader
	held, work int64
	from       *semaphore.Weighted // that the work was taken from
}

// Text returns the bytes as a text. They must not change while it is in use.
func (b *Body) Text() string { return unsafe.String(unsafe.SliceData(b.Bytes), len(b.Bytes)) } //nolint:gosec // it refers to them

// Release gives the bytes back to the budgets. More than once is once.
func (b *Body) Release() {
	b.reader.held.Add(-b.held)
	if b.work > 0 {
		b.from.Release(b.work)
	}
	b.held, b.work = 0, 0
}

// Read reads the body of a request, decompressed, and waits until there is room to
// work on it. The error is a [reject.Error]: 413 past the limit, 415 for an
// encoding that is not known, 400 for one that is damaged, 503 where the server
// holds as much as it may, 408 for a body that does not come.
func (r *Reader) Read(req *http.Request) (*Body, error) {
	b := &Body{reader: r}
	f := &filler{reader: r, body: b, max: r.Most(req)}
	err := r.decode(req, f)
	if err == nil {
		err = b.begin(req.Context(), f.size)
	}
	if err != nil {
		f.free()
		b.Release()
		return nil, err
	}
	b.Bytes = f.join()
	return b, nil
}

// begin waits for room for the work on a body.
func (b *Body) begin(ctx context.Context, size int64) error {
	n := becomes * size
	if b.from = b.reader.small; size > smallBody {
		b.from = b.reader.large
	}
	if err := b.from.Acquire(ctx, n); err != nil {
		return reject.Errorf(http.StatusServiceUnavailable, "the request ended before it was worked on")
	}
	b.work = n
	return nil
}

func (r *Reader) decode(req *http.Request, in *filler) error {
	if req.ContentLength > in.max {
		return TooLarge(in.max)
	}
	encoding := strings.ToLower(strings.TrimSpace(req.Header.Get("Content-Encoding")))
	if len(req.Header.Values("Content-Encoding")) > 1 {
		encoding = strings.Join(req.Header.Values("Content-Encoding"), ", ")
	}
	raw := &source{from: req.Body, in: in}
	var err error
	switch encoding {
	case "", "identity":
		err = in.fill(raw)
	case "gzip", "x-gzip":
		raw.slack = spareBytes
		err = r.gzip(raw, in)
	case "zstd":
		raw.slack = spareBytes
		err = r.zstd(raw, in)
	default:
		return reject.Errorf(http.StatusUnsupportedMediaType, "content encoding %.64q is none of gzip, zstd and identity", encoding)
	}
	var known *reject.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case raw.err != nil:
		return reject.Errorf(http.StatusRequestTimeout, "the body did not come to its end: %v", raw.err)
	}
	return reject.Errorf(http.StatusBadRequest, "decompress %s: %v", encoding, err)
}

// Most returns how many bytes the body of a request may have: as many as any, or as its
// caller may send.
func (r *Reader) Most(req *http.Request) int64 {
	if most := caller.From(req.Context()).MaxBody; most > 0 {
		return min(most, r.max)
	}
	return r.max
}

// TooLarge says that a body is larger than a number of bytes.
func TooLarge(most int64) error {
	bound := fmt.Sprintf("%d MiB", most>>20)
	if most%(1<<20) != 0 {
		bound = fmt.Sprintf("%d bytes", most)
	}
	return reject.Errorf(http.StatusRequestEntityTooLarge, "the body is larger than %s after decompression: send fewer spans or events at once", bound)
}

// spareBytes is how much larger than what it holds a compressed body may be.
const spareBytes = 256 << 10

// source bounds the body as it came, and remembers that reading failed rather
// than the decompression. A compressed body that is larger than what it holds is
// refused: what it is made of takes time, and gives nothing.
type source struct {
	from  io.Reader
	slack int64 // 0 where the body is not compressed
	in    *filler
	read  int64
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	switch s.read += int64(n); {
	case s.read > s.in.max:
		return 0, TooLarge(s.in.max)
	case s.slack > 0 && s.read > s.in.size+s.slack:
		return 0, reject.Errorf(http.StatusBadRequest, "the compressed body is larger than what it holds: send it as it is")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (r *Reader) gzip(raw io.Reader, in *filler) error {
	z, ok := r.gzips.Get().(*gzip.Reader)
	if !ok {
		z = new(gzip.Reader)
	}
	defer r.gzips.Put(z)
	if err := z.Reset(raw); err != nil {
		return err
	}
	return in.fill(z)
}

// maxWindow bounds what zstd keeps of what it has decompressed.
const maxWindow = 8 << 20

func (r *Reader) zstd(raw io.Reader, in *filler) error {
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
	return in.fill(z)
}
