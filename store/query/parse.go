package query

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parse reads a query. An empty text is one that chooses all. The error is a
// [*SyntaxError].
func Parse(text string) (*Query, error) {
	p := &parser{text: text}
	if len(text) > MaxLength {
		return nil, &SyntaxError{MaxLength, len(text), "it is longer than 8 KiB"}
	}
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) {
			return nil, &SyntaxError{i, i + 1, "it is no valid UTF-8"}
		}
	}
	e := p.alternatives(0, false)
	if p.err == nil && p.at < len(text) { // a parenthesis that nothing opens
		p.fail(p.at, p.at+1, "nothing opens this parenthesis")
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Query{e}, nil
}

type parser struct {
	text  string
	at    int
	or    int // where the last OR is
	terms int
	err   *SyntaxError // the first one; then all stops
}

func (p *parser) fail(from, to int, message string) Expr {
	if p.err == nil {
		p.err = &SyntaxError{from, to, message}
	}
	return nil
}

func (p *parser) skip() {
	p.at = len(p.text) - len(strings.TrimLeftFunc(p.text[p.at:], unicode.IsSpace))
}

// word returns what stands here without quotes, up to what ends it.
func (p *parser) word() string {
	end := strings.IndexFunc(p.text[p.at:], ends)
	if end < 0 {
		end = len(p.text) - p.at
	}
	return p.text[p.at : p.at+end]
}

// alternatives reads rows of parts with OR between them, to the end of the text or to a
// parenthesis that closes.
func (p *parser) alternatives(depth int, inEvent bool) Expr {
	var list []Expr
	for {
		e, closed := p.row(depth, inEvent)
		if p.err != nil {
			return nil
		}
		if e == nil && (len(list) > 0 || !closed) {
			return p.fail(p.or, p.or+len("OR"), "OR needs something on both sides")
		}
		if e != nil {
			if inner, ok := e.(Or); ok {
				list = append(list, inner...)
			} else {
				list = append(list, e)
			}
		}
		if closed {
			break
		}
	}
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return Or(list)
}

// row reads the parts up to an OR, or to where alternatives end, which it reports.
func (p *parser) row(depth int, inEvent bool) (e Expr, end bool) {
	var list []Expr
	for p.err == nil {
		p.skip()
		if p.at == len(p.text) || p.text[p.at] == ')' {
			return and(list), true
		}
		switch p.word() {
		case "OR":
			p.or = p.at
			p.at += len("OR")
			return and(list), false
		case "AND":
			p.at += len("AND")
			continue
		}
		e := p.part(depth, inEvent)
		if p.err == nil && !p.ended() {
			p.fail(p.at, p.at+1, "what stands here needs a space before it, or quotes around it and what is before it")
		}
		if inner, ok := e.(And); ok {
			list = append(list, inner...)
		} else {
			list = append(list, e)
		}
	}
	return nil, true
}

// part reads one part.
func (p *parser) part(depth int, inEvent bool) Expr {
	from := p.at
	if p.terms++; p.terms > MaxTerms {
		return p.fail(from, len(p.text), "it has more than 64 parts")
	}
	switch {
	case p.text[p.at] == '-':
		p.at++
		if p.ended() {
			return p.fail(from, p.at, "- stands right before what must not hold")
		}
		if depth == MaxDepth {
			return p.fail(from, p.at, "it has more than 8 parentheses inside each other")
		}
		e := p.part(depth+1, inEvent)
		if p.err != nil {
			return nil
		}
		return Not{e}
	case p.text[p.at] == '(':
		return p.group(depth, inEvent)
	case p.text[p.at] == '"':
		return p.quoted(inEvent)
	case p.word() == "event" && strings.HasPrefix(p.text[p.at:], "event("):
		if inEvent {
			return p.fail(from, from+len("event"), "event(…) cannot stand inside of another one")
		}
		p.at += len("event")
		if e := p.group(depth, true); p.err == nil {
			return Event{e}
		}
		return nil
	}
	word := p.word()
	if n := nameLength(word); n > 0 {
		p.at += n
		return p.term(word[:n], from, inEvent)
	}
	if _, n := operator(word); n > 0 {
		return p.fail(from, from+n, "an operator stands right behind a field, without a space, as in duration>2s")
	}
	p.at += len(word)
	text, prefix := p.cutStar(word)
	return p.words(text, prefix, from)
}

// cutStar takes the * from the end of a word.
func (p *parser) cutStar(word string) (text string, prefix bool) {
	text, prefix = strings.CutSuffix(word, "*")
	if strings.HasSuffix(text, "*") {
		p.fail(p.at-len(word), p.at, "a * that stands for itself is in quotes")
	}
	return text, prefix
}

func (p *parser) words(text string, prefix bool, from int) Expr {
	if !HasWord(text) {
		return p.fail(from, p.at, "there is no letter or digit to look for")
	}
	return &Words{Text: text, Prefix: prefix}
}

// group reads what stands in parentheses.
func (p *parser) group(depth int, inEvent bool) Expr {
	from := p.at
	if depth == MaxDepth {
		return p.fail(from, from+1, "it has more than 8 parentheses inside each other")
	}
	p.at++
	e := p.alternatives(depth+1, inEvent)
	switch {
	case p.err != nil:
		return nil
	case p.at == len(p.text):
		return p.fail(from, from+1, "nothing closes this parenthesis")
	}
	if p.at++; e == nil {
		return p.fail(from, p.at, "there is nothing between these parentheses")
	}
	return e
}

// quoted reads a phrase, or a field whose name is in quotes.
func (p *parser) quoted(inEvent bool) Expr {
	from := p.at
	text, ok := p.quote()
	if !ok {
		return nil
	}
	if _, n := operator(p.text[p.at:]); n > 0 {
		return p.term(text, from, inEvent)
	}
	return p.words(text, p.star(), from)
}

func (p *parser) star() bool {
	if p.at < len(p.text) && p.text[p.at] == '*' {
		p.at++
		return true
	}
	return false
}

// ended reports whether a part ends here.
func (p *parser) ended() bool {
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return p.at == len(p.text) || ends(r) && r != '"' && r != '('
}

// quote reads a text in quotes.
func (p *parser) quote() (string, bool) {
	from := p.at
	var b strings.Builder
	for i := from + 1; i < len(p.text); i++ {
		switch c := p.text[i]; c {
		case '"':
			p.at = i + 1
			return b.String(), true
		case '\\':
			if i++; i == len(p.text) || p.text[i] != '"' && p.text[i] != '\\' {
				p.fail(i-1, i, `in quotes a backslash is written as \\`)
				return "", false
			}
			b.WriteByte(p.text[i])
		default:
			b.WriteByte(c)
		}
	}
	p.fail(from, len(p.text), "nothing closes this quote")
	return "", false
}

// term reads what follows the name of a field.
func (p *parser) term(name string, from int, inEvent bool) Expr {
	f, key := find(name)
	switch {
	case f == nil:
		return p.fail(from, p.at, unknown(name))
	case inEvent && !f.Inside:
		return p.fail(from, p.at, f.Name+" is one of the session, and stands outside of event(…)")
	}
	t := &Term{Field: f, Key: key}
	op, n := operator(p.text[p.at:])
	p.at += n
	t.Op = op
	value := p.at
	if p.at < len(p.text) && p.text[p.at] == '"' {
		text, ok := p.quote()
		if !ok {
			return nil
		}
		t.Value, t.Prefix = text, p.star()
	} else {
		word := p.word()
		p.at += len(word)
		if word == "" {
			return p.fail(from, p.at, "a value stands right behind the operator, without a space")
		}
		if strings.ContainsRune("=<>:", rune(word[0])) {
			return p.fail(value, value+1, "a value that begins with an operator stands in quotes")
		}
		t.Value, t.Prefix = p.cutStar(word)
	}
	if t.Prefix && t.Op != Equal {
		return p.fail(value, p.at, "only : takes a *")
	}
	if message := t.read(); message != "" {
		return p.fail(value, p.at, message)
	}
	return t
}

func unknown(name string) string {
	message := "no field is called " + quote(name)
	for _, f := range fields {
		if f.Name == name+"." {
			return name + " is a map: a key follows it, as in " + f.Name + "key"
		}
		if strings.EqualFold(f.Name, name) {
			return message + ", but " + f.Name + " is one"
		}
	}
	return message + "; put it in quotes to look for the text"
}
