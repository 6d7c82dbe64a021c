package honeyhive

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Object is a JSON object that keeps the order of its keys, the digits of its
// numbers and nested nulls: one of the maps of a payload (inputs, outputs,
// metadata and so on). The zero value is absent, [NullObject] is null.
//
// An Object is an immutable value, held as text: it can be copied and shared
// between goroutines, and methods that change it return a new one.
type Object struct {
	text string // canonical JSON of an object, "null", or "" when absent; alone, see internal/canonical
}

// NullObject returns the field value null.
func NullObject() Object { return Object{text: "null"} }

// EmptyObject returns an object without keys.
func EmptyObject() Object { return Object{text: "{}"} }

// ParseObject reads an object or null from JSON. Bytes that are no UTF-8 are
// replaced by U+FFFD; insignificant white space is dropped. It fails on
// anything else, and on JSON nested deeper than 64 levels.
func ParseObject[T ~string | ~[]byte](data T) (Object, error) {
	text, err := rawjson.Parse(string(data))
	if err != nil {
		return Object{}, fmt.Errorf("parse object: %w", err)
	}
	switch k := rawjson.KindOf(text); k {
	case rawjson.Object, rawjson.Null:
		return Object{text: text}, nil
	default:
		return Object{}, fmt.Errorf("parse object: %w", kindError{k})
	}
}

type kindError struct{ got rawjson.Kind }

func (e kindError) Error() string { return "is a JSON " + e.got.String() + ", not an object" }

// ObjectOf encodes a map, a struct, raw JSON or anything else that becomes a
// JSON object. A part of v that has no JSON form is replaced by a string that
// says so, in the object and in the error, and its neighbours are kept; where v
// as a whole is no object, the error says what it is and the object is absent.
// A nil v, and a nil map or pointer, give an absent object and no error.
func ObjectOf(v any) (Object, error) {
	if o, ok := v.(Object); ok {
		return o, nil
	}
	data, err := rawjson.Append(nil, v)
	text := rawjson.Text(data)
	switch k := rawjson.KindOf(text); k {
	case rawjson.Object:
		return Object{text: text}, err
	case rawjson.Null:
		return Object{}, err
	default:
		return Object{}, errors.Join(err, kindError{k})
	}
}

// JSONText returns the canonical JSON of the object: an object without
// insignificant white space, "null", or "" when absent.
func (o Object) JSONText() string { return o.text }

// String returns the JSON of the object, "null" when it is null or absent.
func (o Object) String() string {
	if o.text == "" {
		return "null"
	}
	return o.text
}

// IsZero reports whether the object is absent.
func (o Object) IsZero() bool { return o.text == "" }

// IsNull reports whether the object is null.
func (o Object) IsNull() bool { return o.text == "null" }

// IsEmpty reports whether the object has no keys: it is absent, null or {}.
func (o Object) IsEmpty() bool { return len(o.text) <= len("{}") || o.IsNull() }

// Equal reports whether both objects have the same JSON text, their keys in
// the same order.
func (o Object) Equal(p Object) bool { return o.text == p.text }

// All walks the keys and values in their order. A value is canonical JSON and
// must not be changed.
func (o Object) All() iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		for k, v := range rawjson.Members(o.text) {
			if !yield(k, json.RawMessage(v)) {
				return
			}
		}
	}
}

// Len returns the number of keys.
func (o Object) Len() int {
	n := 0
	for range rawjson.Members(o.text) {
		n++
	}
	return n
}

// Get returns the value of a key, and whether it is there. Where a key stands
// more than once, the last one counts.
func (o Object) Get(key string) (json.RawMessage, bool) {
	v, ok := rawjson.Get(o.text, key)
	return json.RawMessage(v), ok
}

// Has reports whether the object has the key.
func (o Object) Has(key string) bool {
	_, ok := rawjson.Get(o.text, key)
	return ok
}

// Decode unmarshals the object as encoding/json does, numbers into float64
// unless the target says otherwise. An absent object leaves the target alone.
func (o Object) Decode(target any) error {
	if o.text == "" {
		return nil
	}
	return json.Unmarshal([]byte(o.text), target)
}

// With returns the object with the key set to the value: in its old place, or
// at the end. A part of the value that has no JSON form is replaced as by
// [ObjectOf], and said in the error; the object is usable all the same.
func (o Object) With(key string, value any) (Object, error) {
	data, err := rawjson.Append(nil, value)
	return o.Merge(Object{text: member(key, string(data))}), err
}

// member returns an object with one key and canonical text.
func member(key, text string) string {
	b := make([]byte, 0, len(key)+len(text)+8)
	b = rawjson.AppendString(append(b, '{'), key)
	b = append(append(append(b, ':'), text...), '}')
	return string(b)
}

// Without returns the object without the key. What is null or absent stays so.
func (o Object) Without(key string) Object {
	if !o.Has(key) {
		return o
	}
	var b objectBuilder
	for k, v := range rawjson.Members(o.text) {
		if k != key {
			b.add(k, v)
		}
	}
	return b.object()
}

// Merge returns the object with the keys of p set: those that o has in their
// old places, the others at the end. Nested objects are replaced, not merged.
// An absent p changes nothing; a null p changes nothing unless o is absent.
func (o Object) Merge(p Object) Object {
	switch {
	case p.IsZero():
		return o
	case o.IsZero(), o.IsNull() && !p.IsNull():
		return p
	case p.IsEmpty():
		return o
	case o.IsEmpty():
		return p
	}
	if text, ok := joined(o.text, p.text); ok {
		return Object{text: text}
	}
	newer := maps.Collect(rawjson.Members(p.text))
	var b objectBuilder
	b.grow(len(o.text) + len(p.text))
	done := make(map[string]bool)
	for k, v := range rawjson.Members(o.text) {
		if nv, ok := newer[k]; ok {
			v = nv
			done[k] = true
		}
		b.add(k, v)
	}
	for k := range rawjson.Members(p.text) {
		if !done[k] {
			done[k] = true
			b.add(k, newer[k])
		}
	}
	return b.object()
}

// joined writes two objects one behind the other, where they have few keys and
// none of them twice. Neither of them is empty.
func joined(o, p string) (text string, ok bool) {
	keys := make([]string, 0, 16)
	for _, text := range [...]string{o, p} {
		for k := range rawjson.Members(text) {
			if len(keys) == cap(keys) || slices.Contains(keys, k) {
				return "", false
			}
			keys = append(keys, k)
		}
	}
	return o[:len(o)-1] + "," + p[1:], true
}

// objectBuilder writes an object member by member.
type objectBuilder struct{ text []byte }

func (b *objectBuilder) grow(n int) { b.text = make([]byte, 0, n) }

func (b *objectBuilder) add(key, value string) {
	if len(b.text) == 0 {
		b.text = append(b.text, '{')
	} else {
		b.text = append(b.text, ',')
	}
	b.text = rawjson.AppendString(b.text, key)
	b.text = append(append(b.text, ':'), value...)
}

func (b *objectBuilder) object() Object {
	if len(b.text) == 0 {
		return EmptyObject()
	}
	return Object{text: rawjson.Text(append(b.text, '}'))}
}

// MarshalJSON writes the object; an absent one as null, since it cannot leave
// itself out.
func (o Object) MarshalJSON() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalJSON reads an object or null. It keeps a copy.
func (o *Object) UnmarshalJSON(data []byte) error {
	parsed, err := ParseObject(data)
	if err != nil {
		return err
	}
	*o = parsed
	return nil
}
