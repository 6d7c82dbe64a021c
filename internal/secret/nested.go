package secret

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/url"
	"strings"
)

// What was escaped or encoded before it was encoded is found in no way but to decode it:
// a long word of the text is decoded and looked through like a text of its own, a few
// times over.

const (
	// nestedBytes are how long a word is that is decoded, which those of languages are
	// not, nor most ids.
	nestedBytes = 24
	// mostNested is how often a word is decoded.
	mostNested = 3
)

// findNested returns the words of a text that hold credentials when they are decoded.
func (m *Matcher) findNested(text string) (spans []span) {
	for from := 0; from < len(text); {
		to := from
		for to < len(text) && (base64Byte(text[to]) || text[to] == '%') {
			to++
		}
		word := text[from:to]
		if plain, err := url.PathUnescape(word); err == nil {
			word = strings.TrimRight(plain, "=")
		}
		if len(word) >= nestedBytes && m.inNested(word, mostNested) {
			spans = append(spans, span{from, to})
		}
		from = to + 1
	}
	return spans
}

func (m *Matcher) inNested(word string, depth int) bool {
	for _, plain := range decodings(word) {
		if len(m.findPlain(plain, false, false)) > 0 {
			return true
		}
		inner := plain[strings.LastIndexByte(plain, ' ')+1:]                                                                                                                                                           // after a scheme
		if inner = strings.TrimRight(inner, "="); depth > 1 && len(inner) >= nestedBytes && !strings.ContainsFunc(inner, func(r rune) bool { return r > '~' || !base64Byte(byte(r)) }) && m.inNested(inner, depth-1) { //nolint:gosec // at most '~'
			return true
		}
	}
	return false
}

// decodings returns what a word may have been made of, and what that was compressed from.
func decodings(word string) (list []string) {
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(word)
	for _, decode := range []func(string) ([]byte, error){base64.RawStdEncoding.DecodeString, hex.DecodeString, base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString} {
		if plain, err := decode(standard); err == nil {
			list = append(list, string(plain))
			if text := inflated(plain); text != "" {
				list = append(list, text)
			}
		}
	}
	return list
}

// inflated returns the beginning of what was compressed, also where its end is missing,
// or "".
func inflated(b []byte) string {
	const most = 64 << 10
	var r io.Reader
	var err error
	switch {
	case bytes.HasPrefix(b, []byte("\x1f\x8b")):
		r, err = gzip.NewReader(bytes.NewReader(b))
	case len(b) > 2 && b[0] == 0x78 && (uint(b[0])<<8|uint(b[1]))%31 == 0: // RFC 1950, section 2.2
		r, err = zlib.NewReader(bytes.NewReader(b))
	}
	if r == nil || err != nil {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(r, most)) // what there is
	return string(text)
}
