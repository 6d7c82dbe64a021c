package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"

	"github.com/sessionspan/sessionspan"
)

// TestZoom chooses parts of the time line by keys, by dragging on the axis and by links,
// and sees what the critical path is made of.
func TestZoom(t *testing.T) {
	b, session, failed := travel(t)
	b.show("/s/" + session + "?view=timeline")
	b.waitShown("#row-6 .bar")
	b.has("#critical", "Critical path", "chat", "search_hotels", "%")
	if n := eval[int](b, `[...document.querySelectorAll("#rows .body path.path")].filter((p) => p.getAttribute("d") !== "").length`); n < 6 {
		t.Errorf("%d rows are marked as being on the critical path", n)
	}
	b.press("e") // to the call that failed
	b.waitText("#rows .row.current", "search_hotels")
	b.press("z")
	b.waitPath("zoom=")
	b.ready()
	const width = `(() => {
		const row = [...document.querySelectorAll("#rows .row[data-event]")].find((r) => r.dataset.event === "EVENT");
		return row.querySelector(".bar").getBoundingClientRect().width / row.querySelector(".axis").getBoundingClientRect().width;
	})()`
	wide := strings.ReplaceAll(width, "EVENT", failed)
	b.wait(wide + ` > 0.95`)
	b.click("#zoom-out")
	b.wait(`document.readyState === "complete" && ` + wide + ` < 0.6 && ` + wide + ` > 0.4`)
	b.ready()
	b.press("Z")
	b.wait(`!location.search.includes("zoom=")`)
	b.ready()
	b.wait(wide + ` < 0.3`)
	// Half of the axis is dragged over.
	eval[bool](b, `(() => {
		const head = document.querySelector("#rows .head-row .axis"), box = head.getBoundingClientRect();
		const at = (type, part) => head.dispatchEvent(new PointerEvent(type, { pointerId: 1, bubbles: true, button: 0, clientX: box.left + part * box.width, clientY: box.top + 5 }));
		head.setPointerCapture = () => {};
		at("pointerdown", 0.25); at("pointermove", 0.5); at("pointerup", 0.75);
		return true;
	})()`)
	b.waitPath("zoom=")
	b.ready()
	if zoom := eval[string](b, `new URL(location.href).searchParams.get("zoom")`); !strings.HasPrefix(zoom, "263") {
		t.Errorf("a quarter of 10.55 s is %s", zoom)
	}
	b.click("#zoom-all")
	b.wait(`!location.search.includes("zoom=")`)

	b.withoutScripts()
	b.open("/s/" + session + "?view=timeline&event=" + failed)
	b.waitShown("#zoom-event")
	b.click("#zoom-event")
	b.waitShown("#zoom-all")
	b.waitShown("#zoom-later")
}

// TestLanes reads three agents that ran at the same time, called as tools by another.
func TestLanes(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	id := fanOut(tracer, anHourAgo())
	deliver(t, tracer)
	b := newTab(t, s.URL())
	b.show("/s/" + id)
	names := eval[[]string](b, `[...document.querySelectorAll("#thread .lane")].map((l) => l.querySelector(".lane-head bdi").textContent + ": " + [...l.querySelectorAll(".prose")].map((p) => p.textContent.trim()).join(", "))`)
	want := "flights: find flights, flights found|hotels: find hotels, hotels found|museums: find museums, museums found"
	if got := strings.Join(names, "|"); got != want {
		t.Errorf("the lanes are %q, want %q", got, want)
	}
	// Beside each other where there is room.
	side := eval[bool](b, `(() => { const l = [...document.querySelectorAll("#thread .lane")].map((l) => l.getBoundingClientRect()); return l[0].right <= l[1].left && l[1].right <= l[2].left; })()`)
	if !side {
		t.Error("the lanes are not beside each other")
	}
	// Each stands under the call that asked for it, too.
	calls := b.calls()
	for i, who := range []string{"flights", "hotels", "museums"} {
		if len(calls) != 3 || !strings.Contains(calls[i], "agent "+who) || !strings.Contains(calls[i], who+" found") {
			t.Errorf("call %d is %q", i, calls)
		}
	}
	b.size(420, 900)
	if !eval[bool](b, `(() => { const l = [...document.querySelectorAll("#thread .lane")].map((l) => l.getBoundingClientRect()); return l[0].bottom <= l[1].top && document.documentElement.scrollWidth <= innerWidth; })()`) {
		t.Error("the lanes are not below each other in a narrow window")
	}
}

// fanOut is a run of an agent that calls three others as tools.
func fanOut(tracer *sessionspan.Tracer, at time.Time) string {
	c := &clock{at}
	ctx, s := tracer.StartSession(context.Background(), "plan a trip", c.start(), sessionspan.WithInputs(map[string]any{"question": "Plan a trip to Porto."}))
	whole, boss := sessionspan.StartEvent(ctx, sessionspan.Agent, "planner", c.start())
	who := []string{"flights", "hotels", "museums"}
	var asks []sessionspan.ToolCall
	for _, name := range who {
		asks = append(asks, sessionspan.ToolCall{ID: "call-" + name, Name: "ask_" + name, Arguments: map[string]any{"about": name}})
	}
	_, plan := sessionspan.StartEvent(whole, sessionspan.Model, "plan", c.start(), sessionspan.WithModel("openai", "gpt-5.2-mini"), sessionspan.WithMessages(user("Plan a trip to Porto.")))
	plan.SetReply(sessionspan.Message{Role: "assistant", ToolCalls: asks})
	plan.End(c.end(time.Second))
	began := c.at
	for i, name := range who {
		from := began.Add(time.Duration(i) * 10 * time.Millisecond)
		ctx, agent := sessionspan.StartEvent(whole, sessionspan.Agent, name, sessionspan.WithStartTime(from), sessionspan.WithMetadata(map[string]any{"tool_call_id": "call-" + name}))
		_, call := sessionspan.StartEvent(ctx, sessionspan.Model, "chat", sessionspan.WithStartTime(from.Add(5*time.Millisecond)), sessionspan.WithModel("openai", "gpt-5.2-mini"), sessionspan.WithMessages(user("find "+name)))
		call.SetReply(sessionspan.Message{Role: "assistant", Content: name + " found"})
		call.SetUsage(sessionspan.Usage{InputTokens: 100, OutputTokens: 20})
		call.End(sessionspan.WithEndTime(from.Add(900 * time.Millisecond)))
		agent.SetOutputs(map[string]any{"answer": name + " found"})
		agent.End(sessionspan.WithEndTime(from.Add(950 * time.Millisecond)))
	}
	c.at = began.Add(time.Second)
	boss.End(c.end(0))
	s.SetOutputs(map[string]any{"answer": "Fly on Friday."})
	s.End(c.end(0))
	return s.ID()
}

// TestTimes shows times by the reader's clock and how long ago they were, and in UTC
// where that is chosen.
func TestTimes(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	at := time.Now().Add(-5*time.Minute - 30*time.Second).Truncate(time.Second).UTC()
	id := answered(tracer, "recent", 0, at)
	old := time.Date(2026, 1, 31, 22, 30, 15, 0, time.UTC)
	answered(tracer, "old", 0, old)
	deliver(t, tracer)
	b := newTab(t, s.URL())
	call(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kolkata"})
	b.show("/")
	b.has("#sessions tbody tr:first-child .row-time", "min ago")
	b.has("#sessions tbody tr:last-child .row-time", "04:00:15", "2026-02-01")
	if title := eval[string](b, `document.querySelector("#sessions tbody tr:last-child time").title`); title != "2026-01-31 22:30:15.000 UTC" {
		t.Errorf("the time is said to be %s", title)
	}
	if eval[bool](b, `document.querySelector("#sessions .utc").offsetWidth > 0`) {
		t.Error("the head says UTC of local times")
	}
	b.show("/s/" + id + "?event=" + id)
	b.has("#detail .facts", at.Add(5*time.Hour+30*time.Minute).Format("2006-01-02 15:04:05"))
	b.press("?")
	b.click("#times-local")
	b.wait(`document.documentElement.dataset.times === "utc"`)
	b.ready()
	b.has("#detail .facts", at.Format("2006-01-02 15:04:05"), "UTC")
	b.withoutScripts()
	b.open("/")
	b.waitShown("#sessions")
	b.has("#sessions", "Started (UTC)", "22:30:15", "2026-01-31")
}

// TestSavedFilters keeps a filter by a name, and leads to it by a link.
func TestSavedFilters(t *testing.T) {
	s := start(t)
	history(t, s.URL(), 9)
	b := newTab(t, s.URL())
	b.show("/")
	if eval[bool](b, `document.getElementById("saved").offsetHeight > 0`) {
		t.Error("a list without a filter has something to save")
	}
	b.show("/?source=staging&sort=duration")
	b.fill("#saved-name", "slow <staging>")
	b.press(kb.Enter)
	b.waitText("#saved ul", "slow <staging>")
	b.show("/")
	b.click("#saved a")
	b.waitPath("source=staging")
	b.ready()
	if n := len(b.names()); n != 4 {
		t.Errorf("%d sessions are listed", n)
	}
	if eval[string](b, `new URL(document.querySelector("#saved a").href).search`) != "?sort=duration&source=staging" || b.count("#saved a[aria-current]") != 1 {
		t.Error("the filter is no link, or not said to be on")
	}
	b.click("#saved li button")
	b.wait(`document.querySelectorAll("#saved li").length === 0`)
	b.show("/")
	if eval[bool](b, `document.getElementById("saved").offsetHeight > 0`) {
		t.Error("what was forgotten is still there")
	}
}

// TestCopyEverything copies a message as it was written, arguments, documents and
// values.
func TestCopyEverything(t *testing.T) {
	b, session, failed := travel(t)
	b.show("/s/" + session + "?event=" + failed)
	const read = `navigator.clipboard.readText()`
	copied := func(selector, want string) {
		t.Helper()
		eval[bool](b, `navigator.clipboard.writeText("").then(() => true)`)
		b.click(selector)
		b.wait(`document.querySelector(` + quote(selector) + `).dataset.done === "Copied"`)
		if got := eval[string](b, read); !strings.Contains(got, want) {
			t.Errorf("%s copies %q, want %q", selector, got, want)
		}
	}
	copied("#said .assistant > .copy", "| Flight | X3 412, Friday 4 December | 148 € |") // not what is made of it
	copied("#thread .message.system .copy", "You are a travel agent. Use the tools. Answer in markdown.")
	copied("#thread .call .copied .copy", `"day": "2026-12-04"`)
	copied(`#detail [data-bucket="metadata"] td .copy`, "c2")
}
