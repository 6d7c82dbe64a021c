package llmhttp

import (
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// responses are calls of /responses. The items of an answer become the parts of
// one message. A stream ends with the whole response; what was said until then
// is put together for streams that break.
type responses struct{}

func (responses) terminated() {}

func (responses) request(x *exchange, body string) {
	x.note("api_type", genai.OpenAIAPIType, `"responses"`)
	for k, v := range rawjson.Members(body) {
		switch k {
		case "instructions":
			if s := text(v); s != "" && !x.blind {
				x.system = append(x.system, part{kind: partText, text: s})
			}
		case "input":
			x.responsesInput(v)
		case "conversation":
			x.attribute(genai.ConversationID, v)
			x.attribute(genai.ConversationID, get(v, "id"))
		case "reasoning":
			x.param(openAIParams, "reasoning_effort", get(v, "effort"))
		case "text":
			if format := get(v, "format"); format != "" {
				x.outputType(format)
			}
		default:
			x.openAICommon(k, v)
		}
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
	for item := range rawjson.Elements(v) {
		kind := text(get(item, "type"))
		role := text(get(item, "role"))
		switch {
		case kind == "message" || kind == "" && role != "":
			x.input = append(x.input, message{role: role, parts: x.openAIContent(nil, get(item, "content"))})
		case strings.HasSuffix(kind, "_output"):
			x.input = append(x.input, message{role: "tool", parts: x.responsesItem(item)})
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
	case "function_call", "custom_tool_call":
		args := get(item, "arguments")
		if args == "" {
			args = get(item, "input")
		}
		return []part{{kind: partCall, id: text(get(item, "call_id")), name: text(get(item, "name")), json: arguments(text(args))}}
	case "reasoning":
		s := joined(get(item, "summary"))
		if c := joined(get(item, "content")); c != "" {
			s = c
		}
		if s == "" {
			return nil // encrypted, or empty
		}
		return []part{{kind: partReasoning, text: s}}
	case "image_generation_call":
		if data := text(get(item, "result")); data != "" {
			return []part{media("image", "", data)}
		}
	}
	if strings.HasSuffix(kind, "_output") {
		return []part{{kind: partResult, id: text(get(item, "call_id")), json: flat(get(item, "output"))}}
	}
	return []part{{kind: partOther, json: item}}
}

func (responses) answer(x *exchange, body string) {
	x.response(body)
}

// response reads a response whole.
func (x *exchange) response(body string) {
	var output, status, reason string
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
			x.failWith(v)
		default:
			x.openAIHead(k, v)
		}
	}
	if status == "failed" {
		x.fail("failed", "")
	}
	if output == "" || output == "[]" && status != "completed" {
		return
	}
	var parts []part
	for item := range rawjson.Elements(output) {
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
		}
	case "response.completed", "response.incomplete", "response.failed":
		x.response(get(data, "response"))
		x.content = false
		x.done = true
		if c := x.choices; len(c) == 1 && c[0].finish == "" {
			c[0].responsesFinish(strings.TrimPrefix(kind, "response."), text(get(data, "response", "incomplete_details", "reason")))
		}
	case "error":
		x.errorIn(data)
		x.done = true
	default:
		x.responsesDelta(kind, data)
	}
}

// responsesDelta adds to an item. Items are told apart by their index in the
// output, and the parts of one by theirs.
func (x *exchange) responsesDelta(kind, data string) {
	key := int(number(get(data, "output_index")))<<12 + int(number(get(data, "content_index"))+number(get(data, "summary_index")))
	delta := text(get(data, "delta"))
	switch kind {
	case "response.output_text.delta":
		x.add(x.piece(x.choice(0), partText, key), delta)
	case "response.refusal.delta":
		x.add(x.piece(x.choice(0), partRefusal, key), delta)
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		x.add(x.piece(x.choice(0), partReasoning, key), delta)
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		x.add(x.piece(x.choice(0), partCall, key), delta)
	case "response.output_item.added":
		item := get(data, "item")
		switch text(get(item, "type")) {
		case "function_call", "custom_tool_call":
			c := x.choice(0)
			x.label(c, x.piece(c, partCall, key), text(get(item, "call_id")), text(get(item, "name")))
			x.content = true
		}
	}
}
