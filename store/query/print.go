package query

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// String returns the query as a text that Parse reads as the same query.
func (q *Query) String() string {
	if q.IsAll() {
		return ""
	}
	var p printer
	q.Expr.write(&p, inAll)
	return p.String()
}

// Print returns a part of a query as it stands in one.
func Print(e Expr) string { return Of(e).String() }

type printer struct{ strings.Builder }

// Where an expression stands, from the loosest place to the tightest.
const (
	inAll = iota // alone
	inOr
	inAnd
	inNot
)

func (p *printer) list(list []Expr, between string, place int, tight bool) {
	if tight {
		p.WriteByte('(')
	}
	for i, e := range list {
		if i > 0 {
			p.WriteString(between)
		}
		e.write(p, place)
	}
	if tight {
		p.WriteByte(')')
	}
}

func (e And) write(p *printer, place int) { p.list(e, " ", inAnd, place >= inAnd) }
func (e Or) write(p *printer, place int)  { p.list(e, " OR ", inOr, place >= inOr) }

func (e Not) write(p *printer, _ int) {
	p.WriteByte('-')
	e.Expr.write(p, inNot)
}

func (e Event) write(p *printer, _ int) {
	p.WriteString("event(")
	e.Expr.write(p, inAll)
	p.WriteByte(')')
}

func (e *Words) write(p *printer, _ int) { p.value(e.Text, e.Prefix, isPlainWord(e.Text)) }

func (t *Term) write(p *printer, _ int) {
	p.WriteString(NameText(t.Name()))
	p.WriteString(string(t.Op))
	p.value(t.Value, t.Prefix, isPlainValue(t.Value) || t.Value == "" && t.Prefix)
}

func (p *printer) value(text string, prefix, plain bool) {
	if plain {
		p.WriteString(text)
	} else {
		p.WriteString(quote(text))
	}
	if prefix {
		p.WriteByte('*')
	}
}

// quote writes a text in quotes.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// ends reports whether a character ends what is written without quotes.
func ends(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '(' || r == ')' }

// isPlainValue reports whether a value is read as itself without quotes.
func isPlainValue(text string) bool {
	return text != "" && text[len(text)-1] != '*' && strings.IndexFunc(text, ends) < 0 && !strings.ContainsRune("=<>:", rune(text[0]))
}

// isPlainWord reports whether a word is.
func isPlainWord(text string) bool {
	return isPlainValue(text) && text[0] != '-' && !isKeyword(text) && nameLength(text) == 0
}

func isKeyword(word string) bool { return word == "OR" || word == "AND" }

// isPlainName reports whether the name of a field is.
func isPlainName(name string) bool { return nameLength(name+":") == len(name) }

// nameLength returns the length of what stands before the operator in a word that begins
// as a term does: with a letter, and no more than what names usually have. It is 0 where
// the word does not.
func nameLength(word string) int {
	for i, r := range word {
		switch {
		case strings.ContainsRune(":=<>", r):
			return i
		case unicode.IsLetter(r) || r == '_':
		case i > 0 && (unicode.IsNumber(r) || strings.ContainsRune(".-/", r)):
		default:
			return 0
		}
	}
	return 0
}

// operator returns the operator at the beginning of a text, and its length; 0 where there
// is none.
func operator(text string) (Op, int) {
	for _, op := range []Op{GreaterEqual, LessEqual, Greater, Less, Equal} {
		if strings.HasPrefix(text, string(op)) {
			return op, len(op)
		}
	}
	if strings.HasPrefix(text, "=") {
		return Equal, 1
	}
	return "", 0
}

// FromText returns the query of a plain text, as [store.Filter] has it: words, some of
// them with a * at the end, and phrases in quotes. What has no letter or digit is left
// out.
func FromText(text string) *Query {
	var list []Expr
	add := func(s string, phrase bool) {
		prefix := !phrase && strings.HasSuffix(s, "*")
		if s = strings.TrimRight(s, "*"); HasWord(s) {
			list = append(list, &Words{Text: s, Prefix: prefix})
		}
	}
	for i, part := range strings.Split(strings.ToValidUTF8(text, string(utf8.RuneError)), `"`) {
		if i%2 == 1 {
			add(part, true)
			continue
		}
		for word := range strings.FieldsSeq(part) {
			add(word, false)
		}
	}
	return Of(list...)
}

// NameText returns the name of a field as it stands in a query.
func NameText(name string) string {
	if isPlainName(name) {
		return name
	}
	return quote(name)
}

// Split divides the beginning of a term into its field, its operator, and what is there of
// its value, without quotes. Without an operator there is none of the others.
func Split(text string) (name string, op Op, value string) {
	n := nameLength(text)
	if rest, ok := strings.CutPrefix(text, `"`); ok {
		if end := strings.IndexByte(rest, '"'); end >= 0 {
			name, n = rest[:end], end+2
		}
	} else {
		name = text[:n]
	}
	op, size := operator(text[n:])
	if name == "" || size == 0 {
		return "", "", ""
	}
	value = strings.TrimSuffix(text[n+size:], "*")
	if rest, ok := strings.CutPrefix(value, `"`); ok {
		value = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(strings.TrimSuffix(rest, `"`))
	}
	return name, op, value
}
