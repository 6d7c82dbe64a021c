package evals_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// built is the folder of suites, or "".
var built string

// The suites of testdata/suites, built once, with the race detector where this test
// has it.
var suites = sync.OnceValues(func() (file string, err error) {
	built, err = os.MkdirTemp("", "evals")
	if err != nil {
		return "", err
	}
	file = filepath.Join(built, "suites.test")
	args := []string{"test", "-c", "-o", file}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "./testdata/suites")...).CombinedOutput()
	if err != nil {
		err = errors.New(err.Error() + ": " + string(out))
	}
	return file, err
})

// A process is a test binary that ran.
type process struct {
	out  string
	fail bool
}

// run runs suites with flags, in a folder that has their cases.
func run(t *testing.T, dir string, env []string, args ...string) process {
	t.Helper()
	file, err := suites()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "DATA RACE") || strings.Contains(string(out), "panic: test timed out") {
		t.Errorf("%s", out)
	}
	return process{string(out), err != nil}
}

// folder returns one with the cases of the suites.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS("testdata/suites/testdata")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// check looks for texts in what a process said, and for how it ended.
func (p process) check(t *testing.T, fails bool, wants ...string) {
	t.Helper()
	if p.fail != fails {
		t.Errorf("it failed: %v, want %v", p.fail, fails)
	}
	for _, want := range wants {
		if !regexp.MustCompile(want).MatchString(p.out) {
			t.Errorf("nothing matches %q", want)
		}
	}
	if t.Failed() {
		t.Logf("it said\n%s", p.out)
	}
}

// TestProcesses runs suites as processes and reads what they say.
func TestProcesses(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		fails bool
		wants []string
		not   string
	}{
		"times": {[]string{"-test.v", "-test.run=^TestTimes$"}, false, []string{
			"PASS: TestTimes/case0/1", "PASS: TestTimes/case1/3", "6 of 6 attempts of 2 cases", "the task was called 6 times", `right +1 +1 +6`,
		}, "case0/4"},
		"parallel": {[]string{"-test.v", "-test.run=^TestParallel$", "-test.parallel=1"}, false, []string{"12 of 12 attempts", "\n.*: 3 ran at the same time"}, ""},
		"panics": {[]string{"-test.v", "-test.run=^TestPanic$"}, true, []string{
			"the task failed: panic: the floor gives way", "suites.TestPanic.func", "3 of 3 attempts of 3 cases.*; the task failed in 1", "PASS: TestPanic/case1", "PASS: TestPanic/case2",
			"gate: pass rate of succeeds at least 0.5: it is 0.6667", "careful: no score: panic: the judge falls", "gate: pass rate of careful at least 0: 1 attempts have no score, the first since: panic: the judge falls",
		}, ""},
		"time-outs": {[]string{"-test.v", "-test.run=^TestTimeout$"}, false, []string{
			`the task failed: ask: the time of an attempt is over \(1ms\)`, "did not return after its context had ended: the time of an attempt is over", "gate: pass rate of saw at least 1: it is 1",
		}, ""},
		"run": {[]string{"-test.v", "-test.run=^TestTimes$/^case1$", "-evals.update"}, true, []string{
			"3 of 6 attempts of 2 cases", "The gates are not judged, since not all cases ran", "the baseline was not written: 3 of 6 attempts ran",
		}, "case0"},
		"one attempt": {[]string{"-test.v", "-test.run=^TestTimes$/^case1$/^2$"}, false, []string{"1 of 6 attempts", "The gates are not judged"}, "case1/3"},
		"skip":        {[]string{"-test.v", "-test.run=^TestTimes$", "-test.skip=^TestTimes$/^case1$"}, false, []string{"3 of 6 attempts", "The gates are not judged"}, "case1/1"},
		"count":       {[]string{"-test.v", "-test.run=^TestTimes$", "-test.count=2"}, false, []string{"(?s)6 of 6 attempts.*6 of 6 attempts"}, ""},
		"short":       {[]string{"-test.v", "-test.run=^Test(Times|Short)$", "-test.short"}, false, []string{"SKIP: TestTimes", "left out by -short", "PASS: TestShort/case0"}, "PASS: TestTimes"},
		"side by side": {[]string{"-test.v", "-test.run=^TestSideBySide$", "-test.parallel=2"}, false, []string{
			"PASS: TestSideBySide/a/case19", "PASS: TestSideBySide/b/case0", "(?s)20 of 20 attempts.*20 of 20 attempts", "gate: pass rate of own at least 1: it is 1",
		}, "FAILED"},
		"cancelled": {[]string{"-test.v", "-test.run=^TestCancelled$"}, true, []string{
			"2 of 4 attempts", "not begun: the budget is spent", "SKIP: TestCancelled/case2", "the gates cannot be judged: not all cases ran: the budget is spent",
		}, ""},
		"FailNow": {[]string{"-test.v", "-test.run=^TestFailNow$"}, true, []string{
			"3 of 3 attempts", `the task failed: the task ended its goroutine \(runtime.Goexit`, "PASS: TestFailNow/case2",
		}, ""},
		"must": {[]string{"-test.v", "-test.run=^TestMust$"}, true, []string{
			"FAIL: TestMust/case0", "PASS: TestMust/case1", "FAIL: TestMust/case2", "right: 0: it must be at least 1", "3 of 3 attempts",
		}, ""},
		"first failure": {[]string{"-test.v", "-test.run=^TestMust$", "-test.failfast"}, true, []string{"1 of 3 attempts"}, "PASS: TestMust/case1"},
		"wrong": {[]string{"-test.run=^TestWrong$"}, true, []string{
			"must not be negative", `two scorers have the name "right"`, `there is no scorer "left"`, "a gate is empty",
		}, "attempts"},
		"bad cases": {[]string{"-test.v", "-test.run=^TestBadCases$"}, true, []string{
			"bad.jsonl:2: input: json: cannot unmarshal", `bad.jsonl:3: is no case: json: unknown field "inputs"`, "stands twice", "2 of 2 attempts", "PASS: TestBadCases/5-",
		}, "FAIL: TestBadCases/"},
		"benchmark": {[]string{"-test.run=^$", "-test.bench=^BenchmarkPlus$", "-test.benchtime=2x"}, false, []string{
			`BenchmarkPlus\S*\s+2\s.* 4.000 cost/op\s+0.5000 half-right\s+88.00 tokens/op`,
		}, "evals:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := run(t, folder(t), nil, c.args...)
			p.check(t, c.fails, c.wants...)
			if c.not != "" && strings.Contains(p.out, c.not) {
				t.Errorf("it said %q:\n%s", c.not, p.out)
			}
			if ids := regexp.MustCompile("cases, run ([0-9a-f-]{36})").FindAllStringSubmatch(p.out, -1); len(ids) == 2 && ids[0][1] == ids[1][1] {
				t.Errorf("two runs have one id:\n%s", p.out)
			}
		})
	}
}

// TestOutOfTime lets -timeout end the contexts of tasks: the summary comes in time.
func TestOutOfTime(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds")
	}
	p := run(t, folder(t), nil, "-test.v", "-test.run=^TestOutOfTime$", "-test.timeout=12s")
	p.check(t, true, "the task failed: the time of -timeout is nearly over", "1 of 3 attempts", "SKIP: TestOutOfTime/case1", "the gates cannot be judged")
}

// TestNobodyListens says at the end that the sessions could not be delivered, fails
// nothing for it, and names no page where nobody is.
func TestNobodyListens(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds")
	}
	p := run(t, folder(t), []string{"HH_API_URL=http://127.0.0.1:1"}, "-test.v", "-test.run=^TestTimes$")
	p.check(t, false, "The sessions: .*connection refused", "ATTR  TestTimes sessionspan.run [0-9a-f-]{36}\n", "ATTR  TestTimes/case0/1 sessionspan.session http://127.0.0.1:1/s/")
	if strings.Contains(p.out, "Open http") {
		t.Errorf("a link to nobody:\n%s", p.out)
	}
}

// TestLink tells where a run is shown: once, on a server that has taken its sessions and
// says what it is, however the environment names it.
func TestLink(t *testing.T) {
	dir := folder(t)
	for name, tc := range map[string]struct {
		variable, path, identity string
		status                   int
		linked                   bool
	}{
		"by HoneyHive's API":  {"HH_API_URL", "", `{"service":"sessionspan","version":"(devel)"}`, 200, true},
		"under a path":        {"HH_API_URL", "/below", `{"service":"sessionspan"}`, 200, true},
		"by OTLP":             {"OTEL_EXPORTER_OTLP_ENDPOINT", "", `{"service":"sessionspan"}`, 200, true},
		"another server":      {"HH_API_URL", "", `{"service":"collector"}`, 200, false},
		"one without a name":  {"HH_API_URL", "", `<html>sessionspan</html>`, 200, false},
		"one that takes none": {"HH_API_URL", "", `{"service":"sessionspan"}`, 400, false},
		"another collector":   {"OTEL_EXPORTER_OTLP_ENDPOINT", "", "ok", 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == tc.path+"/healthz":
					_, _ = io.WriteString(w, tc.identity)
				case strings.HasPrefix(r.URL.Path, "/v1/traces"):
					w.Header().Set("Content-Type", "application/x-protobuf")
				default:
					w.WriteHeader(tc.status)
					_, _ = io.WriteString(w, "{}")
				}
			}))
			defer server.Close()
			p := run(t, dir, []string{tc.variable + "=" + server.URL + tc.path}, "-test.v", "-test.run=^TestTimes$")
			links := regexp.MustCompile(`Open (\S*)`).FindAllStringSubmatch(p.out, -1)
			ids := regexp.MustCompile("cases, run ([0-9a-f-]{36})").FindStringSubmatch(p.out)
			if p.fail || len(ids) != 2 {
				t.Fatal(p.out)
			}
			if want := server.URL + tc.path + "/run?id=" + ids[1]; tc.linked && (len(links) != 1 || links[0][1] != want) || !tc.linked && len(links) > 0 {
				t.Errorf("the links %q, want %v to %s", links, tc.linked, want)
			}
		})
	}
}

// TestBaseline runs the program of the documentation: without a baseline, writing
// one, against it, and worse.
func TestBaseline(t *testing.T) {
	dir := folder(t)
	file := filepath.Join(dir, "testdata", "evals", "TestAnswers.json")
	args := []string{"-test.v", "-test.run=^TestAnswers$"}
	run(t, dir, nil, args...).check(t, false, "9 of 9 attempts of 3 cases", "PASS: TestAnswers/nil_map/2", "PASS: TestAnswers/how-long-is-a-string-", "no worse than the baseline by more than 0.02: not judged: there is no baseline")
	run(t, dir, []string{"CI=true"}, args...).check(t, true, "there is no baseline: write testdata/evals/TestAnswers.json with -evals.update")
	run(t, dir, nil, append(args, "-evals.update")...).check(t, false, "The baseline is written: testdata.evals.TestAnswers.json")
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(written), "\n"); lines != 8 || !regexp.MustCompile(`"run": "[0-9a-f-]{36}",`).Match(written) || !strings.Contains(string(written), `"defer": {"sum":"`) || !strings.Contains(string(written), `"scores":{"cites":[1,1,1],"overlap":[1,1,1],"tools":[1,1,1]}`) {
		t.Errorf("the baseline is\n%s", written)
	}
	run(t, dir, []string{"CI=true"}, args...).check(t, false, "no worse than the baseline by more than 0.02: it differs by 0 over 3 cases")
	run(t, dir, []string{"WORSE=1"}, args...).check(t, true, "gate: mean of overlap at least 0.8: it is 0", "gate: pass rate of cites at least 0.95: it is 0", "no worse than the baseline by more than 0.02: it differs by -1 over 3 cases", "20 cases are needed", "gate: .*FAILED")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, nil, args...).check(t, true, "read the baseline: .*unexpected end of JSON input")
	run(t, dir, nil, append(args, "-evals.update")...).check(t, false, "The baseline is written")
	again, err := os.ReadFile(file)
	id := regexp.MustCompile(`"run": ".*",`)
	if err != nil || string(id.ReplaceAll(again, nil)) != string(id.ReplaceAll(written, nil)) || string(again) == string(written) {
		t.Errorf("%v: written again it is\n%s", err, again)
	}
}

// TestJSON reads what go test -json says: the attributes of attempts and of the test,
// and with -artifacts the attempts.
func TestJSON(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-json", "-run", "^TestAnswers$", "-artifacts", "-outputdir", dir, "./testdata/suites")
	var sessions atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/session/start" {
			sessions.Add(1)
		}
		_, _ = io.Copy(w, strings.NewReader(`{"service":"sessionspan"}`))
	}))
	defer server.Close()
	cmd.Env = append(os.Environ(), "HH_API_URL="+server.URL+"/")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	attributes, artifacts := make(map[string]map[string]string), ""
	for line := range strings.Lines(string(out)) {
		var l struct{ Action, Test, Key, Value, Path string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch l.Action {
		case "attr":
			if attributes[l.Test] == nil {
				attributes[l.Test] = make(map[string]string)
			}
			attributes[l.Test][l.Key] = l.Value
		case "artifacts":
			artifacts = l.Path
		}
	}
	if len(attributes) != 10 {
		t.Errorf("%d tests have attributes", len(attributes))
	}
	whole, attempt := attributes["TestAnswers"], attributes["TestAnswers/defer/3"]
	if whole["mean.overlap"] != "1" || !strings.HasPrefix(whole["sessionspan.run"], server.URL+"/run?id=") {
		t.Errorf("the test has %v", whole)
	}
	if attempt["score.cites"] != "1" || attempt["score.overlap"] != "1" || !strings.HasPrefix(attempt["sessionspan.session"], server.URL+"/s/") {
		t.Errorf("the attempt has %v", attempt)
	}
	if n := sessions.Load(); n != 18 || strings.Contains(string(out), "The sessions: ") { // each attempt has one, and so has the program
		t.Errorf("%d sessions came", n)
	}
	kept, err := os.ReadFile(filepath.Join(artifacts, "attempts.jsonl"))
	if err != nil || strings.Count(string(kept), "\n") != 9 || !strings.Contains(string(kept), `"scores":{"cites":1,"overlap":1,"tools":1}`) {
		t.Errorf("%v: the attempts are\n%s", err, kept)
	}
}
