package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// jwt looks for a JSON Web Token in its compact form (RFC 7515, section 7.1, and RFC
// 7516): parts in base64url with dots between them, of which the first is a JSON object
// with a member alg, typ or enc. end is where the word ends.
func (w *walker) jwt(text string, i, end int) int {
	if !w.on.jwts {
		return 0
	}
	most := 16 << 10                                     // of a header with certificates
	if i > 0 && (text[i-1] == '-' || text[i-1] == '_') { // of a token that was looked at
		most = 512
	}
	to := tokenEnd(text[:min(len(text), i+most)], i, end)
	if to == len(text) || text[to] != '.' {
		return 0
	}
	header, err := base64.RawURLEncoding.DecodeString(text[i:to])
	if err != nil {
		return 0
	}
	var fields struct {
		Alg json.RawMessage `json:"alg"`
		Typ json.RawMessage `json:"typ"`
		Enc json.RawMessage `json:"enc"`
	}
	if json.Unmarshal(header, &fields) != nil || fields.Alg == nil && fields.Typ == nil && fields.Enc == nil {
		return 0
	}
	parts := 1
	for parts < 5 && to < len(text) && text[to] == '.' {
		next := tokenEnd(text, to+1, to+1)
		if next == to+1 && (parts == 1 || next < len(text) && text[next] != '.') {
			break
		}
		to = next
		parts++
	}
	if parts < 2 {
		return 0
	}
	w.add(i, to, JWT, text[i:to])
	return to
}

// tokenEnd returns where letters of base64url end.
func tokenEnd(text string, i, from int) int {
	to := min(max(i, from), len(text))
	for to < len(text) && (isAlnum(text[to]) || text[to] == '-' || text[to] == '_') {
		to++
	}
	return to
}

// scheme looks for a scheme of a header with a credential behind it. A word of RFC 6750,
// section 2.1, that is long enough is one; what Basic has before it says who it is, in
// base64 (RFC 7617).
func (w *walker) scheme(text string, i, end int) int {
	word := text[i:end]
	if !w.on.bearers {
		return 0
	}
	bearer := strings.EqualFold(word, "bearer")
	if !bearer && !strings.EqualFold(word, "basic") {
		return 0
	}
	from := end
	for from < len(text) && from-end < 4 && (text[from] == ' ' || text[from] == '\t' || text[from] == '"' || text[from] == '\'' || text[from] == ':') {
		from++
	}
	to := from
	for to < len(text) && (isAlnum(text[to]) || strings.IndexByte("-._~+/=", text[to]) >= 0) {
		to++
	}
	for to > from && text[to-1] == '.' {
		to--
	}
	value := text[from:to]
	const least = 8
	if from == end || len(value) < least || bearer && !random(value) || !bearer && !userAndPassword(value) {
		return 0
	}
	w.add(from, to, Bearer, value)
	return to
}

// userAndPassword reports whether a word is the base64 of a user and a password.
func userAndPassword(word string) bool {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(word, "="))
	if err != nil {
		return false
	}
	for _, c := range b {
		if c < ' ' {
			return false
		}
	}
	return bytes.IndexByte(b, ':') >= 0
}

// random reports whether a text looks as if it was made by chance: a long word with a
// digit, or with both cases, in one piece.
func random(text string) bool {
	const least, piece, most = 16, 12, 512
	if len(text) < least {
		return false
	}
	run, mixed, kinds := 0, false, 0
	for i := range min(len(text), most) {
		c := text[i]
		switch k := classes[c]; {
		case c <= ' ' || c >= 0x7f:
			return false
		case k == digit:
			kinds |= 1
		case k == letter && c >= 'a':
			kinds |= 2
		case k == letter:
			kinds |= 4
		default:
			run, kinds = 0, 0
			continue
		}
		run++
		mixed = mixed || run >= piece && kinds != 1 && kinds != 2 && kinds != 4
	}
	return mixed
}

// secretive reports whether a text looks like a credential where the name before it may
// also stand for something else: names of things have both cases and a digit too, so
// there is to be more of that.
func secretive(text string) bool {
	if !random(text) {
		return false
	}
	digits, changes, capitals := 0, 0, 0
	for i := range len(text) {
		k := classes[text[i]]
		if k == digit {
			digits++
		}
		if i > 0 && (k == digit) != (classes[text[i-1]] == digit) {
			changes++
		}
		if i > 0 && 'A' <= text[i] && text[i] <= 'Z' && 'A' <= text[i-1] && text[i-1] <= 'Z' {
			capitals++
		}
	}
	return digits >= 2 && changes >= 2 || capitals >= 2
}

// pem looks for a private key in the armour of PEM (RFC 7468), OpenSSH, PGP or SSH2. One
// without an end reaches to the end of the text: it may have been cut.
func (w *walker) pem(text string, i int) int {
	const dashes = "----"
	if !w.on.privateKeys || !strings.HasPrefix(text[i:], dashes) {
		return 0
	}
	from := i
	for i < len(text) && text[i] == '-' {
		i++
	}
	const longest = 80
	head := strings.TrimLeft(text[i:min(len(text), i+longest)], " ")
	if !strings.HasPrefix(head, "BEGIN ") {
		return i
	}
	if end := strings.IndexByte(head, '-'); end >= 0 {
		head = head[:end]
	}
	if !strings.Contains(head, "PRIVATE KEY") {
		return i
	}
	to := len(text)
	if end := strings.Index(text[i:], dashes+"END "); end >= 0 {
		to = i + end
	} else if end := strings.Index(text[i:], dashes+" END "); end >= 0 {
		to = i + end
	}
	if to < len(text) {
		for to < len(text) && text[to] == '-' {
			to++
		}
		if end := strings.Index(text[to:min(len(text), to+longest)], dashes); end >= 0 {
			to += end
			for to < len(text) && text[to] == '-' {
				to++
			}
		}
	}
	w.add(from, to, PrivateKey, text[from:to])
	return to
}
