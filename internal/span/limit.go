package span

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// Truncate returns a value whose texts have no more than n characters, as the SDK
// makes it by AttributeValueLengthLimit: bytes that are no UTF-8 do not count where
// a text is cut, and of a list of bytes n stay.
func Truncate(v attribute.Value, n int) attribute.Value {
	switch v.Type() {
	case attribute.STRING:
		if text := v.AsString(); len(text) > n {
			return attribute.StringValue(truncate(text, n))
		}
	case attribute.BYTESLICE:
		if b := v.AsByteSlice(); len(b) > n {
			return attribute.ByteSliceValue(b[:n])
		}
	case attribute.STRINGSLICE:
		list := v.AsStringSlice()
		if slices.ContainsFunc(list, func(text string) bool { return len(text) > n }) {
			list = slices.Clone(list)
			for i := range list {
				list[i] = truncate(list[i], n)
			}
			return attribute.StringSliceValue(list)
		}
	case attribute.SLICE:
		list := slices.Clone(v.AsSlice())
		for i := range list {
			list[i] = Truncate(list[i], n)
		}
		return attribute.SliceValue(list...)
	case attribute.MAP:
		list := slices.Clone(v.AsMap())
		for i := range list {
			list[i].Value = Truncate(list[i].Value, n)
		}
		return attribute.MapValue(list...)
	}
	return v
}

func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	text = strings.ToValidUTF8(text, "")
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
