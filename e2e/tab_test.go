package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a page may take to do what it must. It is long, since
// machines are busy: what takes longer never comes.
const patience = 3 * time.Minute

// tab is a tab of the browser with a profile of its own. A test fails where
// anything happens in it that its watch minds.
type tab struct {
	testing.TB
	*watch
	base      string // the address of the server
	downloads string // the folder of what it downloads
	silent    bool   // scripts are off
	ctx       context.Context
}

// newTab opens a tab that looks at a server.
func newTab(t testing.TB, base string) *tab {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	b := &tab{TB: t, watch: &watch{host: u.Host, dialogs: make(chan struct{}, 100)}, base: base, downloads: t.TempDir(), ctx: ctx}
	before := len(outside.requests())
	b.do("open a tab")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for {
			select {
			case <-ctx.Done():
				return
			case <-b.dialogs:
				_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
			}
		}
	}()
	t.Cleanup(func() {
		b.settled(before)
		cancel()
		<-answered
	})
	if err := chromedp.Listen(ctx, b.see); err != nil {
		t.Fatal(err)
	}
	id := chromedp.FromContext(ctx).BrowserContextID
	call(b, network.Enable, network.EnableParams{})
	call(b, audits.Enable, cdp.Empty{})
	granted := cdpbrowser.SetPermissionParams{
		Permission: &cdpbrowser.PermissionDescriptor{Name: "clipboard-write"}, Setting: cdpbrowser.PermissionSettingGranted, BrowserContextID: id,
	}
	callBrowser(b, cdpbrowser.SetPermission, granted)
	granted.Permission = &cdpbrowser.PermissionDescriptor{Name: "clipboard-read"}
	callBrowser(b, cdpbrowser.SetPermission, granted)
	callBrowser(b, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: id, DownloadPath: b.downloads,
	})
	return b
}

// settled fails the test for what must not have happened.
func (b *tab) settled(before int) {
	for _, p := range b.take() {
		b.Errorf("in the page: %s", p)
	}
	for _, r := range outside.requests()[before:] {
		b.Errorf("the browser sent to another host: %s", r)
	}
	targets, err := chromedp.Targets(b.ctx)
	if err != nil {
		b.Error(err)
	}
	own := chromedp.FromContext(b.ctx).BrowserContextID
	for _, info := range targets {
		if info.Type == "browser_ui" {
			continue // the browser's own, such as what drops down from its address bar
		}
		if info.BrowserContextID == own && info.TargetID != chromedp.FromContext(b.ctx).Target.TargetID {
			b.Errorf("another tab or worker was opened: %s %s", info.Type, info.URL)
		}
	}
}

func (b *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx := b.ctx
	if len(actions) > 0 { // the first call starts the tab, which lives as long as its context
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatalf("%s: %v\n%s", what, err, b.state())
	}
}

// state says where the tab is, for who reads a failure.
func (b *tab) state() string {
	ctx, cancel := context.WithTimeout(b.ctx, time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body?.innerText.slice(0, 300)`))
	return fmt.Sprint(text, " ", errors.Join(err), "\n", strings.Join(b.take(), "\n"))
}

// open goes to a path of the server and waits for the page.
func (b *tab) open(path string) {
	b.Helper()
	b.do("open "+path, chromedp.Navigate(b.base+path))
}

// ready waits until the scripts of the page run.
func (b *tab) ready() {
	b.Helper()
	b.wait(`document.documentElement.dataset.ready === "true" && document.readyState === "complete"`)
}

// show opens a path and waits for its scripts.
func (b *tab) show(path string) {
	b.Helper()
	b.open(path)
	b.ready()
}

func (b *tab) click(selector string) {
	b.Helper()
	b.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

func (b *tab) fill(selector, text string) {
	b.Helper()
	b.do("go to "+selector, chromedp.Focus(chromedp.CSS(selector)))
	eval[bool](b, `(document.activeElement.select(), true)`)
	call(b, input.InsertText, input.InsertTextParams{Text: text})
}

// press presses keys, one after the other. As with a real keyboard, a key whose
// press the page has used types no character.
func (b *tab) press(keys string) {
	b.Helper()
	for _, key := range keys {
		events := kb.Encode(key)
		down, up := *events[0], *events[len(events)-1]
		if len(events) == 3 { // with the event that types
			down.Text = events[1].Text
		}
		call(b, input.DispatchKeyEvent, down)
		call(b, input.DispatchKeyEvent, up)
	}
}

// wait waits until an expression is true, in this page or one that follows.
func (b *tab) wait(expression string) {
	b.Helper()
	if !b.comes(expression) {
		b.Fatalf("it never came true: %s\n%s", expression, b.state())
	}
}

// comes reports whether an expression becomes true. The page looks itself, so
// that the wait is one request a second.
func (b *tab) comes(expression string) bool {
	b.Helper()
	look := fmt.Sprintf(`new Promise((done) => {
		const end = performance.now() + 1000;
		const look = () => {
			let is = false;
			try { is = Boolean(%s); } catch {}
			if (is || performance.now() > end) done(is);
			else setTimeout(look, 15);
		};
		look();
	})`, expression)
	if b.silent { // no timers run in the page
		look = fmt.Sprintf(`Boolean(%s)`, expression)
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for ctx.Err() == nil { // an error may be that the page went away
		if is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](look, chromedp.EvalAwaitPromise)); is && err == nil {
			return true
		}
	}
	return false
}

// waitShown waits until an element is shown. It needs no scripts in the page.
func (b *tab) waitShown(selector string) {
	b.Helper()
	b.do("wait for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// waitText waits until an element holds a text.
func (b *tab) waitText(selector, text string) {
	b.Helper()
	b.wait(fmt.Sprintf(`document.querySelector(%s).textContent.includes(%s)`, quote(selector), quote(text)))
}

// waitPath waits until the address of the page contains a text.
func (b *tab) waitPath(part string) {
	b.Helper()
	b.wait(fmt.Sprintf(`location.href.includes(%s) && document.readyState === "complete"`, quote(part)))
}

func quote(s string) string {
	text, _ := json.Marshal(s) // any text has a JSON form
	return string(text)
}

// eval returns the value of an expression.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%.300s: %v\n%s", expression, err, b.state())
	}
	return v
}

// textOf is the text of an element as an expression: its parts with a space
// between them.
func textOf(selector string) string {
	return fmt.Sprintf(`(() => {
		const texts = [];
		const walk = document.createTreeWalker(document.querySelector(%s), NodeFilter.SHOW_TEXT);
		while (walk.nextNode()) texts.push(walk.currentNode.data);
		return texts.join(" ").replace(/\s+/g, " ").trim();
	})()`, quote(selector))
}

// text returns the text of an element.
func (b *tab) text(selector string) string {
	b.Helper()
	return eval[string](b, textOf(selector))
}

// other returns the tab that the page opens meanwhile. It is part of what a
// reader does, so its watch is that of the first one, and it is closed.
func (b *tab) other(open func()) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	opened := chromedp.WaitNewTarget(ctx, func(i *target.Info) bool { return i.URL != "" && i.URL != "about:blank" })
	open()
	id, ok := <-opened
	if !ok {
		b.Fatalf("no tab was opened\n%s", b.state())
	}
	ctx, cancel = chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	defer cancel()
	if err := chromedp.Listen(ctx, b.see); err != nil {
		b.Fatal(err)
	}
	limited, stop := context.WithTimeout(ctx, patience)
	defer stop()
	at, err := chromedp.Run(limited, chromedp.Evaluate[string](`location.href + " " + document.body.innerText`))
	if err != nil {
		b.Fatal(err)
	}
	if err := chromedp.Cancel(ctx); err != nil {
		b.Fatal(err)
	}
	return at
}

// expect takes out of the problems those that contain a text, and fails the test
// where there is none.
func (b *tab) expect(text string) {
	b.Helper()
	found := false
	for _, p := range b.take() {
		if strings.Contains(p, text) {
			found = true
		} else {
			b.add("%s", p)
		}
	}
	if !found {
		b.Errorf("nothing in the console says %q", text)
	}
}

// count returns how many elements match.
func (b *tab) count(selector string) int {
	b.Helper()
	return eval[int](b, fmt.Sprintf(`document.querySelectorAll(%s).length`, quote(selector)))
}

// has waits until the element holds all of the texts: some parts of a page come
// after the page.
func (b *tab) has(selector string, texts ...string) {
	b.Helper()
	wanted, _ := json.Marshal(texts) // any text has a JSON form
	if !b.comes(fmt.Sprintf(`(() => { const text = %s; return %s.every((t) => text.includes(t)); })()`, textOf(selector), wanted)) {
		b.Errorf("%s lacks some of %q:\n%.2000s", selector, texts, b.text(selector))
	}
}

// rows waits until so many rows of the tree or time line are there, in the order
// in which they are seen.
func (b *tab) rows(n int) {
	b.Helper()
	b.wait(fmt.Sprintf(`(() => {
		const rows = [...document.querySelectorAll("#rows .body .row[data-event][id]")].map((r) => Number(r.dataset.index));
		return rows.length === %d && rows.every((n, i) => i === 0 || n > rows[i - 1]);
	})()`, n))
}

// names returns the names of the sessions in the list.
func (b *tab) names() []string {
	b.Helper()
	return eval[[]string](b, `[...document.querySelectorAll("#sessions tbody a.open")].map((a) => a.textContent)`)
}

// lists fails the test unless the list shows these sessions.
func (b *tab) lists(want ...string) {
	b.Helper()
	if got := b.names(); !slices.Equal(got, want) {
		b.Errorf("%s\nlists %q\nwant  %q", eval[string](b, "location.href"), got, want)
	}
}

// downloaded waits for a file that the browser downloads.
func (b *tab) downloaded(pattern string, start func()) []byte {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	ended := chromedp.BrowserEvents(ctx, cdpbrowser.DownloadProgress)
	callBrowser(b, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
		DownloadPath: b.downloads, EventsEnabled: new(true),
	})
	start()
	for e, err := range ended {
		if err != nil {
			b.Fatalf("download %s: %v\n%s", pattern, err, b.state())
		}
		if e.State == cdpbrowser.DownloadProgressStateCompleted {
			break
		}
	}
	files, err := filepath.Glob(filepath.Join(b.downloads, pattern))
	if err != nil || len(files) != 1 {
		all, _ := filepath.Glob(filepath.Join(b.downloads, "*"))
		b.Fatalf("downloaded %q, want one of %s: %v", all, pattern, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		b.Fatal(err)
	}
	return content
}

// size sets how large the window is.
func (b *tab) size(width, height int64) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// dark sets whether the reader prefers dark colours.
func (b *tab) dark(yes bool) {
	b.Helper()
	scheme := "light"
	if yes {
		scheme = "dark"
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// withoutScripts turns JavaScript off.
func (b *tab) withoutScripts() {
	b.Helper()
	b.silent = true
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}
