package page

import (
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// message is one of a chat, as OpenAI's chat API has it.
type message struct {
	Role      string // system, user, assistant, tool, or other
	Name      string // of the speaker, or what the role says else
	Content   template.HTML
	Size      int64
	Cut       bool
	Raw       string // address of the content, where it is a text that stands by itself
	Download  string // address of the content, where not all of it is shown
	Reasoning string
	Calls     []call
	MoreCalls int    // that are not shown
	CallID    string // of the call that it answers
	Finish    string
	Above     *node // the turn of a conversation that has shown it as its question
}

// call is a call of a tool that a message asks for.
type call struct {
	ID, Name, Arguments string
	Result              *message // what the model was told
	Ran                 []*turn  // the events that ran it

	asked string // the arguments, so that equal ones are the same text
}

// Failed reports whether an event that ran the call has an error.
func (c *call) Failed() bool {
	return slices.ContainsFunc(c.Ran, func(tn *turn) bool { return tn.Error != "" })
}

// messages reads a list of messages; nil where it is none.
func (s *shower) messages(list honeyhive.Value, path ...string) ([]message, int) {
	var found []message
	more := 0
	for element := range list.Elements() {
		if _, ok := element.Get("role"); !ok {
			return nil, 0
		}
		if len(found) == previewList {
			more++
			continue
		}
		at := append(append([]string{}, path...), strconv.Itoa(len(found)))
		found = append(found, s.message(element, at...))
	}
	return found, more
}

// roleOf returns one of the roles that are known, or other, and what the name of
// a role says beside it.
func roleOf(name string) (role, says string) {
	switch name {
	case "system", "user", "assistant", "tool":
		return name, ""
	case "developer":
		return "system", name
	case "human":
		return "user", ""
	case "ai", "model":
		return "assistant", ""
	}
	return "other", line(name, 40)
}

// message reads a message. Any object becomes one.
func (s *shower) message(object honeyhive.Value, path ...string) message {
	get := func(key string) honeyhive.Value {
		v, _ := object.Get(key)
		if v == "null" {
			return ""
		}
		return v
	}
	m := message{CallID: get("tool_call_id").Text(), Name: line(get("name").Text(), 80)}
	role, prefix := roleOf(get("role").Text())
	m.Role, m.Name = role, strings.TrimSpace(prefix+" "+m.Name)
	text := contentText(get("content"))
	m.Size = int64(len(text))
	shown, isCut := s.text(text)
	m.Content, m.Cut = markup(m.Role, shown), isCut
	at := s.download(slices.Concat(path, []string{"content"})...)
	if get("content").Kind() == honeyhive.KindString {
		m.Raw = at
	}
	if isCut {
		m.Download = at
	}
	m.Reasoning, _ = s.text(get("reasoning").Text())
	m.Finish = line(get("finish_reason").Text(), 40)
	calls := get("tool_calls")
	for element := range calls.Elements() {
		if len(m.Calls) == previewList {
			m.MoreCalls++
			continue
		}
		m.Calls = append(m.Calls, s.call(element))
	}
	return m
}

// markup shows the text of a message: what models and people write as markdown,
// what tools return as it is.
func markup(role, shown string) template.HTML {
	if shown == "" {
		return ""
	}
	if role == "tool" || role == "system" {
		return plainText(shown)
	}
	return renderMarkdown(shown)
}

func plainText(shown string) template.HTML {
	return template.HTML(`<div class="plain">` + template.HTMLEscapeString(shown) + `</div>`) //nolint:gosec // it is escaped
}

// contentText returns the text of the content of a message: a string, or a list
// of parts.
func contentText(content honeyhive.Value) string {
	switch content.Kind() {
	case honeyhive.KindString:
		return content.Text()
	case honeyhive.KindArray:
		var parts []string
		for part := range content.Elements() {
			parts = append(parts, partText(part))
		}
		return strings.Join(parts, "\n\n")
	case honeyhive.KindObject:
		return indent(content)
	}
	return string(content)
}

// partText returns what a part of a message says. What is no text is named, with
// its size.
func partText(part honeyhive.Value) string {
	if part.Kind() == honeyhive.KindString {
		return part.Text()
	}
	if _, text := first(part, []string{"text", "content"}); text.Kind() == honeyhive.KindString {
		return text.Text()
	}
	kind, _ := part.Get("type")
	if kind == "" || len(part) < 400 {
		return indent(part)
	}
	return "[" + kind.Text() + ", " + size(int64(len(part))) + "]"
}

func (s *shower) call(object honeyhive.Value) call {
	id, name, arguments := readCall(object)
	c := call{ID: id, Name: line(name, 120), asked: canonical(arguments)}
	if kind := arguments.Kind(); kind == honeyhive.KindObject || kind == honeyhive.KindArray {
		c.Arguments, _ = s.json(arguments)
	} else {
		c.Arguments, _ = s.text(arguments.Text())
	}
	return c
}

// readCall reads a call of a tool. Arguments that are JSON in a text are that
// JSON.
func readCall(object honeyhive.Value) (id, name string, arguments honeyhive.Value) {
	function, ok := object.Get("function")
	if !ok {
		function = object
	}
	if v, _ := object.Get("id"); v != "null" {
		id = v.Text()
	}
	if v, _ := function.Get("name"); v != "null" {
		name = v.Text()
	}
	_, arguments = first(function, []string{"arguments", "args", "input"})
	return id, name, inText(arguments)
}

// inText returns the JSON that a text holds, or the value as it is.
func inText(v honeyhive.Value) honeyhive.Value {
	if v.Kind() == honeyhive.KindString {
		if parsed, err := honeyhive.ParseValue(v.Text()); err == nil {
			return parsed
		}
	}
	return v
}
