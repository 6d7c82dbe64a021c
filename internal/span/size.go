package span

import "go.opentelemetry.io/otel/attribute"

// word is about what a value takes in memory besides its text.
const word = 64

// AttributesSize returns about how many bytes attributes keep in memory.
func AttributesSize(attributes []attribute.KeyValue) int64 {
	var n int64
	for i := range attributes {
		n += ValueSize(attributes[i].Value)
	}
	return n
}

// TextSize returns about what a text of n bytes takes, and what the record takes
// that is encoded of the text: memory comes in classes of sizes, and above 32 KiB
// in pages. A text that fills its pages fills one more with the record's frame.
func TextSize(n int) int64 {
	const large, page, frame = 32 << 10, 8 << 10, 512
	if n > large {
		return int64(n+frame+page-1) / page * page
	}
	return int64(n + n/16)
}

// ValueSize returns about how many bytes a value keeps in memory.
func ValueSize(v attribute.Value) int64 {
	switch v.Type() {
	case attribute.STRING:
		return word + TextSize(len(v.AsString()))
	case attribute.BYTESLICE:
		return word + TextSize(len(v.AsByteSlice()))
	case attribute.STRINGSLICE:
		n := int64(word)
		for _, s := range v.AsStringSlice() {
			n += 16 + TextSize(len(s))
		}
		return n
	case attribute.SLICE:
		n := int64(word)
		for _, e := range v.AsSlice() {
			n += ValueSize(e)
		}
		return n
	case attribute.MAP:
		return word + AttributesSize(v.AsMap())
	case attribute.BOOLSLICE:
		return word + int64(len(v.AsBoolSlice()))
	case attribute.INT64SLICE:
		return word + 8*int64(len(v.AsInt64Slice()))
	case attribute.FLOAT64SLICE:
		return word + 8*int64(len(v.AsFloat64Slice()))
	}
	return word
}
