// Package guard decides from where one may speak to the server at all; who may do what is
// decided by package access. Programs of the
// machine may; a page of another site that a browser of the machine shows may
// not, be it by a form, a script, or a name that points to this address.
package guard

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// Guard stands before every handler.
type Guard struct {
	// Hosts are the names besides localhost under which the server may be
	// asked for.
	Hosts []string
	// AnyAddress lets requests name the server by any IP address, rather than
	// by one of the loopback interface. Nobody else can point an address here.
	AnyAddress bool
	// Rejected keeps what is turned down.
	Rejected *reject.Record
	// Answer writes the reason.
	Answer func(http.ResponseWriter, *http.Request, *reject.Error)
}

// Wrap returns the handler behind the guard.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		if err := g.check(r, crossOrigin); err != nil {
			g.Rejected.Add(r, err)
			g.Answer(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// protect sets what holds for every answer. A page sets a policy of its own,
// under which it may use what the server itself serves.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func (g *Guard) check(r *http.Request, crossOrigin *http.CrossOriginProtection) *reject.Error {
	if !g.knows(r.Host) {
		return reject.Errorf(http.StatusMisdirectedRequest, "the server does not answer for the host %.128q: use localhost or its address, or allow the name with -allow-host", r.Host)
	}
	if err := crossOrigin.Check(r); err != nil {
		return reject.Errorf(http.StatusForbidden, "a page of another origin (%.128q) may not send to this server", r.Header.Get("Origin"))
	}
	if site := r.Header.Get("Sec-Fetch-Site"); (site == "cross-site" || site == "same-site") && !opens(r) {
		return reject.Errorf(http.StatusForbidden, "a page of another origin may not read from this server")
	}
	return nil
}

// opens reports whether a request of a page of another origin opens this server in
// place of that page, as a link does: not in a frame of it, where it would be made
// to work unseen, nor beforehand.
func opens(r *http.Request) bool {
	h := r.Header
	to := h.Get("Sec-Fetch-Dest")
	return h.Get("Sec-Fetch-Mode") == "navigate" && (to == "" || to == "document") && h.Get("Sec-Purpose") == ""
}

// knows reports whether the host of a request is one of the server's own.
func (g *Guard) knows(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return g.AnyAddress || addr.Unmap().IsLoopback()
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	for _, name := range g.Hosts {
		if strings.EqualFold(name, host) {
			return true
		}
	}
	return false
}
