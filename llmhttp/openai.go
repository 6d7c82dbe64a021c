package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// OpenAI's API, and that of all servers that are compatible with it: what the
// kinds of calls have in common. The reference is
// https://platform.openai.com/docs/api-reference.

// openAIRoute recognises OpenAI's API by the ends of its paths, below whatever
// prefix a server has it: /v1, /openai/v1, /openai/deployments/NAME (Azure).
func openAIRoute(r *http.Request, last string, known bool) (route, bool) {
	path := r.URL.Path
	found := route{provider: "openai", operation: genai.Chat}
	switch last {
	case "completions":
		switch {
		case strings.HasSuffix(path, "/chat/completions"):
			found.format, found.usageAsk = chatCompletions{}, true
		case known || strings.HasSuffix(path, "/v1/completions"):
			found.format, found.operation, found.usageAsk = textCompletions{}, genai.TextCompletion, true
		}
	case "responses":
		if known || strings.HasSuffix(path, "/v1/responses") {
			found.format = responses{}
		}
	case "embeddings":
		if known || strings.HasSuffix(path, "/v1/embeddings") {
			found.format, found.operation = openAIEmbeddings{}, genai.Embeddings
		}
	}
	if found.format == nil {
		return route{}, false
	}
	if strings.HasSuffix(r.URL.Host, ":11434") {
		found.provider = "ollama"
	}
	if _, rest, ok := strings.Cut(path, "/deployments/"); ok {
		found.model, _, _ = strings.Cut(rest, "/")
	}
	return found, true
}

// openAIParams are the fields of requests that say how the model is to work.
var openAIParams = []param{
	{"temperature", "temperature", genai.RequestTemperature, asFloat},
	{"top_p", "top_p", genai.RequestTopP, asFloat},
	{"top_k", "top_k", genai.RequestTopK, asInt},
	{"max_tokens", "max_tokens", genai.RequestMaxTokens, asInt},
	{"max_completion_tokens", "max_tokens", genai.RequestMaxTokens, asInt},
	{"max_output_tokens", "max_tokens", genai.RequestMaxTokens, asInt},
	{"frequency_penalty", "frequency_penalty", genai.RequestFrequencyPenalty, asFloat},
	{"presence_penalty", "presence_penalty", genai.RequestPresencePenalty, asFloat},
	{"stop", "stop_sequences", genai.RequestStopSequences, asTexts},
	{"seed", "seed", genai.RequestSeed, asInt},
	{"reasoning_effort", "reasoning_effort", genai.RequestReasoningLevel, asText},
	{"service_tier", "service_tier", genai.OpenAIRequestTier, asText},
	{"previous_response_id", "previous_response_id", genai.RequestPreviousResponse, asText},
	{"dimensions", "dimensions", genai.EmbeddingsDimensions, asInt},
	{"encoding_format", "encoding_format", genai.RequestEncodingFormats, asTexts},
	{"tool_choice", "tool_choice", "", asIs},
	{"parallel_tool_calls", "parallel_tool_calls", "", asIs},
	{"logprobs", "logprobs", "", asIs},
	{"top_logprobs", "top_logprobs", "", asIs},
	{"modalities", "modalities", "", asIs},
	{"verbosity", "verbosity", "", asIs},
	{"truncation", "truncation", "", asIs},
	{"background", "background", "", asIs},
	{"store", "store", "", asIs},
	{"metadata", "request_metadata", "", asIs},
}

// openAICommon reads a field that several kinds of requests have.
func (x *exchange) openAICommon(field, value string) {
	switch field {
	case "model":
		x.asked = word(value)
	case "stream":
		x.streamed = value == "true"
	case "n":
		if n := number(value); n > 1 {
			x.attributes = append(x.attributes, genai.RequestChoiceCount.Int64(n))
			x.config.json("n", value)
		}
	case "response_format":
		x.outputType(value)
	case "tools", "functions":
		for tool := range rawjson.Elements(value) {
			x.openAITool(tool)
		}
	default:
		x.param(openAIParams, field, value)
	}
}

// outputType reads which form the answer is to have.
func (x *exchange) outputType(format string) {
	switch text(get(format, "type")) {
	case "json_object", "json_schema":
		x.attributes = append(x.attributes, genai.OutputType.String("json"))
	case "text":
		x.attributes = append(x.attributes, genai.OutputType.String("text"))
	}
	if !x.blind && format != "null" {
		x.config.json("response_format", format)
	}
}

// openAITool reads a tool of chat completions, of responses, or a function of
// old.
func (x *exchange) openAITool(tool string) {
	f := tool
	if inner := get(tool, "function"); inner != "" {
		f = inner
	}
	x.tool(get(f, "name"), get(f, "description"), get(f, "parameters"), tool)
}

// openAITokens say where counts of tokens stand, under the names of chat
// completions and of responses. The input holds the cached ones.
var openAITokens = []tokenField{
	{"prompt_tokens", tokensInput},
	{"input_tokens", tokensInput},
	{"completion_tokens", tokensOutput},
	{"output_tokens", tokensOutput},
	{"total_tokens", tokensTotal},
	{"prompt_tokens_details.cached_tokens", tokensCacheRead},
	{"input_tokens_details.cached_tokens", tokensCacheRead},
	{"prompt_tokens_details.cache_write_tokens", tokensCacheWrite},
	{"input_tokens_details.cache_write_tokens", tokensCacheWrite},
	{"completion_tokens_details.reasoning_tokens", tokensReasoning},
	{"output_tokens_details.reasoning_tokens", tokensReasoning},
	{"prompt_cache_hit_tokens", tokensCacheRead}, // DeepSeek
}

// openAIUsage reads tokens, and what they cost.
func (x *exchange) openAIUsage(tokens string) {
	x.usage.read(tokens, openAITokens)
	if cost := get(tokens, "cost"); cost != "" { // OpenRouter
		x.metadata.json("cost", cost)
	}
}

// openAIHead reads what every answer starts with.
func (x *exchange) openAIHead(field, value string) {
	switch field {
	case "id":
		x.id = keep(x.id, value)
	case "model":
		x.model = keep(x.model, value)
	case "service_tier":
		x.note("response_service_tier", genai.OpenAIResponseTier, value)
	case "system_fingerprint":
		x.note("system_fingerprint", genai.OpenAIFingerprint, value)
	}
}

// openAIContent reads the content of a message: text, or a list of parts.
func (x *exchange) openAIContent(parts []part, content string) []part {
	switch rawjson.KindOf(content) {
	case rawjson.String:
		switch s := text(content); {
		case s == "":
		case parts == nil:
			return x.alone(part{kind: partText, text: s})
		default:
			parts = append(parts, part{kind: partText, text: s})
		}
	case rawjson.Array:
		for p := range rawjson.Elements(content) {
			parts = append(parts, openAIPart(p))
		}
	}
	return parts
}

// openAIPart reads a part of the content of a message, of chat completions or of
// responses.
func openAIPart(p string) part {
	if rawjson.KindOf(p) == rawjson.String {
		return part{kind: partText, text: text(p)}
	}
	switch text(get(p, "type")) {
	case "text", "input_text", "output_text", "summary_text", "reasoning_text":
		return part{kind: partText, text: text(get(p, "text")), annotations: filled(get(p, "annotations"))}
	case "refusal":
		return part{kind: partRefusal, text: text(get(p, "refusal"))}
	case "thinking": // Mistral
		return part{kind: partReasoning, text: joined(get(p, "thinking"))}
	case "image_url", "input_image", "video_url":
		modality := "image"
		url := get(p, "image_url")
		if v := get(p, "video_url"); v != "" {
			modality, url = "video", v
		}
		if inner := get(url, "url"); inner != "" {
			url = inner
		}
		if id := text(get(p, "file_id")); id != "" {
			return part{kind: partMedia, modality: modality, fileID: id}
		}
		return mediaURL(modality, text(url))
	case "input_audio":
		return media("audio", "audio/"+text(get(p, "input_audio", "format")), text(get(p, "input_audio", "data")))
	case "file", "input_file":
		f := p
		if inner := get(p, "file"); inner != "" {
			f = inner
		}
		m := part{kind: partMedia, modality: "document", uri: text(get(f, "file_url")), fileID: text(get(f, "file_id"))}
		if data := text(get(f, "file_data")); data != "" {
			if m = mediaURL("document", data); m.sha256 == "" {
				m = media("document", "", data)
			}
		}
		m.name = text(get(f, "filename"))
		return m
	}
	return part{kind: partOther, json: p}
}

// joined returns the texts of a list of parts as one.
func joined(content string) string {
	if rawjson.KindOf(content) == rawjson.String {
		return text(content)
	}
	var all []string
	for p := range rawjson.Elements(content) {
		all = append(all, openAIPart(p).text)
	}
	return strings.Join(all, "\n")
}

// filled returns a list that is not empty.
func filled(list string) string {
	if rawjson.KindOf(list) != rawjson.Array || list == "[]" {
		return ""
	}
	return list
}

// keep returns the text of a field that every chunk repeats: the first counts.
func keep(known, value string) string {
	if known == "" {
		return word(value)
	}
	return known
}

// openAIEmbeddings are calls of /embeddings. The vectors are not kept.
type openAIEmbeddings struct{}

func (openAIEmbeddings) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		if k != "input" {
			x.openAICommon(k, v)
			continue
		}
		x.texts(v)
	}
}

// texts reads what is to be embedded: a text, texts, or lists of tokens, of which
// only the number is kept.
func (x *exchange) texts(v string) {
	if rawjson.KindOf(v) == rawjson.String {
		v = "[" + v + "]"
	}
	count, words := 0, true
	for e := range rawjson.Elements(v) {
		count++
		words = words && rawjson.KindOf(e) == rawjson.String
	}
	if words {
		x.inputs.json("texts", v)
	}
	x.config.count("inputs", int64(count))
}

func (openAIEmbeddings) answer(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "data":
			x.vectors(v, "embedding")
		case "usage":
			x.openAIUsage(v)
		default:
			x.openAIHead(k, v)
		}
	}
}

// vectors counts embeddings, which stand in a list, or in a field of the objects
// of a list, as numbers or in base64 of 32 bits each.
func (x *exchange) vectors(list, field string) {
	var count, dimensions int64
	for v := range rawjson.Elements(list) {
		if field != "" {
			v = get(v, field)
		}
		count++
		if dimensions > 0 {
			continue
		}
		switch rawjson.KindOf(v) {
		case rawjson.Array:
			for range rawjson.Elements(v) {
				dimensions++
			}
		case rawjson.String:
			size, _ := digest(text(v))
			dimensions = size / 4
		}
	}
	if count == 0 {
		return
	}
	o := object{}
	o.count("count", count)
	o.count("dimensions", dimensions)
	x.outputs.json("embeddings", string(o.bytes()))
	x.attributes = append(x.attributes, genai.EmbeddingsDimensions.Int64(dimensions))
}

func (openAIEmbeddings) chunk(*exchange, string, string) {}
