package traces

import (
	"encoding/base64"
	"math"
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// maxList is how many elements a list or map has as a value. A longer one is the
// text of its JSON: the attribute package makes a type for each length, which the
// process keeps for ever, with a mask of its pointers. Lists of numbers, which
// have no pointers, are values whatever their length.
const maxList = 1024

// list returns the value of the elements from a place on, and takes them off.
func (d *decoder) list(from int) attribute.Value {
	elements := d.values[from:]
	d.values = d.values[:from]
	if len(elements) > maxList {
		return attribute.StringValue(string(appendList(nil, elements, appendValue)))
	}
	return attribute.SliceValue(elements...)
}

// mapping returns the value of the pairs from a place on, and takes them off.
func (d *decoder) mapping(from int) attribute.Value {
	pairs := d.pairs[from:]
	d.pairs = d.pairs[:from]
	if len(pairs) > maxList {
		return attribute.StringValue(string(appendMap(nil, pairs)))
	}
	return attribute.MapValue(pairs...)
}

func appendList[T any](dst []byte, elements []T, element func([]byte, T) []byte) []byte {
	dst = append(dst, '[')
	for i, v := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(dst, v)
	}
	return append(dst, ']')
}

func appendMap(dst []byte, pairs []attribute.KeyValue) []byte {
	dst = append(dst, '{')
	for i, kv := range pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(append(append(dst, honeyhive.StringValue(string(kv.Key))...), ':'), kv.Value)
	}
	return append(dst, '}')
}

// appendValue writes a value as package convert does.
func appendValue(dst []byte, v attribute.Value) []byte {
	switch v.Type() {
	case attribute.BOOL:
		return strconv.AppendBool(dst, v.AsBool())
	case attribute.INT64:
		return strconv.AppendInt(dst, v.AsInt64(), 10)
	case attribute.FLOAT64:
		return appendFloat(dst, v.AsFloat64())
	case attribute.STRING:
		return append(dst, honeyhive.StringValue(v.AsString())...)
	case attribute.BYTESLICE:
		return append(dst, honeyhive.StringValue(base64.StdEncoding.EncodeToString(v.AsByteSlice()))...)
	case attribute.SLICE:
		return appendList(dst, v.AsSlice(), appendValue)
	case attribute.MAP:
		return appendMap(dst, v.AsMap())
	case attribute.INT64SLICE:
		return appendList(dst, v.AsInt64Slice(), func(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) })
	case attribute.FLOAT64SLICE:
		return appendList(dst, v.AsFloat64Slice(), appendFloat)
	}
	return append(dst, "null"...)
}

// appendFloat writes a number as encoding/json does. Those that JSON does not have
// are strings, as in the JSON form of protocol buffers.
func appendFloat(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	case abs != 0 && abs < 1e-6 || abs >= 1e21:
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		if n := len(dst); dst[n-3] == '-' && dst[n-2] == '0' { // e-09 becomes e-9
			dst = append(dst[:n-2], dst[n-1])
		}
		return dst
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
