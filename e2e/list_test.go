package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// shelf is a list of five sessions that differ in all that filters know.
func shelf(t *testing.T) *tab {
	s := start(t)
	now := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	travel := newTracer(t, s.URL(), "Travel", "staging")
	agent(travel, now)
	broken(travel, now.Add(10*time.Minute))
	deliver(t, travel)
	support := newTracer(t, s.URL(), "Support assistant", "production")
	for i, name := range []string{"zero", "one", "two"} { // rated up, rated down, not rated
		answered(support, name, i, now.Add(time.Duration(20+10*i)*time.Minute))
	}
	deliver(t, support)
	return newTab(t, s.URL())
}

func TestListShowsSessions(t *testing.T) {
	b := shelf(t)
	b.show("/")
	b.lists("two", "one", "zero", "broken stream", "Weekend in Porto")
	b.has("#figures", "Sessions 5", "Errors 1", "p50", "p90", "p99", "Tokens in / out", "Cost")
	row := "#sessions tbody tr:last-child"
	b.has(row, "Find me a weekend in Porto", "Here is a weekend that fits", "staging", "u-0007", "3,436 / 371")
	b.has("#sessions tbody tr:nth-child(4)", "error", "read the stream: unexpected EOF")
	if up := b.text("#sessions tbody tr:nth-child(3) .rating"); up != "up" {
		t.Errorf("the rating is shown as %q", up)
	}
	b.click(row + " a.open")
	b.waitPath("/s/")
	b.has("h1", "Weekend in Porto")
	b.do("go back", chromedp.NavigateBack())
	b.waitPath(b.base + "/")
}

func TestListSearchAndFilters(t *testing.T) {
	b := shelf(t)
	b.show("/")
	b.press("/")
	b.wait(`document.activeElement.id === "q"`)
	b.press("Ribeira" + kb.Enter) // what a tool was called with
	b.waitPath("query=Ribeira")
	b.lists("Weekend in Porto")
	b.click(".chips a.clear")
	b.wait(`location.search === "" && document.querySelectorAll("#sessions tbody tr").length === 5`)

	for _, c := range []struct {
		name, value string
		want        []string
	}{
		{"project", "Travel", []string{"broken stream", "Weekend in Porto"}},
		{"source", "production", []string{"two", "one", "zero"}},
		{"user", "u-0001", []string{"one"}},
		{"model", "claude-opus-4.7", []string{"one", "Weekend in Porto"}},
		{"min_ms", "5000", []string{"Weekend in Porto"}},
		{"max_ms", "1190", []string{"one", "zero"}},
		{"min_cost", "0.01", []string{"Weekend in Porto"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.show("/")
			b.click("details.more summary")
			b.fill(`#filters [name="`+c.name+`"]`, c.value)
			b.click("details.more button.primary")
			b.waitPath(c.name + "=" + url.QueryEscape(c.value))
			b.lists(c.want...)
			if b.count(".chips li") != 2 { // the filter, and the one that clears all
				t.Errorf("the chips are %s", b.text(".chips"))
			}
			b.click(".chips li:first-child a")
			b.wait(`!location.search.includes("` + c.name + `=") && document.querySelectorAll("#sessions tbody tr").length === 5`)
		})
	}
	for _, c := range []struct {
		name, value string
		want        []string
	}{
		{"status", "error", []string{"broken stream"}},
		{"feedback", "up", []string{"zero"}},
		{"feedback", "down", []string{"one"}},
		{"feedback", "none", []string{"two", "broken stream", "Weekend in Porto"}},
		{"since", "24h", []string{"two", "one", "zero", "broken stream", "Weekend in Porto"}},
	} {
		t.Run(c.name+" "+c.value, func(*testing.T) {
			b.show("/")
			if c.name == "feedback" {
				b.click("details.more summary")
			}
			// Choosing needs no button of the mouse: the form is sent as it stands.
			eval[bool](b, fmt.Sprintf(`(() => { const s = document.querySelector('#filters [name=%s]'); s.value = %q; return s.value !== "" })()`, c.name, c.value))
			b.click("#filters .search button")
			b.waitPath(c.name + "=" + c.value)
			b.lists(c.want...)
		})
	}
	b.show("/?status=running")
	b.has("#nothing", "No session matches")
	b.show("/?status=nonsense")
	b.has(".problems", "status is none of the choices")
}

func TestListSuggestions(t *testing.T) {
	b := shelf(t)
	b.show("/")
	b.click("details.more summary")
	b.click(`[data-facet="model"]`)
	b.wait(`document.querySelectorAll("#facet-model option").length === 3`)
}

func TestListSorts(t *testing.T) {
	b := shelf(t)
	for column, want := range map[string][]string{
		"name":     {"zero", "two", "one", "broken stream", "Weekend in Porto"},
		"duration": nil, "tokens": nil, "cost": nil, "errors": nil,
	} {
		b.show("/")
		head := fmt.Sprintf(`th a[href*="sort=%s"]`, column)
		b.click(head)
		b.waitPath("sort=" + column)
		down := b.names()
		if want != nil && !slices.EqualFunc(down, want, strings.EqualFold) {
			t.Errorf("by %s: %q, want %q", column, down, want)
		}
		if want == nil && down[0] != "Weekend in Porto" && column != "errors" {
			t.Errorf("by %s: %q", column, down) // it is the longest and the dearest
		}
		b.wait(`document.querySelector('th[aria-sort="descending"]') !== null`)
		b.click(`th[aria-sort="descending"] a`)
		b.waitPath("dir=asc")
		up := b.names()
		slices.Reverse(up)
		if want != nil && !slices.Equal(up, down) {
			t.Errorf("by %s: %q up, %q down", column, up, down)
		}
	}
}

func TestListPages(t *testing.T) {
	s := start(t)
	const total = 230
	history(t, s.URL(), total)
	b := newTab(t, s.URL())
	seen := make(map[string]bool)
	b.show("/")
	for page := 1; ; page++ {
		ids := eval[[]string](b, `[...document.querySelectorAll("#sessions tbody tr")].map((r) => r.dataset.session)`)
		for _, id := range ids {
			if seen[id] {
				t.Errorf("session %s is on two pages", id)
			}
			seen[id] = true
		}
		if b.count("#next") == 0 {
			break
		}
		if len(ids) != 100 {
			t.Errorf("page %d has %d rows", page, len(ids))
		}
		first := ids[0]
		b.click("#next")
		b.wait(fmt.Sprintf(`document.readyState === "complete" && document.querySelector("#sessions tbody tr").dataset.session !== %q`, first))
		b.ready()
	}
	if len(seen) != total {
		t.Errorf("the pages show %d sessions of %d", len(seen), total)
	}

	// The bars of the histogram count the same sessions.
	b.show("/")
	sum := 0
	for _, label := range eval[[]string](b, `[...document.querySelectorAll("#histogram a")].map((a) => a.getAttribute("aria-label"))`) {
		n, _ := strconv.Atoi(strings.Fields(label)[0])
		sum += n
	}
	if sum != total {
		t.Errorf("the histogram counts %d sessions of %d", sum, total)
	}

	// The brush: a drag over the last half of the time leaves what is in it.
	box := eval[[]float64](b, `(() => { const r = document.querySelector("#histogram svg").getBoundingClientRect(); return [r.left, r.top, r.width, r.height] })()`)
	b.do("drag over the histogram", chromedp.DragAndDropXY(box[0]+box[2]/2, box[1]+box[3]/2, box[0]+box[2]-2, box[1]+box[3]/2, 8))
	b.waitPath("from=")
	b.ready()
	at, err := url.Parse(eval[string](b, "location.href"))
	if err != nil || at.Query().Get("to") == "" {
		t.Fatalf("the brush leads to %s: %v", at, err)
	}
	var left int
	if _, err := fmt.Sscanf(b.text("#figures dd"), "%d", &left); err != nil || left < total/4 || left > total*3/4 {
		t.Errorf("%d sessions are left of %d: %v", left, total, err)
	}
	from, err := time.Parse("2006-01-02T15:04:05.999", at.Query().Get("from"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range eval[[]string](b, `[...document.querySelectorAll("#sessions time")].map((t) => t.getAttribute("datetime"))`) {
		if started, err := time.Parse(time.RFC3339Nano, text); err != nil || started.Before(from.Truncate(time.Second)) {
			t.Errorf("a session of %s is listed, from %s: %v", text, from, err)
		}
	}
}
