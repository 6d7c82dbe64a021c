package secret_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/sessionspan/sessionspan/internal/secret"
)

// each writes every byte of a text by itself.
func each(s, format, between string) string {
	parts := make([]string, len(s))
	for i := range len(s) {
		parts[i] = fmt.Sprintf(format, s[i])
	}
	return strings.Join(parts, between)
}

func in64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// times applies a way several times over.
func times(n int, way func(string) string) func(string) string {
	return func(s string) string {
		for range n {
			s = way(s)
		}
		return s
	}
}

func compressed(s string, isGzip bool) string {
	var b bytes.Buffer
	w := io.WriteCloser(zlib.NewWriter(&b))
	if isGzip {
		w = gzip.NewWriter(&b)
	}
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func asJSON(s string) string {
	b, _ := json.Marshal("/" + s + `"`)
	return string(b)
}

func failed(t testing.TB, address string, header http.Header) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return err.Error()
	}
	r.Header = header
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	_ = res.Body.Close()
	t.Fatalf("%s answers", address)
	return ""
}

// TestMoreWays hides a key in ways that are no escapes one over the other: broken by
// marks, by what is not seen, as numbers, encoded several times, as a part of something
// else, and as the standard library quotes it.
func TestMoreWays(t *testing.T) {
	const closed = "127.0.0.1:1" // nobody listens there
	for name, way := range map[string]func(string) string{
		"quoted-printable": func(s string) string {
			var b bytes.Buffer
			w := quotedprintable.NewWriter(&b)
			_, _ = w.Write([]byte("é" + strings.Repeat("x", 50) + s))
			_ = w.Close()
			return b.String()
		},
		"all quoted-printable":  func(s string) string { return each(s, "=%02X", "") },
		"soft line breaks":      func(s string) string { return wrap(s, "=\r\n") },
		"quoted mail":           func(s string) string { return wrap(s, "\n> ") },
		"comment":               func(s string) string { return wrap(s, "\n\t// ") },
		"script":                func(s string) string { return wrap(s, "\n# ") },
		"continued":             func(s string) string { return wrap(s, "\\\n    ") },
		"PowerShell":            func(s string) string { return wrap(s, "`\r\n") },
		"header that is folded": func(s string) string { return "Authorization: Bearer\r\n " + wrap(s, "\r\n ") },
		"zero width":            func(s string) string { return wrap(s, "\u200b") },
		"byte order mark":       func(s string) string { return wrap(s, "\ufeff") },
		"soft hyphens":          func(s string) string { return wrap(s, "\u00ad") },
		"no-break space":        func(s string) string { return wrap(s, "\u00a0") },
		"line separators":       func(s string) string { return wrap(s, "\u2028") },
		"ideographic space":     func(s string) string { return wrap(s, "\u3000") },
		"colours":               func(s string) string { return wrap(s, "\x1b[1;31m") },
		"line breaks of HTML":   func(s string) string { return wrap(s, "<br/>\n") },
		"marked in HTML":        func(s string) string { return wrap(s, "</em>") },
		"full width":            func(s string) string { return strings.Map(func(r rune) rune { return r - '!' + '！' }, s) },
		"letter by letter":      func(s string) string { return each(s, "%c", " ") },
		"UTF-16": func(s string) string {
			var b []byte
			for _, u := range utf16.Encode([]rune(s)) {
				b = append(b, byte(u), byte(u>>8))
			}
			return string(b)
		},
		"bytes of Go":       func(s string) string { return fmt.Sprintf("%d", []byte(s)) },
		"bytes as Go":       func(s string) string { return fmt.Sprintf("%#v", []byte(s)) },
		"bytes in JSON":     func(s string) string { return "[" + each(s, "%d", ",") + "]" },
		"bytes in Python":   func(s string) string { return "[" + each(s, "%d", ", ") + "]" },
		"bytes of C":        func(s string) string { return each(s, "0x%02x", ", ") },
		"hex with colons":   func(s string) string { return each(s, "%02x", ":") },
		"hex with dashes":   func(s string) string { return each(s, "%02X", "-") },
		"hex with spaces":   func(s string) string { return each(s, "%02X", " ") },
		"ES6":               func(s string) string { return each(s, `\u{%x}`, "") },
		"old JavaScript":    func(s string) string { return each(s, "%%u%04X", "") },
		"padded references": func(s string) string { return each(s, "&#%05d;", "") },
		"no semicolons":     func(s string) string { return each(s, "&#%d", "") },
		"shell":             func(s string) string { return "-H $'Authorization: Bearer " + each(s, `\x%02X`, "") + "'" },
		"percent 6 times":   times(6, url.QueryEscape),
		"JSON 6 times":      times(6, asJSON),
		"base64 twice":      times(2, in64),
		"base64 3 times":    times(3, in64),
		"basic twice":       func(s string) string { return in64("Basic " + in64("user:"+s)) },
		"base64 of JSON":    func(s string) string { return in64(asJSON(s)) },
		"base64 of escaped": func(s string) string { return in64(each(s, "%%%02x", "")) },
		"base64 of UTF-16":  func(s string) string { return in64(each(s, "%c\x00", "")) },
		"base64 escaped":    func(s string) string { return url.QueryEscape(in64("user:" + s)) },
		"base64 in lines":   func(s string) string { return wrap(in64("user:"+s), "\r\n") },
		"hex of escaped":    func(s string) string { return hex.EncodeToString([]byte(each(s, "%%%02x", ""))) },
		"base32":            func(s string) string { return base32.StdEncoding.EncodeToString([]byte("u:" + s)) },
		"dashes":            func(s string) string { return each(s, "%c", "-") },
		"dots":              func(s string) string { return wrap(s, "...") },
		"groups":            func(s string) string { return wrap(wrap(s, " - "), "_") },
		"base64 of gzip":    func(s string) string { return in64(compressed(s, true)) },
		"base64 of zlib":    func(s string) string { return in64(compressed("user:"+s, false)) },
		"hex of gzip":       func(s string) string { return hex.EncodeToString([]byte(compressed(asJSON(s), true))) },
		"cut gzip":          func(s string) string { return in64(compressed(s+strings.Repeat("\n", 10_000), true))[:100] },
		"gzip in escapes":   func(s string) string { return url.QueryEscape(in64(compressed(s, true))) },
		"multipart": func(s string) string {
			return "--b\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\n" + s + "\r\n--b--\r\n"
		},
		"name in a URL":  func(s string) string { return failed(t, "http://"+url.PathEscape(s)+"@"+closed+"/", nil) },
		"query of a URL": func(s string) string { return failed(t, "http://"+closed+"/?q="+url.QueryEscape(s), nil) },
		"path of a URL":  func(s string) string { return failed(t, "http://"+closed+"/"+url.PathEscape(s), nil) },
		"a URL that is none": func(s string) string {
			_, err := url.Parse("http://h.test/%zz?" + s)
			return fmt.Sprintf("%q", err.Error())
		},
		"a header that is none": func(s string) string {
			return failed(t, "http://"+closed+"/", http.Header{s + "\n": {"x"}})
		},
	} {
		for _, key := range []string{"sk-EXAMPLE/4c+9Zq8812==77ab", "xai_Test-0123456789.abcdefXYZ~9=", "AIzaEXAMPLE0a1b2c3d4e5f6g7h8i9j"} {
			m := secret.NewMatcher([]string{key})
			written := way(key)
			got := m.Hide("bad key <"+written+"> was sent", mark)
			if !strings.Contains(got, mark) || !strings.HasPrefix(got, "bad key <") || !strings.HasSuffix(got, "> was sent") {
				t.Errorf("%s: %q is %q", name, written, got)
				continue
			}
			const piece = 8
			for i := 0; i+piece <= len(key); i++ {
				if strings.Contains(got, key[i:i+piece]) {
					t.Errorf("%s: %q of %q is left in %q", name, key[i:i+piece], written, got)
				}
			}
			if m.In(got) {
				t.Errorf("%s: the key is in %q", name, got)
			}
		}
	}
}
