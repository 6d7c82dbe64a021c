package command

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines are what a command prints.
type lines struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() {
		select {
		case l.wrote <- struct{}{}:
		default:
		}
	}()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestServe runs the command until it is told to end, then moves what it took to
// another file.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "sessions.db")
	out := &lines{wrote: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0", "-data", data, "-max-age", "30d", "-max-size", "1GiB"}, nil, io.Discard, out)
	}()
	<-out.wrote
	url := regexp.MustCompile(`http://\S+`).FindString(out.String())
	if !strings.Contains(out.String(), "HH_API_URL="+url) || !strings.Contains(out.String(), data) {
		t.Fatalf("it says %q", out.String())
	}
	res, err := http.Post(url+"/session/start", "application/json", strings.NewReader(`{"session":{"project":"p","session_name":"n","source":"s","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c23"}}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()

	if err := run(t.Context(), []string{"export", "-data", data}, nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("export while it runs: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	transfer(t, data, dir)
}

// transfer exports a file, imports that into another, and exports it again.
func transfer(t *testing.T, data, dir string) {
	t.Helper()
	var first, second bytes.Buffer
	if err := run(t.Context(), []string{"export", "-data", data}, nil, &first, io.Discard); err != nil {
		t.Fatal(err)
	}
	if got := first.String(); !strings.Contains(got, `"session_id":"caf77ace-3417-4da4-944d-f4a0688f3c23"`) || strings.Count(got, "\n") != 1 {
		t.Errorf("exported %q", got)
	}
	file, other := filepath.Join(dir, "sessions.jsonl"), filepath.Join(dir, "other.db")
	for _, args := range [][]string{{"export", "-data", data, file}, {"import", "-data", other, file}} {
		if err := run(t.Context(), args, nil, io.Discard, io.Discard); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	if err := run(t.Context(), []string{"export", "-data", data, file}, nil, io.Discard, io.Discard); !errors.Is(err, os.ErrExist) {
		t.Errorf("export over a file: %v", err)
	}
	if err := run(t.Context(), []string{"import", "-data", other}, bytes.NewReader(first.Bytes()), io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"export", "-data", other}, nil, &second, io.Discard); err != nil || first.String() != second.String() {
		t.Errorf("%v: imported\n%s\nof\n%s", err, second.String(), first.String())
	}
}

// TestMessages names what is in the way, in one line.
func TestMessages(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "s.db")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"port in use":     {[]string{"-listen", taken.Addr().String(), "-data", data}, "the port is in use"},
		"folder":          {[]string{"-listen", "127.0.0.1:0", "-data", filepath.Join(file, "s.db")}, "not a directory"},
		"token":           {[]string{"-listen", "0.0.0.0:0", "-data", data, "-token", ""}, "a token is needed"},
		"unknown command": {[]string{"exprot"}, `no command "exprot"`},
		"unknown flag":    {[]string{"-x"}, "-x"},
		"age":             {[]string{"-max-age", "old"}, "max-age"},
		"days":            {[]string{"-max-age", "-1d"}, "no number of days"},
		"prices":          {[]string{"-prices", file}, "read prices " + file},
		"no prices":       {[]string{"-prices", filepath.Join(dir, "none")}, "no such file"},
		"size":            {[]string{"-max-size", "big"}, "no size such as"},
		"two files":       {[]string{"import", "a", "b"}, "one file"},
		"no file":         {[]string{"import", "-data", data, filepath.Join(dir, "none")}, "none"},
		"bad line":        {[]string{"import", "-data", data, file}, "line 1"},
	} {
		err := run(t.Context(), c.args, strings.NewReader(""), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHelp says what the command is for, and no token.
func TestHelp(t *testing.T) {
	t.Setenv("SESSIONSPAN_TOKEN", "s3cret")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-help"}, nil, io.Discard, &out); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	for _, want := range []string{"usage: sessionspan", "OTEL_EXPORTER_OTLP_ENDPOINT", "-listen", "127.0.0.1:4318", "-max-age", "-token", "-prices"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "s3cret") {
		t.Error("the help prints the token")
	}
}

func TestParseSizes(t *testing.T) {
	for text, want := range map[string]int64{"500": 500, "2GiB": 2 << 30, "1.5MiB": 3 << 19, "3 KB": 3000, "7B": 7} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]time.Duration{"30d": 720 * time.Hour, "0.5d": 12 * time.Hour, "90m": 90 * time.Minute} {
		if got, err := parseAge(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// TestServeRedacted runs the command with -redact, and looks at what it keeps.
func TestServeRedacted(t *testing.T) {
	data := filepath.Join(t.TempDir(), "sessions.db")
	out := &lines{wrote: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"-listen", "127.0.0.1:0", "-data", data, "-redact-key", "user.name"}, nil, io.Discard, out)
	}()
	<-out.wrote
	url := regexp.MustCompile(`http://\S+`).FindString(out.String())
	res, err := http.Post(url+"/session/start", "application/json", strings.NewReader(`{"session":{"project":"p","session_name":"n","source":"s",
		"session_id":"caf77ace-3417-4da4-944d-f4a0688f3c23","inputs":{"q":"I am ann@example.org","user":{"name":"Ann"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var kept bytes.Buffer
	if err := run(t.Context(), []string{"export", "-data", data}, nil, &kept, io.Discard); err != nil {
		t.Fatal(err)
	}
	if text := kept.String(); !strings.Contains(text, "I am [redacted:email]") || !strings.Contains(text, `"name":"[redacted:user.name]"`) || strings.Contains(text, "ann@") {
		t.Errorf("it keeps %s", text)
	}
	if err := run(t.Context(), []string{"-redact-key", " "}, nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "is no name") {
		t.Errorf("a key that is none: %v", err)
	}
}

// TestImportRedacted imports what another file holds, and looks for it in every byte.
func TestImportRedacted(t *testing.T) {
	dir := t.TempDir()
	const lines = `{"session":{"session_id":"caf77ace-3417-4da4-944d-f4a0688f3c23","project":"p","session_name":"s","source":"s","inputs":{"q":"I am ann@example.org","ssn":"078-05-1120"}}}
{"event":{"event_id":"caf77ace-3417-4da4-944d-f4a0688f3c24","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c23","event_name":"e","event_type":"tool","source":"s","project":"p","inputs":{"q":"ann@example.org"},"error":"of ann@example.org"}}
{"update":{"event_id":"caf77ace-3417-4da4-944d-f4a0688f3c24","feedback":{"comment":"ann@example.org"}}}
`
	for name, args := range map[string][]string{"plain": nil, "redacted": {"-redact", "-redact-key", "ssn"}} {
		data := filepath.Join(dir, name+".db")
		if err := run(t.Context(), append(append([]string{"import", "-data", data}, args...), "-"), strings.NewReader(lines), io.Discard, io.Discard); err == nil {
			t.Error("a file called - was read")
		}
		if err := run(t.Context(), append([]string{"import", "-data", data}, args...), strings.NewReader(lines), io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
		var kept bytes.Buffer
		if err := run(t.Context(), []string{"export", "-data", data}, nil, &kept, io.Discard); err != nil {
			t.Fatal(err)
		}
		all := kept.String()
		files, _ := filepath.Glob(data + "*")
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all += string(b)
		}
		if got := strings.Contains(all, "ann@example.org") || strings.Contains(all, "078-05-1120"); got != (name == "plain") {
			t.Errorf("%s: it keeps %s", name, kept.String())
		}
		if name == "redacted" && !strings.Contains(kept.String(), "I am [redacted:email]") {
			t.Errorf("it keeps %s", kept.String())
		}
	}
	if err := run(t.Context(), []string{"import", "-data", filepath.Join(dir, "x.db"), "-redact-key", " "}, strings.NewReader(""), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "is no name") {
		t.Errorf("a key that is none: %v", err)
	}
}
