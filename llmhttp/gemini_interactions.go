package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Gemini's Interactions API. The reference is
// https://ai.google.dev/api/interactions-api. An answer is a list of steps: what
// was thought, what was said, calls of tools and their results. Before steps there
// were outputs, a list of contents, and other names of the events, which servers
// and clients still have.

// interactionsRoute recognises POST …/interactions: on Google's hosts below any
// path, on others below a version of the API.
func interactionsRoute(r *http.Request, known bool) (route, bool) {
	found := route{format: interactions{}, provider: "gcp.gemini", operation: genai.GenerateContent}
	if strings.Contains(r.URL.Path, "/projects/") {
		found.provider = "gcp.vertex_ai"
	}
	return found, known || strings.HasSuffix(r.URL.Path, "/v1beta/interactions") || strings.HasSuffix(r.URL.Path, "/v1alpha/interactions")
}

var interactionsParams = []param{
	{"temperature", "temperature", genai.RequestTemperature, asFloat},
	{"top_p", "top_p", genai.RequestTopP, asFloat},
	{"max_output_tokens", "max_tokens", genai.RequestMaxTokens, asInt},
	{"stop_sequences", "stop_sequences", genai.RequestStopSequences, asSaid},
	{"seed", "seed", genai.RequestSeed, asInt},
	{"thinking_level", "reasoning_effort", genai.RequestReasoningLevel, asText},
	{"thinking_summaries", "thinking_summaries", "", asIs},
	{"tool_choice", "tool_choice", "", asIs},
	{"previous_interaction_id", "previous_response_id", genai.RequestPreviousResponse, asText},
	{"response_modalities", "modalities", "", asIs},
	{"response_mime_type", "response_mime_type", "", asIs},
	{"response_format", "response_format", "", asIs},
	{"safety_settings", "safety_settings", "", asIs},
	{"service_tier", "service_tier", "", asIs},
	{"cached_content", "cached_content", "", asIs},
	{"agent_config", "agent_config", "", asIs},
	{"background", "background", "", asIs},
	{"store", "store", "", asIs},
	{"labels", "request_metadata", "", asIs},
}

// interactions are calls of POST /interactions.
type interactions struct{}

func (interactions) terminated() {}

func (interactions) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "model", "agent":
			x.asked = word(v)
		case "stream":
			x.streamed = v == "true"
		case "system_instruction":
			if !x.blind {
				x.system = x.interactionsContents(v)
			}
		case "input":
			x.interactionsInput(v)
		case "tools":
			for tool := range x.elements(v) {
				name := get(tool, "name")
				if text(get(tool, "type")) != "function" {
					name = "" // one of Google's own, or of a remote server
				}
				x.tool(name, get(tool, "description"), get(tool, "parameters"), tool)
			}
		case "generation_config":
			for k, v := range rawjson.Members(v) {
				x.param(interactionsParams, k, v)
			}
		default:
			x.param(interactionsParams, k, v)
		}
	}
}

// interactionsInput reads what is asked: a text, contents, or a conversation as
// steps or as turns with roles.
func (x *exchange) interactionsInput(v string) {
	if x.blind {
		return
	}
	if rawjson.KindOf(v) == rawjson.Object {
		v = "[" + v + "]"
	}
	if rawjson.KindOf(v) == rawjson.String {
		x.input = append(x.input, message{role: "user", parts: x.alone(part{kind: partText, text: text(v)})})
		return
	}
	add := func(role string, parts []part) {
		if n := len(x.input); n > 0 && x.input[n-1].role == role && role != "tool" { // of one turn
			x.input[n-1].parts = append(x.input[n-1].parts, parts...)
			return
		}
		x.input = append(x.input, message{role: role, parts: parts})
	}
	for item := range x.elements(v) {
		role := text(get(item, "role"))
		switch kind := text(get(item, "type")); {
		case role == "model":
			x.input = append(x.input, message{role: "assistant", parts: x.interactionsContents(get(item, "content"))})
		case role != "":
			x.input = append(x.input, message{role: role, parts: x.interactionsContents(get(item, "content"))})
		case kind == "user_input":
			add("user", x.interactionsContents(get(item, "content")))
		case kind == "function_result":
			add("tool", x.interactionsStep(item))
		case isContent(kind):
			add("user", x.interactionsStep(item))
		default:
			add("assistant", x.interactionsStep(item))
		}
	}
}

func isContent(kind string) bool {
	switch kind {
	case "text", "image", "audio", "video", "document":
		return true
	}
	return false
}

// interactionsContents reads a text, a content, or a list of contents.
func (x *exchange) interactionsContents(v string) (parts []part) {
	switch rawjson.KindOf(v) {
	case rawjson.String:
		return []part{{kind: partText, text: text(v)}}
	case rawjson.Object:
		return x.interactionsStep(v)
	default:
		for c := range x.elements(v) {
			parts = append(parts, x.interactionsStep(c)...)
		}
	}
	return parts
}

// interactionsStep reads a step, or a content.
func (x *exchange) interactionsStep(step string) []part {
	switch kind := text(get(step, "type")); kind {
	case "text":
		return []part{{kind: partText, text: text(get(step, "text")), annotations: filled(get(step, "annotations"))}}
	case "image", "audio", "video", "document":
		mime := text(get(step, "mime_type"))
		if data := get(step, "data"); data != "" {
			return []part{media(kind, mime, text(data))}
		}
		return []part{{kind: partMedia, modality: kind, mime: mime, uri: text(get(step, "uri"))}}
	case "model_output": // the events of a stream do not tell its texts apart
		var parts []part
		for _, p := range x.interactionsContents(get(step, "content")) {
			if n := len(parts) - 1; n >= 0 && p.kind == partText && parts[n].kind == partText {
				parts[n].text += p.text
				parts[n].annotations = joinLists(parts[n].annotations, p.annotations)
				continue
			}
			parts = append(parts, p)
		}
		return parts
	case "user_input":
		return x.interactionsContents(get(step, "content"))
	case "thought":
		var b strings.Builder
		for c := range rawjson.Elements(get(step, "summary")) {
			b.WriteString(text(get(c, "text")))
		}
		if b.Len() == 0 {
			return nil // a signature alone
		}
		return []part{{kind: partReasoning, text: b.String()}}
	case "function_call":
		return []part{{kind: partCall, id: text(get(step, "id")), name: text(get(step, "name")), json: get(step, "arguments")}}
	case "function_result":
		return []part{{
			kind: partResult, id: text(get(step, "call_id")), name: text(get(step, "name")), json: x.interactionsResult(get(step, "result")),
			failed: get(step, "is_error") == "true",
		}}
	case "":
		return []part{typed("unknown", step)}
	default: // a tool that ran at Google, or its result
		return []part{{kind: partOther, json: withMember(step, "signature", "")}}
	}
}

// interactionsResult returns what a function gave back: contents in the shape of
// the conventions, any other value as it is.
func (x *exchange) interactionsResult(result string) string {
	for c := range rawjson.Elements(result) {
		if !isContent(text(get(c, "type"))) {
			return result
		}
	}
	if rawjson.KindOf(result) != rawjson.Array {
		return result
	}
	parts := x.interactionsContents(result)
	if len(parts) == 1 && parts[0].kind == partText {
		return quote(parts[0].text)
	}
	return string(appendParts(nil, parts))
}

func (interactions) answer(x *exchange, body string) {
	if get(body, "status") == "" && get(body, "steps") == "" && get(body, "outputs") == "" {
		x.errorIn(body)
		return
	}
	x.interaction(body)
}

// interactionsTokens are the counts of
// https://ai.google.dev/api/interactions-api#Resource:Usage. What the model thought
// comes on top of what it said, and what its tools gave it on top of the input.
var interactionsTokens = []tokenField{
	{"total_input_tokens", tokensInput},
	{"total_tool_use_tokens", tokensToolInput},
	{"total_cached_tokens", tokensCacheRead},
	{"total_output_tokens", tokensOutput},
	{"total_thought_tokens", tokensThoughts},
	{"total_reasoning_tokens", tokensThoughts}, // as they were called first
	{"total_tokens", tokensTotal},
}

// interaction reads an interaction whole, or, in the events of a stream, without
// its steps.
func (x *exchange) interaction(body string) {
	var parts []part
	status := ""
	for k, v := range rawjson.Members(body) {
		switch k {
		case "id":
			x.id = keep(x.id, v)
		case "model", "agent":
			x.model = keep(x.model, v)
		case "status":
			status = text(v)
		case "service_tier":
			x.note("response_service_tier", "", v)
		case "usage":
			x.usage.read(v, interactionsTokens)
		case "steps", "outputs":
			for step := range x.elements(v) {
				if text(get(step, "type")) == "user_input" {
					continue
				}
				parts = append(parts, x.interactionsStep(step)...)
				if e := get(step, "error"); e != "" {
					x.failWith(e)
				}
			}
		case "errors", "error":
			x.failWith(v)
		}
	}
	if len(parts) > 0 {
		x.whole(x.choice(0), parts)
	}
	x.interactionsStatus(status)
}

// interactionsStatus reads what became of an interaction, which is all that it
// says of why the model stopped.
func (x *exchange) interactionsStatus(status string) {
	if status == "" || status == "in_progress" {
		if status != "" {
			x.metadata.text("response_status", status)
		}
		return
	}
	x.metadata.text("response_status", strings.Clone(status))
	c := x.choice(0)
	x.changes++
	c.finish = strings.Clone(status)
	switch status {
	case "completed":
		c.ended = "stop"
	case "requires_action":
		c.ended = "tool_call"
	case "incomplete":
		c.ended = "length"
	case "failed", "cancelled":
		c.ended = "error"
		x.fail(status, "")
	default:
		c.ended = c.finish
	}
}

func (interactions) chunk(x *exchange, event, data string) {
	kind := text(get(data, "event_type"))
	if kind == "" {
		kind = event
	}
	index := int(number(get(data, "index")))
	switch kind {
	case "interaction.created", "interaction.start":
		x.interaction(get(data, "interaction"))
	case "interaction.status_update":
		if status := text(get(data, "status")); status != "completed" { // which has an event of its own
			x.interactionsStatus(status)
		}
		x.usage.read(get(data, "usage"), interactionsTokens)
	case "step.start", "content.start":
		step := get(data, "step")
		if step == "" {
			step = get(data, "content")
		}
		x.interactionsStart(index, step)
	case "step.delta", "content.delta":
		x.interactionsDelta(x.choice(0), index, get(data, "delta"))
	case "step.stop":
		x.usage.read(get(data, "usage"), interactionsTokens)
	case "interaction.completed", "interaction.complete":
		x.interaction(get(data, "interaction"))
		x.content = false
		x.done = true
	case "error":
		x.done = x.errorIn(data)
	}
}

// interactionsStart begins a step.
func (x *exchange) interactionsStart(index int, step string) {
	c := x.choice(0)
	for _, p := range x.interactionsStep(step) {
		switch p.kind {
		case partText, partReasoning:
			q := x.follow(c, p.kind, index)
			x.add(q, p.text)
			x.interactionsCite(q, p.annotations)
		case partCall:
			q := x.piece(c, partCall, index)
			x.label(c, q, p.id, p.name)
			q.json = x.kept(p.json) // which deltas replace
			x.content = true
		case partMedia:
			if p.uri != "" || p.size > 0 {
				x.put(c, p, index)
			}
		default:
			x.put(c, p, index)
		}
	}
}

// interactionsDelta adds to a step.
func (x *exchange) interactionsDelta(c *choice, index int, delta string) {
	switch kind := text(get(delta, "type")); kind {
	case "text":
		p := x.follow(c, partText, index)
		x.add(p, text(get(delta, "text")))
		x.interactionsCite(p, get(delta, "annotations"))
	case "text_annotation_delta", "text_annotation":
		x.interactionsCite(x.piece(c, partText, index), get(delta, "annotations"))
	case "thought_summary":
		x.add(x.follow(c, partReasoning, index), text(get(delta, "content", "text")))
	case "thought":
		x.add(x.follow(c, partReasoning, index), text(get(delta, "text")))
	case "arguments_delta":
		x.add(x.piece(c, partCall, index), text(get(delta, "arguments")))
	case "function_call":
		p := x.piece(c, partCall, index)
		x.label(c, p, text(get(delta, "id")), text(get(delta, "name")))
		if args := get(delta, "arguments"); rawjson.KindOf(args) == rawjson.String {
			x.add(p, text(args))
		} else {
			x.changes++
			p.json = x.kept(args)
		}
		x.content = true
	case "audio": // in pieces
		p := x.follow(c, partMedia, index)
		if p.mime == "" {
			p.modality, p.mime, p.uri = kind, word(get(delta, "mime_type")), word(get(delta, "uri"))
		}
		x.digest(p, text(get(delta, "data")))
	case "image", "video", "document":
		for _, p := range x.interactionsStep(delta) {
			x.put(c, p, index)
		}
	case "", "thought_signature":
	default: // a tool that ran at Google, or its result
		x.interactionsMerge(c, index, delta)
	}
}

func (x *exchange) interactionsCite(p *piece, list string) {
	for a := range rawjson.Elements(list) {
		x.cite(p, a)
	}
}

// interactionsMerge adds what a delta says of a tool, or of a result.
func (x *exchange) interactionsMerge(c *choice, index int, delta string) {
	p := x.find(c, partOther, index)
	if p == nil {
		p = x.find(c, partResult, index)
	}
	if p == nil {
		for _, p := range x.interactionsStep(delta) {
			x.put(c, p, index)
		}
		return
	}
	if p.kind == partResult {
		p.failed = p.failed || get(delta, "is_error") == "true"
		p.fold = func(json, more string) string {
			return x.interactionsResult(get(mergedDeltas(withMember("", "result", json), more), "result"))
		}
	} else {
		p.fold = mergedDeltas
	}
	x.append(p, delta)
}

// mergedDeltas adds to an object what deltas say of it: lists and the text of a
// result go on, other values are set.
func mergedDeltas(json, deltas string) string {
	var keys []string
	values := make(map[string][]string)
	take := func(object string) {
		for k, v := range rawjson.Members(object) {
			switch {
			case k == "signature":
			case values[k] == nil:
				keys = append(keys, k)
				values[k] = []string{v}
			case k != "type":
				values[k] = append(values[k], v)
			}
		}
	}
	take(json)
	for d := range rawjson.Elements("[" + strings.TrimSuffix(deltas, ",") + "]") {
		take(d)
	}
	var o object
	for _, k := range keys {
		all := values[k]
		value := all[len(all)-1]
		switch rawjson.KindOf(value) {
		case rawjson.Array:
			if value = joinLists(all...); value == "" {
				value = "[]"
			}
		case rawjson.String:
			if k != "result" {
				break
			}
			var b strings.Builder
			for _, v := range all {
				b.WriteString(text(v))
			}
			value = quote(b.String())
		default:
		}
		o.json(k, value)
	}
	return string(o.bytes())
}
