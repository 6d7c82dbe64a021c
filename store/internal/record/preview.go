package record

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
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
	o := inputs.JSONText()
	for _, key := range [...]string{"chat_history", "messages"} {
		if list, ok := rawjson.Get(o, key); ok {
			if s := lastOfUser(list); s != "" {
				return s
			}
		}
	}
	return preview(o, questionKeys)
}

// Answer returns what the outputs of a session answer, as far as a list shows
// it.
func Answer(outputs honeyhive.Object) string { return preview(outputs.JSONText(), answerKeys) }

// lastOfUser returns the content of the last message of a user.
func lastOfUser(list string) string {
	last := ""
	for m := range rawjson.Elements(list) {
		role, _ := rawjson.Get(m, "role")
		if role != `"user"` && role != `"human"` {
			continue
		}
		if content, ok := rawjson.Get(m, "content"); ok {
			if s := plain(content); s != "" {
				last = s
			}
		}
	}
	return last
}

// plain returns a string, or the text of the parts of a message.
func plain(value string) string {
	switch rawjson.KindOf(value) {
	case rawjson.String:
		return beginning(head(value))
	case rawjson.Array:
		var parts []string
		for p := range rawjson.Elements(value) {
			if t, ok := rawjson.Get(p, "text"); ok && rawjson.KindOf(t) == rawjson.String {
				parts = append(parts, beginning(head(t)))
			}
		}
		return beginning(strings.Join(parts, " "))
	}
	return ""
}

// head decodes the beginning of a JSON string that is much longer than a list
// shows.
func head(raw string) string {
	const most = 16 * previewRunes
	if len(raw) <= most {
		return rawjson.Unquote(raw)
	}
	cut := 1
	for cut < most { // never within an escape
		n := 1
		if raw[cut] == '\\' {
			n = 2
			if raw[cut+1] == 'u' {
				n = 6
			}
		}
		cut += n
	}
	for !utf8.RuneStart(raw[cut]) {
		cut--
	}
	return rawjson.Unquote(raw[:cut] + `"`)
}

// preview returns the first string that one of the keys holds, or else that any
// key holds, or else the JSON of the object.
func preview(o string, keys []string) string {
	for _, k := range keys {
		if v, ok := rawjson.Get(o, k); ok {
			if s := plain(v); s != "" {
				return s
			}
			if content, ok := rawjson.Get(v, "content"); ok { // a message
				if s := plain(content); s != "" {
					return s
				}
			}
		}
	}
	for k, v := range rawjson.Members(o) {
		if s := plain(v); s != "" && k != "role" {
			return s
		}
	}
	if len(o) <= len("{}") || o == "null" {
		return ""
	}
	return beginning(o[:min(len(o), 16*previewRunes)])
}
