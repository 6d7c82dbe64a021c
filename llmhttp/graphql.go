package llmhttp

import (
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file reads GraphQL (https://spec.graphql.org/October2021) as far as searches need
// it: the fields of a query with their arguments, as JSON.

// A gqlField is a field of a selection.
type gqlField struct {
	name      string
	alias     string // under which the answer has it; the name where there is none
	arguments string // a JSON object, or ""
	inner     []gqlField
}

// gqlFields returns the fields of the operations of a document. variables is the JSON
// object of their values. What is no GraphQL ends the reading.
func gqlFields(document, variables string) []gqlField {
	p := &gqlParser{text: document, variables: variables}
	var fields []gqlField
	for p.next(); p.token != ""; {
		switch p.token {
		case "{":
			fields = append(fields, p.selection(0)...)
		case "(": // variables of the operation
			p.arguments()
		default:
			p.next()
		}
	}
	return fields
}

// A gqlParser reads a document token by token.
type gqlParser struct {
	text, token string
	variables   string
	steps       int
}

// mostGQL bounds how many tokens of a document are read, and deepestGQL how deep values
// and selections are.
const (
	mostGQL    = 1 << 20
	deepestGQL = 32
)

// next reads the next token: a name, a number, a string with its quotes, or a mark. It
// is "" at the end.
func (p *gqlParser) next() {
	for p.token = ""; ; {
		p.text = strings.TrimLeft(p.text, " \t\r\n,\ufeff")
		if !strings.HasPrefix(p.text, "#") {
			break
		}
		_, p.text, _ = strings.Cut(p.text, "\n")
	}
	if p.steps++; p.text == "" || p.steps > mostGQL {
		return
	}
	n := 1
	switch c := p.text[0]; {
	case strings.HasPrefix(p.text, `"""`):
		if n = strings.Index(p.text[3:], `"""`) + 6; n < 6 {
			n = len(p.text)
		}
	case c == '"':
		for n < len(p.text) && p.text[n] != '"' {
			if p.text[n] == '\\' {
				n++
			}
			n++
		}
		n = min(n+1, len(p.text))
	case strings.HasPrefix(p.text, "..."):
		n = 3
	case isName(c):
		for n < len(p.text) && (isName(p.text[n]) || p.text[n] == '.' || (p.text[n] == '-' || p.text[n] == '+') && (p.text[n-1] == 'e' || p.text[n-1] == 'E') && !letterStart(c)) {
			n++
		}
	}
	p.token, p.text = p.text[:n], p.text[n:]
}

func letterStart(c byte) bool { return 'a' <= c|' ' && c|' ' <= 'z' || c == '_' }

// isName reports whether a byte is of a name or begins a number.
func isName(c byte) bool {
	return letterStart(c) || '0' <= c && c <= '9' || c == '-'
}

// selection reads a selection, at its bracket.
func (p *gqlParser) selection(depth int) (fields []gqlField) {
	for p.next(); p.token != "" && p.token != "}"; {
		switch {
		case p.token == "...", p.token == "on", p.token == "@":
			p.next()
		case p.token == "(":
			p.arguments()
		case p.token == "{":
			if depth >= deepestGQL {
				p.token = ""
				return fields
			}
			inner := p.selection(depth + 1)
			if n := len(fields); n > 0 {
				fields[n-1].inner = append(fields[n-1].inner, inner...)
			}
		case letterStart(p.token[0]):
			f := gqlField{name: p.token, alias: p.token}
			if p.next(); p.token == ":" {
				p.next()
				f.name = p.token
				p.next()
			}
			if p.token == "(" {
				f.arguments = p.arguments()
			}
			fields = append(fields, f)
		default:
			p.next()
		}
	}
	p.next()
	return fields
}

// arguments reads arguments in brackets as an object, and the token behind them.
func (p *gqlParser) arguments() string {
	p.next()
	var o object
	p.members(&o, ")", 0)
	return string(o.bytes())
}

// members reads the members of an object up to its end, and the token behind it.
func (p *gqlParser) members(o *object, end string, depth int) {
	for p.token != "" && p.token != end {
		key := p.token
		if p.next(); p.token != ":" {
			continue
		}
		p.next()
		if v := p.value(depth + 1); letterStart(key[0]) {
			o.json(key, v)
		}
	}
	p.next()
}

// value reads a value as JSON, and the token behind it.
func (p *gqlParser) value(depth int) string {
	token := p.token
	if depth > deepestGQL {
		p.token = ""
	}
	switch {
	case p.token == "":
		return ""
	case token == "{":
		var o object
		p.next()
		p.members(&o, "}", depth)
		return string(o.bytes())
	case token == "[":
		b := []byte{'['}
		for p.next(); p.token != "" && p.token != "]"; {
			v := p.value(depth + 1)
			if v == "" {
				if p.token == token {
					break
				}
				continue
			}
			b = append(comma(b), v...)
		}
		p.next()
		return string(append(b, ']'))
	case token == "$":
		p.next()
		v := get(p.variables, p.token)
		p.next()
		return v
	}
	p.next()
	return scalar(token)
}

// scalar returns a value that is one token as JSON.
func scalar(token string) string {
	if inner, ok := strings.CutPrefix(token, `"""`); ok {
		return quote(strings.ReplaceAll(strings.TrimSuffix(inner, `"""`), `\"""`, `"""`))
	}
	if v, err := rawjson.Parse(token); err == nil && plainValue(v) {
		return v
	}
	if _, err := strconv.ParseFloat(token, 64); err == nil { // one that JSON writes in another way
		return quote(token)
	}
	if token == "" || !letterStart(token[0]) {
		return ""
	}
	return quote(token) // of an enumeration
}
