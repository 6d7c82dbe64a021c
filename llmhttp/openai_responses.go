package llmhttp

import (
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// responses are calls of /responses and /responses/compact. The items of an
// answer become the parts of one message. A stream ends with the whole response;
// what was said until then is put together in openai_items.go for streams that
// break. The reference is https://platform.openai.com/docs/api-reference/responses.
type responses struct{}

func (responses) terminated() {}

func (responses) request(x *exchange, body string) {
	x.note("api_type", genai.OpenAIAPIType, `"responses"`)
	for k, v := range rawjson.Members(body) {
		switch k {
		case "instructions":
			x.responsesInstructions(v)
		case "input":
			x.responsesInput(v)
		case "prompt":
			x.storedPrompt(v)
		case "background":
			x.run.background = v == "true"
			x.openAICommon(k, v)
		case "conversation":
			x.attribute(genai.ConversationID, v)
			x.attribute(genai.ConversationID, get(v, "id"))
		case "text":
			if format := get(v, "format"); format != "" {
				x.outputType(format)
			}
			x.param(openAIParams, "verbosity", get(v, "verbosity"))
		default:
			x.openAICommon(k, v)
		}
	}
}

// responsesInstructions reads the system's part: text, or messages, as a stored
// prompt may have it.
func (x *exchange) responsesInstructions(v string) {
	if x.blind {
		return
	}
	if s := text(v); s != "" {
		x.system = append(x.system, part{kind: partText, text: s})
		return
	}
	for item := range x.elements(v) {
		x.system = x.openAIContent(x.system, get(item, "content"))
	}
}

// storedPrompt reads a prompt that the provider holds: its id and version, and
// the variables that are put into it, which are the input.
func (x *exchange) storedPrompt(v string) {
	if rawjson.KindOf(v) != rawjson.Object {
		return
	}
	for _, key := range [...]string{"id", "version"} {
		if w := word(get(v, key)); w != "" {
			x.config.text("prompt_"+key, w)
			name := genai.PromptName
			if key == "version" {
				name = genai.PromptVersion
			}
			x.attributes = append(x.attributes, name.String(w))
		}
	}
	if x.blind {
		return
	}
	var o object
	for k, v := range rawjson.Members(get(v, "variables")) {
		if rawjson.KindOf(v) == rawjson.Object {
			p := openAIPart(v)
			v = string(p.append(nil, "text"))
		}
		o.json(k, v)
	}
	if !o.empty() {
		x.inputs.json("prompt_variables", string(o.bytes()))
	}
}

func (x *exchange) responsesInput(v string) {
	if x.blind {
		return
	}
	if rawjson.KindOf(v) == rawjson.String {
		x.input = append(x.input, message{role: "user", parts: x.openAIContent(nil, v)})
		return
	}
	for item := range x.elements(v) {
		kind := text(get(item, "type"))
		role := text(get(item, "role"))
		switch {
		case kind == "message" || kind == "" && role != "":
			x.input = append(x.input, message{role: role, parts: x.openAIContent(nil, get(item, "content"))})
		case strings.HasSuffix(kind, "_output"):
			x.input = append(x.input, message{role: "tool", parts: x.responsesItem(item)})
		case kind == "mcp_approval_response":
			x.input = append(x.input, message{role: "user", parts: x.responsesItem(item)})
		default:
			parts := x.responsesItem(item)
			if n := len(x.input); n > 0 && x.input[n-1].role == "assistant" { // of one turn
				x.input[n-1].parts = append(x.input[n-1].parts, parts...)
				continue
			}
			x.input = append(x.input, message{role: "assistant", parts: parts})
		}
	}
}

// responsesItem reads an item of a conversation.
func (x *exchange) responsesItem(item string) []part {
	kind := text(get(item, "type"))
	switch kind {
	case "message":
		return x.openAIContent(nil, get(item, "content"))
	case "function_call":
		args := get(item, "arguments")
		p := part{kind: partCall, id: text(get(item, "call_id")), name: text(get(item, "name")), json: args}
		if rawjson.KindOf(args) == rawjson.String {
			p.json = arguments(text(args))
		}
		return []part{p}
	case "custom_tool_call":
		return []part{{kind: partCall, id: text(get(item, "call_id")), name: text(get(item, "name")), json: freeText(text(get(item, "input")))}}
	case "reasoning":
		var parts []part // none where it is encrypted, or empty
		for _, list := range [...]string{get(item, "summary"), get(item, "content")} {
			for p := range x.elements(list) {
				if s := openAIPart(p).text; s != "" {
					parts = append(parts, part{kind: partReasoning, text: s})
				}
			}
		}
		return parts
	case "image_generation_call":
		if data := text(get(item, "result")); data != "" {
			m := media("image", "", data)
			if f := text(get(item, "output_format")); f != "" {
				m.mime = "image/" + f
			}
			return []part{m}
		}
	}
	if strings.HasSuffix(kind, "_output") {
		return []part{x.responsesResult(item)}
	}
	return []part{{kind: partOther, json: withoutEncrypted(item)}}
}

// responsesResult reads an item that holds what a tool gave: under output, or for
// tools of the provider's own (tool_search_output) under names of theirs.
func (x *exchange) responsesResult(item string) part {
	p := part{kind: partResult, id: text(get(item, "call_id")), json: get(item, "output"), failed: text(get(item, "status")) == "failed"}
	switch rawjson.KindOf(p.json) {
	case rawjson.Array:
		p.json = x.flat(p.json)
	case rawjson.Object:
		if q := openAIPart(p.json); q.kind == partMedia {
			p.json = string(q.append(nil, "content"))
		}
	case rawjson.Invalid:
		var o object
		for k, v := range rawjson.Members(item) {
			switch k {
			case "type", "id", "call_id", "output":
			default:
				o.json(k, v)
			}
		}
		if !o.empty() {
			p.json = string(o.bytes())
		}
	default:
	}
	return p
}

// withoutEncrypted returns an item without what only the provider can read.
func withoutEncrypted(item string) string {
	if get(item, "encrypted_content") == "" {
		return item
	}
	var o object
	for k, v := range rawjson.Members(item) {
		if k != "encrypted_content" {
			o.json(k, v)
		}
	}
	return string(o.bytes())
}

func (responses) answer(x *exchange, body string) {
	if get(body, "output") == "" && get(body, "status") == "" {
		x.openAIProblem(body)
	}
	x.response(body)
}

// response reads a response whole.
func (x *exchange) response(body string) {
	var output, status, reason, fault string
	for k, v := range rawjson.Members(body) {
		switch k {
		case "output":
			output = v
		case "status":
			status = text(v)
		case "incomplete_details":
			reason = text(get(v, "reason"))
		case "usage":
			x.openAIUsage(v)
		case "error":
			fault = v
		case "background":
			x.run.background = v == "true"
		default:
			x.openAIHead(k, v)
		}
	}
	x.openAIFault(fault)
	if x.run.status = strings.Clone(status); x.run.pending() || x.retrieves {
		x.metadata.text("response_status", x.run.status)
	}
	if status == "failed" || status == "cancelled" {
		x.fail(status, "")
	}
	if rawjson.KindOf(output) != rawjson.Array || output == "[]" && status != "completed" {
		return
	}
	var parts []part
	for item := range x.elements(output) {
		parts = append(parts, x.responsesItem(item)...)
	}
	c := x.choice(0)
	if len(parts) > 0 {
		x.whole(c, parts)
	}
	c.responsesFinish(status, reason)
}

// responsesFinish says why a response ended, in the words of chat completions,
// since this API has no finish reason.
func (c *choice) responsesFinish(status, reason string) {
	switch {
	case status == "completed":
		c.finish, c.ended = "stop", "stop"
		for _, p := range c.parts {
			if p.kind == partCall {
				c.finish, c.ended = "tool_calls", "tool_call"
			}
		}
	case reason == "max_output_tokens":
		c.finish, c.ended = reason, "length"
	case reason != "":
		c.finish, c.ended = strings.Clone(reason), strings.Clone(reason)
	case status == "failed" || status == "cancelled":
		c.finish, c.ended = strings.Clone(status), "error"
	}
}
