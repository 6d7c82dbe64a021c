package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Anthropic's messages. The reference is https://docs.anthropic.com/en/api.

// anthropicRoute recognises /v1/messages, and the paths of Vertex AI, which name
// the model. On hosts that are not known the header that every request to this
// API has must be there.
func anthropicRoute(r *http.Request, last string, known bool) (route, bool) {
	found := route{format: anthropicMessages{}, provider: "anthropic", operation: genai.Chat}
	if model, method, ok := strings.Cut(last, ":"); ok {
		found.provider, found.model, found.stream = "gcp.vertex_ai", model, method == "streamRawPredict"
		return found, (found.stream || method == "rawPredict") && strings.Contains(r.URL.Path, "/publishers/anthropic/")
	}
	if last != "messages" || !strings.HasSuffix(r.URL.Path, "/v1/messages") {
		return route{}, false
	}
	return found, known || len(r.Header["Anthropic-Version"]) > 0
}

var anthropicParams = []param{
	{"temperature", "temperature", genai.RequestTemperature, asFloat},
	{"top_p", "top_p", genai.RequestTopP, asFloat},
	{"top_k", "top_k", genai.RequestTopK, asInt},
	{"max_tokens", "max_tokens", genai.RequestMaxTokens, asInt},
	{"stop_sequences", "stop_sequences", genai.RequestStopSequences, asSaid},
	{"tool_choice", "tool_choice", "", asIs},
	{"thinking", "thinking", "", asIs},
	{"service_tier", "service_tier", "", asIs},
	{"metadata", "request_metadata", "", asIs},
}

// anthropicMessages are calls of /v1/messages.
type anthropicMessages struct{}

func (anthropicMessages) terminated() {}

func (anthropicMessages) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "model":
			x.asked = word(v)
		case "stream":
			x.streamed = v == "true"
		case "system":
			if !x.blind {
				x.system = x.anthropicContent(v)
			}
		case "messages":
			if x.blind {
				continue
			}
			for m := range x.elements(v) {
				x.input = append(x.input, message{role: text(get(m, "role")), parts: x.anthropicContent(get(m, "content"))})
			}
		case "tools":
			for tool := range x.elements(v) {
				name := get(tool, "name")
				if get(tool, "input_schema") == "" {
					name = "" // one of Anthropic's own
				}
				x.tool(name, get(tool, "description"), get(tool, "input_schema"), tool)
			}
		case "output_config":
			x.param(openAIParams, "reasoning_effort", get(v, "effort"))
		default:
			x.param(anthropicParams, k, v)
		}
	}
}

// anthropicContent reads text, or a list of blocks.
func (x *exchange) anthropicContent(content string) []part {
	if rawjson.KindOf(content) == rawjson.String {
		return []part{{kind: partText, text: text(content)}}
	}
	var parts []part
	for block := range x.elements(content) {
		parts = append(parts, x.anthropicBlock(block))
	}
	return parts
}

// anthropicBlock reads a block. Those of tools that run at the provider, and their
// results, are kept as they are.
func (x *exchange) anthropicBlock(block string) part {
	kind := text(get(block, "type"))
	if kind == "" && get(block, "text") != "" {
		kind = "text"
	}
	switch kind {
	case "":
		return typed("unknown", block)
	case "text":
		return part{kind: partText, text: text(get(block, "text")), annotations: filled(get(block, "citations"))}
	case "thinking":
		return part{kind: partReasoning, text: text(get(block, "thinking"))}
	case "tool_use":
		return part{kind: partCall, id: text(get(block, "id")), name: text(get(block, "name")), json: get(block, "input")}
	case "tool_result":
		return part{kind: partResult, id: text(get(block, "tool_use_id")), json: x.anthropicResult(get(block, "content")), failed: get(block, "is_error") == "true"}
	case "image", "document", "video", "audio":
		modality := kind
		source := get(block, "source")
		switch text(get(source, "type")) {
		case "base64":
			return media(modality, text(get(source, "media_type")), text(get(source, "data")))
		case "url":
			return part{kind: partMedia, modality: modality, uri: text(get(source, "url"))}
		case "file":
			return part{kind: partMedia, modality: modality, fileID: text(get(source, "file_id"))}
		}
	}
	return part{kind: partOther, json: block}
}

// anthropicResult returns the content of a tool's result: text alone as a string.
func (x *exchange) anthropicResult(content string) string {
	if rawjson.KindOf(content) != rawjson.Array {
		return content
	}
	parts := x.anthropicContent(content)
	if len(parts) == 1 && parts[0].kind == partText {
		return quote(parts[0].text)
	}
	return string(appendParts(nil, parts))
}

func (anthropicMessages) answer(x *exchange, body string) {
	if text(get(body, "type")) == "error" || get(body, "content") == "" {
		x.errorIn(body)
		return
	}
	x.anthropicHead(body)
	c := x.choice(0)
	x.whole(c, x.anthropicContent(get(body, "content")))
	c.anthropicFinish(get(body, "stop_reason"))
	x.anthropicUsage(get(body, "usage"))
}

func (x *exchange) anthropicHead(m string) {
	x.id, x.model = word(get(m, "id")), word(get(m, "model"))
}

// anthropicFinish reads why the model stopped.
func (c *choice) anthropicFinish(reason string) {
	if c.finish = word(reason); c.finish == "" {
		return
	}
	switch c.finish {
	case "end_turn", "stop_sequence", "pause_turn":
		c.ended = "stop"
	case "max_tokens", "model_context_window_exceeded":
		c.ended = "length"
	case "tool_use":
		c.ended = "tool_call"
	case "refusal":
		c.ended = "content_filter"
	default:
		c.ended = c.finish
	}
}

// anthropicTokens are the counts of https://docs.anthropic.com/en/api/messages,
// cumulative in a stream: the input without what came from the cache or went into
// it, the output with what was thought.
var anthropicTokens = []tokenField{
	{"input_tokens", tokensUncached},
	{"cache_read_input_tokens", tokensCacheRead},
	{"cache_creation_input_tokens", tokensCacheWrite}, // or the sum of those in cache_creation
	{"output_tokens", tokensOutput},
	{"output_tokens_details.thinking_tokens", tokensReasoning},
}

// anthropicUsage reads counts. Those of compactions and of advisors are in none
// of the sums, so what they cost is kept beside.
func (x *exchange) anthropicUsage(counts string) {
	x.usage.read(counts, anthropicTokens)
	written := int64(0)
	for k, v := range rawjson.Members(get(counts, "cache_creation")) {
		if strings.HasSuffix(k, "_input_tokens") {
			written += number(v)
		}
	}
	if written > 0 {
		x.usage.add(tokensCacheWrite, written)
	}
	x.note("response_service_tier", "", get(counts, "service_tier"))
	if list := filled(get(counts, "iterations")); list != "" {
		x.metadata.json("usage_iterations", strings.Clone(list))
	}
}

func (anthropicMessages) chunk(x *exchange, event, data string) {
	kind := text(get(data, "type"))
	if kind == "" || event == "error" {
		kind = event
	}
	if kind == "" && get(data, "error") != "" {
		kind = "error"
	}
	switch kind {
	case "message_start":
		m := get(data, "message")
		x.anthropicHead(m)
		x.anthropicUsage(get(m, "usage"))
	case "content_block_start":
		x.anthropicStart(int(number(get(data, "index"))), get(data, "content_block"))
	case "content_block_delta":
		x.anthropicDelta(int(number(get(data, "index"))), get(data, "delta"))
	case "message_delta":
		if reason := get(data, "delta", "stop_reason"); reason != "" {
			x.choice(0).anthropicFinish(reason)
		}
		x.anthropicUsage(get(data, "usage"))
		x.anthropicUsage(get(data, "delta", "usage"))
	case "message_stop":
		x.anthropicUsage(get(data, "usage"))
		x.done = true
	case "error":
		x.errorIn(data)
		x.done = true
	}
}

// anthropicStart begins a block. Those that hold something from the start keep
// it: calls and results of tools that run at the provider, above all.
func (x *exchange) anthropicStart(index int, block string) {
	b := x.anthropicBlock(block)
	c := x.choice(0)
	switch b.kind {
	case partText, partReasoning:
		p := x.piece(c, b.kind, index)
		x.add(p, b.text)
		for citation := range rawjson.Elements(b.annotations) {
			x.cite(p, citation)
		}
	case partCall:
		p := x.piece(c, partCall, index)
		x.label(c, p, b.id, b.name)
		p.json = x.kept(b.json) // which deltas replace
		x.content = true
	default:
		x.put(c, b, index)
	}
}

func (x *exchange) anthropicDelta(index int, delta string) {
	c := x.choice(0)
	switch text(get(delta, "type")) {
	case "text_delta":
		x.add(x.piece(c, partText, index), text(get(delta, "text")))
	case "thinking_delta":
		x.add(x.piece(c, partReasoning, index), text(get(delta, "thinking")))
	case "input_json_delta":
		p := x.find(c, partOther, index)
		if p == nil {
			p = x.piece(c, partCall, index)
		}
		x.add(p, text(get(delta, "partial_json")))
	case "citations_delta":
		x.cite(x.piece(c, partText, index), get(delta, "citation"))
	case "compaction_delta":
		if p := x.find(c, partOther, index); p != nil {
			p.fold = func(json, more string) string { return withMember(json, "content", quote(more)) }
			x.add(p, text(get(delta, "content")))
		}
	}
}
