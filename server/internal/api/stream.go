package api

import (
	"net/http"

	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// begin takes one of the places of answers that are made of many records. done
// gives it back.
func (a *API) begin() (done func(), err error) {
	select {
	case a.reads <- struct{}{}:
		return func() { <-a.reads }, nil
	default:
		return nil, reject.Errorf(http.StatusServiceUnavailable, "%d answers that read many events are being made already: ask again", manyReads)
	}
}

// stream is a JSON answer that is sent while it is made.
type stream struct {
	w       http.ResponseWriter
	buf     []byte
	started bool
	err     error // of writing
}

const streamBuffer = 64 << 10

func (s *stream) write(text string) {
	if s.buf = append(s.buf, text...); len(s.buf) >= streamBuffer {
		s.flush()
	}
}

func (s *stream) flush() {
	if s.err != nil {
		return
	}
	if !s.started {
		s.started = true
		s.w.Header().Set("Content-Type", jsonType)
		s.w.WriteHeader(http.StatusOK)
	}
	_, s.err = s.w.Write(s.buf)
	if s.buf = s.buf[:0]; cap(s.buf) > 16*streamBuffer {
		s.buf = nil
	}
}

// end sends what is left.
func (s *stream) end() error {
	s.flush()
	return nil
}

// failed returns an error that can still be answered with. An answer that was begun
// is broken off: a part must not be taken for the whole.
func (s *stream) failed(err error) error {
	if s.started {
		panic(http.ErrAbortHandler)
	}
	return err
}
