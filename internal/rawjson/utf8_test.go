package rawjson

import (
	"strings"
	"testing"
)

// FuzzValidText compares texts with what the standard library makes of them.
func FuzzValidText(f *testing.F) {
	for _, s := range []string{"", "a", "é漢😀", "\xff", "\xffa", "a\xff\xfe", "a\xff\xfeb\xc3", "caf\xc3", "\xed\xa0\x80", "\xf0\x9f\x98", "\ufffd\xff\ufffd", "é\x80é", "\xe6\xbc", "\x80\xe6\xbc\xa2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := validText(s), strings.ToValidUTF8(s, "\uFFFD"); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	})
}

// TestParseOnce makes room once for a text that is no UTF-8.
func TestParseOnce(t *testing.T) {
	text := `"` + strings.Repeat("\xffa", 1000) + `"`
	if n := testing.AllocsPerRun(10, func() { _, _ = Parse(text) }); n > 1 {
		t.Errorf("%.0f allocations, more than 1", n)
	}
}

// TestUnquoteRoom makes room for what long strings hold, not for their escapes.
func TestUnquoteRoom(t *testing.T) {
	for _, escape := range []string{`\u0001`, `\ud800`, `\ud83d\ude00`, `\n`, `a\u00e9漢`} {
		text := `"` + strings.Repeat(escape, 10_000) + `"`
		s := Unquote(text)
		if n := unquotedLen(text[1 : len(text)-1]); n != len(s) || testing.AllocsPerRun(10, func() { Unquote(text) }) > 1 {
			t.Errorf("room for %d bytes of %d of %s", n, len(s), escape)
		}
	}
}
