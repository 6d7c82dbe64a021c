package llmhttp

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file tells in which form an answer comes: by its first bytes, since
// gateways and servers name one form and send another. The content type counts
// where the bytes leave it open.

// A form is what an answer is written in.
type form uint8

const (
	formOpen   form = iota // more bytes are needed to tell
	formJSON               // an object: the answer, or the first of several
	formArray              // a list, of chunks where a stream is asked for
	formEvents             // server-sent events
	formFrames             // a binary event stream
	formGzip               // compressed, and one of the others inside
	formText               // none of these
)

// eventFields are what a stream of server-sent events may begin with: a field, or
// a comment.
var eventFields = [...]string{":", "data:", "event:", "error:", "id:", "retry:"}

// formOf returns the form of an answer by its first bytes, which are no white
// space. At the end of the answer there is no more to wait for.
func formOf(head []byte, end bool) form {
	if len(head) == 0 {
		return formOpen
	}
	open := false
	switch head[0] {
	case '{':
		return formJSON
	case '[':
		return formArray
	case 0x1f:
		if len(head) > 1 && head[1] == 0x8b {
			return formGzip
		}
		open = len(head) == 1
	case 0:
		if len(head) >= preludeBytes && crc32.ChecksumIEEE(head[:8]) == binary.BigEndian.Uint32(head[8:]) {
			return formFrames
		}
		open = len(head) < preludeBytes
	}
	for _, field := range eventFields {
		n := min(len(head), len(field))
		if string(head[:n]) != field[:n] {
			continue
		}
		if n == len(field) {
			return formEvents
		}
		open = true
	}
	if open && !end {
		return formOpen
	}
	return formText
}

// trimStart returns what follows white space and byte order marks. A part of a
// mark is kept, for what follows it.
func trimStart(p []byte) []byte {
	for {
		before := len(p)
		p = bytes.TrimLeft(p, " \t\r\n")
		if p = bytes.TrimPrefix(p, byteOrderMark); len(p) == before {
			return p
		}
	}
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// take reads the next bytes of the answer.
func (c *call) take(p []byte) {
	switch {
	case c.split != nil:
		c.split.write(p)
	case c.got != nil:
		if c.got.write(p); c.got.cut && c.inflate != nil {
			c.inflate.over = true // what is not kept need not be decompressed
		}
	default:
		c.begin(p, false)
	}
}

// begin reads the first bytes of the answer, up to where its form is known. At
// the end nothing follows.
func (c *call) begin(p []byte, end bool) {
	if len(c.head) > 0 {
		c.head = append(c.head, p...)
		p = c.head
	}
	p = trimStart(p)
	f := formOf(p, end)
	if f == formOpen || !end && bytes.HasPrefix(byteOrderMark, p) {
		c.head = append([]byte(nil), p...)
		return
	}
	c.head = nil
	if f == formGzip && c.inflate == nil {
		c.inflate = newInflater(c.take)
		c.inflate.write(p)
		return
	}
	c.choose(f)
	c.take(p)
}

// Content types that say something.
const (
	typeEvents = "text/event-stream"
	typeFrames = "application/vnd.amazon.eventstream"
)

func typeLines(kind string) bool {
	return kind == "application/x-ndjson" || kind == "application/jsonl" || kind == "application/x-jsonlines"
}

func typeJSON(kind string) bool {
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// choose makes the reader of an answer. Errors come whole.
func (c *call) choose(f form) {
	kind := mediaType(c.contentType)
	asked := c.streamAsked()
	events := func() {
		c.split = &splitter{line: c.line(), emit: c.chunk, document: c.document, repeats: c.repeats}
	}
	switch {
	case c.status >= http.StatusBadRequest, c.whole() && (f == formJSON || f == formArray):
	case f == formFrames, f == formText && kind == typeFrames:
		c.split = &deframer{limit: c.t.limit, emit: c.frame, damaged: func() { c.x.fail("damaged_stream", "a checksum of the stream does not hold") }}
	case f == formEvents, f == formText && (kind == typeEvents || typeLines(kind)):
		events()
	case f == formJSON && c.x.lines && asked:
		c.split = &splitter{line: c.line(), emit: c.chunk, document: func(data []byte) { c.chunk("", data) }}
	case f == formArray && (asked || kind == typeEvents || typeLines(kind)):
		c.split = &elements{buffer: c.line(), emit: c.chunk}
	case f == formJSON && (kind == typeEvents || typeLines(kind) || asked && !typeJSON(kind)):
		events()
	}
	c.text = f == formText
	if c.streams = c.split != nil; !c.streams {
		c.got = &c.space.got
		*c.got = capture{limit: c.t.limit}
		c.got.expect(c.length, c.space.takeBody())
		c.got.short = c.got.short || c.x.finding != nil // documents are text
	}
}

// line keeps a line of a stream. Sound comes in pieces, which are digested as one
// and are no longer than this.
func (c *call) line() capture { return capture{limit: c.t.limit, from: 256 << 10} }

// whole reports whether answers of such a call are never streams.
func (c *call) whole() bool { return c.x.finding != nil && !c.streamAsked() }

func (c *call) streamAsked() bool { return c.x.streamed || c.x.stream }

// document reads JSON that stands in a stream of events without being one. It is
// an error, or an event whose server forgot the rest; the only one of an answer is
// the answer, which came whole.
func (c *call) document(data []byte) {
	if c.x.done {
		return
	}
	body, err := rawjson.Parse(string(data))
	switch {
	case err != nil:
		c.x.skipped++
	case c.events > 0 || c.only != "":
		c.chunk("", data)
	case c.x.errorIn(body):
		c.x.done = true
	default:
		c.only = body
	}
}

// flushOnly reads the JSON that was held as the only one and is not.
func (c *call) flushOnly() {
	if body := c.only; body != "" {
		c.only = ""
		c.parse("", []byte(body))
	}
}
