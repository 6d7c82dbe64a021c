package secret

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
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
		for to < len(text) && base64Byte(text[to]) {
			to++
		}
		if to-from >= nestedBytes && m.inNested(text[from:to], mostNested) {
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

// decodings returns what a word may have been made of.
func decodings(word string) (list []string) {
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(word)
	for _, decode := range []func(string) ([]byte, error){base64.RawStdEncoding.DecodeString, hex.DecodeString, base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString} {
		if plain, err := decode(standard); err == nil {
			list = append(list, string(plain))
		}
	}
	return list
}
