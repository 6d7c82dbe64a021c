package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/evals"
	"github.com/sessionspan/sessionspan/exporter"
)

// capitals is what a quiz asks, and what a pipeline answers: its second version knows
// some that the first does not, and has forgotten others.
var capitals = []struct{ country, capital, first, second string }{
	{"France", "Paris", "Paris", "Paris"}, {"Peru", "Lima", "Lima", "Cuzco"}, {"Norway", "Oslo", "Bergen", "Oslo"}, {"Japan", "Tokyo", "Tokyo", "Tokyo"},
	{"Kenya", "Nairobi", "Nairobi", "Mombasa"}, {"Canada", "Ottawa", "Toronto", "Ottawa"}, {"Ghana", "Accra", "Accra", "Accra"}, {"Chile", "Santiago", "Santiago", "Santiago"},
	{"Turkey", "Ankara", "Istanbul", "Ankara"}, {"Cuba", "Havana", "Havana", "Havana"}, {"Egypt", "Cairo", "Cairo", "Cairo"}, {"Spain", "Madrid", "Madrid", "broken"},
}

// quiz evaluates a version of the pipeline against a server, twice for each case, and
// leaves the baseline in the folder that the test is in.
func quiz(t *testing.T, url, version string) {
	t.Helper()
	var cases []evals.Case[string, string]
	answers := make(map[string]string)
	for _, c := range capitals {
		q := "What is the capital of " + c.country + "?"
		cases = append(cases, evals.Case[string, string]{Name: strings.ToLower(c.country), Input: q, Expected: c.capital})
		if answers[q] = c.first; version == "second" {
			answers[q] = c.second
		}
	}
	evals.Run(t, evals.Suite[string, string]{
		Cases: evals.Cases(cases...), Times: 2, Short: true,
		Task: func(ctx context.Context, q string) (string, error) {
			_, call := sessionspan.StartEvent(ctx, sessionspan.Model, "guess")
			call.SetUsage(sessionspan.Usage{InputTokens: 40, OutputTokens: 3})
			call.SetMetadata(map[string]any{"cost": 0.002})
			call.End()
			if answers[q] == "broken" {
				return "", errors.New("the atlas is out")
			}
			return answers[q], nil
		},
		Score: []evals.Scorer[string, string]{
			evals.Exact[string](func(a string) string { return a }),
			evals.Num("length", func(_ context.Context, r *evals.Result[string, string]) (float64, error) {
				return float64(len(r.Output)) / 10, nil
			}),
		},
		Config:  map[string]any{"version": version},
		Tracing: []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithHTTP(exporter.HTTPConfig{URL: url})},
	})
}

// quizzed has a server with two runs of a quiz, of which the first is the baseline.
func quizzed(t *testing.T, url string) {
	t.Helper()
	t.Chdir(t.TempDir()) // where the baseline is kept
	write := func(v string) {
		if err := flag.Set("evals.update", v); err != nil {
			t.Fatal(err)
		}
	}
	defer write("false")
	for _, version := range []string{"first", "second"} {
		write(fmt.Sprint(version == "first"))
		quiz(t, url, version)
	}
	if _, answer := get(t, url+"/api/runs"); strings.Count(answer, `"attempts":24`) != 2 {
		t.Fatalf("the attempts are not there, which are subtests that -run may have left out: %s", answer)
	}
}

// picture keeps what the tab shows as a file, where PICTURES names a folder.
func (b *tab) picture(name string) {
	b.Helper()
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	shot := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng})
	if err := os.WriteFile(filepath.Join(dir, name+".png"), shot.Data, 0o600); err != nil {
		b.Fatal(err)
	}
}

// TestExperiments goes from the list to a run, to a case, to its session and back, by
// mouse and by keys.
func TestExperiments(t *testing.T) {
	s := start(t)
	b := newTab(t, s.URL())
	b.size(1280, 900)
	b.show("/")
	b.press("ge")
	b.waitPath("/runs")
	b.has("#empty", "No experiments yet", "go test -v -run TestAnswers")
	b.picture("empty")
	quizzed(t, s.URL())
	b.wait(`document.querySelectorAll("#runs tbody tr").length === 2`) // by itself
	b.has("#runs tbody tr:nth-child(1)", "TestExperiments", "12", "24", "exact 0.75", "75 % pass", "960 / 72", "0.048")
	b.has("#runs tbody tr:nth-child(2)", "TestExperiments", "exact 0.75")
	b.picture("runs")
	b.press("j\r")
	b.waitPath("/run?id=")
	b.has("h1", "TestExperiments")
	b.has("#figures", "Cases 12", "Attempts 24", "Errors 2 was 0", "Cost 0.048 was 0.048")
	b.has("#method", "the 12 cases that both runs have", "(the baseline)")
	b.has(`#scores tr[data-metric="exact"]`, "0.75", "75 %", "24", "3 / 6 / 3", "no clear difference")
	b.picture("run")
	b.press("w")
	b.waitPath("show=worse")
	b.wait(`document.querySelectorAll("#cases tbody tr").length === 3`)
	b.has("#cases", "peru", "kenya", "spain", "−1")
	b.press("jj")
	b.press("\r")
	b.waitPath("case=")
	b.has("#detail", "What is the capital of Kenya?", "Nairobi", "This run", "Mombasa", "Compared with", "exact 0", "exact 1")
	b.picture("case")
	b.click("#detail article a")
	b.waitPath("/s/")
	b.has("h1", "TestExperiments/kenya")
	b.click("#run-link")
	b.waitPath("/run?")
	b.has("#detail", "What is the capital of Kenya?")
	b.press("\x1b")
	b.wait(`!location.href.includes("case=") && document.querySelector("#detail article") === null`)
	b.ready()
	eval[bool](b, `(document.querySelector("#against select").value = "", document.querySelector("#against select").dispatchEvent(new Event("change")), true)`)
	b.waitPath("against=")
	b.wait(`!document.body.innerText.includes("Difference")`)
	b.has("#cases", "france", "expected Paris")
	b.press("\x1b")
	b.waitPath("/runs")
	b.size(420, 900)
	b.show("/runs")
	b.picture("runs-narrow")
	b.click("#runs tbody tr:nth-child(1) a.open")
	b.waitPath("/run?id=")
	b.picture("run-narrow")
	if wide := eval[int](b, `document.documentElement.scrollWidth`); wide > 420 {
		t.Errorf("a narrow page is %d wide", wide)
	}
	b.dark(true)
	b.size(1280, 900)
	b.picture("run-dark")
}

// TestExperimentsWithoutScripts reads the same by links and forms alone.
func TestExperimentsWithoutScripts(t *testing.T) {
	s := start(t)
	quizzed(t, s.URL())
	b := newTab(t, s.URL())
	b.withoutScripts()
	b.open("/runs")
	b.click("#runs tbody tr:nth-child(1) a.open")
	b.waitPath("/run?id=")
	b.has("#figures", "Cases 12")
	b.click("#show-better")
	b.waitPath("show=better")
	b.has("#cases", "norway", "canada", "turkey")
	b.click("#cases tbody tr:nth-child(1) a.open")
	b.waitPath("case=")
	b.has("#detail", "Expected", "This run", "Compared with")
	b.click("#against button")
	b.waitPath("against=")
	b.has("#method", "More is taken to be better")
}
