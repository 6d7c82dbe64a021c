package convert

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file puts chat messages together. Each dialect writes them in its own
// way; they all become the messages that HoneyHive shows, which are those of
// OpenAI's chat API: role, name, tool_call_id, content and tool_calls (id, type,
// function with name and arguments), and for what that API has no name:
// reasoning and finish_reason. Content is a string where a message has text
// alone, otherwise the list of its parts, as the GenAI conventions have them.
// Arguments are the JSON object that they stand for. A result of a tool is a
// message of its own.

// outputMarks are the keys of outputs that a message of a model would set.
var outputMarks = []string{"role", "content", "tool_calls", "choices"}

// draft is a message being put together. What is named so is JSON, or empty.
type draft struct {
	role             string
	nameJSON         string
	toolCallIDJSON   string
	finishReasonJSON string

	content   []contentPart
	calls     []string // of tools, as JSON
	reasoning []string
	details   []string // parts of reasoning that hold more than text, as JSON
	results   []string // of tools, as JSON messages
	others    []pair   // what has no place above
}

// contentPart is text, or the JSON of something else.
type contentPart struct{ text, json string }

// text adds text to the content.
func (d *draft) text(s string) { d.content = append(d.content, contentPart{text: s}) }

// part adds a part of a message, in the form of the GenAI conventions or of a
// provider's API.
func (d *draft) part(part string) {
	if rawjson.KindOf(part) == rawjson.String {
		d.text(rawjson.Unquote(part))
		return
	}
	f := fieldsOf(part)
	switch kind := f.first("type"); rawjson.Unquote(kind) {
	case "text":
		text, others := f.first("content", "text"), f.others("type", "content", "text")
		if rawjson.KindOf(text) == rawjson.String && len(others) == 0 {
			d.text(rawjson.Unquote(text))
			return
		}
		d.content = append(d.content, contentPart{json: object(append([]pair{{"type", kind}, {"text", text}}, others...)...)})
	case "reasoning", "thinking":
		text := f.first("content", "text", "thinking")
		isText := rawjson.KindOf(text) == rawjson.String
		if isText {
			d.reasoning = append(d.reasoning, rawjson.Unquote(text))
		}
		if !isText || len(f.others("type", "content", "text", "thinking")) > 0 {
			d.details = append(d.details, part)
		}
	case "tool_call", "tool_use":
		d.call(f.first("id"), f.first("name"), f.first("arguments", "input"), f.others("type", "id", "name", "arguments", "input")...)
	case "tool_call_response", "tool_result":
		m := []pair{{"role", `"tool"`}, {"tool_call_id", f.first("id", "tool_use_id")}, {"content", f.first("response", "result", "content")}}
		d.results = append(d.results, object(append(m, f.others("type", "id", "tool_use_id", "response", "result", "content")...)...))
	default:
		d.content = append(d.content, contentPart{json: part})
	}
}

// call adds a call of a tool. All texts are JSON, or empty.
func (d *draft) call(id, name, arguments string, others ...pair) {
	if rawjson.KindOf(arguments) == rawjson.String {
		if text, ok := embedded(rawjson.Unquote(arguments)); ok {
			arguments = text
		}
	}
	call := []pair{{"id", id}, {"type", `"function"`}, {"function", object(pair{"name", name}, pair{"arguments", arguments})}}
	d.calls = append(d.calls, object(append(call, others...)...))
}

// messages returns the message as JSON, behind the results of tools in it.
func (d *draft) messages() []string {
	if len(d.results) > 0 && len(d.content)+len(d.calls)+len(d.reasoning)+len(d.details)+len(d.others) == 0 {
		return d.results
	}
	var m []pair
	if d.role != "" {
		m = append(m, pair{"role", quoted(d.role)})
	}
	m = append(m, pair{"name", d.nameJSON}, pair{"tool_call_id", d.toolCallIDJSON}, pair{"content", d.contentJSON()})
	if len(d.calls) > 0 {
		m = append(m, pair{"tool_calls", list(d.calls)})
	}
	if len(d.reasoning) > 0 {
		m = append(m, pair{"reasoning", quoted(strings.Join(d.reasoning, "\n"))})
	}
	if len(d.details) > 0 {
		m = append(m, pair{"reasoning_details", list(d.details)})
	}
	m = append(m, pair{"finish_reason", d.finishReasonJSON})
	return append(d.results, object(append(m, d.others...)...))
}

// contentJSON returns the content: text, or the list of parts where there is
// more than text; "" for none.
func (d *draft) contentJSON() string {
	if len(d.content) == 0 {
		return ""
	}
	var texts, parts []string
	for _, c := range d.content {
		if c.json == "" {
			texts = append(texts, c.text)
		}
	}
	if len(texts) == len(d.content) {
		return quoted(strings.Join(texts, "\n"))
	}
	for _, c := range d.content {
		if c.json == "" {
			c.json = object(pair{"type", `"text"`}, pair{"text", quoted(c.text)})
		}
		parts = append(parts, c.json)
	}
	return list(parts)
}

// chatHistory returns the messages that a model was sent, its system
// instructions first.
func chatHistory(system, input attribute.Value) string {
	var messages []string
	if system.Type() != attribute.EMPTY {
		messages = systemMessages(structured(system))
	}
	if input.Type() != attribute.EMPTY {
		messages = append(messages, chatMessages(structured(input))...)
	}
	return list(messages)
}

// systemMessages returns what instructions become: a list of parts, one part, a
// message, or any value.
func systemMessages(text string) []string {
	d := draft{role: "system"}
	switch rawjson.KindOf(text) {
	case rawjson.Array:
		for part := range rawjson.Elements(text) {
			d.part(part)
		}
	case rawjson.Object:
		if fieldsOf(text).first("type") == "" {
			return chatMessage(text)
		}
		d.part(text)
	default:
		d.text(rawjson.Unquote(text))
	}
	return d.messages()
}

// chatMessages returns the messages of a list. What is no list becomes one.
func chatMessages(text string) []string {
	if rawjson.KindOf(text) != rawjson.Array {
		return chatMessage(text)
	}
	var messages []string
	for m := range rawjson.Elements(text) {
		messages = append(messages, chatMessage(m)...)
	}
	return messages
}

// chatMessage returns what one message becomes: itself where it holds no parts,
// and one message for each result of a tool. What is no object becomes the
// content of one.
func chatMessage(text string) []string {
	if rawjson.KindOf(text) != rawjson.Object {
		return []string{object(pair{"content", text})}
	}
	f := fieldsOf(text)
	parts := f.first("parts")
	if rawjson.KindOf(parts) != rawjson.Array {
		return []string{text}
	}
	d := draft{
		role:             rawjson.Unquote(f.first("role")),
		nameJSON:         f.first("name"),
		finishReasonJSON: f.first("finish_reason"),
		others:           f.others("role", "name", "finish_reason", "parts"),
	}
	for part := range rawjson.Elements(parts) {
		d.part(part)
	}
	return d.messages()
}

// outputMembers returns the keys that the messages of a model set in outputs:
// those of the first message, and all messages as choices where there are more.
func outputMembers(messages []string) []member {
	if len(messages) == 0 {
		return nil
	}
	var members []member
	for k, v := range rawjson.Members(messages[0]) {
		members = append(members, member{key: k, text: v})
	}
	if len(messages) > 1 {
		members = append(members, member{key: "choices", text: list(messages)})
	}
	return members
}

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
