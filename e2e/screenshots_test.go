//go:build screenshots

package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
)

// TestScreenshots makes the pictures of the README: make screenshots.
func TestScreenshots(t *testing.T) {
	dir := filepath.Join("..", "docs", "images")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	s := start(t)
	history(t, s.URL(), 240)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	session, failed := agent(tracer, time.Now().Add(-5*time.Minute).Truncate(time.Second))
	broken(tracer, time.Now().Add(-9*time.Minute).Truncate(time.Second))
	deliver(t, tracer)
	for _, shot := range []struct {
		name, path    string
		width, height int64
		ready         string // an element that must be there
	}{
		{"sessions", "/", 1280, 800, "#figures"},
		{"sessions-narrow", "/", 420, 800, "#figures"},
		{"thread", "/s/" + session, 1280, 1100, "#thread .call"},
		{"tree", "/s/" + session + "?view=tree&event=" + failed, 1280, 1000, "#row-0"},
		{"timeline", "/s/" + session + "?view=timeline", 1280, 900, "#row-0 .bar"},
		{"insights", "/insights", 1280, 1100, "#plot-duration svg"},
	} {
		for _, theme := range []string{"light", "dark"} {
			b := newTab(t, s.URL())
			b.dark(theme == "dark")
			b.size(shot.width, shot.height)
			b.show(shot.path)
			b.wait(`document.querySelector(` + quote(shot.ready) + `) !== null && !document.querySelector("#late") && document.querySelector("#live-state")?.textContent !== ""`)
			picture := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng})
			file := filepath.Join(dir, shot.name+"-"+theme+".png")
			if err := os.WriteFile(file, picture.Data, 0o644); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d kB", file, len(picture.Data)/1000)
		}
	}
}
