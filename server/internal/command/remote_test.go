package command

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/store/sqlite"
)

// running is a server that runs by the command itself.
type running struct{ url, data, token string }

func serving(t *testing.T, args ...string) running {
	t.Helper()
	t.Setenv(serverEnv, "")
	t.Setenv(tokenEnv, "")
	data := filepath.Join(t.TempDir(), "sessions.db")
	out := &lines{wrote: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, append([]string{"-listen", "127.0.0.1:0", "-data", data}, args...), nil, io.Discard, out)
	}()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-out.wrote:
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	s := running{url: regexp.MustCompile(`http://[^\s)]+`).FindString(out.String()), data: data}
	if len(args) == 2 && args[0] == "-token" {
		s.token = args[1]
	}
	return s
}

func (s running) post(t *testing.T, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("POST %s: %d %s", path, res.StatusCode, text)
	}
}

func id(n int) string { return fmt.Sprintf("caf77ace-3417-4da4-944d-f4a0688f%04d", n) }

// filled has three sessions: one that is well, with a call below a retriever; one that
// failed; and one whose texts are hostile to terminals and spreadsheets.
func filled(t *testing.T, args ...string) running {
	t.Helper()
	s := serving(t, args...)
	for i, rest := range []string{
		`"session_name":"well","inputs":{"question":"Where is my parcel?"},"outputs":{"answer":"On its way."},"user_properties":{"user_id":"ann"}`,
		`"session_name":"failed","error":"rate limit","inputs":{"question":"And mine?"}`,
		`"session_name":"\u001b[2J\u001b]0;owned\u0007evil\u202egpj","inputs":{"question":"=HYPERLINK(\"http://x\")"},"outputs":{"answer":"-1+1\r\n@SUM(A1)"}`,
	} {
		s.post(t, "/session/start", fmt.Sprintf(`{"session":{"project":"p%d","source":"s","session_id":%q,"start_time":%d,"end_time":%d,%s}}`, i%2, id(i), 1767225600000+i*1000, 1767225601500+i*1000, rest))
	}
	s.post(t, "/events/batch", fmt.Sprintf(`{"events":[
		{"event_type":"chain","event_name":"answer","event_id":%q,"session_id":%q,"parent_id":%[2]q,"start_time":1767225600000,"duration":900,"inputs":{"q":1}},
		{"event_type":"model","event_name":"chat","event_id":%q,"session_id":%[2]q,"parent_id":%[1]q,"inputs":{},"config":{"model":"gpt-4.1"},"metadata":{"prompt_tokens":100,"completion_tokens":7,"cost":0.5},"start_time":1767225600100,"duration":700,"error":"half"}]}`,
		id(100), id(0), id(101)))
	return s
}

// told runs a command that must end well, and returns what it printed.
func told(t *testing.T, args ...string) string {
	t.Helper()
	var out, says bytes.Buffer
	if err := run(t.Context(), args, strings.NewReader(""), &out, &says); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return out.String()
}

func contains(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s: %q is missing in\n%s", what, want, text)
		}
	}
}

// TestList prints sessions as a table and as JSON, filtered as the page's list is.
func TestList(t *testing.T) {
	s := filled(t)
	table := told(t, "list", "-server", s.url)
	contains(t, "the table", table, "STARTED", "error", "! rate limit", id(1), "Where is my parcel?", "1.5s", "100/7", "0.5 USD", "evil")
	if strings.ContainsAny(table, "\x1b\x07\u202e\r") {
		t.Errorf("the table commands the terminal: %q", table)
	}
	if lines := strings.Split(strings.TrimSpace(table), "\n"); len(lines) != 4 || !strings.Contains(lines[3], "well") {
		t.Errorf("the table has %d lines:\n%s", len(lines), table)
	}
	for want, args := range map[string][]string{
		"failed":      {"-status", "error"},
		"well":        {"-q", "parcel"},
		"failed,,":    {"-query", `status:error "rate limit"`},
		"failed,":     {"-project", "p1", "-from", "2026-01-01"},
		"well,failed": {"-asc", "-n", "2"},
		"":            {"-since", "1h"},
		"well,,":      {"-model", "gpt-4.1", "-min-cost", "0.4", "-max-ms", "2000"},
	} {
		var got []string
		for line := range strings.Lines(told(t, append([]string{"list", "-json", "-server", s.url}, args...)...)) {
			var one struct {
				Name  string `json:"session_name"`
				Model []string
			}
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got = append(got, one.Name)
		}
		if text := strings.Join(got, ","); text != strings.TrimRight(want, ",") {
			t.Errorf("list %q: %q, want %q", args, text, want)
		}
	}
}

// TestShow prints a session, its tree, and bodies.
func TestShow(t *testing.T) {
	s := filled(t)
	text := told(t, "show", "-server", s.url, id(0))
	contains(t, "the session", text, "well", "ann", "On its way.", "answer", "  chat  ! half", "gpt-4.1", "700ms", id(101))
	contains(t, "one event", told(t, "show", "-server", s.url, "-n", "1", id(0)), "and 1 more events")
	contains(t, "JSON", told(t, "show", "-json", "-server", s.url, id(0)), `"depth":1`, `"total":2`)
	contains(t, "the body", told(t, "show", "-event", id(101), "-server", s.url), `"model":"gpt-4.1"`)
	contains(t, "bodies", told(t, "show", "-bodies", "-server", s.url, id(0)), `"inputs":{"q":1}`)
	if hostile := told(t, "show", "-server", s.url, id(2)); strings.ContainsAny(hostile, "\x1b\x07\u202e\r") {
		t.Errorf("it commands the terminal: %q", hostile)
	}
}

// TestTail prints what comes and changes, and ends when it is interrupted.
func TestTail(t *testing.T) {
	s := filled(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, says := &lines{wrote: make(chan struct{}, 1)}, &lines{wrote: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"tail", "-json", "-project", "p0", "-server", s.url}, nil, out, says)
	}()
	<-says.wrote
	s.post(t, "/session/start", fmt.Sprintf(`{"session":{"project":"p1","source":"s","session_id":%q,"session_name":"other"}}`, id(7)))
	s.post(t, "/session/start", fmt.Sprintf(`{"session":{"project":"p0","source":"s","session_id":%q,"session_name":"new"}}`, id(8)))
	for !strings.Contains(out.String(), `"session_name":"new"`) {
		<-out.wrote
	}
	s.post(t, "/session/start", fmt.Sprintf(`{"session":{"project":"p0","source":"s","session_id":%q,"session_name":"well","error":"late"}}`, id(0)))
	for !strings.Contains(out.String(), `"error":"late"`) {
		<-out.wrote
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if text := out.String(); strings.Contains(text, "other") || strings.Contains(text, "rate limit") {
		t.Errorf("it prints what the filter leaves out, or what was there before:\n%s", text)
	}
}

// TestExportFromServer writes the same as an export of the file, while the server has it.
func TestExportFromServer(t *testing.T) {
	s := filled(t)
	dir := t.TempDir()
	jsonl := told(t, "export", "-server", s.url)
	if n := strings.Count(jsonl, "\n"); n != 5 {
		t.Errorf("%d lines:\n%s", n, jsonl)
	}
	one := told(t, "export", "-server", s.url, "-status", "error")
	if strings.Count(one, "\n") != 1 || !strings.Contains(one, id(1)) {
		t.Errorf("filtered: %s", one)
	}
	other := filepath.Join(dir, "other.db")
	if err := run(t.Context(), []string{"import", "-data", other}, strings.NewReader(jsonl), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"-format", "csv"}, {"-cases", "-input", "question"}, {"-q", "parcel"}} {
		remote := told(t, append([]string{"export", "-server", s.url}, args...)...)
		if file := told(t, append([]string{"export", "-data", other}, args...)...); file != remote || remote == "" {
			t.Errorf("%q of the server:\n%s\nof the file:\n%s", args, remote, file)
		}
	}
	table, err := csv.NewReader(strings.NewReader(told(t, "export", "-server", s.url, "-format", "csv"))).ReadAll()
	if err != nil || len(table) != 4 {
		t.Fatalf("%d lines, %v", len(table), err)
	}
	for _, row := range table[1:] {
		for n, text := range row {
			if text != "" && strings.ContainsAny(text[:1], "=+@\t") {
				t.Errorf("%s: a spreadsheet runs %q", table[0][n], text)
			}
		}
	}
	file := filepath.Join(dir, "out.csv")
	_ = told(t, "export", "-server", s.url, "-format", "csv", file)
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := run(t.Context(), []string{"export", "-server", s.url, file}, nil, io.Discard, io.Discard); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
}

// TestBackupOfServer copies the file of a server that runs.
func TestBackupOfServer(t *testing.T) {
	s := filled(t)
	dir := t.TempDir()
	copied := filepath.Join(dir, "copy.db")
	var says bytes.Buffer
	if err := run(t.Context(), []string{"backup", "-server", s.url, copied}, nil, io.Discard, &says); err != nil {
		t.Fatal(err)
	}
	contains(t, "it says", says.String(), copied, "read through")
	if info, err := os.Stat(copied); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := filepath.Glob(s.data + "-backup*"); len(left) != 0 {
		t.Errorf("the server leaves %q", left)
	}
	if err := run(t.Context(), []string{"backup", "-server", s.url, copied}, nil, io.Discard, io.Discard); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if got := told(t, "export", "-data", copied); got != told(t, "export", "-server", s.url) {
		t.Errorf("the copy holds\n%s", got)
	}
	again := filepath.Join(dir, "again.db") // of a file that nobody has open
	_ = told(t, "backup", "-data", copied, again)
	if err := sqlite.Check(t.Context(), again); err != nil {
		t.Error(err)
	}
}

// TestServerInPlaceOfFile: of a file that a server has open, that server is asked, and no
// other one.
func TestServerInPlaceOfFile(t *testing.T) {
	s, stranger := filled(t), serving(t)
	for url, fits := range map[string]bool{s.url: true, stranger.url: false} {
		c := &source{data: s.data}
		if err := c.begin(); err != nil {
			t.Fatal(err)
		}
		c.url = url
		err := c.turn(t.Context())
		if fits != (err == nil) || err != nil && !strings.Contains(err.Error(), "-server") {
			t.Errorf("%s: %v", url, err)
		}
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}
}

// TestToken: a server with a token asks for it, and it does not go over a network in the
// clear.
func TestToken(t *testing.T) {
	s := serving(t, "-token", "s3cret")
	if err := run(t.Context(), []string{"list", "-server", s.url}, nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "a token is needed") {
		t.Errorf("without the token: %v", err)
	}
	_ = told(t, "list", "-server", s.url, "-token", "s3cret")
	t.Setenv(tokenEnv, "s3cret")
	_ = told(t, "list", "-server", s.url)
	t.Setenv(serverEnv, s.url)
	_ = told(t, "list")
	copied := filepath.Join(t.TempDir(), "copy.db")
	_ = told(t, "backup", copied)
	_ = told(t, "export", "-data", copied) // a file that is named goes before the environment
	if err := run(t.Context(), []string{"list", "-server", "http://192.0.2.1"}, nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "use https") {
		t.Errorf("in the clear: %v", err)
	}
	for _, name := range []string{"list", "show", "tail", "export", "backup"} {
		var says bytes.Buffer
		_ = run(t.Context(), []string{name, "-help"}, nil, io.Discard, &says)
		if !strings.Contains(says.String(), "usage: sessionspan "+name) || strings.Contains(says.String(), "s3cret") {
			t.Errorf("%s -help:\n%s", name, says.String())
		}
	}
}

// TestRemoteErrors names what is in the way, in one line.
func TestRemoteErrors(t *testing.T) {
	s := filled(t)
	nobody := "http://127.0.0.1:1"
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nobody":         {[]string{"list", "-server", nobody}, "is the server running there?"},
		"no address":     {[]string{"list", "-server", "ftp://x"}, "is no address"},
		"a filter":       {[]string{"list", "-server", s.url, "-status", "bad"}, "status is none of the choices"},
		"a query":        {[]string{"export", "-server", s.url, "-query", "stauts:error"}, "query: "},
		"a sort":         {[]string{"list", "-server", s.url, "-sort", "bad"}, "sort is none of the choices"},
		"words":          {[]string{"list", "-server", s.url, "words"}, "go with -q"},
		"a number":       {[]string{"list", "-server", s.url, "-n", "0"}, "no number from 1"},
		"no session":     {[]string{"show", "-server", s.url, id(99)}, "no session has the id"},
		"no id":          {[]string{"show", "-server", s.url, "x/../y"}, "session_id"},
		"none named":     {[]string{"show", "-server", s.url}, "name one session"},
		"no event":       {[]string{"show", "-server", s.url, "-event", id(99)}, "no event has the id"},
		"tail nobody":    {[]string{"tail", "-server", nobody}, "is the server running there?"},
		"export nobody":  {[]string{"export", "-server", nobody}, "is the server running there?"},
		"two places":     {[]string{"export", "-server", s.url, "-data", s.data}, "two places"},
		"a format":       {[]string{"export", "-server", s.url, "-format", "xml"}, "neither jsonl nor csv"},
		"an age":         {[]string{"export", "-server", s.url, "-since", "-1h"}, "no age"},
		"export filter":  {[]string{"export", "-server", s.url, "-feedback", "bad"}, "feedback is none"},
		"backup no file": {[]string{"backup", "-server", s.url}, "name one new file"},
	} {
		err := run(t.Context(), c.args, strings.NewReader(""), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("a file is left")
	}
}
