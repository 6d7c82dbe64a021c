// Package spansize estimates what spans keep in memory.
package spansize

import (
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	// overhead is about what a span takes besides its texts.
	overhead = 1536
	// word is about what a value takes besides its text.
	word = 64
)

// Span returns about how many bytes a span keeps in memory.
func Span(s sdktrace.ReadOnlySpan) int64 { return Bare(s) + Attributes(s.Attributes()) }

// Bare is Span without the attributes.
func Bare(s sdktrace.ReadOnlySpan) int64 {
	n := int64(overhead + len(s.Name()) + len(s.Status().Description))
	for _, e := range s.Events() {
		n += word + int64(len(e.Name)) + Attributes(e.Attributes)
	}
	for _, l := range s.Links() {
		n += word + Attributes(l.Attributes)
	}
	return n
}

// Attributes returns about how many bytes attributes keep in memory.
func Attributes(attributes []attribute.KeyValue) int64 {
	var n int64
	for i := range attributes {
		n += Value(attributes[i].Value)
	}
	return n
}

// Text returns about what a text of n bytes takes: memory comes in classes of
// sizes, and above 32 KiB in pages.
func Text(n int) int64 {
	const large, page = 32 << 10, 8 << 10
	if n > large {
		return int64(n+page-1) / page * page
	}
	return int64(n + n/16)
}

// Value returns about how many bytes a value keeps in memory.
func Value(v attribute.Value) int64 {
	switch v.Type() {
	case attribute.STRING:
		return word + Text(len(v.AsString()))
	case attribute.BYTESLICE:
		return word + Text(len(v.AsByteSlice()))
	case attribute.STRINGSLICE:
		n := int64(word)
		for _, s := range v.AsStringSlice() {
			n += 16 + Text(len(s))
		}
		return n
	case attribute.SLICE:
		n := int64(word)
		for _, e := range v.AsSlice() {
			n += Value(e)
		}
		return n
	case attribute.MAP:
		return word + Attributes(v.AsMap())
	case attribute.BOOLSLICE:
		return word + int64(len(v.AsBoolSlice()))
	case attribute.INT64SLICE:
		return word + 8*int64(len(v.AsInt64Slice()))
	case attribute.FLOAT64SLICE:
		return word + 8*int64(len(v.AsFloat64Slice()))
	}
	return word
}
