package redact

import (
	"net/netip"
	"strings"
)

// ipv4 looks for an address as of RFC 791 in decimal octets, which is no part of a
// longer number with dots.
func (w *walker) ipv4(text string, i int) int {
	if !w.on.ips || i > 1 && text[i-1] == '.' && isAlnum(text[i-2]) {
		return 0
	}
	dots, j := 0, i
	for j < len(text) && j-i <= len("255.255.255.255") && (isDigit(text[j]) || text[j] == '.') {
		if text[j] == '.' {
			if dots++; dots == 4 {
				break
			}
		}
		j++
	}
	if dots < 3 {
		return 0
	}
	if j > i && text[j-1] == '.' { // the end of a sentence
		j--
	}
	if j < len(text) && isAlnum(text[j]) || j+1 < len(text) && text[j] == '.' && isAlnum(text[j+1]) {
		return 0
	}
	a, err := netip.ParseAddr(text[i:j])
	if err != nil || harmless(a) || numbered(text[:i]) {
		return 0
	}
	w.add(i, j, IP, a.String())
	return j
}

// numbered reports whether a text ends with a word after which four numbers are those of
// a section or a version, perhaps with one other word between.
func numbered(before string) bool {
	const looked = 20
	before = strings.ToLower(before[max(0, len(before)-looked):])
	words := strings.FieldsFunc(before, func(r rune) bool { return r <= ' ' || r == ',' || r == '#' || r == '(' || r == '-' })
	for _, word := range words[max(0, len(words)-2):] {
		switch word {
		case "section", "sections", "sec", "sec.", "rfc", "version", "release", "clause", "chapter":
			return true
		}
	}
	return strings.HasSuffix(before, "§") || strings.HasSuffix(before, "§ ")
}

// harmless reports whether an address says nothing of anybody: those of the machine
// itself, of none, and masks of networks.
func harmless(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	if !a.Is4() {
		return false
	}
	b := a.As4()
	return b[0] == 255 && b[1] == 255
}

// ipv6 looks for an address as of RFC 4291 around a colon.
func (w *walker) ipv6(text string, i int) int {
	const longest = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
	if !w.on.ips {
		return 0
	}
	from := i
	for from > 0 && i-from < 5 && isHex(text[from-1]) {
		from--
	}
	if from > 0 && (isAlnum(text[from-1]) || text[from-1] == '_' || text[from-1] == ':' && (from == 1 || isHex(text[from-2]) || text[from-2] == ':')) {
		return 0
	}
	colons, to := 0, from
	for to < len(text) && to-from <= longest && (isHex(text[to]) || text[to] == ':' || text[to] == '.') {
		if text[to] == ':' {
			colons++
		}
		to++
	}
	w.looks += to - from
	if colons < 2 || colons < 6 && !strings.Contains(text[from:to], "::") || to < len(text) && (isAlnum(text[to]) || text[to] == '_' || text[to] == '/' && to+1 < len(text) && !isDigit(text[to+1])) {
		return 0
	}
	for to > from && (text[to-1] == '.' || text[to-1] == ':' && !strings.HasSuffix(text[:to], "::")) {
		to--
	}
	a, err := netip.ParseAddr(text[from:to])
	if err != nil || harmless(a.Unmap()) || !addressed(text[from:to]) {
		return 0
	}
	w.add(from, to, IP, a.String())
	if to < len(text) && text[to] == '%' { // the zone goes with it
		for to++; to < len(text) && isAlnum(text[to]); to++ {
			continue
		}
		w.add(from, to, IP, a.String())
	}
	return to
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// addressed reports whether a text in the form of an address of IPv6 is one rather than
// a part of a program (a::b, [1::2]): it has a digit, and more than two groups or a long
// one.
func addressed(text string) bool {
	groups, long := 0, false
	for g := range strings.SplitSeq(text, ":") {
		const short = 2
		if g != "" {
			groups++
		}
		long = long || len(g) > short
	}
	return strings.ContainsAny(text, "0123456789") && (groups > 2 || groups == 2 && long)
}
