package convert

import (
	"slices"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// pair is a key and its JSON; an empty text stands for no such key.
type pair struct{ key, text string }

// object writes pairs as a JSON object, a large one in memory of its size.
func object(pairs ...pair) string {
	const around = len(`"":,`)
	n := len(`{}`)
	for _, p := range pairs {
		n += len(p.key) + len(p.text) + around
	}
	b := append(make([]byte, 0, n), '{')
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
	return rawjson.Text(append(b, '}'))
}

// list writes texts that are JSON as an array, in memory of its size.
func list(texts []string) string {
	n := len("[]")
	for _, t := range texts {
		n += len(t) + len(",")
	}
	b := append(make([]byte, 0, n), '[')
	for i, t := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, t...)
	}
	return rawjson.Text(append(b, ']'))
}

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
