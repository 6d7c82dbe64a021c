package llmhttp

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file puts together answers of chat completions that stream.

// Slots order the pieces of an answer as a message that came whole has them. A
// piece has a slot and, in it, a number as its key.
const (
	slotReasoning = iota << slotBits
	slotAudio
	slotContent
	slotTranscript
	slotImages
	slotRefusal
	slotCalls
	slotFunction // a function_call of old
)

const (
	slotBits = 24
	slotMask = 1<<slotBits - 1
)

// slotKey returns the key of a number in a slot, whatever a server numbers.
func slotKey(slot, n int) int { return slot + min(max(n, 0), slotMask) }

// slot returns the piece of a kind with a key, a new one if there is none.
func (x *exchange) slot(c *choice, kind partKind, key int) *piece {
	if p := x.find(c, kind, key); p != nil {
		return p
	}
	return x.insert(c, kind, key)
}

// insert adds a piece behind those of the same key and of smaller ones.
func (x *exchange) insert(c *choice, kind partKind, key int) *piece {
	p := x.newPiece(c, kind, key)
	x.sink(c)
	return p
}

// sink moves the last piece to where its key belongs.
func (x *exchange) sink(c *choice) {
	last := len(c.parts) - 1
	if last < 1 || c.parts[last-1].key <= c.parts[last].key {
		return
	}
	p := c.parts[last]
	at := x.behind(c.parts[:last], p.key)
	copy(c.parts[at+1:], c.parts[at:last])
	c.parts[at] = p
}

// behind returns the index of the first of pieces, which are in their order, that
// has a greater key.
func (x *exchange) behind(parts []*piece, key int) int {
	x.steps++
	at, _ := slices.BinarySearchFunc(parts, key+1, func(p *piece, key int) int { return cmp.Compare(p.key, key) })
	return at
}

// last returns the last piece of a slot, or nil.
func (x *exchange) last(c *choice, slot int) *piece {
	if at := x.behind(c.parts, slot|slotMask); at > 0 && c.parts[at-1].key&^slotMask == slot {
		return c.parts[at-1]
	}
	return nil
}

// openAIChunk reads an event of a stream of chat or text completions.
func (x *exchange) openAIChunk(event, data string) {
	x.openAIAnswer(data, false)
	if event != "error" && get(data, "choices") != "" {
		return
	}
	x.openAIProblem(data)
	x.done = x.done || x.problem != nil // nothing follows an error that stands alone
}

func (x *exchange) openAIDelta(c *choice, delta string) {
	f := openAIFieldsOf(delta)
	if s := text(f.role); s != "" && s != c.role {
		c.role = word(f.role)
	}
	if s := f.thought(); s != "" {
		x.add(x.slot(c, partReasoning, slotReasoning), s)
	} else if f.detail != "" {
		for _, d := range x.details(f.detail) {
			x.add(x.slot(c, partReasoning, slotKey(slotReasoning, d.index)), d.text)
		}
	}
	if f.content != "" {
		x.deltaContent(c, f.content)
	}
	if s := text(f.refusal); s != "" {
		x.add(x.slot(c, partRefusal, slotRefusal), s)
	}
	if f.audio != "" {
		x.deltaAudio(c, f.audio)
	}
	x.source(c, sourceQuotes, f.annotations)
	if f.images != "" {
		x.deltaImages(c, f.images)
	}
	for call := range rawjson.Elements(f.calls) {
		x.deltaCall(c, call)
	}
	if f := openAIFunction(f.old); f.name != "" || f.json != "" {
		x.deltaFunction(c, x.slot(c, partCall, slotFunction), f.name, get(delta, "function_call"))
	}
	for _, b := range f.beside {
		x.extra(c, b.key, b.value)
	}
}

// deltaContent adds to the content of a choice: text, or a list of parts
// (Mistral, Databricks), of which text and reasoning continue the part before.
func (x *exchange) deltaContent(c *choice, v string) {
	if rawjson.KindOf(v) == rawjson.String {
		if v != `""` {
			x.add(x.contentPiece(c, partText), text(v))
		}
		return
	}
	for p := range rawjson.Elements(v) {
		q := openAIPart(p)
		switch q.kind {
		case partText, partReasoning, partRefusal:
			if q.text == "" && q.annotations == "" {
				continue
			}
			piece := x.contentPiece(c, q.kind)
			x.add(piece, q.text)
			x.addCitations(piece, q.annotations)
		default:
			x.put(c, q, x.nextContent(c))
			x.sink(c)
		}
	}
}

// contentPiece returns the last piece of the content if it is of a kind, or else
// a new one.
func (x *exchange) contentPiece(c *choice, kind partKind) *piece {
	if p := x.last(c, slotContent); p != nil && p.kind == kind {
		return p
	}
	return x.insert(c, kind, x.nextContent(c))
}

// nextContent returns the key of a piece of the content that follows the others.
func (x *exchange) nextContent(c *choice) int {
	if p := x.last(c, slotContent); p != nil {
		return slotKey(slotContent, p.key&slotMask+1)
	}
	return slotContent
}

// deltaImages adds images, which come whole. Servers may send one again.
func (x *exchange) deltaImages(c *choice, list string) {
	n := 0
	for image := range rawjson.Elements(list) {
		q := openAIImage(image)
		if index := get(image, "index"); index != "" {
			n = int(number(index))
		}
		key := slotKey(slotImages, n)
		n++
		if p := x.find(c, q.kind, key); p == nil || p.part != q {
			x.put(c, q, key)
			x.sink(c)
		}
	}
}

// deltaCall adds to a call of a tool. Servers number calls as OpenAI does, or all
// alike, or not at all, and name them once, in each chunk, or anew in each
// (vLLM's chatcmpl-tool-…). So a chunk belongs to the call of its index, or of its
// id where there is no index, unless it names a function and that call is another:
// it has another id, or another name, or its arguments are complete.
func (x *exchange) deltaCall(c *choice, call string) {
	index, id := get(call, "index"), text(get(call, "id"))
	f, free := get(call, "function"), false
	if f == "" {
		f = get(call, "custom")
		free = f != ""
	}
	name := text(get(f, "name"))
	args := get(f, "arguments")
	if free {
		args = get(f, "input")
	}
	args = strings.Trim(args, `"`)
	p := x.callOf(c, index, id, name, args != "")
	if p == nil {
		if id == "" && name == "" && args == "" {
			return
		}
		p = x.insert(c, partCall, x.callKey(c, index))
	}
	if name != "" {
		x.changes++ // one just like it may begin a call
	}
	p.free = p.free || free
	x.label(c, p, id, "")
	x.deltaFunction(c, p, name, f)
}

// callOf returns the call that a chunk with an index, an id and a name, each of
// which may be missing, continues, or nil. args says that it brings arguments.
func (x *exchange) callOf(c *choice, index, id, name string, args bool) *piece {
	first, last := slotCalls, slotCalls|slotMask
	if index != "" {
		first = slotKey(slotCalls, int(number(index)))
		last = first
	}
	if id != "" {
		if p := x.call(c, id); p != nil && first <= p.key && p.key <= last {
			return p
		}
	}
	var newest *piece
	if at := x.behind(c.parts, last) - 1; at >= 0 && c.parts[at].key >= first {
		newest = c.parts[at]
	}
	switch {
	case newest == nil || name == "" || newest.name == "":
		return newest
	case id != "" && newest.id != "", name != newest.name:
		return nil
	case index == "" && len(newest.more) == 0, (args || index == "") && newest.closed():
		return nil
	}
	return newest
}

// callKey returns the key of a new call: that of its index, or else of the next.
func (x *exchange) callKey(c *choice, index string) int {
	if index != "" {
		return slotKey(slotCalls, int(number(index)))
	}
	if p := x.last(c, slotCalls); p != nil {
		return slotKey(slotCalls, p.key&slotMask+1)
	}
	return slotCalls
}

// deltaFunction adds a name and the arguments of f to a call.
func (x *exchange) deltaFunction(c *choice, p *piece, name, f string) {
	x.label(c, p, "", name)
	args := get(f, "arguments")
	if p.free {
		args = get(f, "input")
	}
	if rawjson.KindOf(args) != rawjson.String { // whole, though it should be text
		x.add(p, args)
		return
	}
	x.add(p, text(args))
}

// deltaAudio adds sound, and the words that are spoken.
func (x *exchange) deltaAudio(c *choice, v string) {
	if data := text(get(v, "data")); data != "" {
		x.sound(x.slot(c, partMedia, slotAudio), data)
	}
	if s := text(get(v, "transcript")); s != "" {
		x.add(x.slot(c, partText, slotTranscript), s)
	}
}

// closed reports whether the arguments of a call are a whole object, to which
// nothing can be added. What was looked at once is not looked at again.
func (p *piece) closed() bool {
	e, more := &p.end, p.written()
	for ; e.seen < len(more); e.seen++ {
		b := more[e.seen]
		switch {
		case e.escaped:
			e.escaped = false
		case e.inString:
			e.escaped, e.inString = b == '\\', b != '"'
		case b == '"':
			e.inString = true
		case b == '{' || b == '[':
			e.depth++
		case b == '}' || b == ']':
			e.depth--
		}
	}
	return e.depth <= 0 && !e.inString && strings.HasSuffix(more, "}")
}

// endOf is how far the arguments of a call were read to see whether they end.
type endOf struct {
	seen, depth       int
	inString, escaped bool
}
