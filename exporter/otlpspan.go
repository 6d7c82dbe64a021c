package exporter

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// derived appends to dst what HoneyHive's endpoint reads of the span of a session
// and does not derive itself. It goes in front of the attributes of the span, so
// that it is not lost to a limit further on.
func derived(dst []attribute.KeyValue, n *convert.Span) []attribute.KeyValue {
	if !convert.Speaks(n.Attributes) {
		return dst
	}
	is := convert.Identify(n)
	if is.SessionID.IsZero() {
		return dst
	}
	var has struct{ session, auto, kind, event, name, err bool }
	for i := range n.Attributes {
		switch n.Attributes[i].Key {
		case honeyhive.AttrSessionID:
			has.session = true
		case honeyhive.AttrSessionAutoCreate:
			has.auto = true
		case honeyhive.AttrEventType:
			has.kind = true
		case honeyhive.AttrEventID:
			has.event = true
		case honeyhive.AttrEventName:
			has.name = true
		case honeyhive.AttrError:
			has.err = true
		}
	}
	if !has.session {
		dst = append(dst, attribute.String(honeyhive.AttrSessionID, is.SessionID.String()))
	}
	if !has.auto {
		dst = append(dst, attribute.Bool(honeyhive.AttrSessionAutoCreate, true))
	}
	if !has.kind {
		dst = append(dst, attribute.String(honeyhive.AttrEventType, is.Type))
	}
	if !has.event {
		dst = append(dst, attribute.String(honeyhive.AttrEventID, is.EventID.String()))
	}
	if !has.name {
		dst = append(dst, attribute.String(honeyhive.AttrEventName, is.Name))
	}
	if !has.err && is.Error != "" {
		dst = append(dst, attribute.String(honeyhive.AttrError, is.Error))
	}
	return dst
}

// attributedSpan is a span with other attributes.
type attributedSpan struct {
	sdktrace.ReadOnlySpan
	attributes []attribute.KeyValue
}

func (s *attributedSpan) Attributes() []attribute.KeyValue { return s.attributes }

// perKey replaces each bucket by an attribute for each of its keys: scalars as
// they are, anything else as JSON text.
func perKey(attributes []attribute.KeyValue) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(attributes)+16)
	for _, kv := range attributes {
		text := ""
		if isBucket(kv.Key) && kv.Value.Type() == attribute.STRING {
			text, _ = rawjson.Parse(kv.Value.AsString())
		}
		if rawjson.KindOf(text) != rawjson.Object {
			out = append(out, kv)
			continue
		}
		for k, v := range rawjson.Members(text) {
			out = append(out, attribute.KeyValue{Key: kv.Key + "." + attribute.Key(k), Value: scalar(v)})
		}
	}
	return out
}

func isBucket(key attribute.Key) bool {
	for _, b := range convert.AllBuckets() {
		if string(key) == b.Attribute() {
			return true
		}
	}
	return false
}

// scalar returns the attribute value of canonical JSON.
func scalar(text string) attribute.Value {
	switch rawjson.KindOf(text) {
	case rawjson.String:
		return attribute.StringValue(rawjson.Unquote(text))
	case rawjson.True:
		return attribute.BoolValue(true)
	case rawjson.False:
		return attribute.BoolValue(false)
	case rawjson.Number:
		return number(text)
	}
	return attribute.StringValue(text)
}

// number returns an integer where the text is one that fits, a float where one
// is written like this, and otherwise the text.
func number(text string) attribute.Value {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return attribute.Int64Value(n)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && string(rawjson.AppendFloat(nil, f, 64)) == text {
		return attribute.Float64Value(f)
	}
	return attribute.StringValue(text)
}
