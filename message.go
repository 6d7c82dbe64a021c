package sessionspan

import (
	"fmt"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// A Message is one message of a chat, as OpenAI's chat API has it.
type Message struct {
	Role       string     // system, user, assistant or tool
	Content    string     //
	Name       string     // of the speaker, if there are several in a role
	ToolCalls  []ToolCall // that the assistant asks for
	ToolCallID string     // that a message of the role tool answers
	Reasoning  string     // of the model, where it shows it
	// FinishReason says why the model stopped: stop, length, tool_calls and so
	// on. It is for answers alone.
	FinishReason string
}

// A ToolCall is a call that a model asks for.
type ToolCall struct {
	ID        string
	Name      string
	Arguments any // a map or struct, or the text that the model wrote
}

// A Document is what a search found.
type Document struct {
	ID       string
	Score    float64 // one that is no number is reported, and written as "NaN" and the like
	Content  string
	Metadata map[string]any
}

// Usage counts the tokens of a call to a model.
type Usage struct {
	InputTokens      int64 // all that the model read, those from a cache included
	OutputTokens     int64 // all that it wrote, reasoning included
	TotalTokens      int64 // the sum of both, where it is zero and the sum fits
	CacheReadTokens  int64 // of the input: read from a cache
	CacheWriteTokens int64 // of the input: written to a cache
	ReasoningTokens  int64 // of the output: reasoning
}

// WithModel names the model that an event calls, and who provides it: openai,
// anthropic, aws.bedrock and so on, as in the GenAI conventions. An empty one is
// left out. They land in the configuration.
func WithModel(provider, model string) FieldOption {
	return FieldOption{field: fieldModel, text: provider, second: model}
}

// WithMessages sets the messages that a model is sent: inputs.chat_history. The
// slice must not change until the call that takes the option returns.
func WithMessages(messages ...Message) FieldOption {
	return FieldOption{field: fieldMessages, messages: messages}
}

// WithQuery sets what is searched for: inputs.query.
func WithQuery(query string) FieldOption { return FieldOption{field: fieldQuery, text: query} }

// SetMessages sets the messages of the conversation so far: inputs.chat_history.
func (s *Session) SetMessages(messages ...Message) {
	if s != nil {
		s.recording().setMessages(messages)
	}
}

// SetReply sets the answer of the session: role, content and tool_calls in its
// outputs, and choices where there is more than one.
func (s *Session) SetReply(choices ...Message) {
	if s != nil {
		s.recording().setReply(choices)
	}
}

// SetUsage sets the token counts of the whole session, in its metadata. Where
// none are set, the session ends with the sum of what its events of this process
// used: those whose usage was set, and spans of other tracers that say theirs. An
// event that says its own while events below it do, such as an agent, is not
// counted twice.
func (s *Session) SetUsage(u Usage) {
	if s != nil {
		s.recording().setUsage(u)
	}
}

// SetModel names the model that the event calls; see [WithModel].
func (e *Event) SetModel(provider, model string) {
	if e != nil {
		e.rec.setModel(provider, model)
	}
}

// SetMessages sets the messages that the model is sent: inputs.chat_history.
func (e *Event) SetMessages(messages ...Message) {
	if e != nil {
		e.rec.setMessages(messages)
	}
}

// SetReply sets what the model answered: role, content and tool_calls in the
// outputs, and choices where there is more than one.
func (e *Event) SetReply(choices ...Message) {
	if e != nil {
		e.rec.setReply(choices)
	}
}

// SetUsage sets token counts, in the metadata: prompt_tokens, completion_tokens,
// total_tokens and, where they are not zero, cache_read_input_tokens,
// cache_write_input_tokens and reasoning_tokens.
func (e *Event) SetUsage(u Usage) {
	if e != nil {
		e.rec.setUsage(u)
	}
}

// SetQuery sets what is searched for: inputs.query.
func (e *Event) SetQuery(query string) {
	if e != nil {
		e.rec.setQuery(query)
	}
}

// SetDocuments sets what the search found, best first: outputs.documents.
func (e *Event) SetDocuments(documents ...Document) {
	if e != nil {
		e.rec.setDocuments(documents)
	}
}

// setBytes merges JSON that was made here into a bucket.
func (r *recording) setBytes(b convert.Bucket, text []byte) {
	r.merge(b, honeyhive.TrustedObject(string(text)))
}

func (r *recording) setModel(provider, model string) {
	if !r.active() {
		return
	}
	o := objectWriter{}
	o.text("provider", provider)
	o.text("model", model)
	if o.empty() {
		return
	}
	r.setBytes(convert.Config, o.bytes())
	if provider != "" {
		r.attributes(genai.ProviderName.String(provider))
	}
	if model != "" {
		r.attributes(genai.RequestModel.String(model))
	}
}

func (r *recording) setMessages(messages []Message) {
	if !r.active() {
		return
	}
	r.setBytes(convert.Inputs, append(r.list([]byte(`{"chat_history":`), messages, (*Message).appendChat), '}'))
	if r.viewers() {
		r.attributes(genai.InputMessages.String(string(r.list(nil, messages, (*Message).appendParts))))
	}
}

func (r *recording) setReply(choices []Message) {
	if !r.active() || len(choices) == 0 {
		return
	}
	o := objectWriter{b: r.list(nil, choices[:1], (*Message).appendChat)[1:]}
	o.b = o.b[:len(o.b)-2] // without the end of the object and of the list
	if len(choices) > 1 {
		o.json("choices", r.list(nil, choices, (*Message).appendChat))
	}
	r.setBytes(convert.Outputs, o.bytes())
	if r.viewers() {
		r.attributes(genai.OutputMessages.String(string(r.list(nil, choices, (*Message).appendParts))))
	}
	var reasons []string
	for i := range choices {
		if reason := choices[i].FinishReason; reason != "" {
			reasons = append(reasons, reason)
		}
	}
	if len(reasons) > 0 {
		r.attributes(genai.FinishReasons.StringSlice(reasons))
	}
}

func (r *recording) setUsage(u Usage) {
	if !r.active() {
		return
	}
	fits := true
	if u.TotalTokens == 0 {
		u.TotalTokens = u.InputTokens + u.OutputTokens
		fits = (u.TotalTokens > u.InputTokens) == (u.OutputTokens > 0)
	}
	if !fits {
		u.TotalTokens = 0
		r.tracer().reports.Report("usage", fmt.Errorf("sessionspan: set usage: the sum of %d and %d tokens fits in no total_tokens, which is left out", u.InputTokens, u.OutputTokens))
	}
	r.setBytes(convert.Metadata, u.object(fits))
	if s := r.node.session; s != nil && s.recorded.Load() {
		s.count(&r.node, u)
	}
	kvs := []attribute.KeyValue{genai.UsageInputTokens.Int64(u.InputTokens), genai.UsageOutputTokens.Int64(u.OutputTokens)}
	if u.CacheReadTokens != 0 {
		kvs = append(kvs, genai.UsageCacheReadTokens.Int64(u.CacheReadTokens))
	}
	if u.CacheWriteTokens != 0 {
		kvs = append(kvs, genai.UsageCacheWriteTokens.Int64(u.CacheWriteTokens), genai.UsageCacheCreation.Int64(u.CacheWriteTokens))
	}
	if u.ReasoningTokens != 0 {
		kvs = append(kvs, genai.UsageReasoningTokens.Int64(u.ReasoningTokens))
	}
	r.attributes(kvs...)
}

func (r *recording) setQuery(query string) {
	if query == "" || !r.active() {
		return
	}
	o := objectWriter{}
	o.text("query", query)
	r.setBytes(convert.Inputs, o.bytes())
	if r.viewers() {
		r.attributes(genai.RetrievalQuery.String(query))
	}
}

func (r *recording) setDocuments(documents []Document) {
	if !r.active() {
		return
	}
	b := []byte(`{"documents":[`)
	start := len(b) - 1
	for i := range documents {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.appendDocument(b, &documents[i])
	}
	b = append(b, ']')
	if r.viewers() {
		r.attributes(genai.RetrievalDocuments.String(string(b[start:])))
	}
	r.setBytes(convert.Outputs, append(b, '}'))
}

func (r *recording) appendDocument(dst []byte, d *Document) []byte {
	o := objectWriter{b: dst, start: len(dst)}
	o.text("id", d.ID)
	o.json("score", r.value("document", d.Score))
	o.text("content", d.Content)
	if len(d.Metadata) > 0 {
		o.json("metadata", r.value("document", d.Metadata))
	}
	return o.bytes()
}

// value encodes a part of what a helper was given.
func (r *recording) value(what string, v any) []byte {
	data, err := rawjson.Append(nil, v)
	if err != nil {
		r.tracer().reports.Report("encode "+what, fmt.Errorf("sessionspan: set %s: %w", what, err))
	}
	return data
}

// viewers reports whether attributes of the GenAI conventions that hold content
// are worth writing: whether anybody but this library reads the span.
func (r *recording) viewers() bool { return r.span != nil && r.node.tracer.forViewers }

func (r *recording) list(dst []byte, messages []Message, write func(*Message, *recording, []byte) []byte) []byte {
	dst = append(dst, '[')
	for i := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = write(&messages[i], r, dst)
	}
	return append(dst, ']')
}

// appendChat writes the message as OpenAI's chat API has it.
func (m *Message) appendChat(r *recording, dst []byte) []byte {
	o := objectWriter{b: dst, start: len(dst)}
	o.text("role", m.Role)
	o.text("name", m.Name)
	o.text("tool_call_id", m.ToolCallID)
	if m.Content != "" || len(m.ToolCalls) == 0 {
		o.json("content", rawjson.AppendString(nil, m.Content))
	}
	if len(m.ToolCalls) > 0 {
		calls := []byte{'['}
		for i := range m.ToolCalls {
			if i > 0 {
				calls = append(calls, ',')
			}
			c := objectWriter{}
			c.text("id", m.ToolCalls[i].ID)
			c.text("type", "function")
			f := objectWriter{}
			f.text("name", m.ToolCalls[i].Name)
			f.json("arguments", r.value("arguments", m.ToolCalls[i].Arguments))
			c.json("function", f.bytes())
			calls = append(calls, c.bytes()...)
		}
		o.json("tool_calls", append(calls, ']'))
	}
	o.text("reasoning", m.Reasoning)
	o.text("finish_reason", m.FinishReason)
	return o.bytes()
}

// appendParts writes the message as the GenAI conventions have it: a role and a
// list of typed parts.
func (m *Message) appendParts(r *recording, dst []byte) []byte {
	parts := []byte{'['}
	add := func(part []byte) {
		if len(parts) > 1 {
			parts = append(parts, ',')
		}
		parts = append(parts, part...)
	}
	if m.Reasoning != "" {
		o := objectWriter{}
		o.text("type", "reasoning")
		o.text("content", m.Reasoning)
		add(o.bytes())
	}
	switch {
	case m.ToolCallID != "":
		o := objectWriter{}
		o.text("type", "tool_call_response")
		o.text("id", m.ToolCallID)
		o.json("response", rawjson.AppendString(nil, m.Content))
		add(o.bytes())
	case m.Content != "":
		o := objectWriter{}
		o.text("type", "text")
		o.text("content", m.Content)
		add(o.bytes())
	}
	for i := range m.ToolCalls {
		o := objectWriter{}
		o.text("type", "tool_call")
		o.text("id", m.ToolCalls[i].ID)
		o.text("name", m.ToolCalls[i].Name)
		o.json("arguments", r.value("arguments", m.ToolCalls[i].Arguments))
		add(o.bytes())
	}
	o := objectWriter{b: dst, start: len(dst)}
	o.text("role", m.Role)
	o.text("name", m.Name)
	o.json("parts", append(parts, ']'))
	o.text("finish_reason", m.FinishReason)
	return o.bytes()
}

// objectWriter writes a JSON object member by member, from start.
type objectWriter struct {
	b     []byte
	start int
}

func (o *objectWriter) empty() bool { return len(o.b) == o.start }

func (o *objectWriter) key(key string) {
	if o.empty() {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(rawjson.AppendString(o.b, key), ':')
}

// text writes a string, unless it is empty.
func (o *objectWriter) text(key, value string) {
	if value != "" {
		o.key(key)
		o.b = rawjson.AppendString(o.b, value)
	}
}

// json writes a value that is JSON already.
func (o *objectWriter) json(key string, value []byte) {
	o.key(key)
	o.b = append(o.b, value...)
}

// count writes a number, a zero only if it is asked for.
func (o *objectWriter) count(key string, n int64, zero bool) {
	if n != 0 || zero {
		o.json(key, fmt.Append(nil, n))
	}
}

func (o *objectWriter) bytes() []byte {
	if o.empty() {
		o.b = append(o.b, '{')
	}
	return append(o.b, '}')
}
