package page

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// rated are ten sessions, each a second after the one before: of two sources, each
// third with a rating.
func rated(t *testing.T) []store.Write {
	var list []store.Write
	for n := 1; n <= 10; n++ {
		feedback := ""
		if n%3 == 0 {
			feedback = `,"feedback":{"rating":1}`
		}
		list = append(list, sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"shop","session_name":"number %d","source":"s%d","start_time":%s,"duration":%d%s}`,
			testID(n), n, n%2, at(int64(n)*1000), 1000-n, feedback)))
	}
	return list
}

// follow goes where an answer leads.
func (s *site) follow(path string) (string, element) {
	s.t.Helper()
	w := s.do(newGet(path))
	if w.Code != http.StatusSeeOther {
		s.t.Fatalf("GET %s: %d", path, w.Code)
	}
	to := w.Header().Get("Location")
	return to, s.get(to)
}

func newGet(path string) *http.Request {
	r, err := http.NewRequest(http.MethodGet, "http://localhost:4318"+path, http.NoBody)
	if err != nil {
		panic(err) // of a path of these tests
	}
	return r
}

// TestThroughASet goes by the links of the pages through the sessions of a list, to its
// end and back.
func TestThroughASet(t *testing.T) {
	s := newSite(t, rated(t)...)
	for _, c := range []struct {
		list, first string
		want        []int
	}{
		{"", "", []int{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{"source=s1&sort=duration&dir=asc", "", []int{9, 7, 5, 3, 1}},
		{"source=s1&sort=duration", "", []int{1, 3, 5, 7, 9}},
		{"feedback=up", "", []int{9, 6, 3}},
		{"query=" + url.QueryEscape("source:s0 duration<995ms"), "", []int{10, 8, 6}},
	} {
		list := s.get(listURL(c.list))
		path := list.id("sessions").all(is("a", "open"))[0].attr("href")
		for _, link := range []string{"next-session", "previous-session"} {
			want := slices.Clone(c.want)
			if link == "previous-session" {
				slices.Reverse(want)
			}
			for i := 0; ; i++ {
				page := s.get(path)
				page.id("session").has(t, fmt.Sprintf("number %d", want[i]))
				if !strings.Contains(path, testID(want[i])) {
					t.Fatalf("%q, %s %d: the page is %s", c.list, link, i, path)
				}
				to, page := s.follow(page.id(link).attr("href"))
				if i == len(want)-1 {
					if page.id("set-end").Data == "" || !strings.Contains(to, testID(want[i])) {
						t.Errorf("%q: the end is not told at %s", c.list, to)
					}
					path = to
					break
				}
				path = to
			}
		}
	}
}

// TestQueueOfUnratedSessions rates all that a list has, one by one, by the form that
// leads to the next.
func TestQueueOfUnratedSessions(t *testing.T) {
	s := newSite(t, rated(t)...)
	to, page := s.follow(s.get("/?source=s1").id("queue-link").attr("href"))
	var seen []string
	for page.id("set-end").Data == "" {
		seen = append(seen, page.all(is("h1"))[0].text())
		form := page.id("queue")
		values := url.Values{"rating": {"down"}, "comment": {"so " + seen[len(seen)-1]}}
		for _, field := range form.all(is("input")) {
			if field.attr("type") == "hidden" {
				values.Set(field.attr("name"), field.attr("value"))
			}
		}
		w := s.post("/feedback", values)
		if w.Code != http.StatusSeeOther {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		to, page = s.follow(w.Header().Get("Location"))
	}
	if diff := cmp.Diff([]string{"number 7", "number 5", "number 1"}, seen); diff != "" {
		t.Error(diff)
	}
	page.id("set-end").has(t, "No unrated session is left")
	if !strings.Contains(to, "back=source%3Ds1") {
		t.Errorf("the way back is lost: %s", to)
	}
	s.get("/queue?source=s1").id("rated").has(t, "All are rated")
	if diff := cmp.Diff([]string{"number 7", "number 5", "number 1"}, names(s.get("/?feedback=down"))); diff != "" {
		t.Error(diff)
	}
}

// TestBulk rates and deletes sessions of the list: what was selected, or all of a list,
// and nothing else.
func TestBulk(t *testing.T) {
	s := newSite(t, rated(t)...)
	w := s.post("/bulk", url.Values{"action": {"up"}, "id": {testID(1), testID(2), testID(1)}, "return": {"/?source=s1"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/?source=s1" {
		t.Fatalf("%d to %s", w.Code, w.Header().Get("Location"))
	}
	if diff := cmp.Diff([]string{"number 9", "number 6", "number 3", "number 2", "number 1"}, names(s.get("/?feedback=up"))); diff != "" {
		t.Error(diff)
	}
	// Deletion asks first, with and without scripts.
	confirm := parse(t, s.post("/bulk", url.Values{"action": {"delete"}, "id": {testID(1), testID(2)}}).Body.String())
	confirm.id("confirm").has(t, "Delete these sessions?", "2 sessions", "number 1", "number 2")
	if n := len(names(s.get("/"))); n != 10 {
		t.Fatalf("%d sessions are left before it was confirmed", n)
	}
	if w := s.post(confirm.id("confirm").all(is("form"))[0].attr("action"), hiddenFields(confirm.id("confirm"))); w.Code != http.StatusSeeOther {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	if n := len(names(s.get("/"))); n != 8 {
		t.Errorf("%d sessions are left", n)
	}
	// All of a list: what arrives after the question stays.
	confirm = parse(t, s.post("/bulk", url.Values{"action": {"delete"}, "all": {"1"}, "list": {"source=s1"}}).Body.String())
	confirm.id("confirm").has(t, "4 sessions of the list")
	s.write(sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"session_name":"late","source":"s1","start_time":%s}`, testID(99), at(99_000))))
	s.post("/bulk/delete", hiddenFields(confirm.id("confirm")))
	if diff := cmp.Diff([]string{"late", "number 10", "number 8", "number 6", "number 4"}, names(s.get("/"))); diff != "" {
		t.Error(diff)
	}
}

// TestBulkRefusesWhatItCannotMean leaves everything as it is.
func TestBulkRefusesWhatItCannotMean(t *testing.T) {
	s := newSite(t, rated(t)...)
	seq := s.seq()
	if w := s.post("/bulk/delete", url.Values{"action": {"delete"}, "id": {testID(1)}}); w.Code != http.StatusBadRequest {
		t.Errorf("without confirmation: %d", w.Code)
	}
	if w := s.post("/bulk/delete", url.Values{"action": {"up"}, "confirm": {"1"}, "id": {testID(1)}}); w.Code != http.StatusBadRequest {
		t.Errorf("another action: %d", w.Code)
	}
	for name, form := range map[string]url.Values{
		"nothing selected":          {"action": {"delete"}, "confirm": {"1"}},
		"no action":                 {"id": {testID(1)}},
		"another action":            {"action": {"drop"}, "id": {testID(1)}},
		"no id":                     {"action": {"delete"}, "confirm": {"1"}, "id": {testID(1), "x"}},
		"a list that is too long":   {"action": {"delete"}, "confirm": {"1"}, "all": {"1"}, "list": {"q=" + strings.Repeat("x", 3000)}, "until": {"999999"}},
		"a list that is no query":   {"action": {"delete"}, "confirm": {"1"}, "all": {"1"}, "list": {"query=status:"}, "until": {"999999"}},
		"a list of what is unknown": {"action": {"delete"}, "confirm": {"1"}, "all": {"1"}, "list": {"nonsense=1"}, "until": {"999999"}},
	} {
		for _, path := range []string{"/bulk", "/bulk/delete"} {
			if w := s.post(path, form); w.Code != http.StatusBadRequest {
				t.Errorf("%s, %s: %d", path, name, w.Code)
			}
		}
	}
	// Another site's form is none of ours.
	r := newGet("/bulk/delete")
	r.Method = http.MethodPost
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if w := s.do(r); w.Code != http.StatusForbidden {
		t.Errorf("a form of another site: %d", w.Code)
	}
	if s.seq() != seq {
		t.Error("something has changed")
	}
}

// hiddenFields are the values of a form that its reader does not see.
func hiddenFields(form element) url.Values {
	values := make(url.Values)
	for _, field := range form.all(is("input")) {
		if field.attr("type") == "hidden" {
			values.Add(field.attr("name"), field.attr("value"))
		}
	}
	return values
}

// TestBesideASessionThatIsGone answers as for any other.
func TestBesideASessionThatIsGone(t *testing.T) {
	s := newSite(t, rated(t)...)
	s.answer(http.StatusNotFound, "/s/"+honeyhive.NewUUID().String()+"/next")
	s.answer(http.StatusNotFound, "/s/none/previous")
	s.answer(http.StatusBadRequest, "/s/"+testID(1)+"/next?back=query%3Dstatus%3A")
	s.answer(http.StatusBadRequest, "/queue?query=status%3A")
}
