package llmhttp

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
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
	seen  int64 // bytes that were written
	cut   bool  // the limit was reached

	inString, escaped bool
	start             int // of the string, in b
	checked           bool
	blob              *blob // the string is base64 that is not kept
}

// blobFrom is how long a string of base64 must be to be replaced.
const blobFrom = 4 << 10

// write takes the next bytes of a body, and does not keep p.
func (c *capture) write(p []byte) {
	c.seen += int64(len(p))
	for len(p) > 0 && !c.cut {
		p = c.step(p)
	}
}

// step takes bytes up to the next place where something changes, and returns
// those after it.
func (c *capture) step(p []byte) []byte {
	switch {
	case c.blob != nil:
		i := bytes.IndexByte(p, '"')
		if i < 0 {
			c.blob.write(p)
			return nil
		}
		c.blob.write(p[:i])
		c.keep([]byte(c.blob.mark()))
		c.blob, c.inString = nil, false
		c.keep(p[i : i+1])
		return p[i+1:]
	case !c.inString:
		i := bytes.IndexByte(p, '"')
		if i < 0 {
			c.keep(p)
			return nil
		}
		c.keep(p[:i+1])
		c.inString, c.checked, c.start = true, false, len(c.b)
		return p[i+1:]
	case c.escaped:
		c.escaped = false
		c.keep(p[:1])
		return p[1:]
	}
	most := p
	if !c.checked { // no further than to where it is looked at
		most = p[:min(len(p), max(1, c.start+blobFrom-len(c.b)))]
	}
	i := bytes.IndexByte(most, '"')
	if j := bytes.IndexByte(most[:last(i, len(most))], '\\'); j >= 0 {
		c.keep(p[:j+1])
		c.escaped = true
		return p[j+1:]
	}
	if i >= 0 {
		c.keep(p[:i+1])
		c.inString = false
		return p[i+1:]
	}
	c.keep(most)
	if !c.checked && len(c.b)-c.start >= blobFrom {
		c.checked = true
		c.check()
	}
	return p[len(most):]
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
	c.blob = &blob{hash: sha256.New()}
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
	b.flush()
	return fmt.Sprintf("%s%d:%s", blobMark, b.size, hex.EncodeToString(b.hash.Sum(nil)))
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
	b := blob{hash: sha256.New()}
	b.write([]byte(text))
	b.flush()
	return b.size, hex.EncodeToString(b.hash.Sum(nil))
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_' || c == '='
}
