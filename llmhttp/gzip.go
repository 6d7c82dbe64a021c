package llmhttp

import (
	"compress/gzip"
	"errors"
	"io"
	"iter"
)

// An inflater decompresses what is pushed through it. The decoder of the
// standard library pulls, so it runs as a coroutine: it is resumed when bytes
// are there, and rests when it asks for more. Nothing runs at the same time.
type inflater struct {
	next  func() (struct{}, bool)
	stop  func()
	chunk []byte
	out   func([]byte)
	yield func(struct{}) bool
	over  bool
	err   error // what stopped it; nil at the end of the compressed data
}

// newInflater returns an inflater that gives what it decompresses to out. It must
// be stopped.
func newInflater(out func([]byte)) *inflater {
	z := &inflater{out: out}
	z.next, z.stop = iter.Pull(iter.Seq[struct{}](func(yield func(struct{}) bool) {
		z.yield = yield
		r, err := gzip.NewReader(z)
		b := make([]byte, 4<<10)
		for err == nil && !z.over {
			var n int
			n, err = r.Read(b)
			out(b[:n])
		}
		if z.err = err; errors.Is(err, io.EOF) {
			z.err = nil
		}
	}))
	return z
}

// Read gives the decoder what there is, and waits for more.
func (z *inflater) Read(p []byte) (int, error) {
	for len(z.chunk) == 0 {
		if z.over || !z.yield(struct{}{}) {
			z.over = true
			return 0, io.EOF
		}
	}
	n := copy(p, z.chunk)
	z.chunk = z.chunk[n:]
	return n, nil
}

// write takes more compressed bytes. What follows a broken part is dropped.
func (z *inflater) write(p []byte) {
	z.chunk = p
	for len(z.chunk) > 0 {
		if _, ok := z.next(); !ok {
			z.chunk = nil
		}
	}
}
