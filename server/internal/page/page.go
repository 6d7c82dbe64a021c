// Package page is the web page of the server: a list of sessions, a session as
// a thread, a tree or a time line, and plots over sessions.
//
// Pages are made on the server and work without JavaScript as links and forms;
// every view is a URL. Scripts add what needs them: rows that are built while
// they are scrolled, live updates, keys. Nothing is asked of another host.
//
// What a session holds is never markup. It is escaped as text, control
// characters and marks that change the direction of text are shown by their
// code, and markdown goes through goldmark without raw HTML: links lead to a
// page that asks first, images are not loaded.
package page

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/server/internal/unused"
	"github.com/sessionspan/sessionspan/store"
)

// Config is what the page is made of. All but the store may be left out.
type Config struct {
	Store store.Store
	// URL is the address that programs send to, without a slash at its end.
	// Where it is empty, it is that of the request that shows it.
	URL string
	// GRPC is the address of a port for OTLP over gRPC, "" where there is none.
	GRPC string
	// Token says that programs must send a token, so that the page shows where
	// to put it.
	Token bool
	// SignIn signs a browser in by a token, and SignOut out. Without them there is nobody
	// to sign in.
	SignIn  func(w http.ResponseWriter, r *http.Request, token string) error
	SignOut func(w http.ResponseWriter, r *http.Request)
	// Erase erases a user or a session, of which one is empty, for the caller in the
	// context, and records that. Without it there is no form to do so.
	Erase func(ctx context.Context, user, session string) (store.Erased, error)
	// NoteDelete is told of each session before many are deleted; an error keeps them.
	// Nil is told of none.
	NoteDelete func(r *http.Request, session honeyhive.UUID) error
	// Rejected is what the server turned down last; it is shown where there are
	// no sessions.
	Rejected *reject.Record
	// Unused is what was sent beside traces and is not kept; it is shown there, too.
	Unused *unused.Record
	// Prices is the table that costs were derived by; nil derives none.
	Prices *prices.Table
	// Now is the time; time.Now where it is nil.
	Now func() time.Time
}

// page is the handler.
type page struct {
	Config
	templates map[string]*template.Template
	trees     trees
	money     money
	downloads chan struct{}
	sumsWait  time.Duration
}

// SessionPath returns the path of the page of a session.
func SessionPath(id string) string { return "/s/" + id }

// Routes is what routes are added to.
type Routes interface {
	Handle(pattern string, handler http.Handler)
}

// Register adds the routes of the page: of /, /s/…, /insights, /runs, /run, /compare,
// /facets, /complete, /queue, /feedback, /bulk, /demo, /theme, /leave, /signin, /signout and /assets/…. What changes it learns from
// the stream that package live serves at /api/stream.
func Register(mux Routes, c Config) { register(mux, c, sumsWait) }

func register(mux Routes, c Config, sumsWait time.Duration) {
	if c.Now == nil {
		c.Now = time.Now
	}
	p := &page{Config: c, money: money{c.Prices}, templates: parseTemplates(money{c.Prices}), downloads: make(chan struct{}, manyDownloads), sumsWait: sumsWait}
	p.register(mux)
}

func (p *page) register(mux Routes) {
	mux.Handle("GET /assets/", protect(assetHandler()))
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":                     p.list,
		"GET /facets":                  p.facets,
		"GET /complete":                p.complete,
		"GET /compare":                 p.compare,
		"GET /insights":                p.insights,
		"GET /leave":                   p.leave,
		"GET /runs":                    p.runs,
		"GET /run":                     p.run,
		"GET /s/{id}":                  p.session,
		"GET /s/{id}/next":             p.neighbour(false),
		"GET /s/{id}/previous":         p.neighbour(true),
		"GET /queue":                   p.queue,
		"GET /s/{id}/rows":             p.rows,
		"GET /s/{id}/session.json":     p.download(p.sessionJSON),
		"GET /s/{id}/session.jsonl":    p.download(p.sessionLines),
		"GET /s/{id}/events.json":      p.download(p.eventsJSON),
		"GET /s/{id}/case.jsonl":       p.download(p.sessionCase),
		"GET /s/{id}/value":            p.download(p.value),
		"GET /s/{id}/e/{event}":        p.permalink,
		"GET /s/{id}/e/{event}/json":   p.download(p.eventJSON),
		"GET /s/{id}/e/{event}/value":  p.download(p.value),
		"POST /feedback":               p.feedback,
		"POST /bulk":                   p.bulk,
		"POST /bulk/delete":            p.bulkDelete,
		"POST /demo":                   p.demo,
		"POST /theme":                  p.theme,
		"GET /signin":                  p.signIn,
		"POST /signin":                 p.takeSignIn,
		"POST /signout":                p.signOut,
		"GET /erase":                   p.erase,
		"POST /erase":                  p.takeErase,
		"GET /":                        p.nothing,
		"GET /s/{id}/e/{event}/{rest}": p.nothing,
	} {
		var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := serve(w, r); err != nil {
				p.fail(w, r, err)
			}
		})
		if strings.HasPrefix(pattern, "POST ") {
			h = bounded(h)
		}
		mux.Handle(pattern, protect(http.NewCrossOriginProtection().Handler(h)))
	}
}

// Bounds of the forms of the page.
const (
	formBytes = 1 << 20
	formTime  = 10 * time.Second
)

// bounded bounds a form.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formTime))
		r.Body = http.MaxBytesReader(w, r.Body, formBytes)
		next.ServeHTTP(w, r)
	})
}

// policy lets a page use what this server serves, and nothing else. No script
// turns text into markup: there is not one policy of Trusted Types.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

func protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// problem is an answer that is no page.
type problem struct {
	status int
	title  string
	text   string
}

func (e *problem) Error() string { return e.text }

func notFound(text string) error {
	return &problem{http.StatusNotFound, "Not found", text}
}

func badRequest(format string, args ...any) error {
	return &problem{http.StatusBadRequest, "This request cannot be answered", fmt.Sprintf(format, args...)}
}

// nothing answers where there is no page: programs that look for the API of another
// server, and print what they get, in a line.
func (p *page) nothing(w http.ResponseWriter, r *http.Request) error {
	if accept := r.Header.Get("Accept"); accept != "" && !strings.Contains(accept, "text/html") {
		http.Error(w, "there is no such page", http.StatusNotFound)
		return nil
	}
	return notFound("There is no such page.")
}

// fail shows what went wrong.
func (p *page) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody is there to read it
	}
	var e *problem
	switch {
	case errors.As(err, &e):
	case errors.Is(err, store.ErrNotFound):
		e = &problem{http.StatusNotFound, "Not found", "The store does not hold it: it may not have arrived yet, or it was deleted."}
	case errors.Is(err, context.DeadlineExceeded):
		e = &problem{http.StatusServiceUnavailable, "The query takes too long", "It was given up after " + queryTime.String() + ", and nothing is shown rather than a part. A shorter time, or fewer words that nearly all sessions have, make it faster."}
	default:
		e = &problem{http.StatusInternalServerError, "The store did not answer", err.Error()}
	}
	_ = p.render(w, e.status, "problem.html", struct {
		base
		Text string
	}{p.base(r, e.title), e.text})
}

// base is what every page shows.
type base struct {
	Title  string
	Theme  string // light, dark or empty
	Assets string // prefix of the assets
	Here   string // the path and query of this page
	Nav    string // the entry of the navigation that this page belongs to
	// SignedIn is what the token is called that somebody is signed in with, or empty.
	SignedIn string
	MayErase bool
	// Seq is the number of a change before the page was read, so that what it may
	// miss comes with the stream that starts there.
	Seq int64
}

func (p *page) base(r *http.Request, title string) base {
	b := base{Title: visible(title), Theme: themeOf(r), Assets: assetPrefix, Here: r.URL.RequestURI(), MayErase: p.mayErase(r)}
	if c := caller.From(r.Context()); c.Cookie {
		b.SignedIn = visible(cmp.Or(c.Name, c.ID))
	}
	return b
}

// render writes a page as a whole or not at all.
func (p *page) render(w http.ResponseWriter, status int, name string, data any) error {
	var b bytes.Buffer
	if err := p.templates[name].ExecuteTemplate(&b, "layout.html", data); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return nil
}

// pathID reads an id from the path.
func pathID(r *http.Request, name string) (honeyhive.UUID, error) {
	id, err := honeyhive.ParseUUID(r.PathValue(name))
	if err != nil || id.IsZero() {
		return id, notFound("The address holds no id of a session or event.")
	}
	return id, nil
}

// address is where programs send to, as far as this request can tell.
func (p *page) address(r *http.Request) string {
	if p.URL != "" {
		return p.URL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
