package convert

import (
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// pair is a key and its JSON; an empty text stands for no such key.
type pair struct{ key, text string }

// object writes pairs as a JSON object.
func object(pairs ...pair) string {
	b := []byte{'{'}
	for _, p := range pairs {
		if p.text == "" {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(rawjson.AppendString(b, p.key), ':')
		b = append(b, p.text...)
	}
	return string(append(b, '}'))
}

// list writes texts that are JSON as an array.
func list(texts []string) string { return "[" + strings.Join(texts, ",") + "]" }

// fields are the members of a JSON object.
type fields []pair

func fieldsOf(text string) fields {
	var f fields
	for k, v := range rawjson.Members(text) {
		f = append(f, pair{k, v})
	}
	return f
}

// first returns the value of the first of the keys that is there and not null,
// or "". Where a key stands more than once, the last one counts.
func (f fields) first(keys ...string) string {
	for _, key := range keys {
		for _, p := range slices.Backward(f) {
			if p.key == key && p.text != "null" {
				return p.text
			}
		}
	}
	return ""
}

// more reports whether there are fields but the known ones.
func (f fields) more(known ...string) bool {
	return slices.ContainsFunc(f, func(p pair) bool { return p.text != "null" && !slices.Contains(known, p.key) })
}

// pick returns the fields with the keys, in the order of these.
func (f fields) pick(keys ...string) []pair {
	var picked []pair
	for _, key := range keys {
		picked = append(picked, pair{key, f.first(key)})
	}
	return picked
}

// others returns the fields but the known ones.
func (f fields) others(known ...string) []pair {
	var others []pair
	for _, p := range f {
		if !slices.Contains(known, p.key) {
			others = append(others, p)
		}
	}
	return others
}
