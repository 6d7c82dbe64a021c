package access

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/server/internal/audit"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// Names of the cookie. A browser takes one of the second name from this host alone, and
// only by TLS.
const (
	cookieName       = "sessionspan_token"
	secureCookieName = "__Host-sessionspan"
)

// How long a cookie holds: without use, and in all.
const (
	ticketIdle = time.Hour
	ticketMost = 12 * time.Hour
)

// mostTickets is how many there are at a time; the one that was not used for the longest
// time goes.
const mostTickets = 1000

// tickets are what cookies hold in place of tokens: random texts, of which the hashes
// are kept. They are forgotten when the server ends.
type tickets struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*ticket
}

type ticket struct {
	token      string // its id
	made, used time.Time
}

func (t *ticket) ended(now time.Time) bool {
	return now.Sub(t.used) > ticketIdle || now.Sub(t.made) > ticketMost
}

// add makes a ticket for a token.
func (s *tickets) add(token string, now time.Time) string {
	text := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[[sha256.Size]byte]*ticket)
	}
	if len(s.all) >= mostTickets {
		s.drop(now)
	}
	s.all[sha256.Sum256([]byte(text))] = &ticket{token, now, now}
	return text
}

// drop drops what has ended, or the one that was used before all others.
func (s *tickets) drop(now time.Time) {
	var oldest [sha256.Size]byte
	var found *ticket
	for key, t := range s.all {
		if t.ended(now) {
			delete(s.all, key)
		} else if found == nil || t.used.Before(found.used) {
			oldest, found = key, t
		}
	}
	if len(s.all) >= mostTickets {
		delete(s.all, oldest)
	}
}

// use returns the id of the token that a ticket was made for.
func (s *tickets) use(text string, now time.Time) (token string, ok bool) {
	key := sha256.Sum256([]byte(text))
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.all[key]
	if t == nil {
		return "", false
	}
	if t.ended(now) {
		delete(s.all, key)
		return "", false
	}
	t.used = now
	return t.token, true
}

func (s *tickets) end(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(text)))
}

// cookies returns those of a request that may hold a ticket.
func cookies(r *http.Request) []*http.Cookie {
	return append(r.CookiesNamed(secureCookieName), r.CookiesNamed(cookieName)...)
}

// bySecure reports whether a request came by TLS, to this server or to a proxy in front
// of it. Whoever claims that without need only gets a cookie that is of no use to them.
func bySecure(r *http.Request) bool {
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return r.TLS != nil || strings.EqualFold(strings.TrimSpace(proto), "https")
}

// give sets the cookie for a token.
func (k *Keeper) give(w http.ResponseWriter, r *http.Request, tokenID string) {
	c := http.Cookie{ //nolint:gosec // without TLS a secure one would be lost
		Name: cookieName, Value: k.tickets.add(tokenID, k.Now()), Path: "/", MaxAge: int(ticketMost / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: bySecure(r),
	}
	if c.Secure {
		c.Name = secureCookieName
	}
	http.SetCookie(w, &c)
}

// SignIn sets the cookie where a token is right. A wrong one, and too many guesses in
// a short time, are a [reject.Error].
func (k *Keeper) SignIn(w http.ResponseWriter, r *http.Request, secret string) error {
	if !k.guesses.AllowN(k.Now(), 1) {
		w.Header().Set("Retry-After", "1")
		return reject.Errorf(http.StatusTooManyRequests, "Too many have tried to sign in. Wait a moment.")
	}
	c, _, err := k.know(strings.TrimSpace(secret))
	switch {
	case err != nil:
		return reject.Errorf(http.StatusServiceUnavailable, "The tokens cannot be read.")
	case c.Roles == 0:
		return reject.Errorf(http.StatusUnauthorized, "This is no token of this server, or one that has ended.")
	case !c.Roles.May(caller.Read):
		return reject.Errorf(http.StatusForbidden, "This token may not read, so there is no page to show.")
	}
	return k.admit(w, r, c)
}

// admit gives the cookie to a caller, and notes that.
func (k *Keeper) admit(w http.ResponseWriter, r *http.Request, c caller.Caller) error {
	if k.Audit != nil {
		r = r.WithContext(caller.With(r.Context(), c))
		if err := k.Audit.Add(Entry(r, "", audit.SignIn)); err != nil {
			return reject.Errorf(http.StatusServiceUnavailable, "The audit log cannot be written.")
		}
	}
	k.give(w, r, c.ID)
	return nil
}

// SignOut ends the cookies of a request.
func (k *Keeper) SignOut(w http.ResponseWriter, r *http.Request) {
	for _, c := range cookies(r) {
		k.tickets.end(c.Value)
		http.SetCookie(w, &http.Cookie{Name: c.Name, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: bySecure(r)}) //nolint:gosec // as it was set
	}
}

// followLink signs in whoever opens a link that carries a token, and leads to the same
// address without it, so that it does not stay in the history of the browser.
func (k *Keeper) followLink(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	secret := query.Get("token")
	if r.Method != http.MethodGet || secret == "" || !k.Needed() {
		return false
	}
	c, _, err := k.know(secret)
	if err != nil || c.Roles == 0 {
		return false
	}
	if err := k.admit(w, r, c); err != nil {
		k.Reject(w, r, err)
		return true
	}
	query.Del("token")
	http.Redirect(w, r, local(r.URL.Path, query.Encode()), http.StatusSeeOther) //nolint:gosec // local leads nowhere else
	return true
}

// local returns an address on this server: a path that starts with two slashes would
// lead to another host.
func local(path, query string) string {
	to := url.URL{Path: "/" + strings.TrimLeft(path, "/\\"), RawQuery: query}
	return to.String()
}
