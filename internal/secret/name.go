// Package secret finds credentials in texts of others, such as errors in which a
// server quotes what it was sent, and takes them out.
//
// A credential is known in two ways: by the name under which it stands in a
// request, or the scheme before it ([Credential]), and, once it is known, by its
// characters, in whatever way they are escaped or encoded ([Matcher]).
package secret

import (
	"slices"
	"strings"
)

// Named reports whether a header, a parameter of a query or a member of an object
// holds a credential, by the shape of its name: lists of names lag behind the
// gateways that invent new ones. Case, "_", "-", "." and space do not count. A
// name that says how a credential is used (auth_type, token_url) holds none, and
// neither does one that counts tokens.
func Named(name string) bool {
	var buffer [64]byte
	b := buffer[:0]
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_' || c == '-' || c == '.' || c == ' ':
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		default:
			b = append(b, c)
		}
	}
	return named(b)
}

// A part is a part of names of credentials, unless what follows it makes another
// word.
type part struct {
	text string
	not  []string
}

var (
	// parts are those of names without case and separators, by their first letter.
	parts = ['z' + 1][]part{
		'a': {{"auth", []string{"or"}}, {"authori", []string{"t"}}, // not author, authority
			{"accesstoken", nil}, {"apitoken", nil}}, // also several
		'b': {{"bearer", nil}},
		'c': {{"credential", nil}, {"cookie", nil}, {"connectionstring", nil}, {"clientassertion", nil}},
		'h': {{"hmac", nil}},
		'j': {{"jwt", nil}},
		'k': {{"key", []string{"word", "board", "frame", "note"}}},
		'p': {{"password", nil}, {"passwd", nil}, {"passphrase", nil}, {"passcode", nil}},
		'r': {{"refreshtoken", nil}},
		's': {{"secret", nil}, {"signature", nil}},
		't': {{"token", []string{"s", "iz", "is", "count", "limit", "budget"}}},
	}
	whole = []string{"pass", "pw", "pat"}
	ends  = []string{"sig", "pwd"}
	// about are ends of names that say something about a credential.
	about = []string{"type", "scheme", "method", "mode", "url", "uri", "endpoint", "name", "location", "cachekey"}
)

// named is Named for a name without case and separators.
func named(name []byte) bool {
	return (within(name) || slices.ContainsFunc(whole, func(w string) bool { return string(name) == w }) ||
		slices.ContainsFunc(ends, func(end string) bool { return hasSuffix(name, end) })) &&
		!slices.ContainsFunc(about, func(end string) bool { return hasSuffix(name, end) })
}

// seconds are the second letters of parts by their first, as bits: few bytes of a
// name begin a part, and nearly all names are none.
var seconds = func() (letters ['z' + 1]uint32) {
	for first, list := range parts {
		for _, p := range list {
			letters[first] |= 1 << (p.text[1] - 'a')
		}
	}
	return letters
}()

func within(name []byte) bool {
	for i := range len(name) - 1 {
		c := name[i]
		if int(c) >= len(parts) || seconds[c]>>(name[i+1]-'a')&1 == 0 {
			continue
		}
		for _, p := range parts[c] {
			if !hasPrefix(name[i:], p.text) {
				continue
			}
			rest := name[i+len(p.text):]
			if !slices.ContainsFunc(p.not, func(not string) bool { return hasPrefix(rest, not) }) {
				return true
			}
		}
	}
	return false
}

func hasPrefix(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }

func hasSuffix(b []byte, s string) bool { return len(b) >= len(s) && string(b[len(b)-len(s):]) == s }

// placeholders are what programs send to servers that want no credential. They
// are words of many texts.
var placeholders = []string{"anything", "basic", "bearer", "dummy", "empty", "false", "local", "lm-studio", "no-key", "no-key-required", "not-needed", "not-used", "ollama", "token", "unused"}

func placeholder(value string) bool {
	for _, p := range placeholders {
		if strings.EqualFold(p, value) {
			return true
		}
	}
	return false
}
