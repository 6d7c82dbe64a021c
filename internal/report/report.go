// Package report passes errors of the background on without flooding whoever
// reads them.
package report

import (
	"fmt"
	"sync"
	"time"
)

// Quiet is how long a kind of error is not repeated.
const Quiet = time.Minute

// Reporter passes errors to Handle, at most one in a minute of each kind. The
// zero value drops them. It is safe for concurrent use.
type Reporter struct {
	Handle func(error)

	mu    sync.Mutex
	kinds map[string]*last
}

// last is the newest report of a kind.
type last struct {
	at         time.Time
	suppressed int
}

// Report passes on an error of a kind, unless one of the kind was passed on
// less than a minute ago. A panic of the handler goes no further.
func (r *Reporter) Report(kind string, err error) {
	if r.Handle == nil || err == nil {
		return
	}
	suppressed, ok := r.due(kind)
	if !ok {
		return
	}
	if suppressed > 0 {
		err = fmt.Errorf("%w (and %d more like it since)", err, suppressed)
	}
	defer func() { _ = recover() }()
	r.Handle(err)
}

// Once passes on an error of a kind if it is the first.
func (r *Reporter) Once(kind string, err error) {
	r.mu.Lock()
	_, said := r.kinds[kind]
	r.mu.Unlock()
	if !said {
		r.Report(kind, err)
	}
}

// due reports whether an error of the kind may be passed on, and how many were
// not since the last one.
func (r *Reporter) due(kind string) (suppressed int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if l := r.kinds[kind]; l != nil {
		if now.Sub(l.at) < Quiet {
			l.suppressed++
			return 0, false
		}
		suppressed = l.suppressed
	}
	if r.kinds == nil {
		r.kinds = make(map[string]*last)
	}
	r.kinds[kind] = &last{at: now}
	return suppressed, true
}
