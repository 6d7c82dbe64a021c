package redact

// digits looks at a word that begins with a digit.
func (w *walker) digits(text string, i int) int {
	if to := w.ipv4(text, i); to > 0 {
		return to
	}
	if to := w.card(text, i); to > 0 {
		return to
	}
	return w.national(text, i)
}

// issuers are those of payment cards: the first digits from and to, and how
// long their numbers are, as bits. ISO/IEC 7812-1; the ranges are those that the
// networks publish.
var issuers = []struct {
	from, to, digits int
	sizes            uint32
}{
	{4, 4, 1, 1<<13 | 1<<16 | 1<<19},           // Visa
	{51, 55, 2, 1 << 16},                       // Mastercard
	{2221, 2720, 4, 1 << 16},                   // Mastercard
	{34, 34, 2, 1 << 15},                       // American Express
	{37, 37, 2, 1 << 15},                       // American Express
	{6011, 6011, 4, 1<<16 | 1<<19},             // Discover
	{644, 649, 3, 1<<16 | 1<<19},               // Discover
	{65, 65, 2, 1<<16 | 1<<19},                 // Discover, RuPay
	{300, 305, 3, 1<<14 | 1<<16},               // Diners Club
	{3095, 3095, 4, 1<<14 | 1<<16},             // Diners Club
	{36, 36, 2, 1<<14 | 1<<16},                 // Diners Club
	{38, 39, 2, 1<<14 | 1<<16},                 // Diners Club
	{3528, 3589, 4, 1<<16 | 1<<19},             // JCB
	{62, 62, 2, 1<<16 | 1<<17 | 1<<18 | 1<<19}, // UnionPay
	{81, 82, 2, 1 << 16},                       // UnionPay, RuPay
	{60, 60, 2, 1 << 16},                       // RuPay
	{508, 508, 3, 1 << 16},                     // RuPay
	{2200, 2204, 4, 1 << 16},                   // Mir
	{5018, 5018, 4, 1<<16 | 1<<18 | 1<<19},     // Maestro
	{5020, 5020, 4, 1<<16 | 1<<18 | 1<<19},     // Maestro
	{5038, 5038, 4, 1<<16 | 1<<18 | 1<<19},     // Maestro
	{6304, 6304, 4, 1<<16 | 1<<18 | 1<<19},     // Maestro
	{6759, 6763, 4, 1<<16 | 1<<18 | 1<<19},     // Maestro
}

const shortestCard, longestCard = 13, 19

// card looks for the number of a payment card: in one piece, or in groups of three
// digits and more with one separator, a space, "-" or ".", between them.
func (w *walker) card(text string, i int) int {
	if !w.on.cards || i > 1 && text[i-1] == '.' && isDigit(text[i-2]) {
		return 0
	}
	var all [longestCard]byte
	n, found, from, separator := 0, 0, i, byte(0)
	for j := i; j < len(text); j++ {
		c := text[j]
		if isDigit(c) {
			if n == longestCard {
				break
			}
			all[n] = c
			n++
			if j+1 < len(text) && (isAlnum(text[j+1]) || text[j+1] == '.' && separator != '.' && j+2 < len(text) && isDigit(text[j+2])) {
				continue
			}
			if n >= shortestCard && isCard(all[:n]) {
				found = j + 1
			}
			continue
		}
		if j-from < 3 || c != ' ' && c != '-' && c != '.' || separator != 0 && c != separator || j+1 == len(text) || !isDigit(text[j+1]) {
			break
		}
		separator, from = c, j+1
	}
	if found == 0 {
		return 0
	}
	w.add(i, found, Card, onlyDigits(text[i:found]))
	return found
}

// isCard reports whether digits are the number of a card: the length is one that its
// issuer has, and the last digit that of Luhn (ISO/IEC 7812-1, annex B).
func isCard(digits []byte) bool {
	sum := 0
	for n, c := range digits {
		d := int(c - '0')
		if (len(digits)-n)%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	if sum%10 != 0 {
		return false
	}
	for _, is := range issuers {
		head := 0
		for _, c := range digits[:is.digits] {
			head = head*10 + int(c-'0')
		}
		if is.from <= head && head <= is.to && is.sizes>>len(digits)&1 != 0 {
			return true
		}
	}
	return false
}

func onlyDigits(text string) string {
	b := make([]byte, 0, len(text))
	for i := range len(text) {
		if isDigit(text[i]) {
			b = append(b, text[i])
		}
	}
	return string(b)
}
