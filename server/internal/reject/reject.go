// Package reject says why a request was turned down, and keeps the last of
// these for whoever looks for data that does not arrive.
package reject

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/server/internal/brief"
)

// Error is the reason for which a request is answered with a status of 4xx or
// 5xx, or of 200 where a part of it was not taken. Reason is written for the person whose program sent it.
type Error struct {
	Status int
	Reason string
}

func (e *Error) Error() string { return e.Reason }

// Errorf returns an [Error] with a formatted reason.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Reason: fmt.Sprintf(format, args...)}
}

// As returns the [Error] in err. Anything else is a fault of the server.
func As(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Status: http.StatusInternalServerError, Reason: err.Error()}
}

// Rejection is a request that was turned down.
type Rejection struct {
	Time         time.Time
	Method, Path string
	UserAgent    string
	Status       int
	Reason       string
}

// Record keeps the last rejection and counts them all. The zero value is ready
// to use, by many goroutines at once.
type Record struct {
	mu    sync.Mutex
	last  Rejection
	count int64
}

// Add records that a request was turned down.
func (r *Record) Add(req *http.Request, e *Error) {
	last := Rejection{
		Time: time.Now(), Method: bounded(req.Method), Path: bounded(req.URL.Path), UserAgent: bounded(req.UserAgent()),
		Status: e.Status, Reason: Bounded(e.Reason),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = last
	r.count++
}

// Last returns the last rejection, and how many there were; none yet when that
// is zero.
func (r *Record) Last() (Rejection, int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last, r.count
}

// maxReason bounds a reason in bytes: it may quote what a stranger sent.
const (
	maxReason = 600
	maxField  = 200
)

// Bounded returns a reason that is short enough to answer with.
func Bounded(reason string) string { return brief.Cut(reason, maxReason) }

func bounded(field string) string { return brief.Cut(field, maxField) }
