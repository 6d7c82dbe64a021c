package redact

import "strings"

// mostPhone is how many digits a number has at most (ITU-T E.164).
const leastPhone, mostPhone = 8, 15

// A dialled is a number as it is written: digits in groups.
type dialled struct {
	digits [mostPhone + 2]byte
	n      int
	groups [8]int // their lengths
	count  int    // of groups
	to     int    // where it ends in the text
	from   int
	marks  [8]byte // the separator before each group
}

// dial reads digits in groups, with a space, "-", ".", "/" or a group in parentheses
// between them, and reports whether that is all of the number.
func dial(text string, i int) (d dialled, ok bool) {
	d.from = i
	open := false
	var sep byte
	size := 0
	endGroup := func() bool {
		if size == 0 {
			return true
		}
		if d.count == len(d.groups) {
			return false
		}
		d.groups[d.count] = size
		d.count++
		size = 0
		return true
	}
	j := i
loop:
	for ; j < len(text); j++ {
		switch c := text[j]; {
		case isDigit(c):
			if d.n == len(d.digits) {
				return d, false
			}
			if size == 0 && d.count < len(d.marks) {
				d.marks[d.count] = sep
			}
			d.digits[d.n] = c
			d.n++
			size++
			sep = 0
			d.to = j + 1
		case c == ')' && open && size > 0:
			if open = false; !endGroup() {
				return d, false
			}
			sep = ')'
			d.to = j + 1
		case c == '(' && !open && size == 0 && (sep == ' ' || sep == 0 && d.n == 0), c == '(' && !open && size > 0:
			if !endGroup() {
				return d, false
			}
			open, sep = true, '('
		case (c == ' ' || c == '-' || c == '.' || c == '/') && (size > 0 || sep == ')') && !open && j+1 < len(text) && (isDigit(text[j+1]) || text[j+1] == '('):
			if !endGroup() {
				return d, false
			}
			sep = c
		default:
			break loop
		}
	}
	endGroup()
	return d, !open && (d.to == len(text) || !isAlnum(text[d.to]) && text[d.to] != '_' && text[d.to] != ':')
}

// plus looks for a number of E.164 with its "+".
func (w *walker) plus(text string, i int) int {
	if !w.on.phones || i > 0 && isAlnum(text[i-1]) || i+1 == len(text) || text[i+1] != '(' && (!isDigit(text[i+1]) || text[i+1] == '0') {
		return 0
	}
	d, ok := dial(text, i+1)
	if !ok || d.n < leastPhone || d.n > mostPhone || !international(d.digits[:d.n]) {
		return 0
	}
	w.add(i, d.to, Phone, "+"+string(d.digits[:d.n]))
	return d.to
}

// international reports whether digits begin with the code of a country, or of
// another thing that ITU-T E.164 assigns codes to, and are as many as numbers have there.
func international(digits []byte) bool {
	switch digits[0] {
	case '0':
		return false
	case '1':
		return len(digits) == len("12125550100") && digits[1] >= '2' && digits[4] >= '2'
	case '7':
		return len(digits) == len("74951234567")
	}
	return codes[int(digits[0]-'0')*10+int(digits[1]-'0')]
}

// codes are the first two digits of the codes that are assigned: those of codes of two
// digits, and of the groups of those of three.
var codes = func() (table [100]bool) {
	for _, c := range []int{
		20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66,
		81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
		21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99,
	} {
		table[c] = true
	}
	return table
}()

// paren looks for a number that begins with an area code in parentheses.
func (w *walker) paren(text string, i int) int {
	if i > 0 && isAlnum(text[i-1]) || i+1 == len(text) || !isDigit(text[i+1]) {
		return 0
	}
	return w.nationalAt(text, i)
}

// national looks for a number as people write it who live in the same country.
func (w *walker) national(text string, i int) int {
	if i > 0 && (text[i-1] == '-' || text[i-1] == '.' || text[i-1] == '_' || text[i-1] == ':') && i > 1 && isAlnum(text[i-2]) {
		return 0 // a part of an id, a version or a time
	}
	return w.nationalAt(text, i)
}

func (w *walker) nationalAt(text string, i int) int {
	if !w.on.phones {
		return 0
	}
	d, ok := dial(text, i)
	switch {
	case !ok:
		return 0
	case d.count == 1:
		if !onePiece(&d) || !abroad(&d) && !w.called(text[:i]) {
			return 0
		}
	case dumped(text[:i]) || !northAmerican(&d) && !trunk(&d) && !abroad(&d):
		return 0
	}
	plain := string(d.digits[:d.n])
	if d.n == len("2125550100") && plain[0] != '0' {
		plain = "+1" + plain
	} else if plain[:2] == "00" {
		plain = "+" + plain[2:]
	}
	w.add(i, d.to, Phone, plain)
	return d.to
}

// dumped reports whether a text ends with a byte as hexadecimal dumps have it.
func dumped(before string) bool {
	n := len(before)
	return n >= 3 && before[n-1] == ' ' && isHex(before[n-2]) && isHex(before[n-3]) && (n == 3 || before[n-4] <= ' ')
}

// northAmerican reports whether a number is one of the North American Numbering Plan
// with an area code: (212) 555-0100, 212-555-0100, 212.555.0100, 1-212-555-0100.
func northAmerican(d *dialled) bool {
	groups, digits := d.groups[:d.count], d.digits[:d.n]
	marks := d.marks[:d.count]
	if groups[0] == 1 && digits[0] == '1' {
		groups, digits, marks = groups[1:], digits[1:], marks[1:]
	}
	if len(groups) != 3 || groups[0] != 3 || groups[1] != 3 || groups[2] != 4 || len(digits) != 10 {
		return false
	}
	if digits[0] < '2' || digits[3] < '2' || digits[1] == '1' && digits[2] == '1' {
		return false
	}
	return marks[1] != '/' && marks[2] != '/'
}

// onePiece reports whether digits in a row may be a number of the North American Numbering
// Plan, one with the 0 of its country, or one with 00. As many digits are times, ids and
// amounts far more often: unless they begin with 00 and the code of a country, called is to
// say what they are.
func onePiece(d *dialled) bool {
	const least, most, leastAbroad = 9, 12, 12
	digits := d.digits[:d.n]
	switch {
	case d.n < least:
		return false
	case abroad(d):
		return d.n >= leastAbroad
	case digits[0] == '0':
		return digits[1] != '0' && d.n <= most
	case d.n == 11 && digits[0] == '1':
		digits = digits[1:]
	}
	return len(digits) == 10 && digits[0] >= '2' && digits[3] >= '2'
}

// called reports whether a word for phones stands right before digits, or is what the value
// is called that they begin.
func (w *walker) called(before string) bool {
	const most = 24
	near := before[max(0, len(before)-most):]
	if len(before) == 0 {
		near = string(w.text[max(0, len(w.text)-most):])
	}
	near = strings.ToLower(near)
	for _, word := range [...]string{"phone", "tel", "mobil", "cell", "handy", "fax", "call", "whatsapp", "sms", "msisdn"} {
		at := strings.LastIndex(near, word)
		if at >= 0 && (at == 0 && len(near) < most || at > 0 && !isAlnum(near[at-1]) || word == "phone") && !strings.ContainsAny(near[at:], "0123456789") {
			return true
		}
	}
	return false
}

// trunk reports whether a number begins with the 0 that most countries have before the
// area code: 030 1234567, 01 23 45 67 89, 020 7946 0958, 0171/1234567, 06-12345678.
func trunk(d *dialled) bool {
	const least, most, groups = 9, 12, 5
	sizes := d.groups[:d.count]
	if d.digits[0] != '0' || d.digits[1] == '0' || d.n < least || d.n > most || d.count > groups {
		return false
	}
	pairs, binary := true, true
	for n, size := range sizes {
		if size < 2 {
			return false
		}
		pairs = pairs && size == 2
		if d.marks[n] == '.' && sizes[0] != 2 {
			return false // a version, or a fraction
		}
	}
	for _, c := range d.digits[:d.n] {
		binary = binary && c <= '1'
	}
	if binary {
		return false
	}
	// A date with the time after it has two pairs and a year.
	return sizes[0] > 2 || d.count == 2 || pairs && d.count == groups || !pairs && sizes[1] > 2 && d.marks[1] != '.'
}

// abroad reports whether a number begins with the 00 that is written for a +.
func abroad(d *dialled) bool {
	return d.digits[0] == '0' && d.digits[1] == '0' && d.n-2 >= leastPhone && d.n-2 <= mostPhone && international(d.digits[2:d.n])
}
