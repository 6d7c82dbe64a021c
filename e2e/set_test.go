package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestThroughASet goes through the sessions of a filter by the keyboard alone, rates
// those that nobody has rated, and comes back to the list.
func TestThroughASet(t *testing.T) {
	s := start(t)
	history(t, s.URL(), 12)
	b := newTab(t, s.URL())
	b.show("/?source=staging")
	ids := eval[[]string](b, `[...document.querySelectorAll("#sessions tr[data-session]")].map((r) => r.dataset.session)`)
	if len(ids) != 6 {
		t.Fatalf("%d sessions are listed", len(ids))
	}
	b.press("j")
	b.press(kb.Enter)
	b.waitPath("/s/" + ids[0])
	b.ready()
	for _, id := range ids[1:] {
		b.press("]")
		b.waitPath("/s/" + id)
		b.ready()
	}
	b.press("]")
	b.waitPath("end=next")
	b.ready()
	b.has("#set-end", "last session of the list")
	b.press("[")
	b.waitPath("/s/" + ids[4])
	b.ready()
	b.press("2") // the view stays the same from session to session
	b.waitPath("view=tree")
	b.ready()
	b.press("[")
	b.waitPath("/s/" + ids[3])
	b.ready()
	if !eval[bool](b, `location.search.includes("view=tree")`) {
		t.Error("the view is another one")
	}
	b.press(kb.Escape)
	b.waitPath("/?source=staging")
	b.ready()
	b.wait(fmt.Sprintf(`document.activeElement.closest("tr")?.dataset.session === %q`, ids[3]))

	// Those of odd numbers are of staging: 1 and 7 have a rating.
	b.click("#queue-link")
	b.waitPath("queue=1")
	b.ready()
	b.click("#leave-queue")
	b.wait(`document.readyState === "complete" && !document.getElementById("queue")`)
	b.ready()
	b.do("go back", chromedp.NavigateBack())
	b.waitShown("#queue")
	b.ready()
	rated := 0
	for !eval[bool](b, `Boolean(document.getElementById("set-end"))`) {
		was := eval[string](b, `document.getElementById("session").dataset.session`)
		b.press("+")
		b.wait(fmt.Sprintf(`document.readyState === "complete" && (document.getElementById("session")?.dataset.session !== %q || document.getElementById("set-end"))`, was))
		b.ready()
		rated++
	}
	if rated != 4 {
		t.Errorf("%d sessions were rated", rated)
	}
	b.show("/?source=staging&feedback=none")
	b.has("#nothing", "No session matches")
	b.show("/?source=staging&feedback=up")
	if n := len(b.names()); n != 4 {
		t.Errorf("%d sessions are rated", n)
	}
}

// TestBulk selects sessions in the list, by mouse and by keyboard, rates and deletes
// them.
func TestBulk(t *testing.T) {
	s := start(t)
	history(t, s.URL(), 10)
	b := newTab(t, s.URL())
	b.show("/")
	if eval[bool](b, `document.getElementById("bulk").offsetHeight > 0`) {
		t.Error("there is a bar though nothing is selected")
	}
	b.press("jx")
	b.press("jx")
	b.waitShown("#bulk")
	b.has("#bulk-count", "2 selected")
	// New rows do not lose what is selected.
	tracer := newTracer(t, s.URL(), "Support assistant", "staging")
	answered(tracer, "late", 5, anHourAgo())
	deliver(t, tracer)
	b.waitText("#new:not([hidden])", "1 new")
	b.click("#new")
	b.wait(`document.querySelectorAll("#sessions tbody tr").length === 11`)
	b.has("#bulk-count", "2 selected")
	b.click("#bulk button[value=down]")
	b.wait(`document.querySelectorAll("#sessions .rating.down").length >= 2 && document.querySelectorAll("#sessions input:checked").length === 0`)
	b.ready()

	b.click("#select-all")
	b.has("#bulk-count", "11 selected")
	b.click("#select-all")
	b.click(`#sessions tbody tr:nth-child(2) input`)
	b.click("#bulk-delete")
	b.waitPath("/bulk")
	b.ready()
	b.has("#confirm", "Delete these sessions?", "One session")
	b.click("#keep")
	b.waitPath("/")
	b.ready()
	if n := len(b.names()); n != 11 {
		t.Errorf("%d sessions are left of those to keep", n)
	}
	b.click(`#sessions tbody tr:nth-child(2) input`)
	b.click("#bulk-delete")
	b.waitShown("#do")
	b.ready()
	b.click("#do")
	b.wait(`document.querySelectorAll("#sessions tbody tr").length === 10`)
	b.ready()
	b.show("/?source=production")
	b.click(`#sessions tbody tr:nth-child(1) input`)
	b.click("#bulk-all")
	b.click("#bulk-delete")
	b.waitShown("#do")
	b.has("#confirm", "4 sessions of the list")
	b.ready()
	b.click("#do")
	b.waitShown("#nothing")
	b.show("/")
	if n := len(b.names()); n != 6 {
		t.Errorf("%d sessions are left of other sources", n)
	}
}

// TestSetWithoutScripts does the same by links and forms.
func TestSetWithoutScripts(t *testing.T) {
	s := start(t)
	history(t, s.URL(), 6)
	b := newTab(t, s.URL())
	b.withoutScripts()
	b.open("/?source=production")
	b.click("#sessions tbody a.open")
	b.waitShown("#next-session")
	b.click("#next-session")
	b.waitShown("#next-session")
	b.click("#next-session")
	b.waitShown("#next-session")
	b.click("#next-session")
	b.waitShown("#set-end")
	b.click("#back")
	b.waitShown("#bulk")
	b.click(`#sessions tbody tr:nth-child(1) input`)
	b.click(`#sessions tbody tr:nth-child(2) input`)
	b.click("#bulk-compare")
	b.waitShown("#compared")
	if at := eval[string](b, `location.search`); strings.Count(at, "id=") != 2 || strings.Contains(at, "return") {
		t.Errorf("compares at %s", at)
	}
	b.open("/?source=production")
	b.click(`#sessions tbody tr:nth-child(1) input`)
	b.click("#bulk-delete")
	b.waitShown("#do")
	b.click("#do")
	b.waitShown("#sessions")
	if n := b.count("#sessions tbody tr"); n != 2 {
		t.Errorf("%d sessions are left", n)
	}
}
