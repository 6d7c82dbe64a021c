package rawjson

import "slices"

// Later is a string that is still to be written into a text.
type Later struct {
	At   int // its place in the text
	Text string
}

// longString is how long a string is at least that [AppendOutline] leaves out.
const longString = 256

// AppendOutline is [Append] for a text that is finished by [Fill], perhaps by
// another goroutine: the long strings inside v are neither escaped nor copied,
// which is where the time of writing them goes. AppendOutline returns them in the order in
// which they are missing, with their places from the start of dst.
func AppendOutline(dst []byte, v any) ([]byte, []Later, error) {
	e := encoders.Get().(*encoder)
	e.long = longString
	dst, err := e.write(dst, v)
	later := slices.Clone(e.later)
	clear(e.later)
	e.long, e.later, e.laterBytes = 0, e.later[:0], 0
	encoders.Put(e)
	return dst, later, err
}

// Fill appends a text to dst with the strings that are missing in it.
func Fill(dst []byte, text string, later []Later) []byte {
	size := len(text)
	for i := range later {
		size += len(later[i].Text)
	}
	dst = slices.Grow(dst, size+size/16) // some bytes take two
	at := 0
	for i := range later {
		l := &later[i]
		dst = AppendString(append(dst, text[at:l.At]...), l.Text)
		at = l.At
	}
	return append(dst, text[at:]...)
}
