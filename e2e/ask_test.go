package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"github.com/sessionspan/sessionspan"
)

// asks opens a list with a query, and waits until the search has seen all that was sent.
func (b *tab) asks(query string) {
	b.Helper()
	for range 200 {
		b.show("/?query=" + url.QueryEscape(query))
		if b.count("#unindexed") == 0 {
			return
		}
	}
	b.Fatal("the index is never made")
}

// scrollTo brings an element into sight, and waits until that is drawn.
func (b *tab) scrollTo(id string) {
	b.Helper()
	b.wait(fmt.Sprintf(`(document.getElementById(%s).scrollIntoView(), new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`, quote(id)))
}

// TestQueryBox writes a query with the keyboard alone, with completion, and goes with it
// into a session and back.
func TestQueryBox(t *testing.T) {
	b := shelf(t)
	b.size(1280, 900)
	b.asks("source:staging")
	b.lists("broken stream", "Weekend in Porto")
	b.show("/")
	b.press("/")
	b.wait(`document.activeElement.id === "q"`)
	b.press("stat")
	b.wait(`document.querySelector("#q-options code")?.textContent === "status:"`)
	b.press(kb.ArrowDown + kb.Enter)
	b.wait(`document.getElementById("q").value === "status:" && document.querySelectorAll("#q-options li").length === 5`)
	b.press("e")
	b.wait(`document.querySelectorAll("#q-options li").length === 1`)
	b.picture("completion")
	b.press(kb.ArrowDown)
	if got := eval[string](b, `document.getElementById(document.getElementById("q").getAttribute("aria-activedescendant")).textContent`); got != "status:error" {
		t.Errorf("the active option is %s", got)
	}
	b.press(kb.Enter)
	b.wait(`document.getElementById("q").value === "status:error " && document.getElementById("q").getAttribute("aria-expanded") === "false"`)
	b.press(`duration>0 -user:no` + kb.Enter)
	b.waitPath("query=status")
	b.ready()
	b.lists("broken stream")
	b.has(".chips", "status:error", "duration>0", "-user:no")

	// Values that the store knows, with quotes where they need them.
	b.show("/")
	b.press("/")
	b.press("project:Su")
	b.wait(`document.querySelector("#q-options code")?.textContent === 'project:"Support assistant"'`)
	b.click("#q-options li")
	b.wait(`document.getElementById("q").value === 'project:"Support assistant" ' && document.activeElement.id === "q"`)
	b.press(kb.Enter)
	b.waitPath("query=project")
	b.ready()
	b.lists("two", "one", "zero")

	// A mistake is marked, and what was written stays.
	b.show("/?query=" + url.QueryEscape(`source:staging stauts:error`))
	b.has("#q-wrong", "no field is called", "stauts")
	if got := eval[string](b, `document.getElementById("q").value + "|" + document.querySelector("#q-wrong mark").textContent`); got != "source:staging stauts:error|stauts" {
		t.Errorf("the mistake: %s", got)
	}
	b.picture("mistake")
	b.click("#q-help summary")
	b.waitShown("#q-help table")
	b.picture("help")

	// What was found, and the way into it.
	b.asks("Ribeira")
	b.lists("Weekend in Porto")
	b.has("#sessions a.hit", "Ribeira", "·")
	b.picture("hits")
	b.press("j" + kb.Enter)
	b.waitPath("/s/")
	b.ready()
	b.has("#matches", "match", "Ribeira")
	b.wait(`CSS.highlights.get("found").size > 0`)
	b.press("n")
	b.wait(`new URL(location.href).searchParams.get("event") === JSON.parse(document.getElementById("matches").dataset.events)[0] && document.querySelector("#detail h2")`)
	b.has("#matches", "1 of")
	b.picture("matches")
	last := eval[string](b, `JSON.parse(document.getElementById("matches").dataset.events).at(-1)`)
	b.press("N")
	b.wait(`new URL(location.href).searchParams.get("event") === ` + quote(last))
	b.dark(true)
	b.size(420, 850)
	b.picture("matches-dark-narrow")
	b.size(1280, 900)
	b.dark(false)
	b.press(kb.Escape)
	b.wait(`!new URL(location.href).searchParams.has("event") && !document.querySelector("#split.open")`)
	b.press(kb.Escape)
	b.wait(`location.pathname === "/" && location.search.includes("query=Ribeira")`)
}

// TestQueryWithoutScripts sends the box as a form.
func TestQueryWithoutScripts(t *testing.T) {
	b := shelf(t)
	b.asks("Ribeira")
	b.withoutScripts()
	b.open("/")
	b.fill("#q", `event(model:claude-opus-4.7) (duration>5s OR rating<0)`)
	b.click("#filters .search button")
	b.waitShown(".chips")
	b.lists("one", "Weekend in Porto")
	b.open("/?query=Ribeira")
	b.click("#sessions a.hit")
	b.waitShown("#detail article, #detail h2")
	b.click("#match-next")
	b.waitShown("#matches")
	b.open("/?query=x%3Ay")
	b.waitShown("#q-wrong")
}

// TestInsightsByStep looks at steps, errors and searches, and goes to what is behind them.
func TestInsightsByStep(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Docs", "production")
	now := time.Now().Add(-3 * time.Hour).Truncate(time.Second)
	for i := range 40 {
		steps(tracer, i, now.Add(time.Duration(i)*4*time.Minute))
	}
	deliver(t, tracer)
	b := newTab(t, s.URL())
	b.size(1280, 1000)
	b.asks("anything")
	b.show("/insights")
	b.has("#by-step", "keyword search", "answer", "Tokens")
	b.has("#by-kind", "retriever", "model")
	b.has("#by-error", "kind of error", "6")
	b.has("#by-prompt", "answer 1", "answer 2")
	b.has("#by-release", "v1.8", "v1.9")
	b.has("#by-user", "u-1")
	b.has("#by-feedback", "up", "none")
	b.has("#retrieval", "found nothing", "Score of the first document")
	b.has("#plot-duration", "Logarithmic axis") // one session took twenty minutes
	b.picture("insights")
	b.scrollTo("by-step")
	b.picture("insights-steps")
	b.scrollTo("retrieval")
	b.picture("insights-retrieval")
	b.dark(true)
	b.scrollTo("retrieval")
	b.picture("insights-retrieval-dark")
	b.size(420, 900)
	b.scrollTo("by-error")
	b.picture("insights-dark-narrow")
	b.size(1280, 1000)
	b.dark(false)
	b.click(`#axes a:nth-of-type(2)`)
	b.waitPath("axis=linear")
	b.ready()
	b.has("#plot-duration", "Linear axis")
	b.picture("insights-linear")

	for link, want := range map[string]string{
		`#by-step tbody tr:first-child a`:       "query=event",
		`#by-step tbody td.bad a`:               "error",
		`#by-release tbody a`:                   "release",
		`#no-documents`:                         "documents",
		`#questions a`:                          "question",
		`.score-bars a`:                         "score",
		`#plot-duration circle`:                 "start",
		`#by-feedback tbody tr:last-child th a`: "query=",
	} {
		b.show("/insights")
		if link == `#plot-duration circle` {
			b.click("#plot-duration g a:first-of-type circle")
		} else {
			b.open(eval[string](b, fmt.Sprintf(`document.querySelector(%s).getAttribute("href")`, quote(link))))
		}
		b.waitPath(want)
		b.ready()
		if n := len(b.names()); n == 0 {
			t.Errorf("%s leads to no session: %s", link, eval[string](b, `location.href`))
		}
	}
}

// steps is a pipeline with a search that is slow now and then and finds nothing for some.
func steps(tracer *sessionspan.Tracer, i int, at time.Time) {
	release := fmt.Sprintf("v1.%d", 8+i/20)
	ctx, session := tracer.StartSession(context.Background(), "ask the docs", sessionspan.WithStartTime(at), sessionspan.WithRelease(release),
		sessionspan.WithUserProperties(map[string]any{"user_id": fmt.Sprintf("u-%d", i%3)}), sessionspan.WithInputs(map[string]any{"question": fmt.Sprintf("how do I do %d?", i)}))
	took := 80 * time.Millisecond
	if i%8 == 0 {
		took = 1900 * time.Millisecond
	}
	_, search := tracer.StartEvent(ctx, sessionspan.Retriever, "keyword search", sessionspan.WithStartTime(at), sessionspan.WithInputs(map[string]any{"query": fmt.Sprintf("how do I do %d?", i%10)}))
	var found []sessionspan.Document
	for n := range i % 4 {
		found = append(found, sessionspan.Document{ID: fmt.Sprint(n), Content: "a page", Score: 0.9 - float64(n)/10 - float64(i)/100, HasScore: true})
	}
	search.SetDocuments(found...)
	at = at.Add(took)
	search.End(sessionspan.WithEndTime(at))
	_, answer := tracer.StartEvent(ctx, sessionspan.Model, "answer", sessionspan.WithStartTime(at), sessionspan.WithModel("openai", "gpt-5.2-mini"), sessionspan.WithPrompt("answer", fmt.Sprint(1+i%2)))
	if i%7 == 0 {
		answer.RecordError(errors.New("rate limit exceeded, retry in 20 s"))
	}
	answer.SetUsage(sessionspan.Usage{InputTokens: int64(900 + i), OutputTokens: 80})
	at = at.Add(400 * time.Millisecond)
	if i == 30 {
		at = at.Add(20 * time.Minute)
	}
	answer.End(sessionspan.WithEndTime(at))
	if i%5 == 0 {
		session.SetFeedback(map[string]any{"rating": 1})
	}
	session.End(sessionspan.WithEndTime(at))
}
