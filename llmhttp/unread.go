package llmhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file says of an answer that ended whether it was read, and whether it was
// all. An answer that cannot be read is an error of the event, also with a status
// of 200: a gateway's page of HTML, an empty body, JSON that ends too soon.

// readAnswer reads an answer that came whole. What is no JSON is read as chunks,
// which some servers send unasked and under another name, or is the message of an
// error, where the status is one.
func (c *call) readAnswer(raw string) {
	x := c.x
	body, err := rawjson.Parse(raw)
	kind := rawjson.KindOf(body)
	failed := c.status >= http.StatusBadRequest
	switch {
	case err == nil && (kind == rawjson.Object || kind == rawjson.Array):
		c.readWhole(body)
	case c.readChunks(raw):
	case c.encoded():
		c.reason = "its content encoding is not read"
	case failed:
		if message := strings.ToValidUTF8(strings.TrimSpace(raw), ""); message != "" {
			x.fail("", message)
			x.problem.raw = true
		}
	case err == nil:
		c.reason = "a JSON " + kind.String()
	default:
		c.reason, c.excerpt = unread(raw, err)
	}
}

// readWhole reads an answer that is JSON.
func (c *call) readWhole(body string) {
	x := c.x
	x.format.answer(x, body)
	x.cut = x.endLists() || x.cut
	if x.problem == nil && !x.answered() {
		x.errorIn(body)
	}
	x.done = c.status < http.StatusBadRequest
}

// readChunks reads chunks that came whole, and reports whether there were any.
func (c *call) readChunks(raw string) bool {
	var p parser
	f := formOf([]byte(raw), true)
	switch {
	case f == formArray && !c.whole():
		p = &elements{buffer: c.line(), emit: c.chunk}
	case f == formJSON, f == formEvents && (c.status < http.StatusBadRequest || hasPrefix([]byte(raw), "data:") || hasPrefix([]byte(raw), "event:")):
		p = &splitter{line: c.line(), emit: c.chunk, document: c.document}
	default:
		return false
	}
	before := c.x.skipped
	p.write([]byte(raw))
	p.end()
	switch {
	case c.only != "":
		c.readWhole(c.only)
	case c.events == 0 && c.x.problem == nil:
		c.x.skipped = before
		return false
	default:
		c.streams = true
		c.x.skipped += p.unread()
	}
	return true
}

// answered reports whether a format took anything of an answer.
func (x *exchange) answered() bool {
	for _, c := range x.choices {
		if len(c.parts) > 0 || c.finish != "" {
			return true
		}
	}
	return len(x.outputs) > 0 || x.usage.known() || x.finding != nil && x.finding.shown
}

// mostExcerpt bounds in bytes what is quoted of a text that is no answer.
const mostExcerpt = 256

// unread says why a text is no answer, and quotes what may say more.
func unread(raw string, err error) (reason, excerpt string) {
	var syntax *rawjson.SyntaxError
	switch head := strings.TrimSpace(raw); {
	case head == "":
		return "it is empty", ""
	case head[0] == '{' || head[0] == '[':
		if errors.As(err, &syntax) && syntax.Offset >= len(raw) {
			return "it is JSON that ends too soon", ""
		}
		return "it is JSON with a mistake: " + err.Error(), ""
	case head[0] == '<':
		return "it is no JSON but looks like a page of HTML", ""
	default:
		return "it is no JSON and no stream of events", head
	}
}

// incomplete returns what went wrong where an answer ended without an error of
// its reading.
func (c *call) incomplete() (kind, text string) {
	x := c.x
	switch {
	case c.broken, x.done, c.status < http.StatusOK, c.status >= http.StatusMultipleChoices, c.status == http.StatusNoContent:
		return "", ""
	case c.got != nil && c.got.cut: // longer than the limit: answer_truncated says so
		return "", ""
	case c.streams && x.complete():
		if _, ok := x.format.(terminated); ok || x.skipped > 0 || c.cutShort() || x.missing() {
			c.unterminated = true
		}
		return "", ""
	case c.streams && c.events > 0:
		if _, ok := x.format.(unterminated); ok && len(x.choices) > 0 && x.skipped == 0 && !c.cutShort() {
			c.unterminated = x.finding != nil && !x.finding.shown // nothing is cited, which comes last
			return "", ""
		}
		if _, ok := x.format.(terminated); !ok && len(x.choices) == 0 && x.skipped == 0 && !c.cutShort() {
			c.unterminated = x.finding != nil && !x.finding.shown // nothing is cited, which comes last
			return "", ""
		}
		return "stream_interrupted", "the stream ended before the answer was complete"
	case c.streams && len(c.strayText()) == 0:
		return "stream_interrupted", "the stream ended before its first event: " + c.received()
	case c.inflate != nil && c.inflate.err != nil && !c.streams:
		c.reason = "its compression is broken or ends too soon"
	}
	return c.unreadable()
}

// unreadable returns why nothing of an answer can be read, of which it is known
// although its client may have closed it before the end.
func (c *call) unreadable() (kind, text string) {
	if c.status < http.StatusOK || c.status >= http.StatusMultipleChoices || c.broken {
		return "", ""
	}
	if stray := c.strayText(); stray != "" {
		c.reason, c.excerpt = unread(stray, nil)
	}
	reason := cmp.Or(c.reason, "it is empty")
	if c.excerpt != "" && !c.x.blind {
		reason += ": " + c.excerpt[:min(len(c.excerpt), mostExcerpt)]
	}
	return "unreadable_answer", "the answer cannot be read: " + c.received() + ": " + reason
}

// encoded reports whether the answer came in an encoding that is not decoded. It
// is asked about answers that could not be read: a header alone encodes nothing.
func (c *call) encoded() bool {
	switch strings.ToLower(c.encoding) {
	case "", "identity":
		return false
	}
	return c.inflate == nil
}

// cutShort reports whether the answer is an array that did not end, or ends within a
// message of a binary stream, or within what is compressed.
func (c *call) cutShort() bool {
	if c.inflate != nil && c.inflate.err != nil {
		return true
	}
	switch s := c.split.(type) {
	case *elements:
		return !s.closed
	case *deframer:
		return len(s.b) > 0 || s.left > 0
	}
	return false
}

// strayText returns the beginning of what was no event of a stream.
func (c *call) strayText() string {
	if s, ok := c.split.(*splitter); ok {
		return string(s.stray)
	}
	return ""
}

// received says what came: the content type and the size.
func (c *call) received() string {
	kind := c.contentType
	if kind == "" {
		kind = "no content type"
	}
	return fmt.Sprintf("%s, %d bytes", kind[:min(len(kind), mostExcerpt)], c.seen)
}

// late reports whether an error came once the answer was complete, and is of the
// context alone: clients cancel it when they have what they want.
func (c *call) late(err error) bool {
	ends := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if !ends || !c.x.done && (!c.streams || !c.x.complete() || c.x.missing()) {
		return false
	}
	c.unterminated = !c.x.done
	return true
}
