// Package page is what a browser shows of the server: for now a list of the
// sessions and one session as JSON.
package page

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// Config is what the page is made of.
type Config struct {
	Store store.Store
	// URL is the address of the server, without a slash at its end.
	URL string
	// Rejected keeps the last request that was turned down.
	Rejected *reject.Record
	// Reject answers a request with the reason why it is turned down.
	Reject func(http.ResponseWriter, *http.Request, error)
}

// SessionPath returns the path of the page of a session.
func SessionPath(id string) string { return "/s/" + id }

//go:embed *.html style.css
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"time": clock, "path": SessionPath}).ParseFS(files, "*.html"))

// policy lets a page use the server's own style and nothing else.
const policy = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// New returns the handler of the paths / and below that nothing else serves.
func New(c Config) http.Handler {
	p := &page{c}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.list)
	mux.HandleFunc("GET /s/{id}", p.session)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "style.css") })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.Reject(w, r, reject.Errorf(http.StatusNotFound, "there is nothing at %s %.200s", r.Method, r.URL.Path))
	})
	return mux
}

type page struct{ Config }

func (p *page) list(w http.ResponseWriter, r *http.Request) {
	q := store.SessionQuery{Filter: store.Filter{Text: r.FormValue("q")}, After: r.FormValue("after")}
	found, err := p.Store.Sessions(r.Context(), q)
	if err != nil {
		p.Reject(w, r, err)
		return
	}
	last, count := p.Rejected.Last()
	p.show(w, r, "list.html", map[string]any{
		"Sessions": found.Sessions, "Next": found.Next, "Query": q.Text, "URL": p.URL, "Last": last, "Rejected": count,
	})
}

func (p *page) session(w http.ResponseWriter, r *http.Request) {
	id, err := honeyhive.ParseUUID(r.PathValue("id"))
	if err != nil {
		p.Reject(w, r, reject.Errorf(http.StatusNotFound, "%v", err))
		return
	}
	s, err := p.Store.Session(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		err = reject.Errorf(http.StatusNotFound, "no session has the id %s", id)
	}
	if err != nil {
		p.Reject(w, r, err)
		return
	}
	var events []string
	for e, err := range p.Store.EventBodies(r.Context(), id, store.EventQuery{Limit: mostEvents}) {
		if err != nil {
			p.Reject(w, r, err)
			return
		}
		events = append(events, indent(e.Payload.AppendJSON(nil)))
	}
	p.show(w, r, "session.html", map[string]any{"Session": s, "Payload": indent(s.Payload.AppendJSON(nil)), "Events": events})
}

// mostEvents is how many events the page of a session shows.
const mostEvents = 200

func (p *page) show(w http.ResponseWriter, r *http.Request, name string, data any) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, data); err != nil {
		p.Reject(w, r, err)
		return
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = out.WriteTo(w)
}

func indent(text []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return string(text)
	}
	return out.String()
}

// clock shows a time in milliseconds, or the first one that is known.
func clock(ms honeyhive.Optional[float64], otherwise float64) string {
	return time.UnixMilli(int64(ms.Or(otherwise))).UTC().Format("2006-01-02 15:04:05")
}
