package redact

import "strings"

// mostName and mostValue are how far around a "=" or ":" a name and a value are looked
// for.
const (
	mostName  = 64
	mostValue = 512
)

// assignment looks at a "=" or ":" for a name before it whose value is to be redacted:
// by a rule, or since it is one of credentials. It returns where the value ends, or 0.
// Texts that hold pieces of JSON, settings, headers and queries are made of these.
func (w *walker) assignment(text string, i int) int {
	if !w.Policy.named && len(w.keys.list) == 0 {
		return 0
	}
	name, quoted, before := nameBefore(text, i)
	w.looks += len(name)
	if name == "" {
		return 0
	}
	r, ruled := w.rule(name)
	sure := noName
	if !ruled && w.Policy.named {
		sure = nameOf(name)
	}
	if ruled && r.action == Keep || !ruled && sure == noName {
		return 0
	}
	v := w.valueAfter(text, i+1, ruled, text[i] == ':' && !quoted)
	if v.from == v.to {
		return 0
	}
	value := text[v.from:v.to]
	if ruled {
		if !marked(value, r.label) {
			w.hits = append(w.hits, hit{v.from, v.to, w.replace(r.action, r.label, value)})
		}
		return v.to
	}
	if sure == weakName {
		if w.memo.values.has(v.from, v.to) {
			return 0
		}
		if !secretive(value) {
			w.memo.values.note(text, v.from, v.to)
			w.looks += w.memo.values.to - v.from
			return 0
		}
	}
	query := before == '?' || before == '&'
	if !assigned(value, sure, quoted, v.quote != 0, query, text[i] == '=' && v.from == i+1) {
		return 0
	}
	if v.cut {
		v.to = wordEnd(text, v.to)
	}
	if value = text[v.from:v.to]; !strings.HasPrefix(value, markStart) {
		w.add(v.from, v.to, Credential, value)
	}
	if end := v.to - 1; v.quote == 0 && end > i && (text[end] == ':' || text[end] == '=') {
		return end // the value holds the name of another, as of a URL and its fragment
	}
	return v.to
}

// rule returns the rule for a name alone.
func (w *walker) rule(name string) (rule, bool) {
	if len(w.keys.list) == 0 {
		return rule{}, false
	}
	var p path
	p.push(name)
	return w.keys.find(&p)
}

// assigned reports whether a value is a credential, by its name and the way both are
// written.
func assigned(value string, sure credential, quotedName, quotedValue, query, tight bool) bool {
	const least, most = 4, 128
	value = value[:min(len(value), most)]
	switch {
	case sure == weakName: // was found to be one
		return true
	case quotedName && quotedValue, query:
		return true
	case len(value) < least, strings.ContainsAny(value[:1], "<${%*[("):
		return false // where a value is to be put in
	case strings.ContainsAny(value, "0123456789!@#$%^&*~"):
		return strings.IndexByte(value, '(') < 0 || quotedValue
	case quotedValue:
		return !strings.ContainsAny(value, " ")
	}
	return tight && !strings.ContainsAny(value, "().,:") && !placeholders[strings.ToLower(value)]
}

// placeholders are what documents have in place of a value.
var placeholders = map[string]bool{"value": true, "string": true, "true": true, "false": true, "none": true, "null": true, "secret": true, "password": true, "token": true}

// nameBefore returns the name before a "=" or ":", whether it is in quotes, and the byte
// before it.
func nameBefore(text string, i int) (name string, quoted bool, before byte) {
	end := i
	for end > 0 && i-end < 2 && (text[end-1] == ' ' || text[end-1] == '\t') {
		end--
	}
	if end > 1 && text[end-1] == ';' && text[end-2] == '"' { // of an entity of HTML that was taken apart
		end--
	}
	var quote byte
	if end > 0 && (text[end-1] == '"' || text[end-1] == '\'' || text[end-1] == '`') {
		quote = text[end-1]
		end--
	}
	from := end
	for from > 0 && end-from < mostName && (isAlnum(text[from-1]) || text[from-1] == '_' || text[from-1] == '-' || text[from-1] == '.' || quote != 0 && text[from-1] == ' ' || text[from-1] >= 0x80) {
		from--
	}
	if from == end {
		return "", false, 0
	}
	if from > 0 {
		before = text[from-1]
	}
	return text[from:end], quote != 0 && before == quote, before
}

// A valueSpan is where a value stands, without its quotes.
type valueSpan struct {
	from, to int
	quote    byte
	cut      bool // there is more of the word
	scheme   bool // it is of two words
}

// valueAfter returns the value after a "=" or ":". A value without quotes ends with the
// word, or, where a rule is for it and it may have several, with the line.
func (w *walker) valueAfter(text string, i int, ruled, words bool) valueSpan {
	const between = 3
	for n := 0; n < between && i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '>'); n++ {
		i++
	}
	switch {
	case i == len(text):
		return valueSpan{from: i, to: i}
	case text[i] == '"', text[i] == '\'', text[i] == '`':
		return valueSpan{from: i + 1, to: quoteEnd(text, i+1, text[i]), quote: text[i]}
	case text[i] == '{', text[i] == '[':
		if ruled {
			return valueSpan{from: i, to: closing(text, i)}
		}
		if !strings.HasPrefix(text[i:], markStart) {
			return valueSpan{from: i, to: i}
		}
	}
	if ruled {
		return plainValue(text, i, i, true, words)
	}
	m := &w.memo
	from := i
	if m.openFrom <= i && i <= m.openTo {
		if from = m.openTo; from-i > mostValue {
			return valueSpan{from: i, to: i + mostValue, cut: true}
		}
	} else {
		m.openFrom = i
	}
	v := plainValue(text, i, from, false, false)
	w.looks += v.to - from
	if m.openTo = v.to; v.scheme {
		m.openFrom = v.to
	}
	return v
}

// plainValue returns a value without quotes, of which nothing ends it before a byte.
func plainValue(text string, i, from int, ruled, words bool) valueSpan {
	for to := from; to < len(text); to++ {
		switch c := text[to]; {
		case c == '\n' || c == '\r' || c == ',' || c == ';' || c == '&' || c == '"' || c == '}' || c == ']':
			return valueSpan{from: i, to: to}
		case words:
		case c == ' ' || c == '\t' || c == '\'' || c == '`' || c == '<' || c == '>':
			if isScheme(text[i:to]) { // of a header: the credential is the next word
				for to < len(text) && text[to] == ' ' {
					to++
				}
				return valueSpan{from: i, to: wordEnd(text, to), scheme: true}
			}
			return valueSpan{from: i, to: to}
		case to-i >= mostValue && !ruled:
			return valueSpan{from: i, to: to, cut: true}
		}
	}
	return valueSpan{from: i, to: len(text)}
}

// wordEnd returns where a word ends.
func wordEnd(text string, i int) int {
	for i < len(text) && text[i] > ' ' && text[i] != '"' && text[i] != '\'' && text[i] != ',' {
		i++
	}
	return i
}

// quoteEnd returns where a quote ends, or the end of the text: it may have been cut.
func quoteEnd(text string, i int, quote byte) int {
	for ; i < len(text) && text[i] != quote; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return min(i, len(text))
}

func isScheme(word string) bool {
	for _, s := range [...]string{"bearer", "basic", "token", "apikey", "digest", "negotiate", "aws4-hmac-sha256"} {
		if strings.EqualFold(word, s) {
			return true
		}
	}
	return false
}

// closing returns where an object or array ends that begins at a byte, or the end of
// the text.
func closing(text string, i int) int {
	open, quoted := 0, false
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			open++
		case c == '}', c == ']':
			if open--; open <= 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// userinfo looks for a user and a password before the host of a URL, and returns where
// the host begins, or the end of what was looked at.
func (w *walker) userinfo(text string, i int) int {
	if !w.on.credentials {
		return i
	}
	last, colon := -1, false
	for to := i; to < len(text) && to-i < mostValue; to++ {
		c := text[to]
		if c <= ' ' || c == '/' || c == '?' || c == '#' || c == '"' || c == '<' || c == '>' || c == '`' {
			break
		}
		if c == '@' {
			last = to
		}
		colon = colon || c == ':' && last < 0
	}
	if last < 0 || !colon && !random(text[i:last]) {
		return i
	}
	w.add(i, last, Credential, text[i:last])
	return last + 1
}
