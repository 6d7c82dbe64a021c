package convert

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file turns messages of the GenAI conventions, which hold a list of typed
// parts, into the messages that HoneyHive shows, which are those of OpenAI's
// chat API: role, content, name, tool_calls (id, type, function with name and
// arguments) and tool_call_id, and for what that API has no name: reasoning and
// finish_reason. Content is a string where a message has text alone, otherwise
// the list of its parts.

// outputMarks are the keys of outputs that a message of a model would set.
var outputMarks = []string{"role", "content", "tool_calls", "choices"}

// chatHistory returns the messages that a model was sent, its system
// instructions first.
func chatHistory(system, input attribute.Value) string {
	var messages []string
	if system.Type() != attribute.EMPTY {
		text := structured(system)
		if rawjson.KindOf(text) == rawjson.String {
			messages = append(messages, `{"role":"system","content":`+text+`}`)
		} else {
			messages = append(messages, fromParts("system", "", "", text)...)
		}
	}
	if input.Type() != attribute.EMPTY {
		messages = append(messages, chatMessages(structured(input))...)
	}
	return list(messages)
}

// list writes texts that are JSON as an array.
func list(texts []string) string { return "[" + strings.Join(texts, ",") + "]" }

// chatMessages returns the messages of a list. What is no list becomes the
// content of one message.
func chatMessages(text string) []string {
	switch rawjson.KindOf(text) {
	case rawjson.Array:
		var messages []string
		for m := range rawjson.Elements(text) {
			messages = append(messages, chatMessage(m)...)
		}
		return messages
	case rawjson.Object:
		return chatMessage(text)
	}
	return []string{`{"content":` + text + `}`}
}

// chatMessage returns what one message becomes: itself where it holds no parts,
// and one message for each result of a tool.
func chatMessage(text string) []string {
	parts, hasParts := rawjson.Get(text, "parts")
	if !hasParts || rawjson.KindOf(parts) != rawjson.Array {
		return []string{text}
	}
	role, _ := rawjson.Get(text, "role")
	name, _ := rawjson.Get(text, "name")
	finish, _ := rawjson.Get(text, "finish_reason")
	return fromParts(rawjson.Unquote(role), name, finish, parts)
}

// fromParts builds messages from a list of parts. Name and finish are JSON, or
// empty.
func fromParts(role, name, finish, parts string) []string {
	var texts, content, calls, reasoning, messages []string
	plainText := true
	for part := range rawjson.Elements(parts) {
		kind, _ := rawjson.Get(part, "type")
		value, _ := rawjson.Get(part, "content")
		switch rawjson.Unquote(kind) {
		case "text":
			texts = append(texts, rawjson.Unquote(value))
			content = append(content, object(pair{"type", `"text"`}, pair{"text", value}))
		case "reasoning":
			reasoning = append(reasoning, rawjson.Unquote(value))
		case "tool_call":
			calls = append(calls, toolCall(part))
		case "tool_call_response":
			messages = append(messages, toolResult(role, part))
		default:
			plainText = false
			content = append(content, part)
		}
	}
	if len(messages) > 0 && len(content) == 0 && len(calls) == 0 {
		return messages
	}
	m := []pair{{"role", quoted(role)}, {"name", name}}
	switch {
	case !plainText:
		m = append(m, pair{"content", list(content)})
	case len(texts) > 0:
		m = append(m, pair{"content", quoted(strings.Join(texts, "\n"))})
	}
	if len(calls) > 0 {
		m = append(m, pair{"tool_calls", list(calls)})
	}
	if len(reasoning) > 0 {
		m = append(m, pair{"reasoning", quoted(strings.Join(reasoning, "\n"))})
	}
	m = append(m, pair{"finish_reason", finish})
	return append([]string{object(m...)}, messages...)
}

func toolCall(part string) string {
	id, _ := rawjson.Get(part, "id")
	name, _ := rawjson.Get(part, "name")
	arguments, _ := rawjson.Get(part, "arguments")
	return object(pair{"id", id}, pair{"type", `"function"`}, pair{"function", object(pair{"name", name}, pair{"arguments", arguments})})
}

func toolResult(role, part string) string {
	id, _ := rawjson.Get(part, "id")
	response, ok := rawjson.Get(part, "response")
	if !ok {
		response, _ = rawjson.Get(part, "result") // the name of earlier drafts
	}
	return object(pair{"role", quoted(role)}, pair{"tool_call_id", id}, pair{"content", response})
}

// pair is a key and its JSON; an empty text stands for no such key.
type pair struct{ key, text string }

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

// outputMembers returns the keys that the messages of a model set in outputs:
// those of the first message, and all messages as choices where there are more.
func outputMembers(messages []string) []member {
	var members []member
	if len(messages) == 0 {
		return nil
	}
	for k, v := range rawjson.Members(messages[0]) {
		members = append(members, member{key: k, text: v})
	}
	if len(messages) > 1 {
		members = append(members, member{key: "choices", text: list(messages)})
	}
	return members
}
