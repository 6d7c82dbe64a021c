package page

import (
	"encoding/json"
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

// at returns a time of the test sessions as JSON.
func at(ms int64) string { return fmt.Sprint(testNow.UnixMilli() + ms) }

var agentID = testID(7)

// agent is a session with a search, a model that calls tools twice, a tool that
// fails, and an answer.
func agent(t *testing.T) []store.Write {
	system, user := `{"role":"system","content":"Be brief."}`, `{"role":"user","content":"Where is **my** parcel?"}`
	asks := `{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"track","arguments":{"parcel":7}}},{"id":"c2","type":"function","function":{"name":"map","arguments":"{\"of\":\"city\"}"}}]}`
	told := `{"role":"tool","tool_call_id":"c1","content":"in Porto"}`
	answer := `{"role":"assistant","content":"It is in *Porto*.","reasoning":"The tool said so."}`
	event := func(n int, parent, name, kind string, start, took int64, rest string) store.Write {
		return eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_name":%q,"event_type":%q,"start_time":%s,"duration":%d,%s}`,
			testID(n), agentID, parent, name, kind, at(start), took, rest))
	}
	chain := testID(11)
	return []store.Write{
		event(11, agentID, "agent", "chain", 0, 1000, `"inputs":{}`),
		event(12, chain, "search", "tool", 10, 40, `"metadata":{"event_kind":"retriever"},"inputs":{"query":"parcel"},"outputs":{"documents":[{"id":"a.md","score":0.8,"content":"Parcels go by *ship*."},{"id":"b.md","score":0.2,"content":"Letters","metadata":{"page":3}}]}`),
		event(13, chain, "plan", "model", 60, 200, `"config":{"model":"m-1"},"inputs":{"chat_history":[`+system+`,`+user+`]},"outputs":`+asks+`,"metadata":{"prompt_tokens":100,"completion_tokens":20,"cost":0.5,"time_to_first_chunk_ms":50}`),
		event(14, chain, "track", "tool", 270, 30, `"inputs":{"parcel":7},"outputs":{"result":"in Porto"},"metadata":{"tool_call_id":"c1"}`),
		event(15, chain, "map", "tool", 300, 30, `"inputs":{"of":"city"},"error":"no map"`),
		event(16, chain, "answer", "model", 400, 500, `"config":{"model":"m-1"},"inputs":{"chat_history":[`+system+`,`+user+`,`+asks+`,`+told+`]},"outputs":`+answer+`,"metadata":{"prompt_tokens":150,"completion_tokens":10,"cost":0.25}`),
		sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"shop","session_name":"parcel","source":"staging","children_ids":[%q],"config":{"v":1},"inputs":{"chat_history":[%s]},
			"outputs":%s,"error":"","duration":1000,"user_properties":{"user_id":"u-1"},"metrics":{"quality":0.9},"feedback":{"rating":1,"comment":"fine"},"metadata":{"version":"1.2"},"start_time":%s,"end_time":%s}`,
			agentID, chain, user, answer, at(0), at(1000))),
	}
}

func TestSessionShowsItsSixteenFields(t *testing.T) {
	s := newSite(t, agent(t)...)
	page := s.get("/s/" + agentID)
	record := page.id("record")
	var fields []string
	for _, dt := range record.all(is("dt")) {
		fields = append(fields, dt.text())
	}
	want := []string{
		"project", "session_name", "source", "session_id", "children_ids", "config", "inputs", "outputs", "error", "duration",
		"user_properties", "metrics", "feedback", "metadata", "start_time", "end_time",
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
	record.has(t, "shop", "parcel", "staging", agentID, `{"v":1}`, `{"user_id":"u-1"}`, `{"quality":0.9}`, `{"version":"1.2"}`, "1.00 s", "2026-03-01 12:00:00.000", "2026-03-01 12:00:01.000")
	page.has(t, "Events 6 2 model, 1 retriever, 2 tool, 1 chain", "250 / 30", "0.75", "m-1", "u-1", "First token of the first call 50 ms")
}

func TestThreadReadsAsAConversation(t *testing.T) {
	s := newSite(t, agent(t)...)
	page := s.get("/s/" + agentID)
	thread := page.id("thread")
	turns := thread.all(func(n element) bool { return is("section", "turn")(n) })
	var titles []string
	for _, turn := range turns {
		titles = append(titles, turn.all(is("header", "turn-head"))[0].all(func(n element) bool { return n.Data == "a" || n.attr("class") == "muted" })[0].text())
	}
	// The tools stand with the calls that asked for them.
	if diff := cmp.Diff([]string{"search", "plan", "answer"}, titles); diff != "" {
		t.Fatal(diff)
	}
	var roles []string
	for _, m := range thread.all(is("article", "message")) {
		roles = append(roles, m.all(is("span", "role"))[0].text())
	}
	if diff := cmp.Diff([]string{"system", "user", "assistant", "assistant"}, roles); diff != "" {
		t.Error(diff)
	}
	turns[0].has(t, "parcel", "a.md", "0.8", "Parcels go by *ship*.", "b.md")
	if bars := turns[0].all(is("rect", "fill")); len(bars) != 2 || bars[0].attr("width") != "100" || bars[1].attr("width") != "25" {
		t.Errorf("score bars: %v", bars)
	}
	turns[1].has(t, "track", `"parcel": 7`, "result 30 ms event in Porto", "map", `"of": "city"`, "no map", "first token 50 ms", "100 / 20 tokens", "cost 0.5")
	turns[2].has(t, "3 earlier messages as above", "Reasoning The tool said so.", "It is in Porto .")
	// What was asked and answered stands above all of it.
	parts := page.id("said").all(is("section", "said-part"))
	if len(parts) != 2 {
		t.Fatalf("%d parts are above the thread", len(parts))
	}
	parts[0].has(t, "Question", "Where is my parcel?")
	parts[1].has(t, "Answer", "It is in Porto .")
	if len(turns[2].all(is("em"))) != 1 || len(parts[0].all(is("strong"))) != 1 {
		t.Error("markdown is not rendered")
	}
}

func TestTreeAndTimelineHoldEveryEvent(t *testing.T) {
	s := newSite(t, agent(t)...)
	tree := s.get("/s/" + agentID + "?view=tree").id("rows")
	rows := tree.all(func(n element) bool { return n.attr("data-event") != "" })
	var got []string
	for _, row := range rows {
		got = append(got, row.attr("aria-level")+" "+row.text())
	}
	want := []string{
		"1 agent chain 1.00 s 200 ms 250 / 30 0.75 1", "2 search retriever 40 ms 40 ms – –", "2 plan model 200 ms 200 ms 100 / 20 0.5",
		"2 track tool 30 ms 30 ms – –", "2 map error tool 30 ms 30 ms – – 1", "2 answer model 500 ms 500 ms 150 / 10 0.25",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	timeline := s.get("/s/" + agentID + "?view=timeline").id("rows")
	bars := timeline.all(is("rect", "bar"))
	if len(bars) != 6 || bars[2].attr("x") != "60" || bars[2].attr("width") != "200" || bars[4].attr("class") != "bar tool error" {
		t.Errorf("%d bars, of plan %v, of map %v", len(bars), bars[2].Attr, bars[4].Attr)
	}
	if first := timeline.all(is("rect", "first")); len(first) != 1 || first[0].attr("x") != "110" {
		t.Errorf("first token: %v", first)
	}
}

func TestRowsAsJSONSayWhatThePageSays(t *testing.T) {
	s := newSite(t, agent(t)...)
	var got rowsJSON
	if err := json.Unmarshal(s.answer(http.StatusOK, "/s/"+agentID+"/rows?from=2&n=2").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := [][]any{
		{testID(13), 1.0, 0.0, 0.0, "model", 60.0, 200.0, 0.0, 100.0, 20.0, "0.5", 50.0, 0.0, 1.0, "", -1.0, 200.0, []any{60.0, 260.0}},
		{testID(14), 1.0, 0.0, 2.0, "tool", 270.0, 30.0, 0.0, nil, nil, none, nil, 0.0, 3.0, "", -1.0, 30.0, []any{270.0, 300.0}},
	}
	if diff := cmp.Diff(want, got.Rows); diff != "" {
		t.Error(diff)
	}
	if got.Total != 6 || got.From != 2 || got.Span != 1000 || !slices.Equal(got.Names, []string{"plan", "m-1", "track", ""}) {
		t.Errorf("got %+v", got)
	}
}

func TestPanelShowsAnEvent(t *testing.T) {
	s := newSite(t, agent(t)...)
	detail := s.get("/s/" + agentID + "?view=tree&event=" + testID(13)).id("detail")
	detail.has(t, "plan", "below agent", "2026-03-01 12:00:00.060", "200 ms", "50 ms", "100 / 20", "m-1", testID(13), "Inputs", "Be brief.", "Outputs", "track", "Config", "Metadata", "prompt_tokens", `"event_name": "plan"`)
	links := detail.all(is("a"))
	for _, id := range []string{"previous-event", "next-event", "close"} {
		link := detail.id(id)
		s.get(link.attr("href"))
	}
	if len(links) < 5 {
		t.Errorf("%d links", len(links))
	}
	session := s.get("/s/" + agentID + "?event=" + agentID).id("detail")
	session.has(t, "parcel", "User properties", "quality 0.9", "It is in Porto .")
	w := s.answer(http.StatusSeeOther, "/s/"+agentID+"/e/"+testID(13))
	s.get(strings.TrimSuffix(w.Header().Get("Location"), "#detail")).id("detail").has(t, "plan")
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	other := testID(90)
	s := newSite(t, append(agent(t),
		eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":"tool","event_name":"lost","inputs":{},"start_time":%s,"duration":1}`, testID(91), other, testID(99), at(0))),
		sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","source":"s","session_name":"running","start_time":%s}`, testID(92), at(0))),
		sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","source":"s","session_name":"cut off","start_time":%s,"end_time":%[2]s,"metadata":{"incomplete":true}}`, testID(93), at(0))),
	)...)
	for _, view := range []string{"thread", "tree", "timeline"} {
		page := s.get("/s/" + other + "?view=" + view)
		page.id("orphan").has(t, "Only events of this session have arrived")
		page.id("orphans").has(t, "1 event waits for a parent")
		page.id("view").has(t, "waits for its parent", "lost")
	}
	s.get("/s/"+testID(92)).id("running").has(t, "still running")
	s.get("/s/"+testID(92)+"?view=tree").has(t, "No event of this session has arrived")
	s.get("/s/"+testID(93)).id("incomplete").has(t, "ended before this session did")
	list := s.get("/")
	for n, status := range map[int]string{90: "orphan", 92: "running", 93: "incomplete"} {
		list.id("s-"+testID(n)).has(t, status)
	}
	for _, path := range []string{
		"/s/" + testID(500), "/s/nonsense", "/s/" + agentID + "?event=" + testID(501), "/s/" + agentID + "?event=" + testID(91), "/nonsense",
		"/s/" + agentID + "/e/" + testID(91) + "/value", "/s/" + agentID + "/value?k=nothing", "/s/" + agentID + "/e/" + testID(13) + "/other",
	} {
		parse(t, s.answer(http.StatusNotFound, path).Body.String()).has(t, "Not found")
	}
}

func TestLargeValuesAreCutAndCanBeDownloaded(t *testing.T) {
	const words = 5 << 20
	large := strings.Repeat("word ", words/5)
	id := testID(1)
	s := newSite(t,
		sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","source":"s","session_name":"n","inputs":{"a.b":%s},"start_time":%s}`, id, quote(large), at(0))),
		eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":"model","event_name":"n","start_time":%s,"inputs":{"chat_history":[{"role":"user","content":%s}]},"outputs":{"documents":[{"id":"d","content":%[5]s}]}}`,
			testID(2), id, id, at(1), quote(large))))
	downloaded := make(map[string]bool)
	for _, path := range []string{"/s/" + id, "/s/" + id + "?event=" + id, "/s/" + id + "?event=" + testID(2), "/s/" + id + "?view=tree&event=" + testID(2), "/"} {
		w := s.answer(http.StatusOK, path)
		if w.Body.Len() > 100_000 {
			t.Errorf("%s: %d bytes", path, w.Body.Len())
		}
		if path == "/" {
			continue
		}
		page := parse(t, w.Body.String())
		for _, link := range page.id("split").all(func(n element) bool { return n.Data == "a" && strings.Contains(n.attr("href"), "?k=") }) {
			if downloaded[link.attr("href")] {
				continue
			}
			downloaded[link.attr("href")] = true
			file := s.answer(http.StatusOK, link.attr("href"))
			if file.Body.String() != large {
				t.Errorf("%s gives %d bytes", link.attr("href"), file.Body.Len())
			}
			if got := file.Header().Get("Content-Disposition"); !strings.HasPrefix(got, "attachment;") {
				t.Errorf("%s: disposition %q", link.attr("href"), got)
			}
		}
		page.has(t, "The first part of 5.2 MB")
	}
	if len(downloaded) != 3 {
		t.Errorf("these can be downloaded: %v", downloaded)
	}
}

func TestASessionCanBeTakenAlong(t *testing.T) {
	s := newSite(t, agent(t)...)
	var body struct {
		Session honeyhive.SessionStartRequest `json:"session"`
	}
	if err := json.Unmarshal(s.answer(http.StatusOK, "/s/"+agentID+"/session.json").Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if err := body.Session.Validate(); err != nil || body.Session.SessionName.Or("") != "parcel" {
		t.Errorf("%v: %v", err, body.Session)
	}
	lines := strings.Split(strings.TrimSpace(s.answer(http.StatusOK, "/s/"+agentID+"/session.jsonl").Body.String()), "\n")
	if len(lines) != 7 || !strings.HasPrefix(lines[0], `{"session":{`) || !strings.HasPrefix(lines[6], `{"event":{`) {
		t.Errorf("%d lines", len(lines))
	}
	var event honeyhive.Event
	if err := json.Unmarshal(s.answer(http.StatusOK, "/s/"+agentID+"/e/"+testID(13)+"/json").Body.Bytes(), &event); err != nil || event.EventName.Or("") != "plan" {
		t.Errorf("%v: %v", err, event)
	}
}

// TestASessionBecomesACase copies a session as a line of cases, where it has inputs.
func TestASessionBecomesACase(t *testing.T) {
	s := newSite(t, append(agent(t), sessionWrite(t, `{"project":"p","session_name":"bare","source":"s","session_id":"`+testID(77)+`"}`))...)
	page := s.get("/s/" + agentID)
	from := page.id("copy-case").attr("data-from")
	var c struct {
		Name     string
		Input    map[string]any
		Metadata struct {
			Session string `json:"session_id"`
		}
	}
	text := s.answer(http.StatusOK, from).Body.String()
	if err := json.Unmarshal([]byte(text), &c); err != nil || c.Name != "parcel-"+agentID[:8] || len(c.Input) == 0 || c.Metadata.Session != agentID || strings.Count(text, "\n") != 1 {
		t.Errorf("%v: %s", err, text)
	}
	if strings.Contains(s.answer(http.StatusOK, "/s/"+testID(77)).Body.String(), "copy-case") {
		t.Error("a session without inputs can be copied as a test")
	}
	s.answer(http.StatusNotFound, "/s/"+testID(77)+"/case.jsonl")
}

func TestFeedbackWorksAsAForm(t *testing.T) {
	s := newSite(t, agent(t)...)
	for _, target := range []string{agentID, testID(13)} {
		form := s.get("/s/" + agentID + "?event=" + target).id("feedback")
		values := make(url.Values)
		for _, input := range form.all(is("input")) {
			values.Set(input.attr("name"), input.attr("value"))
		}
		values.Set("rating", "down")
		values.Set("score", "0.25")
		values.Set("comment", "not\r\nquite")
		w := s.post(form.attr("action"), values)
		if w.Code != http.StatusSeeOther {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		to, _, _ := strings.Cut(w.Header().Get("Location"), "#")
		again := s.get(to).id("feedback")
		if again.id("thumb-down").attr("aria-pressed") != "true" || again.id("thumb-down").attr("value") != "none" {
			t.Error("the thumb is not down")
		}
		if got := again.all(is("textarea"))[0].text(); got != "not quite" {
			t.Errorf("the comment is %q", got)
		}
		// Nothing that was not touched is written.
		seq := s.seq()
		s.post("/feedback", url.Values{"id": {target}, "score": {"0.25"}, "had-score": {"0.25"}, "comment": {"not\r\nquite"}, "had-comment": {"not\nquite"}})
		if s.seq() != seq {
			t.Error("a form without a change changes something")
		}
		s.post("/feedback", url.Values{"id": {target}, "rating": {"none"}, "had-score": {"0.25"}, "had-comment": {"not\nquite"}})
		again = s.get(to).id("feedback")
		if again.id("thumb-down").attr("aria-pressed") != "false" || again.all(is("textarea"))[0].text() != "" {
			t.Errorf("it is not taken back: %s", again.text())
		}
	}
}
