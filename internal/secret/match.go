package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// A Matcher finds credentials in a text: as they are, in another case, broken
// over lines, also by marks that continue or quote lines, escaped as URLs, JSON, Go,
// HTML or mail have it, several times over too, as the numbers of its bytes, and in
// base64, base32 or hexadecimal, alone or as a part of what was encoded, also where it
// was compressed before, and broken by other signs, such as "sk-ab...cd-ef". The
// beginning or the end of a long one counts as well, and 23 bytes from anywhere in
// one that has no white space, since servers quote parts and drop prefixes, and
// headers put more around a key. Not found are one that is written backwards, in the
// escapes of CSS, or encoded in a way that is not named here. A nil Matcher finds nothing. It may be used by
// many goroutines.
//
// Nobody can list all ways to write a text, so the text is read instead: white
// space is dropped and escapes are decoded, as often as there are any, and after
// each time the credentials are looked for. Each byte remembers which part of the
// text it stands for.
type Matcher struct {
	needles []needle
	least   int            // bytes of the shortest text in which one of the needles can stand
	letters []needle       // of texts of which letters and digits alone are left
	known   map[place]bool // of the needles, while they are added
}

// A place is a part of a text that is looked for.
type place struct {
	text string
	at   int
}

// A needle is what is looked for.
type needle struct {
	text string // in lower case, without white space
	at   int    // where in the text the seed begins
	seed int    // so much of it is enough
	word bool   // only where it is a word of its own
	run  bool   // base64: what is around it is of the same encoding
}

const (
	// seedBytes are how much of the beginning or end of a credential counts as it.
	seedBytes = 12
	// brokenBytes are how many letters and digits of one that is broken by other signs
	// count as it.
	brokenBytes = 16
	// wordBytes is the length below which a credential may be part of a word.
	wordBytes = 8
	// cutBytes are how much of one counts where a text was cut.
	cutBytes = 4
	// mostDecoded is how often escapes are decoded.
	mostDecoded = 8
)

// NewMatcher returns a Matcher of credentials. Those that are shorter than [Least]
// are left out.
func NewMatcher(values []string) *Matcher {
	m := &Matcher{known: make(map[place]bool)}
	for _, v := range values {
		if len(v) < Least {
			continue
		}
		m.plain(v)
		m.broken(v)
		m.encoded(v)
		m.codes(v)
		// A server may have decoded it.
		d := new(decoded)
		for d.start(v, false); d.decode(); {
			m.plain(string(d.b))
		}
		if strings.Contains(v, "+") { // read as a space by a server
			m.plain(strings.ReplaceAll(v, "+", " "))
		}
		if strings.Contains(v, " ") {
			m.plain(strings.ReplaceAll(v, " ", "+"))
		}
	}
	m.known = nil
	for i := range m.needles {
		if n := m.needles[i].seed; i == 0 || n < m.least {
			m.least = n
		}
	}
	// The longest first, so that the rest of one is not left beside another.
	slices.SortStableFunc(m.needles, func(a, b needle) int { return len(b.text) - len(a.text) })
	return m
}

func (m *Matcher) add(n needle) {
	n.text = folded(n.text)
	p := place{n.text, n.at}
	if len(n.text) < Least || m.known[p] {
		return
	}
	m.known[p] = true
	n.seed = min(len(n.text), max(n.seed, seedBytes))
	m.needles = append(m.needles, n)
}

func (m *Matcher) plain(v string) {
	m.add(needle{text: v, word: len(v) < wordBytes})
	if len(folded(v)) != len(v) { // with white space it is several things, each of which is looked for
		return
	}
	// Pieces side by side, and the last one: what is long enough has one of them.
	for at := seedBytes; at < len(v); at += seedBytes {
		m.add(needle{text: v, at: min(at, len(v)-seedBytes)})
	}
}

// broken adds the letters and digits of a credential, where these are so many that no
// other text has them.
func (m *Matcher) broken(v string) {
	b := []byte(folded(v))
	b = slices.DeleteFunc(b, func(c byte) bool { return !wordByte(c) })
	if len(b) < brokenBytes {
		return
	}
	for at := 0; at+brokenBytes <= len(b); at += brokenBytes / 2 {
		m.letters = append(m.letters, needle{text: string(b), at: at, seed: brokenBytes})
	}
}

// encoded adds a credential in base64, at each of the three places at which it
// may begin in what is encoded, without the characters that it shares with its
// neighbours, and in hexadecimal.
func (m *Matcher) encoded(v string) {
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for skip := range 3 {
			text := encoding.EncodeToString([]byte("\x00\x00"[:skip] + v))
			text = text[(8*skip+5)/6 : 8*(skip+len(v))/6]
			m.add(needle{text: text, word: len(text) < wordBytes, run: true})
		}
	}
	m.add(needle{text: hex.EncodeToString([]byte(v))})
}

// folded returns a text in lower case and without white space.
func folded(text string) string {
	b := make([]byte, 0, len(text))
	for i := range len(text) {
		if !space(text[i]) {
			b = append(b, lower(text[i]))
		}
	}
	return string(b)
}

func space(c byte) bool { return c <= ' ' || c == 0x7f }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// codes adds a credential as the numbers of its bytes, as Go, C and JSON write them.
func (m *Matcher) codes(v string) {
	for _, c := range [...]struct{ format, between string }{
		{"%d", ""}, {"%d", ","}, {"%02x", ":"}, {"%02x", "-"}, {"0x%02x", ""}, {"0x%02x", ","}, {"0x%x", ""}, {"0x%x", ","},
	} {
		var text []byte
		seed := 0
		for i := range len(v) {
			if i > 0 {
				text = append(text, c.between...)
			}
			text = fmt.Appendf(text, c.format, v[i])
			if i < seedBytes {
				seed = len(text)
			}
		}
		m.add(needle{text: string(text), seed: seed})
	}
}

// Least returns how long a text is at least that holds a credential, in bytes, in
// whichever way it is written: no escape is shorter than what it stands for. A text
// whose end was cut off may be shorter.
func (m *Matcher) Least() int {
	if m == nil {
		return 0
	}
	return m.least
}

// In reports whether a credential stands in the text.
func (m *Matcher) In(text string) bool { return len(m.find(text, false)) > 0 }

// Hide returns the text with mark in place of each credential.
func (m *Matcher) Hide(text, mark string) string { return m.hide(text, mark, false) }

// HideCut is Hide for a text whose end was cut off: what it ends with may be the
// beginning of a credential.
func (m *Matcher) HideCut(text, mark string) string { return m.hide(text, mark, true) }

// A span is a part of a text.
type span struct{ from, to int }

func (m *Matcher) hide(text, mark string, cut bool) string {
	spans := m.find(text, cut)
	if len(spans) == 0 {
		return text
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var b []byte
	last := 0
	for i := 0; i < len(spans); {
		s := spans[i]
		for i++; i < len(spans) && spans[i].from <= s.to; i++ {
			s.to = max(s.to, spans[i].to)
		}
		b = append(append(b, text[last:s.from]...), mark...)
		last = s.to
	}
	return string(append(b, text[last:]...))
}

// find returns where credentials stand.
func (m *Matcher) find(text string, cut bool) (spans []span) {
	if m == nil || len(m.needles) == 0 || len(text) < cutBytes || !cut && len(text) < m.least {
		return nil
	}
	spans = m.findPlain(text, cut, false)
	if strings.IndexByte(text, '\n') >= 0 { // whether a mark is one of lines, or a part of a credential, nobody knows
		spans = append(spans, m.findPlain(text, cut, true)...)
	}
	return append(spans, m.findNested(text)...)
}

// findPlain returns where credentials stand that need no more than that escapes are
// decoded, and, if that is asked for, that the marks are dropped which stand where a
// line ends or begins.
func (m *Matcher) findPlain(text string, cut, marks bool) (spans []span) {
	d := texts.Get().(*decoded)
	defer d.put()
	d.start(text, marks)
	for range mostDecoded {
		for i := range m.needles {
			spans = d.search(&m.needles[i], spans)
			if cut && m.needles[i].at == 0 {
				spans = d.searchEnd(&m.needles[i], spans)
			}
		}
		spans = d.searchLetters(m.letters, spans)
		if !d.decode() {
			break
		}
	}
	return spans
}

// decoded is a text of which escapes were decoded.
type decoded struct {
	text string
	// b are its bytes as they are by now, low the same in lower case, and at the
	// part of the text that each stands for. Without at, byte i stands for itself.
	b, low []byte
	at     []span
}

// texts are decoded texts that are used again.
var texts = sync.Pool{New: func() any { return new(decoded) }}

// mostReused is how many bytes a text may have whose memory is used again.
const mostReused = 4 << 10

// put gives the text up.
func (d *decoded) put() {
	if cap(d.b) <= mostReused {
		*d = decoded{b: d.b[:0], low: d.low[:0]}
		texts.Put(d)
	}
}

// start takes a text, without its white space.
func (d *decoded) start(text string, marks bool) {
	*d = decoded{text: text, b: append(d.b[:0], text...), low: d.low}
	if d.lower() {
		d.b, d.at = d.b[:0], make([]span, 0, len(d.text))
		for i := 0; i < len(d.text); {
			if n := folding(d.text[i:], marks); n > 0 {
				i += n
				continue
			}
			d.b, d.at = append(d.b, d.text[i]), append(d.at, span{i, i + 1})
			i++
		}
		d.lower()
	}
}

// lower sets low, and reports whether there is white space.
func (d *decoded) lower() (spaces bool) {
	d.low = slices.Grow(d.low[:0], len(d.b))[:len(d.b)]
	for i, c := range d.b {
		l := lowered[c]
		d.low[i] = l
		spaces = spaces || l == ' '
	}
	return spaces
}

// lowered are the bytes in lower case, and white space as a space.
var lowered = func() (table [256]byte) {
	for i := range table {
		if table[i] = lower(byte(i)); space(byte(i)) {
			table[i] = ' '
		}
	}
	return table
}()

// span returns the part of the text that bytes stand for.
func (d *decoded) span(from, to int) span {
	if d.at == nil {
		return span{from, to}
	}
	return span{d.at[from].from, d.at[to-1].to}
}

// search adds where a needle stands.
func (d *decoded) search(n *needle, spans []span) []span {
	seed := []byte(n.text[n.at : n.at+n.seed])
	for from := 0; ; {
		found := bytes.Index(d.low[from:], seed)
		if found < 0 {
			return spans
		}
		found += from
		i, end := found, found+n.seed
		for j := n.at + n.seed; end < len(d.low) && j < len(n.text) && d.low[end] == n.text[j]; j++ {
			end++
		}
		for j := n.at; i > 0 && j > 0 && d.low[i-1] == n.text[j-1]; j-- {
			i--
		}
		s := d.span(i, end)
		if n.run {
			s = d.run(i, end)
		}
		from = found + 1
		if n.word && (s.from > 0 && wordByte(d.text[s.from-1]) || s.to < len(d.text) && wordByte(d.text[s.to])) {
			continue
		}
		spans = append(spans, s)
		from = max(from, end-n.seed+1) // of a credential that repeats itself, the next may overlap
	}
}

// searchLetters adds where needles stand whose letters are broken by other signs, beside
// what was found already.
func (d *decoded) searchLetters(needles []needle, spans []span) []span {
	if len(needles) == 0 || len(d.low) < brokenBytes {
		return spans
	}
	left := texts.Get().(*decoded)
	defer left.put()
	*left = decoded{text: d.text, b: left.b[:0], low: left.low[:0], at: make([]span, 0, len(d.low))}
	covered := make([]bool, len(d.text))
	for _, s := range spans {
		for i := s.from; i < s.to; i++ {
			covered[i] = true
		}
	}
	for i, c := range d.low {
		if covered[d.span(i, i+1).from] {
			c = 0
		}
		if c == 0 || wordByte(c) {
			left.b, left.low, left.at = append(left.b, c), append(left.low, c), append(left.at, d.span(i, i+1))
		}
	}
	for i := range needles {
		spans = left.search(&needles[i], spans)
	}
	return spans
}

func wordByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= lower(c) && lower(c) <= 'z' || c >= utf8.RuneSelf
}

// run returns the part of the text that bytes stand for, with the base64 around
// them.
func (d *decoded) run(from, to int) span {
	for from > 0 && base64Byte(d.b[from-1]) && d.span(from-1, from).to == d.span(from, from+1).from {
		from--
	}
	for to < len(d.b) && (base64Byte(d.b[to]) || d.b[to] == '=') && d.span(to-1, to).to == d.span(to, to+1).from {
		to++
	}
	return d.span(from, to)
}

func base64Byte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= lower(c) && lower(c) <= 'z' || c == '+' || c == '/' || c == '-' || c == '_'
}

// searchEnd adds the beginning of a needle that the text ends with, before an
// escape that was cut as well.
func (d *decoded) searchEnd(n *needle, spans []span) []span {
	const longest = len("&#x0000;")
	for end := len(d.low); end > 0 && end > len(d.low)-longest; end-- {
		if end < len(d.low) && !strings.ContainsRune(`%\&`, rune(d.low[end])) {
			continue
		}
		for size := min(n.seed, end); size >= cutBytes; size-- {
			if string(d.low[end-size:end]) == n.text[:size] {
				spans = append(spans, span{d.span(end-size, end).from, len(d.text)})
				break
			}
		}
	}
	return spans
}
