package llmhttp

import "slices"

// This file keeps lists that stand beside an answer, its sources above all. They
// come once, in pieces, or again and again with more of them each time.

// appendElement adds an element to a list in JSON.
func appendElement(list []byte, element string) []byte {
	if len(list) == 0 {
		list = append(list, '[')
	} else {
		list[len(list)-1] = ','
	}
	return append(append(list, element...), ']')
}

// Kinds of sources of a whole answer, each of which comes as a list of its own.
const (
	sourceQuotes = iota // what the answer quotes
	sourceSearch        // what was found
	sourcePages         // what was read
	sourceKinds
)

// cited adds a source to those of a whole answer.
func (x *exchange) cited(c *choice, kind int, citation string) {
	x.changes++
	if citation == "" || x.blind || len(citation) > x.room {
		return
	}
	x.room -= len(citation)
	c.sources[kind] = appendElement(c.sources[kind], citation)
}

// source takes sources of a whole answer. Streams send them in pieces, or again
// and again with more of them each time.
func (x *exchange) source(c *choice, kind int, list string) {
	if list = filled(list); list != "" && !x.blind {
		c.sources[kind] = x.grow(c.sources[kind], list)
	}
}

// place puts sources of a whole message to its last text, or else to the last of
// its parts that can have some. A message without such a part has them beside its
// content.
func (m *message) place(sources string) {
	if sources == "" {
		return
	}
	last := -1
	for i, p := range m.parts {
		if p.kind == partText || p.cites() && (last < 0 || m.parts[last].kind != partText) {
			last = i
		}
	}
	if last < 0 {
		m.extras = append(slices.Clip(m.extras), extra{key: "annotations", json: []byte(sources)})
		return
	}
	m.parts[last].annotations = joinLists(m.parts[last].annotations, sources)
}

// grow adds a value to what is there of it: a list to a list, unless the new one
// starts with all of the old one. Any other value takes its place. What there is
// no room for is left out.
func (x *exchange) grow(old []byte, value string) []byte {
	start, rest := 0, value
	if n := len(old) - 1; n > 1 && old[0] == '[' && value[0] == '[' && value != "[]" {
		switch {
		case len(value) > n && value[:n] == string(old[:n]) && (value[n] == ',' || value[n] == ']'):
			start, rest = n, value[n:]
		default:
			start, rest = n, ","+value[1:]
		}
	}
	more := start + len(rest) - len(old)
	switch {
	case more > x.room:
		x.cut = true
		return old
	case more == 0 && string(old[start:]) == rest:
		return old
	}
	x.room -= more
	x.changes++
	return append(old[:start], rest...)
}
