package redact

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// base64 notes what the detectors find in a run of base64, in either alphabet (RFC 4648,
// sections 4 and 5), with or without padding, and broken into lines (RFC 2045): it begins
// at a byte and its first line goes to another. What takes the place of what is found is
// encoded again. base64 returns where the run ends.
func (w *walker) base64(text string, from, to int) int {
	for to < len(text) && (alnums[text[to]] || base64Mark(text[to])) {
		to++
	}
	first, broken := to, false
	if to-from >= leastLine && to < len(text) && (text[to] == '\r' || text[to] == '\n') && lineGoesOn(text, to) {
		to, broken = linesEnd(text, to), true
	}
	if w.base64Part(text, from, to, broken) {
		return to
	}
	// "/", "-" and "_" separate words as well: what is before them may be something else,
	// and what is between them.
	tries := 0
	for i := from; i < first; {
		end := i
		for end < first && alnums[text[end]] {
			end++
		}
		const most = 16
		if i > from && to-i >= leastBase64 && tries < most {
			tries++
			if w.base64Part(text, i, to, broken) {
				return to
			}
		}
		if end-i >= leastBase64 && end < to {
			w.base64Part(text, i, end, false)
		}
		i = end + 1
	}
	return to
}

// binary is the label of base64 that is no text and holds what the detectors find.
const binary = "binary"

// leastLine is how long the lines are that a run is broken into.
const leastLine = 40

// linesEnd returns where lines of base64 end, of which the first ends at a byte.
func linesEnd(text string, to int) int {
	for line := leastLine; line >= leastLine && lineGoesOn(text, to); {
		for text[to] == '\r' || text[to] == '\n' {
			to++
		}
		from := to
		for to < len(text) && (alnums[text[to]] || base64Mark(text[to])) {
			to++
		}
		line = to - from
	}
	return to
}

// lineGoesOn reports whether an end of a line stands between letters of base64.
func lineGoesOn(text string, i int) bool {
	from := i
	for i < len(text) && (text[i] == '\r' || text[i] == '\n') {
		i++
	}
	return i > from && i < len(text) && (alnums[text[i]] || text[i] == '+' || text[i] == '/')
}

// base64Part looks at what a part of a text is in base64, and reports whether that is
// something that is read.
func (w *walker) base64Part(text string, from, to int, broken bool) bool {
	part := text[from:to]
	if !broken && !readable(part) {
		return false
	}
	if broken {
		part = strings.NewReplacer("\r", "", "\n", "").Replace(part)
	}
	url := strings.ContainsAny(part, "-_")
	encoding := base64.RawStdEncoding
	if url {
		encoding = base64.RawURLEncoding
	}
	if len(part)%4 == 1 { // cut, or one letter too many
		part = part[:len(part)-1]
	}
	plain, err := encoding.DecodeString(part)
	if err != nil {
		return false
	}
	padded := to
	for padded < len(text) && padded-to < 2 && text[padded] == '=' {
		padded++
	}
	if w.depth >= mostNested {
		if utf8.Valid(plain) && !strings.ContainsFunc(string(plain), func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' }) {
			w.hits = append(w.hits, hit{from, padded, mark(failed)})
		}
		return true
	}
	w.depth++
	defer func() { w.depth-- }()
	if utf8.Valid(plain) {
		whole := string(plain)
		var out string
		if inner, isJSON := container(whole); isJSON {
			out = w.inside(whole, inner)
		} else {
			out = w.detect(whole)
		}
		if out != whole {
			again := encoding.EncodeToString([]byte(out))
			if padded > to {
				again = encoding.WithPadding(base64.StdPadding).EncodeToString([]byte(out))
			}
			w.hits = append(w.hits, hit{from, padded, again})
		}
		return true
	}
	if w.inBinary(plain) {
		w.hits = append(w.hits, hit{from, padded, mark(binary)})
		return true
	}
	return false
}

// leastBinary is the length from which base64 is decoded that does not begin as a text
// does: words of languages are shorter.
const leastBinary = 16

// readable reports whether a run of base64 is worth decoding: it begins as a text does,
// which nearly no words of languages do, or it is long.
func readable(part string) bool {
	if len(part) >= leastBinary {
		return true
	}
	a, b, c, d := sextets[part[0]], sextets[part[1]], sextets[part[2]], sextets[part[3]]
	first, second, third := a<<2|b>>4, b<<4|c>>2, c<<6|d
	const lead, continued, end = 0xc2, 0x80, 0xc0
	if first >= lead {
		return second >= continued && second < end
	}
	return texts[first] && (second >= lead || texts[second] && (third >= lead || texts[third]))
}

// texts are the bytes of texts in ASCII.
var texts = func() (table [256]bool) {
	for c := range table {
		table[c] = c >= ' ' && c < 0x7f || c == '\n' || c == '\r' || c == '\t'
	}
	return table
}()

var sextets = func() (table [256]byte) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for n := range letters {
		table[letters[n]] = byte(n)
	}
	table['+'], table['-'], table['/'], table['_'] = 62, 62, 63, 63
	return table
}()

// inBinary reports whether the detectors find something in the texts that stand in
// bytes which are no text as a whole, as the program strings would print them.
func (w *walker) inBinary(b []byte) bool {
	const least = 8
	from := len(w.hits)
	for i := 0; i < len(b); {
		end := i
		for end < len(b) {
			if b[end] < utf8.RuneSelf {
				if !texts[b[end]] {
					break
				}
				end++
				continue
			}
			r, size := utf8.DecodeRune(b[end:])
			if r == utf8.RuneError {
				break
			}
			end += size
		}
		if end-i >= least {
			w.find(string(b[i:end]), mostEscaped)
		}
		i = end + 1
	}
	found := len(w.hits) > from
	w.hits = w.hits[:from]
	return found
}
