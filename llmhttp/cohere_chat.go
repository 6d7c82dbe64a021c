package llmhttp

import (
	"cmp"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// cohereChatV2 are calls of /v2/chat. Streams are server-sent events.
type cohereChatV2 struct{}

func (cohereChatV2) terminated() {}

func (cohereChatV2) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "messages":
			if x.blind {
				continue
			}
			for m := range x.elements(v) {
				x.input = append(x.input, x.cohereMessage(m))
			}
		case "tools":
			for tool := range x.elements(v) {
				x.openAITool(tool)
			}
		default:
			x.cohereCommon(k, v)
		}
	}
}

// cohereMessage reads a message of a request, or of an answer. What the model
// plans to do with tools is its reasoning.
func (x *exchange) cohereMessage(json string) message {
	m := message{role: text(get(json, "role"))}
	content := get(json, "content")
	if m.role == "tool" {
		m.parts = []part{{kind: partResult, id: text(get(json, "tool_call_id")), json: x.flat(content)}}
		return m
	}
	m.parts = x.openAIContent(nil, content)
	if plan := text(get(json, "tool_plan")); plan != "" {
		m.parts = append(m.parts, part{kind: partReasoning, text: plan})
	}
	for call := range x.elements(get(json, "tool_calls")) {
		m.parts = append(m.parts, openAICall(call))
	}
	return m
}

func (cohereChatV2) answer(x *exchange, body string) {
	m := get(body, "message")
	if rawjson.KindOf(m) != rawjson.Object {
		x.errorIn(body)
		return
	}
	x.id = word(get(body, "id"))
	c := x.choice(0)
	x.whole(c, x.cohereMessage(m).parts)
	x.source(c, sourceQuotes, get(m, "citations"))
	x.cohereFinish(get(body, "finish_reason"), "")
	x.cohereUsage(get(body, "usage"))
}

// planKey is the key of what the model plans to do, which has no index.
const planKey = -1

func (cohereChatV2) chunk(x *exchange, event, data string) {
	index := int(number(get(data, "index")))
	message := get(data, "delta", "message")
	switch cmp.Or(text(get(data, "type")), event) {
	case "message-start":
		x.id = keep(x.id, get(data, "id"))
	case "content-start", "content-delta":
		x.cohereContent(x.choice(0), index, get(message, "content"))
	case "tool-plan-delta":
		x.add(x.piece(x.choice(0), partReasoning, planKey), text(get(message, "tool_plan")))
	case "tool-call-start", "tool-call-delta":
		c := x.choice(0)
		p := x.piece(c, partCall, index)
		call := get(message, "tool_calls")
		x.label(c, p, text(get(call, "id")), text(get(call, "function", "name")))
		x.add(p, text(get(call, "function", "arguments")))
	case "citation-start":
		if citation := get(message, "citations"); rawjson.KindOf(citation) == rawjson.Object {
			x.cited(x.choice(0), sourceQuotes, citation)
		}
	case "message-end":
		delta := get(data, "delta")
		x.cohereFinish(get(delta, "finish_reason"), text(get(delta, "error")))
		x.cohereUsage(get(delta, "usage"))
		x.done = true
	}
}

// cohereContent begins a part of the content, or adds to it: a text, or what was
// thought.
func (x *exchange) cohereContent(c *choice, index int, content string) {
	if s := get(content, "thinking"); s != "" {
		x.add(x.piece(c, partReasoning, index), text(s))
	}
	if s := get(content, "text"); s != "" {
		x.add(x.piece(c, partText, index), text(s))
	}
}

// cohereChatV1 are calls of /v1/chat. Streams are lines of JSON, and end with the
// whole answer.
type cohereChatV1 struct{}

func (cohereChatV1) terminated() {}

func (cohereChatV1) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "preamble":
			if s := text(v); s != "" && !x.blind {
				x.system = []part{{kind: partText, text: s}}
			}
		case "tools":
			for tool := range x.elements(v) {
				x.tool(get(tool, "name"), get(tool, "description"), get(tool, "parameter_definitions"), tool)
			}
		case "chat_history", "message", "tool_results": // in their order, below
		default:
			x.cohereCommon(k, v)
		}
	}
	if x.blind {
		return
	}
	for m := range x.elements(get(body, "chat_history")) {
		x.input = append(x.input, x.cohereTurn(m))
	}
	if s := text(get(body, "message")); s != "" {
		x.input = append(x.input, message{role: "user", parts: x.alone(part{kind: partText, text: s})})
	}
	if parts := x.cohereResults(get(body, "tool_results")); len(parts) > 0 {
		x.input = append(x.input, message{role: "tool", parts: parts})
	}
}

var cohereRoles = map[string]string{"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}

// cohereTurn reads a message of the history.
func (x *exchange) cohereTurn(json string) message {
	role := text(get(json, "role"))
	m := message{role: cmp.Or(cohereRoles[strings.ToUpper(role)], strings.ToLower(role))}
	if s := text(get(json, "message")); s != "" {
		m.parts = append(m.parts, part{kind: partText, text: s})
	}
	m.parts = append(m.parts, x.cohereCalls(get(json, "tool_calls"))...)
	m.parts = append(m.parts, x.cohereResults(get(json, "tool_results"))...)
	return m
}

func (x *exchange) cohereCalls(list string) (parts []part) {
	for call := range x.elements(list) {
		parts = append(parts, part{kind: partCall, name: text(get(call, "name")), json: get(call, "parameters")})
	}
	return parts
}

func (x *exchange) cohereResults(list string) (parts []part) {
	for r := range x.elements(list) {
		parts = append(parts, part{kind: partResult, name: text(get(r, "call", "name")), json: get(r, "outputs")})
	}
	return parts
}

func (cohereChatV1) answer(x *exchange, body string) {
	if rawjson.KindOf(get(body, "text")) != rawjson.String && get(body, "tool_calls") == "" && get(body, "search_queries") == "" {
		x.errorIn(body)
		return
	}
	x.cohereResponse(body)
	x.cohereFinish(get(body, "finish_reason"), "")
}

// cohereResponse reads a whole answer.
func (x *exchange) cohereResponse(body string) {
	c := x.choice(0)
	c.sources = [sourceKinds][]byte{}
	var parts []part
	for k, v := range rawjson.Members(body) {
		switch k {
		case "text":
			if s := text(v); s != "" {
				parts = append(parts, part{kind: partText, text: s})
			}
		case "response_id":
			x.id = word(v)
		case "generation_id":
			x.id = keep(x.id, v)
		case "citations":
			x.source(c, sourceQuotes, v)
		case "documents", "search_queries", "search_results":
			x.cohereFound(k, v)
		case "meta":
			x.cohereUsage(v)
		}
	}
	x.whole(c, append(parts, x.cohereCalls(get(body, "tool_calls"))...))
}

// cohereFound keeps what was searched for, and what was found.
func (x *exchange) cohereFound(key, list string) {
	if list = x.kept(filled(list)); list != "" {
		x.outputs.json(key, list)
	}
}

func (cohereChatV1) chunk(x *exchange, event, data string) {
	switch cmp.Or(text(get(data, "event_type")), event) {
	case "stream-start":
		x.id = keep(x.id, get(data, "generation_id"))
	case "text-generation":
		x.add(x.piece(x.choice(0), partText, 0), text(get(data, "text")))
	case "citation-generation":
		for citation := range rawjson.Elements(get(data, "citations")) {
			x.cited(x.choice(0), sourceQuotes, citation)
		}
	case "search-queries-generation", "search-results":
		for _, key := range [...]string{"documents", "search_queries", "search_results"} {
			x.cohereFound(key, get(data, key))
		}
		x.changes++
	case "tool-calls-chunk":
		delta := get(data, "tool_call_delta")
		x.add(x.piece(x.choice(0), partText, 0), text(get(data, "text"))+text(get(delta, "text")))
		if delta == "" || get(delta, "name")+get(delta, "parameters") == "" {
			return
		}
		c := x.choice(0)
		p := x.piece(c, partCall, int(number(get(delta, "index"))))
		x.label(c, p, "", text(get(delta, "name")))
		x.add(p, text(get(delta, "parameters")))
	case "tool-calls-generation": // again, and whole
		x.changes++
		var parts []part
		for _, p := range x.choice(0).parts {
			if p.kind == partText {
				p.text += p.written()
				parts = append(parts, p.part)
			}
		}
		if s := text(get(data, "text")); s != "" && len(parts) == 0 {
			parts = append(parts, part{kind: partText, text: strings.Clone(s)})
		}
		calls := x.kept(get(data, "tool_calls"))
		x.whole(x.choice(0), append(parts, x.cohereCalls(calls)...))
	case "stream-end":
		if r := get(data, "response"); r != "" {
			x.cohereResponse(r)
		}
		x.cohereFinish(cmp.Or(get(data, "finish_reason"), get(data, "response", "finish_reason")), text(get(data, "error")))
		x.content = false
		x.done = true
	}
}
