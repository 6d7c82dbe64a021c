package rawjson

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// validText returns a text with each run of bytes that is no UTF-8 replaced by U+FFFD. It
// makes room for that once, since the text may be large: [strings.ToValidUTF8] takes what
// it makes up to three times.
func validText(s string) string {
	n := 0
	for piece := range validPieces(s) {
		n += len(piece)
	}
	var b strings.Builder
	b.Grow(n)
	for piece := range validPieces(s) {
		b.WriteString(piece)
	}
	return b.String()
}

// validPieces walks the stretches of a text that are UTF-8, with U+FFFD for each run of
// bytes that is none.
func validPieces(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for start := 0; start < len(s); {
			end := start
			for end < len(s) && !wrongAt(s, end) {
				_, size := utf8.DecodeRuneInString(s[end:])
				end += size
			}
			if end > start && !yield(s[start:end]) {
				return
			}
			start = end
			for start < len(s) && wrongAt(s, start) {
				start++
			}
			if start > end && !yield("\uFFFD") {
				return
			}
		}
	}
}

// wrongAt reports whether the byte at an index begins no character.
func wrongAt(s string, i int) bool {
	if s[i] < utf8.RuneSelf {
		return false
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	return r == utf8.RuneError && size == 1
}
