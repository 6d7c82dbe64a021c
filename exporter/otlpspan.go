package exporter

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/span"
)

// derive makes a span of a session say what HoneyHive's endpoint reads and does
// not derive itself. A tracer knows all of it of its own spans.
func (v *view) derive() {
	s := &v.span
	if s.Known != nil && s.Known.Name != "" || !convert.Speaks(s.Attributes) && (s.Known == nil || s.Known.Type == "") {
		return
	}
	rec := read(v, convert.Identify, "", "")
	if rec.SessionID.IsZero() {
		return
	}
	k := s.Know()
	lacks := func(key attribute.Key) bool { return !span.HasKey(s.Attributes, key) }
	if lacks(honeyhive.AttrSessionID) {
		k.SessionID = rec.SessionID
	}
	if lacks(honeyhive.AttrEventType) {
		k.Type = rec.Type
	}
	if lacks(honeyhive.AttrEventID) {
		k.EventID = rec.EventID
	}
	if lacks(honeyhive.AttrEventName) {
		k.Name = rec.Name
	}
	if lacks(honeyhive.AttrError) {
		k.Error = rec.Error
	}
}

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
