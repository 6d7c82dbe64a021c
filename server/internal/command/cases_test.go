package command

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// TestCases makes cases out of sessions: of all of their inputs, of a member, with
// what they gave or what is known to be right.
func TestCases(t *testing.T) {
	data := filepath.Join(t.TempDir(), "s.db")
	const sessions = `{"session":{"project":"p","session_name":"plain","source":"s","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c21","inputs":{"input":"q1"},"outputs":{"result":"a1"},"start_time":1}}
{"session":{"project":"p","session_name":"object","source":"s","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c22","inputs":{"question":"q2","n":9007199254740993},"outputs":{"role":"assistant","content":"a2"},"start_time":2}}
{"session":{"project":"p","session_name":"truth","source":"s","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c23","inputs":{"question":"q3"},"outputs":{"content":"a3"},"feedback":{"ground_truth":{"text":"right"}},"metadata":{"datapoint_id":"point"},"start_time":3}}
{"session":{"project":"other","session_name":"failed","source":"s","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c24","inputs":{"question":"q4"},"outputs":{"content":"half"},"error":"away","start_time":4}}
{"session":{"project":"p","session_name":"nothing","source":"s","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c25","start_time":5}}
{"event":{"event_type":"tool","event_id":"caf77ace-3417-4da4-944d-f4a0688f3c27","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c26","inputs":{"question":"of an orphan"}}}
`
	if err := run(t.Context(), []string{"import", "-data", data}, strings.NewReader(sessions), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	line := func(n, name, rest string) string {
		return `{"name":"` + name + `-caf77ace",` + rest + `,"metadata":{"session_id":"caf77ace-3417-4da4-944d-f4a0688f3c2` + n + `"}}` + "\n"
	}
	truth := `"id":"point","input":%,"expected":{"text":"right"}`
	for name, c := range map[string]struct {
		args       []string
		want, says string
	}{
		"all": {nil, line("1", "plain", `"input":"q1","expected":"a1"`) +
			line("2", "object", `"input":{"question":"q2","n":9007199254740993},"expected":{"role":"assistant","content":"a2"}`) +
			line("3", "truth", strings.Replace(truth, "%", `{"question":"q3"}`, 1)) + line("4", "failed", `"input":{"question":"q4"}`), "4 cases exported, 1 sessions have no such input\n"},
		"members": {[]string{"-input", "question", "-expected", "content"}, line("2", "object", `"input":"q2","expected":"a2"`) + line("3", "truth", strings.Replace(truth, "%", `"q3"`, 1)) +
			line("4", "failed", `"input":"q4"`), "3 cases exported, 2 sessions have no such input\n"},
		"a project": {[]string{"-project", "other"}, line("4", "failed", `"input":{"question":"q4"}`), "1 cases exported, 0"},
		"words":     {[]string{"-text", "q3"}, line("3", "truth", strings.Replace(truth, "%", `{"question":"q3"}`, 1)), "1 cases exported, 0"},
	} {
		var out, says bytes.Buffer
		if err := run(t.Context(), append([]string{"export", "-data", data, "-cases"}, c.args...), nil, &out, &says); err != nil || out.String() != c.want || !strings.HasPrefix(says.String(), c.says) {
			t.Errorf("%s: %v %s\n%s\nwant\n%s", name, err, says.String(), out.String(), c.want)
		}
	}
	if err := run(t.Context(), []string{"export", "-data", data, "-input", "question"}, nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "go with -cases") {
		t.Errorf("without -cases: %v", err)
	}
}
