package page

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// hidden reports whether a character does something to the text around it, or
// nothing at all, instead of being seen, wherever it stands: control characters,
// marks and overrides of direction, separators, what Unicode calls ignorable by
// default, variation selectors, fillers and blank symbols, private and no
// characters. Joiners are not among them, since scripts and emoji need them.
func hidden(r rune) bool {
	switch {
	case r == '\n', r == '\t', r == '\u200c', r == '\u200d':
		return false
	case r < 0x20, r >= 0x7f && r < 0xa0:
		return true
	case r < 0xad:
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Other_Default_Ignorable_Code_Point,
		unicode.Variation_Selector, unicode.Noncharacter_Code_Point, blank)
}

// blank are symbols and letters without ink, which no property of Unicode tells:
// a Braille cell without dots, the place of an object, a note without a head, a
// mirror and a filler of old scripts.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{{0x2800, 0x2800, 1}, {0xfffc, 0xfffc, 1}},
	R32: []unicode.Range32{{0x13440, 0x13440, 1}, {0x16fe4, 0x16fe4, 1}, {0x1d159, 0x1d159, 1}},
}

// hiddenHere is hidden for a character between two others, which are 0 at the
// ends of the text. The selector that makes an emoji of a symbol is part of it.
// A space other than the usual one, as French and Japanese have it, is seen
// beside a letter or a digit, and nowhere else.
func hiddenHere(before, r, after rune) bool {
	switch {
	case r == '\ufe0f' && after == '\u20e3': // a key: 1, #, *
		return !strings.ContainsRune("0123456789#*", before)
	case r == '\ufe0e', r == '\ufe0f':
		return (before <= unicode.MaxLatin1 || !unicode.IsSymbol(before)) && !strings.ContainsRune("©®‼⁉ℹ〰〽", before)
	case r > ' ' && unicode.Is(unicode.Zs, r):
		return !isWord(before) && !isWord(after)
	}
	return hidden(r)
}

func isWord(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.N) && !hidden(r) }

// visible shows hidden characters by their code, as JSON writes it. Carriage
// returns before a new line go.
func visible(s string) string {
	at := strings.IndexFunc(s, func(r rune) bool { return hidden(r) || r > ' ' && unicode.Is(unicode.Zs, r) })
	if at < 0 {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	var before rune
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		after, n := utf8.DecodeRuneInString(s[i+size:])
		if n == 0 {
			after = 0
		}
		switch {
		case r == '\r' && after == '\n':
		case !hiddenHere(before, r, after):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		before = r
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
