package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// travel is a server with the agent's run, and a tab. It returns the ids of the
// session and of the call that failed.
func travel(t *testing.T) (b *tab, session, failed string) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	session, failed = agent(tracer, anHourAgo())
	deliver(t, tracer)
	return newTab(t, s.URL()), session, failed
}

// TestRAG looks at a run of the example, as the program itself delivers it.
func TestRAG(t *testing.T) {
	s := start(t)
	example(t, s.URL(), "rag", "-user", "ann", "What happens when a context is canceled?")
	b := newTab(t, s.URL())
	b.show("/")
	b.lists("answer a question")
	b.click("#sessions a.open")
	b.waitPath("/s/")
	b.ready()
	b.has("#session", "What happens when a context is canceled?", "ann", "retrieve")
	if n := b.count("#thread .doc"); n < 2 {
		t.Errorf("%d documents are shown", n)
	}
	// The bar of a score shows it against the best one.
	widths := eval[[]float64](b, `[...document.querySelectorAll("#thread .docs")[0].querySelectorAll(".doc .fill")].map((r) => r.getBoundingClientRect().width)`)
	if len(widths) < 2 || widths[0] <= widths[len(widths)-1] {
		t.Errorf("the bars of the scores are %v wide", widths)
	}
	b.click(`.tabs [data-view="tree"]`)
	b.rows(4)
	b.has("#rows", "load documents", "retrieve", "select", "answer")
}

// TestTwoServices looks at a session that two processes delivered.
func TestTwoServices(t *testing.T) {
	s := start(t)
	example(t, s.URL(), "distributed")
	b := newTab(t, s.URL())
	b.show("/")
	b.lists("ask across processes")
	b.click("#sessions a.open")
	b.waitPath("/s/")
	b.show(strings.TrimPrefix(eval[string](b, "location.href"), b.base) + "?view=tree")
	b.rows(2)
	// They follow each other in the document too, as a screen reader reads it.
	levels := eval[[]string](b, `[...document.querySelectorAll("#rows .body .row[data-event]")].map((r) => r.getAttribute("aria-level") + " " + r.querySelector("a.open").textContent)`)
	if fmt.Sprint(levels) != "[1 call the search service 2 search]" {
		t.Errorf("the tree is %q", levels)
	}
	b.click("#row-1 a.open")
	b.waitText("#detail h2", "search")
	b.has("#detail", "how does a session travel?", "process")
}

func TestThread(t *testing.T) {
	b, session, failed := travel(t)
	b.show("/s/" + session)
	b.has("h1", "Weekend in Porto")
	b.has("#record", "session_id", session, "project", "Travel", "source", "staging", "children_ids", "config", "inputs", "outputs",
		"error", "duration", "user_properties", "metrics", "feedback", "metadata", "start_time", "end_time", "session_name")
	if n := b.count("#record dt"); n != 16 {
		t.Errorf("the record has %d fields", n)
	}
	b.has("#session .figures", "Events 7", "Errors 1", "3,436 / 371", "0.0506", "claude-opus-4.7")
	b.has("#thread", "You are a travel agent", "leaving on a Friday", "I will look at flights and hotels.", "The hotel search failed")
	// A call stands with its result, and the failed one with its error.
	calls := eval[[]string](b, `[...document.querySelectorAll("#thread .call")].map((c) => c.textContent.replace(/\s+/g, " "))`)
	if len(calls) != 3 || !strings.Contains(calls[0], "X3 412") || !strings.Contains(calls[1], "timeout after 2 s") || !strings.Contains(calls[2], "Casa do Rio") {
		t.Errorf("the calls are %q", calls)
	}
	// Markdown is set, and links lead to a page that asks.
	if b.count("#thread .prose table") == 0 || b.count("#thread .prose strong") == 0 {
		t.Error("the answer is not set as markdown")
	}
	asks := b.other(func() { b.click(`#thread .prose a[href*="/leave"]`) })
	if !strings.Contains(asks, "/leave?") || !strings.Contains(asks, "leads to hotel.example") || !strings.Contains(asks, "https://hotel.example/casa") {
		t.Errorf("the link opens %s", asks)
	}

	// The panel opens in place, and its address opens it again.
	eval[bool](b, `window.same = true`)
	b.click(fmt.Sprintf(`#thread .call a[href*="event=%s"]`, failed))
	b.waitText("#detail h2", "search_hotels")
	if !eval[bool](b, "window.same") {
		t.Error("the page was loaded anew")
	}
	b.has("#detail", "timeout after 2 s", "Porto", "tool_call_id")
	b.show(strings.TrimPrefix(eval[string](b, "location.href"), b.base))
	b.has("#detail h2", "search_hotels")
	b.press(kb.Escape)
	b.wait(`!location.search.includes("event=") && !document.getElementById("split").classList.contains("open")`)
	b.do("go back", chromedp.NavigateBack())
	b.waitText("#detail h2", "search_hotels")
}

func TestKeys(t *testing.T) {
	b, session, _ := travel(t)
	b.show("/")
	b.press("?")
	b.wait(`document.getElementById("keys").open`)
	b.has("#keys", "next, previous row", "copy as JSON")
	b.press("j") // does nothing behind the dialog
	if b.count("tr.current") != 0 {
		t.Error("a key acted behind the dialog")
	}
	b.press(kb.Escape)
	b.wait(`!document.getElementById("keys").open`)
	b.press("j")
	b.wait(`document.querySelector("tr.current") !== null`)
	b.press(kb.Enter)
	b.waitPath(session)
	b.ready()
	for key, view := range map[string]string{"2": "tree", "3": "timeline", "1": "thread"} {
		b.press(key)
		b.wait(fmt.Sprintf(`document.getElementById("session")?.dataset.view === %q`, view))
		b.ready()
	}
	b.show("/s/" + session)
	b.press("j")
	first := b.text(".turn.current .turn-head a.open")
	b.press("j")
	b.press("k")
	if again := b.text(".turn.current .turn-head a.open"); again != first {
		t.Errorf("j and k lead from %q to %q", first, again)
	}
	b.show("/s/" + session + "?view=tree")
	b.rows(7)
	b.press("h")
	b.rows(1)
	b.press("l")
	b.rows(7)
	b.press("e")
	b.waitText("#rows .row.current", "search_hotels")
	b.press(kb.Enter)
	b.waitText("#detail h2", "search_hotels")
	b.press("f")
	b.wait(`document.activeElement.id === "comment"`)
	b.press("j1?") // letters in a field are letters
	if got := eval[string](b, `document.getElementById("comment").value`); got != "j1?" {
		t.Errorf("the comment is %q", got)
	}
	b.press(kb.Escape)
	b.press("y")
	b.waitText("#copy-event", "Copied")
	b.press("gi")
	b.waitPath("/insights")
	b.ready()
	b.press("gs")
	b.wait(`location.pathname === "/"`)
	b.ready()

	// Who needs single keys for other things turns them off.
	b.click("#help")
	b.click("#keys-on")
	b.press(kb.Escape)
	b.wait(`!document.getElementById("keys").open`)
	b.press("j")
	if b.count("tr.current") != 0 {
		t.Error("a key acts though keys are off")
	}
}

func TestTreeAndTimeline(t *testing.T) {
	b, session, failed := travel(t)
	b.show("/s/" + session + "?view=tree")
	b.rows(7)
	b.has("#row-0 .kind", "agent")
	b.has("#row-0", "travel agent", "3,436 / 371", "0.0506", "1") // those below are summed
	b.click("#row-0 .fold")
	b.rows(1)
	b.click("#row-0 .fold")
	b.rows(7)
	b.click(fmt.Sprintf(`#rows [data-event=%q] a.open`, failed))
	b.waitText("#detail h2", "search_hotels")

	b.click(`.tabs [data-view="timeline"]`)
	b.waitPath("view=timeline")
	b.ready()
	b.rows(7)
	// A bar starts where the one before it ends, and the first token lies in it.
	bars := eval[[]struct {
		Name               string
		Left, Right, First float64
	}](b, `[...document.querySelectorAll("#rows .body .row[data-event]")].map((r) => {
		const bar = r.querySelector(".bar").getBoundingClientRect();
		const first = r.querySelector(".first");
		return { Name: r.querySelector("a.open").textContent, Left: bar.left, Right: bar.right, First: Number(first.getAttribute("width")) > 0 ? first.getBoundingClientRect().left : 0 };
	})`)
	for i, bar := range bars {
		if i > 1 && (bar.Left < bars[i-1].Right-2 || bar.Left > bars[i-1].Right+2) {
			t.Errorf("the bar of %s starts at %v, the one before it ends at %v", bar.Name, bar.Left, bars[i-1].Right)
		}
		if isModel := bar.Name == "chat"; isModel != (bar.First > bar.Left && bar.First < bar.Right) {
			t.Errorf("the first token of %s is at %v of %v to %v", bar.Name, bar.First, bar.Left, bar.Right)
		}
	}
}

func TestBrokenStream(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	id := broken(tracer, time.Now().Add(-time.Minute))
	deliver(t, tracer)
	b := newTab(t, s.URL())
	b.show("/s/" + id)
	b.has("#session-error", "read the stream: unexpected EOF")
	b.has("#thread", "Porto lies at the mouth of the", "first token 310 ms", "unexpected EOF")
	b.has("h1 + .state", "error")
}

func TestOrphan(t *testing.T) {
	s := start(t)
	id := orphan(t, s.URL())
	b := newTab(t, s.URL())
	b.show("/")
	b.has("#sessions tbody .state", "orphan")
	b.show("/s/" + id + "?view=tree")
	b.has("#orphan", "Only events of this session have arrived")
	b.has("#orphans", "1 event waits for a parent")
	b.rows(2)
	b.has(`#rows [data-event$="0002"]`, "waits for its parent")
	b.click(`#rows [data-event$="0002"] a.open`)
	b.waitText("#detail .notice", "The parent of this event has not arrived.")
}

// TestCopies takes a session away: as a file, as JSON, as a curl line. What is
// taken away is posted to another server, which then holds the same.
func TestCopies(t *testing.T) {
	b, session, _ := travel(t)
	other := start(t)
	b.show("/s/" + session)
	b.click("#copy-json")
	b.waitText("#copy-json", "Copied")
	copied := eval[string](b, `navigator.clipboard.readText()`)
	if status, answer := post(t, other.URL()+"/session/start", copied); status != 200 {
		t.Fatalf("the copy is answered with %d %s:\n%.500s", status, answer, copied)
	}
	moved := record(t, other.URL(), session)
	was := record(t, b.base, session)
	if moved.EventName.Or("") != "Weekend in Porto" || moved.Inputs.String() != was.Inputs.String() {
		t.Errorf("the other server holds %s", moved.AppendJSON(nil))
	}

	b.click("#copy-case")
	b.waitText("#copy-case", "Copied")
	if line := eval[string](b, `navigator.clipboard.readText()`); !strings.Contains(line, `"session_id":"`+session+`"`) || !strings.HasPrefix(line, `{"name":"`) {
		t.Errorf("the case is %s", line)
	}
	b.click("#copy-curl")
	b.waitText("#copy-curl", "Copied")
	curl := eval[string](b, `navigator.clipboard.readText()`)
	if !strings.Contains(curl, "$HH_API_KEY") || !strings.Contains(curl, "/session/start") || !strings.Contains(curl, copied) {
		t.Errorf("the curl line is\n%s", curl)
	}

	lines := b.downloaded("*.jsonl", func() { b.click(`a[href$="session.jsonl"]`) })
	if n := strings.Count(string(lines), "\n"); n != 8 {
		t.Errorf("the file has %d lines:\n%.500s", n, lines)
	}
	for line := range strings.Lines(string(lines)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

// record asks a server for a session.
func record(t *testing.T, base, id string) honeyhive.Event {
	t.Helper()
	status, body := get(t, base+"/session/"+url.PathEscape(id))
	var e honeyhive.Event
	if err := json.Unmarshal([]byte(body), &e); err != nil || status != 200 {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	return e
}
