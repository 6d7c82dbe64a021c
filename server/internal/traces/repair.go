package traces

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// maxNesting is how many arrays and objects may be open in JSON that is repaired:
// more than any value that is read has.
const maxNesting = 2 * MaxDepth

// repair returns JSON of what is none for its values alone: names of numbers that
// JSON does not have (NaN, Infinity) and other bare words become texts, control
// characters in texts U+FFFD, backslashes that begin no escape stand for themselves,
// and what is nested too deep becomes null. It returns nil for other faults, and where the text
// would grow to more than twice its size.
func repair(body []byte) []byte {
	text := string(body)
	most := 2*len(text) + spareGrowth
	out := make([]byte, 0, len(text)+len(text)/8)
	open := 0
	for i := 0; i < len(text); i++ {
		if len(out) > most {
			return nil
		}
		switch c := text[i]; c {
		case '"':
			end := stringEnd(text, i)
			if end == len(text) {
				return nil
			}
			out = repairString(out, text[i:end+1])
			i = end
		case '{', '[':
			if open++; open > maxNesting {
				open--
				if i = passDeep(text, i); i == len(text) {
					return nil
				}
				out = append(out, "null"...)
				continue
			}
			out = append(out, c)
		case '}', ']':
			open--
			out = append(out, c)
		case ',', ':', ' ', '\t', '\n', '\r':
			out = append(out, c)
		default:
			end := i + 1
			for end < len(text) && !isStructural(text[end]) {
				end++
			}
			if word := text[i:end]; json.Valid([]byte(word)) {
				out = append(out, word...)
			} else {
				out = append(out, honeyhive.StringValue(word)...)
			}
			i = end - 1
		}
	}
	return out
}

func isStructural(c byte) bool {
	switch c {
	case '"', '{', '}', '[', ']', ',', ':', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

// passDeep returns the place of the bracket that closes the one at i, or the end of
// the text.
func passDeep(text string, i int) int {
	open := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i)
		case '{', '[':
			open++
		case '}', ']':
			if open--; open == 0 {
				return i
			}
		}
	}
	return len(text)
}

// repairString writes a string, of which the quotes are known to be right.
func repairString(out []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && isEscape(s[i+1:]):
			out = append(out, c, s[i+1])
			i++
		case c == '\\':
			out = append(out, `\\`...)
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\t':
			out = append(out, `\t`...)
		case c == '\r':
			out = append(out, `\r`...)
		case c < ' ':
			out = utf8.AppendRune(out, utf8.RuneError)
		default:
			out = append(out, c)
		}
	}
	return out
}

// isEscape reports whether what follows a backslash is an escape of JSON.
func isEscape(s string) bool {
	switch s[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for i := 1; i <= 4; i++ {
			if i == len(s) || hexDigit(s[i]) > 15 {
				return false
			}
		}
		return true
	}
	return false
}
