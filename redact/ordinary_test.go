package redact_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/redact"
)

// docLines returns the lines of the comments of Go's own source: those of doc.go alone,
// or of all files of net and crypto, which speak of addresses and keys, and how many lines were left out, since they are no UTF-8 or empty.
func docLines(t *testing.T, dirs []string, all bool) (lines []string, skipped int) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal("go env GOROOT:", err)
	}
	read := func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "vendor"):
			return filepath.SkipDir
		case d.IsDir(), filepath.Ext(name) != ".go", !all && d.Name() != "doc.go", strings.HasSuffix(name, "_test.go"):
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, group := range file.Comments {
			for line := range strings.Lines(group.Text()) {
				line = strings.TrimRight(line, "\n")
				if strings.TrimSpace(line) == "" || !utf8.ValidString(line) {
					skipped++
					continue
				}
				lines = append(lines, line)
			}
		}
		return nil
	}
	for _, dir := range dirs {
		if err := filepath.WalkDir(filepath.Join(strings.TrimSpace(string(out)), "src", dir), read); err != nil {
			t.Fatal(err)
		}
	}
	return lines, skipped
}

// genuine reports whether what was found in a line is what it is said to be, by the
// parsers of the standard library: an address in an example is found rightly.
func genuine(before, after string) bool {
	for _, d := range redact.Detectors() {
		if !strings.Contains(after, "[redacted:"+string(d)+"]") {
			continue
		}
		switch d {
		case redact.Email:
			if !has(before, `[^\s<>"'(),;:=]+@[^\s<>"'(),;:=]+`, func(s string) bool {
				_, err := mail.ParseAddress(strings.TrimRight(s, ".`"))
				return err == nil
			}) {
				return false
			}
		case redact.IP:
			if !has(before, `[0-9a-fA-F:.]+`, func(s string) bool {
				_, err := netip.ParseAddr(strings.TrimRight(s, "."))
				_, port := netip.ParseAddrPort(s)
				_, end := netip.ParseAddr(strings.TrimRight(s, ".:"))
				return strings.ContainsAny(s, ".:") && (err == nil || port == nil || end == nil)
			}) {
				return false
			}
		case redact.Bearer:
			if !has(before, `Basic [A-Za-z0-9+/=]+`, func(s string) bool {
				r := http.Request{Header: http.Header{"Authorization": {s}}}
				_, _, ok := r.BasicAuth()
				return ok
			}) {
				return false
			}
		case redact.Credential:
			if !has(before, `[a-z]+://[^\s"]+@[^\s"]+`, func(s string) bool {
				u, err := url.Parse(strings.TrimRight(s, ",."))
				return err == nil && u.User != nil
			}) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func has(text, pattern string, is func(string) bool) bool {
	return slices.ContainsFunc(regexp.MustCompile(pattern).FindAllString(text, -1), is)
}

// TestOrdinaryText prints how many lines of Go's documentation are changed, and holds
// that at most one of 10,000 is changed without reason.
func TestOrdinaryText(t *testing.T) {
	p := policy(t)
	for _, dirs := range [][]string{{"."}, {"net", "crypto"}} {
		all := len(dirs) > 1
		lines, skipped := docLines(t, dirs, all)
		hits, wrong := 0, 0
		for _, line := range lines {
			got := p.Text("x", line)
			if got == line {
				continue
			}
			hits++
			if !genuine(line, got) {
				wrong++
				t.Logf("%s => %s", line, got)
			}
		}
		rate := float64(wrong) / float64(max(1, len(lines)))
		t.Logf("all files %v: %d lines, %d skipped; %d changed, %d of them wrongly: %.5f", all, len(lines), skipped, hits, wrong, rate)
		const least, most = 1000, 1.0 / 10_000
		if len(lines) < least || rate > most {
			t.Errorf("%d of %d lines are changed wrongly", wrong, len(lines))
		}
	}
}
