package record

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// MaxText bounds the bytes of one payload that the search sees.
const MaxText = 1 << 20

// AppendText adds the words of a payload to b, for a full-text index: the
// strings and numbers in it, whatever map they are in, but no keys and none of
// the fields that hold ids and times.
func AppendText(b []byte, payload string) []byte {
	limit := len(b) + MaxText
	for field, value := range rawjson.Members(payload) {
		switch field {
		case "session_id", "event_id", "parent_id", "children_ids", "event_type", "start_time", "end_time", "duration":
			continue
		}
		b = appendWords(b, value, limit)
	}
	return b
}

func appendWords(b []byte, value string, limit int) []byte {
	if len(b) >= limit {
		return b
	}
	switch rawjson.KindOf(value) {
	case rawjson.String:
		s := rawjson.Unquote(value)
		if len(b)+len(s) > limit {
			s = strings.ToValidUTF8(s[:limit-len(b)], "")
		}
		b = append(Spread(b, s), '\n')
	case rawjson.Number:
		b = append(append(b, value...), '\n')
	case rawjson.Object:
		for _, v := range rawjson.Members(value) {
			b = appendWords(b, v, limit)
		}
	case rawjson.Array:
		for v := range rawjson.Elements(value) {
			b = appendWords(b, v, limit)
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
