package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Ollama's own API. The reference is
// https://github.com/ollama/ollama/blob/main/docs/api.md. Streams are lines of
// JSON, and are what a request gets that says nothing of them. OpenAI's API,
// which Ollama has too, is in openai.go.

// ollamaRoute recognises the paths of Ollama at its port, or on hosts that are
// known: they say too little for others.
func ollamaRoute(r *http.Request, last string, known bool) (route, bool) {
	if !known && !strings.HasSuffix(r.URL.Host, ":11434") {
		return route{}, false
	}
	path := r.URL.Path
	found := route{provider: "ollama", operation: genai.Chat, lines: true}
	switch {
	case last == "chat" && strings.HasSuffix(path, "/api/chat"):
		found.format = ollamaChat{}
	case last == "generate" && strings.HasSuffix(path, "/api/generate"):
		found.format, found.operation = ollamaChat{}, genai.TextCompletion
	case last == "embed" && strings.HasSuffix(path, "/api/embed"), last == "embeddings" && strings.HasSuffix(path, "/api/embeddings"):
		found.format, found.operation = ollamaEmbeddings{}, genai.Embeddings
	default:
		return route{}, false
	}
	return found, true
}

var ollamaParams = []param{
	{"temperature", "temperature", genai.RequestTemperature, asFloat},
	{"top_p", "top_p", genai.RequestTopP, asFloat},
	{"top_k", "top_k", genai.RequestTopK, asInt},
	{"num_predict", "max_tokens", genai.RequestMaxTokens, asInt},
	{"stop", "stop_sequences", genai.RequestStopSequences, asSaid},
	{"frequency_penalty", "frequency_penalty", genai.RequestFrequencyPenalty, asFloat},
	{"presence_penalty", "presence_penalty", genai.RequestPresencePenalty, asFloat},
	{"repeat_penalty", "repeat_penalty", "", asIs},
	{"num_ctx", "num_ctx", "", asIs},
	{"seed", "seed", genai.RequestSeed, asInt},
}

// ollamaChat are calls of /api/chat and /api/generate.
type ollamaChat struct{}

func (ollamaChat) request(x *exchange, body string) {
	x.streamed = true
	for k, v := range rawjson.Members(body) {
		switch k {
		case "model":
			x.asked = word(v)
		case "stream":
			x.streamed = v != "false"
		case "options":
			for k, v := range rawjson.Members(v) {
				x.param(ollamaParams, k, v)
			}
		case "format":
			if v != `""` && v != "null" {
				x.attributes = append(x.attributes, genai.OutputType.String("json"))
				if !x.blind {
					x.config.json("response_format", v)
				}
			}
		case "think", "keep_alive":
			if v != "null" && plainValue(v) {
				x.config.json(k, v)
			}
		case "tools":
			for tool := range x.elements(v) {
				x.openAITool(tool)
			}
		case "system":
			if s := text(v); s != "" && !x.blind {
				x.system = []part{{kind: partText, text: s}}
			}
		case "prompt":
			if !x.blind {
				m := message{role: "user", parts: x.openAIContent(nil, v)}
				m.parts = append(m.parts, x.ollamaImages(body)...)
				x.input = append(x.input, m)
			}
		case "messages":
			if x.blind {
				continue
			}
			for m := range x.elements(v) {
				x.input = append(x.input, x.ollamaMessage(m))
			}
		}
	}
}

func (x *exchange) ollamaImages(json string) []part {
	var parts []part
	for image := range x.elements(get(json, "images")) {
		parts = append(parts, media("image", "", text(image)))
	}
	return parts
}

func (x *exchange) ollamaMessage(json string) message {
	m := message{role: text(get(json, "role"))}
	if m.role == "tool" {
		m.parts = []part{{kind: partResult, id: text(get(json, "tool_call_id")), name: text(get(json, "tool_name")), json: get(json, "content")}}
		return m
	}
	if s := text(get(json, "thinking")); s != "" {
		m.parts = append(m.parts, part{kind: partReasoning, text: s})
	}
	m.parts = x.openAIContent(m.parts, get(json, "content"))
	m.parts = append(m.parts, x.ollamaImages(json)...)
	for call := range x.elements(get(json, "tool_calls")) {
		m.parts = append(m.parts, openAICall(call))
	}
	return m
}

func (f ollamaChat) answer(x *exchange, body string) { f.chunk(x, "", body) }

func (ollamaChat) terminated() {}

func (ollamaChat) chunk(x *exchange, _, data string) {
	var done bool
	reason := ""
	x.ollamaText(get(data, "thinking"), get(data, "response"))
	for k, v := range rawjson.Members(data) {
		switch k {
		case "model":
			x.model = keep(x.model, v)
		case "message":
			x.ollamaDelta(v)
		case "error":
			x.done = x.failWith(v)
			return
		case "done":
			done = v == "true"
		case "done_reason":
			reason = word(v)
		case "load_duration", "prompt_eval_duration", "eval_duration":
			x.metadata.decimal(strings.TrimSuffix(k, "_duration")+"_ms", float(v)/1e6)
		}
	}
	if !done {
		return
	}
	x.done = true
	c := x.choice(0)
	c.finish = reason
	if c.finish == "" {
		c.finish = "stop"
	}
	c.ended = c.finish
	for _, p := range c.parts {
		if p.kind == partCall && c.finish == "stop" {
			c.ended = "tool_call"
		}
	}
	x.usage.read(data, ollamaTokens)
}

// ollamaTokens are the counts of https://docs.ollama.com/api/usage. The prompt is
// with what came from the cache; older servers leave it out where all of it did.
var ollamaTokens = []tokenField{
	{"prompt_eval_count", tokensInput},
	{"prompt_eval_cached_count", tokensCacheRead},
	{"eval_count", tokensOutput},
}

// ollamaDelta adds what a line brought of a message. Calls of tools come whole.
func (x *exchange) ollamaDelta(m string) {
	x.ollamaText(get(m, "thinking"), get(m, "content"))
	for call := range rawjson.Elements(get(m, "tool_calls")) {
		c := x.choice(0)
		x.put(c, openAICall(call), len(c.parts))
	}
	for _, image := range x.ollamaImages(m) {
		c := x.choice(0)
		x.put(c, image, len(c.parts))
	}
}

// ollamaText adds what was thought, and after it what was said.
func (x *exchange) ollamaText(thought, said string) {
	if s := text(thought); s != "" {
		x.add(x.piece(x.choice(0), partReasoning, 0), s)
	}
	if s := text(said); s != "" {
		x.add(x.piece(x.choice(0), partText, 0), s)
	}
}

// ollamaEmbeddings are calls of /api/embed, and of /api/embeddings of old.
type ollamaEmbeddings struct{}

func (ollamaEmbeddings) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "model":
			x.asked = word(v)
		case "input", "prompt":
			x.texts(v)
		case "dimensions":
			x.param(openAIParams, k, v)
		}
	}
}

func (ollamaEmbeddings) answer(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "model":
			x.model = word(v)
		case "embeddings":
			x.vectors(v, "")
		case "embedding":
			x.vectors("["+v+"]", "")
		}
	}
	x.usage.read(body, ollamaTokens)
}

func (ollamaEmbeddings) chunk(*exchange, string, string) {}
