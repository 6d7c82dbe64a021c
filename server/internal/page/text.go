package page

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// hidden reports whether a character does something to the text around it, or
// nothing at all, instead of being seen: control characters, marks and overrides
// of direction, separators, characters without width, tags. Joiners stay, since
// scripts and emoji need them.
func hidden(r rune) bool {
	switch {
	case r == '\n', r == '\t', r == '\u200c', r == '\u200d':
		return false
	case r < 0x20, r >= 0x7f && r < 0xa0:
		return true
	case r < 0xad:
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) || r == 0x115f || r == 0x1160 || r == 0x3164
}

// visible shows hidden characters by their code, as JSON writes it. Carriage
// returns before a new line go.
func visible(s string) string {
	at := strings.IndexFunc(s, hidden)
	if at < 0 {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i, r := range s {
		switch {
		case r == '\r' && strings.HasPrefix(s[i+1:], "\n"):
		case !hidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// cut returns the beginning of a text, at most n bytes, and whether that is all.
func cut(s string, n int) (string, bool) {
	if len(s) <= n {
		return s, true
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n], false
}

// line shows the beginning of a text in one line.
func line(s string, n int) string {
	s, whole := cut(s, n)
	s = strings.Join(strings.Fields(visible(s)), " ")
	if !whole {
		s += "…"
	}
	return s
}
