package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Gemini, of AI Studio and of Vertex AI. The reference is
// https://ai.google.dev/api/generate-content. The model and the method stand in
// the path: …/models/MODEL:generateContent. A stream ends without a word. The
// Interactions API is in gemini_interactions.go.

// geminiRoute recognises the methods of Gemini below any prefix.
func geminiRoute(r *http.Request, last string, known bool) (route, bool) {
	if last == "interactions" {
		return interactionsRoute(r, known)
	}
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
	{"stopSequences", "stop_sequences", genai.RequestStopSequences, asSaid},
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

func (geminiContent) counted() {}

// member returns a field in either of its spellings: protocol buffers take both.
func member(json, camel, snake string) string {
	if v := get(json, camel); v != "" {
		return v
	}
	return get(json, snake)
}

// listed returns a list of one for an object, which Google takes where the API has
// a list, and its documentation has so.
func listed(json string) string {
	if rawjson.KindOf(json) == rawjson.Object {
		return "[" + json + "]"
	}
	return json
}

func (geminiContent) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "contents":
			if x.blind {
				continue
			}
			for m := range x.elements(listed(v)) {
				x.input = append(x.input, x.geminiMessage(m, "user"))
			}
		case "systemInstruction", "system_instruction":
			if !x.blind {
				x.system = x.geminiMessage(v, "").parts
			}
		case "tools":
			x.geminiTools(v)
		case "generationConfig", "generation_config":
			for k, v := range rawjson.Members(v) {
				if n := number(v); k == "candidateCount" && n > 1 {
					x.attributes = append(x.attributes, genai.RequestChoiceCount.Int64(n))
					x.config.json("n", v)
					x.asks = min(n, mostChoices)
				}
				x.param(geminiParams, k, geminiNamed(x.provider, k, v))
			}
		default:
			x.param(geminiParams, k, geminiNamed(x.provider, k, v))
		}
	}
}

func (x *exchange) geminiTools(tools string) {
	for tool := range x.elements(listed(tools)) {
		list := listed(member(tool, "functionDeclarations", "function_declarations"))
		if list == "" {
			x.tool("", "", "", tool)
			continue
		}
		for f := range x.elements(list) {
			schema := get(f, "parameters")
			if schema == "" {
				schema = member(f, "parametersJsonSchema", "parameters_json_schema")
			}
			x.tool(get(f, "name"), get(f, "description"), geminiNamed(x.provider, "parameters", schema), f)
		}
	}
}

// geminiMessage reads a content: a role and parts.
func (x *exchange) geminiMessage(content, role string) message {
	m := message{role: role}
	switch r := text(get(content, "role")); r {
	case "":
	case "model":
		m.role = "assistant"
	default:
		m.role = r
	}
	for p := range x.elements(listed(get(content, "parts"))) {
		if q, ok := x.geminiPart(p); ok {
			m.parts = append(m.parts, q)
		}
	}
	return m
}

// geminiPart reads a part: an object with one member that says what it is, and
// others beside it. One that is but a signature of what was thought is none.
func (x *exchange) geminiPart(p string) (part, bool) {
	kind := ""
	for k, v := range rawjson.Members(p) {
		switch k {
		case "text":
			kind := partText
			if get(p, "thought") == "true" {
				kind = partReasoning
			}
			return part{kind: kind, text: text(v)}, true
		case "functionCall", "function_call":
			return part{kind: partCall, id: text(get(v, "id")), name: text(get(v, "name")), json: get(v, "args")}, true
		case "functionResponse", "function_response":
			return part{kind: partResult, id: text(get(v, "id")), name: text(get(v, "name")), json: x.geminiResult(v)}, true
		case "inlineData", "inline_data":
			mime := text(member(v, "mimeType", "mime_type"))
			return media(modalityOf(mime), mime, text(get(v, "data"))), true
		case "fileData", "file_data":
			mime := text(member(v, "mimeType", "mime_type"))
			return part{kind: partMedia, modality: modalityOf(mime), mime: mime, uri: text(member(v, "fileUri", "file_uri"))}, true
		case "executableCode", "codeExecutionResult":
			return typed(k, withMember(p, k, geminiNamed("", k, v))), true
		case "thought", "thoughtSignature", "thought_signature", "partMetadata", "part_metadata":
		default:
			if kind == "" {
				kind = k
			}
		}
	}
	if kind == "" {
		return part{}, false
	}
	return typed(kind, p), true
}

// geminiResult returns what a function gave back, with the media that stand
// beside it.
func (x *exchange) geminiResult(response string) string {
	value := get(response, "response")
	var parts []part
	for p := range x.elements(get(response, "parts")) {
		if q, ok := x.geminiPart(p); ok {
			parts = append(parts, q)
		}
	}
	if len(parts) == 0 {
		return value
	}
	return withMember(value, "parts", string(appendParts(nil, parts)))
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
	failed := false
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
			if reason := geminiWord(x.provider, "blockReason", get(v, "blockReason")); reason != "" {
				c := x.choice(0)
				c.finish, c.ended = reason, "content_filter"
				x.fail(reason, text(get(v, "blockReasonMessage")))
			}
		case "error":
			failed = true
		}
	}
	if (failed || len(x.choices) == 0) && x.errorIn(data) {
		x.done = true
	}
}

func (x *exchange) geminiCandidate(json string) {
	var index, content, finish, message, grounding string
	var sources [sourceKinds][2]string // what is quoted has a name for each of the services
	for k, v := range rawjson.Members(json) {
		switch k {
		case "index":
			index = v
		case "content":
			content = v
		case "finishReason":
			finish = v
		case "finishMessage":
			message = text(v)
		case "citationMetadata":
			sources[sourceQuotes] = [2]string{get(v, "citationSources"), get(v, "citations")}
		case "groundingMetadata":
			grounding, sources[sourceSearch][0] = v, get(v, "groundingChunks")
		case "urlContextMetadata":
			sources[sourcePages][0] = get(v, "urlMetadata")
		}
	}
	c := x.choice(int(number(index)))
	for p := range rawjson.Elements(get(content, "parts")) {
		if f := member(p, "functionCall", "function_call"); f != "" && x.geminiCall(c, f) {
			continue
		}
		if q, ok := x.geminiPart(p); ok {
			x.geminiAdd(c, q)
		}
	}
	for kind, lists := range sources {
		x.source(c, kind, lists[0])
		x.source(c, kind, lists[1])
	}
	for _, key := range [...]string{"webSearchQueries", "groundingSupports"} { // what was searched for; which words have which sources
		x.extra(c, key, get(grounding, key))
	}
	reason := geminiWord(x.provider, "finishReason", finish)
	if reason == "" {
		return
	}
	x.changes++
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
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		c.ended = "content_filter"
	case "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "NO_IMAGE", "IMAGE_OTHER":
		c.ended = "error"
		x.fail(reason, message)
	default:
		c.ended = strings.ToLower(reason)
	}
	if message = x.kept(message); message != "" {
		x.metadata.text("finish_message", message)
	}
}

// geminiAdd adds a part of a chunk: text goes on where text of its kind was the
// last, everything else comes whole.
func (x *exchange) geminiAdd(c *choice, p part) {
	if p.kind == partText || p.kind == partReasoning {
		if p.text != "" {
			x.add(x.follow(c, p.kind, 0), p.text)
		}
		return
	}
	x.put(c, p, len(c.parts))
}

// geminiTokens are the counts of usageMetadata, which grow in a stream: see
// https://ai.google.dev/api/generate-content#UsageMetadata. What the model thought
// comes on top of what it said, and what its tools gave it on top of the prompt;
// the prompt holds what came from the cache.
var geminiTokens = []tokenField{
	{"promptTokenCount", tokensInput},
	{"toolUsePromptTokenCount", tokensToolInput},
	{"candidatesTokenCount", tokensOutput},
	{"thoughtsTokenCount", tokensThoughts},
	{"cachedContentTokenCount", tokensCacheRead},
	{"totalTokenCount", tokensTotal},
}

// geminiEmbeddings are calls of embedContent, batchEmbedContents and, of Vertex
// AI, predict.
type geminiEmbeddings struct{}

func (geminiEmbeddings) request(x *exchange, body string) {
	list := []byte{'['}
	add := func(request string) {
		var texts []string
		for _, p := range x.geminiMessage(get(request, "content"), "").parts {
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
	case get(body, "predictions") == "":
		x.errorIn(body)
		return
	}
	tokens := int64(0)
	list := []byte{'['}
	for p := range rawjson.Elements(get(body, "predictions")) {
		e := get(p, "embeddings")
		if n := get(e, "statistics", "token_count"); n != "" {
			tokens += number(n)
			x.usage.add(tokensInput, tokens)
		}
		if v := get(e, "values"); v != "" {
			list = append(comma(list), v...)
		}
	}
	x.vectors(string(append(list, ']')), "")
	x.usage.read(get(body, "usageMetadata"), geminiTokens)
}

func (geminiEmbeddings) chunk(*exchange, string, string) {}
