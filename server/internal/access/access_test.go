package access

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/server/internal/audit"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// house is a server with a few routes.
type house struct {
	*Keeper
	*Mux
	file  string
	log   *audit.Log
	clock time.Time
}

func newHouse(t *testing.T, token string) *house {
	t.Helper()
	h := &house{file: filepath.Join(t.TempDir(), "s.db"+TokensSuffix), clock: time.Unix(1e9, 0)}
	var err error
	if h.log, err = audit.Open(filepath.Join(t.TempDir(), "s.db"+audit.Suffix)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.log.Close() })
	h.Keeper = New(Config{Token: token, File: h.file, Audit: h.log, Now: func() time.Time { return h.clock }, Reject: func(w http.ResponseWriter, _ *http.Request, err error) {
		e := reject.As(err)
		http.Error(w, e.Reason, e.Status)
	}})
	h.Mux = NewMux(h.Keeper)
	ok := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Caller", caller.From(r.Context()).Name)
		w.WriteHeader(http.StatusNoContent)
	}
	for _, pattern := range []string{"GET /healthz", "GET /{$}", "GET /s/{id}", "POST /events", "DELETE /v1/sessions/{id}", "GET /api/audit", "GET /new"} {
		h.HandleFunc(pattern, ok)
	}
	h.HandleFunc("POST /signin", func(w http.ResponseWriter, r *http.Request) {
		if err := h.SignIn(w, r, r.FormValue("token")); err != nil {
			h.Reject(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	h.HandleFunc("POST /signout", func(w http.ResponseWriter, r *http.Request) { h.SignOut(w, r) })
	return h
}

// ask sends a request with headers.
func (h *house) ask(method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.Wrap(h.Mux).ServeHTTP(w, r)
	return w
}

// make makes a token.
func (h *house) make(t *testing.T, token Token) (secret, id string) {
	t.Helper()
	secret, made, err := Create(h.file, token)
	if err != nil {
		t.Fatal(err)
	}
	return secret, made.ID
}

func (h *house) entries(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := h.log.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestNoRule serves a route without a rule to nobody, whatever they may.
func TestNoRule(t *testing.T) {
	open := newHouse(t, "")
	closed := newHouse(t, "s3cret")
	if w := open.ask(http.MethodGet, "/new"); w.Code != http.StatusForbidden {
		t.Errorf("without tokens: %d", w.Code)
	}
	if w := closed.ask(http.MethodGet, "/new", "Authorization", "Bearer s3cret"); w.Code != http.StatusForbidden {
		t.Errorf("with the token of all: %d", w.Code)
	}
	if w := open.ask(http.MethodGet, "/"); w.Code != http.StatusNoContent || w.Header().Get("Caller") != "local" {
		t.Errorf("a route with one: %d", w.Code)
	}
}

// TestWaysToCarryAToken are those of clients of several servers.
func TestWaysToCarryAToken(t *testing.T) {
	h := newHouse(t, "s3cret")
	mine, _ := h.make(t, Token{Name: "ann", Roles: caller.Read})
	for name, c := range map[string]struct {
		path    string
		headers []string
		want    int
	}{
		"none":                  {"/", nil, 401},
		"bearer":                {"/", []string{"Authorization", "Bearer s3cret"}, 204},
		"one of the file":       {"/", []string{"Authorization", "Bearer " + mine}, 204},
		"lower case":            {"/", []string{"Authorization", "bearer s3cret"}, 204},
		"wrong":                 {"/", []string{"Authorization", "Bearer s3cre"}, 401},
		"empty":                 {"/", []string{"Authorization", "Bearer ", "X-Api-Key", ""}, 401},
		"wrong, and a right":    {"/", []string{"Authorization", "Bearer x", "X-Api-Key", "s3cret"}, 401},
		"no basic":              {"/", []string{"Authorization", "Basic s3cret"}, 401},
		"basic":                 {"/", []string{"Authorization", "Basic cHVibGljOnMzY3JldA=="}, 204},
		"key":                   {"/", []string{"X-Api-Key", mine}, 204},
		"wrong link":            {"/?token=x", nil, 401},
		"the token as a cookie": {"/", []string{"Cookie", cookieName + "=s3cret"}, 401},
		"health":                {"/healthz", nil, 204},
		"health, wrong":         {"/healthz?token=x", []string{"Authorization", "Bearer x"}, 204},
		"a person":              {"/s/x?a=b", []string{"Accept", "text/html,*/*"}, 303},
	} {
		w := h.ask(http.MethodGet, c.path, c.headers...)
		if w.Code != c.want || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		if to := w.Header().Get("Location"); w.Code == 303 && to != "/signin?to=%2Fs%2Fx%3Fa%3Db" {
			t.Errorf("%s: to %q", name, to)
		}
	}
	if w := h.ask(http.MethodPost, "/events?token=s3cret"); w.Code != 401 {
		t.Errorf("a post with the token in its address: %d", w.Code)
	}
	w := h.ask(http.MethodGet, "//evil.example/s?token=s3cret&q=a")
	if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || to != "/evil.example/s?q=a" {
		t.Errorf("%d to %q", w.Code, to)
	}
}

func (h *house) cookie(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	set := w.Result().Cookies()
	if len(set) != 1 {
		t.Fatalf("%d cookies, status %d: %s", len(set), w.Code, w.Body)
	}
	return set[0]
}

// TestCookie holds for an hour without use and half a day in all, and until somebody
// signs out or the token is revoked.
func TestCookie(t *testing.T) {
	h := newHouse(t, "")
	secret, id := h.make(t, Token{Name: "ann", Roles: caller.Read})
	form := func(headers ...string) *httptest.ResponseRecorder {
		return h.ask(http.MethodPost, "/signin?token="+secret, headers...) // FormValue reads the query, too
	}
	c := h.cookie(t, form())
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" || c.MaxAge <= 0 || c.MaxAge > int(ticketMost/time.Second) || strings.Contains(secret, c.Value) {
		t.Errorf("%+v", c)
	}
	if s := h.cookie(t, form("X-Forwarded-Proto", "https, http")); !s.Secure || s.Name != "__Host-sessionspan" || !s.HttpOnly || s.SameSite != http.SameSiteStrictMode {
		t.Errorf("by TLS: %+v", s)
	}
	status := func(c *http.Cookie) int {
		return h.ask(http.MethodGet, "/", "Cookie", cookieName+"=odd; "+c.Name+"="+c.Value).Code
	}
	begin := h.clock
	for h.clock.Sub(begin) < ticketMost-ticketIdle {
		if got := status(c); got != 204 {
			t.Fatalf("after %v: %d", h.clock.Sub(begin), got)
		}
		h.clock = h.clock.Add(ticketIdle - time.Second)
	}
	h.clock = begin.Add(ticketMost + time.Second)
	if got := status(c); got != 401 {
		t.Errorf("at its end: %d", got)
	}
	c = h.cookie(t, form())
	h.clock = h.clock.Add(ticketIdle + time.Second)
	if got := status(c); got != 401 {
		t.Errorf("after an hour without use: %d", got)
	}
	c = h.cookie(t, form())
	out := h.ask(http.MethodPost, "/signout", "Cookie", c.Name+"="+c.Value)
	if gone := h.cookie(t, out); gone.MaxAge >= 0 || status(c) != 401 {
		t.Errorf("signed out: %+v", gone)
	}
	c = h.cookie(t, form())
	if err := Revoke(h.file, id); err != nil {
		t.Fatal(err)
	}
	if got := status(c); got != 401 {
		t.Errorf("after the token was revoked: %d", got)
	}
	if w := form(); w.Code != 401 || len(w.Result().Cookies()) != 0 {
		t.Errorf("signing in with it: %d", w.Code)
	}
}

// TestExpiry ends a token, and what was signed in with it.
func TestExpiry(t *testing.T) {
	h := newHouse(t, "")
	secret, _ := h.make(t, Token{Name: "ann", Roles: caller.Read, Expires: h.clock.Add(time.Minute)})
	c := h.cookie(t, h.ask(http.MethodPost, "/signin?token="+secret))
	for after, want := range map[time.Duration]int{59 * time.Second: 204, time.Minute: 401} {
		h.clock = time.Unix(1e9, 0).Add(after)
		if got := h.ask(http.MethodGet, "/", "Authorization", "Bearer "+secret).Code; got != want {
			t.Errorf("the token after %v: %d", after, got)
		}
		if got := h.ask(http.MethodGet, "/", "Cookie", c.Name+"="+c.Value).Code; got != want {
			t.Errorf("the cookie after %v: %d", after, got)
		}
	}
}

// TestGuesses are few.
func TestGuesses(t *testing.T) {
	h := newHouse(t, "s3cret")
	var codes [600]int
	for range 3 * guessesMost {
		codes[h.ask(http.MethodPost, "/signin?token=x").Code]++
	}
	if codes[401] != guessesMost || codes[429] != 2*guessesMost {
		t.Errorf("%d were tried, %d were not", codes[401], codes[429])
	}
	h.clock = h.clock.Add(time.Minute)
	if w := h.ask(http.MethodPost, "/signin?token=s3cret"); w.Code != 204 {
		t.Errorf("later: %d", w.Code)
	}
	if w := h.ask(http.MethodPost, "/signin?token="); w.Code != 401 {
		t.Errorf("nothing: %d", w.Code)
	}
	if writer, _ := h.make(t, Token{Name: "w", Roles: caller.Write}); h.ask(http.MethodPost, "/signin?token="+writer).Code != 403 {
		t.Error("who may not read can sign in")
	}
}

// TestTicketsAreBounded keeps those that are used.
func TestTicketsAreBounded(t *testing.T) {
	var s tickets
	now := time.Unix(1e9, 0)
	first := s.add("a", now)
	for n := range 2 * mostTickets {
		now = now.Add(time.Millisecond)
		if n%100 == 0 {
			s.use(first, now)
		}
		s.add("b", now)
	}
	if _, ok := s.use(first, now); !ok || len(s.all) > mostTickets {
		t.Errorf("%d are kept, the one in use: %t", len(s.all), ok)
	}
}

// TestAuditOfRoutes has who read what, and no content; what cannot be noted is not shown.
func TestAuditOfRoutes(t *testing.T) {
	h := newHouse(t, "")
	secret, id := h.make(t, Token{Name: "ann", Roles: caller.Admin})
	const session = "caf77ace-3417-4da4-944d-f4a0688f3c23"
	auth := []string{"Authorization", "Bearer " + secret}
	h.ask(http.MethodGet, "/s/"+session+"?q=CANARY", auth...)
	h.ask(http.MethodGet, "/s/CANARY", auth...)
	h.ask(http.MethodGet, "/?q=CANARY", append(auth, "User-Agent", "CANARY")...)
	h.ask(http.MethodDelete, "/v1/sessions/"+session, auth...)
	h.ask(http.MethodGet, "/s/"+session) // nobody
	got := h.entries(t)
	for _, want := range []string{
		`"action":"read","caller":"` + id + `","name":"ann","route":"GET /s/{id}","session":"` + session + `"}`,
		`"action":"read","caller":"` + id + `","name":"ann","route":"GET /s/{id}"}`, `"route":"GET /{$}"}`, `"action":"delete"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "CANARY") || strings.Contains(got, secret) || strings.Count(got, "\n") != 4 {
		t.Errorf("%s", got)
	}
	if err := h.log.Close(); err != nil {
		t.Fatal(err)
	}
	if w := h.ask(http.MethodGet, "/s/"+session, auth...); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without the log: %d", w.Code)
	}
	if w := h.ask(http.MethodPost, "/events", auth...); w.Code != 204 {
		t.Errorf("what is written needs no log: %d", w.Code)
	}
}

// TestFileOfTokens is for its owner alone, and is changed by one at a time.
func TestFileOfTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				if _, _, err := Create(path, Token{Name: "x", Roles: caller.Read}); err == nil {
					return
				} else if !strings.Contains(err.Error(), "somebody else changes") {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	list, err := List(path)
	if err != nil || len(list) != 8 {
		t.Errorf("%d tokens: %v", len(list), err)
	}
	info, err := os.Stat(path)
	if err != nil || onlyOwner && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if _, _, err := Create(path, Token{Name: "x"}); err == nil {
		t.Error("a token without a role")
	}
	if err := Revoke(path, "nothing"); err == nil {
		t.Error("one that is not there is revoked")
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed change left %v", err)
	}
	if onlyOwner {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		k := keys{path: path}
		if _, needed, err := k.get(); err == nil || !needed {
			t.Error("a file that all can read is taken")
		}
	}
}
