package page

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/sqlite"
)

// site is the page over a store of its own.
type site struct {
	t        *testing.T
	handler  http.Handler
	store    store.Store
	rejected *reject.Record
}

// testNow is the time of all tests; a page finds it a millisecond later each
// time that it looks.
var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newSite(t *testing.T, writes ...store.Write) *site {
	t.Helper()
	return newSiteWithPrices(t, nil, writes...)
}

func newSiteWithPrices(t *testing.T, table *prices.Table, writes ...store.Write) *site {
	t.Helper()
	kept, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "sessions.db"), sqlite.WithPrices(table))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{t: t, store: kept, rejected: new(reject.Record)}
	var calls atomic.Int64
	s.handler = newPage(Config{Store: kept, Prices: table, Rejected: s.rejected, Now: func() time.Time {
		return testNow.Add(time.Duration(calls.Add(1)) * time.Millisecond)
	}}, time.Minute) // a busy machine changes no page
	s.write(writes...)
	return s
}

func (s *site) write(writes ...store.Write) {
	s.t.Helper()
	if err := s.store.Write(s.t.Context(), writes); err != nil {
		s.t.Fatal(err)
	}
}

// seq is the number of the last change.
func (s *site) seq() int64 {
	info, err := s.store.Info(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return info.Seq
}

func (s *site) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// answer asks for a path, and wants a status.
func (s *site) answer(status int, path string) *httptest.ResponseRecorder {
	s.t.Helper()
	w := s.do(httptest.NewRequest(http.MethodGet, "http://localhost:4318"+path, nil))
	if w.Code != status {
		s.t.Fatalf("GET %s: %d, want %d: %.400s", path, w.Code, status, w.Body)
	}
	return w
}

// get asks for a page and reads it.
func (s *site) get(path string) element {
	s.t.Helper()
	return parse(s.t, s.answer(http.StatusOK, path).Body.String())
}

// post sends a form as a browser does without scripts.
func (s *site) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://localhost:4318"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return s.do(r)
}

// element is a node of a page.
type element struct{ *html.Node }

func parse(t *testing.T, text string) element {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return element{root}
}

// all returns the elements below that fit.
func (n element) all(fits func(element) bool) []element {
	var list []element
	for d := range n.Descendants() {
		if e := (element{d}); d.Type == html.ElementNode && fits(e) {
			list = append(list, e)
		}
	}
	return list
}

func (n element) attr(name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// is returns a test for a tag, with all of the classes.
func is(tag string, classes ...string) func(element) bool {
	return func(n element) bool {
		for _, c := range classes {
			if !strings.Contains(" "+n.attr("class")+" ", " "+c+" ") {
				return false
			}
		}
		return n.Data == tag
	}
}

// id returns the element with an id, or nothing.
func (n element) id(id string) element {
	if list := n.all(func(e element) bool { return e.attr("id") == id }); len(list) == 1 {
		return list[0]
	}
	return element{&html.Node{}}
}

// text is what is read, white space folded.
func (n element) text() string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func texts(list []element) []string {
	var out []string
	for _, n := range list {
		out = append(out, n.text())
	}
	return out
}

// has wants texts on a page.
func (n element) has(t *testing.T, wants ...string) {
	t.Helper()
	text := n.text()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in: %.2000s", want, text)
		}
	}
}

// The records of the tests, as JSON.

func sessionWrite(t *testing.T, text string) store.Write {
	t.Helper()
	s := new(honeyhive.SessionStartRequest)
	if err := json.Unmarshal([]byte(text), s); err != nil {
		t.Fatal(err)
	}
	return store.Write{Session: s, At: testNow}
}

func eventWrite(t *testing.T, text string) store.Write {
	t.Helper()
	e := new(honeyhive.Event)
	if err := json.Unmarshal([]byte(text), e); err != nil {
		t.Fatal(err)
	}
	return store.Write{Event: e, At: testNow}
}

// testID returns an id that a number stands for.
func testID(n int) string {
	var u honeyhive.UUID
	u[6], u[8], u[12], u[13], u[14], u[15] = 0x40, 0x80, byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return u.String()
}

// quote writes a JSON string.
func quote(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(data)
}
