package page

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// asking opens a list with a query.
func (s *site) asking(text string) element {
	return s.get("/?query=" + url.QueryEscape(text))
}

func TestQueryChoosesSessions(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	waitIndexed(s)
	for text, want := range map[string][]string{
		``:                             {"first", "second", "third", "fourth"},
		`status:error`:                 {"third"},
		`-status:error source:staging`: {"first", "fourth"},
		`model:model-1 duration<2s`:    {"first", "third"},
		`event(model:model-0)`:         {"second", "fourth"},
		`(user:u-2 OR status:error)`:   {"second", "third"},
		`rating>0`:                     {"second"},
		`-feedback:*`:                  {"first", "fourth"},
		`parcel`:                       {"first"},
		`start<2026-03-01T11:00`:       {"fourth"},
		`start>=-1h`:                   {},
		`nothingofthis`:                {},
	} {
		got := names(s.asking(text))
		if len(got) != len(want) || len(want) > 0 && !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestOlderAddresses are shown in the box as what they say, and a part of the query that
// says something of the same gives way.
func TestOlderAddresses(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	for address, want := range map[string]string{
		"?q=rate+limit":                           `rate limit`,
		"?q=status%3Aerror":                       `"status:error"`,
		"?status=error&source=prod":               `status:error source:prod`,
		"?user=a+b&model=x%22y":                   `user:"a b" model:"x\"y"`,
		"?min_ms=300&max_ms=2000&min_cost=0.5":    `duration>=300 duration<=2000 cost>=0.5`,
		"?since=24h":                              `start>=-24h`,
		"?from=2026-03-01T11:57&to=2026-03-02":    `start>=2026-03-01T11:57:00 start<2026-03-02T00:00:00`,
		"?feedback=none":                          `-feedback:*`,
		"?feedback=up":                            `rating>0`,
		"?query=status:ok+a&status=error":         `status:error a`,
		"?query=start>-24h+a&since=1h":            `start>=-1h a`,
		"?query=duration>1s+duration<5s&max_ms=9": `duration<=9 duration>1s`,
		"?query=-feedback:*&feedback=up":          `rating>0`,
		"?query=(status:ok+OR+a)+b&status=error":  `status:error (status:ok OR a) b`,
		"?query=++status%3Derror++&sort=duration": `status:error`,
	} {
		page := s.get("/" + address)
		if got := page.id("q").attr("value"); got != want {
			t.Errorf("%s: the box has %s, want %s", address, got, want)
		}
		for _, chip := range page.all(func(n element) bool { return strings.HasPrefix(n.attr("aria-label"), "Remove") }) {
			without := s.get(chip.attr("href")).id("q").attr("value")
			if part := strings.TrimPrefix(chip.attr("aria-label"), "Remove "); len(without) >= len(want) || strings.Contains(" "+without+" ", " "+part+" ") {
				t.Errorf("%s without %s: %s", address, part, without)
			}
		}
	}
}

// TestWrongQuery says where the mistake is, keeps what was written, and shows no session
// as if it were found.
func TestWrongQuery(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	page := s.get("/?sort=duration&query=" + url.QueryEscape(`source:staging stauts:error "x`))
	wrong := page.id("q-wrong")
	wrong.has(t, `no field is called "stauts"`)
	if marks := wrong.all(is("mark")); len(marks) != 1 || marks[0].text() != "stauts" {
		t.Errorf("the marks are %v", texts(marks))
	}
	if box := page.id("q"); box.attr("value") != `source:staging stauts:error "x` || box.attr("aria-invalid") != "true" || !strings.Contains(box.attr("aria-describedby"), "q-wrong") {
		t.Errorf("the box is %s", box.attr("value"))
	}
	page.id("nothing").has(t, "to be mended first")
	if links := page.all(func(n element) bool {
		return n.attr("href") == "/?query=source%3Astaging+stauts%3Aerror+%22x&sort=duration&paused=1" || strings.Contains(n.attr("href"), "paused=1") && strings.Contains(n.attr("href"), "stauts")
	}); len(links) != 1 {
		t.Errorf("%d links keep the query", len(links))
	}
	s.get("/insights?query=x%3Ay").id("q-wrong").has(t, "no field is called")
	newSite(t).get("/?query=x%3Ay").id("empty").has(t, "No sessions yet")
}

// TestHits shows what of a session was found, and leads there.
func TestHits(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	waitIndexed(s)
	page := s.asking("parcel")
	hits := page.id("sessions").all(is("a", "hit"))
	if len(hits) != 1 {
		t.Fatalf("%d hits", len(hits))
	}
	if marks := hits[0].all(is("mark")); len(marks) != 1 || !strings.EqualFold(marks[0].text(), "parcel") {
		t.Errorf("the marks are %v", texts(marks))
	}
	s.get(hits[0].attr("href"))
	hits = s.asking("event(model:model-0)").id("sessions").all(is("a", "hit"))
	if len(hits) != 2 || !strings.Contains(hits[0].attr("href"), "event=") {
		t.Fatalf("%d hits", len(hits))
	}
	hits[0].has(t, "model")
	if hits := s.asking("source:staging").id("sessions").all(is("a", "hit")); len(hits) != 0 {
		t.Errorf("%d hits of a field of sessions", len(hits))
	}
}

// TestMatches takes the query into the session.
func TestMatches(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	waitIndexed(s)
	open := func(text string) element {
		return s.get(s.asking(text).id("sessions").all(is("a", "open"))[0].attr("href"))
	}
	nav := open("event(model:model-0)").id("matches")
	nav.has(t, "1 event matches", "event(model:model-0)")
	if nav.attr("data-words") != `["model-0"]` || nav.attr("data-events") != `["`+testID(1002)+`"]` {
		t.Errorf("words %s, events %s", nav.attr("data-words"), nav.attr("data-events"))
	}
	address, _, _ := strings.Cut(nav.all(func(n element) bool { return n.attr("id") == "match-next" })[0].attr("href"), "#")
	next := s.get(address)
	next.id("matches").has(t, "1 of 1 event matches")
	next.id("detail").has(t, "chat")
	open("parcel").id("matches").has(t, "No event matches, but the session does: parcel")
	if got := open("source:staging").all(func(n element) bool { return n.attr("id") == "matches" }); len(got) != 0 {
		t.Error("a field of sessions matches events")
	}
}

func TestComplete(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	waitIndexed(s)
	for before, want := range map[string]struct {
		take string
		some string
	}{
		"stat":               {"stat", "status:"},
		"a (-dur":            {"dur", "duration>"},
		"status:":            {"status:", "status:error"},
		"status:er":          {"status:er", "status:error"},
		"source:s":           {"source:s", "source:staging"},
		`a "b c" source:"st`: {`source:"st`, "source:staging"},
		"event(model:":       {"model:", "model:model-0"},
		"metadata.":          {"metadata.", "metadata.cost:"},
		"meta":               {"meta", "metadata."},
		"nonsense:x":         {"nonsense:x", ""},
		"":                   {"", ""},
		"a ":                 {"", ""},
	} {
		var got completion
		if err := json.Unmarshal(s.answer(http.StatusOK, "/complete?before="+url.QueryEscape(before)).Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		found := slices.ContainsFunc(got.Options, func(o option) bool { return o.Text == want.some })
		if got.Take != want.take || found != (want.some != "") || want.some == "" && len(got.Options) > 0 {
			t.Errorf("%q: %+v, want %+v", before, got, want)
		}
	}
	s.answer(http.StatusBadRequest, "/complete?before="+strings.Repeat("a", 3000))
}
