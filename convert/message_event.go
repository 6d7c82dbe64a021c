package convert

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file reads messages that stand in events of the span, one in each, as the
// GenAI conventions had it up to v1.36: gen_ai.user.message and its like, and
// gen_ai.choice. What the body of such an event is, spans hold in attributes of the
// event, some in one that is the JSON of all.

// messageEvent reads such an event.
func (r *reader) messageEvent(e *Event, _ rank) bool {
	var f fields
	for _, kv := range e.Attributes {
		if kv.Value.Type() == attribute.EMPTY {
			continue
		}
		key, text := valid(string(kv.Key)), structured(kv.Value)
		switch key {
		case "gen_ai.system", "gen_ai.provider.name", "event.name":
			continue
		case "gen_ai.event.content", "event.body", "body": // as Azure and Semantic Kernel write it
			if inner := fieldsOf(text); inner != nil {
				f = append(f, inner...)
				continue
			}
			key = "content"
		}
		f = append(f, pair{key, text})
	}
	if len(f) == 0 {
		return false
	}
	role := strings.TrimSuffix(strings.TrimPrefix(e.Name, "gen_ai."), ".message")
	r.putEventMessage(role, f)
	return true
}

// putEventMessage adds the message of an event, by what the name of that says.
func (r *reader) putEventMessage(role string, f fields) {
	p := &r.genAI
	if role == "choice" {
		p.answers = append(p.answers, choiceMessages(f)...)
		return
	}
	p.given = append(p.given, bodyMessages(role, f)...)
}

// bodyMessages returns what the body of an event becomes.
func bodyMessages(role string, f fields) []string {
	if given := rawjson.Unquote(f.first("role")); given != "" && role != "tool" {
		role = given
	}
	if role == "tool" {
		content := f.first("content")
		d := draft{role: "tool"}
		if isParts(content) {
			for part := range rawjson.Elements(content) {
				d.part(part)
			}
			if len(d.results) > 0 {
				return d.messages()
			}
		}
		return []string{object(append(fields{{"role", `"tool"`}, {"name", f.first("name")}, {"tool_call_id", f.first("id", "tool_call_id")}, {"content", content}},
			f.others("role", "name", "id", "tool_call_id", "content")...)...)}
	}
	return chatMessage(object(append(fields{{"role", quoted(role)}}, f.others("role")...)...))
}

// choiceMessages returns what the body of a choice becomes: its message is one, or
// the content of one.
func choiceMessages(f fields) []string {
	m, reason := f.first("message"), f.first("finish_reason")
	body := fields{{"role", `"assistant"`}}
	switch inner := fieldsOf(m); {
	case inner != nil && inner.first("role", "content", "tool_calls", "parts") != "":
		if inner.first("role") != "" {
			body = nil
		}
		body = append(body, inner...)
	case m != "":
		body = append(body, pair{"content", m})
	default:
		body = append(body, pair{"content", f.first("content")})
	}
	if calls := f.first("tool_calls"); calls != "" && body.first("tool_calls") == "" {
		body = append(body, pair{"tool_calls", calls})
	}
	messages := chatMessage(object(append(body, f.others("message", "finish_reason", "content", "tool_calls", "role", "index", "toolcalls")...)...))
	return finished(messages, reason)
}

// toolMessages reads the messages of a span that runs a tool, and reports whether it
// did: what it took is the call in them, what it gave the result. Attributes for both
// count more.
func (r *reader) toolMessages(from rank) bool {
	p := &r.genAI
	given, answers := p.given, p.answers
	if p.input.Type() != attribute.EMPTY {
		given = append(given, chatMessages(structured(p.input))...)
	}
	if p.output.Type() != attribute.EMPTY {
		answers = append(answers, chatMessages(structured(p.output))...)
	}
	if len(given) == 0 && len(answers) == 0 {
		return false
	}
	for _, m := range given {
		f := fieldsOf(m)
		took := f.first("content")
		for call := range rawjson.Elements(f.first("tool_calls")) {
			took = fieldsOf(fieldsOf(call).first("function")).first("arguments")
		}
		if took != "" {
			r.putObjectOf(Inputs, []string{"chat_history"}, "arguments", took, from)
		}
	}
	for _, m := range answers {
		if gave := fieldsOf(m).first("content"); gave != "" {
			r.putObjectOf(Outputs, outputMarks, "result", gave, from)
		}
	}
	return true
}

// putObjectOf adds the keys of an object to a bucket, which may stand as the text of
// its JSON, and what is none under a key; nothing where it has one of the marks.
func (r *reader) putObjectOf(b Bucket, marks []string, otherwise, text string, from rank) {
	if rawjson.KindOf(text) == rawjson.String {
		if inner, ok := embedded(rawjson.Unquote(text)); ok && rawjson.KindOf(inner) == rawjson.Object {
			text = inner
		}
	}
	r.buckets[b].putGroup(from, marks, func(*bucketReader) []member {
		if rawjson.KindOf(text) != rawjson.Object {
			return []member{{key: otherwise, text: text}}
		}
		var members []member
		for k, v := range rawjson.Members(text) {
			members = append(members, member{key: k, text: v})
		}
		return members
	})
}

// finishPrompts reads gen_ai.prompt and gen_ai.completion: a text each, or the request
// and the response of the API of a model. LangSmith has what a step took and gave in
// them, whatever it is.
func (r *reader) finishPrompts(from rank) {
	if prompt := r.takeText("gen_ai.prompt"); prompt != "" {
		if req, ok := readRequest(prompt); r.langSmith.speaks {
			r.putInput(prompt, from)
		} else if ok {
			r.putChat(req.messages, from)
			r.putParameters(req.rest, from)
		} else {
			r.buckets[Inputs].put("prompt", prompt, from)
		}
	}
	if completion := r.takeText("gen_ai.completion"); completion != "" {
		if res, ok := readResponse(completion); r.langSmith.speaks {
			r.putOutput(completion, from)
		} else if ok {
			r.putAnswer(res.messages, from)
			r.putResponse(res.rest, from)
		} else {
			r.buckets[Outputs].put("completion", completion, from)
		}
	}
}

// usageDetails reads counts of tokens from the JSON of an attribute.
func (r *reader) usageDetails(v attribute.Value, from rank) {
	r.putUsage(fieldsOf(structured(v)), from)
}
