package llmhttp

import (
	"net/http"
	"sync"
	"sync/atomic"
)

// installed is what Install put into http.DefaultTransport.
var installed struct {
	mu    sync.Mutex
	users int // calls of Install that were not taken back
	now   *global
}

// A global is a transport that traces until it is taken back, also where somebody has
// wrapped it since and it cannot be taken out.
type global struct {
	traced, base http.RoundTripper
	off          atomic.Bool
}

// RoundTrip implements [http.RoundTripper].
func (g *global) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.off.Load() {
		return g.base.RoundTrip(r)
	}
	return g.traced.RoundTrip(r)
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (g *global) CloseIdleConnections() {
	if base, ok := g.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// Install puts [Transport] around http.DefaultTransport, and returns a function that
// takes it back. It is for programs whose clients cannot be given a transport.
//
//	defer llmhttp.Install()()
//
// Install is idempotent: http.DefaultTransport is never wrapped twice, and what the
// first call says counts, so the options of later ones are ignored until all calls were
// taken back. A transport of this package that the program put there itself stays as it
// is. The function that is returned may be called several times; the last of several
// callers takes the transport back. Where somebody else has wrapped it meanwhile, it
// stays there and does nothing any more.
//
// http.DefaultTransport is a variable of the whole process. So Install reaches every
// http.Client without a Transport of its own, http.DefaultClient and http.Get among
// them, whoever made it and whenever, libraries included; it does not reach clients with
// a transport of their own, nor copies that were made by Clone. It belongs into main,
// before requests are made: a library must not call it, and the variable has no lock.
// While it is installed, http.DefaultTransport is no *http.Transport, and code that takes
// it for one without looking (http.DefaultTransport.(*http.Transport).Clone()) panics:
// with such code give clients a [Transport] instead.
//
// What is no call of a known service passes as it is. Calls that are made
// outside of a session are ordinary spans, as those of any Transport.
func Install(options ...Option) (uninstall func()) {
	in := &installed
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.users == 0 {
		in.now = nil
		base := http.DefaultTransport
		if _, ours := base.(*transport); !ours && base != nil {
			in.now = &global{traced: Transport(base, options...), base: base}
			http.DefaultTransport = in.now
		}
	}
	in.users++
	return sync.OnceFunc(takeBack)
}

func takeBack() {
	in := &installed
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.users--; in.users > 0 || in.now == nil {
		return
	}
	in.now.off.Store(true)
	if now, ok := http.DefaultTransport.(*global); ok && now == in.now {
		http.DefaultTransport = now.base
	}
	in.now = nil
}
