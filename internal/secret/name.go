// Package secret finds credentials in texts of others, such as errors in which a
// server quotes what it was sent, and takes them out.
//
// A credential is known in two ways: by the name under which it stands in a
// request ([Named]), and, once it is known, by its characters, in whatever way
// they are escaped or encoded ([Matcher]).
package secret

import "strings"

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

// Names of credentials, without case and separators.
var (
	whole  = []string{"pass", "pw", "pat"}
	within = []string{"secret", "password", "passwd", "passphrase", "credential", "signature", "cookie", "bearer", "jwt", "connectionstring"}
	// before are parts of names that count unless what follows makes another word.
	before = []struct {
		part string
		not  []string
	}{
		{"auth", []string{"or"}}, // author, authority; authorization is below
		{"authori", []string{"t"}},
		{"key", []string{"word", "board", "frame", "note"}},
		{"token", []string{"s", "iz", "is", "count", "limit", "budget"}},
	}
	ends = []string{"sig", "pwd"}
	// about are ends of names that say something about a credential.
	about = []string{"type", "scheme", "method", "mode", "url", "uri", "endpoint", "name", "location", "cachekey"}
)

func named(name []byte) bool {
	for _, end := range about {
		if hasSuffix(name, end) {
			return false
		}
	}
	for _, w := range whole {
		if string(name) == w {
			return true
		}
	}
	for _, end := range ends {
		if hasSuffix(name, end) {
			return true
		}
	}
	for i := range name {
		rest := name[i:]
		for _, part := range within {
			if hasPrefix(rest, part) {
				return true
			}
		}
	next:
		for _, b := range before {
			if !hasPrefix(rest, b.part) {
				continue
			}
			for _, not := range b.not {
				if hasPrefix(rest[len(b.part):], not) {
					continue next
				}
			}
			return true
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
