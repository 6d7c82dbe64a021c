package page

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/server/internal/runs"
	"github.com/sessionspan/sessionspan/store"
)

// attemptWrite is an attempt of a case; the more fields are those of the session.
func attemptWrite(t *testing.T, n int, run, point string, start int, scores, more string) store.Write {
	t.Helper()
	question := "What is " + point + "?"
	if text, other := strings.CutPrefix(more, "other question"); other {
		question, more = "Another?", text
	}
	return sessionWrite(t, fmt.Sprintf(`{"session_id":"%s","session_name":"TestQA/%s","project":"shop","source":"evaluation","start_time":%d,"end_time":%d,
		"inputs":{"question":%s},"feedback":{"ground_truth":"truth of %s"},"metrics":{%s},
		"metadata":{"run_id":%s,"run_name":"TestQA","dataset_id":"D1","datapoint_id":"p-%s","datapoint_name":"%s","cost":0.25,"prompt_tokens":10,"completion_tokens":2,"baseline_run_id":"base"}%s}`,
		testID(n), point, 1000+start, 1000+start+100, quote(question), point, scores, quote(run), point, point, more))
}

// evaluated are two runs: in the second b is worse, c better, d the same, e failed, f has
// another question, g is new, and h is gone. Of a there are two attempts.
func evaluated(t *testing.T) []store.Write {
	t.Helper()
	out := func(text string) string { return `,"outputs":{"answer":` + quote(text) + `}` }
	return []store.Write{
		attemptWrite(t, 1, "base", "a", 0, `"overlap":0.5,"cites":true`, out("old a")), attemptWrite(t, 2, "base", "a", 1, `"overlap":0.7,"cites":false`, out("old a again")),
		attemptWrite(t, 3, "base", "b", 2, `"overlap":0.9,"cites":true`, out("old b")), attemptWrite(t, 4, "base", "c", 3, `"overlap":0.1,"cites":true`, out("old c")),
		attemptWrite(t, 5, "base", "d", 4, `"overlap":0.4,"cites":true`, out("old d")), attemptWrite(t, 6, "base", "e", 5, `"overlap":1,"cites":true`, out("old e")),
		attemptWrite(t, 7, "base", "f", 6, `"overlap":1,"cites":true`, out("old f")), attemptWrite(t, 8, "base", "h", 7, `"overlap":1,"cites":true`, out("old h")),
		attemptWrite(t, 11, "now", "a", 1000, `"overlap":0.8,"cites":true`, out("new a")), attemptWrite(t, 12, "now", "a", 1001, `"overlap":0.4,"cites":true`, out("new a again")),
		attemptWrite(t, 13, "now", "b", 1002, `"overlap":0.25,"cites":false`, out("new b")), attemptWrite(t, 14, "now", "c", 1003, `"overlap":0.6,"cites":true`, out("new c")),
		attemptWrite(t, 15, "now", "d", 1004, `"overlap":0.4,"cites":true`, out("new d")), attemptWrite(t, 16, "now", "e", 1005, `"cites":false`, `,"error":"the index is away"`),
		attemptWrite(t, 17, "now", "f", 1006, `"overlap":0,"cites":true`, "other question"), attemptWrite(t, 18, "now", "g", 1007, `"overlap":0.3,"cites":true`, out("new g")),
	}
}

func cells(row element) []string {
	return texts(row.all(func(e element) bool { return e.Data == "td" || e.Data == "th" }))
}

// rowsOf returns the rows of a table, by their names.
func rowsOf(page element, table string) (order []string, rows map[string]element) {
	rows = make(map[string]element)
	for _, row := range page.id(table).all(func(e element) bool { return e.Data == "tr" && e.attr("id") != "" }) {
		name := row.all(is("a", "open"))[0].text()
		order = append(order, name)
		rows[name] = row
	}
	return order, rows
}

func TestRunsList(t *testing.T) {
	s := newSite(t)
	empty := s.get("/runs").id("empty")
	empty.has(t, "No experiments yet", "evals.Run(t", "HH_API_URL=http://localhost:4318 go test -v -run TestAnswers")
	s.write(evaluated(t)...)
	s.write(sessionWrite(t, `{"session_id":"`+testID(99)+`","session_name":"plain","project":"p","source":"s"}`),
		sessionWrite(t, `{"session_id":"`+testID(98)+`","session_name":"other","project":"p","source":"s","start_time":1,"duration":1,"metadata":{"run_id":"third","run_name":"One more"}}`))
	page := s.get("/runs")
	rows := page.id("runs").all(func(e element) bool { return e.attr("data-run") != "" })
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.attr("data-run"))
	}
	if !slices.Equal(ids, []string{"now", "base", "third"}) {
		t.Fatalf("the runs are %q", ids)
	}
	// Of "now": a 0.6, b 0.25, c 0.6, d 0.4, f 0, g 0.3, and e has none: 2.15/6 in the mean.
	// cites: of eight attempts six are true; by case (1 + 0 + 1 + 1 + 0 + 1 + 1) / 7.
	want := []string{"TestQA now dataset D1 all of this name", "00:00:02 1970-01-01", "7", "8", "1", "cites 0.7143 75 % pass overlap 0.3583", "100 ms / 100 ms", "80 / 16", "2.00"}
	if got := cells(rows[0]); !slices.Equal(got, want) {
		t.Errorf("the row is %q, want %q", got, want)
	}
	if got := cells(rows[1]); got[0] != "TestQA baseline base dataset D1 all of this name" {
		t.Errorf("the baseline: %q", got)
	}
	if got := cells(rows[2]); got[0] != "One more third all of this name" || got[5] != "none" || got[7] != "–" || got[8] != "–" {
		t.Errorf("a run of which little is known: %q", got)
	}
	for query, want := range map[string]int{"?name=TestQA": 2, "?dataset=D1": 2, "?dataset=D1&name=TestQA": 2, "?name=x": 0} {
		if n := len(s.get("/runs" + query).all(func(e element) bool { return e.attr("data-run") != "" })); n != want {
			t.Errorf("%s: %d runs, want %d", query, n, want)
		}
	}
	s.get("/runs?name=x").id("nothing").has(t, "No run matches")
	s.answer(http.StatusBadRequest, "/runs?after=x")
	s.answer(http.StatusBadRequest, "/runs?name="+strings.Repeat("x", 3000))
}

func TestRun(t *testing.T) {
	s := newSite(t, evaluated(t)...)
	page := s.get("/run?id=now")
	page.id("figures").has(t, "Cases 7 was 7", "Attempts 8 was 8", "Errors 1 was 0", "Duration p50 100 ms was 100 ms", "Tokens in / out 80 / 16 was 80 / 16", "Cost 2.00 was 2.00")
	scores := make(map[string][]string)
	for _, row := range page.id("scores").all(func(e element) bool { return e.attr("data-metric") != "" }) {
		scores[row.attr("data-metric")] = cells(row)
	}
	// Compared are a, b, c, d, and for cites e. overlap: 0, -0.65, +0.5, 0; cites: +0.5, -1, 0, 0, -1.
	for name, want := range map[string][]string{
		"overlap": {"overlap", "0.3583", "–", "–", "0", "7 1 missing", "0.5", "−0.0375 4 cases", "–", "1 / 2 / 1", "no clear difference"},
		"cites":   {"cites", "0.7143", "–", "75 %", "0", "8", "0.9", "−0.3", "–", "2 / 2 / 1", "no clear difference"},
	} {
		if !slices.Equal(scores[name], want) {
			t.Errorf("%s: %q, want %q", name, scores[name], want)
		}
	}
	page.id("method").has(t, "10,000 bootstrap resamples", "the 5 cases that both runs have", "TestQA, base (the baseline)", "1 cases of the other run are not in this one")

	order, rows := rowsOf(s.get("/run?id=now&metric=overlap"), "cases")
	if !slices.Equal(order, []string{"b", "a", "d", "c", "e", "f", "g"}) {
		t.Errorf("worst first: %q", order)
	}
	if got := cells(rows["b"]); !slices.Equal(got, []string{"b What is b?", "expected truth of b new b was old b", "0.25", "0.9", "−0.65", "cites 0", "1", "0", "100 ms", "0.25"}) {
		t.Errorf("the case b: %q", got)
	}
	if got := cells(rows["a"]); got[2] != "0.6" || got[3] != "0.6" || got[4] != "0" || got[6] != "1 2" {
		t.Errorf("the case a, of two attempts: %q", got)
	}
	if got := cells(rows["e"]); got[1] != "expected truth of e the index is away was old e" || got[2] != "–" || got[4] != "–" || got[7] != "1" {
		t.Errorf("the case e, which failed: %q", got)
	}
	rows["f"].has(t, "changed")
	rows["g"].has(t, "new")
	var links []string
	for _, a := range rows["a"].all(is("a", "try")) {
		links = append(links, a.attr("href"))
	}
	if !slices.Equal(links, []string{"/s/" + testID(11), "/s/" + testID(12)}) {
		t.Errorf("the sessions of a: %q", links)
	}
	for _, link := range links {
		back := s.get(link).id("run-link").attr("href")
		if d := s.get(back).id("detail"); !strings.Contains(d.text(), "truth of a") {
			t.Errorf("from the session back to its case: %s", back)
		}
	}

	for query, want := range map[string]string{
		"&metric=overlap&show=worse": "b", "&metric=overlap&show=better": "c", "&metric=overlap&show=same": "a d", "&show=failed": "e", "&metric=overlap&show=missing": "e",
		"&show=changed": "f", "&show=new": "g", "&metric=cites&show=worse": "b e", "&sort=case&dir=desc": "g f e d c b a",
		"&metric=overlap&sort=score": "f b g d a c e", "&metric=overlap&sort=score&dir=desc": "a c d g b f e", "&sort=errors&dir=desc": "e a b c d f g",
		"&against=": "a b c d e f g", "&against=now&metric=overlap&show=same": "a b c d f g",
	} {
		if order, _ := rowsOf(s.get("/run?id=now"+query), "cases"); strings.Join(order, " ") != want {
			t.Errorf("%s: %q, want %q", query, order, want)
		}
	}
	// The counts of the choices are those of what they lead to.
	for _, link := range page.all(func(e element) bool { return strings.HasPrefix(e.attr("id"), "show-") }) {
		order, _ := rowsOf(s.get(link.attr("href")), "cases")
		if fields := strings.Fields(link.text()); len(fields) == 2 && fields[1] != fmt.Sprint(len(order)) {
			t.Errorf("%s leads to %d cases", link.text(), len(order))
		}
	}

	alone := s.get("/run?id=now&against=")
	if text := alone.text(); strings.Contains(text, "Difference") || strings.Contains(text, "was ") || alone.id("missing").Data != "" {
		t.Errorf("compared with nothing: %.2000s", text)
	}
	if text := s.get("/run?id=base").text(); strings.Contains(text, "Difference") {
		t.Errorf("the baseline is compared with itself: %.2000s", text)
	}
	s.get("/run?id=base&against=base").id("method").has(t, "the 7 cases")
	other := s.get("/run?id=now&against=base&metric=overlap&case=" + url.QueryEscape("3:p-aa"))
	other.id("detail").has(t, "What is a?", "truth of a", "This run", "Attempt 1", "new a", "Attempt 2", "new a again", "Compared with", "old a again", "overlap 0.8", "overlap 0.7")
	if got := len(other.id("detail").all(func(e element) bool { return e.Data == "article" })); got != 4 {
		t.Errorf("%d attempts are shown", got)
	}
	missing := s.get("/run?id=now&against=gone")
	missing.id("missing").has(t, "gone", "is not in this store")
	s.get("/run?id=now&metric=x&sort=y&dir=z&show=w&skip=-1&case=q").has(t, "metric is none", "sort is none", "dir is none", "show is none", "skip is no number", "case is none")
	for _, path := range []string{"/run", "/run?id=", "/run?id=none"} {
		s.answer(http.StatusNotFound, path)
	}
}

// TestRunWithoutBaseline names the baseline that is not there.
func TestRunWithoutBaseline(t *testing.T) {
	s := newSite(t, evaluated(t)[8:]...)
	page := s.get("/run?id=now")
	page.id("missing").has(t, "base", "which is the baseline of this one, is not in this store")
	if order, _ := rowsOf(page, "cases"); strings.Join(order, " ") != "a b c d e f g" {
		t.Errorf("the cases are %q", order)
	}
	s.write(sessionWrite(t, `{"session_id":"`+testID(50)+`","session_name":"TestQA/x","project":"p","source":"s","start_time":5,"metadata":{"run_id":"runs","datapoint_id":"x"}}`))
	running := s.get("/run?id=runs")
	running.id("running").has(t, "1 of 1 attempts are still running")
	running.id("no-scores").has(t, "No attempt has a score yet")
}

// TestLongTextsOfRuns bounds what a page repeats of its address.
func TestLongTextsOfRuns(t *testing.T) {
	s := newSite(t, evaluated(t)...)
	size := func(path string) int {
		w := s.do(httptest.NewRequest(http.MethodGet, "http://localhost:4318"+path, nil))
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%.40s: %d", path, w.Code)
		}
		return w.Body.Len()
	}
	plain := size("/run?id=now")
	for _, name := range []string{"against", "metric", "sort", "dir", "show", "skip", "case", "x"} {
		for _, text := range []string{"a", "%22", "%3C"} {
			if n := size("/run?id=now&" + name + "=" + strings.Repeat(text, 50_000/len(text))); n > plain+100_000 { // which stands there once
				t.Errorf("%s of %s: %d bytes, %d without", name, text, n, plain)
			}
		}
	}
	for _, path := range []string{"/run?id=", "/runs?name=", "/runs?dataset=", "/runs?after="} {
		if n := size(path + strings.Repeat("a", 50_000)); n > plain+100_000 {
			t.Errorf("%s: %d bytes", path, n)
		}
	}
}

// TestRunPages goes through the cases of a large run, each of which comes once.
func TestRunPages(t *testing.T) {
	var writes []store.Write
	const many = 3*casesSize + 7
	for n := range many {
		writes = append(writes, attemptWrite(t, 1000+n, "large", fmt.Sprintf("c%03d", n), n, fmt.Sprintf(`"x":%d`, n%10), ""))
	}
	s := newSite(t, writes...)
	seen := make(map[string]bool)
	pages := 0
	for at := "/run?id=large&sort=score&dir=desc"; at != ""; pages++ {
		page := s.get(at)
		order, _ := rowsOf(page, "cases")
		for _, name := range order {
			if seen[name] {
				t.Errorf("%s comes twice", name)
			}
			seen[name] = true
		}
		at = page.id("next").attr("href")
	}
	if len(seen) != many || pages != 4 {
		t.Errorf("%d cases on %d pages", len(seen), pages)
	}
	order, _ := rowsOf(s.get("/run?id=large&skip=100000"), "cases")
	if len(order) == 0 {
		t.Error("nothing is shown past the end")
	}
}

// TestHostileRuns has markup, marks of direction and other oddities in every name and
// text of a run.
func TestHostileRuns(t *testing.T) {
	odd := `"><script>alert(1)</script><img src=x onerror=alert(2)>'&\u202e{{.}}/../?#%00`
	text := quote(strings.ReplaceAll(odd, `\u202e`, "\u202e"))
	var writes []store.Write
	for i, run := range []string{text, `"b` + text[1:]} {
		writes = append(writes, sessionWrite(t, fmt.Sprintf(`{"session_id":"%s","session_name":%[2]s,"project":%[2]s,"source":%[2]s,"start_time":%[4]d,"error":%[2]s,
			"inputs":{"question":%[2]s},"outputs":{"answer":%[2]s},"feedback":{"ground_truth":{%[2]s:%[2]s}},"metrics":{%[2]s:0.5},
			"metadata":{"run_id":%[3]s,"run_name":%[2]s,"dataset_id":%[2]s,"datapoint_id":%[2]s,"datapoint_name":%[2]s,"baseline_run_id":%[2]s}}`, testID(i+1), text, run, i)))
	}
	s := newSite(t, writes...)
	raw := strings.ReplaceAll(odd, `\u202e`, "\u202e")
	todo := []string{"/runs", runURL("b" + raw), runURL(raw), runURL("b"+raw, "case", runs.Key(raw, raw, ""), "metric", raw), "/s/" + testID(1)}
	seen := make(map[string]bool)
	for len(todo) > 0 && len(seen) < 60 {
		path, _, _ := strings.Cut(todo[0], "#")
		todo = todo[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		page := s.get(path)
		for _, n := range page.all(func(element) bool { return true }) {
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "href" && strings.HasPrefix(a.Val, "javascript:") {
					t.Errorf("%s: %s has %s=%q", path, n.Data, a.Key, a.Val)
				}
			}
			if n.Data == "script" && n.attr("src") == "" || n.Data == "img" || strings.Contains(n.text(), "\u202e") && n.Data == "bdi" {
				t.Errorf("%s: markup or a hidden mark: %.200s", path, n.text())
			}
			if href := n.attr("href"); strings.HasPrefix(href, "/run") {
				todo = append(todo, href)
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d pages were found", len(seen))
	}
	if order, rows := rowsOf(s.get(runURL("b"+raw)), "cases"); len(order) != 1 || !strings.Contains(rows[order[0]].text(), html.UnescapeString(`<script>`)) {
		t.Errorf("the cases are %q", order)
	}
}

// TestEvaluation is the test that the empty list shows, as a program.
func TestEvaluation(t *testing.T) {
	source, err := os.ReadFile("evaluation_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), evaluation) {
		t.Error("what the page shows is not what evaluation_test.go compiles")
	}
}

func ask(_ context.Context, question string) (string, error) { return question, nil }
