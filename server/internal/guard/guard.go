// Package guard decides who may speak to the server at all. Programs of the
// machine may; a page of another site that a browser of the machine shows may
// not, be it by a form, a script, or a name that points to this address.
package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// Guard stands before every handler.
type Guard struct {
	// Token is asked of every request, as a bearer token, in the ways of clients of
	// other servers (as the password of Authorization: Basic, or as X-Api-Key), or
	// as the cookie that a link with it sets; none when empty.
	Token string
	// Hosts are the names besides localhost under which the server may be
	// asked for.
	Hosts []string
	// AnyAddress lets requests name the server by any IP address, rather than
	// by one of the loopback interface. Nobody else can point an address here.
	AnyAddress bool
	// Open are the paths that need no token.
	Open []string
	// Rejected keeps what is turned down.
	Rejected *reject.Record
	// Answer writes the reason.
	Answer func(http.ResponseWriter, *http.Request, *reject.Error)
}

const cookie = "sessionspan_token"

// Wrap returns the handler behind the guard.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		if err := g.check(w, r, crossOrigin); err != nil {
			g.Rejected.Add(r, err)
			g.Answer(w, r, err)
			return
		}
		if g.signIn(w, r) {
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

func (g *Guard) check(w http.ResponseWriter, r *http.Request, crossOrigin *http.CrossOriginProtection) *reject.Error {
	if !g.knows(r.Host) {
		return reject.Errorf(http.StatusMisdirectedRequest, "the server does not answer for the host %.128q: use localhost or its address, or allow the name with -allow-host", r.Host)
	}
	if err := crossOrigin.Check(r); err != nil {
		return reject.Errorf(http.StatusForbidden, "a page of another origin (%.128q) may not send to this server", r.Header.Get("Origin"))
	}
	if site := r.Header.Get("Sec-Fetch-Site"); (site == "cross-site" || site == "same-site") && !opens(r) {
		return reject.Errorf(http.StatusForbidden, "a page of another origin may not read from this server")
	}
	if !g.knowsToken(r) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sessionspan"`)
		return reject.Errorf(http.StatusUnauthorized, "the token is missing or wrong: send it as Authorization: Bearer TOKEN")
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

func (g *Guard) knowsToken(r *http.Request) bool {
	if g.Token == "" {
		return true
	}
	if slices.Contains(g.Open, r.URL.Path) {
		return true
	}
	if scheme, given, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		return equal(strings.TrimSpace(given), g.Token)
	}
	// Who does not mean the token may send these for a proxy in front of the server.
	if user, password, ok := r.BasicAuth(); ok && (equal(password, g.Token) || equal(user, g.Token)) {
		return true
	}
	if given := r.Header.Get("X-Api-Key"); given != "" && equal(given, g.Token) {
		return true
	}
	if c, err := r.Cookie(cookie); err == nil && equal(c.Value, g.ticket()) {
		return true
	}
	return r.Method == http.MethodGet && equal(r.URL.Query().Get("token"), g.Token)
}

// ticket is what the cookie holds instead of the token.
func (g *Guard) ticket() string {
	sum := sha256.Sum256([]byte("sessionspan cookie\x00" + g.Token))
	return hex.EncodeToString(sum[:])
}

func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// signIn sets the cookie where a link carries the token, and leads to the same
// address without it, so that it does not stay in the browser's history.
func (g *Guard) signIn(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if g.Token == "" || r.Method != http.MethodGet || !equal(query.Get("token"), g.Token) {
		return false
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // plain HTTP is what the server speaks, so Secure would lose the cookie
		Name: cookie, Value: g.ticket(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	query.Del("token")
	// A path that starts with two slashes would lead to another host.
	to := url.URL{Path: "/" + strings.TrimLeft(r.URL.Path, "/\\"), RawQuery: query.Encode()}
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
	return true
}
