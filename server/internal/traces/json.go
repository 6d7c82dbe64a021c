package traces

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/brief"
)

// JSON returns the request that a body in the JSON encoding holds, in which ids are
// hexadecimal, enumerations are numbers, 64-bit integers are strings or numbers,
// and fields have names in camel case, or as protobuf has them. Unknown fields are
// ignored, as the specification asks. The body must not change while the request is
// in use.
func JSON(body []byte) *Request {
	return &Request{walk: jsonWalk(body, &spanNames, (*decoder).jsonSpan)}
}

// jsonWalk returns the walk of a request in JSON.
func jsonWalk(body []byte, of *jsonNames, read func(*decoder, *cursor) error) func(*decoder) error {
	text, repaired, err := canonical(body)
	return func(d *decoder) error {
		if err != nil {
			return notJSON(err)
		}
		if repaired != nil {
			d.mend(valueError(repaired.Error()))
			d.tell("the request")
		}
		return d.jsonRequest(&cursor{text: text}, of, func(c *cursor) error { return read(d, c) })
	}
}

// canonical returns the text of the JSON without insignificant white space and in
// UTF-8, without a byte order mark, copied only where it is not so already. Where the
// values of what is no JSON
// could be repaired, it says what is wrong.
func canonical(body []byte) (text string, repaired, err error) {
	body = bytes.TrimPrefix(body, []byte("\uFEFF"))
	if !json.Valid(body) {
		repaired = json.Unmarshal(body, new(json.RawMessage))
		if syntax, ok := errors.AsType[*json.SyntaxError](repaired); ok {
			repaired = fmt.Errorf("invalid JSON at byte %d: %w", syntax.Offset, repaired)
		}
		if body = repair(body); body == nil || !json.Valid(body) || honeyhive.Value(bytes.TrimLeft(body, " \t\r\n")).Kind() != honeyhive.KindObject {
			return "", nil, repaired
		}
	}
	text = unsafe.String(unsafe.SliceData(body), len(body)) //nolint:gosec // the body does not change
	spaces := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i)
		case ' ', '\t', '\n', '\r':
			spaces++
		}
	}
	if spaces > 0 {
		var b bytes.Buffer
		b.Grow(len(body) - spaces)
		_ = json.Compact(&b, body)                                 // it is valid
		text = unsafe.String(unsafe.SliceData(b.Bytes()), b.Len()) //nolint:gosec // nothing else has the buffer
	}
	return validText(text), repaired, nil
}

func notJSON(err error) error { return &FormatError{"read OTLP JSON: " + err.Error()} }

// valueFields are the fields of a value.
var valueFields = [...]string{"stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue"}

// The messages of OTLP, as far as they are read, and the numbers of their fields.
var (
	valueMessage      = newMessage(valueFields[:]...)
	scopeNames        = newMessage("name")
	valuesMessage     = newMessage("values")
	resourceMessage   = newMessage("attributes")
	statusMessageJSON = newMessage("message", "code")
	pairMessage       = newMessage("key", "value")
	linkMessage       = newMessage("traceId", "spanId", "attributes")
	eventMessage      = newMessage("timeUnixNano", "name", "attributes")
	spanMessage       = newMessage("traceId", "spanId", "parentSpanId", "name", "startTimeUnixNano", "endTimeUnixNano", "attributes", "events", "links", "status", "kind")
)

// jsonNames are the names of the lists of a kind of request, and what they are called
// where one is none.
type jsonNames struct {
	request, resource, scope message
	resources, scopes        string
}

var spanNames = jsonNames{
	newMessage("resourceSpans"), newMessage("resource", "scopeSpans"), newMessage("spans", "scope"), "resource spans", "scope spans",
}

// jsonRequest reads a request whose messages are nested in lists: resources, scopes,
// and what read reads.
func (d *decoder) jsonRequest(c *cursor, of *jsonNames, read func(c *cursor) error) error {
	resources := 0
	err := c.fields(of.request, func(int) error {
		return c.array(func() error {
			return d.jsonElement(c, of.resources, func(c *cursor) error {
				return d.jsonOfResource(c, of, func() { resources++ }, read)
			})
		})
	})
	problem, ok := err.(valueError) //nolint:errorlint // it is never wrapped
	switch {
	case ok:
		return notJSON(problem)
	case err == nil && resources == 0 && d.faults.Invalid > 0: // nothing of it is what it should be
		return notJSON(errors.New(d.faults.Problem))
	}
	return err
}

// jsonElement reads an element of a list that can hold spans. One that does not is
// left out.
func (d *decoder) jsonElement(c *cursor, what string, read func(c *cursor) error) error {
	if c.null() {
		return nil
	}
	_, problem, err := c.attempt(func() error { return read(c) })
	if problem != "" {
		d.leaveOut(what + ": " + string(problem))
	}
	return err
}

func (d *decoder) jsonOfResource(c *cursor, of *jsonNames, found func(), read func(c *cursor) error) error {
	d.resource = resource{}
	d.open(0)
	start := c.at
	err := c.fields(of.resource, func(field int) error {
		if field != 0 {
			c.skip()
			return nil
		}
		return d.jsonResource(c)
	})
	if err == nil {
		err = d.count(partWork)
	}
	if err != nil {
		return err
	}
	found()
	c.at = start // the resource counts for spans that stand before it, too
	return c.fields(of.resource, func(field int) error {
		if field != 1 {
			c.skip()
			return nil
		}
		return c.array(func() error {
			return d.jsonElement(c, of.scopes, func(c *cursor) error { return d.jsonOfScope(c, of, read) })
		})
	})
}

// jsonResource reads a resource, as far as it is one.
func (d *decoder) jsonResource(c *cursor) error {
	d.mended = 0
	start := c.at
	err := c.fields(resourceMessage, func(int) error {
		return c.array(func() error {
			if c.null() {
				return nil
			}
			kv, err := d.jsonPair(c, valueDepth)
			if err == nil {
				d.resource.add(kv)
			}
			return err
		})
	})
	if _, isTooLarge := err.(*TooLargeError); isTooLarge { //nolint:errorlint // it is never wrapped
		return err
	}
	if err != nil { // the rest is not read
		d.mend(valueError(err.Error()))
		c.at = start
		c.skip()
	}
	d.tell("resource")
	return nil
}

func (d *decoder) jsonOfScope(c *cursor, of *jsonNames, read func(c *cursor) error) error {
	if err := d.count(partWork); err != nil {
		return err
	}
	d.scope = ""
	start := c.at
	err := c.fields(of.scope, func(field int) error {
		if field != 1 {
			c.skip()
			return nil
		}
		return d.jsonScope(c)
	})
	if err != nil {
		return err
	}
	c.at = start // the scope counts for spans that stand before it, too
	return c.fields(of.scope, func(field int) error {
		if field != 0 {
			c.skip()
			return nil
		}
		return c.array(func() error {
			if c.null() {
				return nil
			}
			if err := d.begin(0); err != nil {
				return err
			}
			start := c.at
			err := read(c)
			if err != nil {
				c.at = start
				c.skip()
			}
			return d.end(err)
		})
	})
}

// jsonBelow reads a list of events or links. An element that is none is noted.
func (d *decoder) jsonBelow(c *cursor, read func() error) error {
	return c.array(func() error {
		if c.null() {
			return nil
		}
		_, problem, err := c.attempt(read)
		if problem != "" {
			d.mend(problem)
		}
		return err
	})
}

// jsonScope reads the name of a scope. One that cannot be read tells nothing.
func (d *decoder) jsonScope(c *cursor) error {
	if c.kind() != honeyhive.KindObject {
		c.skip()
		return nil
	}
	return c.fields(scopeNames, func(int) error {
		if c.kind() != honeyhive.KindString {
			c.skip()
			return nil
		}
		s, err := c.str()
		d.scope = brief.Name(s)
		return err
	})
}

// jsonTime reads a time, none where it is not set.
func (d *decoder) jsonTime(c *cursor) (time.Time, error) {
	start := c.at
	n, isMended, err := c.nanoseconds()
	if isMended && err == nil {
		d.mend(valueError(fmt.Sprintf("%.32q is no time in nanoseconds", c.text[start:c.at])))
	}
	return instant(n), err
}

// jsonText reads a text that goes into the record. Of any other value it is the JSON.
func (d *decoder) jsonText(c *cursor) (string, error) {
	raw, problem, err := c.attempt(func() error { return c.want(honeyhive.KindString) })
	if err != nil {
		return "", err
	}
	if problem != "" {
		d.mend(problem)
	} else {
		raw = c.raw()
	}
	return raw, d.text(raw)
}

// id reads a hexadecimal id. What is no string is passed.
func (c *cursor) id(dst []byte) error {
	if err := c.want(honeyhive.KindString); err != nil {
		c.skip()
		return err
	}
	text := c.raw()
	if len(text) != hex.EncodedLen(len(dst)) {
		return valueError(fmt.Sprintf("has not %d hexadecimal digits", hex.EncodedLen(len(dst))))
	}
	for i := range dst {
		high, low := hexDigit(text[2*i]), hexDigit(text[2*i+1])
		if high > 15 || low > 15 {
			return valueError("has a character that is no hexadecimal digit")
		}
		dst[i] = high<<4 | low
	}
	return nil
}

func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// jsonAppend reads a list of attributes.
func (d *decoder) jsonAppend(dst []attribute.KeyValue, c *cursor, depth int) ([]attribute.KeyValue, error) {
	err := c.array(func() error {
		if c.null() {
			return nil
		}
		var kv attribute.KeyValue
		raw, problem, err := c.attempt(func() (err error) {
			kv, err = d.jsonPair(c, depth)
			return err
		})
		if problem != "" {
			dst, err = d.keep(dst, "attributes", raw, problem)
			return err
		}
		dst = append(dst, kv)
		return err
	})
	return dst, err
}

// jsonPair reads a key and a value that is so many messages deep.
func (d *decoder) jsonPair(c *cursor, depth int) (kv attribute.KeyValue, err error) {
	err = c.fields(pairMessage, func(field int) (err error) {
		if field == 1 {
			kv.Value, err = d.jsonValue(c, depth)
			return err
		}
		key, problem, err := c.attempt(func() error { return c.want(honeyhive.KindString) })
		if problem != "" {
			d.mend(problem)
		} else {
			key = c.raw()
		}
		kv.Key = attribute.Key(key)
		return err
	})
	if err == nil {
		err = d.pair(&kv)
	}
	return kv, err
}
