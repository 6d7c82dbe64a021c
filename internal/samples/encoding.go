package samples

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
)

// An Encoding is a way in which a text stands in another.
type Encoding struct {
	Name string
	Of   func(text string) string
}

// JSON returns a value as JSON.
func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// escaped writes every character as an escape of JSON.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r > 0xffff {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	return b.String()
}

// Percent writes every byte as an escape of URLs.
func Percent(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02X", text[i])
	}
	return b.String()
}

// Encodings are the ways that are tried.
var Encodings = []Encoding{
	{"plain", func(s string) string { return s }},
	{"JSON in a string", func(s string) string { return JSON(map[string]any{"note": s, "n": 1}) }},
	{"list in a string", func(s string) string { return JSON([]any{1, s}) }},
	{"string in a string", func(s string) string { return JSON(s) }},
	{"fragment of JSON", func(s string) string { return `error near {"note": ` + JSON(s) + `, "n": ` }},
	{"escapes of JSON", func(s string) string { return `said "` + escaped(s) + `" to all` }},
	{"URL", func(s string) string { return "https://example.test/p?page=2&q=" + url.QueryEscape(s) + "&x=1" }},
	{"path", func(s string) string { return "GET /files/" + url.PathEscape(s) + " HTTP/1.1" }},
	{"percent", Percent},
	{"twice percent", func(s string) string { return Percent(url.QueryEscape(s)) }},
	{"base64", func(s string) string {
		return "data:text/plain;base64," + base64.StdEncoding.EncodeToString([]byte(s)) + "!"
	}},
	{"base64 without padding", func(s string) string { return "see " + base64.RawStdEncoding.EncodeToString([]byte(s)) }},
	{"base64 for URLs", func(s string) string {
		return "https://example.test/?s=" + base64.RawURLEncoding.EncodeToString([]byte("~?>"+s+" ÿþ"))
	}},
	{"base64 in a path", func(s string) string { return "/a/b/" + base64.RawURLEncoding.EncodeToString([]byte(s)) }},
	{"twice base64", func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
	}},
	{"base64 of JSON", func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte(JSON(map[string]any{"x": s})))
	}},
	{"base64 of binary", func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte("\x00\xff\x01\x02" + s + "\x00\xfe\xff"))
	}},
	{"MIME", func(s string) string {
		text := base64.StdEncoding.EncodeToString([]byte("From here on: " + strings.Repeat("words and ", 8) + s + "\n"))
		return regexp.MustCompile(`.{76}`).ReplaceAllString(text, "$0\r\n")
	}},
	{"HTML", func(s string) string {
		return "<p title='" + html.EscapeString(strings.ReplaceAll(s, "@", "&#64;")) + "'>"
	}},
	{"full width", func(s string) string {
		return strings.Map(func(r rune) rune {
			if r > ' ' && r <= '~' {
				return r + 'Ａ' - 'A'
			}
			return r
		}, s)
	}},
	{"zero width", func(s string) string { return s[:len(s)/2] + "\u200b" + s[len(s)/2:] }},
	{"stack", func(s string) string {
		return "panic: bad " + s + "\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:10 +0x1d\n"
	}},
}
