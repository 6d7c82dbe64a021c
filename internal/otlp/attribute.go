package otlp

import (
	"math"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"
)

func appendAttributes(dst []byte, field protowire.Number, attrs []attribute.KeyValue) []byte {
	for i := range attrs {
		dst = appendAttribute(dst, field, &attrs[i])
	}
	return dst
}

// appendHead adds the start of a KeyValue, up to its value of a size.
func appendHead(dst []byte, field protowire.Number, key string, size int) []byte {
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(textSize(key)+1+protowire.SizeBytes(size)))
	return appendText(dst, keyValueKey, key)
}

// appendAttribute adds a KeyValue.
func appendAttribute(dst []byte, field protowire.Number, kv *attribute.KeyValue) []byte {
	key := validText(string(kv.Key))
	size, text, ok := scalarSize(&kv.Value)
	if !ok {
		dst, start := openMessage(dst, field)
		dst = appendText(dst, keyValueKey, key)
		dst = appendComposite(dst, keyValueValue, kv.Value)
		closeMessage(dst, start)
		return dst
	}
	dst = appendHead(dst, field, key, size)
	return appendScalar(dst, keyValueValue, &kv.Value, size, text)
}

// appendValue adds an AnyValue.
func appendValue(dst []byte, field protowire.Number, v *attribute.Value) []byte {
	if size, text, ok := scalarSize(v); ok {
		return appendScalar(dst, field, v, size, text)
	}
	return appendComposite(dst, field, *v)
}

// scalarSize returns the size of the AnyValue that holds v, and the valid text
// of a string. scalarSize reports false for lists and maps.
func scalarSize(v *attribute.Value) (size int, text string, ok bool) {
	switch v.Type() {
	case attribute.EMPTY:
		return 0, "", true
	case attribute.BOOL:
		return 2, "", true
	case attribute.INT64:
		return 1 + protowire.SizeVarint(uint64(v.AsInt64())), "", true
	case attribute.FLOAT64:
		return 1 + protowire.SizeFixed64(), "", true
	case attribute.STRING:
		text = validText(v.AsString())
	case attribute.BYTESLICE, attribute.BOOLSLICE, attribute.INT64SLICE, attribute.FLOAT64SLICE,
		attribute.STRINGSLICE, attribute.SLICE, attribute.MAP:
		return 0, "", false
	default:
		text = "INVALID" // what the SDK sends for a type that it does not know
	}
	return 1 + protowire.SizeBytes(len(text)), text, true
}

// appendScalar adds the AnyValue that scalarSize measured. The value of an
// AnyValue is a oneof, so a zero is written too.
func appendScalar(dst []byte, field protowire.Number, v *attribute.Value, size int, text string) []byte {
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	switch v.Type() {
	case attribute.EMPTY:
		return dst
	case attribute.BOOL:
		dst = protowire.AppendTag(dst, anyBool, protowire.VarintType)
		return protowire.AppendVarint(dst, protowire.EncodeBool(v.AsBool()))
	case attribute.INT64:
		dst = protowire.AppendTag(dst, anyInt, protowire.VarintType)
		return protowire.AppendVarint(dst, uint64(v.AsInt64()))
	case attribute.FLOAT64:
		dst = protowire.AppendTag(dst, anyDouble, protowire.Fixed64Type)
		return protowire.AppendFixed64(dst, math.Float64bits(v.AsFloat64()))
	default:
		dst = protowire.AppendTag(dst, anyString, protowire.BytesType)
		return protowire.AppendString(dst, text)
	}
}

// appendComposite adds the AnyValue of a list or map.
func appendComposite(dst []byte, field protowire.Number, v attribute.Value) []byte {
	dst, start := openMessage(dst, field)
	switch v.Type() {
	case attribute.BYTESLICE:
		dst = protowire.AppendTag(dst, anyBytes, protowire.BytesType)
		dst = protowire.AppendBytes(dst, v.AsByteSlice())
	case attribute.MAP:
		dst = appendMap(dst, v.AsMap())
	case attribute.BOOLSLICE:
		dst = appendArray(dst, v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		dst = appendArray(dst, v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		dst = appendArray(dst, v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.STRINGSLICE:
		dst = appendArray(dst, v.AsStringSlice(), attribute.StringValue)
	case attribute.SLICE:
		dst = appendArray(dst, v.AsSlice(), func(v attribute.Value) attribute.Value { return v })
	default: // scalarSize takes all others
	}
	closeMessage(dst, start)
	return dst
}

func appendArray[T any](dst []byte, elements []T, value func(T) attribute.Value) []byte {
	dst, start := openMessage(dst, anyArray)
	for _, element := range elements {
		v := value(element)
		dst = appendValue(dst, listElement, &v)
	}
	closeMessage(dst, start)
	return dst
}

func appendMap(dst []byte, entries []attribute.KeyValue) []byte {
	dst, start := openMessage(dst, anyMap)
	dst = appendAttributes(dst, listElement, entries)
	closeMessage(dst, start)
	return dst
}
