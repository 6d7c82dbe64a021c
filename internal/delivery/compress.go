package delivery

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how bodies are compressed: the name of a Content-Encoding, or
// none where it is empty.
type Compression string

// The compressions, at fast levels.
const (
	NoCompression Compression = ""
	Gzip          Compression = "gzip"
	Zstd          Compression = "zstd"
)

// simpler returns what more servers take.
func (c Compression) simpler() Compression {
	if c == Zstd {
		return Gzip
	}
	return NoCompression
}

// encoder compresses to what it was reset to.
type encoder interface {
	io.WriteCloser
	Reset(io.Writer)
}

func (c Compression) encoder() encoder {
	if c == Zstd {
		// Of the levels the second: the fastest takes a quarter less time, and makes
		// bodies that are larger than those of gzip at its default. A window of a
		// megabyte holds a batch; one goroutine, the caller's; no checksum besides
		// that of the connection.
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(1<<20),
			zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
		return w
	}
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return w
}

// deflated is a compressed body, with the encoder that made it. Both are used
// again.
type deflated struct {
	bytes.Buffer
	by          encoder
	compression Compression
}

// compressor compresses for one client. A server that does not take a
// compression gets a simpler one from then on.
type compressor struct {
	now    atomic.Value   // Compression
	proven atomic.Bool    // the server took a body that was compressed like this
	idle   chan *deflated // those that are kept
}

// deflatedMost is the length from which a compressed body is not kept.
const deflatedMost = 1 << 20

// mostIdle is how many encoders a client keeps, each with a megabyte or two.
const mostIdle = 4

func newCompressor(c Compression) *compressor {
	k := &compressor{idle: make(chan *deflated, mostIdle)}
	k.now.Store(c)
	return k
}

// compress returns the pieces compressed.
func (k *compressor) compress(c Compression, pieces [][]byte) *deflated {
	var d *deflated
	select {
	case d = <-k.idle:
	default:
		d = new(deflated)
	}
	if d.by == nil || d.compression != c {
		d.by, d.compression = c.encoder(), c
	}
	d.Reset()
	d.by.Reset(&d.Buffer)
	for _, p := range pieces {
		_, _ = d.by.Write(p) // a bytes.Buffer takes all
	}
	_ = d.by.Close()
	return d
}

// release takes back what nobody reads any more. One that grew for an unusual
// body is left to the collector.
func (k *compressor) release(d *deflated) {
	if d.Cap() > deflatedMost {
		return
	}
	select {
	case k.idle <- d:
	default:
	}
}

// refuses reports whether an answer may mean that the server does not take the
// compression: it says so, or it never took it and finds the body bad.
func (k *compressor) refuses(status int) bool {
	return status == http.StatusUnsupportedMediaType || status == http.StatusBadRequest && !k.proven.Load()
}

// current returns the compression to use.
func (k *compressor) current() Compression { return k.now.Load().(Compression) }

// fallBack uses another compression from now on, unless somebody has changed it.
func (k *compressor) fallBack(before, now Compression) {
	if k.now.CompareAndSwap(before, now) {
		k.proven.Store(true)
	}
}
