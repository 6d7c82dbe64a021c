package llmhttp

import (
	"slices"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// chatCompletions are calls of /chat/completions.
type chatCompletions struct{}

func (chatCompletions) terminated() {}

func (chatCompletions) request(x *exchange, body string) {
	x.note("api_type", genai.OpenAIAPIType, `"chat_completions"`)
	for k, v := range rawjson.Members(body) {
		if k != "messages" {
			x.openAICommon(k, v)
			continue
		}
		if x.blind {
			continue
		}
		for m := range rawjson.Elements(v) {
			x.input = append(x.input, x.openAIMessage(m))
		}
	}
}

// openAIMessage reads a message of a request, or of an answer.
func (x *exchange) openAIMessage(json string) message {
	m := message{role: text(get(json, "role")), name: text(get(json, "name"))}
	if m.role == "tool" || m.role == "function" {
		m.parts = []part{{kind: partResult, id: text(get(json, "tool_call_id")), name: m.name, json: flat(get(json, "content"))}}
		return m
	}
	for k, v := range rawjson.Members(json) {
		switch k {
		case "reasoning_content", "reasoning":
			if s := text(v); s != "" && !m.has(partReasoning) {
				m.parts = append(m.parts, part{kind: partReasoning, text: s})
			}
		case "content":
			m.parts = x.openAIContent(m.parts, v)
		case "refusal":
			if s := text(v); s != "" {
				m.parts = append(m.parts, part{kind: partRefusal, text: s})
			}
		case "audio":
			if data := text(get(v, "data")); data != "" {
				m.parts = append(m.parts, media("audio", "", data))
			} else if id := text(get(v, "id")); id != "" {
				m.parts = append(m.parts, part{kind: partMedia, modality: "audio", fileID: id})
			}
			if s := text(get(v, "transcript")); s != "" {
				m.parts = append(m.parts, part{kind: partText, text: s})
			}
		case "tool_calls":
			for call := range rawjson.Elements(v) {
				m.parts = append(m.parts, openAICall(call))
			}
		case "function_call":
			if rawjson.KindOf(v) == rawjson.Object {
				m.parts = append(m.parts, part{kind: partCall, name: text(get(v, "name")), json: arguments(text(get(v, "arguments")))})
			}
		}
	}
	if list := filled(get(json, "annotations")); list != "" {
		for i := range m.parts {
			if m.parts[i].kind == partText {
				m.parts[i].annotations = list
			}
		}
	}
	return m
}

func (m *message) has(kind partKind) bool {
	return slices.ContainsFunc(m.parts, func(p part) bool { return p.kind == kind })
}

// openAICall reads a call of a tool: of a function, or one whose input is text.
func openAICall(call string) part {
	p := part{kind: partCall, id: text(get(call, "id"))}
	if f := get(call, "function"); f != "" {
		p.name = text(get(f, "name"))
		if args := get(f, "arguments"); rawjson.KindOf(args) == rawjson.String {
			p.json = arguments(text(args))
		} else {
			p.json = args
		}
		return p
	}
	p.name, p.json = text(get(call, "custom", "name")), get(call, "custom", "input")
	return p
}

// flat returns the content of a tool's result: text alone as a string.
func flat(content string) string {
	if rawjson.KindOf(content) != rawjson.Array {
		return content
	}
	var parts []part
	for p := range rawjson.Elements(content) {
		q := openAIPart(p)
		parts = append(parts, q)
	}
	if len(parts) == 1 && parts[0].kind == partText {
		return quote(parts[0].text)
	}
	return string(appendParts(nil, parts))
}

func (chatCompletions) answer(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "choices":
			for c := range rawjson.Elements(v) {
				x.openAIChoice(c)
			}
		case "usage":
			x.openAIUsage(v)
		default:
			x.openAIHead(k, v)
		}
	}
}

func (x *exchange) openAIChoice(json string) {
	c := x.choice(int(number(get(json, "index"))))
	m := x.openAIMessage(get(json, "message"))
	if m.role != "" {
		c.role = m.role
	}
	x.whole(c, m.parts)
	c.openAIFinish(get(json, "finish_reason"))
}

// openAIFinish reads why a choice ended.
func (c *choice) openAIFinish(reason string) {
	if c.finish = word(reason); c.finish == "" {
		return
	}
	switch c.finish {
	case "tool_calls", "function_call":
		c.ended = "tool_call"
	default:
		c.ended = c.finish
	}
}

func (chatCompletions) chunk(x *exchange, _, data string) {
	for k, v := range rawjson.Members(data) {
		switch k {
		case "choices":
			for c := range rawjson.Elements(v) {
				x.openAIDelta(c)
			}
		case "usage":
			x.openAIUsage(v)
		case "x_groq":
			x.openAIUsage(get(v, "usage"))
		case "error":
			x.done = x.failWith(v) || x.done
		default:
			x.openAIHead(k, v)
		}
	}
}

func (x *exchange) openAIDelta(json string) {
	var c *choice
	delta, reason := "", ""
	index := 0
	for k, v := range rawjson.Members(json) {
		switch k {
		case "index":
			index = int(number(v))
		case "delta":
			delta = v
		case "finish_reason":
			reason = v
		}
	}
	c = x.choice(index)
	for k, v := range rawjson.Members(delta) {
		switch k {
		case "role":
			if v != `"assistant"` && v != "null" && v != `""` {
				c.role = word(v)
			}
		case "content":
			x.deltaContent(c, v)
		case "reasoning_content", "reasoning":
			if rawjson.KindOf(v) == rawjson.String && v != `""` {
				x.add(x.piece(c, partReasoning, 0), text(v))
			}
		case "refusal":
			if rawjson.KindOf(v) == rawjson.String && v != `""` {
				x.add(x.piece(c, partRefusal, 0), text(v))
			}
		case "tool_calls":
			for call := range rawjson.Elements(v) {
				x.deltaCall(c, call)
			}
		case "function_call":
			if rawjson.KindOf(v) == rawjson.Object {
				x.deltaFunction(c, x.piece(c, partCall, 0), v)
			}
		case "audio":
			x.deltaAudio(c, v)
		case "annotations":
			x.annotate(x.piece(c, partText, 0), v)
		}
	}
	if text(reason) != "" {
		c.openAIFinish(reason)
	}
}

// deltaContent adds to the text of a choice. Mistral sends lists of parts.
func (x *exchange) deltaContent(c *choice, v string) {
	switch rawjson.KindOf(v) {
	case rawjson.String:
		if v != `""` {
			x.add(x.piece(c, partText, 0), text(v))
		}
	case rawjson.Array:
		for p := range rawjson.Elements(v) {
			if q := openAIPart(p); (q.kind == partText || q.kind == partReasoning) && q.text != "" {
				x.add(x.piece(c, q.kind, 0), q.text)
			}
		}
	}
}

// deltaCall adds to a call of a tool. Calls are told apart by their index, and
// where a server gives all the same or none, by their id.
func (x *exchange) deltaCall(c *choice, call string) {
	id := word(get(call, "id"))
	index := get(call, "index")
	key := int(number(index))
	p := x.find(c, partCall, key)
	switch named := x.call(c, id); {
	case index != "" && p != nil && (id == "" || p.id == "" || p.id == id):
	case index != "":
		if p = nil; named != nil && named.key == key {
			p = named
		}
	case id != "":
		p = named
	default:
		p = c.lastCall()
	}
	if p == nil {
		if index == "" {
			key = len(c.parts)
		}
		p = x.newPiece(c, partCall, key)
	}
	x.label(c, p, id, "")
	f := get(call, "function")
	if f == "" {
		f = get(call, "custom")
	}
	x.deltaFunction(c, p, f)
}

// lastCall returns the newest call of a tool, or nil.
func (c *choice) lastCall() *piece {
	for _, p := range slices.Backward(c.parts) {
		if p.kind == partCall {
			return p
		}
	}
	return nil
}

func (x *exchange) deltaFunction(c *choice, p *piece, f string) {
	for k, v := range rawjson.Members(f) {
		switch k {
		case "name":
			x.label(c, p, "", text(v))
		case "arguments", "input":
			if rawjson.KindOf(v) == rawjson.Object { // whole, though it should be text
				x.add(p, v)
				continue
			}
			x.add(p, text(v))
		}
	}
}

// deltaAudio adds sound, and the words that are spoken.
func (x *exchange) deltaAudio(c *choice, v string) {
	if data := text(get(v, "data")); data != "" {
		x.sound(x.piece(c, partMedia, 0), data)
	}
	if s := text(get(v, "transcript")); s != "" {
		x.add(x.piece(c, partText, 0), s)
	}
}

// textCompletions are calls of /completions, which came before chats.
type textCompletions struct{}

func (textCompletions) terminated() {}

func (textCompletions) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		if k != "prompt" {
			x.openAICommon(k, v)
			continue
		}
		if !x.blind {
			x.input = append(x.input, message{role: "user", parts: x.openAIContent(nil, v)})
		}
	}
}

func (textCompletions) answer(x *exchange, body string) { textCompletions{}.chunk(x, "", body) }

func (textCompletions) chunk(x *exchange, _, data string) {
	for k, v := range rawjson.Members(data) {
		switch k {
		case "choices":
			for json := range rawjson.Elements(v) {
				c := x.choice(int(number(get(json, "index"))))
				if s := text(get(json, "text")); s != "" {
					x.add(x.piece(c, partText, 0), s)
				}
				if reason := get(json, "finish_reason"); text(reason) != "" {
					c.openAIFinish(reason)
				}
			}
		case "usage":
			x.openAIUsage(v)
		default:
			x.openAIHead(k, v)
		}
	}
	if e := get(data, "error"); e != "" {
		x.failWith(e)
	}
}
