package redact

import (
	"net/netip"
	"strings"
)

// email looks for an address around its @ and returns where to go on. The form is
// addr-spec of RFC 5322, section 3.4.1, without quotes and comments, with letters
// outside of ASCII as of RFC 6531, and with a domain that ends with a label of two
// letters or more, or is an address of IP in brackets.
func (w *walker) email(text string, i int) int {
	const most, mostDomain = 64, 255
	from := i
	if !w.on.emails {
		return i + 1
	}
	for from > 0 && i-from < most && localByte[text[from-1]] {
		from--
	}
	for from < i && !isAlnum(text[from]) && text[from] < 0x80 && text[from] != '_' {
		from++
	}
	if from == i || text[i-1] == '.' {
		return i + 1
	}
	if i+1 < len(text) && text[i+1] == '[' {
		end := strings.IndexByte(text[i:min(len(text), i+most)], ']')
		if end < 0 {
			return i + 1
		}
		literal := text[i+2 : i+end]
		if _, err := netip.ParseAddr(strings.TrimPrefix(literal, "IPv6:")); err != nil || strings.HasPrefix(literal, ":") {
			return i + 1
		}
		w.add(from, i+end+1, Email, strings.ToLower(text[from:i+end+1]))
		return i + end + 1
	}
	to, label, dots, letters := i+1, i+1, 0, true
	end := 0
	for to <= len(text) && to-i <= mostDomain {
		if to < len(text) && (isAlnum(text[to]) || text[to] == '-' || text[to] >= 0x80) {
			letters = letters && !isDigit(text[to])
			to++
			continue
		}
		if to == label || text[label] == '-' || text[to-1] == '-' {
			break
		}
		if dots > 0 && to-label > 1 && (letters || strings.HasPrefix(text[label:to], "xn--")) {
			end = to
		}
		if to == len(text) || text[to] != '.' {
			break
		}
		to, label, letters = to+1, to+1, true
		dots++
	}
	if end == 0 {
		return i + 1
	}
	w.add(from, end, Email, strings.ToLower(text[from:end]))
	return end
}

// localByte are the bytes of the part before the @. Those that end values in URLs, code
// and tables ("=", "/", "&", "|" and so on) are left out, though the RFC has them.
var localByte = func() (table [256]bool) {
	for c := range table {
		table[c] = isAlnum(byte(c)) || c >= 0x80
	}
	for _, c := range []byte("._+-'!#$*~^") {
		table[c] = true
	}
	return table
}()
