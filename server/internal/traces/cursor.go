package traces

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// cursor walks canonical JSON, which was checked before, from its beginning to
// its end. Its methods read the value that it stands at.
type cursor struct {
	text string
	at   int
}

// kind returns the kind of the value.
func (c *cursor) kind() honeyhive.Kind { return honeyhive.Value(c.text[c.at:]).Kind() }

// null reports whether the value is null, and passes it.
func (c *cursor) null() bool {
	if c.kind() != honeyhive.KindNull {
		return false
	}
	c.at += len("null")
	return true
}

// object visits the members of an object. visit reads or skips the value.
func (c *cursor) object(visit func(key string) error) error {
	if err := c.want(honeyhive.KindObject); err != nil {
		return err
	}
	for c.at++; c.text[c.at] != '}'; {
		if c.text[c.at] == ',' {
			c.at++
		}
		key := c.raw()
		c.at++ // the colon
		if err := visit(key); err != nil {
			return err
		}
	}
	c.at++
	return nil
}

// array visits the elements of an array. visit reads or skips one.
func (c *cursor) array(visit func() error) error {
	if err := c.want(honeyhive.KindArray); err != nil {
		return err
	}
	for c.at++; c.text[c.at] != ']'; {
		if c.text[c.at] == ',' {
			c.at++
		}
		if err := visit(); err != nil {
			return err
		}
	}
	c.at++
	return nil
}

func (c *cursor) want(kind honeyhive.Kind) error {
	if got := c.kind(); got != kind {
		article := "an"
		if kind == honeyhive.KindString {
			article = "a"
		}
		return valueError(fmt.Sprintf("is a JSON %s, not %s %s", got, article, kind))
	}
	return nil
}

// str reads a string, which refers to the text where it has no escapes.
func (c *cursor) str() (string, error) {
	if err := c.want(honeyhive.KindString); err != nil {
		return "", err
	}
	return c.raw(), nil
}

// raw reads what is known to be a string.
func (c *cursor) raw() string {
	end := stringEnd(c.text, c.at) + 1
	s := c.text[c.at:end]
	c.at = end
	if strings.IndexByte(s, '\\') >= 0 {
		return honeyhive.Value(s).Text()
	}
	return s[1 : len(s)-1]
}

// skip passes the value.
func (c *cursor) skip() {
	depth := 0
	for {
		switch c.text[c.at] {
		case '"':
			c.at = stringEnd(c.text, c.at) + 1
		case '{', '[':
			depth++
			c.at++
			continue
		case '}', ']':
			depth--
			c.at++
		case ',', ':':
			c.at++
			continue
		default:
			c.literal()
		}
		if depth == 0 {
			return
		}
	}
}

// literal reads a number, true, false or null.
func (c *cursor) literal() string {
	from := c.at
	for c.at < len(c.text) && c.text[c.at] != ',' && c.text[c.at] != '}' && c.text[c.at] != ']' {
		c.at++
	}
	return c.text[from:c.at]
}

// digits reads a number, or a string that holds one, as JSON of protobuf has
// 64-bit integers.
func (c *cursor) digits() (string, error) {
	switch c.kind() {
	case honeyhive.KindString:
		return c.raw(), nil
	case honeyhive.KindNumber:
		return c.literal(), nil
	}
	return "", valueError(fmt.Sprintf("is a JSON %s, not a number", c.kind()))
}

// integer reads a signed 64-bit integer.
func (c *cursor) integer() (int64, error) {
	s, err := c.digits()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, notNumber := number(s)
		if notNumber != nil || f != math.Trunc(f) || f < math.MinInt64 || f >= math.MaxInt64 {
			return 0, valueError(fmt.Sprintf("%.32q is no 64-bit integer", s))
		}
		n = int64(f)
	}
	return n, nil
}

// nanoseconds reads an unsigned 64-bit integer; an empty text is none. What is
// meant is known of a number with a fraction, of a date, and of the halves into
// which JavaScript takes such an integer apart; all of them are no OTLP.
func (c *cursor) nanoseconds() (n uint64, isMended bool, err error) {
	if c.kind() == honeyhive.KindObject {
		n, err = c.halves()
		return n, true, err
	}
	s, err := c.digits()
	if err != nil || s == "" {
		return 0, false, err
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return n, false, nil
	}
	if f, err := number(s); err == nil && f >= 0 && f < math.MaxUint64 {
		return uint64(f), f != math.Trunc(f), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil && t.Unix() >= 0 && t.Year() < 2262 {
		return uint64(t.UnixNano()), true, nil
	}
	return 0, false, valueError(fmt.Sprintf("%.32q is no time in nanoseconds", s))
}

var halvesMessage = newMessage("low", "high")

// halves reads a 64-bit integer of two of 32 bits, which may have signs.
func (c *cursor) halves() (n uint64, err error) {
	err = c.fields(halvesMessage, func(field int) error {
		half, err := c.integer()
		n |= uint64(uint32(half)) << (32 * field) //nolint:gosec // 32 bits, with or without a sign
		return err
	})
	return n, err
}

// double reads a 64-bit float.
func (c *cursor) double() (float64, error) {
	s, err := c.digits()
	if err != nil {
		return 0, err
	}
	switch s {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	return number(s)
}

// number reads a number as JSON has it.
func number(s string) (float64, error) {
	if text, err := honeyhive.ParseValue(s); err == nil && len(text) == len(s) && honeyhive.Value(s).Kind() == honeyhive.KindNumber {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f, nil
		}
	}
	return 0, valueError(fmt.Sprintf("%.32q is no 64-bit number", s))
}

// boolean reads true or false.
func (c *cursor) boolean() (bool, error) {
	switch c.kind() {
	case honeyhive.KindTrue, honeyhive.KindFalse:
		return c.literal() == "true", nil
	}
	return false, valueError(fmt.Sprintf("is a JSON %s, not a boolean", c.kind()))
}

// message is the fields of a message by their names in JSON, those of protobuf
// among them.
type message map[string]int

// newMessage returns the message whose fields have the names, in their order.
func newMessage(names ...string) message {
	m := make(message, 2*len(names))
	for i, name := range names {
		var snake strings.Builder
		for _, r := range name {
			if r >= 'A' && r <= 'Z' {
				snake.WriteByte('_')
			}
			snake.WriteString(strings.ToLower(string(r)))
		}
		m[name], m[snake.String()] = i, i
	}
	return m
}

// fields visits those fields of a message that have a value. visit reads it. A field
// that stands twice is visited twice.
func (c *cursor) fields(m message, visit func(field int) error) error {
	return c.object(func(key string) error {
		field, known := m[key]
		if !known {
			c.skip()
			return nil
		}
		if c.null() {
			return nil
		}
		err := visit(field)
		if problem, ok := err.(valueError); ok { //nolint:errorlint // it is never wrapped
			err = valueError(key + ": " + string(problem))
		}
		return err
	})
}

// attempt reads a value with read. One that is not as the protocol has it is passed:
// its text is returned, and what is wrong with it.
func (c *cursor) attempt(read func() error) (raw string, problem valueError, err error) {
	start := c.at
	err = read()
	problem, ok := err.(valueError) //nolint:errorlint // it is never wrapped
	if !ok {
		return "", "", err
	}
	c.at = start
	c.skip()
	return c.text[start:c.at], problem, nil
}
