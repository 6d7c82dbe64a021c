package record

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/query"
)

// snippetRunes is how much of a text a hit shows on each side of what was found.
const snippetRunes = 60

// Find returns what of a payload parts of a query found: of words the place where they
// stand, of a field its value. It looks at the part of a record that the index has.
// Words that only an index finds, such as those whose accents differ, are not shown.
func Find(payload string, kind Kind, parts []query.Expr) (hit store.Hit, ok bool) {
	for _, part := range parts {
		switch part := part.(type) {
		case *query.Words:
			hit, ok = findWords(payload, "", part.Text, part.Prefix)
		case *query.Term:
			if part.Field.Kind == query.Search && part.Value != "" {
				hit, ok = findWords(payload, part.Field.Name, part.Value, part.Prefix)
			} else {
				hit, ok = findFact(payload, kind, part)
			}
		}
		if ok {
			return hit, true
		}
	}
	return store.Hit{}, false
}

func findFact(payload string, kind Kind, t *query.Term) (hit store.Hit, ok bool) {
	key := t.Path()
	if key == "" {
		key = t.Field.Name
	}
	for _, f := range Facts(payload, kind) {
		if is := f.Key == key || key == "name" && f.Key == "event"; !is || !f.holds(t) {
			continue
		}
		text := f.Text
		if f.IsNumber {
			text = strconv.FormatFloat(f.Number, 'g', -1, 64)
		}
		return store.Hit{Path: f.Key, Text: text, Marks: [][2]int{{0, len(text)}}}, text != ""
	}
	return store.Hit{}, false
}

// holds reports whether a term holds for a fact of its key.
func (f *Fact) holds(t *query.Term) bool {
	switch {
	case t.Prefix && t.Value == "":
		return true
	case f.IsNumber:
		return t.IsNumber && map[query.Op]bool{query.Equal: f.Number == t.Number, query.Greater: f.Number > t.Number, query.GreaterEqual: f.Number >= t.Number, query.Less: f.Number < t.Number, query.LessEqual: f.Number <= t.Number}[t.Op]
	case t.Prefix:
		return strings.HasPrefix(f.Text, FactText(t.Value))
	}
	return t.Op == query.Equal && f.Text == FactText(t.Value)
}

// findWords looks for words behind each other in the values of a payload.
func findWords(payload, field, text string, prefix bool) (hit store.Hit, ok bool) {
	want := tokens(text)
	if len(want) == 0 {
		return hit, false
	}
	left := MaxText
	for name, value := range honeyhive.Value(payload).Members() {
		switch name {
		case "session_id", "event_id", "parent_id", "children_ids", "event_type", "start_time", "end_time", "duration":
			continue
		}
		if field != "" && name != field {
			continue
		}
		if hit, ok = findIn(name, value, want, prefix, &left, 0); ok || left <= 0 {
			return hit, ok
		}
	}
	return hit, false
}

const findDepth = 32

func findIn(path string, value honeyhive.Value, want []token, prefix bool, left *int, depth int) (hit store.Hit, ok bool) {
	switch value.Kind() {
	case honeyhive.KindString, honeyhive.KindNumber:
		if value.Kind() == honeyhive.KindString {
			end, whole := stringEnd(value, 6*max(*left, 1))
			if value = value[:end]; !whole {
				value += `"`
			}
		}
		text := value.Text()
		*left -= len(text)
		if from, to, found := span(tokens(text), want, prefix); found {
			return snippet(path, text, from, to), true
		}
	case honeyhive.KindObject:
		for key, v := range value.Members() {
			if depth == findDepth || *left <= 0 {
				return hit, false
			}
			if hit, ok = findIn(path+"."+key, v, want, prefix, left, depth+1); ok {
				return hit, true
			}
		}
	case honeyhive.KindArray:
		n := 0
		for v := range value.Elements() {
			if depth == findDepth || *left <= 0 {
				return hit, false
			}
			if hit, ok = findIn(path+"["+strconv.Itoa(n)+"]", v, want, prefix, left, depth+1); ok {
				return hit, true
			}
			n++
		}
	}
	return hit, false
}

// A token is a word of a text, without case.
type token struct {
	from, to int
	text     string
}

// tokens returns the words of a text as the search divides it.
func tokens(text string) (list []token) {
	from := -1
	end := func(at int) {
		if from >= 0 {
			list = append(list, token{from, at, strings.ToLower(text[from:at])})
		}
		from = -1
	}
	for i, r := range text {
		switch {
		case unbroken(r):
			end(i)
			list = append(list, token{i, i + utf8.RuneLen(r), string(r)})
		case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
			if from < 0 {
				from = i
			}
		default:
			end(i)
		}
	}
	end(len(text))
	return list
}

func span(got, want []token, prefix bool) (from, to int, found bool) {
	for i := 0; i+len(want) <= len(got); i++ {
		same := true
		for k := range want {
			g, w := got[i+k].text, want[k].text
			same = same && (g == w || prefix && k == len(want)-1 && strings.HasPrefix(g, w))
		}
		if same {
			return got[i].from, got[i+len(want)-1].to, true
		}
	}
	return 0, 0, false
}

// snippet cuts a text around what was found in it.
func snippet(path, text string, from, to int) store.Hit {
	begin, end := from, to
	for n := 0; begin > 0 && n < snippetRunes; n++ {
		_, size := utf8.DecodeLastRuneInString(text[:begin])
		begin -= size
	}
	for n := 0; end < len(text) && n < snippetRunes; n++ {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	hit := store.Hit{Path: FactText(path), Text: text[begin:end], Marks: [][2]int{{from - begin, to - begin}}}
	const ellipsis = "…"
	if begin > 0 {
		hit.Text = ellipsis + hit.Text
		hit.Marks[0][0] += len(ellipsis)
		hit.Marks[0][1] += len(ellipsis)
	}
	if end < len(text) {
		hit.Text += ellipsis
	}
	return hit
}

// Leaves returns the parts of a query that records are found by: not those of a session
// as a whole, and not those that must not hold.
func Leaves(e query.Expr) (list []query.Expr) {
	switch e := e.(type) {
	case query.And:
		for _, part := range e {
			list = append(list, Leaves(part)...)
		}
	case query.Or:
		for _, part := range e {
			list = append(list, Leaves(part)...)
		}
	case query.Event:
		list = append(list, inside(e.Expr)...)
	case *query.Words:
		list = append(list, e)
	case *query.Term:
		if !e.Field.OfSession {
			list = append(list, e)
		}
	}
	return list
}

// inside returns what stands in event(…) and must or may hold.
func inside(e query.Expr) (list []query.Expr) {
	switch e := e.(type) {
	case query.And:
		for _, part := range e {
			list = append(list, inside(part)...)
		}
	case query.Or:
		for _, part := range e {
			list = append(list, inside(part)...)
		}
	case *query.Words, *query.Term:
		list = append(list, e)
	}
	return list
}
