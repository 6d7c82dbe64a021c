package redact

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/internal/secret"
)

// A view is a text of which escapes were decoded once. It remembers where each stood,
// and none of what is between them.
type view struct {
	text    string
	escaped []escape
}

// An escape is a part of a text that stands for another.
type escape struct {
	at, size int // in the text
	pos, len int // in the view
}

// longestEscape is as many bytes as one escape may have.
const longestEscape = 40

// decode decodes the escapes of URLs, JSON, programming languages and HTML, and letters
// of full width; see [secret.Escape]. It reports whether there were any.
func decode(text string) (v view, ok bool) {
	var b []byte
	last := 0
	for i := 0; i < len(text); {
		if !opensEscape[text[i]] {
			i++
			continue
		}
		var buffer [longestEscape]byte
		size := copy(buffer[:], text[i:])
		n, plain, is := secret.Escape(buffer[:size])
		if !is {
			i++
			continue
		}
		if plain == "" { // white space still ends words; what is not seen does not
			switch r, _ := utf8.DecodeRuneInString(text[i:]); {
			case r == '\\' && n > 1 && (text[i+1] == 'n' || text[i+1] == 'r'):
				plain = "\n"
			case r < utf8.RuneSelf || unicode.IsSpace(r):
				plain = " "
			}
		}
		if b == nil {
			b = make([]byte, 0, len(text))
		}
		b = append(b, text[last:i]...)
		v.escaped = append(v.escaped, escape{i, n, len(b), len(plain)})
		b = append(b, plain...)
		i += n
		last = i
	}
	if b == nil {
		return view{}, false
	}
	v.text = string(append(b, text[last:]...))
	return v, true
}

// forSpace reports whether a "+" may stand for a space, as in a query of a URL: it stands
// within a word that assigns or escapes something, or between what such a value is made
// of. Most stand in programs and sums.
func (w *walker) forSpace(text string, i int) bool {
	if i == 0 || i+1 == len(text) || text[i-1] <= ' ' || text[i+1] <= ' ' {
		return false
	}
	capital := func(c byte) bool { return 'A' <= c && c <= 'Z' }
	before, after := text[i-1], text[i+1]
	switch {
	case isDigit(before) && (isDigit(after) || after == '(' || capital(after)), capital(before) && (isDigit(after) || capital(after)), before == ':', before == ')':
		return true
	}
	const most = 256
	for j := i - 1; j >= w.memo.plus && i-j < most && text[j] > ' '; j-- {
		w.looks++
		if text[j] == '=' || text[j] == '%' {
			return true
		}
	}
	w.memo.plus = i
	word := text[max(0, i-len("bearer")):i]
	return strings.EqualFold(word, "bearer") || len(word) > 0 && strings.HasSuffix(strings.ToLower(word), "basic")
}

// spaced returns a text with a space for each "+", as queries of URLs have them, but for
// one that a phone number may begin with.
func spaced(text string) string {
	b := []byte(text)
	for i := 1; i < len(b)-1; i++ {
		if b[i] == '+' && (alnums[text[i-1]] || text[i-1] == ')' || !isDigit(text[i+1])) {
			b[i] = ' '
		}
	}
	return string(b)
}

// opensEscape are the bytes that an escape begins with. Tags are left alone: they are
// many, and end words.
var opensEscape = func() (table [256]bool) {
	for _, c := range []byte("%\\&\xc2\xe1\xe2\xe3\xef") {
		table[c] = true
	}
	return table
}()

// opens reports whether a text has a byte that an escape begins with.
func opens(text string) bool {
	for i := range len(text) {
		if opensEscape[text[i]] {
			return true
		}
	}
	return false
}

// span returns the part of the text that a part of the view stands for.
func (v *view) span(from, to int) (start, end int) {
	return v.place(from, false), v.place(to, true)
}

// place returns where in the text a byte of the view stands, or where the one before it
// ends.
func (v *view) place(pos int, end bool) int {
	n, _ := slices.BinarySearchFunc(v.escaped, pos, func(e escape, pos int) int {
		if e.pos < pos || !end && e.pos == pos {
			return -1
		}
		return 1
	})
	if n == 0 {
		return pos
	}
	e := v.escaped[n-1] // the last that begins before pos, or at it
	if pos < e.pos+e.len {
		if end {
			return e.at + e.size
		}
		return e.at
	}
	return e.at + e.size + pos - e.pos - e.len
}
