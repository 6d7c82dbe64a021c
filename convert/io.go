package convert

import (
	"cmp"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file reads what dialects write of a step as one value that it took and one
// that it gave. What that is depends on what the step is: the request of a model's
// API and its answer, a query and documents, or whatever a function takes and
// returns.

// putInput adds what the step took.
func (r *reader) putInput(text string, from rank) {
	if isBlank(text) && text != `""` {
		return
	}
	eventType, kind := r.typeOf()
	switch {
	case eventType == honeyhive.TypeModel:
		if req, ok := readRequest(text); ok {
			r.putChat(req.messages, from)
			r.putParameters(req.rest, from.last())
			return
		}
	case kind == kindRetriever || kind == kindReranker:
		if query, rest := queryOf(text); query != "" {
			r.buckets[Inputs].put("query", query, from)
			for _, p := range rest {
				r.buckets[Inputs].put(p.key, p.text, from.last())
			}
			return
		}
	case kind == kindEmbedding:
		if texts, ok := textsIn(text); ok {
			r.buckets[Inputs].put("texts", texts, from)
			return
		}
	case eventType == honeyhive.TypeChain && rawjson.KindOf(text) == rawjson.Array:
		if req, ok := readRequest(text); ok {
			r.putChat(req.messages, from)
			return
		}
	}
	r.putValue(Inputs, Inputs.Wrap(), text, from.last())
}

// putChat adds the messages that a model was sent.
func (r *reader) putChat(messages []string, from rank) {
	if len(messages) == 0 {
		return
	}
	r.buckets[Inputs].putGroup(from, []string{"chat_history"}, func(*bucketReader) []member {
		text := list(messages)
		clear(messages) // they may be large, and the bucket is made next
		return []member{{key: "chat_history", text: text}}
	})
}

// putAnswer adds the messages that a model gave.
func (r *reader) putAnswer(messages []string, from rank) {
	if len(messages) == 0 {
		return
	}
	r.buckets[Outputs].putGroup(from, outputMarks, func(*bucketReader) []member { return outputMembers(messages) })
}

// putParameters adds what a request says beside its messages.
func (r *reader) putParameters(rest fields, from rank) {
	for _, p := range rest {
		switch {
		case p.text == "null":
		case p.key == "config" || p.key == "generationConfig" || p.key == "inferenceConfig" || p.key == "options":
			r.buckets[Config].putObject(p.key, p.text, from)
		default:
			r.buckets[Config].put(underscores(p.key), p.text, from)
		}
	}
}

// putOutput adds what the step gave.
func (r *reader) putOutput(text string, from rank) {
	if isBlank(text) && text != `""` {
		return
	}
	eventType, kind := r.typeOf()
	switch {
	case eventType == honeyhive.TypeModel:
		if rawjson.KindOf(text) == rawjson.String {
			r.putAnswer([]string{object(pair{"role", `"assistant"`}, pair{"content", text})}, from)
			return
		}
		if res, ok := readResponse(text); ok {
			r.putAnswer(res.messages, from)
			r.putResponse(res.rest, from.last())
			return
		}
	case kind == kindRetriever || kind == kindReranker:
		if found, ok := documents(text); ok {
			r.buckets[Outputs].put("documents", found, from)
			return
		}
	case eventType == honeyhive.TypeChain && rawjson.KindOf(text) == rawjson.Array, eventType == honeyhive.TypeChain && isMessage(text):
		if res, ok := readResponse(text); ok {
			r.putAnswer(res.messages, from)
			return
		}
	}
	r.putValue(Outputs, Outputs.Wrap(), text, from.last())
}

// putResponse adds what a response says beside its messages: what was used, why it
// ended, and the rest as it is.
func (r *reader) putResponse(rest fields, from rank) {
	var others []pair
	for _, p := range rest {
		switch {
		case p.text == "null":
		case p.key == "usage" || p.key == "usageMetadata" || p.key == "usage_metadata":
			r.putUsage(fieldsOf(p.text), from)
		case p.key == "finishReason" || p.key == "finish_reason" || p.key == "stop_reason" || p.key == "done_reason":
			r.buckets[Metadata].put("finish_reasons", list([]string{p.text}), from)
		case p.key == "id":
			r.buckets[Metadata].put("response_id", p.text, from)
		case p.key == "model" || p.key == "modelVersion":
			r.buckets[Metadata].put("response_model", p.text, from)
			r.buckets[Config].put("model", p.text, from)
		default:
			others = append(others, p)
		}
	}
	if len(others) > 0 {
		r.buckets[Metadata].put("response", object(others...), from)
	}
}

// usageNames are the names of counts of tokens in the JSON of providers and
// frameworks.
var usageNames = []struct {
	key   string
	names []string
}{
	{"prompt_tokens", []string{"prompt_tokens", "input_tokens", "inputTokens", "promptTokens", "promptTokenCount", "prompt_token_count", "prompt_eval_count"}},
	{"completion_tokens", []string{"completion_tokens", "output_tokens", "outputTokens", "completionTokens", "candidatesTokenCount", "candidates_token_count", "eval_count"}},
	{"total_tokens", []string{"total_tokens", "totalTokens", "totalTokenCount", "total_token_count"}},
	{"cache_read_input_tokens", []string{
		"cache_read_input_tokens", "cached_tokens", "cachedContentTokens", "cachedContentTokenCount", "cachedInputTokens", "cacheReadInputTokens", "cacheReadTokens", "cache_read", "input_cached_tokens", "input_cache_read",
	}},
	{"cache_write_input_tokens", []string{"cache_write_input_tokens", "cache_creation_input_tokens", "cacheWriteInputTokens", "cacheWriteTokens", "cache_creation", "cache_write", "input_cache_creation"}},
	{"reasoning_tokens", []string{"reasoning_tokens", "thoughtsTokens", "thoughtsTokenCount", "reasoningTokens", "reasoning", "output_reasoning_tokens", "output_reasoning"}},
}

// detailNames are the fields that hold more counts of tokens.
var detailNames = []string{
	"prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details", "input_token_details", "output_token_details",
	"inputTokenDetails", "outputTokenDetails", "promptTokensDetails", "completionTokensDetails", "inputDetails", "outputDetails",
}

// putUsage adds the counts of tokens of a JSON object, and keeps the others.
func (r *reader) putUsage(usage fields, from rank) {
	var read []string
	for _, u := range usageNames {
		if n := usage.first(u.names...); isCount(n) {
			r.putTokens(u.key, n, from)
			read = append(read, u.names...)
		}
	}
	for _, key := range detailNames {
		if details := fieldsOf(usage.first(key)); details != nil {
			r.putUsage(details, from)
			read = append(read, key)
		}
	}
	for _, p := range usage.others(read...) {
		if isCount(p.text) {
			r.buckets[Metadata].put("usage_"+underscores(p.key), p.text, from)
		}
	}
}

// putTokens adds a count of tokens.
func (r *reader) putTokens(key, n string, from rank) {
	r.buckets[Metadata].put(key, n, from)
	switch key {
	case "prompt_tokens":
		r.promptTokens.put(n, from)
	case "completion_tokens":
		r.completionTokens.put(n, from)
	}
}

func isCount(text string) bool { return rawjson.KindOf(text) == rawjson.Number }

// putConversation adds a list of messages of which the last ones are what the step
// gave: all behind the last that it was given.
func (r *reader) putConversation(messages []string, from rank) {
	given := len(messages)
	for given > 0 && fieldsOf(messages[given-1]).first("role") == `"assistant"` {
		given--
	}
	if given == len(messages)-1 || given == len(messages) {
		r.putChat(messages[:given], from)
		r.putAnswer(messages[given:], from)
		return
	}
	// Of several answers in a row the first ones are steps on the way.
	r.putChat(messages[:len(messages)-1], from)
	r.putAnswer(messages[len(messages)-1:], from)
}

// listed returns the list of an attribute whose elements are JSON texts, or what else
// it holds.
func listed(v attribute.Value) string {
	text := structured(v)
	if v.Type() != attribute.STRINGSLICE && v.Type() != attribute.SLICE {
		return text
	}
	var values []string
	for element := range rawjson.Elements(text) {
		if rawjson.KindOf(element) == rawjson.String {
			element = parsed(rawjson.Unquote(element))
		}
		values = append(values, element)
	}
	return list(values)
}

// parsed returns the JSON that a text is, of any kind, or else the JSON string of the
// text.
func parsed(s string) string {
	if text, err := rawjson.Parse(s); err == nil {
		return text
	}
	return quoted(s)
}

// typed returns what an attribute holds whose dialect writes JSON texts of any kind.
func typed(v attribute.Value) string {
	if v.Type() == attribute.STRING {
		return parsed(v.AsString())
	}
	return plain(v)
}

// takeTyped is take for an attribute that holds the JSON of a value, or "".
func (r *reader) takeTyped(names ...string) string {
	text := ""
	for _, name := range names {
		if v, ok := r.take(name); ok {
			text = cmp.Or(text, typed(v))
		}
	}
	return text
}
