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

// Words are those of a payload, for a full-text index: the strings and numbers in it,
// whatever map they are in, but no keys and none of the fields that hold ids and times.
type Words struct{ Error, Inputs, Outputs, Others string }

// WordsOf returns the words of a payload.
func WordsOf(payload string) Words {
	text, fields := words(payload)
	var w Words
	from := 0
	for _, f := range fields {
		part := string(text[from:f.end])
		from = f.end
		switch f.name {
		case "error":
			w.Error += part
		case "inputs":
			w.Inputs += part
		case "outputs":
			w.Outputs += part
		default:
			w.Others += part
		}
	}
	return w
}

// wordsField is a field, and where its words end.
type wordsField struct {
	name string
	end  int
}

func words(payload string) (b []byte, fields []wordsField) {
	const limit = MaxText
	for field, value := range honeyhive.Value(payload).Members() {
		switch field {
		case "session_id", "event_id", "parent_id", "children_ids", "event_type", "start_time", "end_time", "duration":
			continue
		}
		b = appendWords(b, value, limit)
		fields = append(fields, wordsField{field, len(b)})
		if len(b) >= limit {
			break
		}
	}
	b = b[:firstWords(b)]
	for i := range fields {
		fields[i].end = min(fields[i].end, len(b))
	}
	return b, fields
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

// appendWords adds the strings and numbers of a value until b is limit bytes long. One
// walk reads the text from its beginning, whatever its depth is, and no further than it
// must: to look for the end of each value first would read the innermost ones as often as
// they are deep.
func appendWords(b []byte, value honeyhive.Value, limit int) []byte {
	var open []byte // the braces and brackets around the place
	key := false    // the next string is one
	for at := 0; at < len(value) && len(b) < limit; {
		switch c := value[at]; c {
		case '"':
			if key {
				end, _ := stringEnd(value[at:], len(value))
				key, at = false, at+end
				continue
			}
			end, whole := stringEnd(value[at:], 6*(limit-len(b)))
			text := value[at : at+end]
			if !whole {
				text += `"`
			}
			s := text.Text()
			if len(b)+len(s) > limit {
				s = strings.ToValidUTF8(s[:limit-len(b)], "")
			}
			if b = append(Spread(b, s), '\n'); !whole {
				return b
			}
			at += end
			continue
		case '{', '[':
			open, key = append(open, c), c == '{'
		case '}', ']':
			open, key = open[:max(0, len(open)-1)], false
		case ',':
			key = len(open) > 0 && open[len(open)-1] == '{'
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			end := at + 1
			for end < len(value) && strings.IndexByte("0123456789+-.eE", value[end]) >= 0 {
				end++
			}
			b = append(append(b, value[at:min(end, at+limit-len(b))]...), '\n')
			at = end
			continue
		}
		at++
	}
	return b
}

// stringEnd returns where the string ends that a text begins with. Of one that is longer
// than most bytes it returns about as many, which cut neither a character nor an escape:
// most/6 bytes of the string at least, since no escape is longer than six.
func stringEnd(text honeyhive.Value, most int) (end int, whole bool) {
	most = min(most, len(text))
	at := len(`"`)
	for at < most {
		n := strings.IndexAny(string(text[at:most]), "\"\\")
		if n < 0 {
			for most < len(text) && !utf8.RuneStart(text[most]) {
				most--
			}
			return most, false
		}
		switch at += n; {
		case text[at] == '"':
			return at + 1, true
		case at+1 < len(text) && text[at+1] == 'u':
			at += len(`\u0000`)
		default:
			at += len(`\n`)
		}
	}
	return min(at, len(text)), false
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
