package traces

import (
	"encoding/base64"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// jsonValue reads a value. One that is not set is empty, of several the last one
// counts, and what is no value is taken for what it is as JSON.
func (d *decoder) jsonValue(c *cursor, depth int) (v attribute.Value, err error) {
	if depth > MaxDepth {
		return v, errDepth
	}
	if c.kind() != honeyhive.KindObject {
		if c.null() {
			return v, nil
		}
		return d.jsonBare(c, -1, c.want(honeyhive.KindObject))
	}
	isSet := false
	err = c.fields(valueMessage, func(field int) error {
		if isSet {
			d.mend(valueError(valueFields[field] + ": is a second value"))
		}
		isSet = true
		start, pairs, values := c.at, len(d.pairs), len(d.values)
		v, err = d.jsonOneOf(c, field, depth)
		if problem, ok := err.(valueError); ok { //nolint:errorlint // it is never wrapped
			c.at, d.pairs, d.values = start, d.pairs[:pairs], d.values[:values]
			v, err = d.jsonBare(c, field, valueError(valueFields[field]+": "+string(problem)))
		}
		return err
	})
	return v, err
}

// The places of valueFields.
const (
	stringField = iota
	boolField
	intField
	doubleField
	arrayField
	mapField
	bytesField
)

// jsonBare reads JSON that is no value of the field that it stands in: texts as
// numbers where these were meant, numbers as numbers, any other value as its text.
func (d *decoder) jsonBare(c *cursor, field int, problem error) (attribute.Value, error) {
	d.mend(valueError(problem.Error()))
	start := c.at
	kind := c.kind()
	c.skip()
	raw := c.text[start:c.at]
	if err := d.count(len(raw) / passWork); err != nil { // it was read before
		return attribute.Value{}, err
	}
	s := raw
	if kind == honeyhive.KindString {
		s = (&cursor{text: raw}).raw()
	}
	isNumber := kind == honeyhive.KindNumber && field != stringField || kind == honeyhive.KindString && (field == intField || field == doubleField)
	if f, err := number(s); isNumber && err == nil {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return attribute.Int64Value(n), nil
		}
		return attribute.Float64Value(f), nil
	}
	if (kind == honeyhive.KindTrue || kind == honeyhive.KindFalse) && field != stringField || kind == honeyhive.KindString && field == boolField && (s == "true" || s == "false") {
		return attribute.BoolValue(s == "true"), nil
	}
	return attribute.StringValue(s), d.text(s)
}

func (d *decoder) jsonOneOf(c *cursor, field, depth int) (attribute.Value, error) {
	switch field {
	case stringField:
		if err := c.want(honeyhive.KindString); err != nil {
			return attribute.Value{}, err
		}
		s := c.raw()
		return attribute.StringValue(s), d.text(s)
	case boolField:
		b, err := c.boolean()
		return attribute.BoolValue(b), err
	case intField:
		n, err := c.integer()
		return attribute.Int64Value(n), err
	case doubleField:
		f, err := c.double()
		return attribute.Float64Value(f), err
	case arrayField:
		return d.jsonList(c, depth+2)
	case mapField:
		from := len(d.pairs)
		err := c.fields(valuesMessage, func(int) error { return d.jsonPairs(c, depth+3) })
		if err != nil {
			return attribute.Value{}, err
		}
		return d.mapping(from), nil
	}
	s, err := c.str()
	if err != nil {
		return attribute.Value{}, err
	}
	b, err := decodeBase64(s)
	return attribute.ByteSliceValue(b), err
}

// jsonPairs reads the pairs of a map. What is none has no key.
func (d *decoder) jsonPairs(c *cursor, depth int) error {
	return c.array(func() error {
		if c.null() {
			return nil
		}
		var kv attribute.KeyValue
		var err error
		if c.kind() == honeyhive.KindObject {
			kv, err = d.jsonPair(c, depth)
		} else {
			kv.Value, err = d.jsonBare(c, -1, c.want(honeyhive.KindObject))
		}
		d.pairs = append(d.pairs, kv)
		return err
	})
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
		return nil, valueError("is no base64")
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
			if err := d.part(1); err != nil {
				return err
			}
			v, err := d.jsonValue(c, depth)
			d.values = append(d.values, v)
			return err
		})
		if err == nil {
			v = d.list(from)
		}
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
	integers, doubles := make([]int64, 0, n), []float64(nil)
	if element == doubleElement {
		integers, doubles = nil, make([]float64, 0, n)
	}
	err = c.array(func() error {
		c.at += len(element)
		var integer int64
		var double float64
		if element == integerElement {
			integer, err = c.integer()
			integers = append(integers, integer)
		} else {
			double, err = c.double()
			doubles = append(doubles, double)
		}
		c.at++
		return err
	})
	if err != nil { // not all are
		c.at = start
		return v, false, nil
	}
	if element == integerElement {
		return attribute.Int64SliceValue(integers), true, nil
	}
	return attribute.Float64SliceValue(doubles), true, nil
}

const errNoNumber = valueError("is no number")
