// Package rawjson handles JSON as text: it checks a value without decoding it,
// walks the members of an object without copying them, and writes Go values as
// JSON so that one bad value costs itself alone.
//
// The grammar is RFC 8259. Texts are Go strings: they are immutable, so a piece
// of a large document is a reference into it and can be shared freely.
package rawjson

import (
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how many arrays and objects may be open at once. It equals the
// default depth limit of OpenTelemetry attribute values.
const MaxDepth = 64

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset  int // bytes from the start of the text
	Problem string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Problem)
}

// Kind is the type of a JSON value, known by its first byte.
type Kind byte

// The kinds of JSON values. Numbers are known by any digit or a minus sign;
// [KindOf] folds them into Number.
const (
	Invalid Kind = 0
	Null    Kind = 'n'
	False   Kind = 'f'
	True    Kind = 't'
	String  Kind = '"'
	Number  Kind = '0'
	Object  Kind = '{'
	Array   Kind = '['
)

// String names the kind as error messages should.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case False, True:
		return "boolean"
	case String:
		return "string"
	case Number:
		return "number"
	case Object:
		return "object"
	case Array:
		return "array"
	}
	return "invalid"
}

// KindOf returns the kind of the value that text starts with. It looks at the
// first byte alone: text must be free of leading white space.
func KindOf(text string) Kind {
	if text == "" {
		return Invalid
	}
	switch c := text[0]; c {
	case 'n', 'f', 't', '"', '{', '[':
		return Kind(c)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return Number
	}
	return Invalid
}

// Parse checks that text holds exactly one JSON value and returns it in
// canonical form: without insignificant white space, and with each run of
// bytes that is no UTF-8 replaced by U+FFFD. A text that is canonical already
// is returned as it is, not copied. Keys, their order and the digits of
// numbers stay as they are.
func Parse(text string) (string, error) { return parse(text, 0) }

// parse is Parse for a text inside of so many open arrays and objects.
func parse(text string, depth int) (string, error) {
	s := scanner[string]{text: text}
	err := s.document(depth)
	if (err != nil || s.wide()) && !utf8.ValidString(text) {
		text = validText(text)
		s = scanner[string]{text: text}
		err = s.document(depth)
	}
	switch {
	case err != nil:
		return "", err
	case s.spaces == 0:
		return text, nil
	}
	return compact(text, s.spaces), nil
}

// compact copies a checked text without its n bytes of white space.
func compact(text string, n int) string {
	var b strings.Builder
	b.Grow(len(text) - n)
	start := 0
	for i := 0; i < len(text); {
		switch text[i] {
		case ' ', '\t', '\n', '\r':
			b.WriteString(text[start:i])
			i++
			start = i
		case '"':
			i, _ = stringEnd(text, i)
		default:
			i++
		}
	}
	b.WriteString(text[start:])
	return b.String()
}

// Members walks the members of a canonical object in their order. The key is
// decoded, the value is text. A value of another kind has no members; the walk of a
// text that is no JSON ends where that shows.
func Members(text string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if KindOf(text) != Object || len(text) < 2 {
			return
		}
		for i := 1; i < len(text) && text[i] != '}'; {
			if text[i] == ',' {
				i++
			}
			end, escapes := stringEnd(text, i)
			if end >= len(text) || text[i] != '"' || text[end] != ':' {
				return
			}
			key := text[i+1 : end-1]
			if escapes {
				key = Unquote(text[i:end])
			}
			i = end + 1 // the colon
			end = valueEnd(text, i)
			if !yield(key, text[i:end]) {
				return
			}
			i = end
		}
	}
}

// Elements walks the elements of a canonical array in their order. A value of
// another kind has no elements; the walk of a text that is no JSON ends where that
// shows.
func Elements(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if KindOf(text) != Array || len(text) < 2 {
			return
		}
		for i := 1; i < len(text) && text[i] != ']'; {
			if text[i] == ',' {
				i++
			}
			end := valueEnd(text, i)
			if !yield(text[i:end]) {
				return
			}
			i = end
		}
	}
}

// Get returns the value of the last member called key of a canonical object.
func Get(text, key string) (string, bool) {
	var found string
	var ok bool
	for k, v := range Members(text) {
		if k == key {
			found, ok = v, true
		}
	}
	return found, ok
}

// valueEnd returns the index past the checked canonical value at i. Where there is
// none, it returns an index that is larger than i, or the length of the text.
func valueEnd(text string, i int) int {
	depth := 0
	for i < len(text) {
		switch text[i] {
		case '"':
			i, _ = stringEnd(text, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':':
			i++
			continue
		default: // a number or a literal runs to the next structural byte
			for i < len(text) && text[i] != ',' && text[i] != '}' && text[i] != ']' {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return len(text)
}

// Deeper reports whether a canonical text is nested more than most levels deep.
func Deeper(text string, most int) bool {
	open := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i, _ = stringEnd(text, i)
			i--
		case '{', '[':
			if open++; open > most {
				return true
			}
		case '}', ']':
			open--
		}
	}
	return false
}

// scanner checks the grammar and counts white space.
type scanner[T string | []byte] struct {
	text    T
	pos     int
	spaces  int
	seen    uint64 // bytes in strings, all in one
	outside int    // open arrays and objects around the text; negative to allow for more
}

// wide reports whether a string may hold bytes that are no ASCII.
func (s *scanner[T]) wide() bool { return s.seen&highBits != 0 }

// document checks that the text is one value, inside of so many open arrays and
// objects.
func (s *scanner[T]) document(depth int) error {
	s.outside = depth
	s.space()
	if err := s.value(depth); err != nil {
		return err
	}
	s.space()
	if s.pos != len(s.text) {
		return s.fail("unexpected data after the value")
	}
	return nil
}

func (s *scanner[T]) fail(problem string) error {
	return &SyntaxError{Offset: s.pos, Problem: problem}
}

func (s *scanner[T]) failAt(i int, problem string) error {
	s.pos = i
	return s.fail(problem)
}

func (s *scanner[T]) space() {
	for s.pos < len(s.text) && s.text[s.pos] <= ' ' {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
			s.spaces++
		default:
			return
		}
	}
}

// peek returns the next byte, or 0 at the end. A real NUL is never valid.
func (s *scanner[T]) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner[T]) value(depth int) error {
	switch c := s.peek(); c {
	case '{', '[':
		if depth == MaxDepth {
			return s.fail(fmt.Sprintf("nested deeper than %d levels", MaxDepth-min(s.outside, 0)))
		}
		if c == '{' {
			return s.object(depth + 1)
		}
		return s.array(depth + 1)
	case '"':
		return s.str()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if c == '-' || digit(c) {
			return s.number()
		}
		if s.pos == len(s.text) {
			return s.fail("unexpected end")
		}
		return s.fail("expected a value")
	}
}

func (s *scanner[T]) literal(word string) error {
	if rest := s.text[s.pos:]; len(rest) < len(word) || string(rest[:len(word)]) != word {
		return s.fail("expected " + word)
	}
	s.pos += len(word)
	return nil
}

func (s *scanner[T]) object(depth int) error {
	s.pos++
	s.space()
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fail("expected a key")
		}
		if err := s.str(); err != nil {
			return err
		}
		s.space()
		if s.peek() != ':' {
			return s.fail("expected a colon")
		}
		s.pos++
		s.space()
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case '}':
			s.pos++
			return nil
		default:
			return s.fail("expected a comma or the end of the object")
		}
	}
}

func (s *scanner[T]) array(depth int) error {
	s.pos++
	s.space()
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
			s.space()
		case ']':
			s.pos++
			return nil
		default:
			return s.fail("expected a comma or the end of the array")
		}
	}
}

func (s *scanner[T]) str() error {
	i, seen := s.pos+1, s.seen
	for i < len(s.text) {
		if i+8 <= len(s.text) {
			word := load(s.text, i)
			seen |= word
			marks := special(word) &^ word & highBits
			if marks == 0 {
				i += 8
				continue
			}
			i += first(marks)
		}
		switch c := s.text[i]; {
		case c == '"':
			s.pos, s.seen = i+1, seen
			return nil
		case c == '\\':
			n := escapeLength(s.text, i)
			if n == 0 {
				return s.failAt(i, "invalid escape in a string")
			}
			i += n
		case c < 0x20:
			return s.failAt(i, "control character in a string")
		default:
			seen |= uint64(c)
			i++
		}
	}
	return s.failAt(i, "unexpected end of a string")
}

// escapeLength returns the length of the escape at i, or 0 where it is none.
func escapeLength[T string | []byte](text T, i int) int {
	if i+2 > len(text) {
		return 0
	}
	switch text[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if i+6 > len(text) || !hexDigit(text[i+2]) || !hexDigit(text[i+3]) || !hexDigit(text[i+4]) || !hexDigit(text[i+5]) {
			return 0
		}
		return 6
	}
	return 0
}

func (s *scanner[T]) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	switch c := s.peek(); {
	case c == '0':
		s.pos++
	case digit(c):
		s.digits()
	default:
		return s.fail("expected a digit")
	}
	if s.peek() == '.' {
		s.pos++
		if !digit(s.peek()) {
			return s.fail("expected a digit")
		}
		s.digits()
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !digit(s.peek()) {
			return s.fail("expected a digit")
		}
		s.digits()
	}
	return nil
}

func (s *scanner[T]) digits() {
	for digit(s.peek()) {
		s.pos++
	}
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func hexDigit(c byte) bool {
	return digit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
