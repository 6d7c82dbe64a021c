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
// numbers is a list. A nil tree stands for nothing there.
type tree struct {
	names []string // in the order in which they came
	below map[string]*tree
	leaf  attribute.Value
	full  bool // leaf is set

	// taken is set once a dialect has taken the tree, touched once it has taken
	// a part of it, read once the value is read from a tree that was taken.
	taken, touched, read bool
}

// set puts a value at a dotted path. Levels below the limit of depth stay
// together as one name.
func (t *tree) set(path string, v attribute.Value) {
	for depth, more := 1, true; more; depth++ {
		var name string
		if name, path, more = strings.Cut(path, "."); more && depth == rawjson.MaxDepth {
			name, more = name+"."+path, false
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
		t = next
	}
	t.leaf, t.full = v, true
}

// at follows names.
func (t *tree) at(names ...string) *tree {
	for _, name := range names {
		if t == nil {
			return nil
		}
		t = t.below[name]
	}
	return t
}

// get returns what stands under a name, and marks it as read.
func (t *tree) get(name string) *tree {
	if t = t.at(name); t != nil {
		t.read = true
	}
	return t
}

// level returns what stands under a name, of which only parts are to be read.
func (t *tree) level(name string) *tree {
	if t = t.at(name); t != nil && !t.full {
		t.read = true
	}
	return t
}

// value returns the value under a name, but no parts of one.
func (t *tree) value(name string) (attribute.Value, bool) {
	if t = t.at(name); t == nil || !t.full || t.leaf.Type() == attribute.EMPTY {
		return attribute.Value{}, false
	}
	t.read = true
	return t.leaf, true
}

// str returns the value under a name as text, or "".
func (t *tree) str(name string) string {
	v, ok := t.value(name)
	if !ok {
		return ""
	}
	return str(v)
}

// plain returns what stands under a name as JSON, a string as a JSON string, or
// "" for nothing.
func (t *tree) plain(name string) string {
	switch t = t.get(name); {
	case t == nil:
		return ""
	case t.full:
		return plain(t.leaf)
	}
	return t.json()
}

// structured is plain, but that a string that holds JSON stands for it.
func (t *tree) structured(name string) string {
	switch t = t.get(name); {
	case t == nil:
		return ""
	case t.full:
		return structured(t.leaf)
	}
	return t.json()
}

// elements returns the list under a name, or nil where there is something else.
func (t *tree) elements(name string) []*tree {
	if l := t.at(name); l != nil && !l.full && l.isList(l.numbers()) {
		return t.get(name).list()
	}
	return nil
}

// others returns what nobody has read.
func (t *tree) others() []pair {
	var others []pair
	t.unread("", func(name string, value *tree) { others = append(others, pair{name, value.json()}) })
	return others
}

func (t *tree) unread(lead string, visit func(name string, value *tree)) {
	if t == nil {
		return
	}
	for _, name := range t.names {
		switch next := t.below[name]; {
		case !next.read:
			next.named(lead+name, visit)
		case next.full: // that was read, the parts were not
			next.unread(lead+name+".", visit)
		}
	}
}

// list returns the elements of a list, by number.
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

// split reports whether the tree is a value and parts of one at once. JSON has
// no such thing.
func (t *tree) split() bool { return t.full && len(t.names) > 0 }

// isList reports whether the tree is the list of its numbers.
func (t *tree) isList(numbers []string) bool {
	return len(numbers) > 0 && len(numbers) == len(t.names) &&
		!slices.ContainsFunc(numbers, func(n string) bool { return t.below[n].split() })
}

// walk visits the names of a level and what stands under them.
func (t *tree) walk(lead string, visit func(name string, value *tree)) {
	for _, name := range t.names {
		t.below[name].named(lead+name, visit)
	}
}

// named visits a tree by its name. Where it is a value and parts of one, the
// parts come after it, under dotted names.
func (t *tree) named(name string, visit func(name string, value *tree)) {
	if !t.split() {
		visit(name, t)
		return
	}
	visit(name, &tree{leaf: t.leaf, full: true})
	t.walk(name+".", visit)
}

// json returns the tree as JSON.
func (t *tree) json() string { return string(t.append(nil)) }

func (t *tree) append(dst []byte) []byte {
	if len(t.names) == 0 {
		return append(dst, structured(t.leaf)...)
	}
	if numbers := t.numbers(); t.isList(numbers) {
		return appendList(dst, numbers, func(dst []byte, name string) []byte { return t.below[name].append(dst) })
	}
	dst = append(dst, '{')
	first := len(dst)
	t.walk("", func(name string, value *tree) {
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = value.append(append(rawjson.AppendString(dst, name), ':'))
	})
	return append(dst, '}')
}

// take marks the elements of a list that have the name as read and returns what
// stands under it; without a name, the elements themselves.
func (t *tree) take(name string) []*tree {
	var out []*tree
	for _, e := range t.list() {
		m := e
		if name != "" {
			m = e.below[name]
		}
		if m != nil && !m.taken && !m.touched {
			e.touched, m.taken = true, true
			out = append(out, m)
		}
	}
	return out
}

// rest visits what nobody has taken, by its dotted name.
func (t *tree) rest(lead string, visit func(name string, value *tree)) {
	for _, name := range t.names {
		switch next := t.below[name]; {
		case next.taken:
		case next.touched:
			if next.full {
				visit(lead+name, &tree{leaf: next.leaf, full: true})
			}
			next.rest(lead+name+".", visit)
		default:
			next.named(lead+name, visit)
		}
	}
}
