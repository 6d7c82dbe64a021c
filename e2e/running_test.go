package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// running is a session that runs on a server, with a tab on a view of it.
type running struct {
	*tab
	t       *testing.T
	tracer  *sessionspan.Tracer
	session *sessionspan.Session
	ctx     context.Context
	n       int
}

func newRunning(t *testing.T, query string, events int) *running {
	s := start(t)
	r := &running{t: t, tracer: newTracer(t, s.URL(), "Travel", "staging", exporter.WithLiveSessions())}
	r.ctx, r.session = r.tracer.StartSession(context.Background(), "running", sessionspan.WithInputs(map[string]any{"question": "how long?"}))
	r.poll(events)
	r.tab = newTab(t, s.URL())
	r.show("/s/" + r.session.ID() + query)
	eval[bool](r.tab, `window.same = true`)
	return r
}

// poll ends so many events more.
func (r *running) poll(events int) {
	for range events {
		_, e := sessionspan.StartEvent(r.ctx, sessionspan.Tool, fmt.Sprintf("poll %d", r.n), sessionspan.WithInputs(map[string]any{"i": r.n}))
		e.SetOutputs(map[string]any{"messages": r.n % 3})
		e.End()
		r.n++
	}
	flush(r.t, r.tracer)
}

// stayed fails the test where the page was loaded anew.
func (r *running) stayed() {
	r.t.Helper()
	if !eval[bool](r.tab, `window.same === true`) {
		r.t.Fatal("the page was loaded anew")
	}
}

const sees = `((e) => { const box = e?.getBoundingClientRect(); return Boolean(e) && box.top >= -1 && box.bottom <= innerHeight + 1; })`

// TestRunningTree watches the tree of a session that runs: its rows come without
// the page being loaded, and what is chosen, current, closed and focused stays.
func TestRunningTree(t *testing.T) {
	for _, view := range []string{"tree", "timeline"} {
		t.Run(view, func(t *testing.T) {
			r := newRunning(t, "?view="+view, 3)
			r.rows(3)
			r.press("jj")
			r.waitText("#row-2.current", "poll 2")
			r.press(kb.Enter)
			r.waitText("#detail h2", "poll 2")
			eval[bool](r.tab, `(document.getElementById("rows").focus(), true)`)
			// An event that starts before all others stands before them.
			_, e := sessionspan.StartEvent(r.ctx, sessionspan.Tool, "before", sessionspan.WithStartTime(time.Now().Add(-time.Hour)))
			e.End(sessionspan.WithEndTime(time.Now().Add(-time.Hour)))
			r.poll(2)
			r.rows(6)
			r.has("#row-0", "before")
			r.has("#row-5", "poll 4")
			r.stayed()
			r.has("#row-3.current.chosen", "poll 2")
			r.has("#detail h2", "poll 2")
			r.has("#session .figures", "Events 6")
			if focus := eval[string](r.tab, `document.activeElement.id`); focus != "rows" {
				t.Errorf("the focus is on %q", focus)
			}
			r.press("j")
			r.has("#row-4.current", "poll 3")
			r.session.End()
			flush(t, r.tracer)
			r.waitText("h1 + .state", "ok")
			r.stayed()
		})
	}
}

// TestRunningTreeKeepsItsPlace reads in the middle of a tree while it grows.
func TestRunningTreeKeepsItsPlace(t *testing.T) {
	r := newRunning(t, "?view=tree", 0)
	for _, name := range []string{"first batch", "second batch"} {
		all := r.ctx
		ctx, batch := sessionspan.StartEvent(r.ctx, sessionspan.Chain, name)
		r.ctx = ctx
		r.poll(60)
		batch.End()
		r.ctx = all
	}
	r.poll(1)
	r.wait(`document.getElementById("rows")?.dataset.total !== undefined && document.getElementById("rows").getAttribute("aria-rowcount") === "123"`)
	eval[bool](r.tab, `(document.getElementById("rows").scrollTop = 0, true)`) // away from the end, which was followed
	r.wait(`document.querySelector("#row-0 .fold")?.hidden === false`)
	r.click("#row-0 .fold") // closes the first batch
	r.wait(`document.getElementById("row-61")?.textContent.includes("second batch") && !document.getElementById("row-1")`)
	eval[bool](r.tab, `(document.getElementById("rows").scrollTop = 300, true)`)
	const top = `(() => {
		const grid = document.getElementById("rows").getBoundingClientRect();
		const place = (r) => r.getBoundingClientRect().top;
		const row = [...document.querySelectorAll("#rows .body .row")].sort((a, b) => place(a) - place(b)).find((r) => place(r) >= grid.top + 28);
		return row.dataset.event + " " + Math.round(row.getBoundingClientRect().top - grid.top);
	})()`
	r.wait(`document.querySelector("#row-70[data-event]")`)
	before := eval[string](r.tab, top)
	_, e := sessionspan.StartEvent(r.ctx, sessionspan.Tool, "before", sessionspan.WithStartTime(time.Now().Add(-time.Hour)))
	e.End(sessionspan.WithEndTime(time.Now().Add(-time.Hour)))
	r.poll(4)
	r.wait(`document.getElementById("rows").getAttribute("aria-rowcount") === "128"`)
	r.wait(fmt.Sprintf(`%s === %s`, top, quote(before)))
	eval[bool](r.tab, `(document.getElementById("rows").scrollTop = 0, true)`)
	r.wait(`document.getElementById("row-1")?.getAttribute("aria-expanded") === "false" && !document.getElementById("row-2")`)
	r.waitText("#more:not([hidden])", "new events")
	r.click("#more")
	r.wait(sees + `(document.getElementById("row-127"))`)
	r.wait(`document.getElementById("more").hidden`)
	// Who is at the end stays there.
	r.poll(5)
	r.wait(sees + `(document.getElementById("row-132"))`)
	r.stayed()
}

// TestRunningThread reads the thread of a session that runs.
func TestRunningThread(t *testing.T) {
	r := newRunning(t, "", 2)
	r.waitText("#thread", "poll 1")
	// Who is at its end stays there.
	eval[bool](r.tab, `(scrollTo(0, 1e6), true)`)
	r.wait(`scrollY > 0`)
	r.poll(10)
	r.wait(sees + `([...document.querySelectorAll("#thread .turn .turn-head")].find((h) => h.textContent.includes("poll 11")))`)
	// Scrolled up, nothing moves, what is selected stays, and the reader is told.
	eval[bool](r.tab, `(scrollTo(0, 60), getSelection().selectAllChildren(document.querySelector("#thread .turn:nth-of-type(1)")), document.querySelector("#thread .turn[data-event] a.open").focus({preventScroll: true}), true)`)
	r.wait(`scrollY === 60`)
	selected, focus := eval[string](r.tab, `String(getSelection())`), eval[string](r.tab, `document.activeElement.textContent`)
	r.poll(3)
	r.waitText("#thread", "poll 14")
	r.waitText("#more:not([hidden])", "3 new events")
	if again := eval[string](r.tab, `String(getSelection())`); again != selected || !strings.Contains(again, "poll 0") {
		t.Errorf("selected is %q, was %q", again, selected)
	}
	if again := eval[string](r.tab, `document.activeElement.textContent`); again != focus {
		t.Errorf("the focus is on %q, was on %q", again, focus)
	}
	if y := eval[float64](r.tab, `scrollY`); y != 60 {
		t.Errorf("the page is scrolled to %v", y)
	}
	// What is written stays, too.
	r.press("f")
	r.wait(`document.activeElement.id === "comment"`)
	r.press("so far")
	r.poll(1)
	r.waitText("#thread", "poll 15")
	if got := eval[string](r.tab, `document.activeElement.value`); got != "so far" {
		t.Errorf("the comment is %q", got)
	}
	r.press(kb.Escape)
	r.press(kb.Escape)
	r.wait(`!location.search.includes("event=")`)
	r.click("#more")
	r.wait(sees + `([...document.querySelectorAll("#thread .turn .turn-head")].find((h) => h.textContent.includes("poll 15")))`)
	// The end goes on over pages of the thread.
	r.poll(60)
	r.waitText("#thread", "poll 75")
	r.wait(sees + `([...document.querySelectorAll("#thread .turn .turn-head")].find((h) => h.textContent.includes("poll 75")))`)
	r.stayed()
	r.session.SetOutputs(map[string]any{"answer": "long enough"})
	r.session.End()
	flush(t, r.tracer)
	r.waitText("#said", "long enough")
	r.waitText("h1 + .state", "ok")
	r.stayed()
}

// TestWayBack opens a row of a list that is filtered, sorted, on its second page
// and scrolled, and comes back to it in each way that there is.
func TestWayBack(t *testing.T) {
	s := start(t)
	history(t, s.URL(), 260)
	b := newTab(t, s.URL())
	b.size(1280, 700)
	b.show("/?source=production&sort=duration&dir=asc")
	b.click("#next")
	b.waitPath("after=")
	b.ready()
	here := eval[string](b, `location.pathname + location.search`)
	b.press(strings.Repeat("j", 18))
	row := eval[string](b, `document.querySelector("tr.current").id`)
	y := eval[float64](b, `scrollY`)
	if y == 0 {
		t.Fatal("the list is not scrolled: the test shows nothing")
	}
	for name, back := range map[string]func(){
		"Esc":         func() { b.press(kb.Escape) },
		"the link":    func() { b.click("#back") },
		"the browser": func() { b.do("go back", chromedp.NavigateBack()) },
		"after looking around": func() {
			b.press("2")
			b.waitPath("view=tree")
			b.ready()
			b.wait(`document.querySelector("#row-0[data-event]")`)
			b.press(kb.Enter)
			b.waitPath("event=")
			b.press(kb.Escape)
			b.wait(`!location.search.includes("event=") && !document.querySelector("#close")`) // the panel is gone, which Escape closes first
			b.press(kb.Escape)
		},
	} {
		b.press(kb.Enter)
		b.waitPath("/s/")
		b.ready()
		back()
		b.waitPath("sort=duration")
		b.wait(`location.pathname === "/"`)
		b.ready()
		if got := eval[string](b, `location.pathname + location.search`); got != here {
			t.Errorf("%s leads to %s, not to %s", name, got, here)
		}
		b.wait(`document.querySelector("tr.current") !== null`)
		if got := eval[string](b, `document.querySelector("tr.current").id + " " + document.activeElement.closest("tr")?.id`); got != row+" "+row {
			t.Errorf("%s leads to the row %s, not to %s", name, got, row)
		}
		if got := eval[float64](b, `scrollY`); got != y {
			t.Errorf("%s leads to %v px, not to %v", name, got, y)
		}
	}
	// Without scripts the link does it.
	plain := newTab(t, s.URL())
	plain.withoutScripts()
	plain.open(here)
	plain.click("#" + row + " a.open")
	plain.waitShown("#back")
	plain.click("#back")
	plain.waitShown("#sessions")
	if got := eval[string](plain, `location.pathname + location.search + location.hash`); got != here+"#"+row {
		t.Errorf("without scripts the link leads to %s, not to %s", got, here+"#"+row)
	}
}

// TestNextErrorIsSeen goes along the errors of a large tree, and of a thread in
// which they stand in the calls of tools and on other pages.
func TestNextErrorIsSeen(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	ctx, large := tracer.StartSession(context.Background(), "large")
	for i := range 400 {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, fmt.Sprintf("file %d", i))
		if i == 230 || i == 390 {
			e.RecordError(fmt.Errorf("invalid byte in file %d", i))
		}
		e.End()
	}
	large.End()
	ctx, asks := tracer.StartSession(context.Background(), "asks")
	say(ctx, "ask", sessionspan.Message{ToolCalls: []sessionspan.ToolCall{{ID: "a", Name: "weather", Arguments: `{"city": "Rome"}`}}},
		user("Rome? "+strings.Repeat("Please. ", 1500)))
	weather(ctx, "Rome", fmt.Errorf("no weather for Rome"))
	at := time.Now()
	for i := range 80 {
		at = at.Add(10 * time.Millisecond)
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, fmt.Sprint("city ", i), sessionspan.WithStartTime(at))
		if i == 70 {
			e.RecordError(errors.New("no such city"))
		}
		e.End(sessionspan.WithEndTime(at))
	}
	asks.End()
	deliver(t, tracer)
	b := newTab(t, s.URL())
	b.size(1280, 600)
	for _, view := range []string{"tree", "timeline"} {
		for _, next := range []func(){func() { b.press("e") }, func() { b.click("#errors") }} {
			b.show("/s/" + large.ID() + "?view=" + view)
			b.wait(`document.querySelector("#row-0[data-event]")`)
			next()
			b.wait(sees + `(document.querySelector("#row-230.current"))`)
		}
		b.press("e")
		b.wait(sees + `(document.querySelector("#row-390.current"))`)
		b.press("E")
		b.wait(sees + `(document.querySelector("#row-230.current"))`)
	}
	b.show("/s/" + asks.ID())
	b.press("e")
	b.wait(sees + `(document.querySelector("#thread .call .run.current .failed"))`)
	b.has("#thread .run.current", "no weather for Rome")
	b.press("e")
	b.waitPath("from=50")
	b.ready()
	b.wait(sees + `(document.querySelector("#thread .turn.current .failed"))`)
	b.has("#thread .turn.current", "city 70", "no such city")
	b.press("E")
	b.wait(`!location.search.includes("from=50")`)
	b.ready()
	b.wait(sees + `(document.querySelector("#thread .run.current .failed"))`)
	b.show("/s/" + asks.ID() + "?from=50")
	b.click("#errors")
	b.waitPath("event=")
	b.ready()
	b.wait(sees + `(document.querySelector("#thread .run.current .failed"))`)
}
