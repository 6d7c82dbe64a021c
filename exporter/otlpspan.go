package exporter

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// collectorSpan returns the copy of a span that goes to a collector. A span of a
// session gets the attributes that HoneyHive's endpoint asks for and that follow
// from others; text that is no UTF-8, with which protocol buffers would refuse
// the whole batch, is mended in every span.
func collectorSpan(s sdktrace.ReadOnlySpan, bucketKeys bool) sdktrace.ReadOnlySpan {
	c := &redactedSpan{
		ReadOnlySpan: s, name: validUTF8(s.Name()), attributes: s.Attributes(),
		events: slices.Clone(s.Events()), links: slices.Clone(s.Links()), status: s.Status(),
	}
	if convert.Speaks(c.attributes) {
		c.attributes = derived(s, c.attributes)
	}
	if bucketKeys {
		c.attributes = perKey(c.attributes)
	}
	c.attributes = validAttributes(c.attributes)
	c.status.Description = validUTF8(c.status.Description)
	for i := range c.events {
		c.events[i].Name = validUTF8(c.events[i].Name)
		c.events[i].Attributes = validAttributes(c.events[i].Attributes)
	}
	for i := range c.links {
		c.links[i].Attributes = validAttributes(c.links[i].Attributes)
	}
	return c
}

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

func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// validAttributes returns the attributes with every text in UTF-8: the list
// itself where that is so already.
func validAttributes(attributes []attribute.KeyValue) []attribute.KeyValue {
	for i, kv := range attributes {
		if utf8.ValidString(string(kv.Key)) && validValue(kv.Value) {
			continue
		}
		out := make([]attribute.KeyValue, len(attributes))
		copy(out, attributes[:i])
		for j := i; j < len(attributes); j++ {
			out[j] = attribute.KeyValue{
				Key:   attribute.Key(validUTF8(string(attributes[j].Key))),
				Value: mended(attributes[j].Value),
			}
		}
		return out
	}
	return attributes
}

func validValue(v attribute.Value) bool {
	switch v.Type() {
	case attribute.STRING:
		return utf8.ValidString(v.AsString())
	case attribute.STRINGSLICE:
		for _, s := range v.AsStringSlice() {
			if !utf8.ValidString(s) {
				return false
			}
		}
	case attribute.SLICE:
		for _, e := range v.AsSlice() {
			if !validValue(e) {
				return false
			}
		}
	case attribute.MAP:
		for _, kv := range v.AsMap() {
			if !utf8.ValidString(string(kv.Key)) || !validValue(kv.Value) {
				return false
			}
		}
	}
	return true
}

func mended(v attribute.Value) attribute.Value {
	switch v.Type() {
	case attribute.STRING:
		return attribute.StringValue(validUTF8(v.AsString()))
	case attribute.STRINGSLICE:
		list := v.AsStringSlice()
		for i, s := range list {
			list[i] = validUTF8(s)
		}
		return attribute.StringSliceValue(list)
	case attribute.SLICE:
		list := v.AsSlice()
		for i, e := range list {
			list[i] = mended(e)
		}
		return attribute.SliceValue(list...)
	case attribute.MAP:
		return attribute.MapValue(validAttributes(v.AsMap())...)
	}
	return v
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
