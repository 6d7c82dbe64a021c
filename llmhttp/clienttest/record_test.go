package clienttest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/sessiontest"
)

// A record is what is recorded of a call, without what differs from run to run.
type record struct {
	Name, Type, Error       string
	Inputs, Outputs, Config any
	Metadata                object
	Attributes              object
	FirstToken              bool // the time to it is known
}

// timings are members of the metadata that differ from run to run.
var timings = []string{"time_to_first_chunk_ms", "tokens_per_second", "load_ms", "prompt_eval_ms", "eval_ms", "latency_ms"}

// compared are the attributes that records are compared by.
var compared = []string{
	"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.response.id",
	"gen_ai.response.finish_reasons", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.request.temperature",
	"gen_ai.request.max_tokens", "gen_ai.request.stream", "gen_ai.output.messages", "gen_ai.system_instructions",
	"error.type", "http.request.resend_count", "http.response.status_code",
}

// recordOf reads a record.
func recordOf(e *sessiontest.Event, attributes map[string]any) record {
	r := record{
		Name: e.EventName.Or(""), Type: e.EventType.Or(""), Error: e.Error.Or(""),
		Inputs: decode(e.Inputs.String()), Outputs: decode(e.Outputs.String()), Config: decode(e.Config.String()), Attributes: object{},
	}
	r.Metadata, _ = decode(e.Metadata.String()).(object)
	_, r.FirstToken = r.Metadata["time_to_first_chunk_ms"]
	maps.DeleteFunc(r.Metadata, func(name string, _ any) bool {
		return slices.Contains(timings, name) || strings.Contains(name, ".") // attributes, which are compared below
	})
	for _, name := range compared {
		if v, ok := attributes[name]; ok {
			r.Attributes[name] = normal(v)
		}
	}
	return r
}

// normal returns a value as JSON has it; text that is JSON is read.
func normal(v any) any {
	if s, ok := v.(string); ok && s != "" && (s[0] == '[' || s[0] == '{') {
		return decode(s)
	}
	return decode(encode(v))
}

// expected returns what is to be recorded of an attempt, the nth of a case.
func (c *client) expected(tc *testCase, n int) record {
	w, o := c.wire, &tc.want[n]
	r := record{Name: w.operation + " " + model, Type: "model", Metadata: object{"operation_name": w.operation}}
	r.Inputs = object{"chat_history": w.history(tc.question)}
	config := object{"provider": w.provider, "model": model, "temperature": temperature, "max_tokens": maxTokens}
	if tc.question.tools {
		config["tools"] = list{object{"type": "function", "name": toolName, "description": toolText, "parameters": decode(toolSchema)}}
	}
	r.Config = config
	r.Attributes = object{
		"gen_ai.operation.name": w.operation, "gen_ai.provider.name": w.provider, "gen_ai.request.model": model,
		"gen_ai.request.temperature": temperature, "gen_ai.request.max_tokens": maxTokens,
	}
	if w.instructions {
		r.Attributes["gen_ai.system_instructions"] = list{object{"type": "text", "content": system}}
	}
	if tc.streamed {
		config["stream"] = true
		r.Attributes["gen_ai.request.stream"] = true
	}
	if c.attempts {
		r.Metadata["attempt"] = n + 1
		r.Attributes["http.request.resend_count"] = n
	}
	status := 200
	if s := tc.replies[n].status; s != 0 {
		status = s
	}
	r.Attributes["http.response.status_code"] = status
	maps.Copy(r.Metadata, w.metadata)
	r.expectAnswer(w, tc, o)
	r.expectError(w, tc, n)
	if c.adjust != nil {
		c.adjust(tc, n, &r)
	}
	return r.plain()
}

func (r *record) expectAnswer(w *wire, tc *testCase, o *outcome) {
	if status := r.Attributes["http.response.status_code"]; status != 200 {
		return
	}
	r.FirstToken = tc.streamed
	if !w.noID {
		r.Metadata["response_id"], r.Attributes["gen_ai.response.id"] = answerID, answerID
	}
	if !w.noModel {
		r.Metadata["response_model"], r.Attributes["gen_ai.response.model"] = answeredModel, answeredModel
	}
	reason, ended := w.finish[o.answer.finish()], o.answer.finish()
	switch {
	case o.cut && o.failed != "":
		reason, ended = "error", "error"
	case o.cut:
		reason, ended = "", ""
	}
	var parts list
	outputs := object{"role": "assistant"}
	if text := o.answer.text(); text != "" {
		outputs["content"] = text
		parts = append(parts, object{"type": "text", "content": text})
	}
	if len(o.answer.Calls) > 0 {
		outputs["tool_calls"] = w.calls(o.answer.Calls)
		for _, c := range o.answer.Calls {
			parts = append(parts, object{"type": "tool_call", "id": c.ID, "name": c.Name, "arguments": decode(c.Arguments)})
		}
	}
	message := object{"role": "assistant", "parts": parts}
	if reason != "" {
		outputs["finish_reason"], message["finish_reason"] = reason, ended
		r.Metadata["finish_reasons"], r.Attributes["gen_ai.response.finish_reasons"] = list{reason}, list{reason}
	}
	r.Outputs, r.Attributes["gen_ai.output.messages"] = outputs, list{message}
	if o.cut {
		if w.early != nil { // it tells some tokens in advance
			maps.Copy(r.Metadata, w.early)
			r.expectNone(w)
			r.Attributes["gen_ai.usage.input_tokens"], r.Attributes["gen_ai.usage.output_tokens"] = w.early["prompt_tokens"], w.early["completion_tokens"]
		}
		return
	}
	r.Attributes["gen_ai.usage.input_tokens"], r.Attributes["gen_ai.usage.output_tokens"] = inputTokens, outputTokens
	r.Metadata["prompt_tokens"], r.Metadata["completion_tokens"], r.Metadata["total_tokens"] = inputTokens, outputTokens, inputTokens+outputTokens
	if w.cached {
		r.Metadata["cache_read_input_tokens"] = cachedTokens
	}
	r.expectNone(w)
}

// expectNone is for the count that the server says is zero, which is not unknown.
func (r *record) expectNone(w *wire) {
	if w.none != "" {
		r.Metadata[w.none] = 0
	}
}

func (r *record) expectError(w *wire, tc *testCase, n int) {
	o := &tc.want[n]
	var p problem
	switch o.failed {
	case "http":
		_, p = w.failure(tc.replies[n].status)
	case "stream":
		p = w.streamProblem
	case "canceled":
		p = problem{"context canceled", "canceled"}
	case "broken":
		p = problem{"unexpected EOF", "unexpected_eof"}
	}
	r.Error = p.text
	if p.kind != "" {
		r.Attributes["error.type"], r.Metadata["error_type"] = p.kind, p.kind
	}
	if o.closed {
		r.Metadata["stream_end"] = "closed"
	}
}

// history returns the conversation as it is recorded.
func (w *wire) history(q question) list {
	h := list{object{"role": "system", "content": system}, object{"role": "user", "content": user}}
	if q.results {
		h = append(h, object{"role": "assistant", "tool_calls": w.calls([]call{bern})}, w.result(bern, toolResult))
	}
	return h
}

// calls returns calls of tools as they are recorded.
func (w *wire) calls(calls []call) list {
	var l list
	for _, c := range calls {
		l = append(l, object{"id": c.ID, "type": "function", "function": object{"name": c.Name, "arguments": decode(c.Arguments)}})
	}
	return l
}

// plain returns the record with its values as JSON has them.
func (r record) plain() record {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	var p record
	if err := json.Unmarshal(b, &p); err != nil {
		panic(err)
	}
	return p
}
