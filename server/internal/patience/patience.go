// Package patience bounds how long an answer waits for whoever reads it: as long as
// it is read, it may take as long as it likes; where nobody reads, or the server
// ends, it does not hold what it needs.
package patience

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	// stall is how long a piece of an answer may wait for its reader.
	stall = 30 * time.Second
	piece = 64 << 10
	// lastAnswers is how long requests have to end when the server does; one that
	// only reads can be made again.
	lastAnswers = 4 * time.Second
	lastReads   = time.Second
)

// Wrap returns the handler with answers that wait no longer than they may. When
// stopping ends, those that run, and the bodies that are still to come, have
// seconds left: four, or one for GET and HEAD.
func Wrap(next http.Handler, stopping context.Context) http.Handler { //nolint:revive // it is the server's context, not that of a call
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &writer{ResponseWriter: rw, control: http.NewResponseController(rw)}
		left := lastAnswers
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			left = lastReads
		}
		defer context.AfterFunc(stopping, func() { w.end(time.Now().Add(left)) })()
		next.ServeHTTP(w, r)
		w.renew() // for what net/http has yet to send
	})
}

// writer writes an answer piece by piece, each with a deadline of its own.
type writer struct {
	http.ResponseWriter
	control *http.ResponseController

	mu   sync.Mutex
	last time.Time // when all must be written; zero while the server runs
}

// Unwrap lets [http.ResponseController] find the writer beneath.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) Write(p []byte) (int, error) {
	n := 0
	for {
		w.renew()
		m, err := w.ResponseWriter.Write(p[n:min(n+piece, len(p))])
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}

// Flush is FlushError for writers around this one that know [http.Flusher] alone: what
// they wrote and cannot be sent, they learn from the next Write.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError sends what is written.
func (w *writer) FlushError() error {
	w.renew()
	return w.control.Flush()
}

func (w *writer) renew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last.IsZero() {
		_ = w.control.SetWriteDeadline(time.Now().Add(stall)) // a writer without deadlines does not wait either
	}
}

// end bounds all that is left to be read and written.
func (w *writer) end(last time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = last
	_ = w.control.SetWriteDeadline(last)
	_ = w.control.SetReadDeadline(last)
}
