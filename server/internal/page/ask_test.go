package page

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/store"
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

// TestInsightsLeadToTheirSessions follows each link of the insights: the sessions there are
// as many as the row says, where it counts sessions, and some where it counts events.
func TestInsightsLeadToTheirSessions(t *testing.T) {
	s := newSite(t, append(shopSessions(t), searches(t)...)...)
	waitIndexed(s)
	for _, address := range []string{"/insights", "/insights?query=" + url.QueryEscape("project:shop -source:nowhere"), "/insights?axis=log"} {
		page := s.get(address)
		rows, links := 0, 0
		for _, section := range page.all(is("section", "card")) {
			ofSessions := strings.Contains(section.text(), " sessions Share")
			for _, row := range section.all(is("tr")) {
				cells := row.all(func(n element) bool { return is("td")(n) || is("th")(n) && n.attr("scope") == "row" })
				if len(cells) == 0 {
					continue
				}
				rows++
				for _, link := range row.all(is("a")) {
					links++
					got := len(names(s.get(link.attr("href"))))
					if want, err := strconv.Atoi(cells[1].text()); err != nil || got == 0 || ofSessions && link.attr("aria-label") == "" && got != want {
						t.Errorf("%s %s leads to %d sessions: %s", section.attr("id"), row.text(), got, link.attr("href"))
					}
				}
			}
		}
		for _, point := range page.all(func(n element) bool {
			return is("a")(n) && (n.attr("tabindex") == "-1" || strings.HasPrefix(n.attr("aria-label"), "1 of "))
		}) {
			links++
			if got := names(s.get(point.attr("href"))); len(got) == 0 {
				t.Errorf("the point %s leads nowhere: %s", point.attr("aria-label"), point.attr("href"))
			}
		}
		if rows < 15 || links < 40 {
			t.Errorf("%s has %d rows and %d links", address, rows, links)
		}
		page.id("by-step").has(t, "search 3", "chat 4")
		page.id("by-error").has(t, "timeout 1")
		page.id("by-prompt").has(t, "answer v2 1")
		page.id("by-release").has(t, "v1.8 1")
		page.id("retrieval").has(t, "3 searches", "1 (33.3 %) found nothing", "where is nothing 1", "Score of the first document")
	}
}

// searches are sessions with a search that finds much, little, and nothing.
func searches(t *testing.T) (list []store.Write) {
	at := testNow.UnixMilli()
	for i, outputs := range []string{`{"documents":[{"content":"x","score":0.9}]}`, `{"documents":[{"content":"x","score":0.2}]}`, `{"documents":[]}`} {
		id := testID(200 + i)
		question, failed, release := "where", "", ""
		if i == 2 {
			question, failed, release = "where is nothing", `,"error":"too slow"`, `"release":"v1.8"`
		}
		list = append(list,
			sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"shop","session_name":"asked %d","start_time":%d,"end_time":%d,"metadata":{%s}}`, id, i, at-500, at, release)),
			eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"event_type":"tool","event_name":"search","start_time":%d,"duration":%d,"inputs":{"query":%q},"outputs":%s,"metadata":{"event_kind":"retriever","error_type":"timeout"}%s}`, testID(300+i), id, at-400, 10+i, question, outputs, failed)))
	}
	return append(list, eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"event_type":"model","event_name":"answer","start_time":%d,"config":{"model":"model-0","prompt_name":"answer","prompt_version":"v2"}}`, testID(310), testID(200), at)))
}

// TestAxisBends draws on a logarithmic axis what one large number would flatten, says so,
// and lets the reader choose.
func TestAxisBends(t *testing.T) {
	points := make([]store.Point, 8)
	row := values{"p99", []float64{100, 120, 90, 110, 0, 130, 95, 1_200_000}}
	fits := newPlot("x", "x", points, axis{show: duration}, row)
	linear := newPlot("x", "x", points, axis{show: duration, scale: axisLinear}, row)
	if !fits.Log || linear.Log {
		t.Errorf("logarithmic: %v by itself, %v where linear was asked for", fits.Log, linear.Log)
	}
	room := func(p *plot) float64 { return math.Abs(p.Lines[0].Dots[2].Y - p.Lines[0].Dots[5].Y) }
	if room(linear) > 0.1 || room(fits) < 4 {
		t.Errorf("90 and 130 ms are %g apart on the linear axis, %g on the other", room(linear), room(fits))
	}
	if even := newPlot("x", "x", points, axis{show: duration}, values{"p99", []float64{100, 120, 90, 110, 0, 130, 95, 140}}); even.Log || !even.Bends {
		t.Error("even numbers are on a logarithmic axis")
	}
	s := newSite(t, shopSessions(t)...)
	if got := s.get("/insights?axis=log").id("plot-duration").text(); !strings.Contains(got, "Logarithmic axis") {
		t.Errorf("the axis is not named: %s", got)
	}
	if got := s.get("/insights?axis=linear").id("plot-duration").text(); !strings.Contains(got, "Linear axis") {
		t.Errorf("the axis is not named: %s", got)
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
