package llmhttp

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// InvokeModel of Amazon Bedrock: its bodies are those of the model, see
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html. Many
// ids do not tell the model (those of inference profiles, of imported and of
// custom models), so the body does, by members that only one format has.

// notChat are parts of ids of models that make no text.
var notChat = [...]string{"stability.", "image", "canvas", "reel", "sonic", "luma.", "twelvelabs.", "titan-text", "titan-tg1", "ai21.j2"}

// invoke says what is known of a call of InvokeModel from the id of its model,
// and reports whether it may be one of a model that is understood.
func (found *route) invoke() bool {
	switch {
	case strings.Contains(found.model, "embed"):
		found.format, found.operation = bedrockInvoke{bedrockEmbeddings{}}, genai.Embeddings
	case strings.Contains(found.model, "anthropic."):
		found.format = bedrockInvoke{}
	case strings.Contains(found.model, "rerank"):
		found.format, found.operation = reranker, genai.Rerank
	default:
		for _, s := range notChat {
			if strings.Contains(found.model, s) {
				return false
			}
		}
		found.tell = tellsInvoke
	}
	return true
}

// Members of requests that say what they are. No text can hold one of them with
// its quotes: there they would be escaped.
var (
	chatMembers  = [...]string{`"messages"`, `"prompt"`, `"message"`}
	embedMembers = [...]string{`"inputText"`, `"inputImage"`, `"input_type"`, `"singleEmbeddingParams"`}
	otherMembers = [...]string{`"textGenerationConfig"`} // of models that are retired
)

// tellsInvoke says what call of InvokeModel a request is by its body.
func tellsInvoke(found *route, body []byte) bool {
	switch {
	case has(body, otherMembers[:]...):
		return false
	case has(body, chatMembers[:]...):
		found.format = bedrockInvoke{}
	case has(body, embedMembers[:]...):
		found.format, found.operation = bedrockInvoke{bedrockEmbeddings{}}, genai.Embeddings
	default:
		return false
	}
	return true
}

// bedrockInvoke are calls of InvokeModel, in the format of the model: nil, as long
// as that is not known.
type bedrockInvoke struct{ format }

func (bedrockInvoke) terminated() {}

func (f bedrockInvoke) request(x *exchange, body string) {
	if f.format == nil {
		f.format = invokeFormat(x.route.model, body)
		x.format = f
	}
	if f.format != nil {
		f.format.request(x, body)
	}
}

// invokeFormat returns the format of a request, of an answer, or of an event, or
// nil.
func invokeFormat(model, body string) format {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "anthropic_version":
			if get(body, "messages") != "" {
				return anthropicMessages{}
			}
		case "type": // of an answer
			switch kind := text(v); {
			case kind == "completion":
				return bedrockText{}
			case strings.Contains(kind, "-"):
				return cohereChatV2{}
			}
			return anthropicMessages{}
		case "max_tokens_to_sample", "max_gen_len", "prompt", "completion", "generation", "generations", "outputs":
			return bedrockText{}
		case "schemaVersion", "inferenceConfig", "output", "messageStart", "contentBlockStart", "contentBlockDelta", "messageStop":
			return bedrockNova{}
		case "chat_history", "message", "preamble", "generation_id", "event_type", "is_finished":
			if rawjson.KindOf(v) == rawjson.Object {
				return cohereChatV2{}
			}
			return cohereChatV1{}
		case "choices":
			for c := range rawjson.Elements(v) {
				if get(c, "text") != "" {
					return bedrockText{}
				}
			}
			return bedrockChat{}
		case "messages":
			if strings.Contains(model, "anthropic.") {
				return anthropicMessages{}
			}
			if f := formatOfMessages(v); f != nil && get(body, "anthropic_version") == "" {
				return f
			}
		}
	}
	if strings.Contains(model, "anthropic.") {
		return anthropicMessages{}
	}
	return nil
}

// formatOfMessages tells the messages of Nova from those of chat completions: the
// parts of their content have no type.
func formatOfMessages(messages string) format {
	for m := range rawjson.Elements(messages) {
		for p := range rawjson.Elements(get(m, "content")) {
			if rawjson.KindOf(p) == rawjson.Object && get(p, "type") == "" {
				return bedrockNova{}
			}
		}
	}
	return bedrockChat{}
}

func (f bedrockInvoke) answer(x *exchange, body string) {
	if f.format == nil {
		f.format = invokeFormat(x.route.model, body)
	}
	if f.format != nil {
		f.format.answer(x, body)
	}
	x.spare(invokeHeaders(x.header))
}

// chunk reads an event of a stream, which holds one of the model in base64.
func (f bedrockInvoke) chunk(x *exchange, _, data string) {
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
	if f.format == nil {
		f.format = invokeFormat(x.route.model, body)
		x.format = f
	}
	if f.format != nil {
		f.format.chunk(x, "", body)
	}
	if m := get(body, "amazon-bedrock-invocationMetrics"); m != "" { // which the last event has
		var counts usage
		counts.read(m, invokeTokens)
		x.spare(counts)
		if ms := get(m, "invocationLatency"); rawjson.KindOf(ms) == rawjson.Number {
			x.metadata.json("latency_ms", strings.Clone(ms))
		}
		x.done = true
	}
}

// invokeTokens are the counts that Bedrock itself gives at the end of a stream, for
// any model. The input is without what came from the cache or went into it.
var invokeTokens = []tokenField{
	{"inputTokenCount", tokensUncached},
	{"outputTokenCount", tokensOutput},
	{"cacheReadInputTokenCount", tokensCacheRead},
	{"cacheWriteInputTokenCount", tokensCacheWrite},
}

// invokeHeaders returns the same counts from the headers of an answer that comes
// whole.
func invokeHeaders(h http.Header) (counts usage) {
	for _, f := range [...]tokenField{
		{"X-Amzn-Bedrock-Input-Token-Count", tokensUncached},
		{"X-Amzn-Bedrock-Output-Token-Count", tokensOutput},
		{"X-Amzn-Bedrock-Cache-Read-Input-Token-Count", tokensCacheRead},
		{"X-Amzn-Bedrock-Cache-Write-Input-Token-Count", tokensCacheWrite},
	} {
		counts.say(f.kind, h.Get(f.path))
	}
	return counts
}

// spare takes counts for what the model itself said nothing of: the input with its
// caches, which belong together, and the output.
func (x *exchange) spare(counts usage) {
	u := &x.usage
	for _, kinds := range [...][]tokenKind{{tokensUncached, tokensCacheRead, tokensCacheWrite, tokensInput}, {tokensOutput}} {
		known := false
		for _, k := range kinds {
			known = known || u.said[k]
		}
		for _, k := range kinds {
			if !known && counts.said[k] {
				u.add(k, counts.n[k])
			}
		}
	}
}

// bedrockNova are calls of InvokeModel of Amazon Nova, whose bodies are those of
// Converse. The events of a stream are objects with one member, their name.
type bedrockNova struct{ bedrockConverse }

func (f bedrockNova) request(x *exchange, body string) {
	f.bedrockConverse.request(x, body)
	for k, v := range rawjson.Members(get(body, "inferenceConfig")) {
		switch k {
		case "max_new_tokens":
			x.param(bedrockParams, "maxTokens", v)
		case "top_p":
			x.param(bedrockParams, "topP", v)
		case "topK", "top_k":
			x.param(anthropicParams, "top_k", v)
		}
	}
}

func (f bedrockNova) chunk(x *exchange, _, data string) {
	for k, v := range rawjson.Members(data) {
		f.bedrockConverse.chunk(x, k, v)
	}
}

// bedrockChat are calls of InvokeModel of models whose bodies are those of chat
// completions: Jamba, Pixtral, gpt-oss, Qwen, DeepSeek and others.
type bedrockChat struct{ chatCompletions }

func (f bedrockChat) answer(x *exchange, body string) {
	f.chatCompletions.answer(x, body)
	x.stopReasons(body)
}

// chunk reads an event of a stream. Those of Mistral have messages in place of
// deltas.
func (f bedrockChat) chunk(x *exchange, event, data string) {
	list, whole := []byte{'['}, false
	for c := range rawjson.Elements(get(data, "choices")) {
		if m := get(c, "message"); m != "" && get(c, "delta") == "" {
			c, whole = withMember(c, "delta", m), true
		}
		list = append(comma(list), c...)
	}
	if whole {
		data = withMember(data, "choices", string(append(list, ']')))
	}
	f.chatCompletions.chunk(x, event, data)
	x.stopReasons(data)
}

// stopReasons reads why choices ended where the reason has Mistral's name on
// Bedrock.
func (x *exchange) stopReasons(body string) {
	for json := range rawjson.Elements(get(body, "choices")) {
		if reason := get(json, "stop_reason"); text(reason) != "" {
			c := x.choice(int(number(get(json, "index"))))
			if c.finish == "" {
				c.openAIFinish(reason)
			}
		}
	}
}

// bedrockText are calls of InvokeModel of models that go on with a text: Claude 2
// and Instant, Llama, Mistral, DeepSeek-R1.
type bedrockText struct{}

var bedrockTextParams = []param{
	{"max_tokens_to_sample", "max_tokens", genai.RequestMaxTokens, asInt},
	{"max_gen_len", "max_tokens", genai.RequestMaxTokens, asInt},
}

func (bedrockText) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "prompt":
			if !x.blind {
				m := message{role: "user", parts: []part{{kind: partText, text: text(v)}}}
				for image := range x.elements(get(body, "images")) { // of Llama, in base64
					m.parts = append(m.parts, media("image", "", text(image)))
				}
				x.input = append(x.input, m)
			}
		case "stop_sequences":
			x.param(anthropicParams, k, v)
		case "max_tokens_to_sample", "max_gen_len":
			x.param(bedrockTextParams, k, v)
		default:
			x.param(openAIParams, k, v)
		}
	}
}

// llamaTokens are the counts of
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-meta.html.
var llamaTokens = []tokenField{{"prompt_token_count", tokensInput}, {"generation_token_count", tokensOutput}}

func (f bedrockText) answer(x *exchange, body string) { f.chunk(x, "", body) }

func (bedrockText) chunk(x *exchange, _, data string) {
	for k, v := range rawjson.Members(data) {
		switch k {
		case "completion", "generation":
			x.bedrockText(0, v, get(data, "stop_reason"))
		case "outputs", "choices", "generations":
			index := 0
			for c := range rawjson.Elements(v) {
				reason := get(c, "stop_reason")
				if reason == "" {
					reason = get(c, "finish_reason")
				}
				if i := get(c, "index"); i != "" {
					index = int(number(i))
				}
				x.bedrockText(index, get(c, "text"), reason)
				index++
			}
		}
	}
	x.usage.read(data, llamaTokens)
	x.usage.read(get(data, "usage"), openAITokens)
}

// bedrockText adds to a choice, and says why it ended.
func (x *exchange) bedrockText(index int, piece, reason string) {
	c := x.choice(index)
	if s := text(piece); s != "" {
		x.add(x.piece(c, partText, 0), s)
	}
	if c.finish = word(reason); c.finish == "" {
		return
	}
	x.changes++
	switch c.finish {
	case "stop", "stop_sequence", "end_turn", "COMPLETE":
		c.ended = "stop"
	case "length", "max_tokens", "MAX_TOKENS":
		c.ended = "length"
	default:
		c.ended = c.finish
	}
}

// bedrockEmbeddings are calls of InvokeModel of Amazon's embedding models, and of
// Cohere's, whose bodies are those of Cohere's API.
type bedrockEmbeddings struct{ cohereEmbeddings }

func (f bedrockEmbeddings) request(x *exchange, body string) {
	f.cohereEmbeddings.request(x, body)
	for k, v := range rawjson.Members(body) {
		switch k {
		case "inputText": // Titan
			x.texts(v)
		case "inputImage":
			x.embedImages("[" + v + "]")
		case "dimensions":
			x.param(openAIParams, k, v)
		case "embeddingConfig":
			x.param(openAIParams, "dimensions", get(v, "outputEmbeddingLength"))
		case "singleEmbeddingParams": // Nova
			x.param(openAIParams, "dimensions", get(v, "embeddingDimension"))
			if s := get(v, "text", "value"); s != "" {
				x.texts(s)
			}
			for _, modality := range [...]string{"image", "audio", "video"} {
				if m := get(v, modality); m != "" && !x.blind {
					if p, ok := bedrockMedia(modality, m); ok {
						x.inputs.json(modality, string(p.append(nil, "content")))
					}
				}
			}
		}
	}
}

func (f bedrockEmbeddings) answer(x *exchange, body string) {
	one := get(body, "embedding") // Titan
	if one == "" {
		one = cmp.Or(get(body, "embeddingsByType", "float"), get(body, "embeddingsByType", "binary"))
	}
	list := get(body, "embeddings")
	switch {
	case one != "":
		x.vectors("["+one+"]", "")
	case strings.HasPrefix(list, "[{"): // Nova
		x.vectors(list, "embedding")
	default:
		f.cohereEmbeddings.answer(x, body)
	}
	x.usage.read(body, titanTokens)
}

// titanTokens are the counts of
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html.
var titanTokens = []tokenField{{"inputTextTokenCount", tokensInput}}
