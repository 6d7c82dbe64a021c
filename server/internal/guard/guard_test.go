package guard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/server/internal/reject"
)

func newGuard(t *testing.T, change func(*Guard)) (http.Handler, *reject.Record) {
	t.Helper()
	record := new(reject.Record)
	g := &Guard{
		Rejected: record,
		Answer:   func(w http.ResponseWriter, _ *http.Request, e *reject.Error) { http.Error(w, e.Reason, e.Status) },
	}
	if change != nil {
		change(g)
	}
	return g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })), record
}

// ask sends a request with headers, of which Host is one.
func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:4318"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHosts(t *testing.T) {
	loopback, record := newGuard(t, func(g *Guard) { g.Hosts = []string{"Tracer.internal"} })
	anywhere, _ := newGuard(t, func(g *Guard) { g.AnyAddress = true })
	for host, want := range map[string][2]int{
		"127.0.0.1:4318":           {204, 204},
		"127.0.0.1":                {204, 204},
		"127.9.9.9:4318":           {204, 204},
		"[::1]:4318":               {204, 204},
		"[::1]":                    {204, 204},
		"[::ffff:127.0.0.1]:1":     {204, 204},
		"localhost:4318":           {204, 204},
		"LOCALHOST.":               {204, 204},
		"app.localhost:4318":       {204, 204},
		"tracer.internal":          {204, 421},
		"192.168.1.5:4318":         {421, 204},
		"evil.example":             {421, 421},
		"127.0.0.1.nip.io:4318":    {421, 421},
		"localhost.evil.example":   {421, 421},
		"evil-localhost":           {421, 421},
		"":                         {421, 421},
		"localhost@evil.example:1": {421, 421},
	} {
		if got := ask(loopback, http.MethodGet, "/", "Host", host).Code; got != want[0] {
			t.Errorf("%q on loopback: %d", host, got)
		}
		if got := ask(anywhere, http.MethodGet, "/", "Host", host).Code; got != want[1] {
			t.Errorf("%q elsewhere: %d", host, got)
		}
	}
	if last, count := record.Last(); count == 0 || last.Status != http.StatusMisdirectedRequest {
		t.Errorf("%+v", last)
	}
}

func TestOrigins(t *testing.T) {
	h, record := newGuard(t, nil)
	for name, c := range map[string]struct {
		method  string
		headers []string
		want    int
	}{
		"a program":              {http.MethodPost, nil, 204},
		"the page itself":        {http.MethodPost, []string{"Origin", "http://127.0.0.1:4318", "Sec-Fetch-Site", "same-origin"}, 204},
		"an older browser":       {http.MethodPost, []string{"Origin", "http://127.0.0.1:4318"}, 204},
		"another site":           {http.MethodPost, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		"another old site":       {http.MethodPost, []string{"Origin", "https://evil.example"}, 403},
		"another port":           {http.MethodPut, []string{"Origin", "http://127.0.0.1:3000", "Sec-Fetch-Site", "same-site"}, 403},
		"no origin":              {http.MethodDelete, []string{"Origin", "null"}, 403},
		"a link":                 {http.MethodGet, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 204},
		"a link, as documents":   {http.MethodGet, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 204},
		"a frame of a site":      {http.MethodGet, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		"an object of a site":    {http.MethodGet, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "object"}, 403},
		"a frame of a neighbour": {http.MethodGet, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "frame"}, 403},
		"our own frame":          {http.MethodGet, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 204},
		"fetched beforehand":     {http.MethodGet, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Purpose", "prefetch;prerender"}, 403},
		"typed":                  {http.MethodGet, []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, 204},
		"a script of a site":     {http.MethodGet, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		"a fetch of a neighbour": {http.MethodGet, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},
		"preflight":              {http.MethodOptions, []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "POST", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"}, 403},
	} {
		w := ask(h, c.method, "/", c.headers...)
		if w.Code != c.want {
			t.Errorf("%s: %d", name, w.Code)
		}
		for key := range w.Header() {
			if strings.HasPrefix(key, "Access-Control-") {
				t.Errorf("%s: the answer has %s", name, key)
			}
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none';") {
			t.Errorf("%s: policy %q", name, csp)
		}
	}
	if _, count := record.Last(); count != 11 {
		t.Errorf("%d were kept", count)
	}
}
