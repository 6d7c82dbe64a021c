package secret

import (
	"bytes"
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decode decodes the escapes that are left, and reports whether there were any. Those of
// quoted-printable are the last, since what they begin with ends many credentials.
func (d *decoded) decode() bool { return d.decodeBy(escape) || d.decodeBy(printable) }

// decodeBy decodes the escapes that a function knows at the start of what it is given.
func (d *decoded) decodeBy(escape func(b []byte) (n int, plain string, ok bool)) bool {
	if !slices.ContainsFunc(d.b, func(c byte) bool { return begins[c] }) {
		return false
	}
	b, at := make([]byte, 0, len(d.b)), make([]span, 0, len(d.b))
	found := false
	for i := 0; i < len(d.b); {
		n, plain, escaped := 1, "", false
		if begins[d.b[i]] {
			n, plain, escaped = escape(d.b[i:])
		}
		if !escaped {
			b, at = append(b, d.b[i]), append(at, d.span(i, i+1))
			i++
			continue
		}
		found = true
		for j := range len(plain) {
			if !space(plain[j]) {
				b, at = append(b, plain[j]), append(at, d.span(i, i+n))
			}
		}
		i += n
	}
	if found {
		d.b, d.at = b, at
		d.lower()
	}
	return found
}

// begins are the bytes that an escape begins with.
var begins = func() (table [256]bool) {
	for _, c := range []byte("%\\&<=\xc2\xe1\xe2\xe3\xef") {
		table[c] = true
	}
	return table
}()

// Escape decodes what a text begins with and stands for something else, or for nothing:
// an escape of URLs, JSON, programming languages or HTML, or a letter of full width. It
// returns how many bytes that are, and reports whether there is one. plain is empty, or
// white space, where a word is only broken by it.
func Escape(b []byte) (n int, plain string, ok bool) { return escape(b) }

// escape decodes what stands for something else, or for nothing.
func escape(b []byte) (n int, plain string, ok bool) {
	switch c := b[0]; {
	case c == '%' && len(b) > 1 && lower(b[1]) == 'u': // of JavaScript
		return hexBytes(b, 2, 4)
	case c == '%':
		return hexBytes(b, 1, 2)
	case c == '\\':
		return backslash(b)
	case c == '&':
		return entity(b)
	case c == '<':
		return tag(b)
	case c >= utf8.RuneSelf:
		return wide(b)
	}
	return 1, "", false
}

// printable decodes an escape of quoted-printable (RFC 2045, section 6.7).
func printable(b []byte) (n int, plain string, ok bool) {
	if b[0] != '=' {
		return 1, "", false
	}
	return hexBytes(b, 1, 2)
}

// wide decodes letters of full width, and characters that are not seen.
func wide(b []byte) (n int, plain string, ok bool) {
	const first, last, shift = '！', '～', '！' - '!'
	switch r, n := utf8.DecodeRune(b); {
	case r >= first && r <= last:
		return n, string(r - shift), true
	case unicode.In(r, unicode.Cf, unicode.White_Space):
		return n, "", true
	}
	return 1, "", false
}

// tag decodes a tag of HTML without attributes, which breaks a word for who reads it.
func tag(b []byte) (n int, plain string, ok bool) {
	const longest = len("</strong>")
	end := bytes.IndexByte(b[:min(len(b), longest)], '>')
	if end < 0 {
		return 1, "", false
	}
	name := bytes.Trim(b[1:end], "/")
	return end + 1, "", len(name) > 0 && !slices.ContainsFunc(name, func(c byte) bool { return lower(c) < 'a' || lower(c) > 'z' })
}

// hexBytes decodes an escape of so many hexadecimal digits.
func hexBytes(b []byte, start, digits int) (n int, plain string, ok bool) {
	if len(b) < start+digits {
		return 1, "", false
	}
	code, err := strconv.ParseUint(string(b[start:start+digits]), 16, 32)
	if err != nil {
		return 1, "", false
	}
	if digits == 2 {
		return start + digits, string([]byte{byte(code)}), true //nolint:gosec // two digits are one byte
	}
	return start + digits, string(rune(code)), true //nolint:gosec // what is no code point becomes U+FFFD
}

// backslash decodes an escape of JSON, JavaScript, Go, Python or protocol
// buffers.
func backslash(b []byte) (n int, plain string, ok bool) {
	if len(b) < 2 {
		return 1, "", false
	}
	switch c := b[1]; {
	case c == 'U': // of Go, or of JSON in another case
		if n, plain, ok = hexBytes(b, 2, 8); !ok {
			n, plain, ok = hexBytes(b, 2, 4)
		}
		return n, plain, ok
	case c == 'u' && len(b) > 2 && b[2] == '{': // of newer JavaScript
		const most = 6
		digits := bytes.IndexByte(b[3:min(len(b), 3+most+1)], '}')
		if digits <= 0 {
			return 1, "", false
		}
		code, err := strconv.ParseUint(string(b[3:3+digits]), 16, 32)
		return 3 + digits + 1, string(rune(code)), err == nil //nolint:gosec // what is no code point becomes U+FFFD
	case c == 'u':
		return hexBytes(b, 2, 4)
	case lower(c) == 'x':
		return hexBytes(b, 2, 2)
	case strings.IndexByte("nrtfvb", lower(c)) >= 0:
		return 2, "", true
	case '0' <= c && c <= '7' && len(b) >= 4:
		code, err := strconv.ParseUint(string(b[1:4]), 8, 8)
		return 4, string([]byte{byte(code)}), err == nil
	case strings.IndexByte("/\"'\\`$", c) >= 0:
		return 2, string(c), true
	}
	return 1, "", false
}

// entity decodes a character reference of HTML.
func entity(b []byte) (n int, plain string, ok bool) {
	const longest = 34 // of the names that HTML has
	end := bytes.IndexByte(b[:min(len(b), longest)], ';')
	if numbered := digits(b); numbered > 0 && (numbered == len(b) || b[numbered] == '&') { // the semicolon is missing
		text := string(b[:numbered])
		plain = html.UnescapeString(text + ";")
		return numbered, plain, plain != text+";"
	}
	if end < 0 {
		return 1, "", false
	}
	for _, c := range b[1:end] {
		if c != '#' && !wordByte(c) {
			return 1, "", false
		}
	}
	text := string(b[:end+1])
	if plain = html.UnescapeString(text); plain == text {
		plain = html.UnescapeString(strings.ToLower(text))
	}
	return end + 1, plain, !strings.EqualFold(plain, text)
}

// digits returns where the number of a character reference ends, 0 where it has none.
func digits(b []byte) (end int) {
	is := func(c byte) bool { return '0' <= c && c <= '9' }
	start := len("&#")
	if len(b) <= start || b[1] != '#' {
		return 0
	}
	if lower(b[start]) == 'x' {
		start++
		is = func(c byte) bool { return '0' <= c && c <= '9' || 'a' <= lower(c) && lower(c) <= 'f' }
	}
	const most = 8
	for end = start; end < len(b) && end < start+most && is(b[end]); end++ {
		continue
	}
	if end == start {
		return 0
	}
	return end
}
