package llmhttp

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// The events of a stream are nearly all alike: each is the one before it with
// another piece of text, and with a number or some padding that nobody reads. To
// take each apart costs more than most clients' reading does, so one that only
// added text is remembered as a pattern, and those that match it add their text
// at once.

// A repeat is the pattern of an event of a stream.
type repeat struct {
	event   string
	piece   *piece // that the text is added to
	text    int    // index of the hole that holds it
	between []string
	// digits says of each hole whether it holds a number; the others hold text.
	digits []bool
	// framed says that first and last are set: what such an event starts and ends
	// with as nearly all servers send it.
	framed      bool
	first, last string
}

// padding are the members of events that nobody reads and that differ.
var padding = [...]string{`"obfuscation":`, `"sequence_number":`, `"created_at":`, `"p":`}

// A hole is a part of an event that differs from one to the next.
type hole struct {
	start, end int
	text       bool
}

// newRepeat returns the pattern of an event that did nothing but add a text to a
// piece, or nil where it is not certain which part of the event that was. Where
// no string has an escape, a quote cannot be part of one.
func newRepeat(event, body, text string, p *piece) *repeat {
	if strings.IndexByte(body, '\\') >= 0 {
		return nil
	}
	start, ok := once(body, `"`+text+`"`)
	if !ok {
		return nil
	}
	holes := []hole{{start + 1, start + 1 + len(text), true}}
	for _, key := range padding {
		if i, ok := once(body, key); ok {
			if h, ok := paddingAt(body, i+len(key)); ok {
				holes = append(holes, h)
			}
		}
	}
	slices.SortFunc(holes, func(a, b hole) int { return a.start - b.start })
	r := &repeat{event: strings.Clone(event), piece: p}
	last := 0
	for i, h := range holes {
		if h.text {
			r.text = i
		}
		r.between = append(r.between, strings.Clone(body[last:h.start]))
		r.digits = append(r.digits, body[h.start-1] != '"')
		last = h.end
	}
	r.between = append(r.between, strings.Clone(body[last:]))
	return r
}

// once returns where a text occurs, if it does so once.
func once(body, text string) (int, bool) {
	i := strings.Index(body, text)
	return i, i >= 0 && strings.LastIndex(body, text) == i
}

// paddingAt returns the hole that a value at i makes.
func paddingAt(body string, i int) (hole, bool) {
	if body[i] == '"' {
		return hole{start: i + 1, end: i + 1 + strings.IndexByte(body[i+1:], '"')}, true
	}
	n := leadingDigits([]byte(body[i:]))
	return hole{start: i, end: i + n}, n > 0
}

// match returns the text of an event that has the pattern.
func (r *repeat) match(event string, data []byte) (text []byte, ok bool) {
	if r == nil || event != r.event || !hasPrefix(data, r.between[0]) {
		return nil, false
	}
	text, rest, ok := r.fill(data[len(r.between[0]):])
	return text, ok && string(rest) == r.between[len(r.digits)]
}

// frame sets how an event that matched is sent.
func (r *repeat) frame(event string) {
	r.framed = true
	r.first, r.last = "data: "+r.between[0], r.between[len(r.digits)]+"\n\n"
	if event != "" {
		r.first = "event: " + event + "\n" + r.first
	}
}

// next returns the text of an event that has the pattern, as it is sent, and how
// long the event is; 0 if p does not start with one.
func (r *repeat) next(p []byte) (text []byte, length int) {
	if !hasPrefix(p, r.first) {
		return nil, 0
	}
	text, rest, ok := r.fill(p[len(r.first):])
	if !ok || !hasPrefix(rest, r.last) {
		return nil, 0
	}
	return text, len(p) - len(rest) + len(r.last)
}

// begins reports whether p may be the beginning of an event that has the pattern.
func (r *repeat) begins(p []byte) bool {
	n := min(len(p), len(r.first))
	if n == 0 || string(p[:n]) != r.first[:n] {
		return false
	}
	end := lineEnd(p[n:])
	return end < 0 || p[n+end] == '\n' && n+end == len(p)-1
}

// fill reads the holes of an event and what stands between them, from the first
// hole on. It returns the text, and what follows the last hole.
func (r *repeat) fill(p []byte) (text, rest []byte, ok bool) {
	for i, digits := range r.digits {
		if i > 0 {
			if !hasPrefix(p, r.between[i]) {
				return nil, nil, false
			}
			p = p[len(r.between[i]):]
		}
		var n int
		if digits {
			n = leadingDigits(p)
			ok = n > 0
		} else {
			n, ok = plainText(p)
		}
		if !ok {
			return nil, nil, false
		}
		if i == r.text {
			text = p[:n]
		}
		p = p[n:]
	}
	return text, p, true
}

func hasPrefix(data []byte, prefix string) bool {
	return len(data) >= len(prefix) && string(data[:len(prefix)]) == prefix
}

// leadingDigits returns how many digits of a whole number data starts with.
func leadingDigits(data []byte) int {
	n := 0
	for n < len(data) && '0' <= data[n] && data[n] <= '9' {
		n++
	}
	if n > 1 && data[0] == '0' {
		return 0
	}
	return n
}

// plainText returns the length of what stands before the quote that ends a string
// of JSON, and whether it stands for itself.
func plainText(s []byte) (n int, ok bool) {
	n = rawjson.Plain(s)
	if n < len(s) && s[n] >= utf8.RuneSelf {
		n = bytes.IndexByte(s, '"')
		return n, n >= 0 && !bytes.ContainsFunc(s[:n], func(r rune) bool { return r < ' ' || r == '\\' }) && utf8.Valid(s[:n])
	}
	return n, n < len(s) && s[n] == '"'
}
