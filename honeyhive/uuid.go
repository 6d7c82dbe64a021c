package honeyhive

import (
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 9562 asks for it
	"encoding/hex"
	"fmt"
)

// UUID is a session or event id (RFC 9562). The zero value is the nil UUID,
// which stands for "no id".
type UUID [16]byte

// sessionNamespace is the namespace of session ids that come from other
// strings: the version 5 UUID of "sessionspan" in the DNS namespace of RFC 9562.
// It is fixed for ever, since every process must derive the same ids.
var sessionNamespace = UUID{0x12, 0x13, 0xf8, 0xbf, 0x52, 0x03, 0x50, 0x23, 0xb0, 0x4e, 0x2e, 0x7b, 0x6e, 0x94, 0x20, 0xf8}

// NewUUID returns a random (version 4) UUID.
func NewUUID() UUID {
	var u UUID
	u.Randomize()
	return u
}

// Randomize makes u a random (version 4) UUID in place, without allocating.
func (u *UUID) Randomize() {
	_, _ = rand.Read(u[:]) // never fails: crypto/rand ends the program instead
	u.stamp(4)
}

// EventID returns the id of the event that a span stands for: the version 5
// UUID whose namespace is the trace id and whose name is the span id. Every
// process and language derives the same id without talking to another.
func EventID(traceID [16]byte, spanID [8]byte) UUID {
	return version5(traceID, spanID[:])
}

// SessionID returns the id of a session that its user names by any string. A
// UUID in its 36-character form names itself; any other string becomes the
// version 5 UUID of project, a zero byte and the string, so that one name in
// two projects is two sessions. The empty string has no id: the nil UUID.
func SessionID(project, name string) UUID {
	if name == "" {
		return UUID{}
	}
	if u, err := ParseUUID(name); err == nil && !u.IsZero() {
		return u
	}
	return version5(sessionNamespace, append(append([]byte(project), 0), name...))
}

func version5(namespace UUID, name []byte) UUID {
	// The buffer holds every name of a span id and most of a session.
	var buf [128]byte
	input := append(append(buf[:0], namespace[:]...), name...)
	sum := sha1.Sum(input) //nolint:gosec // a name, not a secret
	var u UUID
	copy(u[:], sum[:])
	u.stamp(5)
	return u
}

// stamp sets the version and the variant of RFC 9562.
func (u *UUID) stamp(version byte) {
	u[6] = u[6]&0x0f | version<<4
	u[8] = u[8]&0x3f | 0x80
}

// ParseUUID reads the 36-character form of a UUID, in either case. Forms with
// braces, a urn: prefix or without hyphens are refused, as the API refuses them.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return UUID{}, invalidUUID(s)
	}
	at := 0
	for i := 0; i < 36; i += 2 {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			i++
		}
		hi, lo := nibble(s[i]), nibble(s[i+1])
		if hi > 15 || lo > 15 {
			return UUID{}, invalidUUID(s)
		}
		u[at] = hi<<4 | lo
		at++
	}
	return u, nil
}

func invalidUUID(s string) error {
	const most = 64
	if len(s) > most {
		return fmt.Errorf("%q… (%d bytes) is no UUID", s[:most], len(s))
	}
	return fmt.Errorf("%q is no UUID", s)
}

// nibble returns the value of a hexadecimal digit, or more than 15.
func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// IsZero reports whether u is the nil UUID.
func (u UUID) IsZero() bool { return u == UUID{} }

// String returns the 36-character form in lower case.
func (u UUID) String() string {
	return string(u.Append(make([]byte, 0, 36)))
}

// Append adds the 36-character form to dst.
func (u UUID) Append(dst []byte) []byte {
	dst = hex.AppendEncode(dst, u[0:4])
	for _, part := range [...][]byte{u[4:6], u[6:8], u[8:10], u[10:16]} {
		dst = hex.AppendEncode(append(dst, '-'), part)
	}
	return dst
}

// MarshalText returns the 36-character form.
func (u UUID) MarshalText() ([]byte, error) { return u.Append(nil), nil }

// UnmarshalText is [ParseUUID].
func (u *UUID) UnmarshalText(text []byte) error {
	parsed, err := ParseUUID(string(text))
	if err != nil {
		return err
	}
	*u = parsed
	return nil
}
