package honeyhive

import (
	"fmt"
	"iter"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Value is a JSON value as canonical text: without insignificant white space, in
// UTF-8, at most 64 arrays and objects deep. It is how to read what the maps of a
// payload hold without decoding them: a part of a Value is a part of its text, and
// numbers keep their digits. Of a text of another form the methods give what they
// find before it ends to be JSON; none panics.
//
// [ParseValue] makes a Value of any text. What an [Object] holds needs no check:
// Value(o.JSONText()), and Value(raw) for a member.
type Value string

// Kind is the type of a JSON value.
type Kind byte

// The kinds of JSON values, named by the bytes that they begin with.
const (
	KindInvalid Kind = 0
	KindNull    Kind = 'n'
	KindFalse   Kind = 'f'
	KindTrue    Kind = 't'
	KindString  Kind = '"'
	KindNumber  Kind = '0'
	KindObject  Kind = '{'
	KindArray   Kind = '['
)

// String names the kind: null, boolean, string, number, object, array or invalid.
func (k Kind) String() string { return rawjson.Kind(k).String() }

// ParseValue reads one JSON value. Bytes that are no UTF-8 are replaced by U+FFFD;
// insignificant white space is dropped. It fails on anything else, and on JSON
// nested deeper than 64 levels.
func ParseValue[T ~string | ~[]byte](data T) (Value, error) {
	text, err := rawjson.Parse(string(data))
	if err != nil {
		return "", fmt.Errorf("parse value: %w", err)
	}
	return Value(text), nil
}

// StringValue returns a string as a Value. Bytes that are no UTF-8 are replaced by
// U+FFFD.
func StringValue(s string) Value { return Value(rawjson.Text(rawjson.AppendString(nil, s))) }

// Kind returns the type of the value: [KindInvalid] for the empty text.
func (v Value) Kind() Kind { return Kind(rawjson.KindOf(string(v))) }

// Text returns what a string says, without quotes and escapes, and the text of
// any other value as it stands.
func (v Value) Text() string { return rawjson.Unquote(string(v)) }

// Get returns the member of an object that has a key. Of keys that stand several
// times the last one counts, as in encoding/json.
func (v Value) Get(key string) (Value, bool) {
	text, ok := rawjson.Get(string(v), key)
	return Value(text), ok
}

// Members walks the members of an object, in their order. There are none in
// anything else.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for key, text := range rawjson.Members(string(v)) {
			if !yield(key, Value(text)) {
				return
			}
		}
	}
}

// Elements walks the elements of an array. There are none in anything else.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for text := range rawjson.Elements(string(v)) {
			if !yield(Value(text)) {
				return
			}
		}
	}
}

// Object returns the value as a field of a payload: absent where it is neither an
// object nor null.
func (v Value) Object() Object {
	if k := v.Kind(); k != KindObject && k != KindNull {
		return Object{}
	}
	return Object{text: string(v)}
}
