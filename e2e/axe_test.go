package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

func clockNow() time.Time { return time.Now().Add(-time.Hour).Truncate(time.Second) }

func visible(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(chromedp.CSS(selector))
}

// waitShown waits until an element is shown. It needs no scripts in the page.
func (b *tab) waitShown(selector string) {
	b.Helper()
	b.do("wait for "+selector, visible(selector))
}

// TestAxe asks axe-core about each view, in light and dark, wide and narrow.
func TestAxe(t *testing.T) {
	source, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("npm ci installs axe-core: %v", err)
	}
	empty := start(t)
	s := start(t)
	history(t, s.URL(), 30)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	session, failed := agent(tracer, clockNow())
	deliver(t, tracer)
	lost := orphan(t, s.URL())
	views := []struct {
		name, url string
		act       func(*tab)
	}{
		{"empty", empty.URL() + "/", nil},
		{"list", s.URL() + "/", nil},
		{"filters", s.URL() + "/?project=Travel&source=staging&status=nonsense", nil},
		{"nothing", s.URL() + "/?project=none", nil},
		{"keys", s.URL() + "/", func(b *tab) { b.press("?"); b.waitShown("#keys") }},
		{"thread", s.URL() + "/s/" + session, nil},
		{"event", s.URL() + "/s/" + session + "?event=" + failed, nil},
		{"record", s.URL() + "/s/" + session, func(b *tab) { b.click("#show-record"); b.waitShown("#feedback") }},
		{"tree", s.URL() + "/s/" + session + "?view=tree&event=" + failed, func(b *tab) { b.waitShown("#row-0 a") }},
		{"timeline", s.URL() + "/s/" + session + "?view=timeline", func(b *tab) { b.waitShown("#row-0 .bar") }},
		{"orphan", s.URL() + "/s/" + lost + "?view=tree", func(b *tab) { b.waitShown("#row-0 a") }},
		{"insights", s.URL() + "/insights", nil},
		{"leave", s.URL() + "/leave?to=https%3A%2F%2Fhotel.example%2F", nil},
		{"problem", s.URL() + "/s/nothing", nil},
	}
	for _, dark := range []bool{false, true} {
		for _, width := range []int64{1280, 420} {
			t.Run(fmt.Sprintf("dark %t width %d", dark, width), func(t *testing.T) {
				for _, v := range views {
					if width < 1000 && dark { // colours do not depend on the width
						continue
					}
					b := newTab(t, v.url)
					b.dark(dark)
					b.size(width, 900)
					b.do("open "+v.url, chromedp.Navigate(v.url))
					b.ready()
					if v.act != nil {
						v.act(b)
					}
					b.axe(v.name, string(source))
					if v.name == "problem" {
						b.expect("404")
					}
				}
			})
		}
	}
}

// axe fails the test for what axe-core finds in the page.
func (b *tab) axe(view, source string) {
	b.Helper()
	eval[bool](b, source+"\n;true")
	type finding struct {
		ID, Impact, Help string
		Nodes            []string
	}
	found := eval[struct {
		Passes     int
		Violations []finding
	}](b, `axe.run(document, { resultTypes: ["violations"] }).then((r) => ({
		Passes: r.passes.length,
		Violations: r.violations.map((v) => ({ ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.slice(0, 5).map((n) => n.target.join(" ") + ": " + n.html.slice(0, 200) + " " + n.failureSummary.slice(0, 300)) })),
	}))`)
	if found.Passes < 10 {
		b.Errorf("%s: axe looked at %d rules", view, found.Passes)
	}
	for _, v := range found.Violations {
		b.Errorf("%s: %s (%s): %s\n%q", view, v.ID, v.Impact, v.Help, v.Nodes)
	}
}
