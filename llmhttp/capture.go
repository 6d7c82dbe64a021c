package llmhttp

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"
)

// This file keeps the bytes of a body as they pass. Images and sound in a body
// are base64 inside of JSON strings, many times as long as all that was said, so
// a long string of that alphabet is not kept: its digest and its size take its
// place while it passes, and what a body costs is bounded by the text in it.

// A capture keeps what is written to it, up to a limit, without long base64.
type capture struct {
	b     []byte
	limit int
	from  int  // how long a string of base64 must be to be replaced; 0 is blobFrom
	cut   bool // the limit was reached
	short bool // nothing in it can be that long, or base64 in it is kept, too

	inString, escaped bool
	start             int // of the string, in b
	checked           bool
	blob              *blob // the string is base64 that is not kept
}

// blobFrom is how long a string of base64 must be to be replaced.
const blobFrom = 4 << 10

// mostAhead is how much is allocated for a body before any of it is there.
const mostAhead = 64 << 10

// expect says how long a body will be, where that is known, and gives a buffer
// for it.
func (c *capture) expect(length int64, buffer []byte) {
	c.short = 0 < length && length < blobFrom
	c.b = slices.Grow(buffer[:0], int(min(max(length, 0), int64(c.limit), mostAhead)))
}

// reset starts anew, with the same buffer.
func (c *capture) reset() { *c = capture{b: c.b[:0], limit: c.limit, from: c.from} }

// Write takes the next bytes of a body, and does not keep p. It takes no more
// once the limit is reached.
func (c *capture) Write(p []byte) (int, error) {
	if c.write(p); c.cut {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// WriteString is Write for a string.
func (c *capture) WriteString(s string) (int, error) {
	if !c.short || len(s) > c.limit-len(c.b) {
		return c.Write([]byte(s))
	}
	c.b = append(c.b, s...)
	return len(s), nil
}

// write takes the next bytes of a body, and does not keep p. What is kept is
// copied in runs: p up to from is behind us.
func (c *capture) write(p []byte) {
	if c.short {
		c.keep(p)
		return
	}
	from := 0
	for i := 0; i < len(p) && !c.cut; {
		switch {
		case c.blob != nil:
			end := bytes.IndexByte(p[i:], '"')
			if end < 0 {
				c.blob.write(p[i:])
				return
			}
			c.blob.write(p[i : i+end])
			c.keep([]byte(c.blob.mark()))
			c.blob, c.inString = nil, false
			from = i + end
			i = from + 1
		case !c.inString:
			i = end(i, bytes.IndexByte(p[i:], '"'), len(p))
			if p[i-1] == '"' {
				c.inString, c.checked, c.start = true, false, len(c.b)+i-from
			}
		case c.escaped:
			c.escaped = false
			i++
		default:
			if i = c.pass(p, i, len(c.b)-from); c.due(len(c.b) - from + i) {
				c.keep(p[from:i])
				from = i
				c.check()
			}
		}
	}
	if from < len(p) && c.blob == nil {
		c.keep(p[from:])
	}
}

// end returns the index behind a byte that was found at an offset, or else n.
func end(i, offset, n int) int {
	if offset < 0 {
		return n
	}
	return i + offset + 1
}

// pass goes over a string from p[i], up to where something changes. p[0]
// stands at base in b.
func (c *capture) pass(p []byte, i, base int) int {
	most := len(p)
	if !c.checked { // no further than to where it is looked at
		most = min(most, i+max(1, c.start+c.long()-base-i))
	}
	rest := p[i:most]
	quote := bytes.IndexByte(rest, '"')
	if escape := bytes.IndexByte(rest[:last(quote, len(rest))], '\\'); escape >= 0 {
		c.escaped = true
		return i + escape + 1
	}
	if quote >= 0 {
		c.inString = false
		return i + quote + 1
	}
	return most
}

func (c *capture) long() int { return cmp.Or(c.from, blobFrom) }

// due reports whether the string is to be looked at, if b holds so many bytes.
func (c *capture) due(kept int) bool {
	return c.inString && !c.escaped && !c.checked && kept-c.start >= c.long()
}

func last(i, n int) int {
	if i < 0 {
		return n
	}
	return i
}

func (c *capture) keep(p []byte) {
	if free := c.limit - len(c.b); len(p) > free {
		c.cut = true
		p = p[:max(0, free)]
	}
	c.b = append(c.b, p...)
}

// check looks at the beginning of a long string, and starts to replace it if it
// is base64, alone or in a data URL.
func (c *capture) check() {
	if c.checked = true; c.cut {
		return
	}
	text := c.b[c.start:]
	head := 0
	if bytes.HasPrefix(text, []byte("data:")) {
		head = bytes.IndexByte(text[:min(len(text), 256)], ',') + 1
	}
	for _, b := range text[head:] {
		if !isBase64(b) && b != '\\' {
			return
		}
	}
	c.blob = newBlob()
	c.blob.write(text[head:])
	c.b = c.b[:c.start+head]
}

// text returns what was kept.
func (c *capture) text() string { return string(c.b) }

// blobMark starts the text that stands for base64 that was not kept.
const blobMark = "llmhttp-blob:"

// A blob is base64 that is being digested.
type blob struct {
	hash hash.Hash
	size int64
	rest []byte // base64 that does not make whole bytes yet
	raw  []byte
}

func newBlob() *blob { return &blob{hash: sha256.New()} }

// write takes more base64, in either of its alphabets, escaped for JSON or not.
func (b *blob) write(p []byte) {
	for _, c := range p {
		switch {
		case c == '-':
			c = '+'
		case c == '_':
			c = '/'
		case !isBase64(c) || c == '=':
			continue
		}
		if b.rest = append(b.rest, c); len(b.rest) == 4<<10 {
			b.flush()
		}
	}
}

func (b *blob) flush() {
	b.raw = b.raw[:0]
	b.raw, _ = base64.RawStdEncoding.AppendDecode(b.raw, b.rest)
	_, _ = b.hash.Write(b.raw)
	b.size += int64(len(b.raw))
	b.rest = b.rest[:0]
}

// mark returns the text that stands for the blob.
func (b *blob) mark() string {
	size, sum := b.sum()
	return blobMark + strconv.FormatInt(size, 10) + ":" + sum
}

// sum returns the size and the SHA-256.
func (b *blob) sum() (size int64, sum string) {
	b.flush()
	return b.size, hex.EncodeToString(b.hash.Sum(nil))
}

// digest returns the size and the SHA-256 of what base64 stands for, or of what
// a mark stands for.
func digest(text string) (size int64, sum string) {
	if rest, ok := strings.CutPrefix(text, blobMark); ok {
		if n, sum, ok := strings.Cut(rest, ":"); ok {
			if size, err := strconv.ParseInt(n, 10, 64); err == nil && len(sum) == 2*sha256.Size {
				return size, sum
			}
		}
	}
	b := newBlob()
	b.write([]byte(text))
	return b.sum()
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_' || c == '='
}
