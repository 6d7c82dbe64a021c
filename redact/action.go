package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// An Action says what takes the place of what is redacted.
type Action int

const (
	// Mask puts a mark in its place that says what it was: [redacted:email].
	Mask Action = iota
	// Remove leaves it out: the matched part of a text, or, by a key, the member of an
	// object with its name. Where a value must be, it becomes "" or {}.
	Remove
	// Hash puts a mark in its place with the first 128 bits of the HMAC-SHA-256 of what
	// it was, keyed by the salt of [WithSalt]: [redacted:email:4f0c…]. The same value
	// has the same hash on every machine that has the same salt, however it was
	// written: cards, phone numbers and IBANs are hashed without their separators,
	// addresses of e-mail in lower case.
	Hash
	// Keep leaves it as it is: it turns a detector off, or excepts a key.
	Keep

	keepLast // and how many, shifted
)

const keepShift = 8

// KeepLast keeps the last n characters, behind ****, of what has at least twice as
// many, and masks anything shorter. An n below 1 is [Mask].
func KeepLast(n int) Action {
	const most = 1 << 16
	if n < 1 {
		return Mask
	}
	return Action(min(n, most))<<keepShift | keepLast
}

func (a Action) valid() bool {
	return a >= Mask && a < keepLast || a > 0 && a&(1<<keepShift-1) == keepLast && a>>keepShift > 0
}

// String names the action.
func (a Action) String() string {
	switch {
	case a == Mask:
		return "mask"
	case a == Remove:
		return "remove"
	case a == Hash:
		return "hash"
	case a == Keep:
		return "keep"
	case a.valid():
		return fmt.Sprintf("keep last %d", a>>keepShift)
	}
	return fmt.Sprintf("Action(%d)", int(a))
}

// stars stand for what is not kept.
const stars = "****"

// replace returns what takes the place of a text.
func (p *Policy) replace(a Action, label, text string) string {
	switch {
	case a == Remove:
		return ""
	case a == Hash:
		mac := hmac.New(sha256.New, p.salt)
		_, _ = mac.Write([]byte(text))
		const shown = 16
		return mark(label + ":" + hex.EncodeToString(mac.Sum(nil)[:shown]))
	case a > keepLast:
		n := int(a >> keepShift)
		if utf8.RuneCountInString(text) >= 2*n {
			from := len(text)
			for range n {
				_, size := utf8.DecodeLastRuneInString(text[:from])
				from -= size
			}
			return stars + text[from:]
		}
	}
	return mark(label)
}

const markStart, markEnd = "[redacted:", "]"

func mark(label string) string { return markStart + label + markEnd }

// marked reports whether a text is nothing but a mark that replace has made for a
// label.
func marked(text, label string) bool {
	rest, ok := strings.CutPrefix(text, markStart+label)
	if !ok {
		return false
	}
	if rest == markEnd {
		return true
	}
	const digits = 32
	if len(rest) != 1+digits+len(markEnd) || rest[0] != ':' || rest[1+digits:] != markEnd {
		return false
	}
	_, err := hex.DecodeString(rest[1 : 1+digits])
	return err == nil
}
