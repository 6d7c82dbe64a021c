package llmhttp

import (
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
)

// OpenAI's API, and that of all servers that are compatible with it: what the
// kinds of calls have in common. The reference is
// https://platform.openai.com/docs/api-reference.

// openAIRoute recognises OpenAI's API by the ends of its paths, below whatever
// prefix a server has it: /v1, /openai/v1, /openai/deployments/NAME (Azure). Where
// the host is not known it asks for a prefix that leaves no doubt, but for
// /chat/completions, which leaves none itself.
func openAIRoute(r *http.Request, last string, known bool) (route, bool) {
	path := r.URL.Path
	prefix := path[:len(path)-len(last)]
	sure := known || strings.HasSuffix(prefix, "/v1/") || strings.HasSuffix(prefix, "/openai/") || strings.Contains(prefix, "/openai/deployments/")
	found := route{provider: "openai", operation: genai.Chat}
	switch last {
	case "completions":
		switch {
		case strings.HasSuffix(prefix, "/chat/"):
			found.format, found.usageAsk = chatCompletions{}, true
		case known && isWriter(r):
			found.format, found.operation = writerCompletions{}, genai.TextCompletion
		case sure || strings.HasSuffix(prefix, "/v1/fim/"):
			found.format, found.operation, found.usageAsk = textCompletions{}, genai.TextCompletion, true
		}
	case "chat": // Writer's chat completions
		if known && isWriter(r) {
			found.format = chatCompletions{}
		}
	case "embeddings":
		if sure {
			found.format, found.operation = openAIEmbeddings{}, genai.Embeddings
		}
	case "search":
		return vectorStoreRoute(r, known)
	default:
		found.format, found.retrieves = responsesFormat(r.Method, path, known)
		if found.retrieves {
			found.operation = genai.FetchResponse
			found.stream = r.URL.Query().Get("stream") == "true"
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

// isWriter reports whether a request goes to Writer, whose API differs in few
// things: https://dev.writer.com/api-reference.
func isWriter(r *http.Request) bool { return strings.EqualFold(r.URL.Hostname(), "api.writer.com") }

// responsesFormat returns the format of a call of the responses API, nil for none,
// and whether it is about a response that was asked for before: GET /responses/ID
// and POST /responses/ID/cancel.
func responsesFormat(method, path string, known bool) (f format, retrieves bool) {
	i := strings.LastIndex(path, "/responses")
	if i < 0 || !known && !strings.HasSuffix(path[:i], "/v1") && !strings.HasSuffix(path[:i], "/openai") {
		return nil, false
	}
	rest := path[i+len("/responses"):]
	id, action, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	switch {
	case method == http.MethodPost && (rest == "" || rest == "/compact"):
		return responses{}, false
	case rest == "" || rest[0] != '/' || id == "":
		return nil, false
	case method == http.MethodGet && action == "", method == http.MethodPost && action == "cancel":
		return retrievedResponse{}, true
	}
	return nil, false
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
	{"stop", "stop_sequences", genai.RequestStopSequences, asSaid},
	{"seed", "seed", genai.RequestSeed, asInt},
	{"random_seed", "seed", genai.RequestSeed, asInt}, // Mistral
	{"reasoning_effort", "reasoning_effort", genai.RequestReasoningLevel, asText},
	{"reasoning_max_tokens", "reasoning_max_tokens", "", asIs},
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
			x.asks = min(n, mostChoices)
		}
	case "response_format":
		x.outputType(value)
	case "reasoning": // of responses, and OpenRouter's of chat completions
		x.param(openAIParams, "reasoning_effort", get(value, "effort"))
		x.param(openAIParams, "reasoning_max_tokens", get(value, "max_tokens"))
	case "tools", "functions":
		for tool := range x.elements(value) {
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

// keep returns the text of a field that every chunk repeats: the first counts.
func keep(known, value string) string {
	if known == "" {
		return word(value)
	}
	return known
}
