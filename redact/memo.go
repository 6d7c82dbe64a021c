package redact

// A memo is what was found out about a text while it is scanned, so that texts which are
// made to have a detector look again and again cost a few looks at each byte. All of it is
// about a stretch of the text that was looked at last.
type memo struct {
	values stretch // no value that begins there is a credential
	keys   stretch // no key of a format begins there
	// No byte that ends a value stands from one byte to before the other.
	openFrom, openTo int
	plus             int // no byte that makes a "+" a space stands before, in its word
}

// A stretch is a part of a text in which nothing looks as if it was made by chance.
type stretch struct {
	from, to int
	sure     int // what begins before has so much of the stretch before it that it is none
}

// enough is how much of what was looked at tells that what begins there is nothing: there
// is no key or password whose first 64 letters are words.
const enough = 64

// note notes a part of a text that was found to be no credential.
func (s *stretch) note(text string, from, to int) {
	*s = stretch{from, to, to - enough}
	for i := from; i < to; i++ {
		if c := text[i]; c <= ' ' || c >= 0x7f { // what begins before holds it, and so is none
			s.to, s.sure = i, i
			return
		}
	}
}

// has reports whether what begins at a byte and ends before another is known to be none.
func (s *stretch) has(from, to int) bool {
	return s.from <= from && (from < s.sure || to <= s.to && from < s.to)
}
