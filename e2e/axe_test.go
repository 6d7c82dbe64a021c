package e2e

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

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
	session, failed := agent(tracer, anHourAgo())
	lost := orphan(t, s.URL())
	quizzed(t, s.URL())
	old, _ := release(tracer, "gpt-5.2-mini", "Be brief.\nAnswer in English.", "In Porto.", 0.3)
	young, _ := release(tracer, "claude-opus-4.7", "Be brief.\nAnswer in English.\nAsk back.", "In Porto, since Friday.", 0.7)
	trip := fanOut(tracer, anHourAgo())
	deliver(t, tracer)
	views := []struct {
		name, url string
		act       func(*tab)
	}{
		{"empty", empty.URL() + "/", nil},
		{"list", s.URL() + "/", nil},
		{"filters", s.URL() + "/?project=Travel&source=staging&status=nonsense", nil},
		{"nothing", s.URL() + "/?project=none", nil},
		{"mistake", s.URL() + "/?query=stauts%3Aerror", func(b *tab) { b.click("#q-help summary"); b.waitShown("#q-help table") }},
		{"completion", s.URL() + "/", func(b *tab) { b.press("/"); b.press("stat"); b.waitShown("#q-options li") }},
		{"found", s.URL() + "/?query=kind%3Amodel", nil},
		{"found session", s.URL() + "/s/" + session + "?back=query%3Dkind%253Amodel", func(b *tab) { b.waitShown("#matches") }},
		{"keys", s.URL() + "/", func(b *tab) { b.press("?"); b.waitShown("#keys") }},
		{"thread", s.URL() + "/s/" + session, nil},
		{"event", s.URL() + "/s/" + session + "?event=" + failed, nil},
		{"record", s.URL() + "/s/" + session, func(b *tab) { b.click("#show-record"); b.waitShown("#feedback") }},
		{"tree", s.URL() + "/s/" + session + "?view=tree&event=" + failed, func(b *tab) { b.waitShown("#row-0 a") }},
		{"timeline", s.URL() + "/s/" + session + "?view=timeline", func(b *tab) { b.waitShown("#row-0 .bar") }},
		{"orphan", s.URL() + "/s/" + lost + "?view=tree", func(b *tab) { b.waitShown("#row-0 a") }},
		{"insights", s.URL() + "/insights", nil},
		{"no experiments", empty.URL() + "/runs", nil},
		{"experiments", s.URL() + "/runs", nil},
		{"experiment", s.URL() + "/runs", func(b *tab) { b.click("#runs a.open"); b.waitPath("/run?id="); b.ready() }},
		{"case", s.URL() + "/runs", func(b *tab) {
			b.click("#runs a.open")
			b.waitPath("/run?id=")
			b.click("#cases a.open")
			b.waitShown("#detail article")
			b.ready()
		}},
		{"lanes", s.URL() + "/s/" + trip, nil},
		{"zoom", s.URL() + "/s/" + session + "?view=timeline&zoom=1000-4000&event=" + failed, func(b *tab) { b.waitShown("#row-0") }},
		{"saved", s.URL() + "/?source=staging", func(b *tab) { b.fill("#saved-name", "mine"); b.press(kb.Enter); b.waitText("#saved ul", "mine") }},
		{"compare", s.URL() + "/compare?id=" + old + "&id=" + young, nil},
		{"compare with", s.URL() + "/compare?id=" + old, nil},
		{"queue", s.URL() + "/queue?source=staging", nil},
		{"end of a set", s.URL() + "/s/" + session + "?end=next", nil},
		{"selected", s.URL() + "/", func(b *tab) { b.press("jx"); b.waitShown("#bulk") }},
		{"confirm", s.URL() + "/", func(b *tab) { b.press("jx"); b.click("#bulk-delete"); b.waitShown("#confirm"); b.ready() }},
		{"leave", s.URL() + "/leave?to=https%3A%2F%2Fhotel.example%2F", nil},
		{"problem", s.URL() + "/s/nothing", nil},
	}
	looks := []struct {
		name  string
		dark  bool
		width int64
	}{{"light", false, 1280}, {"dark", true, 1280}, {"narrow", false, 420}}
	for _, v := range views {
		t.Run(v.name, func(t *testing.T) {
			b := newTab(t, v.url)
			b.size(looks[0].width, 900)
			b.do("open "+v.url, chromedp.Navigate(v.url))
			b.ready()
			if v.act != nil {
				v.act(b)
			}
			if v.name == "problem" {
				b.expect("404")
			}
			eval[bool](b, string(source)+"\n;true")
			for _, look := range looks { // without loading the page again, as when the reader changes them
				b.dark(look.dark)
				b.size(look.width, 900)
				b.axe(look.name)
			}
		})
	}
}

// axe fails the test for what axe-core, which the page has loaded, finds in it.
func (b *tab) axe(look string) {
	b.Helper()
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
		b.Errorf("%s: axe looked at %d rules", look, found.Passes)
	}
	for _, v := range found.Violations {
		b.Errorf("%s: %s (%s): %s\n%q", look, v.ID, v.Impact, v.Help, v.Nodes)
	}
}
