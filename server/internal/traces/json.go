package traces

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/brief"
)

// maxNesting is how many arrays and objects may be open: some three for each two
// messages.
const maxNesting = 2 * MaxDepth

// JSON returns the request that a body in the JSON encoding holds, in which ids are
// hexadecimal, enumerations are numbers, 64-bit integers are strings or numbers,
// and fields have names in camel case, or as protobuf has them. Unknown fields are
// ignored, as the specification asks. The body must not change while the request is
// in use.
func JSON(body []byte) *Request {
	text, err := canonical(body)
	return &Request{walk: func(d *decoder) error {
		if err == nil {
			return d.jsonRequest(&cursor{text: text})
		}
		return notJSON(err)
	}}
}

// canonical returns the text of the JSON without insignificant white space and in
// UTF-8, copied only where it is not so already.
func canonical(body []byte) (string, error) {
	text := unsafe.String(unsafe.SliceData(body), len(body)) //nolint:gosec // the body does not change
	open, spaces := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i)
		case '{', '[':
			if open++; open > maxNesting {
				return "", fmt.Errorf("nested deeper than %d levels", maxNesting)
			}
		case '}', ']':
			open--
		case ' ', '\t', '\n', '\r':
			spaces++
		}
	}
	if !json.Valid(body) {
		err := json.Unmarshal(body, new(json.RawMessage))
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			err = fmt.Errorf("invalid JSON at byte %d: %w", syntax.Offset, err)
		}
		return "", err
	}
	if spaces > 0 {
		var b bytes.Buffer
		b.Grow(len(body) - spaces)
		_ = json.Compact(&b, body)                                 // it is valid
		text = unsafe.String(unsafe.SliceData(b.Bytes()), b.Len()) //nolint:gosec // nothing else has the buffer
	}
	return strings.ToValidUTF8(text, "\uFFFD"), nil
}

func notJSON(err error) error { return &FormatError{"read OTLP JSON: " + err.Error()} }

// The messages of OTLP, as far as they are read, and the numbers of their fields.
var (
	requestMessage = newMessage("resourceSpans")
	scopeMessage   = newMessage("spans")
	valueMessage   = newMessage("stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue")
	valuesMessage  = newMessage("values")

	resourceSpansMessage = newMessage("resource", "scopeSpans")
	resourceMessage      = newMessage("attributes")
	statusMessageJSON    = newMessage("message", "code")
	pairMessage          = newMessage("key", "value")
	linkMessage          = newMessage("traceId", "spanId", "attributes")
	eventMessage         = newMessage("timeUnixNano", "name", "attributes")
	spanMessage          = newMessage("traceId", "spanId", "parentSpanId", "name", "startTimeUnixNano", "endTimeUnixNano", "attributes", "events", "links", "status")
)

func (d *decoder) jsonRequest(c *cursor) error {
	err := c.fields(requestMessage, func(int) error {
		return c.array(func() error { return d.jsonResourceSpans(c) })
	})
	if problem, ok := err.(spanError); ok { //nolint:errorlint // it is never wrapped
		return notJSON(problem)
	}
	return err
}

func (d *decoder) jsonResourceSpans(c *cursor) error {
	d.resource = resource{}
	d.open(0)
	start := c.at
	err := c.fields(resourceSpansMessage, func(field int) error {
		if field != 0 {
			c.skip()
			return nil
		}
		return c.fields(resourceMessage, func(int) error {
			return c.array(func() error {
				kv, err := d.jsonPair(c, valueDepth)
				d.resource.add(kv)
				return err
			})
		})
	})
	if err == nil {
		err = d.count(partWork)
	}
	if err != nil {
		return err
	}
	c.at = start // the resource counts for spans that stand before it, too
	return c.fields(resourceSpansMessage, func(field int) error {
		if field != 1 {
			c.skip()
			return nil
		}
		return c.array(func() error { return d.jsonScopeSpans(c) })
	})
}

func (d *decoder) jsonScopeSpans(c *cursor) error {
	if err := d.count(partWork); err != nil {
		return err
	}
	return c.fields(scopeMessage, func(int) error {
		return c.array(func() error {
			if err := d.begin(0); err != nil {
				return err
			}
			start := c.at
			err := d.jsonSpan(c)
			if err != nil {
				c.at = start
				c.skip()
			}
			return d.end(err)
		})
	})
}

func (d *decoder) jsonSpan(c *cursor) error {
	s := &d.span
	return c.fields(spanMessage, func(field int) (err error) {
		var t uint64
		switch field {
		case 0:
			d.id("trace id", c.id(s.TraceID[:]))
		case 1:
			d.id("span id", c.id(s.SpanID[:]))
		case 2:
			if c.text[c.at:c.at+2] == `""` {
				c.skip()
				return nil
			}
			d.id("parent span id", c.id(s.ParentSpanID[:]))
		case 3:
			s.Name, err = d.jsonText(c)
			s.Name = brief.Name(s.Name)
		case 4:
			t, err = c.nanoseconds()
			s.Start = instant(t)
		case 5:
			t, err = c.nanoseconds()
			s.End = instant(t)
		case 6:
			s.Attributes, err = d.jsonAppend(s.Attributes, c, valueDepth)
		case 7:
			err = c.array(func() error { return d.jsonEvent(c) })
		case 8:
			err = c.array(func() error { return d.jsonLink(c) })
		case 9:
			err = d.jsonStatus(c)
		}
		return err
	})
}

// jsonText reads a text that goes into the record.
func (d *decoder) jsonText(c *cursor) (string, error) {
	s, err := c.str()
	if err != nil {
		return "", err
	}
	return s, d.text(s)
}

// id reads a hexadecimal id. What is no string is passed.
func (c *cursor) id(dst []byte) error {
	if err := c.want(honeyhive.KindString); err != nil {
		c.skip()
		return err
	}
	text := c.raw()
	if len(text) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("has not %d hexadecimal digits", hex.EncodedLen(len(dst)))
	}
	for i := range dst {
		high, low := hexDigit(text[2*i]), hexDigit(text[2*i+1])
		if high > 15 || low > 15 {
			return spanError("has a character that is no hexadecimal digit")
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

func (d *decoder) jsonStatus(c *cursor) error {
	return c.fields(statusMessageJSON, func(field int) (err error) {
		if field == 0 {
			d.span.Status, err = d.jsonText(c)
			return err
		}
		if c.kind() == honeyhive.KindString { // the name of the code, or its number
			code := c.raw()
			d.span.Failed = code == "STATUS_CODE_ERROR" || code == "2"
			return nil
		}
		code, err := c.integer()
		d.span.Failed = code == statusError
		return err
	})
}

func (d *decoder) jsonEvent(c *cursor) error {
	if err := d.part(1); err != nil {
		return err
	}
	var e convert.Event
	from := len(d.below)
	err := c.fields(eventMessage, func(field int) (err error) {
		var t uint64
		switch field {
		case 0:
			t, err = c.nanoseconds()
			e.Time = instant(t)
		case 1:
			e.Name, err = d.jsonText(c)
			e.Name = brief.Name(e.Name)
		case 2:
			d.below, err = d.jsonAppend(d.below, c, valueDepth+1)
		}
		return err
	})
	e.Attributes = since(d.below, from)
	d.span.Events = append(d.span.Events, e)
	return err
}

func (d *decoder) jsonLink(c *cursor) error {
	if err := d.part(1); err != nil {
		return err
	}
	var l convert.Link
	var traceErr, spanErr error = errNoID, errNoID
	from := len(d.below)
	err := c.fields(linkMessage, func(field int) (err error) {
		switch field {
		case 0:
			traceErr = c.id(l.TraceID[:])
		case 1:
			spanErr = c.id(l.SpanID[:])
		case 2:
			d.below, err = d.jsonAppend(d.below, c, valueDepth+1)
		}
		return err
	})
	d.link(l, from, traceErr, spanErr)
	return err
}

// jsonAppend reads a list of attributes.
func (d *decoder) jsonAppend(dst []attribute.KeyValue, c *cursor, depth int) ([]attribute.KeyValue, error) {
	err := c.array(func() error {
		kv, err := d.jsonPair(c, depth)
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
		key, err := c.str()
		kv.Key = attribute.Key(key)
		return err
	})
	if err == nil {
		err = d.pair(&kv)
	}
	return kv, err
}

// jsonValue reads a value. One that is not set is empty.
func (d *decoder) jsonValue(c *cursor, depth int) (v attribute.Value, err error) {
	if depth > MaxDepth {
		return v, errDepth
	}
	isSet := false
	err = c.fields(valueMessage, func(field int) error {
		if isSet {
			return spanError("is a second value")
		}
		isSet = true
		v, err = d.jsonOneOf(c, field, depth)
		return err
	})
	return v, err
}

func (d *decoder) jsonOneOf(c *cursor, field, depth int) (attribute.Value, error) {
	switch field {
	case 0:
		s, err := d.jsonText(c)
		return attribute.StringValue(s), err
	case 1:
		b, err := c.boolean()
		return attribute.BoolValue(b), err
	case 2:
		n, err := c.integer()
		return attribute.Int64Value(n), err
	case 3:
		f, err := c.double()
		return attribute.Float64Value(f), err
	case 4:
		return d.jsonList(c, depth+2)
	case 5:
		from := len(d.pairs)
		err := c.fields(valuesMessage, func(int) error {
			return c.array(func() error {
				kv, err := d.jsonPair(c, depth+3)
				d.pairs = append(d.pairs, kv)
				return err
			})
		})
		return d.mapping(from), err
	}
	s, err := c.str()
	if err != nil {
		return attribute.Value{}, err
	}
	b, err := decodeBase64(s)
	return attribute.ByteSliceValue(b), err
}

// decodeBase64 reads either alphabet, padded or not, as JSON of protobuf has it.
func decodeBase64(s string) ([]byte, error) {
	encoding := base64.StdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.URLEncoding
	}
	if len(s)%4 != 0 {
		encoding = encoding.WithPadding(base64.NoPadding)
	}
	b, err := encoding.DecodeString(s)
	if err != nil {
		return nil, spanError("is no base64")
	}
	return b, nil
}

func (d *decoder) jsonList(c *cursor, depth int) (v attribute.Value, err error) {
	v = attribute.SliceValue()
	err = c.fields(valuesMessage, func(int) error {
		var ok bool
		if v, ok, err = d.jsonNumbers(c); ok {
			return err
		}
		from := len(d.values)
		err := c.array(func() error {
			if err := d.part(1); err != nil || c.null() {
				d.values = append(d.values, attribute.Value{})
				return err
			}
			v, err := d.jsonValue(c, depth)
			d.values = append(d.values, v)
			return err
		})
		v = d.list(from)
		return err
	})
	return v, err
}

// Elements of lists of numbers, as they are written without more.
const (
	integerElement = `{"intValue":`
	doubleElement  = `{"doubleValue":`
)

// jsonNumbers reads a list that holds integers alone, or doubles alone. It stays
// where it is at any other.
func (d *decoder) jsonNumbers(c *cursor) (v attribute.Value, ok bool, err error) {
	start := c.at
	element, n := doubleElement, 0
	if rest := c.text[c.at:]; len(rest) > 0 && strings.HasPrefix(rest[1:], integerElement) {
		element = integerElement
	}
	all := c.array(func() error {
		n++
		if !strings.HasPrefix(c.text[c.at:], element) {
			return errNoNumber
		}
		c.at += len(element)
		if _, err := c.digits(); err != nil || c.text[c.at] != '}' {
			return errNoNumber
		}
		c.at++
		return nil
	}) == nil
	c.at = start
	if !all || n == 0 {
		return v, false, nil
	}
	if err := d.part(1 + n/numbersPart); err != nil {
		return v, true, err
	}
	if element == integerElement {
		list := make([]int64, 0, n)
		err = c.array(func() error {
			c.at += len(element)
			number, err := c.integer()
			list = append(list, number)
			c.at++
			return err
		})
		return attribute.Int64SliceValue(list), true, err
	}
	list := make([]float64, 0, n)
	err = c.array(func() error {
		c.at += len(element)
		number, err := c.double()
		list = append(list, number)
		c.at++
		return err
	})
	return attribute.Float64SliceValue(list), true, err
}

const errNoNumber = spanError("is no number")
