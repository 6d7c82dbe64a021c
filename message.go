package sessionspan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/internal/fields"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/tokens"
)

// A Message is one message of a chat, as OpenAI's chat API has it. What is empty is
// not written, but for the content of a message without tool calls, which is then
// the empty text.
type Message struct {
	Role       string     `json:"role,omitempty"` // system, user, assistant or tool
	Content    string     `json:"content"`
	Name       string     `json:"name,omitempty"`         // of the speaker, if there are several in a role
	ToolCalls  []ToolCall `json:"tool_calls,omitempty"`   // that the assistant asks for
	ToolCallID string     `json:"tool_call_id,omitempty"` // that a message of the role tool answers
	Reasoning  string     `json:"reasoning,omitempty"`    // of the model, where it shows it
	// FinishReason says why the model stopped: stop, length, tool_calls and so
	// on. FinishReason is for answers alone.
	FinishReason string `json:"finish_reason,omitempty"`
}

// A ToolCall is a call that a model asks for. Given to [Do], or to an event as its
// inputs, it says which call the event runs.
type ToolCall struct {
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"`
	Arguments any    `json:"arguments,omitempty"` // a map or struct, or the text that the model wrote; nil is not written
}

// A Document is what a search found. What is empty is not written.
type Document struct {
	ID string
	// Score is how well the document fits, in the terms of the search. Zero means
	// that there is none, unless HasScore is set. One that is no number is
	// reported, and written as "NaN" and the like.
	Score    float64
	HasScore bool // also where it is zero
	Content  string
	Metadata map[string]any
}

// Usage counts the tokens of a call to a model. A count that is not known is not
// written: one of zero, unless it is in Known, and one below zero in any case.
type Usage struct {
	InputTokens      int64 `json:"input_tokens,omitempty"`       // all that the model read, those from a cache included
	OutputTokens     int64 `json:"output_tokens,omitempty"`      // all that it wrote, reasoning included
	TotalTokens      int64 `json:"total_tokens,omitempty"`       // where it is not known, the sum of both, if they are and it fits
	CacheReadTokens  int64 `json:"cache_read_tokens,omitempty"`  // of the input: read from a cache
	CacheWriteTokens int64 `json:"cache_write_tokens,omitempty"` // of the input: written to a cache
	ReasoningTokens  int64 `json:"reasoning_tokens,omitempty"`   // of the output: reasoning
	// Known are the counts that are known although they are zero, such as
	// InputCount|OutputCount of a call that was answered with nothing, or
	// AllCounts. Other counts are known anyway.
	Known UsageCounts `json:"known,omitempty"`
}

// UsageCounts is a set of the counts of a [Usage].
type UsageCounts uint8

// The counts of a [Usage], in the order of its fields.
const (
	InputCount UsageCounts = 1 << iota
	OutputCount
	TotalCount
	CacheReadCount
	CacheWriteCount
	ReasoningCount

	AllCounts = InputCount | OutputCount | TotalCount | CacheReadCount | CacheWriteCount | ReasoningCount
)

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

// WithTopK sets how many documents are searched for: config.top_k, and
// gen_ai.retrieval.top_k on the span. A number below one sets nothing.
func WithTopK(k int) FieldOption { return FieldOption{field: fieldTopK, number: float64(k)} }

// SetMessages sets the messages of the conversation so far: inputs.chat_history.
func (s *Session) SetMessages(messages ...Message) { s.recording().setMessages(messages) }

// SetReply sets the answer of the session: role, content and tool_calls in its
// outputs, and choices where there is more than one.
func (s *Session) SetReply(choices ...Message) { s.recording().setReply(choices) }

// SetUsage sets the token counts of the whole session, in its metadata. Where
// none are set, the session ends with the sum of what its events of this process
// used: those whose usage was set, and spans of other tracers that say theirs. An
// event that says its own while events below it do, such as an agent, is not
// counted twice. A later call changes the counts that it knows, and no others.
func (s *Session) SetUsage(u Usage) { s.recording().setUsage(u) }

// SetModel names the model that the event calls, and who provides it, in the
// configuration. An empty one is left out; [WithModel] says how they are named.
func (e *Event) SetModel(provider, model string) { e.recording().setModel(provider, model) }

// SetMessages sets the messages that the model is sent: inputs.chat_history.
func (e *Event) SetMessages(messages ...Message) { e.recording().setMessages(messages) }

// SetReply sets what the model answered: role, content and tool_calls in the
// outputs, and choices where there is more than one.
func (e *Event) SetReply(choices ...Message) { e.recording().setReply(choices) }

// SetUsage sets the token counts that are known, in the metadata: prompt_tokens,
// completion_tokens, total_tokens, cache_read_input_tokens,
// cache_write_input_tokens and reasoning_tokens. A later call, such as one for each
// part of a stream, changes the counts that it knows, and no others.
func (e *Event) SetUsage(u Usage) { e.recording().setUsage(u) }

// SetQuery sets what is searched for: inputs.query.
func (e *Event) SetQuery(query string) { e.recording().setQuery(query) }

// SetTopK sets how many documents are searched for: config.top_k, and
// gen_ai.retrieval.top_k on the span. A number below one sets nothing.
func (e *Event) SetTopK(k int) { e.recording().setTopK(k) }

// SetDocuments sets what the search found, best first: outputs.documents.
func (e *Event) SetDocuments(documents ...Document) { e.recording().setDocuments(documents) }

// setBytes merges JSON that was made here into a bucket.
func (r *recording) setBytes(b convert.Bucket, text []byte) { r.add(fields.Object(b, string(text))) }

func (r *recording) setModel(provider, model string) {
	if provider == "" && model == "" || !r.noted() {
		return
	}
	r.add(fields.Model(r.reporter().modelText(provider, model), len(provider)))
}

// longestModel bounds what modelText keeps.
const longestModel = 256

// modelText returns a provider and a model in memory of our own. A program has few
// of them, so the last of some lengths are kept.
func (t *Tracer) modelText(provider, model string) string {
	n := len(provider) + len(model)
	last := &t.models[n%len(t.models)]
	if text := last.Load(); text != nil && len(*text) == n && strings.HasPrefix(*text, provider) && strings.HasSuffix(*text, model) {
		return *text
	}
	text := strings.Join([]string{provider, model}, "") // a copy in any case
	if n <= longestModel {
		last.Store(&text)
	}
	return text
}

func (r *recording) setMessages(messages []Message) {
	if !r.active() {
		return
	}
	scratch := fields.Scratch()
	b := append(r.list(append((*scratch)[:0], `{"chat_history":`...), messages, (*Message).appendChat), '}')
	r.setBytes(convert.Inputs, b)
	if r.viewers() {
		b = r.list(b[:0], messages, (*Message).appendParts)
		r.fields.AddGenAI(genai.InputMessages.String(string(b)))
	}
	fields.KeepScratch(scratch, b)
}

func (r *recording) setReply(choices []Message) {
	if !r.active() || len(choices) == 0 {
		return
	}
	scratch := fields.Scratch()
	o := objectWriter{b: choices[0].appendChat(r, (*scratch)[:0])}
	if len(choices) > 1 {
		o.b = o.b[:len(o.b)-1] // without the end of the object
		o.key("choices")
		o.b = r.list(o.b, choices, (*Message).appendChat)
		o.b = o.bytes()
	}
	r.setBytes(convert.Outputs, o.b)
	if r.viewers() {
		o.b = r.list(o.b[:0], choices, (*Message).appendParts)
		r.fields.AddGenAI(genai.OutputMessages.String(string(o.b)))
	}
	fields.KeepScratch(scratch, o.b)
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
	if !r.noted() {
		return
	}
	p, ok, err := r.fields.UpdateUsage(u.known())
	all := p.Usage()
	if !ok {
		r.measureUsage(all.Said())
	}
	if s := r.node.Session; s != nil && s.Recorded() {
		r.node.Count(*all)
	}
	if all.Knows(tokens.Input|tokens.Output) && !all.Knows(tokens.Total) {
		r.reporter().reports.Report("usage", fmt.Errorf("sessionspan: set usage: the sum of %d and %d tokens fits in no total_tokens, which is left out", all.N[0], all.N[1]))
	}
	r.added(p, ok, err)
}

// known returns the counts that are known.
func (u *Usage) known() (k tokens.Usage) {
	for i, n := range [...]int64{u.InputTokens, u.OutputTokens, u.TotalTokens, u.CacheReadTokens, u.CacheWriteTokens, u.ReasoningTokens} {
		if which := tokens.Counts(1 << i); n > 0 || n == 0 && u.Known&UsageCounts(which) != 0 {
			k.Set(which, n)
		}
	}
	return k
}

func (r *recording) setQuery(query string) {
	if query == "" || !r.active() {
		return
	}
	o := objectWriter{}
	o.text("query", query)
	r.setBytes(convert.Inputs, o.bytes())
	if r.viewers() {
		r.fields.AddGenAI(genai.RetrievalQuery.String(query))
	}
}

func (r *recording) setTopK(k int) {
	if k < 1 || !r.active() {
		return
	}
	r.setBytes(convert.Config, append(strconv.AppendInt([]byte(`{"top_k":`), int64(k), 10), '}'))
	if r.viewers() {
		r.fields.AddGenAI(genai.RetrievalTopK.Int(k))
	}
}

func (r *recording) setDocuments(documents []Document) {
	if !r.active() {
		return
	}
	scratch := fields.Scratch()
	const head = `{"documents":`
	b := append(append((*scratch)[:0], head...), '[')
	for i := range documents {
		if i > 0 {
			b = append(b, ',')
		}
		b = documents[i].append(r, b)
	}
	b = append(b, ']', '}')
	r.setBytes(convert.Outputs, b)
	if r.viewers() {
		r.fields.AddGenAI(genai.RetrievalDocuments.String(string(b[len(head) : len(b)-1])))
	}
	fields.KeepScratch(scratch, b)
}

func (d *Document) append(r *recording, dst []byte) []byte {
	o := objectWriter{b: dst, start: len(dst)}
	o.text("id", d.ID)
	if d.Score != 0 || d.HasScore {
		o.value(r, "score", "document", d.Score)
	}
	o.text("content", d.Content)
	if len(d.Metadata) > 0 {
		o.value(r, "metadata", "document", d.Metadata)
	}
	return o.bytes()
}

// viewers reports whether attributes of the GenAI conventions that hold content
// are worth writing: whether anybody but this library reads the span.
func (r *recording) viewers() bool { return r.spanned() && r.tracer.forViewers }

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
		o.string("content", m.Content)
	}
	if len(m.ToolCalls) > 0 {
		o.key("tool_calls")
		o.b = append(o.b, '[')
		for i := range m.ToolCalls {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			c := objectWriter{b: o.b, start: len(o.b)}
			c.text("id", m.ToolCalls[i].ID)
			c.text("type", "function")
			c.key("function")
			f := objectWriter{b: c.b, start: len(c.b)}
			f.text("name", m.ToolCalls[i].Name)
			f.arguments(r, m.ToolCalls[i].Arguments)
			c.b = f.bytes()
			o.b = c.bytes()
		}
		o.b = append(o.b, ']')
	}
	o.text("reasoning", m.Reasoning)
	o.text("finish_reason", m.FinishReason)
	return o.bytes()
}

// appendParts writes the message as the GenAI conventions have it: a role and a
// list of typed parts.
func (m *Message) appendParts(r *recording, dst []byte) []byte {
	o := objectWriter{b: dst, start: len(dst)}
	o.text("role", m.Role)
	o.text("name", m.Name)
	o.key("parts")
	o.b = append(o.b, '[')
	first := len(o.b)
	part := func(kind string) objectWriter {
		if len(o.b) > first {
			o.b = append(o.b, ',')
		}
		p := objectWriter{b: o.b, start: len(o.b)}
		p.text("type", kind)
		return p
	}
	if m.Reasoning != "" {
		p := part("reasoning")
		p.text("content", m.Reasoning)
		o.b = p.bytes()
	}
	switch {
	case m.ToolCallID != "":
		p := part("tool_call_response")
		p.text("id", m.ToolCallID)
		p.string("response", m.Content)
		o.b = p.bytes()
	case m.Content != "":
		p := part("text")
		p.text("content", m.Content)
		o.b = p.bytes()
	}
	for i := range m.ToolCalls {
		p := part("tool_call")
		p.text("id", m.ToolCalls[i].ID)
		p.text("name", m.ToolCalls[i].Name)
		p.arguments(r, m.ToolCalls[i].Arguments)
		o.b = p.bytes()
	}
	o.b = append(o.b, ']')
	o.text("finish_reason", m.FinishReason)
	return o.bytes()
}

// objectWriter writes a JSON object member by member, from start.
type objectWriter struct {
	b     []byte
	start int
}

func (o *objectWriter) empty() bool { return len(o.b) == o.start }

// key writes a key, which is one of ours and needs no escapes.
func (o *objectWriter) key(key string) {
	mark := byte(',')
	if o.empty() {
		mark = '{'
	}
	o.b = append(append(append(o.b, mark, '"'), key...), '"', ':')
}

// text writes a string, unless it is empty.
func (o *objectWriter) text(key, value string) {
	if value != "" {
		o.string(key, value)
	}
}

func (o *objectWriter) string(key, value string) {
	o.key(key)
	o.b = rawjson.AppendString(o.b, value)
}

// number writes a number, which is none that JSON does not have.
func (o *objectWriter) number(key string, n float64) {
	o.key(key)
	o.b = rawjson.AppendFloat(o.b, n, 64)
}

// value writes what the user gave. what names it in errors.
func (o *objectWriter) value(r *recording, key, what string, v any) {
	o.key(key)
	var err error
	if o.b, err = rawjson.Append(o.b, v); err != nil {
		r.reporter().reports.Report("encode "+what, fmt.Errorf("sessionspan: set %s: %w", what, err))
	}
}

// arguments writes those of a tool call, if there are any.
func (o *objectWriter) arguments(r *recording, v any) {
	if v != nil {
		o.value(r, "arguments", "arguments", v)
	}
}

func (o *objectWriter) bytes() []byte {
	if o.empty() {
		o.b = append(o.b, '{')
	}
	return append(o.b, '}')
}
