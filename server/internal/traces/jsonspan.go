package traces

import (
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/brief"
)

// originals are the fields of a span by the names under which the text of one that
// could not be read is kept.
var originals = [...]string{"trace_id", "span_id", "parent_id", "name", "start_time", "end_time", "attributes", "events", "links", "status"}

func (d *decoder) jsonSpan(c *cursor) error {
	return c.fields(spanMessage, func(field int) error {
		raw, problem, err := c.attempt(func() error { return d.jsonSpanField(c, field) })
		if problem == "" {
			return err
		}
		d.span.Attributes, err = d.keep(d.span.Attributes, originals[field], raw, problem)
		return err
	})
}

func (d *decoder) jsonSpanField(c *cursor, field int) (err error) {
	s := &d.span
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
		s.Start, err = d.jsonTime(c)
	case 5:
		s.End, err = d.jsonTime(c)
	case 6:
		s.Attributes, err = d.jsonAppend(s.Attributes, c, valueDepth)
	case 7:
		err = d.jsonBelow(c, func() error { return d.jsonEvent(c) })
	case 8:
		err = d.jsonBelow(c, func() error { return d.jsonLink(c) })
	case 9:
		err = d.jsonStatus(c)
	case 10:
		s.Kind = jsonKind(c)
	}
	return err
}

// keep adds the text of what could not be read to the attributes.
func (d *decoder) keep(to []attribute.KeyValue, field, raw string, problem valueError) ([]attribute.KeyValue, error) {
	d.mend(problem)
	kv := attribute.KeyValue{Key: original(field), Value: attribute.StringValue(raw)}
	err := d.text(raw)
	if err == nil {
		err = d.pair(&kv)
	}
	return append(to, kv), err
}

// jsonKind reads the kind of a span: its number, or its name. One that is neither tells
// nothing.
func jsonKind(c *cursor) convert.Kind {
	text := ""
	switch c.kind() {
	case honeyhive.KindString:
		text = c.raw()
	case honeyhive.KindNumber:
		text = c.literal()
	default:
		c.skip()
	}
	if kind, ok := spanKinds[text]; ok {
		return kind
	}
	n, _ := strconv.ParseUint(text, 10, 8) // 0 for what is none
	return kindOf(n)
}

var spanKinds = map[string]convert.Kind{
	"SPAN_KIND_INTERNAL": convert.Internal, "SPAN_KIND_SERVER": convert.Server, "SPAN_KIND_CLIENT": convert.Client,
	"SPAN_KIND_PRODUCER": convert.Producer, "SPAN_KIND_CONSUMER": convert.Consumer,
}

func (d *decoder) jsonStatus(c *cursor) error {
	return c.fields(statusMessageJSON, func(field int) (err error) {
		if field == 0 {
			d.span.Status, err = d.jsonText(c)
			return err
		}
		if c.kind() == honeyhive.KindString { // the name of the code, or its number
			code := strings.TrimPrefix(strings.ToUpper(c.raw()), "STATUS_CODE_")
			d.span.Failed = code == "ERROR" || code == "2"
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
	err := c.fields(eventMessage, func(field int) error {
		raw, problem, err := c.attempt(func() (err error) {
			switch field {
			case 0:
				e.Time, err = d.jsonTime(c)
			case 1:
				e.Name, err = d.jsonText(c)
				e.Name = brief.Name(e.Name)
			case 2:
				d.below, err = d.jsonAppend(d.below, c, valueDepth+1)
			}
			return err
		})
		if problem != "" {
			d.below, err = d.keep(d.below, [...]string{"time", "name", "attributes"}[field], raw, problem)
		}
		return err
	})
	e.Attributes = since(d.below, from)
	if err == nil {
		d.span.Events = append(d.span.Events, e)
	}
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
	if err == nil {
		d.link(l, from, traceErr, spanErr)
	}
	return err
}
