package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Cohere's own API: embed, and what both versions of chat have in common. The
// reference is https://docs.cohere.com/reference. OpenAI's API, which Cohere has
// too, is in openai.go.

// cohereRoute recognises chat and embed on hosts that are known: the paths say too
// little for others.
func cohereRoute(r *http.Request, last string, known bool) (route, bool) {
	version, ok := strings.CutSuffix(r.URL.Path, "/"+last)
	if !ok || !known {
		return route{}, false
	}
	found := route{provider: "cohere", operation: genai.Chat}
	switch last {
	case "chat":
		found.format = cohereChatV2{}
		if strings.HasSuffix(version, "/v1") {
			found.format, found.lines = cohereChatV1{}, true
		}
	case "embed":
		found.format, found.operation = cohereEmbeddings{}, genai.Embeddings
	default:
		return route{}, false
	}
	return found, strings.HasSuffix(version, "/v1") || strings.HasSuffix(version, "/v2")
}

var cohereParams = []param{
	{"temperature", "temperature", genai.RequestTemperature, asFloat},
	{"p", "top_p", genai.RequestTopP, asFloat},
	{"k", "top_k", genai.RequestTopK, asInt},
	{"max_tokens", "max_tokens", genai.RequestMaxTokens, asInt},
	{"stop_sequences", "stop_sequences", genai.RequestStopSequences, asSaid},
	{"frequency_penalty", "frequency_penalty", genai.RequestFrequencyPenalty, asFloat},
	{"presence_penalty", "presence_penalty", genai.RequestPresencePenalty, asFloat},
	{"seed", "seed", genai.RequestSeed, asInt},
	{"output_dimension", "dimensions", genai.EmbeddingsDimensions, asInt},
	{"embedding_types", "encoding_format", genai.RequestEncodingFormats, asTexts},
	{"input_type", "input_type", "", asIs},
	{"truncate", "truncate", "", asIs},
	{"tool_choice", "tool_choice", "", asIs},
	{"strict_tools", "strict_tools", "", asIs},
	{"thinking", "thinking", "", asIs},
	{"logprobs", "logprobs", "", asIs},
	{"citation_options", "citation_options", "", asIs},
	{"citation_quality", "citation_quality", "", asIs},
	{"safety_mode", "safety_mode", "", asIs},
	{"prompt_truncation", "prompt_truncation", "", asIs},
	{"search_queries_only", "search_queries_only", "", asIs},
	{"force_single_step", "force_single_step", "", asIs},
	{"max_input_tokens", "max_input_tokens", "", asIs},
}

// cohereCommon reads a field that both versions of chat have. Documents are what
// the answer is to be made from: they are kept with what is asked.
func (x *exchange) cohereCommon(field, value string) {
	switch field {
	case "model":
		x.asked = word(value)
	case "stream":
		x.streamed = value == "true"
	case "response_format":
		x.outputType(value)
	case "conversation_id":
		x.attribute(genai.ConversationID, value)
	case "documents":
		if list := filled(value); list != "" && !x.blind {
			x.inputs.json("documents", list)
		}
	case "connectors":
		if list := filled(value); list != "" && !x.blind {
			x.config.json("connectors", list)
		}
	default:
		x.param(cohereParams, field, value)
	}
}

// cohereTokens are the counts of https://docs.cohere.com/reference/chat. What is
// billed is counted otherwise, and kept beside.
var cohereTokens = []tokenField{
	{"tokens.input_tokens", tokensInput},
	{"tokens.output_tokens", tokensOutput},
	{"cached_tokens", tokensCacheRead},
}

func (x *exchange) cohereUsage(counts string) {
	x.usage.read(counts, cohereTokens)
	x.metadata.json("billed_units", strings.Clone(get(counts, "billed_units")))
}

// cohereFinish reads why the model stopped.
func (x *exchange) cohereFinish(reason, message string) {
	c := x.choice(0)
	if w := word(reason); w != "" {
		c.finish = w
	}
	x.changes++
	switch c.finish {
	case "":
	case "COMPLETE", "STOP_SEQUENCE", "USER_CANCEL":
		c.ended = "stop"
	case "MAX_TOKENS", "ERROR_LIMIT":
		c.ended = "length"
	case "TOOL_CALL":
		c.ended = "tool_call"
	case "ERROR_TOXIC":
		c.ended = "content_filter"
	case "ERROR", "TIMEOUT":
		c.ended = "error"
		x.fail(c.finish, message)
	default:
		c.ended = strings.ToLower(c.finish)
	}
	if c.ended != "error" && message != "" {
		x.fail(c.finish, message)
	}
}

// cohereEmbeddings are calls of embed, of both versions.
type cohereEmbeddings struct{}

func (cohereEmbeddings) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "texts":
			if filled(v) != "" {
				x.texts(v)
			}
		case "images":
			x.embedImages(v)
		case "inputs":
			x.cohereInputs(v)
		case "model":
			x.asked = word(v)
		default:
			x.param(cohereParams, k, v)
		}
	}
}

// embedImages reads images that are to be embedded: URLs that hold them, or base64.
func (x *exchange) embedImages(list string) {
	if list = filled(list); list == "" {
		return
	}
	var parts []part
	for image := range x.elements(list) {
		if url := text(image); strings.HasPrefix(url, "data:") || strings.Contains(url, "://") {
			parts = append(parts, mediaURL("image", url))
		} else {
			parts = append(parts, media("image", "", url))
		}
	}
	x.config.count("inputs", int64(len(parts)))
	if !x.blind {
		x.inputs.json("images", string(appendParts(nil, parts)))
	}
}

// cohereInputs reads what is to be embedded where it is texts and images together.
func (x *exchange) cohereInputs(list string) {
	count := int64(0)
	dst := []byte{'['}
	for in := range rawjson.Elements(list) {
		count++
		var parts []part
		for p := range x.elements(get(in, "content")) {
			parts = append(parts, openAIPart(p))
		}
		dst = appendParts(comma(dst), parts)
	}
	x.config.count("inputs", count)
	if !x.blind {
		x.inputs.json("contents", string(append(dst, ']')))
	}
}

func (cohereEmbeddings) answer(x *exchange, body string) {
	vectors, packed := get(body, "embeddings"), false
	if byType := vectors; rawjson.KindOf(byType) == rawjson.Object {
		for _, kind := range [...]string{"float", "base64", "int8", "uint8", "binary", "ubinary"} {
			if vectors = filled(get(byType, kind)); vectors != "" {
				packed = strings.HasSuffix(kind, "binary")
				break
			}
		}
	}
	if packed {
		x.packedVectors(vectors)
	} else {
		x.vectors(vectors, "")
	}
	x.id = word(get(body, "id"))
	meta := get(body, "meta")
	x.usage.read(meta, cohereTokens)
	if !x.usage.said[tokensInput] { // the tokens of embeddings are those that are billed
		x.usage.read(get(meta, "billed_units"), []tokenField{{"input_tokens", tokensInput}})
	}
	x.metadata.json("billed_units", strings.Clone(get(meta, "billed_units")))
}

// packedVectors counts embeddings whose numbers hold eight dimensions each.
func (x *exchange) packedVectors(list string) {
	var count, dimensions int64
	for v := range rawjson.Elements(list) {
		if count++; count == 1 {
			for range rawjson.Elements(v) {
				dimensions += 8
			}
		}
	}
	o := object{}
	o.count("count", count)
	o.count("dimensions", dimensions)
	x.outputs.json("embeddings", string(o.bytes()))
	x.attributes = append(x.attributes, genai.EmbeddingsDimensions.Int64(dimensions))
}

func (cohereEmbeddings) chunk(*exchange, string, string) {}
