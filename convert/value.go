package convert

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// appendValue writes an attribute value as JSON. Bytes become base64, as in the
// JSON form of OTLP; a value nested too deep becomes a string.
func appendValue(dst []byte, v attribute.Value, depth int) []byte {
	switch v.Type() {
	case attribute.BOOL:
		return strconv.AppendBool(dst, v.AsBool())
	case attribute.INT64:
		return strconv.AppendInt(dst, v.AsInt64(), 10)
	case attribute.FLOAT64:
		return rawjson.AppendFloat(dst, v.AsFloat64(), 64)
	case attribute.STRING:
		return rawjson.AppendString(dst, v.AsString())
	case attribute.BYTESLICE:
		return rawjson.AppendString(dst, base64.StdEncoding.EncodeToString(v.AsByteSlice()))
	case attribute.BOOLSLICE:
		return appendList(dst, v.AsBoolSlice(), strconv.AppendBool)
	case attribute.INT64SLICE:
		return appendList(dst, v.AsInt64Slice(), func(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) })
	case attribute.FLOAT64SLICE:
		return appendList(dst, v.AsFloat64Slice(), func(dst []byte, f float64) []byte { return rawjson.AppendFloat(dst, f, 64) })
	case attribute.STRINGSLICE:
		return appendList(dst, v.AsStringSlice(), rawjson.AppendString)
	case attribute.SLICE, attribute.MAP:
		if depth == rawjson.MaxDepth {
			return rawjson.AppendString(dst, v.String())
		}
		if v.Type() == attribute.MAP {
			return appendMap(dst, v.AsMap(), depth+1)
		}
		return appendList(dst, v.AsSlice(), func(dst []byte, v attribute.Value) []byte { return appendValue(dst, v, depth+1) })
	}
	return append(dst, "null"...)
}

// appendMap writes attributes as a JSON object. Where a key stands more than
// once, the last one counts.
func appendMap(dst []byte, kvs []attribute.KeyValue, depth int) []byte {
	var b bucketReader
	for _, kv := range kvs {
		b.put(valid(string(kv.Key)), rawjson.Text(appendValue(nil, kv.Value, depth)), rankRest)
	}
	return append(dst, b.text()...)
}

func appendList[T any](dst []byte, list []T, element func([]byte, T) []byte) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(dst, v)
	}
	return append(dst, ']')
}

// plain returns a value as JSON, a string as a JSON string.
func plain(v attribute.Value) string {
	if v.Type() == attribute.STRING {
		return quoted(v.AsString())
	}
	return rawjson.Text(appendValue(nil, v, 0))
}

// structured returns a value as JSON, where a string that holds a JSON object
// or array stands for it: that is how dialects write what is no scalar.
func structured(v attribute.Value) string {
	if v.Type() == attribute.STRING {
		if text, ok := embedded(v.AsString()); ok {
			return text
		}
	}
	return plain(v)
}

// embedded returns the JSON object or array that a string holds, canonical.
func embedded(s string) (string, bool) {
	start := strings.TrimLeft(s, " \t\r\n")
	if start == "" || start[0] != '{' && start[0] != '[' {
		return "", false
	}
	text, err := rawjson.Parse(start)
	return text, err == nil
}

// str returns a value as text: a string as it is, anything else as JSON.
func str(v attribute.Value) string {
	if v.Type() == attribute.STRING {
		return v.AsString()
	}
	return plain(v)
}

// quoted returns the JSON string of s.
func quoted(s string) string {
	const (
		escapes = 16       // bytes, with the quotes: what is longer grows
		large   = 64 << 10 // AppendString makes room for a text of this size itself
	)
	if len(s) >= large {
		return rawjson.Text(rawjson.AppendString(nil, s))
	}
	return string(rawjson.AppendString(make([]byte, 0, len(s)+escapes), s))
}

// valid returns s with each run of bytes that is no UTF-8 replaced.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// finite returns a number of an attribute, whatever its type.
func finite(v attribute.Value) (float64, bool) {
	var f float64
	switch v.Type() {
	case attribute.INT64:
		f = float64(v.AsInt64())
	case attribute.FLOAT64:
		f = v.AsFloat64()
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

// number is finite, but that a text of a number stands for it.
func number(v attribute.Value) (float64, bool) {
	if v.Type() == attribute.STRING {
		f, err := strconv.ParseFloat(strings.TrimSpace(v.AsString()), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return finite(v)
}

// shallow returns canonical JSON that is nested most levels deep at the most:
// what lies deeper becomes a string that holds its JSON.
func shallow(text string, most int) string {
	if fits(text, most) {
		return text
	}
	return string(appendShallow(make([]byte, 0, len(text)), text, most))
}

// fits reports whether canonical JSON is nested most levels deep at the most.
func fits(text string, most int) bool {
	return strings.Count(text, "{")+strings.Count(text, "[") <= most || !rawjson.Deeper(text, most)
}

func appendShallow(dst []byte, text string, most int) []byte {
	kind := rawjson.KindOf(text)
	switch {
	case kind != rawjson.Object && kind != rawjson.Array:
		return append(dst, text...)
	case most == 0:
		return rawjson.AppendString(dst, text)
	}
	dst = append(dst, text[0])
	first := len(dst)
	for v := range rawjson.Elements(text) {
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = appendShallow(dst, v, most-1)
	}
	for k, v := range rawjson.Members(text) {
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendString(dst, k), ':')
		dst = appendShallow(dst, v, most-1)
	}
	return append(dst, text[len(text)-1])
}
