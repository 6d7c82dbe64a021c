// Package query is the language in which sessions are asked for, in one line of text:
//
//	status:error model:gpt-4.1 metadata.release:v1.8 duration>2s "rate limit"
//
// # Language
//
// A query is a row of parts, all of which must hold for a session. A part is one of
// these:
//
//	word  "some words"  wor*   full text: the words in this order, in the session or one of
//	                           its events; case and accents do not matter
//	field:value  field=value   the field has this value; the two are the same
//	field:val*                 its value begins so
//	field:*                    it has any value
//	field>2  >=  <  <=         its number or time compares so
//	-part                      the part does not hold
//	(a b OR c)                 one of the alternatives holds; OR binds less than what stands
//	                           side by side, and may stand outside of parentheses, too
//	event(a b)                 there is one event for which all of it holds
//
// Values with white space, quotes or parentheses stand in double quotes, in which \" is
// a quote and \\ a backslash; so do words that would be read as something else, and
// fields with such a name ("metadata.a b":1). A * is one only as the last character, and
// outside of quotes. There are no other wildcards. Values are compared as they are,
// upper and lower case included.
//
// [Fields] lists the fields. Those of maps go on with the key, as metadata.release does,
// and with the keys of maps inside: metadata.a.b; where a value is a list, each of its
// texts and numbers is a value. Outside of event(…) a field says something of
// the session as a whole, such as its duration, or else of the session's own record or
// any one of its events. Inside it is that of one event: name, duration, cost and
// tokens are then those that the event says itself.
//
// Numbers may have a unit: us, ms, s, m, h and d for durations (ms where there is none);
// k, M and G for others. A time is a date, a date and time with or without a zone (UTC
// where there is none), or an age, as in start>-24h, with a unit of s, m, h, d or w.
//
// # Bounds
//
// A query has up to [MaxLength] bytes, [MaxTerms] parts and [MaxDepth] parentheses inside
// each other.
package query

import "fmt"

// Bounds of a query.
const (
	MaxLength = 8 << 10 // bytes
	MaxTerms  = 64
	MaxDepth  = 8
)

// A Query chooses sessions. A nil query, and one without an expression, chooses all. It
// must not change once it is used.
type Query struct{ Expr Expr }

// IsAll reports whether the query chooses all sessions.
func (q *Query) IsAll() bool { return q == nil || q.Expr == nil }

// Expr is what must hold: an [And], [Or], [Not], [Event], [*Words] or [*Term].
type Expr interface{ write(p *printer, inside int) }

type (
	// And holds where all of its parts do. It has two or more.
	And []Expr
	// Or holds where one of its parts does. It has two or more.
	Or []Expr
	// Not holds where another does not.
	Not struct{ Expr Expr }
	// Event holds where there is one event for which an expression does.
	Event struct{ Expr Expr }
	// Words hold where one record, of the session or of one of its events, has these
	// words behind each other. With Prefix the last one is the beginning of a word.
	Words struct {
		Text   string
		Prefix bool
	}
	// Term compares a field with a value.
	Term struct {
		Field *Field
		// Key is what follows the name of a map: release for metadata.release.
		Key string
		Op  Op
		// Value is the value as it was written. With Prefix, which only Equal has, it is
		// the beginning of one, and of any one where it is empty.
		Value  string
		Prefix bool
		// Number is the value as a number, in milliseconds for durations, where
		// IsNumber is set.
		Number   float64
		IsNumber bool
	}
)

// Op is how a term compares.
type Op string

// The operators.
const (
	Equal        Op = ":"
	Greater      Op = ">"
	GreaterEqual Op = ">="
	Less         Op = "<"
	LessEqual    Op = "<="
)

// Name is the field as a query names it, with the key.
func (t *Term) Name() string { return t.Field.Name + t.Key }

// A SyntaxError says what is wrong with a query, and where.
type SyntaxError struct {
	Offset, End int // bytes of the text: from here, to before there
	Message     string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("query: at byte %d: %s", e.Offset+1, e.Message)
}

// All returns a query for which both of two hold.
func All(a, b *Query) *Query {
	switch {
	case a.IsAll():
		return b
	case b.IsAll():
		return a
	}
	return &Query{and(append(parts(a.Expr), parts(b.Expr)...))}
}

// Parts are what must all hold: the parts of a query side by side.
func (q *Query) Parts() []Expr {
	if q.IsAll() {
		return nil
	}
	return parts(q.Expr)
}

func parts(e Expr) []Expr {
	if list, ok := e.(And); ok {
		return append([]Expr(nil), list...)
	}
	return []Expr{e}
}

// Of returns the query of parts that must all hold.
func Of(parts ...Expr) *Query { return &Query{and(parts)} }

func and(list []Expr) Expr {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return And(list)
}
