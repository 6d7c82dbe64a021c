package page

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// shopSessions are sessions that differ in what the list can be asked for.
func shopSessions(t *testing.T) []store.Write {
	at := testNow.UnixMilli()
	one := func(n int, name, rest string) []store.Write {
		id := testID(n)
		return []store.Write{
			sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"shop","session_name":%q,"start_time":%d,"end_time":%d,%s}`, id, name, at-int64(n)*60_000, at, rest)),
			eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":"model","event_name":"chat","inputs":{},"start_time":%d,"duration":10,
				"config":{"model":"model-%d"},"metadata":{"prompt_tokens":%d,"completion_tokens":1,"cost":%g}}`, testID(1000+n), id, id, at-int64(n)*60_000, n%2, n*100, float64(n)/100)),
		}
	}
	return slices.Concat(
		one(1, "first", `"source":"staging","duration":100,"inputs":{"question":"Where is my parcel?"},"outputs":{"role":"assistant","content":"On its way."}`),
		one(2, "second", `"source":"production","duration":2000,"user_properties":{"user_id":"u-2"},"feedback":{"rating":1}`),
		one(3, "third", `"source":"production","duration":300,"error":"it broke","feedback":{"rating":-1}`),
		one(90, "fourth", `"source":"staging","duration":40000`),
	)
}

func names(page element) []string {
	var list []string
	for _, row := range page.id("sessions").all(is("a", "open")) {
		list = append(list, row.text())
	}
	return list
}

func TestListAnswersWhatTheAddressAsks(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	for _, c := range []struct {
		query string
		want  []string
	}{
		{"", []string{"first", "second", "third", "fourth"}},
		{"?dir=asc", []string{"fourth", "third", "second", "first"}},
		{"?sort=duration", []string{"fourth", "second", "third", "first"}},
		{"?sort=name&dir=asc", []string{"first", "fourth", "second", "third"}},
		{"?sort=tokens", []string{"fourth", "third", "second", "first"}},
		{"?source=staging", []string{"first", "fourth"}},
		{"?project=shop&user=u-2", []string{"second"}},
		{"?model=model-1", []string{"first", "third"}},
		{"?status=error", []string{"third"}},
		{"?min_ms=300&max_ms=2000", []string{"second", "third"}},
		{"?min_cost=0.03", []string{"third", "fourth"}},
		{"?max_cost=0.01", []string{"first"}},
		{"?feedback=any", []string{"second", "third"}},
		{"?feedback=none", []string{"first", "fourth"}},
		{"?feedback=up", []string{"second"}},
		{"?feedback=down", []string{"third"}},
		{"?since=1h", []string{"first", "second", "third"}},
		{"?from=2026-03-01T11:57&to=2026-03-01T11:58:30", []string{"second", "third"}},
		{"?to=2026-03-01T11:00", []string{"fourth"}},
	} {
		if diff := cmp.Diff(c.want, names(s.get("/"+c.query))); diff != "" {
			t.Errorf("%s: %s", c.query, diff)
		}
	}
}

// TestListExports: the links of exports have the filters of the list.
func TestListExports(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	var links []string
	for _, a := range s.get("/?source=staging&sort=duration&paused=1&after=").id("export").all(is("a")) {
		links = append(links, a.attr("href"))
	}
	if want := []string{"/api/export.jsonl?sort=duration&source=staging", "/api/export.csv?sort=duration&source=staging"}; !slices.Equal(links, want) {
		t.Errorf("the links are %q", links)
	}
	if _, err := ParseQuery(url.Values{"source": {"staging"}, "sort": {"duration"}, "dir": {"asc"}, "limit": {"5"}, "q": {""}}, "limit"); err != nil {
		t.Error(err)
	}
	if q, err := ParseQuery(url.Values{"query": {"status:error -source:nowhere"}}); err != nil || q.Query.IsAll() {
		t.Errorf("%+v, %v", q.Query, err)
	}
	for name, value := range map[string]string{"sauce": "staging", "query": "stauts:error", "status": "bad", "min_ms": "x", "limit": "5"} {
		if _, err := ParseQuery(url.Values{name: {value}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLongTextsOfAddresses are said to be too long: each link of the page would repeat
// them.
func TestLongTextsOfAddresses(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	size := func(query string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:4318/?"+query, nil)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%.20s: %d", query, w.Code)
		}
		return w.Body.Len()
	}
	plain := size("")
	for _, name := range []string{"q", "project", "source", "user", "model", "min_ms", "from", "sort", "after", "x"} {
		for _, text := range []string{"a", "%22", "%3C"} {
			if n := size(name + "=" + strings.Repeat(text, 50_000/len(text))); n > plain+100_000 {
				t.Errorf("%s of %s: %d bytes, %d without", name, text, n, plain)
			}
		}
	}
}

func TestListFindsWords(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	waitIndexed(s)
	if got := names(s.get("/?q=parcel")); !slices.Equal(got, []string{"first"}) {
		t.Errorf("got %q", got)
	}
	page := s.get("/?q=nothingofthis")
	page.id("nothing").has(t, "No session matches")
	if got := page.id("q").attr("value"); got != "nothingofthis" {
		t.Errorf("the field holds %q", got)
	}
}

// waitIndexed returns when the search sees all that was written.
func waitIndexed(s *site) {
	s.t.Helper()
	for {
		info, err := s.store.Info(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if info.Unindexed == 0 {
			return
		}
	}
}

func TestListShowsARow(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	page := s.get("/")
	row := page.id("s-" + testID(1))
	row.has(t, "ok", "first", "shop", "Where is my parcel?", "On its way.", "staging", "100 ms", "100 / 1", "0.01", "11:59:00", "2026-03-01")
	page.id("figures").has(t, "Sessions 4", "Errors 1 25 %", "40.00 s", "9,600 / 4")
	total := 0
	for _, link := range page.id("histogram").all(is("a")) {
		var count, failed int
		if _, err := fmt.Sscanf(link.attr("aria-label"), "%d sessions, %d errors", &count, &failed); err != nil {
			t.Fatal(err)
		}
		if got := names(s.get(link.attr("href"))); len(got) != count || len(link.all(is("rect", "error"))) != failed {
			t.Errorf("%s leads to %q", link.attr("aria-label"), got)
		}
		total += count
	}
	if total != 4 {
		t.Errorf("the bars hold %d sessions", total)
	}
	if page.id("sessions").all(func(n element) bool { return n.Data == "th" && n.attr("aria-sort") == "descending" })[0].text() != "Started (UTC)" {
		t.Error("the order is not marked")
	}
}

func TestListSaysWhatItLeavesOut(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	page := s.get("/?min_ms=fast&status=purple&from=yesterday&source=staging")
	page.has(t, "min_ms is no number", "status is none of the choices", "from is no time", "source:staging")
	if got := names(page); !slices.Equal(got, []string{"first", "fourth"}) {
		t.Errorf("got %q", got)
	}
	chips := page.all(func(n element) bool { return strings.HasPrefix(n.attr("aria-label"), "Remove") })
	if len(chips) != 1 || chips[0].attr("href") != "/" {
		t.Errorf("the chips are %v", texts(chips))
	}
}

func TestListPagesGoOnBehindAKey(t *testing.T) {
	s := newSite(t)
	var writes []store.Write
	const count = 250
	for n := range count {
		writes = append(writes, sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","source":"s","session_name":"n%d","start_time":%d,"duration":1}`, testID(n+1), n, testNow.UnixMilli()+int64(n/3))))
	}
	s.write(writes...)
	seen := make(map[string]bool)
	path := "/?source=s"
	pages := 0
	for path != "" {
		page := s.get(path)
		pages++
		for _, row := range page.all(func(n element) bool { return n.attr("data-session") != "" }) {
			if id := row.attr("data-session"); seen[id] {
				t.Fatalf("%s stands on two pages", id)
			} else {
				seen[id] = true
			}
		}
		path = page.id("next").attr("href")
		// What arrives meanwhile shifts nothing.
		s.write(sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","source":"s","session_name":"late","start_time":%d}`, testID(10_000+pages), testNow.UnixMilli()+1_000_000)))
	}
	if len(seen) != count || pages != 3 {
		t.Errorf("%d sessions on %d pages", len(seen), pages)
	}
	s.answer(http.StatusBadRequest, "/?after=nonsense")
}

func TestEmptyListHelps(t *testing.T) {
	s := newSite(t)
	page := s.get("/")
	page.id("empty").has(t, "http://localhost:4318", "HH_API_URL=http://localhost:4318", "None since the server started")
	r := httptest.NewRequest(http.MethodPost, "/v1/traces", nil)
	r.Header.Set("User-Agent", "agent <1>")
	s.rejected.Add(r, reject.Errorf(http.StatusUnsupportedMediaType, "the content type is \u202etext"))
	s.get("/").id("rejected").has(t, "POST /v1/traces", "415", `the content type is \u202etext`, "agent <1>")

	form := page.all(func(n element) bool { return n.Data == "form" && n.attr("action") == "/demo" })
	if len(form) != 1 {
		t.Fatal("there is no demo")
	}
	w := s.post("/demo", nil)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("POST /demo: %d %s", w.Code, w.Body)
	}
	s.get(w.Header().Get("Location")).has(t, "Return of headphones", "find_order", "A-7731", "returns.md#2", "0.91")
	if got := names(s.get("/")); !slices.Equal(got, []string{"Return of headphones"}) {
		t.Errorf("the list holds %q", got)
	}
}

// TestNoPage is a page for those who read pages, and a line for programs.
func TestNoPage(t *testing.T) {
	s := newSite(t)
	for accept, isPage := range map[string]bool{"": true, "text/html,*/*;q=0.8": true, "*/*": false, "application/json": false} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost:4318/info", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if got := strings.Contains(w.Body.String(), "<html"); w.Code != http.StatusNotFound || got != isPage || !isPage && strings.Count(w.Body.String(), "\n") != 1 {
			t.Errorf("%q: %d %.200s", accept, w.Code, w.Body)
		}
	}
}

func TestFacetsNameWhatThereIs(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	for by, want := range map[string]string{"source": `["production","staging"]`, "project": `["shop"]`, "user": `["u-2"]`, "model": `["model-0","model-1"]`} {
		if got := s.answer(http.StatusOK, "/facets?by="+by).Body.String(); got != want {
			t.Errorf("%s: %s", by, got)
		}
	}
	s.answer(http.StatusBadRequest, "/facets?by=error")
}

func TestInsightsDrawWhatThereIs(t *testing.T) {
	s := newSite(t)
	s.get("/insights").id("nothing").has(t, "There are no sessions yet")
	s.write(shopSessions(t)...)
	page := s.get("/insights")
	for _, plot := range []string{"duration", "sessions", "error-rate", "tokens", "cost"} {
		figure := page.id("plot-" + plot)
		if len(figure.all(is("circle"))) == 0 || len(figure.all(is("table"))) != 1 {
			t.Errorf("plot %s: %s", plot, figure.text())
		}
	}
	page.id("plot-first-token").has(t, "No session has it")
	page.id("by-model").has(t, "model-0 2", "model-1 2")
	page.id("by-source").has(t, "production 2", "50 %", "staging 2")
	s.get("/insights?source=production&since=1h").id("figures").has(t, "Sessions 2")
}

// slowStore needs until the end of the request to sum up.
type slowStore struct{ store.Store }

func (s slowStore) Aggregate(ctx context.Context, f store.Filter, g store.Grouping) ([]store.Series, error) {
	if ctx.Value(patient{}) != nil {
		return s.Store.Aggregate(ctx, f, g)
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

type patient struct{}

func TestTheListDoesNotWaitForItsSums(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	s.handler = New(Config{Store: slowStore{s.store}})
	page := s.get("/?source=staging&sort=name&dir=asc")
	if got := names(page); !slices.Equal(got, []string{"first", "fourth"}) {
		t.Errorf("got %q", got)
	}
	r := httptest.NewRequest(http.MethodGet, page.id("late").attr("href"), nil)
	w := s.do(r.WithContext(context.WithValue(r.Context(), patient{}, true)))
	whole := parse(t, w.Body.String())
	whole.id("figures").has(t, "Sessions 2")
	if diff := cmp.Diff(names(page), names(whole)); diff != "" {
		t.Error(diff)
	}
	if next := whole.all(func(n element) bool { return strings.Contains(n.attr("href"), "sums=") }); len(next) != 0 {
		t.Errorf("%d links wait too", len(next))
	}
}

// TestTheWayBackIsOneOfOurs leads back to a list, whatever the address says.
func TestTheWayBackIsOneOfOurs(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	for back, want := range map[string]string{
		"":                        "/#s-",
		"status=error&sort=name":  "/?sort=name&status=error#s-",
		"status=odd&x=y&q=a%26b":  "/?q=a%26b#s-",
		"//evil.example":          "/#s-",
		"q=" + `"><script>`:       "/?q=%22%3E%3Cscript%3E#s-",
		"q=%zz;":                  "/#s-",
		strings.Repeat("q", 3000): "/#s-",
		"since=1h&after=k":        "/?after=k&since=1h#s-",
	} {
		page := s.get("/s/" + testID(1) + "?back=" + url.QueryEscape(back))
		if got := page.id("back").attr("href"); got != want+testID(1) {
			t.Errorf("%q leads to %s", back, got)
		}
	}
	for _, row := range s.get("/?source=staging&sort=name").id("sessions").all(is("a", "open")) {
		if got := s.get(row.attr("href")).id("back").attr("href"); !strings.HasPrefix(got, "/?sort=name&source=staging#s-") {
			t.Errorf("the row leads back to %s", got)
		}
	}
}
