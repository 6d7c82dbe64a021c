package redact

import (
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// JSON returns a JSON value as it may leave the program: still JSON, in canonical form,
// with its keys in their order. Numbers and other values stay as they are unless they
// are redacted, and then are strings. What is no JSON, or nested more than 64 levels
// deep, becomes the string [redacted:failed]. path is where the value stands; see
// [Policy.Text]. It is safe for concurrent use.
func (p *Policy) JSON(path, text string) (out string) {
	if p.off() || text == "" {
		return text
	}
	defer func() {
		if recover() != nil {
			out = quoted(mark(failed))
		}
	}()
	canonical, err := rawjson.Parse(text)
	if err != nil {
		return quoted(mark(failed))
	}
	p.walk(func(w *walker) {
		w.push(path)
		if r, ok := w.keys.under(&w.path); ok {
			out = string(w.ruledJSON(nil, r, canonical))
			return
		}
		out = string(w.json(make([]byte, 0, len(canonical)), canonical))
	})
	return out
}

// Number returns a number as it may leave the program: the text of it as it is, or
// another, which is no number any more.
func (p *Policy) Number(path, text string) (out string) {
	if p.off() || text == "" {
		return text
	}
	defer func() {
		if recover() != nil {
			out = mark(failed)
		}
	}()
	p.walk(func(w *walker) {
		w.push(path)
		if r, ok := w.keys.under(&w.path); ok {
			out = w.ruled(r, text)
			return
		}
		out = w.number(text)
	})
	return out
}

func quoted(text string) string { return string(rawjson.AppendString(nil, text)) }

// json appends canonical JSON, redacted.
func (w *walker) json(dst []byte, text string) []byte {
	switch rawjson.KindOf(text) {
	case rawjson.String:
		return w.string(dst, text)
	case rawjson.Number:
		if out := w.number(text); out != text {
			return rawjson.AppendString(dst, out)
		}
	case rawjson.Object:
		return w.object(dst, text)
	case rawjson.Array:
		dst = append(dst, '[')
		i := 0
		for v := range rawjson.Elements(text) {
			if i > 0 {
				dst = append(dst, ',')
			}
			var buffer [20]byte
			at := w.push(string(strconv.AppendInt(buffer[:0], int64(i), 10)))
			dst = w.json(dst, v)
			w.pop(at)
			i++
		}
		return append(dst, ']')
	}
	return append(dst, text...)
}

// string appends a string, as it is where nothing of it is redacted.
func (w *walker) string(dst []byte, text string) []byte {
	plain := text[1 : len(text)-1]
	if strings.IndexByte(plain, '\\') >= 0 {
		plain = rawjson.Unquote(text)
	}
	redact := w.content
	if w.named {
		redact = w.credential
	}
	out := redact(plain)
	if out == plain {
		return append(dst, text...)
	}
	return rawjson.AppendString(dst, out)
}

// object appends an object. Of keys that are the same when they are redacted each has
// its number.
func (w *walker) object(dst []byte, text string) []byte {
	defer func(named bool) { w.named = named }(w.named)
	if w.named && schema(text) {
		w.named = false
	}
	dst = append(dst, '{')
	first := len(dst)
	var taken map[string]int
	for k, v := range rawjson.Members(text) {
		at := w.push(k)
		r, ruled := w.keys.find(&w.path)
		if ruled && r.action == Remove {
			w.pop(at)
			continue
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		key := w.key(k)
		if key != k {
			if taken == nil {
				taken = make(map[string]int)
			}
			if taken[key]++; taken[key] > 1 {
				key += "#" + strconv.Itoa(taken[key])
			}
		}
		dst = append(rawjson.AppendString(dst, key), ':')
		dst = w.member(dst, k, v, r, ruled)
		w.pop(at)
	}
	return append(dst, '}')
}

// member appends the value of a key.
func (w *walker) member(dst []byte, key, value string, r rule, ruled bool) []byte {
	if ruled {
		return w.ruledJSON(dst, r, value)
	}
	named := w.named
	defer func() { w.named = named }()
	if w.Policy.named && !named {
		switch nameOf(key) {
		case strongName:
			w.named = rawjson.KindOf(value) != rawjson.Number || len(value) > 3
		case weakName:
			w.named = rawjson.KindOf(value) == rawjson.String && secretive(value[1:len(value)-1])
		}
	}
	if w.named && rawjson.KindOf(value) == rawjson.Number {
		return rawjson.AppendString(dst, w.credential(value))
	}
	return w.json(dst, value)
}

// ruledJSON appends what a rule makes of a value: null stays, and so does what is kept.
func (w *walker) ruledJSON(dst []byte, r rule, value string) []byte {
	kind := rawjson.KindOf(value)
	switch {
	case r.action == Keep, kind == rawjson.Null:
		return append(dst, value...)
	case kind == rawjson.String:
		plain := rawjson.Unquote(value)
		out := w.ruled(r, plain)
		if out == plain {
			return append(dst, value...)
		}
		return rawjson.AppendString(dst, out)
	case r.action == Remove && kind == rawjson.Object:
		return append(dst, "{}"...)
	case r.action == Remove && kind == rawjson.Array:
		return append(dst, "[]"...)
	case r.action > keepLast && (kind == rawjson.Object || kind == rawjson.Array):
		return rawjson.AppendString(dst, mark(r.label))
	}
	return rawjson.AppendString(dst, w.replace(r.action, r.label, value))
}

// schema reports whether an object describes a value, as JSON Schema has it, rather
// than to be one: what is called password there is none.
func schema(text string) bool {
	t, _ := rawjson.Get(text, "type")
	switch t {
	case `"string"`, `"number"`, `"integer"`, `"boolean"`, `"object"`, `"array"`, `"null"`:
		return true
	}
	return strings.HasPrefix(t, "[")
}

// number redacts a number: by the functions, and where it is that of a card.
func (w *walker) number(text string) string {
	out, ok := w.ask(Number, w.text, text)
	switch {
	case !ok:
		return mark(failed)
	case out != text:
		return w.detect(out)
	case w.on.cards:
		if digits := wholeDigits(text); len(digits) >= shortestCard && len(digits) <= longestCard && isCard([]byte(digits)) {
			return w.replace(w.actions[Card], string(Card), digits)
		}
	}
	return text
}

// wholeDigits returns the digits of a whole number, also where it is written with an
// exponent or a fraction of zero.
func wholeDigits(text string) string {
	if len(text) < shortestCard {
		return ""
	}
	plain := true
	for i := range len(text) {
		plain = plain && isDigit(text[i])
	}
	if plain {
		return text
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f >= 1e12 && f < 1e19 && f == float64(int64(f)) {
		return strconv.FormatInt(int64(f), 10)
	}
	return ""
}
