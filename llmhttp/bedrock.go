package llmhttp

import (
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

// bedrockRoute recognises Converse and ConverseStream, and InvokeModel of models
// whose format is that of another provider, or of embeddings.
func bedrockRoute(r *http.Request, last string, _ bool) (route, bool) {
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
		switch {
		case strings.Contains(model, "anthropic."):
			found.format = bedrockAnthropic{}
		case strings.Contains(model, "embed"):
			found.format, found.operation = bedrockEmbeddings{}, genai.Embeddings
		default:
			return route{}, false
		}
		found.stream = last != "invoke"
	default:
		return route{}, false
	}
	return found, true
}

var bedrockParams = []param{
	{"temperature", "temperature", genai.RequestTemperature, asFloat},
	{"topP", "top_p", genai.RequestTopP, asFloat},
	{"maxTokens", "max_tokens", genai.RequestMaxTokens, asInt},
	{"stopSequences", "stop_sequences", genai.RequestStopSequences, asTexts},
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
			for m := range rawjson.Elements(v) {
				x.input = append(x.input, message{role: text(get(m, "role")), parts: bedrockContent(get(m, "content"))})
			}
		case "system":
			if !x.blind {
				x.system = bedrockContent(v)
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
			for tool := range rawjson.Elements(get(v, "tools")) {
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
func bedrockContent(blocks string) []part {
	var parts []part
	for block := range rawjson.Elements(blocks) {
		if get(block, "cachePoint") == "" {
			parts = append(parts, bedrockBlock(block))
		}
	}
	return parts
}

// bedrockBlock reads a block: an object with one member, whose name is its kind.
func bedrockBlock(block string) part {
	for k, v := range rawjson.Members(block) {
		switch k {
		case "text":
			return part{kind: partText, text: text(v)}
		case "toolUse":
			return part{kind: partCall, id: text(get(v, "toolUseId")), name: text(get(v, "name")), json: get(v, "input")}
		case "toolResult":
			return part{kind: partResult, id: text(get(v, "toolUseId")), json: bedrockResult(get(v, "content"))}
		case "reasoningContent":
			if s := get(v, "reasoningText", "text"); s != "" {
				return part{kind: partReasoning, text: text(s)}
			}
		case "guardContent":
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
			if m, ok := bedrockMedia(k, v); ok {
				return m
			}
		}
	}
	return part{kind: partOther, json: block}
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
func bedrockResult(content string) string {
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
	return string(appendParts(nil, bedrockContent(content)))
}

func (bedrockConverse) answer(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "output":
			c := x.choice(0)
			x.whole(c, bedrockContent(get(v, "message", "content")))
		case "stopReason":
			x.choice(0).bedrockFinish(v)
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
func (c *choice) bedrockFinish(reason string) {
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
	default:
		c.ended = c.finish
	}
}

// bedrockTokens say where counts of tokens stand. The input is without what came
// from the cache or went into it; the total is with both.
var bedrockTokens = []tokenField{
	{"inputTokens", tokensUncached},
	{"outputTokens", tokensOutput},
	{"cacheReadInputTokens", tokensCacheRead},
	{"cacheWriteInputTokens", tokensCacheWrite},
	{"totalTokens", tokensTotal},
	{"inputTextTokenCount", tokensInput}, // of embeddings
}

// chunk reads an event of ConverseStream. The usage comes after the stop, and
// ends the stream.
func (bedrockConverse) chunk(x *exchange, event, data string) {
	index := int(number(get(data, "contentBlockIndex")))
	switch event {
	case "contentBlockStart":
		if use := get(data, "start", "toolUse"); use != "" {
			c := x.choice(0)
			x.label(c, x.piece(c, partCall, index), text(get(use, "toolUseId")), text(get(use, "name")))
			x.content = true
		}
	case "contentBlockDelta":
		for k, v := range rawjson.Members(get(data, "delta")) {
			x.bedrockDelta(x.choice(0), index, k, v)
		}
	case "messageStop":
		x.choice(0).bedrockFinish(get(data, "stopReason"))
	case "metadata":
		for k, v := range rawjson.Members(data) {
			x.bedrockRest(k, v)
		}
		x.done = true
	}
}

func (x *exchange) bedrockDelta(c *choice, index int, kind, delta string) {
	switch kind {
	case "text":
		x.add(x.piece(c, partText, index), text(delta))
	case "toolUse":
		x.add(x.piece(c, partCall, index), text(get(delta, "input")))
	case "reasoningContent":
		if s := text(get(delta, "text")); s != "" {
			x.add(x.piece(c, partReasoning, index), s)
		}
	case "citation":
		x.cite(x.piece(c, partText, index), delta)
	case "image":
		if data := get(delta, "source", "bytes"); data != "" {
			x.put(c, media("image", "", text(data)), index)
		}
	}
}

// bedrockAnthropic are calls of InvokeModel of Anthropic's models, whose bodies
// are those of Anthropic's API.
type bedrockAnthropic struct{ anthropicMessages }

func (f bedrockAnthropic) answer(x *exchange, body string) {
	if get(body, "content") == "" && get(body, "error") == "" {
		x.errorIn(body)
		return
	}
	f.anthropicMessages.answer(x, body)
}

// chunk reads an event of a stream, which holds one of Anthropic's in base64.
func (f bedrockAnthropic) chunk(x *exchange, _, data string) {
	inner, err := base64.StdEncoding.DecodeString(text(get(data, "bytes")))
	if err != nil {
		x.skipped++
		return
	}
	body, err := rawjson.Parse(string(inner))
	if err != nil {
		x.skipped++
		return
	}
	f.anthropicMessages.chunk(x, "", body)
}

// bedrockEmbeddings are calls of InvokeModel of Amazon's and Cohere's embedding
// models.
type bedrockEmbeddings struct{}

func (bedrockEmbeddings) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "inputText", "texts":
			x.texts(v)
		case "dimensions":
			x.param(openAIParams, k, v)
		case "output_dimension":
			x.param(openAIParams, "dimensions", v)
		}
	}
}

func (bedrockEmbeddings) answer(x *exchange, body string) {
	vectors := get(body, "embeddings")
	if rawjson.KindOf(vectors) == rawjson.Object { // by type of numbers
		vectors = get(vectors, "float")
	}
	if one := get(body, "embedding"); one != "" {
		vectors = "[" + one + "]"
	}
	x.vectors(vectors, "")
	x.usage.read(body, bedrockTokens)
}

func (bedrockEmbeddings) chunk(*exchange, string, string) {}
