package record

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Bounds of the words of one payload that the search sees. To index different words
// takes much longer than the same ones, and writes wait meanwhile: so many take some
// hundredths of a second. A text in a language has fewer in as many bytes; numbers
// and ids have not.
const (
	MaxText  = 256 << 10 // bytes
	MaxWords = 16_384    // different words
)

// AppendText adds the words of a payload to b, for a full-text index: the
// strings and numbers in it, whatever map they are in, but no keys and none of
// the fields that hold ids and times.
func AppendText(b []byte, payload string) []byte {
	start, limit := len(b), len(b)+MaxText
	for field, value := range honeyhive.Value(payload).Members() {
		switch field {
		case "session_id", "event_id", "parent_id", "children_ids", "event_type", "start_time", "end_time", "duration":
			continue
		}
		if b = appendWords(b, value, limit); len(b) >= limit {
			break
		}
	}
	return b[:start+firstWords(b[start:])]
}

// firstWords returns the length of the beginning of a text that has no more than
// MaxWords different words.
func firstWords(text []byte) int {
	const least = len("a ")
	if len(text) <= least*MaxWords {
		return len(text)
	}
	different := make(map[string]struct{}, MaxWords)
	word := 0 // where the present one starts
	for at, r := range string(text) {
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) {
			continue
		}
		if at > word {
			different[string(text[word:at])] = struct{}{}
			if len(different) > MaxWords {
				return word
			}
		}
		word = at + utf8.RuneLen(r)
	}
	return len(text)
}

func appendWords(b []byte, value honeyhive.Value, limit int) []byte {
	if len(b) >= limit {
		return b
	}
	switch value.Kind() {
	case honeyhive.KindString:
		s := value.Text()
		if len(b)+len(s) > limit {
			s = strings.ToValidUTF8(s[:limit-len(b)], "")
		}
		b = append(Spread(b, s), '\n')
	case honeyhive.KindNumber:
		b = append(append(b, value[:min(len(value), limit-len(b))]...), '\n')
	case honeyhive.KindObject:
		for _, v := range value.Members() {
			if b = appendWords(b, v, limit); len(b) >= limit {
				break
			}
		}
	case honeyhive.KindArray:
		for v := range value.Elements() {
			if b = appendWords(b, v, limit); len(b) >= limit {
				break
			}
		}
	}
	return b
}

// Spread adds s to b with white space around each character of a script that
// is written without it, so that such a character is a word of its own.
func Spread(b []byte, s string) []byte {
	for _, r := range s {
		if unbroken(r) {
			b = append(utf8.AppendRune(append(b, ' '), r), ' ')
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

func unbroken(r rune) bool {
	const first = 0x0e00 // Thai
	return r >= first && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
