package rawjson

import "slices"

// Range is a part of a text.
type Range struct{ From, To int }

// longString is how long a string is at least that [AppendUnescaped] leaves as it
// is.
const longString = 256

// AppendUnescaped is [Append] for a text that is finished by [Escape], perhaps by
// another goroutine: the long strings inside v are copied to dst as they are,
// without quotes and escapes, which is where the time of writing them goes. It
// returns where they stand, in their order, from the start of dst.
func AppendUnescaped(dst []byte, v any) ([]byte, []Range, error) {
	e := encoders.Get().(*encoder)
	e.long = longString
	dst, err := e.write(dst, v)
	ranges := slices.Clone(e.unescaped)
	e.long, e.unescaped = 0, e.unescaped[:0]
	encoders.Put(e)
	return dst, ranges, err
}

// Escape appends a text to dst in which the strings at the ranges are written as
// JSON strings.
func Escape(dst []byte, text string, ranges []Range) []byte {
	at := 0
	for _, r := range ranges {
		dst = append(dst, text[at:r.From]...)
		dst = AppendString(dst, text[r.From:r.To])
		at = r.To
	}
	return append(dst, text[at:]...)
}
