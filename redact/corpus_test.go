package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/redact"
)

// An encoding is a way in which a text stands in another.
type encoding struct {
	name string
	of   func(text string) string
}

func marshal(v any) string {
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

func percent(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02X", text[i])
	}
	return b.String()
}

var encodings = []encoding{
	{"plain", func(s string) string { return s }},
	{"JSON in a string", func(s string) string { return marshal(map[string]any{"note": s, "n": 1}) }},
	{"list in a string", func(s string) string { return marshal([]any{1, s}) }},
	{"string in a string", func(s string) string { return marshal(s) }},
	{"fragment of JSON", func(s string) string { return `error near {"note": ` + marshal(s) + `, "n": ` }},
	{"escapes of JSON", func(s string) string { return `said "` + escaped(s) + `" to all` }},
	{"URL", func(s string) string { return "https://example.test/p?page=2&q=" + url.QueryEscape(s) + "&x=1" }},
	{"path", func(s string) string { return "GET /files/" + url.PathEscape(s) + " HTTP/1.1" }},
	{"percent", percent},
	{"twice percent", func(s string) string { return percent(url.QueryEscape(s)) }},
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
		return base64.StdEncoding.EncodeToString([]byte(marshal(map[string]any{"x": s})))
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

var (
	marksOf   = regexp.MustCompile(`[^0-9A-Za-z]`)
	escapesOf = regexp.MustCompile(`(\\u[0-9a-f]{4}|\\.)+`)
	base64Of  = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}`)
)

// leaks reports whether a text, or what anybody may decode of it, holds a secret.
func leaks(text, secret string) bool {
	want := marksOf.ReplaceAllString(secret, "")
	seen := map[string]bool{}
	var look func(text string, depth int) bool
	look = func(text string, depth int) bool {
		if seen[text] || depth == 0 {
			return false
		}
		seen[text] = true
		narrow := strings.Map(func(r rune) rune {
			if r >= '！' && r <= '～' {
				return r - 'Ａ' + 'A'
			}
			return r
		}, text)
		if strings.Contains(narrow, secret) || strings.Contains(marksOf.ReplaceAllString(narrow, ""), want) {
			return true
		}
		var v any
		if json.Unmarshal([]byte(text), &v) == nil && look(fmt.Sprint(v), depth-1) {
			return true
		}
		for _, part := range escapesOf.FindAllString(text, -1) {
			var s string
			if json.Unmarshal([]byte(`"`+part+`"`), &s) == nil && look(s, depth-1) {
				return true
			}
		}
		if s, err := url.PathUnescape(text); err == nil && look(s, depth-1) {
			return true
		}
		if look(html.UnescapeString(text), depth-1) {
			return true
		}
		for _, part := range base64Of.FindAllString(strings.NewReplacer("\r", "", "\n", "").Replace(text), -1) {
			for _, part := range append(strings.Split(part, "/"), part) {
				for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
					if s, err := e.DecodeString(part); err == nil && look(string(s), depth-1) {
						return true
					}
				}
			}
		}
		return false
	}
	return look(text, 5)
}

// TestOracle sees that the oracle finds what is not redacted.
func TestOracle(t *testing.T) {
	r := newRand(3)
	for _, e := range encodings {
		if m := generate(r, redact.Email); !leaks(e.of(m.text), m.secret) {
			t.Errorf("%s: %q is not found", e.name, m.secret)
		}
	}
}

// TestCorpus puts generated values, in every encoding and in encodings of encodings, into
// every field of a record, as values and as keys.
func TestCorpus(t *testing.T) {
	p := policy(t)
	r := newRand(7)
	const each = 1
	tried := 0
	for _, d := range redact.Detectors() {
		for _, outer := range encodings {
			for _, inner := range encodings {
				for range each {
					m := generate(r, d)
					text := outer.of(inner.of(m.text))
					tried++
					if got := p.Text("inputs.note", text); leaks(got, m.secret) {
						t.Errorf("%s, %s in %s: %q left %q", d, inner.name, outer.name, text, got)
						break
					}
				}
			}
		}
	}
	t.Logf("%d texts", tried)
}

// place puts a text anywhere in a JSON value.
func place(r *rand.Rand, text string, depth int) any {
	switch {
	case depth == 0 && r.IntN(4) == 0:
		return map[string]any{text: r.IntN(9)} // as a key
	case depth == 0:
		return text
	case r.IntN(2) == 0:
		return []any{"before", place(r, text, depth-1), nil}
	}
	return map[string]any{pick(r, "text", "content", "query", "0"): place(r, text, depth-1), "n": 1.5, "ok": true}
}

// TestRecords puts generated values into every field of sessions, events and updates.
func TestRecords(t *testing.T) {
	p := policy(t)
	r := newRand(11)
	object := func(text string) honeyhive.Object {
		o, err := honeyhive.ObjectOf(map[string]any{"v": place(r, text, r.IntN(6)), text: 1})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	const id = "5ca1ab1e-0000-4000-8000-00000000c0de"
	for n := range 150 {
		d := redact.Detectors()[n%len(redact.Detectors())]
		m := generate(r, d)
		text := encodings[r.IntN(len(encodings))].of(m.text)
		some := honeyhive.Some(text)
		o := func() honeyhive.Object { return object(text) }
		s := &honeyhive.SessionStartRequest{
			Project: some, SessionName: some, Source: some, SessionID: honeyhive.Some(id), ChildrenIDs: honeyhive.Some([]string{id, text}), Error: some,
			Config: o(), Inputs: o(), Outputs: o(), UserProperties: o(), Metrics: o(), Feedback: o(), Metadata: o(), Evaluations: o(), Unknown: o(),
		}
		e := &honeyhive.Event{
			Project: some, EventName: some, EventType: some, Source: some, EventID: honeyhive.Some(id), SessionID: some, ParentID: some,
			ChildrenIDs: honeyhive.Some([]string{id}), Error: some,
			Config: o(), Inputs: o(), Outputs: o(), UserProperties: o(), Metrics: o(), Feedback: o(), Metadata: o(), Evaluations: o(), Unknown: o(),
		}
		u := &honeyhive.Update{
			EventID: honeyhive.Some(id), ChildrenIDs: honeyhive.Some([]string{id}),
			Config: o(), Outputs: o(), UserProperties: o(), Metrics: o(), Feedback: o(), Metadata: o(), Unknown: o(),
		}
		for _, body := range [][]byte{p.Session(s).AppendJSON(nil), p.Event(e).AppendJSON(nil), p.Update(u).AppendJSON(nil)} {
			if !json.Valid(body) || !strings.Contains(string(body), id) {
				t.Fatalf("%s", body)
			}
			if leaks(string(body), m.secret) || deepLeaks(body, m.secret) {
				t.Fatalf("%s: %q left\n%s", d, text, body)
			}
		}
		if !strings.Contains(string(s.AppendJSON(nil)), "\"project\"") || s.Project.Or("") != text {
			t.Fatal("the payload itself was changed")
		}
	}
}

// deepLeaks looks at every key and string of a JSON value.
func deepLeaks(body []byte, secret string) bool {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return true
	}
	var look func(v any) bool
	look = func(v any) bool {
		switch v := v.(type) {
		case string:
			return leaks(v, secret)
		case []any:
			return slices.ContainsFunc(v, look)
		case map[string]any:
			for k, e := range v {
				if leaks(k, secret) || look(e) {
					return true
				}
			}
		}
		return false
	}
	return look(v)
}
