package llmhttp

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Gemini, of AI Studio and of Vertex AI. The reference is
// https://ai.google.dev/api/generate-content. The model and the method stand in
// the path: …/models/MODEL:generateContent. A stream ends without a word.

// geminiRoute recognises the methods of Gemini below any prefix.
func geminiRoute(r *http.Request, last string, _ bool) (route, bool) {
	model, method, ok := strings.Cut(last, ":")
	if !ok || model == "" {
		return route{}, false
	}
	found := route{provider: "gcp.gemini", operation: genai.GenerateContent, model: model}
	switch method {
	case "generateContent":
		found.format = geminiContent{}
	case "streamGenerateContent":
		found.format, found.stream = geminiContent{}, true
	case "embedContent", "batchEmbedContents":
		found.format, found.operation = geminiEmbeddings{}, genai.Embeddings
	case "predict": // of Vertex AI, for embeddings among others
		if !strings.Contains(model, "embedding") || !strings.Contains(r.URL.Path, "/publishers/google/") {
			return route{}, false
		}
		found.format, found.operation = geminiEmbeddings{}, genai.Embeddings
	default:
		return route{}, false
	}
	if strings.Contains(r.URL.Path, "/publishers/") || strings.Contains(r.URL.Path, "/endpoints/") {
		found.provider = "gcp.vertex_ai"
	}
	return found, true
}

var geminiParams = []param{
	{"temperature", "temperature", genai.RequestTemperature, asFloat},
	{"topP", "top_p", genai.RequestTopP, asFloat},
	{"topK", "top_k", genai.RequestTopK, asInt},
	{"maxOutputTokens", "max_tokens", genai.RequestMaxTokens, asInt},
	{"stopSequences", "stop_sequences", genai.RequestStopSequences, asTexts},
	{"frequencyPenalty", "frequency_penalty", genai.RequestFrequencyPenalty, asFloat},
	{"presencePenalty", "presence_penalty", genai.RequestPresencePenalty, asFloat},
	{"seed", "seed", genai.RequestSeed, asInt},
	{"responseMimeType", "response_mime_type", "", asIs},
	{"responseModalities", "modalities", "", asIs},
	{"thinkingConfig", "thinking", "", asIs},
	{"toolConfig", "tool_choice", "", asIs},
	{"safetySettings", "safety_settings", "", asIs},
	{"cachedContent", "cached_content", "", asIs},
}

// geminiContent are calls of generateContent and streamGenerateContent.
type geminiContent struct{}

// member returns a field in either of its spellings: protocol buffers take both.
func member(json, camel, snake string) string {
	if v := get(json, camel); v != "" {
		return v
	}
	return get(json, snake)
}

func (geminiContent) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "contents":
			if x.blind {
				continue
			}
			for m := range rawjson.Elements(v) {
				x.input = append(x.input, geminiMessage(m, "user"))
			}
		case "systemInstruction", "system_instruction":
			if !x.blind {
				x.system = geminiMessage(v, "").parts
			}
		case "tools":
			x.geminiTools(v)
		case "generationConfig", "generation_config":
			for k, v := range rawjson.Members(v) {
				if k == "candidateCount" && number(v) > 1 {
					x.attributes = append(x.attributes, genai.RequestChoiceCount.Int64(number(v)))
					x.config.json("n", v)
				}
				x.param(geminiParams, k, v)
			}
		default:
			x.param(geminiParams, k, v)
		}
	}
}

func (x *exchange) geminiTools(tools string) {
	for tool := range rawjson.Elements(tools) {
		list := member(tool, "functionDeclarations", "function_declarations")
		if list == "" {
			x.tool("", "", "", tool)
			continue
		}
		for f := range rawjson.Elements(list) {
			schema := get(f, "parameters")
			if schema == "" {
				schema = member(f, "parametersJsonSchema", "parameters_json_schema")
			}
			x.tool(get(f, "name"), get(f, "description"), schema, f)
		}
	}
}

// geminiMessage reads a content: a role and parts.
func geminiMessage(content, role string) message {
	m := message{role: role}
	switch r := text(get(content, "role")); r {
	case "":
	case "model":
		m.role = "assistant"
	default:
		m.role = r
	}
	for p := range rawjson.Elements(get(content, "parts")) {
		m.parts = append(m.parts, geminiPart(p))
	}
	return m
}

func geminiPart(p string) part {
	for k, v := range rawjson.Members(p) {
		switch k {
		case "text":
			kind := partText
			if get(p, "thought") == "true" {
				kind = partReasoning
			}
			return part{kind: kind, text: text(v)}
		case "functionCall", "function_call":
			return part{kind: partCall, id: text(get(v, "id")), name: text(get(v, "name")), json: get(v, "args")}
		case "functionResponse", "function_response":
			return part{kind: partResult, id: text(get(v, "id")), name: text(get(v, "name")), json: get(v, "response")}
		case "inlineData", "inline_data":
			mime := text(member(v, "mimeType", "mime_type"))
			return media(modalityOf(mime), mime, text(get(v, "data")))
		case "fileData", "file_data":
			mime := text(member(v, "mimeType", "mime_type"))
			return part{kind: partMedia, modality: modalityOf(mime), mime: mime, uri: text(member(v, "fileUri", "file_uri"))}
		}
	}
	return part{kind: partOther, json: p}
}

// modalityOf returns the modality of a media type.
func modalityOf(mime string) string {
	kind, _, _ := strings.Cut(mime, "/")
	switch kind {
	case "image", "video", "audio":
		return kind
	}
	return "document"
}

// answer reads an answer, or a stream that was not asked for as events: it is a
// list of answers.
func (f geminiContent) answer(x *exchange, body string) {
	if rawjson.KindOf(body) == rawjson.Array {
		for chunk := range rawjson.Elements(body) {
			f.chunk(x, "", chunk)
		}
		return
	}
	f.chunk(x, "", body)
}

func (geminiContent) chunk(x *exchange, _, data string) {
	for k, v := range rawjson.Members(data) {
		switch k {
		case "candidates":
			for c := range rawjson.Elements(v) {
				x.geminiCandidate(c)
			}
		case "usageMetadata":
			x.usage.read(v, geminiTokens)
		case "modelVersion":
			x.model = keep(x.model, v)
		case "responseId":
			x.id = keep(x.id, v)
		case "promptFeedback":
			if reason := get(v, "blockReason"); reason != "" {
				c := x.choice(0)
				c.finish, c.ended = word(reason), "content_filter"
			}
		case "error":
			x.done = x.failWith(v) || x.done
		}
	}
}

func (x *exchange) geminiCandidate(json string) {
	c := x.choice(int(number(get(json, "index"))))
	for p := range rawjson.Elements(get(json, "content", "parts")) {
		x.geminiAdd(c, geminiPart(p))
	}
	for _, p := range slices.Backward(c.parts) {
		if p.kind == partText {
			x.annotate(p, geminiCitations(json))
			break
		}
	}
	reason := word(get(json, "finishReason"))
	if reason == "" {
		return
	}
	c.finish = reason
	switch reason {
	case "STOP":
		c.ended = "stop"
		for _, p := range c.parts {
			if p.kind == partCall {
				c.ended = "tool_call"
			}
		}
	case "MAX_TOKENS":
		c.ended = "length"
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE":
		c.ended = "content_filter"
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL":
		c.ended = "error"
	default:
		c.ended = strings.ToLower(reason)
	}
}

// geminiCitations returns the sources of an answer: of what it quotes, under the
// names of either service, or of a search.
func geminiCitations(candidate string) string {
	for _, path := range [...][2]string{{"citationMetadata", "citationSources"}, {"citationMetadata", "citations"}, {"groundingMetadata", "groundingChunks"}} {
		if list := filled(get(candidate, path[0], path[1])); list != "" {
			return list
		}
	}
	return ""
}

// geminiAdd adds a part of a chunk: text goes on where text of its kind was the
// last, everything else comes whole.
func (x *exchange) geminiAdd(c *choice, p part) {
	if p.kind == partText || p.kind == partReasoning {
		if p.text == "" {
			return
		}
		if n := len(c.parts); n > 0 && c.parts[n-1].kind == p.kind {
			x.add(c.parts[n-1], p.text)
			return
		}
		x.add(x.piece(c, p.kind, len(c.parts)), p.text)
		return
	}
	x.put(c, p, len(c.parts))
}

// geminiTokens say where counts of tokens stand. What the model thought comes on
// top of what it said, and what its tools gave it on top of the prompt; the prompt
// holds what came from the cache.
var geminiTokens = []tokenField{
	{"promptTokenCount", tokensInput},
	{"toolUsePromptTokenCount", tokensToolInput},
	{"cachedContentTokenCount", tokensCacheRead},
	{"candidatesTokenCount", tokensOutput},
	{"thoughtsTokenCount", tokensThoughts},
	{"totalTokenCount", tokensTotal},
}

// geminiEmbeddings are calls of embedContent, batchEmbedContents and, of Vertex
// AI, predict.
type geminiEmbeddings struct{}

func (geminiEmbeddings) request(x *exchange, body string) {
	list := []byte{'['}
	add := func(request string) {
		var texts []string
		for _, p := range geminiMessage(get(request, "content"), "").parts {
			texts = append(texts, p.text)
		}
		if len(texts) > 0 {
			list = append(comma(list), quote(strings.Join(texts, "\n"))...)
		}
		if s := get(request, "content"); rawjson.KindOf(s) == rawjson.String { // an instance of predict
			list = append(comma(list), s...)
		}
		for _, key := range [...]string{"outputDimensionality", "output_dimensionality"} {
			x.param([]param{{key, "dimensions", genai.EmbeddingsDimensions, asInt}}, key, get(request, key))
		}
	}
	add(body)
	for _, key := range [...]string{"requests", "instances"} {
		for r := range rawjson.Elements(get(body, key)) {
			add(r)
		}
	}
	x.texts(string(append(list, ']')))
}

func (geminiEmbeddings) answer(x *exchange, body string) {
	switch {
	case get(body, "embedding") != "":
		x.vectors("["+get(body, "embedding", "values")+"]", "")
	case get(body, "embeddings") != "":
		x.vectors(get(body, "embeddings"), "values")
	}
	var tokens int64
	list := []byte{'['}
	for p := range rawjson.Elements(get(body, "predictions")) {
		e := get(p, "embeddings")
		tokens += number(get(e, "statistics", "token_count"))
		if v := get(e, "values"); v != "" {
			list = append(comma(list), v...)
		}
	}
	x.vectors(string(append(list, ']')), "")
	if tokens > 0 {
		x.usage.add(tokensInput, tokens)
	}
	x.usage.read(get(body, "usageMetadata"), geminiTokens)
}

func (geminiEmbeddings) chunk(*exchange, string, string) {}
