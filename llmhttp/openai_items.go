package llmhttp

import (
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file puts responses together that stream. Items are told apart by their
// index in the output, and the parts of one by theirs. An item that came whole
// takes the place of its pieces.

const (
	itemBits = 12 // of a key are the part of an item
	itemMask = 1<<itemBits - 1
	mostItem = 1 << 18
	// thoughtPart is the first of the parts that are reasoning itself, which stand
	// behind the summaries of it.
	thoughtPart = 1 << (itemBits - 1)
)

// itemKey returns the key of a part of an item, whatever a server numbers.
func itemKey(item, part int) int {
	return min(max(item, 0), mostItem)<<itemBits + min(max(part, 0), itemMask)
}

func (responses) chunk(x *exchange, event, data string) {
	kind := text(get(data, "type"))
	if kind == "" {
		kind = event
	}
	switch kind {
	case "response.created", "response.in_progress", "response.queued":
		if r := get(data, "response"); r != "" {
			for k, v := range rawjson.Members(r) {
				if k == "id" || k == "model" {
					x.openAIHead(k, v)
				}
			}
			x.run.status = "in_progress"
			x.run.background = x.run.background || get(r, "background") == "true"
		}
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
		x.responseEnd(strings.TrimPrefix(kind, "response."), get(data, "response"))
	case "error":
		x.openAIProblem(data)
		if x.problem == nil {
			x.fail("", "")
		}
		x.done = true
	default:
		if strings.HasPrefix(kind, "response.") {
			x.responsesDelta(kind, data)
			return
		}
		x.openAIProblem(data)
		x.done = x.done || x.problem != nil
	}
}

// responseEnd reads the event that ends a stream, with the whole response. Where
// nothing came before, it is the first content.
func (x *exchange) responseEnd(status, response string) {
	began := len(x.choices) > 0 && len(x.choices[0].parts) > 0
	x.response(response)
	x.content = x.content && !began
	x.done, x.run.status = true, strings.Clone(status)
	if x.problem == nil && (status == "failed" || status == "cancelled") {
		x.fail(status, "")
	}
	if c := x.choices; len(c) == 1 && c[0].finish == "" {
		c[0].responsesFinish(status, text(get(response, "incomplete_details", "reason")))
	}
}

// responsesDelta adds to an item.
func (x *exchange) responsesDelta(kind, data string) {
	item := int(number(get(data, "output_index")))
	content, summary := int(number(get(data, "content_index"))), int(number(get(data, "summary_index")))
	switch kind {
	case "response.output_text.delta":
		x.itemDelta(partText, itemKey(item, content), get(data, "delta"))
	case "response.refusal.delta":
		x.itemDelta(partRefusal, itemKey(item, content), get(data, "delta"))
	case "response.reasoning_summary_text.delta":
		x.itemDelta(partReasoning, itemKey(item, summary), get(data, "delta"))
	case "response.reasoning_text.delta":
		x.itemDelta(partReasoning, itemKey(item, thoughtPart+content), get(data, "delta"))
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		x.itemDelta(partCall, itemKey(item, 0), get(data, "delta"))
	// What a server that sends no pieces says only at the end of a part.
	case "response.output_text.done":
		x.itemDone(partText, itemKey(item, content), get(data, "text"))
	case "response.refusal.done":
		x.itemDone(partRefusal, itemKey(item, content), get(data, "refusal"))
	case "response.reasoning_summary_text.done":
		x.itemDone(partReasoning, itemKey(item, summary), get(data, "text"))
	case "response.reasoning_text.done":
		x.itemDone(partReasoning, itemKey(item, thoughtPart+content), get(data, "text"))
	case "response.function_call_arguments.done":
		x.itemDone(partCall, itemKey(item, 0), get(data, "arguments"))
	case "response.custom_tool_call_input.done":
		x.itemDone(partCall, itemKey(item, 0), get(data, "input"))
	case "response.output_text.annotation.added":
		if a := get(data, "annotation"); a != "" {
			x.cite(x.slot(x.choice(0), partText, itemKey(item, content)), a)
		}
	case "response.output_item.added":
		x.itemAdded(item, get(data, "item"))
	case "response.output_item.done":
		x.itemWhole(item, get(data, "item"))
	default:
		// Of a tool that runs at the provider: its item comes whole.
		x.content = x.content || strings.HasSuffix(kind, ".delta")
	}
}

func (x *exchange) itemDelta(kind partKind, key int, delta string) {
	if delta != "" && delta != `""` {
		x.add(x.slot(x.choice(0), kind, key), text(delta))
	}
}

// itemDone adds the whole text of a part of which no piece came.
func (x *exchange) itemDone(kind partKind, key int, whole string) {
	if len(x.choices) > 0 {
		if p := x.find(x.choices[0], kind, key); p != nil && (len(p.more) > 0 || p.text != "" || p.json != "") {
			return
		}
	}
	x.itemDelta(kind, key, whole)
}

// itemAdded begins an item. Those of tools that run at the provider are content:
// the model called them.
func (x *exchange) itemAdded(index int, item string) {
	switch kind := text(get(item, "type")); kind {
	case "", "message", "reasoning":
	case "function_call", "custom_tool_call":
		c := x.choice(0)
		p := x.slot(c, partCall, itemKey(index, 0))
		x.label(c, p, text(get(item, "call_id")), text(get(item, "name")))
		p.free = kind == "custom_tool_call"
		x.content = true
	default:
		c := x.choice(0)
		for _, p := range x.responsesItem(item) {
			x.put(c, p, itemKey(index, 0))
			x.sink(c)
		}
	}
}

// itemWhole puts an item that came whole into the place of its pieces. Where
// there is no room for it they stay.
func (x *exchange) itemWhole(index int, item string) {
	parts := x.responsesItem(item)
	if len(parts) == 0 {
		return
	}
	c := x.choice(0)
	key := itemKey(index, 0)
	behind, room := x.behind(c.parts, key|itemMask), x.room
	first := behind
	for first > 0 && c.parts[first-1].key >= key {
		first--
		x.steps++
		room += c.parts[first].weight()
	}
	more := len(parts) - (behind - first)
	fresh := make([]*piece, len(parts))
	for i, p := range parts {
		if x.blind {
			p = part{kind: p.kind, json: "{}"}
		}
		room -= p.detach()
		fresh[i] = &piece{part: p, key: itemKey(index, i)}
	}
	if room < 0 || x.pieces+more > mostParts {
		x.cut = true
		return
	}
	x.room, x.pieces, c.calls = room, x.pieces+more, nil
	for _, p := range c.parts[first:behind] {
		delete(c.index, pieceKey{p.kind, p.key})
	}
	c.parts = slices.Replace(c.parts, first, behind, fresh...)
	if c.index != nil {
		for _, p := range fresh {
			c.index[pieceKey{p.kind, p.key}] = p
		}
	}
	x.changes++
	x.content = true
}

// weight returns about how many bytes of the room a piece has taken.
func (p *piece) weight() int {
	n := len(p.more) + len(p.cites)
	for _, s := range [...]string{p.text, p.id, p.name, p.json, p.annotations, p.mime, p.uri, p.fileID} {
		n += len(s)
	}
	return n
}
