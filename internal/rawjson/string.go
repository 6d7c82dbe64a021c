package rawjson

import (
	"math/bits"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Most bytes of most texts stand in a JSON string as they are. So strings are
// looked through eight bytes at a time, and byte by byte only where one of the
// eight is a quote, a backslash or a control character, or no ASCII where that
// matters.

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// load returns the eight bytes of text at i, the first as the lowest.
func load[T string | []byte](text T, i int) uint64 {
	b := text[i : i+8]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

// special has the high bit set of each byte of the word that is a quote, a
// backslash or a control character. The high bits of bytes that are no ASCII,
// and of those that follow a special one, are of no meaning.
func special(word uint64) uint64 {
	// Flipping 0x02 puts the quote next to the control characters, as 0x20.
	controls := (word ^ 0x02*lowBits) - 0x21*lowBits
	backslashes := (word ^ '\\'*lowBits) - lowBits
	return controls | backslashes
}

// first returns the place, from 0 to 7, of the lowest byte that is marked.
func first(marks uint64) int { return bits.TrailingZeros64(marks) / 8 }

// escaped returns the index of the first byte at or after i that AppendString
// may have to change: a special one, or one that is no ASCII.
func escaped[T string | []byte](s T, i int) int {
	for ; i+8 <= len(s); i += 8 {
		word := load(s, i)
		if marks := (special(word) | word) & highBits; marks != 0 {
			return i + first(marks)
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// Plain returns how many bytes at the start of s are ASCII and stand in a JSON
// string as they are.
func Plain(s []byte) int { return escaped(s, 0) }

const hex = "0123456789abcdef"

// largeText is how long a text is of which no copy is made that is not needed, and for
// which room is made at once: room that grows would be there twice for a while.
const largeText = 64 << 10

// spare is what the room for a large text has for what stands behind it.
const spare = 1 << 10

// Text returns bytes as a text. They must not change any more: of many it is no copy.
func Text(b []byte) string {
	if len(b) < largeText {
		return string(b)
	}
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // nobody changes the bytes
}

// AppendString writes s as a JSON string. Bytes that are no UTF-8 become
// U+FFFD; the line separators U+2028 and U+2029 are escaped.
func AppendString(dst []byte, s string) []byte {
	if len(s) >= largeText {
		dst = slices.Grow(dst, len(`""`)+len(s)+growth(s)+spare)
	}
	dst = append(dst, '"')
	start := 0
	for i := escaped(s, 0); i < len(s); i = escaped(s, i) {
		if c := s[i]; c < utf8.RuneSelf {
			dst = appendEscape(append(dst, s[start:i]...), c)
			i++
			start = i
			continue
		}
		for i < len(s) && s[i] >= utf8.RuneSelf {
			if n := letter(s[i:]); n > 0 {
				i += n
				continue
			}
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				dst = append(append(dst, s[start:i]...), `\ufffd`...)
				start = i + size
			case r == '\u2028' || r == '\u2029':
				dst = append(append(dst, s[start:i]...), '\\', 'u', '2', '0', '2', hex[r&0xF])
				start = i + size
			}
			i += size
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// growth returns how many bytes longer s is in a JSON string.
func growth(s string) int {
	n := 0
	for i := escaped(s, 0); i < len(s); i = escaped(s, i) {
		c := s[i]
		if c < utf8.RuneSelf {
			var escape [len(`\u0000`)]byte
			n += len(appendEscape(escape[:0], c)) - 1
			i++
			continue
		}
		if size := letter(s[i:]); size > 0 {
			i += size
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
			n += len(`\u0000`) - size
		}
		i += size
	}
	return n
}

// letter returns the length of a rune at the start of s that is known at a
// glance to be valid and not to be a line separator, as the letters of most
// scripts are, or 0.
func letter(s string) int {
	switch c := s[0]; {
	case c >= 0xC2 && c < 0xE0 && len(s) >= 2 && continues(s[1]):
		return 2
	case c > 0xE2 && c < 0xED && len(s) >= 3 && continues(s[1]) && continues(s[2]):
		return 3
	}
	return 0
}

// continues reports whether c can only stand inside of a rune.
func continues(c byte) bool { return c&0xC0 == 0x80 }

// appendEscape writes a quote, a backslash or a control character.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
}

// Unquote decodes a checked JSON string. Half a surrogate pair becomes U+FFFD.
// Any other text is returned as it is.
func Unquote(text string) string {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return text
	}
	s := text[1 : len(text)-1]
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(unquotedLen(s))
	for i >= 0 {
		b.WriteString(s[:i])
		r, size := unescape(s[i:])
		if size == 0 {
			return text
		}
		b.WriteRune(r)
		s = s[i+size:]
		i = strings.IndexByte(s, '\\')
	}
	b.WriteString(s)
	return b.String()
}

// unquotedLen returns how many bytes to make room for the content of a string: of a long
// one as many as it has, which may be a sixth of its text.
func unquotedLen(s string) int {
	const long = 4 << 10
	n := len(s)
	if n < long {
		return n
	}
	for i := strings.IndexByte(s, '\\'); i >= 0; i = strings.IndexByte(s, '\\') {
		r, size := unescape(s[i:])
		if size == 0 {
			break
		}
		n += len(string(r)) - size // U+FFFD for a surrogate
		s = s[i+size:]
	}
	return n
}

// unescape decodes the escape that s starts with, a surrogate pair as one. The
// size is 0 where it is none.
func unescape(s string) (r rune, size int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch c := s[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	high, ok := codeUnit(s)
	if !ok {
		return 0, 0
	}
	if low, ok := codeUnit(s[6:]); ok {
		if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
			return r, 12
		}
	}
	return high, 6 // WriteRune makes U+FFFD of a surrogate
}

// codeUnit decodes the escape of four hexadecimal digits that s starts with.
func codeUnit(s string) (u rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for i := 2; i < 6; i++ {
		c := s[i]
		if !hexDigit(c) {
			return 0, false
		}
		if c |= 0x20; c >= 'a' {
			c -= 'a' - 10
		} else {
			c &= 0xF
		}
		u = u<<4 | rune(c)
	}
	return u, true
}

// stringEnd returns the index past the closing quote of the checked string
// that starts at i, and whether there are escapes in it.
func stringEnd(text string, i int) (end int, escapes bool) {
	for i++; i < len(text); {
		if i+8 <= len(text) {
			word := load(text, i)
			marks := special(word) &^ word & highBits
			if marks == 0 {
				i += 8
				continue
			}
			i += first(marks)
		}
		switch text[i] {
		case '"':
			return i + 1, escapes
		case '\\':
			escapes = true
			i += 2
		default:
			i++
		}
	}
	return len(text), escapes // it has no end
}
