package llmhttp

import (
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file reads errors as providers, gateways and servers that imitate them
// write them: under "error" or "errors", as a text, an object, or a list, or as
// the body itself; with a code, a status or a type. A status of 200 says nothing:
// once a stream runs it is sent already.
//
// A format calls errorIn for what it got in place of an answer, and failWith for
// an error that stands in a place of its own, such as a choice. A call does so
// itself for what a format took nothing of.

// A problem is what a provider says went wrong.
type problem struct {
	kind    string // its code, status or type: the first that is a word, or else a number
	message string
	raw     bool // the message is a body that is no JSON
}

func (p problem) text() string {
	if p.kind == "" || p.message == "" {
		return p.kind + p.message
	}
	return p.kind + ": " + p.message
}

// mostMessage bounds in bytes what is kept of an error.
const mostMessage = 64 << 10

// fail keeps what a provider says went wrong. The first counts.
func (x *exchange) fail(kind, message string) {
	x.changes++
	if x.blind && strings.ContainsAny(kind, " \t\n") { // a message in the wrong place
		kind = ""
	}
	if x.problem == nil {
		x.problem = &problem{kind: strings.Clone(kind[:min(len(kind), mostMessage)]), message: strings.Clone(message[:min(len(message), mostMessage)])}
	}
}

// errorIn reads the error that an answer or a chunk is, or holds, and reports
// whether there is one.
func (x *exchange) errorIn(body string) bool { return x.errorAt(body, 0) }

// deepestError is how deep errors are looked for inside of one another. Each level
// is read once for each name that an error may have.
const deepestError = 4

func (x *exchange) errorAt(body string, depth int) bool {
	if depth > deepestError {
		return false
	}
	switch rawjson.KindOf(body) {
	case rawjson.Array:
		for e := range rawjson.Elements(body) {
			if x.errorAt(e, depth+1) {
				return true
			}
		}
		return false
	case rawjson.Object:
	default:
		return false
	}
	for _, key := range [...]string{"error", "errors"} {
		e := get(body, key)
		if e == "true" || rawjson.KindOf(e) == rawjson.String && messageOf(body) != "" {
			return x.failObject(body, depth) // what it is stands beside it
		}
		if x.failAt(e, depth+1) {
			return true
		}
	}
	if text(get(body, "type")) == "error" || text(get(body, "object")) == "error" {
		return x.failObject(body, depth)
	}
	if messageOf(body) != "" {
		return x.failObject(body, depth)
	}
	// FastAPI's lists of what is wrong with a request.
	if v := get(body, "detail"); filled(v) != "" || rawjson.KindOf(v) == rawjson.Object {
		return x.failObject(body, depth)
	}
	return false
}

// failWith keeps an error: a text, an object, or the first of a list. It reports
// whether it is one.
func (x *exchange) failWith(e string) bool { return x.failAt(e, 0) }

func (x *exchange) failAt(e string, depth int) bool {
	if depth > deepestError {
		return false
	}
	switch rawjson.KindOf(e) {
	case rawjson.String:
		s := strings.TrimSpace(text(e))
		if inner, err := rawjson.Parse(s); err == nil && rawjson.KindOf(inner) == rawjson.Object && x.errorAt(inner, depth+1) {
			return true // JSON inside of a text
		}
		if s == "" {
			return false
		}
		x.fail("", s)
		return true
	case rawjson.Object:
		return x.failObject(e, depth)
	case rawjson.Array:
		for first := range rawjson.Elements(e) {
			return x.failAt(first, depth+1)
		}
	case rawjson.Number:
		if e != "0" {
			x.fail(e, "")
			return true
		}
	default:
	}
	return false
}

var (
	messageKeys = [...]string{"message", "Message", "msg", "error_message", "errorMessage", "error_description", "detail", "description"}
	kindKeys    = [...]string{"code", "status", "type", "__type", "error_type", "name", "error"}
	numberKeys  = [...]string{"code", "status", "status_code", "statusCode"}
)

// failText keeps an error that is a text, or JSON inside of one. It reports whether
// it says anything.
func (x *exchange) failText(raw []byte, json string) bool {
	if json == "" {
		json = quote(string(raw))
	}
	return x.failWith(json)
}

// failObject keeps an error that is an object. Of an empty one nothing is known.
func (x *exchange) failObject(e string, depth int) bool {
	kind := ""
	for _, key := range kindKeys {
		if kind = errorWord(get(e, key)); kind != "" {
			break
		}
	}
	for _, key := range numberKeys {
		if v := get(e, key); kind == "" && rawjson.KindOf(v) == rawjson.Number {
			kind = v
		}
	}
	message := messageOf(e)
	for _, key := range messageKeys {
		if v := get(e, key); message == "" && (rawjson.KindOf(v) == rawjson.Object || rawjson.KindOf(v) == rawjson.Array) {
			message = v
		}
	}
	if message == "" {
		if inner := get(e, "error"); rawjson.KindOf(inner) == rawjson.Object && x.failAt(inner, depth+1) {
			return true
		}
		if kind == "" {
			if e == "{}" {
				return false
			}
			message = e
		}
	}
	x.fail(kind, message)
	return true
}

// messageOf returns what an error says, where that is a text.
func messageOf(e string) string {
	for _, key := range messageKeys {
		if s := text(get(e, key)); s != "" {
			return s
		}
	}
	return ""
}

// errorWord returns a code, a status or a type that is a word. AWS writes a type
// behind a name space.
func errorWord(json string) string {
	w := text(json)
	if w == "error" || len(w) > mostKind {
		return ""
	}
	return w[strings.LastIndexByte(w, '#')+1:]
}

// mostKind is how long in bytes a code, a status or a type may be. What is longer
// is a message in the wrong place.
const mostKind = 256
