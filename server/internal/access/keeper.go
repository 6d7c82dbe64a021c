package access

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sessionspan/sessionspan/server/internal/audit"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// Config is what a [Keeper] knows callers by.
type Config struct {
	// Token may do everything; none when empty.
	Token string
	// File is that of tokens, which need not be there; none when empty.
	File string
	// Audit is written to, where it is not nil.
	Audit *audit.Log
	// Reject answers a request that is turned down.
	Reject func(http.ResponseWriter, *http.Request, error)
	// Now is the time; time.Now where it is nil.
	Now func() time.Time
}

// Keeper finds out who sends a request: whoever carries a token, as a bearer token, in
// the ways of clients of other servers (as the password of Authorization: Basic, or as
// X-Api-Key), or the cookie that is given for one. It may be used by many goroutines at
// once.
type Keeper struct {
	Config
	keys    keys
	tickets tickets

	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by the ids of tokens
	guesses  *rate.Limiter            // of the sign-in page
}

// Guesses at the sign-in page: in a second, and at once.
const (
	guessesEach = 5
	guessesMost = 20
)

// New returns a keeper.
func New(c Config) *Keeper {
	if c.Now == nil {
		c.Now = time.Now
	}
	k := &Keeper{Config: c, limiters: make(map[string]*rate.Limiter), guesses: rate.NewLimiter(guessesEach, guessesMost)}
	k.keys.path = c.File
	return k
}

// Needed reports whether requests need a token: where one was given, or a file of tokens
// has been there once.
func (k *Keeper) Needed() bool {
	_, needed, _ := k.keys.get()
	return needed || k.Token != ""
}

// Wrap returns a handler that passes requests on with their callers in the context.
func (k *Keeper) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, t, err := k.identify(r)
		if err != nil {
			k.Reject(w, r, reject.Errorf(http.StatusServiceUnavailable, "the tokens cannot be read: %v", err))
			return
		}
		if t != nil && !k.limiter(t).AllowN(k.Now(), 1) {
			w.Header().Set("Retry-After", "1")
			k.Reject(w, r, reject.Errorf(http.StatusTooManyRequests, "the token may send %g requests a second", t.Rate))
			return
		}
		r = r.WithContext(caller.With(r.Context(), c))
		if k.followLink(w, r) {
			return
		}
		if c.MaxBody > 0 && r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, c.MaxBody+1) // who reads it may say more of one that is too long
		}
		next.ServeHTTP(w, r)
	})
}

// limiter returns that of a token, whose bound may have changed.
func (k *Keeper) limiter(t *Token) *rate.Limiter {
	limit, burst := rate.Inf, 0
	if t.Rate > 0 {
		limit, burst = rate.Limit(t.Rate), int(max(1, 2*t.Rate))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.limiters[t.ID]
	if l == nil {
		if len(k.limiters) >= maxTokens { // most of them are revoked
			clear(k.limiters)
		}
		l = rate.NewLimiter(limit, burst)
		k.limiters[t.ID] = l
	}
	if l.Limit() != limit || l.Burst() != burst {
		l.SetLimitAt(k.Now(), limit)
		l.SetBurstAt(k.Now(), burst)
	}
	return l
}

// identify returns the caller of a request, nobody where it carries no token or a wrong
// one, and the token of a file.
func (k *Keeper) identify(r *http.Request) (caller.Caller, *Token, error) {
	_, needed, err := k.keys.get()
	switch {
	case err != nil:
		return caller.Caller{}, nil, err
	case !needed && k.Token == "":
		return caller.Local(), nil, nil
	}
	if scheme, given, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		return k.know(strings.TrimSpace(given))
	}
	var given []string
	// Who does not mean the token may send these for a proxy in front of the server.
	if user, password, ok := r.BasicAuth(); ok {
		given = append(given, password, user)
	}
	given = append(given, r.Header.Get("X-Api-Key"))
	if r.Method == http.MethodGet {
		given = append(given, r.URL.Query().Get("token"))
	}
	for _, secret := range given {
		if c, t, err := k.know(secret); err != nil || c.Roles != 0 {
			return c, t, err
		}
	}
	return k.knowTicket(r)
}

// mainID names the token of the command line.
const mainID = "-token"

// know returns who has a token.
func (k *Keeper) know(secret string) (caller.Caller, *Token, error) {
	if secret == "" {
		return caller.Caller{}, nil, nil
	}
	if k.Token != "" && equal(secret, k.Token) {
		return k.main(), nil, nil
	}
	t, err := k.keys.find(secret, k.Now())
	if t == nil || err != nil {
		return caller.Caller{}, nil, err
	}
	return t.caller(), t, nil
}

func (k *Keeper) main() caller.Caller {
	return caller.Caller{ID: mainID, Name: "token of the server", Roles: caller.All}
}

// knowTicket returns who has a cookie of the sign-in page.
func (k *Keeper) knowTicket(r *http.Request) (caller.Caller, *Token, error) {
	for _, c := range cookies(r) { // another program on the machine may have set one of the name
		id, ok := k.tickets.use(c.Value, k.Now())
		switch {
		case !ok:
			continue
		case id == mainID && k.Token != "":
			who := k.main()
			who.Cookie = true
			return who, nil, nil
		}
		byID, _, err := k.keys.get()
		if err != nil {
			return caller.Caller{}, nil, err
		}
		if t := byID[id]; t != nil && !t.expired(k.Now()) {
			who := t.caller()
			who.Cookie = true
			return who, t, nil
		}
	}
	return caller.Caller{}, nil, nil
}

// turnDown answers a request that is not let in: where a person opens a page without
// being signed in, by the page to do so.
func (k *Keeper) turnDown(w http.ResponseWriter, r *http.Request, e *reject.Error) {
	if e.Status == http.StatusUnauthorized {
		if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
			http.Redirect(w, r, "/signin?"+url.Values{"to": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="sessionspan"`)
	}
	k.Reject(w, r, e)
}
