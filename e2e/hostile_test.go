package e2e

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/sessionspan/sessionspan"
)

// What a model, a tool or a document may say. Each part would leave a trace: it
// sets window.hit, opens a dialog, or asks evil.example for something.
const hostile = `<script>window.hit = 1; alert(1)</script><img src=x onerror="window.hit = 2; fetch('https://evil.example/fetch')">` +
	`<svg onload="window.hit = 3"></svg><iframe src="javascript:parent.hit = 4"></iframe></pre></textarea></title></script><style>@import url(https://evil.example/style)</style>` +
	`<form action="https://evil.example/form"><button id="keys" autofocus onfocus="window.hit = 5">x</button></form><a href="javascript:window.hit = 6">raw</a>` +
	"\n\n" + `[click](javascript:window.hit=7) [data](data:text/html,<script>parent.hit=8</script>) ![pixel](https://evil.example/pixel.png)` +
	` <https://evil.example/auto> [out](https://evil.example/out?a=1&b=2) ![x](https://evil.example/x.png "onerror=window.hit=9") {{.Constructor}} ${window.hit=10}` +
	" \u202ereversed\u202c \u2066isolated\u2069 \u200bzero width \x07\x1b[31mred \x7f \U000e0041tag '\"`"

// TestHostile looks at a session that says such things in every place, and opens
// whatever it has.
func TestHostile(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), hostile, hostile)
	all := map[string]any{hostile: hostile, "question": hostile, "user_id": hostile, "comment": hostile, "rating": 1, "list": []any{hostile, map[string]any{hostile: hostile}}}
	prompt := hostile + strings.Repeat("five megabytes of prompt ", 5<<20/25)
	ctx, session := tracer.StartSession(context.Background(), hostile, sessionspan.WithInputs(all), sessionspan.WithConfig(all),
		sessionspan.WithUserProperties(all), sessionspan.WithMetrics(all), sessionspan.WithMetadata(all), sessionspan.WithFeedback(all))
	_, find := sessionspan.StartEvent(ctx, sessionspan.Retriever, hostile, sessionspan.WithQuery(hostile))
	find.SetDocuments(sessionspan.Document{ID: hostile, Score: 1, Content: hostile, Metadata: all}, sessionspan.Document{ID: "2", Content: prompt})
	find.End()
	_, ask := sessionspan.StartEvent(ctx, sessionspan.Model, hostile, sessionspan.WithModel(hostile, hostile), sessionspan.WithConfig(all), sessionspan.WithMetadata(all),
		sessionspan.WithMessages(
			sessionspan.Message{Role: "system", Content: hostile}, sessionspan.Message{Role: "user", Name: hostile, Content: prompt},
			sessionspan.Message{Role: hostile, Content: hostile}))
	ask.SetReply(sessionspan.Message{
		Role: "assistant", Content: hostile, Reasoning: hostile, FinishReason: hostile,
		ToolCalls: []sessionspan.ToolCall{{ID: "c1", Name: hostile, Arguments: all}, {ID: "c2", Name: "plain", Arguments: hostile}},
	})
	ask.End()
	_, use := sessionspan.StartEvent(ctx, sessionspan.Tool, hostile, sessionspan.WithInputs(all), sessionspan.WithMetadata(map[string]any{"tool_call_id": "c1"}))
	use.SetOutputs(all)
	use.SetError(hostile)
	use.End()
	session.SetReply(sessionspan.Message{Role: "assistant", Content: hostile})
	session.SetError(hostile)
	session.End()
	deliver(t, tracer)

	b := newTab(t, s.URL())
	base := "/s/" + session.ID()
	b.show("/")
	b.harmless(true)
	b.press("j" + kb.Enter)
	b.waitPath(base)
	for _, view := range []string{"thread", "tree", "timeline"} {
		b.show(base + "?view=" + view)
		if view != "thread" {
			b.rows(3)
		}
		b.harmless(true)
	}
	for _, id := range []string{session.ID(), find.ID(), ask.ID(), use.ID()} {
		b.show(base + "?event=" + id)
		b.waitShown("#detail h2")
		b.has("#detail", `\u202e`) // a mark is shown by its code
		eval[bool](b, `(document.querySelectorAll("details").forEach((d) => (d.open = true)), true)`)
		b.harmless(true)
	}
	// What looks like a link is none, or asks first.
	b.show(base)
	targets := eval[[]string](b, `[...document.querySelectorAll("main a[href]")].map((a) => a.href)`)
	asks := 0
	for _, target := range targets {
		u, err := url.Parse(target)
		if err != nil || "http://"+u.Host != b.base {
			t.Errorf("a link leads to %s", target)
		}
		if u.Path == "/leave" {
			asks++
		}
	}
	if asks == 0 {
		t.Error("the link out of the session is lost")
	}
	text := b.other(func() { b.click(`#thread a[href*="/leave?to=https%3A%2F%2Fevil.example%2Fout"]`) })
	if !strings.Contains(text, "evil.example") || strings.Contains(text, "chrome-error") {
		t.Errorf("the link opens %s", text)
	}
	// Clicking on all that was written does nothing either.
	box := eval[[]float64](b, `(() => { const r = document.querySelector("#thread .message.assistant .prose").getBoundingClientRect(); scrollTo(0, r.top); const n = document.querySelector("#thread .message.assistant .prose").getBoundingClientRect(); return [n.left, n.top] })()`)
	b.do("click on the text", chromedp.MouseClickXY(box[0]+2, box[1]+2))
	b.harmless(true)
	b.show("/insights")
	b.harmless(false)
	b.show("/?project=" + url.QueryEscape(hostile))
	b.harmless(true)
	b.show("/?q=" + url.QueryEscape(hostile))
	b.harmless(false)

	// All of a large value comes as a file.
	b.show(base + "?event=" + ask.ID())
	b.waitShown("#detail h2")
	link := `#detail a[download][href*="/value?"]`
	content := b.downloaded("*", func() { b.click(link) })
	if len(content) < 5<<20 || !strings.Contains(string(content), "five megabytes of prompt") {
		t.Errorf("the file has %d bytes", len(content))
	}
}

// harmless fails the test where a page of the hostile session has become what
// the session says, or larger than a page should.
func (b *tab) harmless(speaks bool) {
	b.Helper()
	state := eval[struct {
		URL, Hit, Text           string
		Scripts, Marks, Handlers int
		Foreign, Nodes, Bytes    int
	}](b, `(() => {
		const all = [...document.querySelectorAll("*")];
		const text = document.documentElement.textContent;
		return {
			URL: location.href.slice(0, 200),
			Hit: String(window.hit),
			Text: text.slice(0, 100000),
			Scripts: document.querySelectorAll('script:not([src^="/assets/"]), style, iframe, object, embed, base, link:not([href^="/assets/"]), meta[http-equiv], main img, main form:not([action^="/"])').length,
			Marks: (text + document.title).split(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/u).length - 1,
			Handlers: all.filter((e) => [...e.attributes].some((a) => a.name.startsWith("on") || a.name === "style" && !e.closest("#rows") || /^\s*(javascript|data|vbscript):/i.test(a.value))).length,
			Foreign: all.filter((e) => ["src", "href", "action", "formaction", "srcset", "poster"].some((n) => /^(https?:)?\/\//.test(e.getAttribute(n) ?? "") && !e.getAttribute(n).startsWith(location.origin))).length,
			Nodes: all.length,
			Bytes: document.documentElement.outerHTML.length,
		};
	})()`)
	at := "at " + state.URL + ":"
	if state.Hit != "undefined" {
		b.Errorf("%s a script ran: %s", at, state.Hit)
	}
	for what, n := range map[string]int{"foreign elements": state.Scripts, "raw marks": state.Marks, "handlers": state.Handlers, "foreign addresses": state.Foreign} {
		if n > 0 {
			b.Errorf("%s %d %s", at, n, what)
		}
	}
	if speaks && !strings.Contains(state.Text, "<script>window.hit = 1") {
		b.Errorf("%s the text is not shown as it is: %.2000s", at, state.Text)
	}
	if state.Nodes > 3000 || state.Bytes > 600_000 {
		b.Errorf("%s the page has %d elements, %d bytes", at, state.Nodes, state.Bytes)
	}
}
