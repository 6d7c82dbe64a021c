package redact

// A text is read once. Each byte has a class; most have none and cost a look at a
// table. A byte with a class begins something, or stands in the middle of it: a word, a
// run of digits, the @ of an address. Only there a detector looks closer, at a bounded
// number of bytes around, so that the time is linear in the text.

type class byte

const (
	other class = iota
	letter
	digit
	at
	colon
	equals
	plus
	paren
	dash
	escapes
)

var classes = func() (table [256]class) {
	for c := range table {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			table[c] = letter
		case '0' <= c && c <= '9':
			table[c] = digit
		}
	}
	for c, k := range map[byte]class{'@': at, ':': colon, '=': equals, '+': plus, '(': paren, '-': dash, '%': escapes, '\\': escapes, '&': escapes} {
		table[c] = k
	}
	for c := range table {
		if c >= 0x80 && opensEscape[c] {
			table[c] = escapes
		}
	}
	return table
}()

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return classes[c] == letter }

// alnums are the letters and digits of ASCII.
var alnums = func() (table [256]bool) {
	for c := range table {
		table[c] = classes[c] == letter || classes[c] == digit
	}
	return table
}()

func isAlnum(c byte) bool { return alnums[c] }

// leastBase64 is the length of the shortest run that is decoded: that of an address
// such as 10.0.0.1, or of a@b.example.
const leastBase64 = 10

// scan notes what the detectors find in a text as it stands, and in its base64, and
// reports whether there may be escapes to decode, and spaces of a query.
func (w *walker) scan(text string) (escaped, query bool) {
	outer := w.memo // of the text that this one stands in
	w.memo = memo{}
	defer func() { w.memo = outer }()
	run, decoded := 0, 0 // where the run of base64 begins, and to where such were decoded
	for i := 0; i < len(text); {
		switch classes[text[i]] {
		case other:
			i++
		case letter, digit:
			// A word: all letters and digits up to another byte.
			end := i + 1
			for end < len(text) && alnums[text[end]] {
				end++
			}
			if i == 0 || !base64Mark(text[i-1]) {
				run = i
			} else if i == 1 || !alnums[text[i-2]] && !base64Mark(text[i-2]) {
				run = i - 1
			}
			if end-run >= leastBase64 && run >= decoded {
				decoded = w.base64(text, run, end)
			}
			i = max(end, w.word(text, i, end))
		case at:
			i = w.email(text, i)
		case colon:
			i = max(w.colon(text, i), i+1)
		case equals:
			i = max(w.assignment(text, i), i+1)
		case plus:
			query = query || w.forSpace(text, i)
			i = max(w.plus(text, i), i+1)
		case paren:
			i = max(w.paren(text, i), i+1)
		case dash:
			i = max(w.pem(text, i), i+1)
		case escapes:
			escaped = true
			i++
		}
	}
	return escaped, query
}

// base64Mark reports whether a byte is one of base64 that is no letter or digit.
func base64Mark(c byte) bool { return c == '+' || c == '/' || c == '-' || c == '_' }

// word looks at a word, which may be where something longer begins. It returns where
// that ends, or 0.
func (w *walker) word(text string, i, end int) int {
	c, next := text[i], byte(0)
	if i+1 < len(text) {
		next = text[i+1]
	}
	if classes[c] == digit {
		if to := w.digits(text, i); to > 0 {
			return to
		}
	}
	if by := formatsAt[c]; by != nil && by[next] != nil {
		if to := w.apiKey(by[next], text, i); to > 0 {
			return to
		}
	}
	if end < len(text) && (text[end] == ':' || text[end] == '~' || text[end] == '.') || end-i == azureKey {
		if to := w.middleKey(text, i, end); to > 0 {
			return to
		}
	}
	const least = 4
	switch {
	case end-i < least:
	case classes[text[i+2]] == digit && classes[text[i+3]] == digit && classes[c] == letter && classes[next] == letter:
		return w.iban(text, i)
	case c == 'e' && next == 'y' && text[i+2] == 'J':
		return w.jwt(text, i, end)
	case c|0x20 == 'b' && (end-i == len("bearer") || end-i == len("basic")):
		return w.scheme(text, i, end)
	}
	return 0
}

// colon looks at a colon: of an address of IP, of a URL with a password, or of an
// assignment.
func (w *walker) colon(text string, i int) int {
	if i+2 < len(text) && text[i+1] == '/' && text[i+2] == '/' {
		return w.userinfo(text, i+3)
	}
	if to := w.ipv6(text, i); to > 0 {
		return to
	}
	return w.assignment(text, i)
}
