package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// TestSnippetWorks builds and runs the program of the empty page as it stands
// there, with what the page says to set and nothing else.
func TestSnippetWorks(t *testing.T) {
	s := start(t)
	b := newTab(t, s.URL())
	b.show("/")
	b.click(`[data-copy="snippet"]`)
	b.waitText(`[data-copy="snippet"]`, "Copied")
	program := eval[string](b, `navigator.clipboard.readText()`)
	if shown := eval[string](b, `document.getElementById("snippet").textContent`); shown != program {
		t.Errorf("the copy is\n%s\nshown is\n%s", program, shown)
	}
	settings := b.text("#address")
	if settings != "export HH_API_URL="+s.URL() {
		t.Errorf("the page says to set %q", settings)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "program"), filepath.Join(dir, "main.go"))
	build.Dir = filepath.Join("..", "examples") // has what the program imports
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the program does not build: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), filepath.Join(dir, "program"))
	run.Env = append(run.Environ(), strings.TrimPrefix(settings, "export "))
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("the program fails: %v\n%s", err, out)
	}
	b.wait(`document.querySelectorAll("#sessions tbody tr").length === 1`) // the page that waits shows it by itself
	b.has("#sessions", "Playground Session", "What is in the context?", "Hello world")
}

// paid is a call of a model that took tokens.
func paid(ctx context.Context, in, out int64) {
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "call", sessionspan.WithModel("openai", "gpt-5.2-mini"),
		sessionspan.WithMetadata(map[string]any{"cost": 0.25, "time_to_first_chunk_ms": 50}))
	e.SetUsage(sessionspan.Usage{InputTokens: in, OutputTokens: out})
	e.End()
}

// TestTotalsAreThoseOfTheRows sums a session over two services, each of which
// knows its own part.
func TestTotalsAreThoseOfTheRows(t *testing.T) {
	s := start(t)
	first := newTracer(t, s.URL(), "Travel", "staging")
	ctx, session := first.StartSession(context.Background(), "two services")
	chain, step := sessionspan.StartEvent(ctx, sessionspan.Chain, "step")
	paid(chain, 1000, 100)
	step.End()
	session.End()
	deliver(t, first)
	second := newTracer(t, s.URL(), "Travel", "staging")
	ctx, _ = second.ContinueSession(context.Background(), session.ID())
	paid(ctx, 1200, 120)
	deliver(t, second)
	b := newTab(t, s.URL())
	for _, view := range []string{"", "?view=tree", "?view=timeline"} {
		b.show("/s/" + session.ID() + view)
		b.has("#session .figures", "Tokens in / out 2,200 / 220", "Cost 0.5")
	}
	b.show("/s/" + session.ID() + "?view=tree")
	b.rows(3)
	rows := eval[[]string](b, `[...document.querySelectorAll('#rows .body .row[aria-level="1"]')].map((r) => r.children[4].textContent)`)
	if fmt.Sprint(rows) != "[1,000 / 100 1,200 / 120]" {
		t.Errorf("the rows say %q", rows)
	}
	b.has("#session .figures", "First token of the first call 50 ms")

	// Where the session says more than its events, both are said.
	more := newTracer(t, s.URL(), "Travel", "staging")
	ctx, session = more.StartSession(context.Background(), "more", sessionspan.WithMetadata(map[string]any{"prompt_tokens": 900, "completion_tokens": 90, "cost": 2}))
	paid(ctx, 500, 50)
	session.End()
	deliver(t, more)
	b.show("/s/" + session.ID())
	b.has("#session .figures", "Tokens in / out 900 / 90 events: 500 / 50", "Cost 2.00 events: 0.25")
}

// TestListSaysWhatIsKnown looks at a list of sessions of which little is known.
func TestListSaysWhatIsKnown(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	for i := range 30 {
		_, session := tracer.StartSession(context.Background(), fmt.Sprint("plain ", i), sessionspan.WithStartTime(time.Now().Add(-time.Duration(i+1)*time.Minute)))
		session.End(sessionspan.WithEndTime(time.Now().Add(-time.Duration(i+1) * time.Minute)))
	}
	_, failed := tracer.StartSession(context.Background(), "failed", sessionspan.WithInputs(map[string]any{"question": "What is 1/0?"}))
	failed.RecordError(errors.New("integer divide by zero"))
	failed.End()
	deliver(t, tracer)
	lost := orphan(t, s.URL())
	b := newTab(t, s.URL())
	b.show("/?since=168h")
	b.has(".chips", "start>=-7d")
	b.has("#figures", "Tokens in / out –", "Cost –")
	b.has("#sessions tbody tr:first-child .qa", "What is 1/0?", "integer divide by zero")
	if got := b.text("#s-" + lost + " > :nth-child(8)"); got == "0 ms" {
		t.Errorf("the orphan lasted %s", got)
	}

	// The bars are one stop of the tab key.
	b.show("/")
	bars, stops := b.count("#histogram a"), b.count(`#histogram a[tabindex="0"]`)
	if bars < 10 || stops != 1 {
		t.Errorf("%d of %d bars are stops of the tab key", stops, bars)
	}
	eval[bool](b, `(document.querySelector('#histogram a').focus(), true)`)
	second := eval[string](b, `document.querySelectorAll("#histogram a")[1].getAttribute("href")`)
	b.press(kb.ArrowRight + kb.Enter)
	b.waitPath(second)
	b.ready()

	// Any place of a row opens it, but for what is a link of its own or selected.
	b.show("/")
	b.wait(`document.getElementById("live").dataset.state === "on"`)
	if eval[string](b, `getComputedStyle(document.getElementById("live"), "::before").content`) != "none" {
		t.Error("the dot stands apart from the word")
	}
	b.click("#s-" + failed.ID() + " .qa")
	b.waitPath("/s/" + failed.ID())
	b.has("h1", "failed")

	b.show("/?q=nothing+of+the+kind")
	b.waitShown("#nothing")
	if text := b.text("main"); strings.Contains(text, "1970") || strings.Contains(text, "a bar") {
		t.Errorf("the list without hits says %s", text)
	}
}

// TestPlotsFit draws plots of long sessions, few and many, on a screen and on a
// phone: every label lies in its figure, and none on another.
func TestPlotsFit(t *testing.T) {
	for _, n := range []int{1, 2, 3, 40} {
		s := start(t)
		tracer := newTracer(t, s.URL(), "Travel", "staging")
		for i := range n {
			at := time.Now().Add(-time.Duration(i+1) * 7 * time.Hour)
			_, session := tracer.StartSession(context.Background(), "long", sessionspan.WithStartTime(at))
			session.End(sessionspan.WithEndTime(at.Add(time.Duration(800+i*31) * time.Second)))
		}
		deliver(t, tracer)
		b := newTab(t, s.URL())
		for _, width := range []int64{1280, 390} {
			b.size(width, 900)
			b.show("/insights")
			b.waitShown("#plot-duration svg")
			faults := eval[[]string](b, `(() => {
				const faults = [];
				for (const svg of document.querySelectorAll(".plot > svg")) {
					const frame = svg.getBoundingClientRect();
					const labels = [...svg.querySelectorAll("text")].filter((t) => getComputedStyle(t).display !== "none");
					const boxes = labels.map((t) => t.getBoundingClientRect());
					for (const [i, a] of boxes.entries()) {
						if (a.left < frame.left - 0.5 || a.right > frame.right + 0.5) faults.push("cut: " + labels[i].textContent);
						for (const [k, b] of boxes.entries()) if (k > i && a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2) faults.push(labels[i].textContent + " on " + labels[k].textContent);
					}
				}
				return faults;
			})()`)
			if len(faults) > 0 {
				t.Errorf("%d sessions, %d px wide: %q", n, width, faults)
			}
		}
	}
}

// TestPanelShowsTheWhole looks at an event whose JSON is a little long, and whose
// answer is Markdown.
func TestPanelShowsTheWhole(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	ctx, session := tracer.StartSession(context.Background(), "panel")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "report", sessionspan.WithInputs(map[string]any{"a": strings.Repeat("word ", 900)}))
	e.SetOutputs(map[string]any{"content": "It is **bold**.", "last": "the end"})
	e.End()
	session.End()
	deliver(t, tracer)
	b := newTab(t, s.URL())
	b.show("/s/" + session.ID() + "?event=" + e.ID())
	b.has(`#detail [data-bucket="outputs"] .prose strong`, "bold")
	raw := eval[string](b, `document.querySelector("#raw pre").textContent`)
	if v, err := honeyhive.ParseValue(raw); err != nil || len(v) < 4500 || !strings.Contains(raw, "\n  \"event_name\": \"report\"") {
		t.Errorf("the JSON has %d bytes: %v\n%.300s", len(raw), err, raw)
	}

	// What is printed is the session, without what leads elsewhere.
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	for selector, want := range map[string]bool{".top": false, ".tabs": false, ".actions": false, "#feedback": false, "h1": true, "#thread": true, "#detail h2": true} {
		shown := eval[bool](b, fmt.Sprintf(`document.querySelector(%s).getClientRects().length > 0`, quote(selector)))
		if shown != want {
			t.Errorf("printed, %s is shown: %v", selector, shown)
		}
	}
}
