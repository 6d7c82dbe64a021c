package record

import (
	"slices"
	"strings"
	"unicode"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// previewRunes bounds the texts that stand in a list.
const previewRunes = 240

// beginning returns the first line of a text, as far as a list shows it: runs
// of white space are one space.
func beginning(s string) string {
	var b strings.Builder
	runes, space := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			runes, space = runes+1, false
		}
		if runes >= previewRunes {
			b.WriteRune('…')
			break
		}
		b.WriteRune(r)
		runes++
	}
	return b.String()
}

// The keys whose values stand for the whole, best first.
var (
	questionKeys = []string{"question", "query", "prompt", "input", "message", "text", "content", "task", "topic"}
	answerKeys   = []string{"content", "answer", "response", "output", "result", "text", "completion", "message", "reply", "summary"}
)

// Question returns what the inputs of a session ask, as far as a list shows it.
func Question(inputs honeyhive.Object) string {
	o := honeyhive.Value(inputs.JSONText())
	for _, key := range [...]string{"chat_history", "messages"} {
		if list, ok := o.Get(key); ok {
			if s := lastOfUser(list); s != "" {
				return s
			}
		}
	}
	return preview(o, questionKeys)
}

// Answer returns what the outputs of a session answer, as far as a list shows
// it.
func Answer(outputs honeyhive.Object) string {
	return preview(honeyhive.Value(outputs.JSONText()), answerKeys)
}

// lastOfUser returns the content of the last message of a user.
func lastOfUser(list honeyhive.Value) string {
	last := ""
	for m := range list.Elements() {
		role, _ := m.Get("role")
		if role != `"user"` && role != `"human"` {
			continue
		}
		if content, ok := m.Get("content"); ok {
			if s := plain(content); s != "" {
				last = s
			}
		}
	}
	return last
}

// plain returns a string, or the text of the parts of a message.
func plain(value honeyhive.Value) string {
	switch value.Kind() {
	case honeyhive.KindString:
		return beginning(head(value))
	case honeyhive.KindArray:
		var parts []string
		for p := range value.Elements() {
			if t, ok := p.Get("text"); ok && t.Kind() == honeyhive.KindString {
				parts = append(parts, beginning(head(t)))
			}
		}
		return beginning(strings.Join(parts, " "))
	}
	return ""
}

// head decodes the beginning of a JSON string that is much longer than a list
// shows.
func head(raw honeyhive.Value) string {
	end, whole := stringEnd(raw, 16*previewRunes)
	if !whole {
		return (raw[:end] + `"`).Text()
	}
	return raw[:end].Text()
}

// preview returns the first string that one of the keys holds, or else that any
// key holds, or else the JSON of the object.
func preview(o honeyhive.Value, keys []string) string {
	held := make(map[string]honeyhive.Value)
	for k, v := range o.Members() { // once, since values may be large
		if slices.Contains(keys, k) {
			held[k] = v
		}
	}
	for _, k := range keys {
		if v, ok := held[k]; ok {
			if s := plain(v); s != "" {
				return s
			}
			if content, ok := v.Get("content"); ok { // a message
				if s := plain(content); s != "" {
					return s
				}
			}
		}
	}
	for k, v := range o.Members() {
		if s := plain(v); s != "" && k != "role" {
			return s
		}
	}
	if len(o) <= len("{}") || o == "null" {
		return ""
	}
	return beginning(string(o[:min(len(o), 16*previewRunes)]))
}
