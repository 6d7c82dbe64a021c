package convert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// tree rebuilds a value that a dialect took apart into attributes with dotted
// names, such as llm.input_messages.0.message.role. A level whose names are all
// numbers is a list.
type tree struct {
	names []string // in the order in which they came
	below map[string]*tree
	leaf  attribute.Value
	full  bool // leaf is set
}

// set puts a value at a dotted path. Levels below the limit of depth stay
// together as one name.
func (t *tree) set(path string, v attribute.Value) {
	for depth := 1; path != ""; depth++ {
		name, rest, _ := strings.Cut(path, ".")
		if depth == rawjson.MaxDepth-1 {
			name, rest = path, ""
		}
		next := t.below[name]
		if next == nil {
			if t.below == nil {
				t.below = make(map[string]*tree)
			}
			next = new(tree)
			t.below[name] = next
			t.names = append(t.names, name)
		}
		t, path = next, rest
	}
	t.leaf, t.full = v, true
}

// at follows a dotted path; a nil tree stands for nothing there.
func (t *tree) at(path string) *tree {
	for path != "" && t != nil {
		name, rest, _ := strings.Cut(path, ".")
		t, path = t.below[name], rest
	}
	return t
}

// text returns the string at a dotted path, or "".
func (t *tree) text(path string) string {
	if t = t.at(path); t == nil || !t.full {
		return ""
	}
	return str(t.leaf)
}

// json returns the value at a dotted path as JSON, or "".
func (t *tree) json(path string) string {
	if t = t.at(path); t == nil {
		return ""
	}
	return string(t.append(nil))
}

// list returns the elements of a level whose names are numbers, by number.
func (t *tree) list() []*tree {
	if t == nil {
		return nil
	}
	numbers := t.numbers()
	out := make([]*tree, len(numbers))
	for i, n := range numbers {
		out[i] = t.below[n]
	}
	return out
}

// numbers returns the names that are list indexes, sorted. An index is a
// decimal number without leading zeros; gaps are closed, so that a large index
// costs nothing.
func (t *tree) numbers() []string {
	type index struct {
		n    int
		name string
	}
	var indexes []index
	for _, name := range t.names {
		if n, err := strconv.Atoi(name); err == nil && n >= 0 && strconv.Itoa(n) == name {
			indexes = append(indexes, index{n, name})
		}
	}
	slices.SortFunc(indexes, func(a, b index) int { return cmp.Compare(a.n, b.n) })
	names := make([]string, len(indexes))
	for i, x := range indexes {
		names[i] = x.name
	}
	return names
}

// append writes the tree as JSON. Where an attribute stands for a value and
// another for a part of it, the parts win.
func (t *tree) append(dst []byte) []byte {
	if len(t.names) == 0 {
		return append(dst, structured(t.leaf)...)
	}
	if numbers := t.numbers(); len(numbers) == len(t.names) {
		return appendList(dst, numbers, func(dst []byte, name string) []byte { return t.below[name].append(dst) })
	}
	dst = append(dst, '{')
	for i, name := range t.names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendString(dst, name), ':')
		dst = t.below[name].append(dst)
	}
	return append(dst, '}')
}
