package llmhttp

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Amazon Bedrock. The reference is
// https://docs.aws.amazon.com/bedrock/latest/APIReference. The model stands in
// the path, as an id or an ARN: /model/MODEL/converse. Streams are binary; see
// eventstream.go. Requests are signed: nothing of them is ever changed.

// bedrockRoute recognises Converse and ConverseStream, and InvokeModel, whose
// format is that of the model; see bedrock_invoke.go.
func bedrockRoute(r *http.Request, last string, _ bool) (route, bool) {
	if strings.HasPrefix(last, "retrieve") {
		return bedrockKnowledgeRoute(r, last)
	}
	_, model, ok := strings.Cut(strings.TrimSuffix(r.URL.Path, "/"+last), "/model/")
	if !ok || model == "" {
		return route{}, false
	}
	found := route{provider: "aws.bedrock", operation: genai.Chat, model: model}
	switch last {
	case "converse":
		found.format = bedrockConverse{}
	case "converse-stream":
		found.format, found.stream = bedrockConverse{}, true
	case "invoke", "invoke-with-response-stream":
		found.stream = last != "invoke"
		return found, found.invoke()
	default:
		return route{}, false
	}
	return found, true
}

var bedrockParams = []param{
	{"temperature", "temperature", genai.RequestTemperature, asFloat},
	{"topP", "top_p", genai.RequestTopP, asFloat},
	{"maxTokens", "max_tokens", genai.RequestMaxTokens, asInt},
	{"stopSequences", "stop_sequences", genai.RequestStopSequences, asSaid},
	{"toolChoice", "tool_choice", "", asIs},
	{"additionalModelRequestFields", "additional_model_request_fields", "", asIs},
	{"performanceConfig", "performance_config", "", asIs},
	{"outputConfig", "output_config", "", asIs},
	{"guardrailConfig", "guardrail_config", "", asIs},
	{"requestMetadata", "request_metadata", "", asIs},
	{"serviceTier", "service_tier", "", asIs},
}

// bedrockConverse are calls of Converse and ConverseStream.
type bedrockConverse struct{}

func (bedrockConverse) terminated() {}

func (bedrockConverse) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "messages":
			if x.blind {
				continue
			}
			for m := range x.elements(v) {
				x.input = append(x.input, message{role: text(get(m, "role")), parts: x.bedrockContent(get(m, "content"))})
			}
		case "system":
			if !x.blind {
				x.system = x.bedrockContent(v)
			}
		case "promptVariables":
			if !x.blind {
				x.inputs.json("prompt_variables", v)
			}
		case "inferenceConfig":
			for k, v := range rawjson.Members(v) {
				x.param(bedrockParams, k, v)
			}
		case "toolConfig":
			x.param(bedrockParams, "toolChoice", get(v, "toolChoice"))
			for tool := range x.elements(get(v, "tools")) {
				if spec := get(tool, "toolSpec"); spec != "" {
					x.tool(get(spec, "name"), get(spec, "description"), get(spec, "inputSchema", "json"), tool)
				} else if get(tool, "cachePoint") == "" {
					x.tool("", "", "", tool)
				}
			}
		default:
			if k == "guardrailConfig" {
				x.attribute(genai.BedrockGuardrailID, get(v, "guardrailIdentifier"))
			}
			x.param(bedrockParams, k, v)
		}
	}
}

// bedrockContent reads blocks of content. Marks of what is to be cached are none.
func (x *exchange) bedrockContent(blocks string) []part {
	var parts []part
	for block := range x.elements(blocks) {
		if get(block, "cachePoint") == "" {
			parts = append(parts, x.bedrockBlock(block))
		}
	}
	return parts
}

// bedrockBlock reads a block: an object with one member, whose name is its kind.
func (x *exchange) bedrockBlock(block string) part {
	kind := ""
	for k, v := range rawjson.Members(block) {
		switch k {
		case "text":
			return part{kind: partText, text: text(v)}
		case "toolUse":
			return part{kind: partCall, id: text(get(v, "toolUseId")), name: text(get(v, "name")), json: get(v, "input")}
		case "toolResult":
			return part{kind: partResult, id: text(get(v, "toolUseId")), json: x.bedrockResult(get(v, "content")), failed: text(get(v, "status")) == "error"}
		case "reasoningContent":
			kind = k
			if s := get(v, "reasoningText", "text"); s != "" {
				return part{kind: partReasoning, text: text(s)}
			}
		case "guardContent":
			kind = k
			if s := get(v, "text", "text"); s != "" {
				return part{kind: partText, text: text(s)}
			}
		case "citationsContent":
			var b strings.Builder
			for c := range rawjson.Elements(get(v, "content")) {
				b.WriteString(text(get(c, "text")))
			}
			return part{kind: partText, text: b.String(), annotations: filled(get(v, "citations"))}
		case "image", "video", "audio", "document":
			kind = k
			if m, ok := bedrockMedia(k, v); ok {
				return m
			}
		default:
			kind = cmp.Or(kind, k)
		}
	}
	return typed(cmp.Or(kind, "unknown"), block)
}

// bedrockMedia reads media that are given by their bytes or by where they are.
func bedrockMedia(modality, v string) (part, bool) {
	mime := modality + "/" + text(get(v, "format"))
	if modality == "document" {
		if mime = ""; text(get(v, "format")) == "pdf" {
			mime = "application/pdf"
		}
	}
	var m part
	if data := get(v, "source", "bytes"); data != "" {
		m = media(modality, mime, text(data))
	} else if uri := get(v, "source", "s3Location", "uri"); uri != "" {
		m = part{kind: partMedia, modality: modality, mime: mime, uri: text(uri)}
	} else {
		return part{}, false
	}
	m.name = text(get(v, "name"))
	return m, true
}

// bedrockResult returns the content of a tool's result: one text as a string, one
// value as it is.
func (x *exchange) bedrockResult(content string) string {
	var only string
	n := 0
	for block := range rawjson.Elements(content) {
		only = block
		n++
	}
	if n == 1 {
		if v := get(only, "json"); v != "" {
			return v
		}
		if v := get(only, "text"); v != "" {
			return v
		}
	}
	return string(appendParts(nil, x.bedrockContent(content)))
}

func (bedrockConverse) answer(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "output":
			c := x.choice(0)
			x.whole(c, x.bedrockContent(get(v, "message", "content")))
		case "stopReason":
			x.bedrockFinish(v)
		default:
			x.bedrockRest(k, v)
		}
	}
}

// bedrockRest reads what both kinds of answers have besides the message.
func (x *exchange) bedrockRest(field, value string) {
	switch field {
	case "usage":
		x.usage.read(value, bedrockTokens)
	case "metrics":
		if ms := get(value, "latencyMs"); rawjson.KindOf(ms) == rawjson.Number {
			x.metadata.json("latency_ms", strings.Clone(ms))
		}
	case "serviceTier":
		x.note("response_service_tier", "", get(value, "type"))
	}
}

// awsErrorType returns the type of an error from its header, which may have an
// address behind it.
func awsErrorType(h http.Header) string {
	kind, _, _ := strings.Cut(h.Get("X-Amzn-Errortype"), ":")
	return kind
}

// bedrockFinish reads why the model stopped.
func (x *exchange) bedrockFinish(reason string) {
	c := x.choice(0)
	x.changes++
	switch c.finish = word(reason); c.finish {
	case "end_turn", "stop_sequence":
		c.ended = "stop"
	case "max_tokens", "model_context_window_exceeded":
		c.ended = "length"
	case "tool_use":
		c.ended = "tool_call"
	case "guardrail_intervened", "content_filtered":
		c.ended = "content_filter"
	case "malformed_model_output", "malformed_tool_use":
		c.ended = "error"
		x.fail(c.finish, "")
	default:
		c.ended = c.finish
	}
}

// bedrockTokens are the counts of
// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html,
// and under other names those of InvokeModel of Nova. The input is without what
// came from the cache or went into it; the total is with both.
var bedrockTokens = []tokenField{
	{"inputTokens", tokensUncached},
	{"outputTokens", tokensOutput},
	{"cacheReadInputTokens", tokensCacheRead},
	{"cacheWriteInputTokens", tokensCacheWrite},
	{"cacheReadInputTokenCount", tokensCacheRead},
	{"cacheWriteInputTokenCount", tokensCacheWrite},
	{"totalTokens", tokensTotal},
}

// The two events that end ConverseStream. The usage comes after the stop, as is
// documented, but not always.
const (
	bedrockStopped = 1 << iota
	bedrockCounted
)

// chunk reads an event of ConverseStream.
func (bedrockConverse) chunk(x *exchange, event, data string) {
	index := int(number(get(data, "contentBlockIndex")))
	switch event {
	case "contentBlockStart":
		for k, v := range rawjson.Members(get(data, "start")) {
			x.bedrockStart(x.choice(0), index, k, v)
		}
	case "contentBlockDelta":
		for k, v := range rawjson.Members(get(data, "delta")) {
			x.bedrockDelta(x.choice(0), index, k, v)
		}
	case "messageStop":
		x.bedrockFinish(get(data, "stopReason"))
		x.ends |= bedrockStopped
	case "metadata":
		for k, v := range rawjson.Members(data) {
			x.bedrockRest(k, v)
		}
		x.ends |= bedrockCounted
	}
	x.done = x.done || x.ends == bedrockStopped|bedrockCounted
}

func (x *exchange) bedrockStart(c *choice, index int, kind, start string) {
	switch kind {
	case "toolUse":
		p := x.piece(c, partCall, index)
		x.label(c, p, text(get(start, "toolUseId")), text(get(start, "name")))
		p.json = "{}" // which deltas replace
	case "toolResult": // of a tool that ran at the provider
		p := x.piece(c, partResult, index)
		x.label(c, p, text(get(start, "toolUseId")), "")
		p.failed, p.json = text(get(start, "status")) == "error", "[]"
	case "image":
		p := x.piece(c, partMedia, index)
		p.modality, p.mime = "image", "image/"+word(get(start, "format"))
	default:
		return
	}
	x.content = true
}

func (x *exchange) bedrockDelta(c *choice, index int, kind, delta string) {
	switch kind {
	case "text":
		x.add(x.piece(c, partText, index), text(delta))
	case "toolUse":
		x.add(x.piece(c, partCall, index), text(get(delta, "input")))
	case "toolResult":
		p := x.piece(c, partResult, index)
		p.fold = func(_, more string) string {
			return x.bedrockResult(joinedTexts("[" + strings.TrimSuffix(more, ",") + "]"))
		}
		for block := range rawjson.Elements(delta) {
			x.append(p, block)
		}
	case "reasoningContent":
		if data := text(get(delta, "redactedContent")); data != "" {
			x.bedrockRedacted(c, index, data)
			return
		}
		x.add(x.piece(c, partReasoning, index), text(get(delta, "text")))
	case "citation":
		x.cite(x.piece(c, partText, index), delta)
	case "image":
		x.bedrockImage(x.piece(c, partMedia, index), delta)
	}
}

// bedrockRedacted adds to what was thought and is encrypted.
func (x *exchange) bedrockRedacted(c *choice, index int, data string) {
	p := x.find(c, partOther, index)
	if p == nil {
		x.put(c, typed("reasoningContent", `{"reasoningContent":{"redactedContent":""}}`), index)
		if p = x.find(c, partOther, index); p == nil {
			return
		}
		p.fold = func(json, more string) string {
			return withMember(json, "reasoningContent", `{"redactedContent":`+quote(joinedBase64(more))+`}`)
		}
	}
	x.append(p, data)
}

// joinedBase64 returns as one what pieces of base64 stand for.
func joinedBase64(pieces string) string {
	var all []byte
	for s := range strings.SplitSeq(pieces, ",") {
		all, _ = base64.StdEncoding.AppendDecode(all, []byte(s))
	}
	return base64.StdEncoding.EncodeToString(all)
}

// bedrockImage takes a piece of an image that the model made, or why there is none.
func (x *exchange) bedrockImage(p *piece, delta string) {
	if e := get(delta, "error"); e != "" {
		image := withMember(`{"format":`+quote(strings.TrimPrefix(p.mime, "image/"))+`}`, "error", e)
		if image = x.kept(image); image != "" {
			p.part = typed("image", `{"image":`+image+`}`)
		}
		x.changes++
		return
	}
	x.digest(p, text(get(delta, "source", "bytes")))
	if uri := word(get(delta, "source", "s3Location", "uri")); uri != "" && !x.blind {
		x.changes++
		p.uri = uri
	}
}

// joinedTexts returns blocks of content with neighbouring texts as one.
func joinedTexts(blocks string) string {
	dst := []byte{'['}
	var texts []string
	flush := func() {
		if texts != nil {
			dst = append(append(comma(dst), `{"text":`...), quote(strings.Join(texts, ""))...)
			dst = append(dst, '}')
		}
		texts = nil
	}
	for block := range rawjson.Elements(blocks) {
		if t := get(block, "text"); t != "" {
			texts = append(texts, text(t))
			continue
		}
		flush()
		dst = append(comma(dst), block...)
	}
	flush()
	return string(append(dst, ']'))
}
