package delivery

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
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
		// that of the connection. The option for less memory costs a tenth more time.
		w, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(1<<20),
			zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
		return w
	}
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return w
}

// coder is an encoder that is used again, and where it writes.
type coder struct {
	by          encoder
	compression Compression
	to          *bytes.Buffer // nil between two bodies
}

// Write implements [io.Writer].
func (c *coder) Write(p []byte) (int, error) { return c.to.Write(p) }

// compressor compresses for one client. A server that does not take a
// compression gets a simpler one from then on.
type compressor struct {
	now    atomic.Value       // Compression
	proven atomic.Bool        // the server took a body that was compressed like this
	coders chan *coder        // those that do not work just now
	idle   chan *bytes.Buffer // bodies that nobody reads any more
}

const (
	// mostCoders is how many encoders a client has, each with some megabytes. More
	// than there are processors only take each other's place in the caches.
	mostCoders = 4
	// mostIdle is how many compressed bodies are kept, to be used again.
	mostIdle = 8
	// idleMost is the length from which one is not kept.
	idleMost = 1 << 20
)

func newCompressor(c Compression) *compressor {
	k := &compressor{coders: make(chan *coder, mostCoders), idle: make(chan *bytes.Buffer, mostIdle)}
	for range min(mostCoders, runtime.GOMAXPROCS(0)) {
		k.coders <- new(coder)
	}
	k.now.Store(c)
	return k
}

// compress returns the pieces compressed, once an encoder has time for them.
func (k *compressor) compress(c Compression, pieces [][]byte) *bytes.Buffer {
	var body *bytes.Buffer
	select {
	case body = <-k.idle:
		body.Reset()
	default:
		body = new(bytes.Buffer)
	}
	e := <-k.coders
	defer func() { k.coders <- e }()
	if e.by == nil || e.compression != c {
		e.by, e.compression = c.encoder(), c
	}
	e.to = body
	e.by.Reset(e)
	for _, p := range pieces {
		_, _ = e.by.Write(p) // a bytes.Buffer takes all
	}
	_ = e.by.Close()
	e.to = nil
	return body
}

// release takes back what nobody reads any more. One that grew for an unusual
// body is left to the collector.
func (k *compressor) release(body *bytes.Buffer) {
	if body.Cap() > idleMost {
		return
	}
	select {
	case k.idle <- body:
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
