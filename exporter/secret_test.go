package exporter_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/internal/await"
)

// Keys in each of the shapes that servers give them.
const (
	classicKey   = "aGgtRVhBTVBMRQ/4c+9f1Zkq7=="
	ingestionKey = "hh_ingst_" + "0a1B2c3D4e5F6g7H8i9J0k1L" + "_" + "s3cr-t_Part-of-the-key0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
)

// writings are ways in which servers, proxies and frameworks write a key that
// they quote, each by the standard library or by its definition.
var writings = map[string]func(key string) string{
	"as it is":    func(k string) string { return k },
	"with scheme": func(k string) string { return "Bearer " + k },
	"PHP's JSON":  func(k string) string { return strings.ReplaceAll(k, "/", `\/`) },
	"escaped for JS": func(k string) string {
		return strings.NewReplacer("+", `\u002b`, "=", `\u003D`, "-", `\u002d`).Replace(k)
	},
	"all escaped": func(k string) string { return each(k, `\u%04x`) },
	"hexadecimal": func(k string) string { return each(k, `\x%02x`) },
	"HTML": func(k string) string {
		return strings.NewReplacer("+", "&#43;", "_", "&#x5f;").Replace(html.EscapeString(k))
	},
	"HTML, names": func(k string) string {
		return strings.NewReplacer("+", "&plus;", "/", "&sol;", "_", "&lowbar;").Replace(k)
	},
	"query":        url.QueryEscape,
	"query, twice": func(k string) string { return url.QueryEscape(url.QueryEscape(k)) },
	"query, low": func(k string) string {
		return strings.NewReplacer("%2F", "%2f", "%2B", "%2b").Replace(url.QueryEscape(k))
	},
	"every character": func(k string) string { return each(k, "%%%02X") },
	"path":            url.PathEscape,
	"base64":          func(k string) string { return base64.StdEncoding.EncodeToString([]byte(k)) },
	"base64 of field": func(k string) string {
		return base64.StdEncoding.EncodeToString([]byte("Authorization: Bearer " + k + "\r\n"))
	},
	"base64url":     func(k string) string { return base64.RawURLEncoding.EncodeToString([]byte("Bearer " + k)) },
	"upper case":    strings.ToUpper,
	"lower case":    strings.ToLower,
	"wrapped":       func(k string) string { return k[:10] + "\n" + k[10:] },
	"folded":        func(k string) string { return k[:7] + "\r\n\t" + k[7:18] + "\r\n\t" + k[18:] },
	"its beginning": func(k string) string { return k[:16] + "..." },
	"JSON in JSON":  func(k string) string { b, _ := json.Marshal(each(k, `\u%04x`)); return strings.Trim(string(b), `"`) },
	"Go's quotes":   func(k string) string { return fmt.Sprintf("%+q", k) },
}

func each(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// window is how many bytes in a row of what a server wrote must not be seen.
const window = 12

// shown reports a piece of a writing that a text shows, as it is or quoted once or
// twice more by those who print and store errors.
func shown(text, written string) (string, bool) {
	quoted := func(s string) string { return strings.Trim(fmt.Sprintf("%q", s), `"`) }
	asJSON := func(s string) string { b, _ := json.Marshal(s); return strings.Trim(string(b), `"`) }
	for _, w := range []string{written, quoted(written), asJSON(quoted(written))} {
		for i := 0; i+window <= len(w); i++ {
			if piece := w[i : i+window]; strings.Contains(text, piece) {
				return piece, true
			}
		}
	}
	return "", false
}

// filesOf returns all that stands in the files of a directory.
func filesOf(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			text, err := os.ReadFile(name)
			b.Write(text)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestKeysHoweverTheyAreWritten has servers quote what they were sent in each way:
// neither errors nor files of a spool show any of it.
func TestKeysHoweverTheyAreWritten(t *testing.T) {
	type sent struct {
		secret string // what the server quotes
		http   exporter.HTTPConfig
		otlp   *exporter.OTLPConfig
	}
	tries := map[string]sent{
		"HTTP, classic":        {secret: classicKey, http: exporter.HTTPConfig{Key: classicKey}},
		"HTTP, ingestion":      {secret: ingestionKey, http: exporter.HTTPConfig{Key: ingestionKey}},
		"HTTP, secret part":    {secret: ingestionKey[len("hh_ingst_")+25:], http: exporter.HTTPConfig{Key: ingestionKey}},
		"OTLP, key":            {secret: classicKey, otlp: &exporter.OTLPConfig{Key: classicKey}},
		"OTLP, ingestion":      {secret: ingestionKey, otlp: &exporter.OTLPConfig{Key: ingestionKey}},
		"OTLP, secret part":    {secret: ingestionKey[len("hh_ingst_")+25:], otlp: &exporter.OTLPConfig{Headers: map[string]string{"authorization": "Bearer " + ingestionKey}}},
		"OTLP, Authorization":  {secret: classicKey, otlp: &exporter.OTLPConfig{Headers: map[string]string{"authorization": "Bearer " + classicKey}}},
		"OTLP, other header":   {secret: classicKey, otlp: &exporter.OTLPConfig{Headers: map[string]string{"X-Honeycomb-Team": classicKey}}},
		"OTLP, Basic, decoded": {secret: "annabel:the/pass+word-012345", otlp: &exporter.OTLPConfig{Headers: map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("annabel:the/pass+word-012345"))}}},
		"OTLP, Basic, word":    {secret: "the/pass+word-012345", otlp: &exporter.OTLPConfig{Headers: map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("annabel:the/pass+word-012345"))}}},
		"OTLP, cookie":         {secret: "valueOfTheSession/0123+abc", otlp: &exporter.OTLPConfig{Headers: map[string]string{"Cookie": "theme=dark; sid=valueOfTheSession/0123+abc"}}},
	}
	for what, s := range tries {
		for how, write := range writings {
			t.Run(what+" "+how, func(t *testing.T) {
				t.Parallel()
				written := write(s.secret)
				srv := newServer(t, func(_ int, w http.ResponseWriter, _ request) {
					w.WriteHeader(http.StatusUnprocessableEntity)
					_, _ = fmt.Fprintf(w, `{"error":"unknown key <%s>"}`, written)
				})
				var reports errorList
				dir := t.TempDir()
				options := []exporter.Option{exporter.WithErrorHandler(reports.add), exporter.WithSpool(dir), exporter.WithCompression(exporter.NoCompression)}
				var e *exporter.Exporter
				var err error
				if s.otlp != nil {
					cfg := *s.otlp
					cfg.URL = srv.URL
					e, err = exporter.NewOTLP(cfg, options...)
				} else {
					cfg := s.http
					cfg.URL = srv.URL
					e, err = exporter.NewHTTP(cfg, options...)
				}
				tracer := tracerFor(t, e, err)
				run(tracer, "s", "a")
				reports.add(fmt.Errorf("flush: %w", await.Until(t, func() bool { return e.Stats().SetAside > 0 }, tracer.ForceFlush)))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				reports.add(fmt.Errorf("shutdown: %w", tracer.Shutdown(ctx)))
				text, files := reports.text(), filesOf(t, dir)
				if !strings.Contains(text, "unknown key") || !strings.Contains(files, "unknown key") {
					t.Fatalf("nothing was quoted: %s\n%s", text, files)
				}
				if piece, ok := shown(text, written); ok {
					t.Errorf("%q of %q is in the errors: %s", piece, written, text)
				}
				if piece, ok := shown(files, written); ok {
					t.Errorf("%q of %q is in the spool: %s", piece, written, files)
				}
			})
		}
	}
}

// TestShortKeys are hidden where they stand as words.
func TestShortKeys(t *testing.T) {
	srv := newServer(t, func(_ int, w http.ResponseWriter, _ request) {
		http.Error(w, "no key 'CNRY5', no CNRY5555", http.StatusUnauthorized)
	})
	var reports errorList
	e, err := exporter.NewOTLP(exporter.OTLPConfig{URL: srv.URL, Headers: map[string]string{"X-Key": "CNRY5"}}, exporter.WithErrorHandler(reports.add))
	tracer := tracerFor(t, e, err)
	run(tracer, "s")
	_ = await.Until(t, func() bool { return reports.text() != "" }, tracer.Shutdown)
	if text := reports.text(); !strings.Contains(text, "no key '[redacted]', no CNRY5555") {
		t.Error(text)
	}
}

// TestKeyAtTheCut has a long answer end, where it is cut, in the middle of a key.
func TestKeyAtTheCut(t *testing.T) {
	for _, before := range []int{480, 500, 505, 4075, 4085, 4090} {
		srv := newServer(t, func(_ int, w http.ResponseWriter, _ request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, strings.Repeat(" ", 3)+strings.Repeat(".", before)+classicKey+strings.Repeat(".", 10_000))
		})
		var reports errorList
		e, err := exporter.NewHTTP(exporter.HTTPConfig{URL: srv.URL, Key: classicKey}, exporter.WithErrorHandler(reports.add))
		tracer := tracerFor(t, e, err)
		run(tracer, "s")
		reports.add(await.Until(t, func() bool { return reports.text() != "" }, tracer.Shutdown))
		if text := reports.text(); strings.Contains(text, classicKey[:5]) || !strings.Contains(text, "401") {
			t.Errorf("%d: %s", before, text)
		}
	}
}
