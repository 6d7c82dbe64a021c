package convert

import (
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file finds the messages in a request to the API of a model and in its
// response, as the providers and the frameworks write them: one value, in which
// other dialects have what they record of a call.

// request is what a request to a model holds: messages, and the rest of its fields.
type request struct {
	messages []string
	rest     fields
}

// readRequest reads a request, and reports whether the value is one: a list of
// messages, or an object that holds one.
func readRequest(text string) (request, bool) {
	switch rawjson.KindOf(text) {
	case rawjson.Array:
		return request{messages: chatMessages(text)}, areMessages(text)
	case rawjson.Object:
	default:
		return request{}, false
	}
	f := fieldsOf(text)
	if isMessage(text) {
		return request{messages: chatMessage(text)}, true
	}
	for _, key := range []string{"messages", "contents", "input", "prompt", "items", "history"} {
		list := f.first(key)
		if !areMessages(list) {
			continue
		}
		req := request{messages: chatMessages(list)}
		known := []string{key}
		for _, key := range []string{"system", "instructions", "systemInstruction", "system_instruction"} {
			if system := f.first(key); !isBlank(system) && system != "[]" {
				req.messages, known = withSystem(instructions(system), req.messages), append(known, key)
				break
			}
		}
		req.rest = f.others(known...)
		return req, true
	}
	return request{}, false
}

// instructions returns what the instructions beside the messages of a request become:
// a text, a list of texts or parts, or a content that holds parts.
func instructions(system string) []string {
	if parts := fieldsOf(system).first("parts"); rawjson.KindOf(parts) == rawjson.Array {
		system = parts
	}
	return systemMessages(system)
}

// areMessages reports whether JSON is a list of messages.
func areMessages(text string) bool {
	if rawjson.KindOf(text) != rawjson.Array || text == "[]" {
		return false
	}
	for m := range rawjson.Elements(text) {
		if rawjson.KindOf(m) == rawjson.Array {
			if !areMessages(m) {
				return false
			}
			continue
		}
		if !isMessage(m) {
			return false
		}
	}
	return true
}

// isMessage reports whether JSON is a message, or an item that becomes one.
func isMessage(text string) bool {
	if rawjson.KindOf(text) != rawjson.Object {
		return false
	}
	f := fieldsOf(text)
	kind := rawjson.Unquote(f.first("type"))
	switch {
	case constructedMessage(f) != nil:
		return true
	case rawjson.KindOf(f.first("role")) == rawjson.String:
		return f.first("content", "parts", "tool_calls", "toolCalls", "tool_call_id") != "" || !f.more("role", "content", "name")
	case slices.Contains(itemTypes, kind):
		return true
	}
	return f.first("content") != "" && (roles[kind] != "" || kind == "system" || kind == "tool")
}

// response is what the response of a model holds: messages, and the rest of its
// fields.
type response struct {
	messages []string
	rest     fields
}

// readResponse reads a response, and reports whether the value is one: a list of
// messages or items, or an object that holds one.
func readResponse(text string) (response, bool) {
	if rawjson.KindOf(text) == rawjson.Array {
		return response{messages: chatMessages(text)}, areMessages(text)
	}
	if rawjson.KindOf(text) != rawjson.Object {
		return response{}, false
	}
	if isMessage(text) {
		f := fieldsOf(text)
		if rawjson.Unquote(f.first("type")) != "message" && f.first("stop_reason") == "" {
			return response{messages: chatMessage(text)}, true
		}
		m := object(f.pick("role", "content", "tool_calls")...) // Anthropic's, among what else it says
		return response{chatMessage(m), f.others("type", "role", "content", "tool_calls")}, true
	}
	f := fieldsOf(text)
	for _, read := range []struct {
		key      string
		messages func(string) []string
	}{
		{"choices", choices}, {"candidates", candidates}, {"generations", generations}, {"output", outputItems}, {"message", wrapped}, {"content", contentBlocks},
		{"messages", func(v string) []string {
			if areMessages(v) {
				return chatMessages(v)
			}
			return nil
		}},
	} {
		if value := f.first(read.key); value != "" {
			if messages := read.messages(value); len(messages) > 0 {
				return response{messages, f.others(read.key)}, true
			}
		}
	}
	return answerOf(f)
}

// choices reads those of OpenAI's chat and completions.
func choices(text string) []string {
	var messages []string
	for choice := range rawjson.Elements(text) {
		f := fieldsOf(choice)
		m := f.first("message", "delta")
		if m == "" {
			if m = f.first("text"); m == "" {
				return nil
			}
			m = object(pair{"role", `"assistant"`}, pair{"content", m})
		}
		messages = append(messages, finished(chatMessage(m), f.first("finish_reason", "finishReason"))...)
	}
	return messages
}

// finished adds why a message ended.
func finished(messages []string, reason string) []string {
	if reason == "" || len(messages) != 1 || fieldsOf(messages[0]).first("finish_reason") != "" {
		return messages
	}
	return []string{object(append(fieldsOf(messages[0]), pair{"finish_reason", reason})...)}
}

// candidates reads those of Gemini, and of early Genkit.
func candidates(text string) []string {
	var messages []string
	for candidate := range rawjson.Elements(text) {
		f := fieldsOf(candidate)
		m := f.first("content", "message")
		if rawjson.KindOf(m) != rawjson.Object {
			return nil
		}
		messages = append(messages, finished(asAssistant(m), f.first("finishReason", "finish_reason"))...)
	}
	return messages
}

// generations reads the lists of lists of LangChain.
func generations(text string) []string {
	var messages []string
	for batch := range rawjson.Elements(text) {
		if rawjson.KindOf(batch) == rawjson.Object {
			batch = list([]string{batch})
		}
		for g := range rawjson.Elements(batch) {
			f := fieldsOf(g)
			if m := f.first("message"); isMessage(m) {
				messages = append(messages, chatMessage(m)...)
			} else if t := f.first("text"); t != "" {
				messages = append(messages, object(pair{"role", `"assistant"`}, pair{"content", t}))
			}
		}
	}
	return messages
}

// outputItems reads the output of OpenAI's Responses, or of Bedrock's Converse.
func outputItems(text string) []string {
	if m := fieldsOf(text).first("message"); rawjson.KindOf(m) == rawjson.Object {
		return asAssistant(m)
	}
	if areMessages(text) {
		return chatMessages(text)
	}
	return nil
}

func wrapped(text string) []string {
	if rawjson.KindOf(text) != rawjson.Object {
		return nil
	}
	return asAssistant(text)
}

// contentBlocks reads content that no message is around.
func contentBlocks(text string) []string {
	if f := fieldsOf(text); f.first("parts", "content") != "" {
		return asAssistant(text) // a content of Gemini, which is a message
	}
	if !isParts(text) && rawjson.KindOf(text) != rawjson.String {
		return nil
	}
	return asAssistant(object(pair{"content", text}))
}

// asAssistant is chatMessage for the answer of a model, whatever role it names.
func asAssistant(text string) []string {
	f := fieldsOf(text)
	if f.first("role") == "" {
		text = object(append(fields{{"role", `"assistant"`}}, f...)...)
	}
	return chatMessage(text)
}

// answerOf reads an answer whose parts are fields: text, reasoning, calls of tools.
// That is what the Vercel AI SDK and frameworks on it return.
func answerOf(f fields) (response, bool) {
	text, calls := f.first("text"), f.first("toolCalls", "tool_calls")
	if rawjson.KindOf(text) != rawjson.String && rawjson.KindOf(calls) != rawjson.Array {
		return response{}, false
	}
	var d draft
	d.role = "assistant"
	if rawjson.KindOf(text) == rawjson.String && (text != `""` || isBlank(calls) || calls == "[]") {
		d.text(rawjson.Unquote(text))
	}
	for call := range rawjson.Elements(calls) {
		d.called(call)
	}
	reasoning := f.first("reasoningText", "reasoning")
	if rawjson.KindOf(reasoning) == rawjson.Array {
		reasoning = ""
		for part := range rawjson.Elements(f.first("reasoning")) {
			d.reason(part, fieldsOf(part))
		}
	}
	if !isBlank(reasoning) {
		d.reasoning = append(d.reasoning, rawjson.Unquote(reasoning))
	}
	return response{d.messages(), f.others("text", "toolCalls", "tool_calls", "reasoning", "reasoningText")}, true
}

// documents returns the documents that a search found, if the value is a list of
// them or holds one: those of LangChain, Genkit and others have the content in other
// places.
func documents(text string) (string, bool) {
	if f := fieldsOf(text); f != nil {
		text = f.first("documents", "docs", "results", "matches", "hits", "points", "nodes", "source_documents")
	}
	if rawjson.KindOf(text) != rawjson.Array {
		return "", false
	}
	var found []string
	for element := range rawjson.Elements(text) {
		switch rawjson.KindOf(element) {
		case rawjson.Array: // of a batch
			inner, ok := documents(element)
			if !ok {
				return "", false
			}
			for d := range rawjson.Elements(inner) {
				found = append(found, d)
			}
		case rawjson.Object:
			found = append(found, foundDocument(element))
		case rawjson.String:
			found = append(found, object(pair{"content", element}))
		default:
			return "", false
		}
	}
	return list(found), true
}

// foundDocument returns one document with its content under that name.
func foundDocument(text string) string {
	f := fieldsOf(text)
	if kwargs := fieldsOf(f.first("kwargs")); kwargs != nil && f.first("lc") != "" {
		f = kwargs
	}
	key := "content"
	for _, k := range []string{"content", "page_content", "pageContent", "text", "document"} {
		if f.first(k) != "" {
			key = k
			break
		}
	}
	content := f.first(key)
	if plain, ok := textOfParts(content); ok {
		content = quoted(plain)
	}
	known := []pair{{"id", f.first("id")}, {"score", f.first("score")}, {"content", content}, {"metadata", f.first("metadata")}}
	return object(append(known, f.others("id", "score", key, "metadata", "lc")...)...)
}

// queryOf returns what is searched for, if the input of a search says that: a text,
// or an object with it.
func queryOf(text string) (query string, rest fields) {
	if rawjson.KindOf(text) == rawjson.String {
		return text, nil
	}
	f := fieldsOf(text)
	for _, key := range []string{"query", "question", "input", "text"} {
		q := f.first(key)
		if parts := fieldsOf(q).first("content"); parts != "" {
			if plain, ok := textOfParts(parts); ok {
				q = quoted(plain)
			}
		}
		if rawjson.KindOf(q) == rawjson.String {
			return q, f.others(key)
		}
	}
	return "", nil
}

// textsIn returns the texts that are embedded: one, a list, or what holds these.
func textsIn(text string) (string, bool) {
	switch rawjson.KindOf(text) {
	case rawjson.String:
		return list([]string{text}), true
	case rawjson.Array:
		var texts []string
		for element := range rawjson.Elements(text) {
			if parts := fieldsOf(element).first("content"); parts != "" {
				plain, ok := textOfParts(parts)
				if !ok {
					return "", false
				}
				element = quoted(plain)
			}
			if rawjson.KindOf(element) != rawjson.String {
				return "", false
			}
			texts = append(texts, element)
		}
		return list(texts), len(texts) > 0
	case rawjson.Object:
		f := fieldsOf(text)
		if inner := f.first("input", "texts", "values", "value", "text"); inner != "" && !strings.HasPrefix(inner, "{") {
			return textsIn(inner)
		}
	}
	return "", false
}
