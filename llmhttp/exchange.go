package llmhttp

import (
	"cmp"
	"iter"
	"net/http"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// An exchange is a call and its answer, as a format has read them so far.
type exchange struct {
	route
	asked string // model
	// Of the request.
	config     fields               // parameters and tools, for honeyhive_config
	attributes []attribute.KeyValue // those of the answer, too, once the request is recorded
	arena      []part               // where messages have their parts
	system     []part
	input      []message
	inputs     fields // what is asked and is no message
	tools      []string
	said       []attribute.KeyValue // parameters that are content
	streamed   bool                 // the answer is asked for as a stream
	asks       int64                // choices that are asked for, where there are several
	// credentials are what the body of the request holds of them.
	credentials []string
	manyKeys    bool     // there are more
	finding     *finding // of a search: nil of calls of models

	// Of the answer.
	id, model string
	choices   []*choice
	one       choice // the first of them that came
	only      [1]message
	outputs   fields // what is answered and is no message
	usage     usage
	cost      float64 // in USD
	priced    bool    // the cost is known
	problem   *problem
	metadata  fields
	// run says how far an answer is that is made in the background.
	run backgroundRun
	// Of the stream.
	content bool        // the last chunk brought content
	done    bool        // the protocol says that this is all
	ends    uint8       // where it says so by several events: which of them have come
	header  http.Header // of the answer
	room    int         // bytes of content that may still be kept
	cut     bool        // there was more
	blind   bool        // content is not wanted
	skipped int         // chunks that could not be read
	pieces  int         // of all choices
	listed  int         // elements that were read of lists
	// steps counts what is looked at to find a piece of an answer.
	steps int
	spill *spill
	// changes counts what the last chunk did that would do more if it were done
	// once more; added and text are the last text that was added.
	changes int
	added   *piece
	text    string
}

// A choice is one of the answers, being put together.
type choice struct {
	number int
	role   string
	parts  []*piece
	// finish is in the words of the provider, ended in those of the conventions.
	finish, ended string
	sources       [sourceKinds][]byte // lists, of the whole answer; see [message.place]
	extras        []extra             // beside the content
	// only and first are where the first part is: most choices have one.
	only  [1]*piece
	first piece
	// index finds a part by its kind and key, and calls one by its id, once there
	// are many.
	index map[pieceKey]*piece
	calls map[string]*piece
}

// choice returns a choice by its number. Those beyond the most are not kept.
func (x *exchange) choice(number int) *choice {
	x.steps++
	at, found := slices.BinarySearchFunc(x.choices, number, func(c *choice, number int) int { return cmp.Compare(c.number, number) })
	if found {
		return x.choices[at]
	}
	if len(x.choices) >= mostChoices {
		s := x.spilled()
		s.choice = choice{}
		return &s.choice
	}
	x.changes++
	c := &x.one
	if len(x.choices) > 0 {
		c = new(choice)
	}
	c.number, c.role = number, "assistant"
	x.choices = slices.Insert(x.choices, at, c)
	return c
}

// Bounds of what a server can make us keep, whatever it numbers.
const (
	mostChoices = 1 << 10
	mostParts   = 1 << 13 // of all choices
)

// mostListed bounds how many elements of lists are read into messages, parts and
// tools: those of a request, and those of an answer or of a chunk. In memory an
// element takes many times the bytes that it may have as text.
const mostListed = 1 << 14

// elements walks the elements of a list, as far as they are read.
func (x *exchange) elements(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for e := range rawjson.Elements(list) {
			if x.listed++; x.listed > mostListed || !yield(e) {
				return
			}
		}
	}
}

// endLists reports whether lists were longer than what is read of them, and begins
// to count anew.
func (x *exchange) endLists() bool {
	more := x.listed > mostListed
	x.listed = 0
	return more
}

// full reports whether no more parts are kept.
func (x *exchange) full() bool {
	if x.pieces < mostParts {
		x.pieces++
		return false
	}
	x.cut = true
	return true
}

// kept returns a value of a stream that is kept, as far as there is room.
func (x *exchange) kept(json string) string {
	if x.blind || len(json) > x.room {
		x.cut = x.cut || !x.blind
		return ""
	}
	x.room -= len(json)
	return strings.Clone(json)
}

// put adds a part of a stream that came whole. It keeps nothing of the chunk.
func (x *exchange) put(c *choice, p part, key int) {
	x.changes++
	x.content = true
	if x.blind {
		p = part{kind: p.kind, json: "{}"}
	}
	size := p.detach()
	if size > x.room || x.spillsChoice(c) || x.full() {
		x.cut = true
		return
	}
	x.room -= size
	c.add(piece{part: p, key: key})
}

// detach makes the texts of a part its own, and returns how long they are in
// bytes.
func (p *part) detach() (size int) {
	for _, s := range [...]*string{&p.text, &p.id, &p.name, &p.json, &p.annotations, &p.mime, &p.uri, &p.fileID, &p.sha256} {
		size += len(*s)
		*s = strings.Clone(*s)
	}
	return size
}

// whole sets the parts of a choice that came whole.
func (x *exchange) whole(c *choice, parts []part) {
	x.changes++
	x.pieces -= len(c.parts)
	c.parts, c.index, c.calls = c.parts[:0], nil, nil
	for i, p := range parts {
		if x.full() {
			break
		}
		c.add(piece{part: p, key: i})
	}
	x.content = x.content || len(parts) > 0
}

// message returns a choice put together.
func (x *exchange) message(c *choice) message {
	start := len(x.arena)
	for _, p := range c.parts {
		q := p.part
		if p.blob != nil {
			q.size, q.sha256 = p.blob.sum()
		}
		if more := p.written(); more != "" {
			switch {
			case p.fold != nil:
				q.json = p.fold(q.json, more)
			case q.kind == partCall && p.free:
				q.json = freeText(more)
			case q.kind == partCall:
				q.json = arguments(more)
			case q.kind == partOther: // a tool that runs at the provider: its input comes in pieces
				q.json = withMember(q.json, "input", arguments(more))
			default:
				q.text += more
			}
		}
		if p.args != nil {
			q.json = p.args.json()
		}
		if len(p.cites) > 0 {
			q.annotations = "[" + string(p.cites[1:]) + "]"
		}
		x.arena = append(x.arena, q)
	}
	end := len(x.arena)
	m := message{role: c.role, finish: c.finish, ended: c.ended, extras: c.extras, parts: x.arena[start:end:end]}
	m.place(joinLists(string(c.sources[sourceQuotes]), string(c.sources[sourceSearch]), string(c.sources[sourcePages])))
	return m
}

// alone returns a part as the only one of a message.
func (x *exchange) alone(p part) []part {
	x.arena = append(x.arena, p)
	end := len(x.arena)
	return x.arena[end-1 : end : end]
}

// tool adds a tool that the model may call: its name, description and the schema
// of its parameters, as JSON. One that is built into the provider's service is
// kept as it is.
func (x *exchange) tool(name, description, schema, raw string) {
	if x.blind {
		return
	}
	if name == "" {
		x.tools = append(x.tools, x.withoutSecrets(raw))
		return
	}
	var o object
	o.text("type", "function")
	o.json("name", name)
	o.json("description", description)
	o.json("parameters", schema)
	x.tools = append(x.tools, string(o.bytes()))
}

// messages returns the answers.
func (x *exchange) messages() []message {
	list := x.only[:]
	if len(x.choices) != len(list) {
		list = make([]message, len(x.choices))
	}
	for i, c := range x.choices {
		list[i] = x.message(c)
	}
	return list
}

// missing reports whether fewer choices came than were asked for.
func (x *exchange) missing() bool { return int64(len(x.choices)) < x.asks }

// complete reports whether every choice that came has ended.
func (x *exchange) complete() bool {
	return len(x.choices) > 0 && !slices.ContainsFunc(x.choices, func(c *choice) bool { return c.finish == "" })
}

// attribute keeps a word of the request as an attribute.
func (x *exchange) attribute(name attribute.Key, value string) {
	if w := word(value); w != "" {
		x.attributes = append(x.attributes, name.String(w))
	}
}

// cite adds a citation to the ones of a text.
func (x *exchange) cite(p *piece, citation string) {
	x.changes++
	switch {
	case citation == "" || x.blind || x.spills(p):
	case len(citation) > x.room:
		x.cut = true
	default:
		x.room -= len(citation)
		p.cites = append(append(p.cites, ','), citation...)
	}
}

// reasons are why the choices ended, in the words of the provider.
func (x *exchange) reasons() []string {
	reasons := make([]string, 0, len(x.choices))
	for _, c := range x.choices {
		if c.finish != "" {
			reasons = append(reasons, c.finish)
		}
	}
	return reasons
}

// definitions are the tools as a list.
func (x *exchange) definitions() string { return "[" + strings.Join(x.tools, ",") + "]" }

// note keeps a word of the answer in the metadata and as an attribute, once.
func (x *exchange) note(key string, name attribute.Key, value string) {
	w := word(value)
	if w == "" || slices.ContainsFunc(x.metadata, func(f field) bool { return f.key == key }) {
		return
	}
	x.metadata.text(key, w)
	if name != "" {
		x.attributes = append(x.attributes, name.String(w))
	}
}

// withMember returns an object with another value of a member.
func withMember(json, key, value string) string {
	var o object
	for k, v := range rawjson.Members(json) {
		if k != key {
			o.json(k, v)
		}
	}
	o.json(key, value)
	return string(o.bytes())
}
