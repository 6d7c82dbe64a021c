package page

import (
	"cmp"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Bounds of what a page shows of a value, in bytes. The whole of it can be
// downloaded.
const (
	previewText = 4000
	previewAll  = 64_000 // of all values of an event
	previewRaw  = 16_000 // of the JSON of an event
	previewKeys = 100    // of an object
	previewList = 60     // elements of a list of messages or documents
	previewMin  = 200    // of each text, also when the bound of all is reached
)

// field is a value of a bucket, as far as it is shown.
type field struct {
	Key      string
	Kind     string // text, prose, json, messages, documents
	Text     string
	Prose    template.HTML
	Size     int64
	Cut      bool
	Raw      string // address of the whole value
	Download string // the same, where not all of it is shown
	Messages []message
	Docs     []document
	More     int // elements that are not shown
}

// bucket is one of the maps of a payload: its scalars, which a table shows, and what
// takes more room.
type bucket struct {
	Name, Title string
	Scalars     []scalar
	Fields      []field
	More        int // keys that are not shown
	keys        []string
}

// scalar is a value that is shown in a line: a number, a boolean, a null or a short
// text.
type scalar struct{ Key, Text, Kind string }

// scalarText is how long a text may be that is shown in a line, in bytes.
const scalarText = 160

// Keys are the names of what the bucket shows, in a line.
func (b *bucket) Keys() string {
	return line(strings.Join(b.keys, ", "), 120)
}

// shower turns values into what is shown of them, until its budget is used up.
type shower struct {
	base   string // address of the event
	budget int
	most   int // of a single value, where it is not previewText
}

// bucket shows a map of a payload; nil where it is empty.
func (s *shower) bucket(name, title string, o honeyhive.Object) *bucket {
	if o.IsEmpty() {
		return nil
	}
	b := &bucket{Name: name, Title: title}
	for key, value := range o.All() {
		if len(b.keys) == previewKeys {
			b.More++
			continue
		}
		f := s.field(key, honeyhive.Value(value), name, key)
		b.keys = append(b.keys, f.Key)
		if f.isScalar(honeyhive.Value(value)) {
			b.Scalars = append(b.Scalars, scalar{f.Key, f.Text, f.Kind})
		} else {
			b.Fields = append(b.Fields, f)
		}
	}
	return b
}

// isScalar reports whether a line shows all of the field's value.
func (f *field) isScalar(value honeyhive.Value) bool {
	switch value.Kind() {
	case honeyhive.KindObject, honeyhive.KindArray:
		return false
	case honeyhive.KindString:
		return f.Kind == "text" && !f.Cut && len(f.Text) <= scalarText && !strings.Contains(f.Text, "\n")
	}
	return !f.Cut && len(f.Text) <= scalarText
}

// field shows a value that stands at a path.
func (s *shower) field(key string, value honeyhive.Value, path ...string) field {
	f := field{Key: line(key, 120), Size: int64(len(value))}
	switch value.Kind() {
	case honeyhive.KindString:
		f.Kind = "text"
		text := value.Text()
		f.Size = int64(len(text))
		f.Text, f.Cut = s.text(text)
		if len(path) == 2 && (path[0] == "inputs" || path[0] == "outputs") && slices.Contains(textKeys, key) {
			f.Kind, f.Prose = "prose", renderMarkdown(f.Text)
		}
	case honeyhive.KindArray:
		if docs, more := s.documents(value, path...); docs != nil {
			f.Kind, f.Docs, f.More = "documents", docs, more
			break
		}
		if list, more := s.messages(value, path...); list != nil {
			f.Kind, f.Messages, f.More = "messages", list, more
			break
		}
		fallthrough
	default:
		f.Kind = "json"
		f.Text, f.Cut = s.json(value)
	}
	f.Raw = s.download(path...)
	if f.Cut || f.More > 0 {
		f.Download = f.Raw
	}
	return f
}

// text shows the beginning of a text.
func (s *shower) text(text string) (string, bool) {
	shown, whole := cut(text, s.take(len(text)))
	return visible(shown), !whole
}

// json shows the beginning of a value, indented.
func (s *shower) json(value honeyhive.Value) (string, bool) {
	shown, whole := cut(string(value), s.take(len(value)))
	return visible(indent(honeyhive.Value(shown))), !whole
}

// take returns how many bytes of a value may be shown.
func (s *shower) take(n int) int {
	n = min(n, cmp.Or(s.most, previewText), max(s.budget, previewMin))
	s.budget -= n
	return n
}

// download is the address of the whole value at a path.
func (s *shower) download(path ...string) string {
	var b strings.Builder
	b.WriteString(s.base + "/value")
	sep := "?"
	for _, k := range path {
		b.WriteString(sep + "k=" + url.QueryEscape(k))
		sep = "&"
	}
	return b.String()
}

// indent writes canonical JSON in lines.
func indent(value honeyhive.Value) string {
	var b strings.Builder
	depth := 0
	newline := func() {
		b.WriteByte('\n')
		for range depth {
			b.WriteString("  ")
		}
	}
	inText := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		if inText {
			b.WriteByte(c)
			if c == '\\' && i+1 < len(value) {
				i++
				b.WriteByte(value[i])
			} else if c == '"' {
				inText = false
			}
			continue
		}
		switch c {
		case '"':
			inText = true
			b.WriteByte(c)
		case '{', '[':
			b.WriteByte(c)
			if i+1 < len(value) && (value[i+1] == '}' || value[i+1] == ']') {
				i++
				b.WriteByte(value[i])
				continue
			}
			depth++
			newline()
		case '}', ']':
			depth--
			newline()
			b.WriteByte(c)
		case ',':
			b.WriteByte(c)
			newline()
		case ':':
			b.WriteString(": ")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// document is what a search found.
type document struct {
	Rank     int
	ID       string
	Score    string
	Bar      float64 // 0 to 100, of the highest score beside it
	HasScore bool
	Content  string
	Size     int64
	Cut      bool
	Raw      string // address of the content, where it is a text
	Download string // the same, where not all of it is shown
	Others   string // what else is known of it, as JSON
}

// contentKeys and idKeys are how documents name their content and themselves.
var (
	contentKeys = []string{"content", "text", "page_content", "pageContent", "document"}
	idKeys      = []string{"id", "document_id", "doc_id", "title", "source"}
	scoreKeys   = []string{"score", "relevance_score", "similarity"}
)

// first returns the value of the first key that an object has.
func first(object honeyhive.Value, keys []string) (key string, value honeyhive.Value) {
	for _, k := range keys {
		if v, ok := object.Get(k); ok {
			return k, v
		}
	}
	return "", ""
}

// documents reads a list of documents; nil where it is none: each one has
// content, or an id beside a score, and none is a message.
func (s *shower) documents(list honeyhive.Value, path ...string) ([]document, int) {
	var docs []document
	var scores []float64
	more := 0
	for element := range list.Elements() {
		contentKey, content := first(element, contentKeys)
		idKey, id := first(element, idKeys)
		scoreKey, score := first(element, scoreKeys)
		_, isMessage := element.Get("role")
		if isMessage || contentKey == "" && (idKey == "" || scoreKey == "") || element.Kind() != honeyhive.KindObject {
			return nil, 0
		}
		if len(docs) == previewList {
			more++
			continue
		}
		at := append(append([]string{}, path...), strconv.Itoa(len(docs)))
		d := document{Rank: len(docs) + 1, ID: line(id.Text(), 200), Size: int64(len(content.Text()))}
		number, err := strconv.ParseFloat(score.Text(), 64)
		if d.HasScore = err == nil && isFinite(number); d.HasScore {
			d.Score = strconv.FormatFloat(number, 'g', 4, 64)
		} else {
			number = 0
		}
		scores = append(scores, number)
		if content.Kind() == honeyhive.KindString {
			d.Content, d.Cut = s.text(content.Text())
		} else if content != "" {
			d.Content, d.Cut = s.json(content)
		}
		if contentKey != "" {
			d.Raw = s.download(append(at, contentKey)...)
		}
		if d.Cut {
			d.Download = d.Raw
		}
		d.Others = s.others(element, contentKey, idKey, scoreKey)
		docs = append(docs, d)
	}
	highest := 0.0
	for _, v := range scores {
		highest = max(highest, v)
	}
	for i := range docs {
		if highest > 0 {
			docs[i].Bar = min(max(scores[i]/highest*100, 0), 100)
		}
	}
	return docs, more
}

// others shows the members of an object but for some, as JSON.
func (s *shower) others(object honeyhive.Value, but ...string) string {
	o := object.Object()
	for _, k := range but {
		o = o.Without(k)
	}
	if o.IsEmpty() {
		return ""
	}
	text, isCut := s.json(honeyhive.Value(o.JSONText()))
	if isCut {
		text += "…"
	}
	return text
}

// value sends a value of a payload as a file: that which the parameters k lead
// to, key by key.
func (p *page) value(w http.ResponseWriter, r *http.Request) error {
	payload, name, err := p.payload(r)
	if err != nil {
		return err
	}
	value := honeyhive.Value(payload)
	path := r.URL.Query()["k"]
	for _, k := range path {
		next, ok := step(value, k)
		if !ok {
			return notFound("The record holds no such value (any more).")
		}
		value = next
	}
	kind, ending := "application/json", ".json"
	if value.Kind() == honeyhive.KindString {
		kind, ending = "text/plain; charset=utf-8", ".txt"
	}
	if len(path) > 0 {
		name += "-" + fileName(path[len(path)-1])
	}
	attach(w, name+ending, kind)
	_, err = w.Write([]byte(value.Text())) //nolint:gosec // it is sent as a file
	return err
}

// step returns the member or element of a value.
func step(value honeyhive.Value, k string) (honeyhive.Value, bool) {
	if value.Kind() != honeyhive.KindArray {
		return value.Get(k)
	}
	n, err := strconv.Atoi(k)
	if err != nil || n < 0 {
		return "", false
	}
	for element := range value.Elements() {
		if n == 0 {
			return element, true
		}
		n--
	}
	return "", false
}

// payload returns the record that a path names, and a name for its file.
func (p *page) payload(r *http.Request) (json.RawMessage, string, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return nil, "", err
	}
	if r.PathValue("event") == "" || r.PathValue("event") == r.PathValue("id") {
		s, err := p.Store.Session(r.Context(), id)
		return s.Payload.AppendJSON(nil), "session-" + id.String()[:8], err
	}
	event, err := p.event(r.Context(), id, r.PathValue("event"))
	return event.Payload.AppendJSON(nil), "event-" + event.ID.String()[:8], err
}

// attach makes an answer a file that no browser shows.
func attach(w http.ResponseWriter, name, kind string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
}

// fileName keeps of a key what every file system takes.
func fileName(key string) string {
	key, _ = cut(key, 40)
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, key)
}
