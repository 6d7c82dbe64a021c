package convert

import (
	"encoding/base64"
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// appendValue writes an attribute value as JSON. Bytes become base64, as in the
// JSON form of OTLP; a value nested too deep becomes null.
func appendValue(dst []byte, v attribute.Value, depth int) []byte {
	if depth > rawjson.MaxDepth {
		return append(dst, "null"...)
	}
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
	case attribute.SLICE:
		return appendList(dst, v.AsSlice(), func(dst []byte, v attribute.Value) []byte { return appendValue(dst, v, depth+1) })
	case attribute.MAP:
		return appendMap(dst, v.AsMap(), depth+1)
	}
	return append(dst, "null"...)
}

func appendMap(dst []byte, kvs []attribute.KeyValue, depth int) []byte {
	dst = append(dst, '{')
	for i, kv := range kvs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendString(dst, string(kv.Key)), ':')
		dst = appendValue(dst, kv.Value, depth)
	}
	return append(dst, '}')
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
func plain(v attribute.Value) string { return string(appendValue(nil, v, 0)) }

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
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ', '\t', '\n', '\r':
			continue
		case '{', '[':
			text, err := rawjson.Parse(s)
			return text, err == nil
		}
		break
	}
	return "", false
}

// str returns a value as text: a string as it is, anything else as JSON.
func str(v attribute.Value) string {
	if v.Type() == attribute.STRING {
		return v.AsString()
	}
	return plain(v)
}

// quoted returns the JSON string of s.
func quoted(s string) string { return string(rawjson.AppendString(nil, s)) }
