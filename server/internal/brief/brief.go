// Package brief shortens texts.
package brief

import "unicode/utf8"

// MaxName bounds the texts that name something, in bytes: they stand in many places,
// and a longer one names nothing.
const MaxName = 64 << 10

// Cut returns a text of at most so many bytes as it is, and of a longer one the
// beginning, with a mark of what is missing.
func Cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

// Name is Cut for names.
func Name(s string) string { return Cut(s, MaxName) }
