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

// chatHistory returns the messages that a model was sent, its system
// instructions first. Where the messages begin with these, they are not said again.
func chatHistory(system, input attribute.Value) string {
	var first, messages []string
	if system.Type() != attribute.EMPTY {
		first = systemMessages(structured(system))
	}
	if input.Type() != attribute.EMPTY {
		messages = chatMessages(structured(input))
	}
	return list(withSystem(first, messages))
}

// withSystem puts instructions before messages that do not begin with them.
func withSystem(system, messages []string) []string {
	if len(system) == 0 {
		return messages
	}
	if len(messages) >= len(system) && slices.EqualFunc(system, messages[:len(system)], func(a, b string) bool {
		x, y := fieldsOf(a), fieldsOf(b)
		return x.first("content") == y.first("content") && isSystem(y.first("role"))
	}) {
		return messages
	}
	return append(system, messages...)
}

// isSystem reports whether a role is that of instructions.
func isSystem(role string) bool { return role == `"system"` || role == `"developer"` }

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

// chatMessages returns the messages of a list. What is no list becomes one. A list
// in it is the first of a batch, as LangChain has it.
func chatMessages(text string) []string {
	if rawjson.KindOf(text) != rawjson.Array {
		return chatMessage(text)
	}
	var messages []string
	for m := range rawjson.Elements(text) {
		if rawjson.KindOf(m) == rawjson.Array {
			messages = append(messages, chatMessages(m)...)
			continue
		}
		messages = append(messages, chatMessage(m)...)
	}
	return messages
}

// roles are the names of roles in other places.
var roles = map[string]string{"human": "user", "ai": "assistant", "model": "assistant", "AIMessageChunk": "assistant", "function": "tool"}

// chatMessage returns what one message becomes: itself where it holds no parts,
// and one message for each result of a tool. What is no object becomes the
// content of one.
func chatMessage(text string) []string {
	if rawjson.KindOf(text) != rawjson.Object {
		return []string{object(pair{"content", text})}
	}
	f := fieldsOf(text)
	if m := constructedMessage(f); m != nil {
		f, text = m, object(m...)
	}
	role, kind := rawjson.Unquote(f.first("role")), rawjson.Unquote(f.first("type"))
	d := draft{role: role}
	switch {
	case role != "":
	case roles[kind] != "" || kind == "system" || kind == "tool" || kind == "user" || kind == "assistant":
		d.role = kind // as LangChain's messages have it
	case slices.Contains(itemTypes, kind):
		d.role = "assistant" // an item of OpenAI's Responses
		d.part(text)
		return d.messages()
	}
	if other := roles[d.role]; other != "" {
		d.role = other
	}
	parts, content, calls := f.first("parts"), f.first("content"), f.first("tool_calls", "toolCalls")
	hasParts := rawjson.KindOf(parts) == rawjson.Array
	known := []string{"role", "name", "finish_reason", "parts"}
	if !hasParts {
		known = []string{"role", "name", "finish_reason", "content", "tool_calls", "toolCalls", "tool_call_id", "toolCallId"}
		if !isParts(content) && rawjson.KindOf(calls) != rawjson.Array && d.role == role {
			return []string{text}
		}
		d.toolCallIDJSON = f.first("tool_call_id", "toolCallId")
	}
	if d.role == kind || roles[kind] == d.role || kind == "message" {
		known = append(known, "type")
	}
	d.nameJSON, d.finishReasonJSON, d.others = f.first("name"), f.first("finish_reason"), f.others(known...)
	switch {
	case hasParts:
		for part := range rawjson.Elements(parts) {
			d.part(part)
		}
	case isParts(content):
		for part := range rawjson.Elements(content) {
			d.part(part)
		}
	case rawjson.KindOf(content) == rawjson.String:
		d.text(rawjson.Unquote(content))
	case content != "":
		d.content = append(d.content, contentPart{json: content})
	}
	if !hasParts && rawjson.KindOf(calls) == rawjson.Array {
		d.again = true
		for call := range rawjson.Elements(calls) {
			d.called(call)
		}
	} else if !hasParts && calls != "" {
		d.others = append(d.others, pair{"tool_calls", calls})
	}
	return d.messages()
}

// itemTypes are the types of the items of OpenAI's Responses that are no messages.
var itemTypes = []string{"function_call", "function_call_output", "reasoning"}

// isParts reports whether JSON is a list of the parts of a message.
func isParts(text string) bool {
	if rawjson.KindOf(text) != rawjson.Array || text == "[]" {
		return false
	}
	for part := range rawjson.Elements(text) {
		if kind := rawjson.KindOf(part); kind != rawjson.Object && kind != rawjson.String {
			return false
		}
	}
	return true
}

// constructedMessage returns the fields of a message that LangChain has written as a
// call of its constructor, or nil.
func constructedMessage(f fields) fields {
	kwargs := fieldsOf(f.first("kwargs"))
	if f.first("lc") == "" || kwargs == nil {
		return nil
	}
	class := ""
	for name := range rawjson.Elements(f.first("id")) {
		class = strings.TrimSuffix(rawjson.Unquote(name), "Chunk")
	}
	role := constructedRoles[class]
	if class == "ChatMessage" {
		role = rawjson.Unquote(kwargs.first("role"))
	}
	if role == "" {
		return nil
	}
	out := fields{{"role", quoted(role)}}
	for _, key := range []string{"name", "tool_call_id", "content", "tool_calls"} {
		if v := kwargs.first(key); v != "" && v != "[]" {
			out = append(out, pair{key, v})
		}
	}
	return out
}

var constructedRoles = map[string]string{
	"HumanMessage": "user", "AIMessage": "assistant", "SystemMessage": "system", "ToolMessage": "tool", "FunctionMessage": "tool",
}

// outputMembers returns the keys that the messages of a model set in outputs: those
// of the answer, and all messages as choices where there are more.
//
// What a model gives piece by piece, such as its reasoning, its calls and its text,
// is one answer. Where what tools returned stands among the messages, they are those
// of several steps, and the answer is the last.
func outputMembers(messages []string) []member {
	if len(messages) == 0 {
		return nil
	}
	if len(messages) > 1 {
		messages = folded(messages)
	}
	answer, key := 0, "choices"
	if slices.ContainsFunc(messages, isToolMessage) {
		key = "messages"
		for i, m := range messages {
			if f := fieldsOf(m); !isToolMessage(m) && (f.first("content") != "" || isToolMessage(messages[answer])) {
				answer = i
			}
		}
	}
	var members []member
	for k, v := range rawjson.Members(messages[answer]) {
		members = append(members, member{key: k, text: v})
	}
	if len(messages) > 1 {
		members = append(members, member{key: key, text: list(messages)})
	}
	return members
}

func isToolMessage(m string) bool { return fieldsOf(m).first("role") == `"tool"` }

// folded joins the messages of one answer: all of a row of which one alone has text.
func folded(messages []string) []string {
	var joined draft
	joined.again = true
	texts := 0
	for _, m := range messages {
		f := fieldsOf(m)
		if role := f.first("role"); role != `"assistant"` || f.first("finish_reason") != "" || f.more("role", "content", "tool_calls", "reasoning", "reasoning_details") {
			return messages
		}
		joined.role = "assistant"
		if content := f.first("content"); content != "" {
			if texts++; texts > 1 {
				return messages
			}
			if isParts(content) {
				for part := range rawjson.Elements(content) {
					joined.content = append(joined.content, contentPart{json: part})
				}
			} else {
				joined.text(rawjson.Unquote(content))
			}
		}
		for call := range rawjson.Elements(f.first("tool_calls")) {
			joined.called(call)
		}
		if text := f.first("reasoning"); text != "" {
			joined.reasoning = append(joined.reasoning, rawjson.Unquote(text))
		}
		for part := range rawjson.Elements(f.first("reasoning_details")) {
			joined.details = append(joined.details, part)
		}
	}
	return joined.messages()
}
