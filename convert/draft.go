package convert

import (
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// draft is a message being put together. What is named so is JSON, or empty.
type draft struct {
	role             string
	nameJSON         string
	toolCallIDJSON   string
	finishReasonJSON string

	content   []contentPart
	calls     []string // of tools, as JSON
	callIDs   []string // of these, as JSON
	again     bool     // what comes may tell of the same calls again
	reasoning []string
	details   []string // parts of reasoning that hold more than text, as JSON
	results   []string // of tools, as JSON messages
	resultIDs []string // of the calls that these answer, as JSON
	others    []pair   // what has no place above
}

// contentPart is text, or the JSON of something else.
type contentPart struct{ text, json string }

// text adds text to the content.
func (d *draft) text(s string) { d.content = append(d.content, contentPart{text: s}) }

// part adds a part of a message, in the form of the GenAI conventions, of a
// framework or of a provider's API.
func (d *draft) part(part string) {
	if rawjson.KindOf(part) == rawjson.String {
		d.text(rawjson.Unquote(part))
		return
	}
	f := fieldsOf(part)
	kind := rawjson.Unquote(f.first("type"))
	switch kind {
	case "text", "input_text", "output_text", "summary_text":
		text, others := f.first("content", "text"), f.others("type", "content", "text")
		if rawjson.KindOf(text) == rawjson.String && (len(others) == 0 || kind != "text") {
			d.text(rawjson.Unquote(text))
			return
		}
		d.content = append(d.content, contentPart{json: object(append([]pair{{"type", `"text"`}, {"text", text}}, others...)...)})
	case "reasoning", "thinking":
		d.reason(part, f)
	case "tool_call", "tool_use", "tool-call", "function_call":
		d.call(f.first("id", "call_id", "toolCallId"), f.first("name", "toolName"), f.first("arguments", "input", "args"),
			f.others("type", "id", "call_id", "toolCallId", "name", "toolName", "arguments", "input", "args")...)
	case "tool_call_response", "tool_result", "tool-result", "function_call_output":
		d.result(f.first("id", "tool_use_id", "call_id", "toolCallId"), f.first("toolName"), f.first("response", "result", "content", "output"),
			f.others("type", "id", "tool_use_id", "call_id", "toolCallId", "toolName", "response", "result", "content", "output")...)
	case "":
		d.untyped(part, f)
	default:
		d.content = append(d.content, contentPart{json: part})
	}
}

// reason adds a part that tells how a model came to its answer.
func (d *draft) reason(part string, f fields) {
	text := f.first("content", "text", "thinking", "reasoning")
	if summary := f.first("summary"); text == "" && rawjson.KindOf(summary) == rawjson.Array {
		var lines []string
		for line := range rawjson.Elements(summary) {
			lines = append(lines, rawjson.Unquote(fieldsOf(line).first("text")))
		}
		text = quoted(strings.Join(lines, "\n"))
	}
	isText := rawjson.KindOf(text) == rawjson.String
	if isText {
		d.reasoning = append(d.reasoning, rawjson.Unquote(text))
	}
	if !isText || len(f.others("type", "content", "text", "thinking", "reasoning", "summary", "id")) > 0 {
		d.details = append(d.details, part)
	}
}

// untyped adds a part that says by its keys what it is: as Bedrock, Gemini and
// Genkit write it.
func (d *draft) untyped(part string, f fields) {
	inner := func(keys ...string) fields { return fieldsOf(f.first(keys...)) }
	switch {
	case f.first("toolUse", "tool_use") != "":
		c := inner("toolUse", "tool_use")
		d.call(c.first("toolUseId", "id"), c.first("name"), c.first("input"), c.others("toolUseId", "id", "name", "input")...)
	case f.first("toolResult", "tool_result") != "":
		c := inner("toolResult", "tool_result")
		d.result(c.first("toolUseId", "id"), "", c.first("content"), c.others("toolUseId", "id", "content")...)
	case f.first("toolRequest") != "":
		c := inner("toolRequest")
		d.call(c.first("ref"), c.first("name"), c.first("input"), c.others("ref", "name", "input")...)
	case f.first("toolResponse") != "":
		c := inner("toolResponse")
		d.result(c.first("ref"), c.first("name"), c.first("output"), c.others("ref", "name", "output")...)
	case f.first("functionCall", "function_call") != "":
		c := inner("functionCall", "function_call")
		d.call(c.first("id"), c.first("name"), c.first("args", "arguments"), c.others("id", "name", "args", "arguments")...)
	case f.first("functionResponse", "function_response") != "":
		c := inner("functionResponse", "function_response")
		d.result(c.first("id"), c.first("name"), c.first("response"), c.others("id", "name", "response")...)
	case f.first("reasoningContent") != "":
		c := inner("reasoningContent")
		if text := c.first("reasoningText"); rawjson.KindOf(text) == rawjson.Object {
			c = fieldsOf(text)
		}
		d.reason(part, c)
	case rawjson.KindOf(f.first("reasoning")) == rawjson.String:
		d.reason(part, f)
	case rawjson.KindOf(f.first("text")) == rawjson.String && f.first("thought") == "true":
		d.reasoning = append(d.reasoning, rawjson.Unquote(f.first("text")))
	case rawjson.KindOf(f.first("text")) == rawjson.String && !f.more("text"):
		d.text(rawjson.Unquote(f.first("text")))
	default:
		d.content = append(d.content, contentPart{json: part})
	}
}

// result adds what a tool returned. Parts that are text alone become text.
func (d *draft) result(id, name, content string, others ...pair) {
	if f := fieldsOf(content); f.first("type") != "" && f.first("value") != "" && !f.more("type", "value") {
		content = f.first("value") // as the Vercel AI SDK writes it
	}
	if rawjson.KindOf(content) == rawjson.Array {
		if text, ok := textOfParts(content); ok {
			content = quoted(text)
		}
	}
	m := []pair{{"role", `"tool"`}, {"name", name}, {"tool_call_id", id}, {"content", content}}
	d.results = append(d.results, object(append(m, others...)...))
	d.resultIDs = append(d.resultIDs, id)
}

// textOfParts returns the text of a list of parts, if they are nothing else.
func textOfParts(parts string) (string, bool) {
	var d draft
	n := 0
	for part := range rawjson.Elements(parts) {
		if rawjson.KindOf(part) != rawjson.Object {
			return "", false
		}
		d.part(part)
		n++
	}
	text := d.contentJSON()
	return rawjson.Unquote(text), n > 0 && rawjson.KindOf(text) == rawjson.String && len(d.content) == n
}

// call adds a call of a tool. All texts are JSON, or empty. One that says nothing is
// none, and one that was told of already is not told again.
func (d *draft) call(id, name, arguments string, others ...pair) {
	for range 2 { // some write the JSON of a text that is JSON already
		if rawjson.KindOf(arguments) != rawjson.String {
			break
		}
		text, ok := embedded(rawjson.Unquote(arguments))
		if !ok {
			if text, ok = embeddedText(rawjson.Unquote(arguments)); !ok {
				break
			}
		}
		arguments = text
	}
	if isBlank(id) && isBlank(name) && isBlank(arguments) && len(others) == 0 {
		return
	}
	call := []pair{{"id", id}, {"type", `"function"`}, {"function", object(pair{"name", name}, pair{"arguments", arguments})}}
	text := object(append(call, others...)...)
	for i, told := range d.callIDs {
		if !isBlank(id) && told == id || isBlank(id) && d.again && d.calls[i] == text {
			if len(text) > len(d.calls[i]) {
				d.calls[i] = text
			}
			return
		}
	}
	d.calls, d.callIDs = append(d.calls, text), append(d.callIDs, id)
}

// isBlank reports whether JSON holds nothing.
func isBlank(text string) bool { return text == "" || text == `""` || text == "null" }

// embeddedText returns the JSON string that a text holds, if that holds JSON.
func embeddedText(s string) (string, bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", false
	}
	text, err := rawjson.Parse(s)
	return text, err == nil
}

// messages returns the message as JSON, and the results of tools in it: behind the
// message where that has called for them, or else before it.
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
	message := object(append(m, d.others...)...)
	for _, id := range d.resultIDs {
		if !slices.Contains(d.callIDs, id) {
			return append(d.results, message)
		}
	}
	return append([]string{message}, d.results...)
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

// called adds a call of a tool as providers and frameworks write it: with its name
// and arguments in it, or under "function".
func (d *draft) called(call string) {
	if rawjson.KindOf(call) != rawjson.Object {
		d.others = append(d.others, pair{"tool_call", call})
		return
	}
	f := fieldsOf(call)
	function := f
	for _, key := range []string{"function", "functionCall", "payload"} {
		if text := f.first(key); rawjson.KindOf(text) == rawjson.Object {
			function = fieldsOf(text)
			break
		}
	}
	id := f.first("id", "call_id", "toolCallId", "tool_call_id")
	if id == "" {
		id = function.first("toolCallId", "id")
	}
	d.call(id, function.first("name", "toolName"), function.first("arguments", "args", "input"), f.others(
		"id", "call_id", "toolCallId", "tool_call_id", "toolCallType", "type", "name", "toolName", "arguments", "args", "input", "function", "functionCall", "payload")...)
}
