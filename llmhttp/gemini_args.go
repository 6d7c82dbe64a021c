package llmhttp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Vertex AI streams the arguments of a function in pieces, where it is asked to
// (streamFunctionCallArguments): a call with its name alone, then calls without a
// name that bring values by their JSON paths, of which texts go on from one piece
// to the next, then an empty call. See
// https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling.

// geminiCall takes a function call that is one of several pieces, and reports
// whether it is.
func (x *exchange) geminiCall(c *choice, call string) bool {
	name, more := text(get(call, "name")), get(call, "willContinue") == "true"
	pieces := get(call, "partialArgs")
	var p *piece
	if n := len(c.parts); n > 0 && c.parts[n-1].args != nil && c.parts[n-1].args.open {
		p = c.parts[n-1]
	}
	switch {
	case name == "" && p != nil: // goes on
	case name == "" && filled(pieces) == "" && get(call, "args") == "" && get(call, "id") == "":
		return true // the end of a call that is over, or whose beginning nobody saw
	case more || filled(pieces) != "":
		p = x.newPiece(c, partCall, len(c.parts))
		p.args = new(argTree)
	default:
		return false
	}
	x.changes++
	x.content = true
	x.label(c, p, text(get(call, "id")), name)
	p.args.open = more
	if x.blind {
		return true
	}
	if args := get(call, "args"); args != "" { // whole after all
		p.args.set("$", x.kept(args), false)
	}
	for arg := range rawjson.Elements(pieces) {
		value := ""
		for k, v := range rawjson.Members(arg) {
			switch k {
			case "stringValue", "numberValue", "boolValue":
				value = v
			case "nullValue":
				value = "null"
			}
		}
		path := text(get(arg, "jsonPath"))
		if len(path) > x.room {
			x.cut = true
			continue
		}
		x.room -= len(path)
		if !p.args.set(path, x.kept(value), get(arg, "willContinue") == "true") {
			x.cut = true
		}
	}
	return true
}

// An argTree is a value of JSON that is put together from its leaves.
type argTree struct {
	open  bool // more is to come
	root  argNode
	last  *argNode // whose text goes on
	nodes int
}

type argNode struct {
	key      string // the member of an object
	index    int    // or the element of a list
	children []*argNode
	byKey    map[string]*argNode // of those, where there are many
	list     bool
	text     []byte // of a string that comes in pieces, decoded
	json     string // any other value
}

// set sets the value at a path. A text that goes on is added to what is there. It
// reports false where there are too many values.
func (t *argTree) set(path, value string, more bool) bool {
	n := &t.root
	for _, s := range argPath(path) {
		if n = t.child(n, s); n == nil {
			return false
		}
	}
	if rawjson.KindOf(value) != rawjson.String {
		if value != "" {
			n.json, n.text = value, nil
		}
		t.last = nil
		return true
	}
	if t.last != n {
		n.text = make([]byte, 0, len(value))
	}
	n.text = append(n.text, text(value)...)
	if t.last = nil; more {
		t.last = n
	}
	return true
}

// manyChildren is from how many children on they are found by a map.
const manyChildren = 16

// child returns a member or an element, and makes it where there is none, or
// returns nil where there are too many.
func (t *argTree) child(n *argNode, s argStep) *argNode {
	name := s.key
	if s.list {
		name = strconv.Itoa(s.index)
	}
	if n.byKey != nil {
		if c := n.byKey[name]; c != nil {
			return c
		}
	} else {
		for _, c := range n.children {
			if c.key == s.key && c.index == s.index {
				return c
			}
		}
	}
	if t.nodes++; t.nodes > mostParts {
		return nil
	}
	n.list = s.list
	c := &argNode{key: s.key, index: s.index}
	n.children = append(n.children, c)
	if n.byKey == nil && len(n.children) > manyChildren {
		n.byKey = make(map[string]*argNode)
		for _, c := range n.children[:len(n.children)-1] {
			key := c.key
			if n.list {
				key = strconv.Itoa(c.index)
			}
			n.byKey[key] = c
		}
	}
	if n.byKey != nil {
		n.byKey[name] = c
	}
	return c
}

// json returns the value: an object, where nothing was said.
func (t *argTree) json() string {
	if t.root.children == nil && t.root.text == nil && t.root.json == "" {
		return "{}"
	}
	return string(t.root.append(nil))
}

func (n *argNode) append(dst []byte) []byte {
	switch {
	case n.children != nil && n.list:
		slices.SortStableFunc(n.children, func(a, b *argNode) int { return a.index - b.index })
		dst = append(dst, '[')
		for _, c := range n.children {
			dst = c.append(comma(dst))
		}
		return append(dst, ']')
	case n.children != nil:
		o := object{b: dst, start: len(dst)}
		for _, c := range n.children {
			o.key(c.key)
			o.b = c.append(o.b)
		}
		return o.bytes()
	case n.text != nil:
		return rawjson.AppendString(dst, string(n.text))
	case n.json != "":
		return append(dst, n.json...)
	}
	return append(dst, "null"...)
}

// An argStep is a step of a path: a member of an object, or an element of a list.
type argStep struct {
	key   string
	index int
	list  bool
}

// mostSteps bounds how deep a path may go.
const mostSteps = 128

// argPath reads a JSON path as RFC 9535 writes one that names a single value:
// $.a.b[0]['c d'].
func argPath(path string) (steps []argStep) {
	rest := strings.TrimPrefix(path, "$")
	for rest != "" && len(steps) < mostSteps {
		if rest[0] != '[' {
			rest = strings.TrimPrefix(rest, ".")
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end > 0 {
				steps = append(steps, argStep{key: strings.Clone(rest[:end])})
			}
			rest = rest[end:]
			if end == 0 && rest != "" && rest[0] == '.' { // two dots: not a path of one value
				rest = rest[1:]
			}
			continue
		}
		rest = rest[1:]
		if rest != "" && (rest[0] == '\'' || rest[0] == '"') {
			name, n := quotedName(rest)
			steps = append(steps, argStep{key: name})
			rest = strings.TrimPrefix(rest[n:], "]")
			continue
		}
		inner, after, _ := strings.Cut(rest, "]")
		rest = after
		if i, err := strconv.Atoi(inner); err == nil && i >= 0 {
			steps = append(steps, argStep{index: i, list: true})
		} else {
			steps = append(steps, argStep{key: strings.Clone(inner)})
		}
	}
	return steps
}

// quotedName reads a name in quotes, in which a backslash stands before a quote
// or another backslash. It returns how long it is, too.
func quotedName(s string) (name string, n int) {
	var b strings.Builder
	for n = 1; n < len(s); n++ {
		switch {
		case s[n] == s[0]:
			return b.String(), n + 1
		case s[n] == '\\' && n+1 < len(s):
			n++
		}
		b.WriteByte(s[n])
	}
	return b.String(), n
}
