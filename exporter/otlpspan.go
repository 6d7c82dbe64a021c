package exporter

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// collectorSpan returns the copy of a span that goes to a collector. A span of a
// session gets the attributes that HoneyHive's endpoint asks for and that follow
// from others.
func collectorSpan(s sdktrace.ReadOnlySpan, bucketKeys bool) sdktrace.ReadOnlySpan {
	attributes := s.Attributes()
	speaks := convert.Speaks(attributes)
	if speaks {
		attributes = derived(s, attributes)
	}
	if bucketKeys {
		attributes = perKey(attributes)
	}
	if !speaks && !bucketKeys {
		return s
	}
	return &attributedSpan{s, attributes}
}

// attributedSpan is a span with other attributes.
type attributedSpan struct {
	sdktrace.ReadOnlySpan
	attributes []attribute.KeyValue
}

func (s *attributedSpan) Attributes() []attribute.KeyValue { return s.attributes }

// derived adds what HoneyHive's endpoint reads and does not derive itself, in
// front, so that it is not lost to a limit further on.
func derived(s sdktrace.ReadOnlySpan, attributes []attribute.KeyValue) []attribute.KeyValue {
	rec := convert.Convert(neutral(s))
	if rec.SessionID.IsZero() {
		return attributes
	}
	has := make(map[attribute.Key]bool, len(attributes))
	for i := range attributes {
		has[attributes[i].Key] = true
	}
	out := make([]attribute.KeyValue, 0, len(attributes)+8)
	add := func(key, value string) {
		if value != "" && !has[attribute.Key(key)] {
			out = append(out, attribute.String(key, value))
		}
	}
	add(honeyhive.AttrSessionID, rec.SessionID.String())
	if !has[honeyhive.AttrSessionAutoCreate] {
		out = append(out, attribute.Bool(honeyhive.AttrSessionAutoCreate, true))
	}
	add(honeyhive.AttrEventType, rec.Type)
	add(honeyhive.AttrEventID, rec.EventID.String())
	add(honeyhive.AttrEventName, rec.Name)
	add(honeyhive.AttrError, rec.Error)
	return append(out, attributes...)
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
