package body

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// filler keeps what comes of a body in pieces, each of which is taken from the
// budget when it is begun: a body that is announced, and does not come, takes
// nothing. It is one piece of memory when all of it is there.
type filler struct {
	reader *Reader
	body   *Body
	max    int64
	pieces []*[pieceSize]byte
	size   int64
}

const pieceSize = 64 << 10

// pieces are used again: most of the memory of a large body would be garbage as
// soon as it is there.
var pieces = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// fill reads all.
func (f *filler) fill(from io.Reader) error {
	for {
		at := int(f.size % pieceSize)
		if at == 0 && f.size == int64(len(f.pieces))*pieceSize {
			if err := f.body.reserve(pieceSize); err != nil {
				return err
			}
			f.pieces = append(f.pieces, pieces.Get().(*[pieceSize]byte))
		}
		n, err := from.Read(f.pieces[len(f.pieces)-1][at:])
		f.size += int64(n)
		switch {
		case f.size > f.max:
			return TooLarge(f.max)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// join returns the body as one.
func (f *filler) join() []byte {
	all := make([]byte, 0, f.size)
	for i, piece := range f.pieces {
		all = append(all, piece[:min(f.size-int64(i)*pieceSize, pieceSize)]...)
		pieces.Put(piece)
	}
	return all
}

// free gives back the pieces of a body that is not wanted.
func (f *filler) free() {
	for _, piece := range f.pieces {
		pieces.Put(piece)
	}
}

// smallBody is how large a body may be that takes from what is kept for small ones.
const smallBody = 1 << 20

// reserve takes bytes from the budget of all bodies, if it has them.
func (b *Body) reserve(n int64) error {
	total := b.reader.total
	if b.held+n > smallBody {
		total -= total / 8
	}
	if b.reader.held.Add(n) > total {
		b.reader.held.Add(-n)
		return reject.Errorf(http.StatusServiceUnavailable, "the server holds as many requests as it may: send this again")
	}
	b.held += n
	return nil
}
