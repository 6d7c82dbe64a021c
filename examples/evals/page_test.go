package evals

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/server/local"
)

// A printed run is what TestRAG says at its end.
type printed struct {
	link, run string
	scores    map[string][]string // the fields of the table: mean, interval, worst, attempts, baseline
}

// evaluate runs TestRAG as a process in a folder.
func evaluate(t *testing.T, dir string, env []string, args ...string) printed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-test.run=^TestRAG$", "-test.v"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	text, err := cmd.CombinedOutput() // it fails where the index is worse
	out := string(text)
	p := printed{scores: make(map[string][]string)}
	links := regexp.MustCompile(`(?m)^\s*Open (\S+)$`).FindAllStringSubmatch(out, -1)
	id := regexp.MustCompile(`40 of 40 attempts of 40 cases, run (\S+)`).FindStringSubmatch(out)
	if len(links) != 1 || id == nil || strings.Contains(out, "The sessions: ") {
		t.Fatalf("%v: %d links:\n%s", err, len(links), out)
	}
	p.link, p.run = links[0][1], id[1]
	_, table, _ := strings.Cut(out, "attempts  baseline\n")
	for line := range strings.Lines(table) {
		fields := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1)
		if len(fields) < 5 {
			break
		}
		p.scores[fields[0]] = fields[1:]
	}
	return p
}

// ask asks a server for a page, or as JSON where there is something to read it into.
func ask(t *testing.T, address string, into any) string {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if closing := resp.Body.Close(); err != nil || closing != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(address, resp.Status, err, closing)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatal(err)
		}
	}
	return string(body)
}

// TestPage evaluates the pipeline three times against a server, follows the links that
// are printed, and finds there what the test said, and what it compared with.
func TestPage(t *testing.T) {
	if testing.Short() {
		t.Skip("to index the documentation of Go takes half a minute with the race detector")
	}
	server, err := local.Start(t.Context(), local.WithAddress("127.0.0.1:0"), local.WithFile(filepath.Join(t.TempDir(), "s.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	defer http.DefaultClient.CloseIdleConnections()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	http1, otlp := "HH_API_URL="+server.URL(), "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL()
	first := evaluate(t, dir, []string{http1}, "-evals.update")
	second := evaluate(t, dir, []string{http1, "WORSE=documents"})
	third := evaluate(t, dir, []string{otlp})
	for what, p := range map[string]printed{"the baseline": first, "a worse run": second, "a run by OTLP": third} {
		if want := server.URL() + "/run?id=" + p.run; p.link != want {
			t.Errorf("the link of %s is %s, want %s", what, p.link, want)
		}
		checkPage(t, what, server.URL(), p, first, p.run != first.run)
	}
	var list struct {
		Runs []struct {
			ID string `json:"run_id"`
		} `json:"runs"`
	}
	ask(t, server.URL()+"/api/runs?run_name=TestRAG", &list)
	if len(list.Runs) != 3 || list.Runs[0].ID != third.run || list.Runs[2].ID != first.run {
		t.Errorf("the runs are %+v", list.Runs)
	}
}

// checkPage compares what a server says of a run with what its test printed.
func checkPage(t *testing.T, what, server string, p, was printed, compared bool) {
	t.Helper()
	page := ask(t, p.link, nil)
	var got struct {
		Run struct {
			Cases, Attempts, Errors int
			Name                    string `json:"run_name"`
			Metrics                 []struct {
				Name             string
				Mean, Low, High  float64
				Worst            float64
				Scored           int
				PassRate, Missed *float64
			}
		}
		Against *struct {
			ID string `json:"run_id"`
		}
		Compared    int `json:"compared_cases"`
		Differences []struct {
			Name       string
			Cases      int
			Difference float64
			Verdict    string
		}
	}
	ask(t, strings.Replace(p.link, "/run?", "/api/run?", 1), &got)
	if got.Run.Cases != 40 || got.Run.Attempts != 40 || got.Run.Errors != 0 || got.Run.Name != "TestRAG" || len(got.Run.Metrics) != len(p.scores) || len(p.scores) != 8 {
		t.Errorf("%s: %+v, printed %v", what, got.Run, p.scores)
	}
	short := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
	for _, m := range got.Run.Metrics {
		said := []string{short(m.Mean), short(m.Low) + " to " + short(m.High), short(m.Worst), strconv.Itoa(m.Scored)}
		if !slices.Equal(said, p.scores[m.Name][:4]) {
			t.Errorf("%s: %s is %q, printed %q", what, m.Name, said, p.scores[m.Name])
		}
		if !strings.Contains(page, ">"+short(m.Mean)+"<") || !strings.Contains(page, ">"+short(m.Low)+" to "+short(m.High)+"<") {
			t.Errorf("%s: the page does not say that %s is %s", what, m.Name, short(m.Mean))
		}
	}
	if !compared {
		if got.Against != nil {
			t.Errorf("%s is compared with %s", what, got.Against.ID)
		}
		return
	}
	if got.Against == nil || got.Against.ID != was.run || got.Compared != 40 || len(got.Differences) != 8 || !strings.Contains(page, "(the baseline)") {
		t.Fatalf("%s: %+v", what, got)
	}
	for _, d := range got.Differences {
		said, _, _ := strings.Cut(p.scores[d.Name][4], " over 40 cases")
		if want, err := strconv.ParseFloat(said, 64); err != nil || math.Abs(want-d.Difference) > 1e-3*math.Abs(want)+1e-12 || d.Cases != 40 {
			t.Errorf("%s: %s differs by %v, printed %q", what, d.Name, d.Difference, p.scores[d.Name][4])
		}
		if d.Name == "recall@5" && what == "a worse run" && d.Verdict != "worse" || what == "a run by OTLP" && d.Verdict != "equal" {
			t.Errorf("%s: %s is %s", what, d.Name, d.Verdict)
		}
	}
	// What got worse, worst first, with its sessions.
	var cases struct {
		Total int
		Cases []struct {
			Name        string `json:"datapoint_name"`
			Differences map[string]float64
			Attempts    []struct {
				Session string `json:"session_id"`
			}
		}
	}
	ask(t, server+"/api/run/cases?id="+p.run+"&metric=recall@5&show=worse&sort=difference", &cases)
	last := -2.0
	for _, c := range cases.Cases {
		if by := c.Differences["recall@5"]; by >= 0 || by < last {
			t.Errorf("%s: %s differs by %v, after %v", what, c.Name, by, last)
		}
		last = c.Differences["recall@5"]
	}
	if what == "a worse run" {
		if cases.Total == 0 || len(cases.Cases[0].Attempts) != 1 {
			t.Fatalf("the cases are %+v", cases)
		}
		if session := ask(t, server+"/s/"+cases.Cases[0].Attempts[0].Session, nil); !strings.Contains(session, "/run?") || !strings.Contains(session, "TestRAG/"+cases.Cases[0].Name) {
			t.Errorf("the session of %s", cases.Cases[0].Name)
		}
	}
}
