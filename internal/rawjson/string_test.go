package rawjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// plainQuote writes a string as AppendString should, one rune after the other.
func plainQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch short := strings.IndexRune("\"\\\b\f\n\r\t", r); {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\ufffd`)
		case short >= 0:
			b.WriteByte('\\')
			b.WriteByte(`"\bfnrt`[short])
		case r < 0x20, r == '\u2028', r == '\u2029':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

// pieces are single bytes, runes, and what is nearly one.
func pieces() []string {
	list := []string{
		"é", "ж", "語", "\u2027", "\u2028", "\u2029", "\u202a", "\uFFFD", "\uFFFF", "\U0001F600", "\U0010FFFF", "\u0080", "\u07FF", "\u0800", "\uD7FF", "\uE000",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x80", "\xe2\x28\xa8", "\xe8\xaa", "\xe8\xaax", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3\xc3", "\xe0\x80\x80", "\xe0\x9f\xbf",
		"\xf0\x9f\x98", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff\xfe", "\x80\x80", "\xbf\xe8\xaa\x9e",
		`\n`, `\"`, `\\`, `\u0041`, `\u00e9`, `\uD83D\uDE00`, `\ud83d`, `\ude00`, `\ud83d\ud83d\ude00`, `\ud83d\n`, `\ud83dabcdef`, `\u12`, `\u12g4`, `\x`, `\U0041`, `\/`, `""`, "\"\n", `"x`,
	}
	for c := range 256 {
		list = append(list, string([]byte{byte(c)}))
	}
	return list
}

// inPlaces calls f with each piece at each place of texts of all lengths around
// the borders of words, between letters of one, two and three bytes.
func inPlaces(f func(s string)) {
	for _, piece := range pieces() {
		for _, filler := range []string{"a", "\x7f", "é", "語"} {
			for before := range 18 {
				if testing.Short() && before%8 > 1 && before%8 < 7 {
					continue // the borders of eight bytes are what may go wrong
				}
				for _, after := range []int{0, 1, 7, 8, 30} {
					f(strings.Repeat(filler, before) + piece + strings.Repeat(filler, after))
				}
			}
		}
	}
}

func TestAppendStringInPlaces(t *testing.T) {
	inPlaces(func(s string) {
		if got, want := string(rawjson.AppendString(nil, s)), plainQuote(s); got != want {
			t.Fatalf("%q: got %s, want %s", s, got, want)
		}
	})
	for n := range 65 { // nothing but what is to be escaped
		for _, s := range []string{strings.Repeat("\"", n), strings.Repeat("\x00", n), strings.Repeat("a\\", n), strings.Repeat("\xff", n)} {
			if got, want := string(rawjson.AppendString([]byte("x"), s)), "x"+plainQuote(s); got != want {
				t.Fatalf("%q: got %s, want %s", s, got, want)
			}
		}
	}
}

// TestStringsInPlaces holds the check, the walk and the decoding of strings
// against encoding/json.
func TestStringsInPlaces(t *testing.T) {
	inPlaces(func(s string) {
		text := `{"k":"` + s + `","z":"\t"}`
		got, err := rawjson.Parse(text)
		if valid := json.Valid([]byte(text)); valid != (err == nil) {
			t.Fatalf("%q: valid is %v, got %v", text, valid, err)
		}
		if raw, _ := rawjson.Append(nil, json.RawMessage(text)); err == nil && string(raw) != got || err != nil && string(raw) != plainQuote(text) {
			t.Fatalf("%q: as raw JSON %s", text, raw)
		}
		if err != nil {
			return
		}
		if want := strings.ToValidUTF8(text, "\uFFFD"); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		var want map[string]string
		if err := json.Unmarshal([]byte(got), &want); err != nil {
			t.Fatal(err)
		}
		for k, v := range rawjson.Members(got) {
			if rawjson.Unquote(v) != want[k] {
				t.Fatalf("%s: %s is %q, want %q", got, k, rawjson.Unquote(v), want[k])
			}
		}
	})
}

func TestUnquoteOfOthers(t *testing.T) {
	for _, text := range []string{``, `1`, `null`, `"`, `"\x"`, `"\"`, `"\u12"`, `"\u12g4"`, `"a\`} {
		if got := rawjson.Unquote(text); got != text {
			t.Errorf("Unquote(%s) = %q", text, got)
		}
	}
}

func FuzzUnquote(f *testing.F) {
	f.Add(`a\ud83d\ude00\ud83d\n\u00e9\\`)
	f.Fuzz(func(t *testing.T, s string) {
		text, err := rawjson.Parse(`"` + s + `"`)
		if err != nil {
			return
		}
		var want string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if got := rawjson.Unquote(text); got != want {
			t.Fatalf("%s: got %q, want %q", text, got, want)
		}
		if quoted := string(rawjson.AppendString(nil, want)); quoted != plainQuote(want) || rawjson.Unquote(quoted) != want {
			t.Fatalf("%q: quoted %s", want, quoted)
		}
	})
}

// largeParts are what large strings are made of: each byte of it becomes one byte,
// or several, or is a part of a rune.
var largeParts = []string{"a", `"`, "\x01", "\n", "\xff", "\xe2\x80", "\u2028", "é", "漢", "😀", "\ufffd", "a\u2029\\"}

// TestLargeStrings makes room for a large string once, whatever it becomes, and refers
// to large bytes.
func TestLargeStrings(t *testing.T) {
	for _, part := range largeParts {
		s := strings.Repeat(part, 1<<17)
		got := rawjson.AppendString(nil, s)
		if most := len(got) + len(got)/100 + 8<<10; cap(got) > most {
			t.Errorf("%q: room for %d bytes for %d", part, cap(got), len(got))
		}
	}
	if b := []byte("small"); unsafe.StringData(rawjson.Text(b)) == unsafe.SliceData(b) {
		t.Error("a small text keeps the room of its bytes")
	}
}
