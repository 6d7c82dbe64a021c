package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// feedbackOf returns what a server holds of the opinion of readers.
func feedbackOf(t *testing.T, base, session, event string) map[string]any {
	t.Helper()
	root := record(t, base, session)
	status, body := get(t, base+"/v1/sessions/"+session)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if event == session {
		return object(t, root.Feedback)
	}
	type node struct {
		ID       string         `json:"event_id"`
		Feedback map[string]any `json:"feedback"`
		Children []node         `json:"children"`
	}
	var tree node
	if err := json.Unmarshal([]byte(body), &tree); err != nil {
		t.Fatal(err)
	}
	var find func(node) map[string]any
	find = func(n node) map[string]any {
		if n.ID == event {
			return n.Feedback
		}
		for _, c := range n.Children {
			if f := find(c); f != nil {
				return f
			}
		}
		return nil
	}
	return find(tree)
}

func object(t *testing.T, o honeyhive.Object) map[string]any {
	t.Helper()
	var m map[string]any
	if err := o.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFeedback gives an opinion of an event and of the session, changes it, and
// takes it back.
func TestFeedback(t *testing.T) {
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts %t", scripts), func(t *testing.T) {
			b, session, failed := travel(t)
			if !scripts {
				b.withoutScripts()
			}
			b.open("/s/" + session + "?event=" + failed)
			b.fill("#comment", "It should have\ntried again")
			b.fill(`#feedback [name="score"]`, "0.25")
			b.click("#feedback button.primary")
			b.waitShown(`#feedback [name="score"][value="0.25"]`)
			b.click("#thumb-down")
			b.waitShown(`#thumb-down[aria-pressed="true"]`)
			want := map[string]any{"rating": -1.0, "score": 0.25, "comment": "It should have\ntried again"}
			if got := feedbackOf(t, b.base, session, failed); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the event has %v, want %v", got, want)
			}
			b.click("#thumb-down") // once more takes it back
			b.waitShown(`#thumb-down[aria-pressed="false"]`)
			if got := feedbackOf(t, b.base, session, failed)["rating"]; got != nil {
				t.Errorf("the rating is %v", got)
			}

			b.click("#show-record")
			b.do("wait for the record", chromedp.WaitReady(chromedp.CSS(fmt.Sprintf(`#feedback [name="id"][value=%q]`, session))))
			b.click("#thumb-up")
			b.waitShown(`#thumb-up[aria-pressed="true"]`)
			if got := feedbackOf(t, b.base, session, session)["rating"]; got != 1.0 {
				t.Errorf("the rating of the session is %v", got)
			}
			b.open("/?feedback=up")
			b.lists("Weekend in Porto")
		})
	}
}

// TestFeedbackKeys gives an opinion by keys alone.
func TestFeedbackKeys(t *testing.T) {
	b, session, _ := travel(t)
	b.show("/s/" + session)
	b.press("+")
	b.waitShown(`#thumb-up[aria-pressed="true"]`)
	b.ready()
	b.press("-")
	b.waitShown(`#thumb-down[aria-pressed="true"]`)
	if got := feedbackOf(t, b.base, session, session)["rating"]; got != -1.0 {
		t.Errorf("the rating is %v", got)
	}
}

// TestEmpty starts with nothing: what to paste, the last request that was turned
// down, a demo session.
func TestEmpty(t *testing.T) {
	s := start(t)
	if status, _ := post(t, s.URL()+"/session/start", `{"session":{"project":7}}`); status != 400 {
		t.Fatalf("a wrong request is answered with %d", status)
	}
	b := newTab(t, s.URL())
	b.show("/")
	b.has("#empty", "sessionspan.New(", "export HH_API_URL="+s.URL(), "export OTEL_EXPORTER_OTLP_ENDPOINT="+s.URL())
	b.has("#rejected", "1 so far", "POST /session/start", "400", "project")
	b.click("#demo")
	b.waitPath("/s/")
	b.ready()
	b.has("h1", "Return of headphones")
	b.has("#thread", "Your order", "find_order", "returns.md#2", "0.91")
	if b.count("#thread .docs .doc") != 3 || b.count("#thread .call") != 1 {
		t.Error("the demo session lacks its documents or its call")
	}
	b.click("#back")
	b.waitShown("#sessions")
	b.lists("Return of headphones")
}

// TestTheme switches the colours, which a page keeps.
func TestTheme(t *testing.T) {
	b, _, _ := travel(t)
	b.dark(false)
	b.show("/insights")
	paper := func() string { return eval[string](b, `getComputedStyle(document.documentElement).backgroundColor`) }
	light := paper()
	b.dark(true)
	dark := paper()
	if light == dark {
		t.Errorf("both are %s", light)
	}
	b.click(`.theme [value="light"]`)
	b.waitShown(`.theme [value="light"][aria-pressed="true"]`)
	b.show("/")
	if paper() != light {
		t.Errorf("light is %s, want %s", paper(), light)
	}
	b.click(`.theme [value="auto"]`)
	b.waitShown(`.theme [value="auto"][aria-pressed="true"]`)
	if paper() != dark {
		t.Errorf("the colours do not follow the system: %s, want %s", paper(), dark)
	}
}

// TestInsights compares what the plots say with what was sent.
func TestInsights(t *testing.T) {
	s := start(t)
	history(t, s.URL(), 60)
	b := newTab(t, s.URL())
	b.show("/insights")
	b.has("#figures", "Sessions 60", "Errors 7", "First token of the first call p50")
	for _, plot := range eval[[]string](b, `[...document.querySelectorAll("figure.plot")].map((f) => f.id)`) {
		if b.count("#"+plot+" svg path") == 0 {
			t.Errorf("%s is empty", plot)
		}
	}
	if n := b.count("figure.plot"); n < 5 {
		t.Errorf("%d plots", n)
	}
	tables := eval[[]string](b, `[...document.querySelectorAll("table.breakdown")].map((t) => [...t.tBodies[0].rows].map((r) => r.cells[0].textContent.trim() + " " + r.cells[1].textContent).join(", "))`)
	text := strings.Join(tables, "; ")
	for _, want := range []string{"gpt-5.2-mini 20", "claude-opus-4.7 20", "llama-4-70b 20", "production 30", "staging 30"} {
		if !strings.Contains(text, want) {
			t.Errorf("the tables lack %s: %s", want, text)
		}
	}
	b.click("figure.plot details summary")
	b.waitShown("figure.plot details[open] table")
	b.click(`table.breakdown th[scope="row"] a`)
	b.waitShown(".chips")
	if n := len(b.names()) + b.count("table.breakdown"); n == 0 {
		t.Error("the row leads nowhere")
	}
}

// TestWithoutScripts reads lists and sessions with JavaScript off.
func TestWithoutScripts(t *testing.T) {
	s := start(t)
	history(t, s.URL(), 130)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	session, failed := agent(tracer, anHourAgo())
	deliver(t, tracer)
	b := newTab(t, s.URL())
	b.withoutScripts()
	b.open("/")
	if n := len(b.names()); n != 100 {
		t.Errorf("%d sessions on the first page", n)
	}
	if b.count("#histogram a") == 0 {
		t.Error("no bars that lead to their time")
	}
	b.click("#next")
	b.waitShown(`#sessions[data-first="false"]`)
	if n := len(b.names()); n != 31 {
		t.Errorf("%d sessions on the second page", n)
	}
	b.open("/")
	b.fill("#q", "Ribeira")
	b.click("#filters .search button")
	b.waitShown(".chips")
	b.lists("Weekend in Porto")
	b.click("#sessions a.open")
	b.waitShown("#thread")
	b.has("#thread", "I will look at flights and hotels.", "Casa do Rio")
	b.click(`.tabs [data-view="tree"]`)
	b.waitShown(`#session[data-view="tree"] #rows`)
	if n := b.count("#rows .body .row[data-event]"); n != 7 {
		t.Errorf("%d rows", n)
	}
	b.click(fmt.Sprintf(`#rows [data-event=%q] a.open`, failed))
	b.waitShown("#detail h2")
	b.has("#detail", "search_hotels", "timeout after 2 s")
	b.click("#close")
	b.waitShown("#split:not(.open)")
	b.click(`.tabs [data-view="timeline"]`)
	b.waitShown(`#session[data-view="timeline"] #rows .bar`)
	b.open("/s/" + session + "/e/" + failed)
	b.has("#detail h2", "search_hotels")
	if b.count(".js-only") > 0 && eval[bool](b, `[...document.querySelectorAll(".js-only")].some((e) => e.checkVisibility())`) {
		t.Error("what needs scripts is shown")
	}
}
