package page

import (
	"hash/maphash"
	"html/template"
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
	Download  string
	Reasoning string
	Calls     []call
	MoreCalls int    // that are not shown
	CallID    string // of the call that it answers
	Finish    string

	key uint64 // tells messages apart
}

// call is a call of a tool that a message asks for.
type call struct {
	ID, Name, Arguments string
	Result              *message // what came back
	Event               string   // address of the event that ran it
	Failed, Took        string   // the error and the duration of that event
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

var messageSeed = maphash.MakeSeed()

// message reads a message. Any object becomes one.
func (s *shower) message(object honeyhive.Value, path ...string) message {
	get := func(key string) honeyhive.Value {
		v, _ := object.Get(key)
		if v == "null" {
			return ""
		}
		return v
	}
	m := message{Role: get("role").Text(), CallID: get("tool_call_id").Text(), Name: line(get("name").Text(), 80)}
	switch m.Role {
	case "system", "user", "assistant", "tool":
	case "developer":
		m.Role, m.Name = "system", strings.TrimSpace("developer "+m.Name)
	case "human":
		m.Role = "user"
	case "ai", "model":
		m.Role = "assistant"
	default:
		m.Name = strings.TrimSpace(line(m.Role, 40) + " " + m.Name)
		m.Role = "other"
	}
	text := contentText(get("content"))
	m.Size = int64(len(text))
	shown, isCut := s.text(text)
	m.Content, m.Cut = markup(m.Role, shown), isCut
	if isCut {
		m.Download = s.download(append(path, "content")...)
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
	m.key = maphash.String(messageSeed, m.Role+"\x00"+text+"\x00"+string(calls)+"\x00"+m.CallID)
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
	function, ok := object.Get("function")
	if !ok {
		function = object
	}
	id, _ := object.Get("id")
	name, _ := function.Get("name")
	_, arguments := first(function, []string{"arguments", "args", "input"})
	text := arguments.Text()
	if arguments.Kind() == honeyhive.KindString {
		if parsed, err := honeyhive.ParseValue(text); err == nil {
			arguments = parsed
		}
	}
	c := call{ID: id.Text(), Name: line(name.Text(), 120)}
	if kind := arguments.Kind(); kind == honeyhive.KindObject || kind == honeyhive.KindArray {
		c.Arguments, _ = s.json(arguments)
	} else {
		c.Arguments, _ = s.text(text)
	}
	return c
}
