package llmhttp

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// A message is one of a conversation, whoever's API it came by.
type message struct {
	role, name string
	parts      []part
	finish     string // why the model stopped, in the provider's words
	ended      string // the same in the words of the GenAI conventions
	extras     []extra
}

// A part is a piece of a message.
type part struct {
	kind        partKind
	text        string // of text, reasoning, refusal
	id, name    string // of a tool's call or result
	json        string // arguments, a result, or all of a part of another kind
	annotations string // citations, as JSON
	failed      bool   // the result of a tool is an error

	modality, mime string // of media
	uri            string // where the media are; or
	fileID         string // what the provider calls them; or
	sha256         string // what was in place of them
	size           int64
}

type partKind uint8

const (
	partText partKind = iota
	partReasoning
	partRefusal
	partCall
	partResult
	partMedia
	partOther // json holds it whole
)

// appendMessages writes messages in the shape of the GenAI conventions.
func appendMessages(dst []byte, messages []message) []byte {
	dst = append(dst, '[')
	for i := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		m := &messages[i]
		o := object{b: dst, start: len(dst)}
		o.text("role", m.role)
		o.text("name", m.name)
		o.key("parts")
		o.b = appendParts(o.b, m.parts)
		o.extras(m.extras)
		o.text("finish_reason", m.ended)
		dst = o.bytes()
	}
	return append(dst, ']')
}

func appendParts(dst []byte, parts []part) []byte {
	dst = append(dst, '[')
	for i := range parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = parts[i].append(dst, "content")
	}
	return append(dst, ']')
}

// append writes the part in the shape of the GenAI conventions. Text stands
// under the given key.
func (p *part) append(dst []byte, textKey string) []byte {
	o := object{b: dst, start: len(dst)}
	switch p.kind {
	case partText:
		o.text("type", "text")
		o.always(textKey, p.text)
		o.json("citations", p.annotations)
	case partReasoning:
		o.text("type", "reasoning")
		o.always("content", p.text)
	case partRefusal:
		o.text("type", "refusal")
		o.always("content", p.text)
	case partCall:
		o.text("type", "tool_call")
		o.text("id", p.id)
		o.text("name", p.name)
		o.json("arguments", p.json)
	case partResult:
		o.text("type", "tool_call_response")
		o.text("id", p.id)
		o.text("name", p.name)
		o.json("response", p.json)
		o.flag("is_error", p.failed)
	case partMedia:
		switch {
		case p.fileID != "":
			o.text("type", "file")
			o.text("modality", p.modality)
			o.text("mime_type", p.mime)
			o.text("file_id", p.fileID)
		default:
			o.text("type", "uri")
			o.text("modality", p.modality)
			o.text("mime_type", p.mime)
			if p.sha256 != "" {
				o.text("uri", "urn:sha256:"+p.sha256)
				o.text("sha256", p.sha256)
				o.count("size", p.size)
			} else {
				o.always("uri", p.uri)
			}
		}
		o.text("name", p.name)
		o.json("citations", p.annotations)
	default:
		if p.annotations != "" {
			return append(dst, withMember(p.json, "citations", p.annotations)...)
		}
		return append(dst, p.json...)
	}
	return o.bytes()
}

// cites reports whether a part is written with its citations.
func (p *part) cites() bool {
	return p.kind == partText || p.kind == partMedia || p.kind == partOther
}

// typed returns a part of another kind that has no type of its own: an object
// with a member that says what it is.
func typed(kind, json string) part {
	var o object
	o.text("type", kind)
	for k, v := range rawjson.Members(json) {
		if k != "type" {
			o.json(k, v)
		}
	}
	return part{kind: partOther, json: string(o.bytes())}
}

// appendChat writes messages as OpenAI's chat API has them, as the other buckets
// of this library do: text alone is a string, results of tools are messages of
// their own, but those that stand in an answer, of tools that ran at the provider.
func appendChat(dst []byte, system []part, messages []message) []byte {
	dst = append(dst, '[')
	if len(system) > 0 {
		dst = (&message{role: "system", parts: system}).appendChat(dst)
	}
	for i := range messages {
		m := &messages[i]
		rest := 0
		for j := range m.parts {
			p := &m.parts[j]
			if p.kind != partResult || m.role == "assistant" {
				rest++
				continue
			}
			o := object{b: comma(dst)}
			o.start = len(o.b)
			o.text("role", "tool")
			o.text("name", p.name)
			o.text("tool_call_id", p.id)
			o.json("content", p.json)
			o.flag("is_error", p.failed)
			dst = o.bytes()
		}
		if rest > 0 || len(m.parts) == 0 {
			dst = m.appendChat(comma(dst))
		}
	}
	return append(dst, ']')
}

// appendReply writes the outputs of a call: the first answer, and all of them as
// choices where there are several.
func appendReply(dst []byte, messages []message) []byte {
	dst = messages[0].appendChat(dst)
	if len(messages) == 1 {
		return dst
	}
	dst = append(dst[:len(dst)-1], `,"choices":`...)
	return append(appendChat(dst, nil, messages), '}')
}

// scratch are buffers in which texts are put together.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// mostScratch is how large a buffer may be that is kept.
const mostScratch = 64 << 10

// build returns what write appends, which is about so many bytes.
func build(size int, write func([]byte) []byte) string {
	buffer := scratch.Get().(*[]byte)
	b := write(slices.Grow((*buffer)[:0], size))
	if cap(b) > mostScratch && cap(b)-len(b) <= len(b)/8 {
		return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // nobody else has b
	}
	text := string(b)
	if cap(b) <= mostScratch {
		*buffer = b
		scratch.Put(buffer)
	}
	return text
}

// bytes returns about how long a message is in JSON.
func (m *message) bytes() int {
	n := 64
	for i := range m.parts {
		p := &m.parts[i]
		n += 64 + len(p.text) + len(p.json) + len(p.annotations)
	}
	return n
}

// bytesOf returns about how long messages are in JSON.
func bytesOf(messages []message) (n int) {
	for i := range messages {
		n += messages[i].bytes()
	}
	return n
}

// comma separates an element of a list from the one before it.
func comma(dst []byte) []byte {
	if dst[len(dst)-1] != '[' {
		dst = append(dst, ',')
	}
	return dst
}

func (m *message) appendChat(dst []byte) []byte {
	o := object{b: dst, start: len(dst)}
	o.text("role", m.role)
	o.text("name", m.name)
	content, calls := 0, 0
	rich := false
	answer := m.role == "assistant"
	var reasoning, refusal, text, annotations []string
	for i := range m.parts {
		switch p := &m.parts[i]; p.kind {
		case partText:
			content++
			said := p.text
			if len(text) > 0 && (!answer || m.parts[i-1].kind != partText) { // else one text, cut where its citations change
				said = "\n" + said
			}
			text = append(text, said)
			if p.annotations != "" {
				annotations = append(annotations, p.annotations)
			}
		case partReasoning:
			reasoning = append(reasoning, p.text)
		case partRefusal:
			refusal = append(refusal, p.text)
		case partCall:
			calls++
		case partMedia, partOther:
			content++
			rich = true
		case partResult:
			if answer {
				content++
				rich = true
			}
		}
	}
	switch {
	case rich:
		o.key("content")
		o.b = append(o.b, '[')
		for i := range m.parts {
			switch p := &m.parts[i]; {
			case p.kind == partText, p.kind == partMedia, p.kind == partOther, p.kind == partResult && answer:
				o.b = p.append(comma(o.b), "text")
			}
		}
		o.b = append(o.b, ']')
	case content > 0 || calls+len(reasoning)+len(refusal) == 0:
		o.always("content", strings.Join(text, ""))
		o.json("annotations", joinLists(annotations...))
	}
	if calls > 0 {
		o.key("tool_calls")
		o.b = append(o.b, '[')
		for i := range m.parts {
			if p := &m.parts[i]; p.kind == partCall {
				o.b = p.appendCall(comma(o.b))
			}
		}
		o.b = append(o.b, ']')
	}
	o.text("refusal", strings.Join(refusal, "\n"))
	o.text("reasoning", strings.Join(reasoning, "\n"))
	o.extras(m.extras)
	o.text("finish_reason", m.finish)
	return o.bytes()
}

func (p *part) appendCall(dst []byte) []byte {
	c := object{b: dst, start: len(dst)}
	c.text("id", p.id)
	c.text("type", "function")
	c.key("function")
	f := object{b: c.b, start: len(c.b)}
	f.text("name", p.name)
	f.json("arguments", p.json)
	c.b = f.bytes()
	return c.bytes()
}

// appendTexts writes texts as a list.
func appendTexts(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for _, s := range list {
		dst = rawjson.AppendString(comma(dst), s)
	}
	return append(dst, ']')
}

// joinLists returns lists as one, and "" for none.
func joinLists(lists ...string) string {
	var inner []string
	for _, list := range lists {
		if list = filled(list); list != "" {
			inner = append(inner, list[1:len(list)-1])
		}
	}
	if len(inner) == 0 {
		return ""
	}
	return "[" + strings.Join(inner, ",") + "]"
}

// media returns a part for data in base64, which is not kept.
func media(modality, mime, data string) part {
	size, sum := digest(data)
	return part{kind: partMedia, modality: modality, mime: mime, size: size, sha256: sum}
}

// mediaURL returns a part for a URL, which may hold the data itself.
func mediaURL(modality, url string) part {
	if rest, ok := strings.CutPrefix(url, "data:"); ok {
		head, data, _ := strings.Cut(rest, ",")
		mime, _, _ := strings.Cut(head, ";")
		return media(modality, strings.Clone(mime), data)
	}
	return part{kind: partMedia, modality: modality, uri: url}
}

// arguments returns what a model wrote as arguments of a tool: the JSON that it
// is, or a string.
func arguments(text string) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	if canonical, err := rawjson.Parse(text); err == nil {
		return canonical
	}
	return quote(text)
}

func quote(text string) string { return string(rawjson.AppendString(nil, text)) }

// text returns a JSON string decoded, and "" for any other value.
func text(json string) string {
	if rawjson.KindOf(json) != rawjson.String {
		return ""
	}
	return rawjson.Unquote(json)
}

// word is text that is kept beyond the call: it holds no part of the body.
func word(json string) string { return strings.Clone(text(json)) }

// number returns a JSON number as a count, and 0 for any other value.
func number(json string) int64 {
	if n, err := strconv.ParseInt(json, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(json, 64); err == nil && f > -1<<53 && f < 1<<53 {
		return int64(f)
	}
	return 0
}

// float returns a JSON number, and 0 for any other value.
func float(json string) float64 {
	f, err := strconv.ParseFloat(json, 64)
	if err != nil {
		return 0
	}
	return f
}

// get returns a member of an object, "" where there is none or it is null.
func get(json string, path ...string) string {
	for _, key := range path {
		v, ok := rawjson.Get(json, key)
		if !ok || v == "null" {
			return ""
		}
		json = v
	}
	return json
}
